"""The writer's tree: the same heads, tiles and earlier roots as a tree kept whole in memory."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import MissingFileError
from registry.logtree import LogTree, TileWrite, stored_hashes
from registry.merkle import EMPTY_ROOT, CompactRange, MemoryHashes, TreeHead, root_at, root_of
from registry.tiles import TILE_WIDTH, implied_files, tile_path

BORDERS = [0, 1, 2, 3, 128, 255, 256, 257, 511, 512, 513, 767, 768, 1000]


def leaf(number: int) -> bytes:
    return sha256(number.to_bytes(4, "big")).digest()


class Tiles:
    """Keeps tiles as a store does: each write replaces the tile."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], bytes] = {}

    def read(self, level: int, index: int) -> bytes:
        return self.kept.get((level, index), b"")

    def write(self, tiles: Sequence[TileWrite]) -> None:
        for tile in tiles:
            self.kept[tile.level, tile.index] = tile.data

    def paths(self) -> set[str]:
        return {tile_path(level, index, len(data) // 32) for (level, index), data
                in self.kept.items()}  # fmt: skip


def grown(tiles: Tiles, tree: LogTree, until: int) -> LogTree:
    """Commits one batch that takes a log to a size."""
    work = tree.fork()
    for number in range(tree.head.size, until):
        work.append(leaf(number))
    tiles.write(work.tiles())
    return work


class TestAgainstOtherTrees:
    @pytest.mark.parametrize("size", BORDERS)
    def test_head_tiles_and_every_earlier_root(self, size: int) -> None:
        tiles = Tiles()
        tree = grown(tiles, LogTree(tiles.read, 0), size)
        whole = MemoryHashes(map(leaf, range(size)))
        assert tree.head == TreeHead(size, root_at(whole, size))
        assert tiles.paths() == {path for path in implied_files(size) if "entries" not in path}
        kept = tree.fork()
        for earlier in range(0, size + 1, max(1, size // 50)):
            assert kept.root_at(earlier) == root_at(whole, earlier)

    @pytest.mark.parametrize("size", BORDERS)
    def test_a_tree_restored_from_tiles_goes_on_as_the_one_that_wrote_them(self, size: int) -> None:
        tiles = Tiles()
        tree = grown(tiles, LogTree(tiles.read, 0), size)
        restored = LogTree(tiles.read, size)
        assert restored.head == tree.head
        for step in (1, 255, 256, 257):
            one, two = tree.fork(), restored.fork()
            for number in range(size, size + step):
                one.append(leaf(number))
                two.append(leaf(number))
            assert one.head == two.head
            assert one.tiles() == two.tiles()

    def test_borders_of_the_third_level(self) -> None:
        """Leaves are cheap: what matters is which tiles are full at 65,535 to 65,537."""
        tiles = Tiles()
        tree = grown(tiles, LogTree(tiles.read, 0), 65_534)
        compact = CompactRange()
        for number in range(65_534):
            compact.append(leaf(number))
        for number in range(65_534, 65_539):
            tree = grown(tiles, tree, number + 1)
            compact.append(leaf(number))
            assert tree.head == compact.head() == LogTree(tiles.read, number + 1).head
            paths = {p for p in implied_files(number + 1) if "entries" not in p}
            assert tiles.paths() == paths
        hashes = MemoryHashes(map(leaf, range(65_539)))
        for earlier in (1, 255, 256, 65_280, 65_535, 65_536, 65_537, 65_538):
            assert tree.fork().root_at(earlier) == root_at(hashes, earlier)

    @given(st.lists(st.integers(0, 300), max_size=6))
    def test_any_sequence_of_batches(self, steps: list[int]) -> None:
        tiles = Tiles()
        tree = LogTree(tiles.read, 0)
        for step in steps:
            tree = grown(tiles, tree, tree.head.size + step)
            assert LogTree(tiles.read, tree.head.size).head == tree.head
        assert tree.head.root == root_of(map(leaf, range(tree.head.size)))


class TestForks:
    def test_a_fork_that_is_dropped_changes_nothing(self) -> None:
        tiles = Tiles()
        tree = grown(tiles, LogTree(tiles.read, 0), 250)
        before = tree.head, tree.fork().tiles()
        dropped = tree.fork()
        for number in range(9_000, 9_020):
            dropped.append(leaf(number))
        assert dropped.head != tree.head
        assert (tree.head, tree.fork().tiles()) == before
        tree = grown(tiles, tree, 270)
        assert tree.head.root == root_of(map(leaf, range(270)))

    def test_a_fork_gives_no_root_of_what_is_not_stored(self) -> None:
        tiles = Tiles()
        tree = grown(tiles, LogTree(tiles.read, 0), 3)
        work = tree.fork()
        work.append(leaf(3))
        assert work.root_at(3) == tree.head.root
        assert work.root_at(4) == b""
        tiles.write(work.tiles())
        assert work.fork().root_at(4) == work.head.root

    def test_a_dropped_fork_leaves_no_root_behind(self) -> None:
        tiles = Tiles()
        tree = grown(tiles, LogTree(tiles.read, 0), 3)
        dropped = tree.fork()
        dropped.append(leaf(9_000))
        assert dropped.root_at(4) == b""
        tree = grown(tiles, tree, 4)
        assert tree.fork().root_at(4) == root_of(map(leaf, range(4)))

    def test_tiles_filled_before_a_fork_are_not_written_again(self) -> None:
        tiles = Tiles()
        tree = grown(tiles, LogTree(tiles.read, 0), 513)
        work = tree.fork()
        work.append(leaf(513))
        assert [(t.level, t.index, len(t.data) // 32) for t in work.tiles()] == [
            (0, 2, 2),
            (1, 0, 2),
        ]

    def test_taking_full_tiles_lets_go_of_them(self) -> None:
        tree = LogTree(lambda _level, _index: b"", 0)
        for number in range(513):
            tree.append(leaf(number))
        assert [(t.level, t.index) for t in tree.take_full()] == [(0, 0), (0, 1)]
        assert tree.take_full() == ()
        assert [(t.level, t.index) for t in tree.tiles()] == [(0, 2), (1, 0)]

    def test_the_root_of_nothing(self) -> None:
        tree = LogTree(lambda _level, _index: b"", 0)
        assert tree.head.root == tree.fork().root_at(0) == EMPTY_ROOT

    def test_many_roots_are_answered_though_few_are_kept(self) -> None:
        tiles = Tiles()
        work = grown(tiles, LogTree(tiles.read, 0), 600).fork()
        whole = MemoryHashes(map(leaf, range(600)))
        for earlier in [*range(600), 0, 1, 599]:
            assert work.root_at(earlier) == root_at(whole, earlier)


class TestStoredHashes:
    def test_a_store_may_have_more_than_the_size_asked_for(self) -> None:
        tiles = Tiles()
        grown(tiles, LogTree(tiles.read, 0), 700)
        for size in (1, 255, 256, 257, 512, 699):
            assert root_at(stored_hashes(tiles.read, size), size) == root_of(map(leaf, range(size)))

    @pytest.mark.parametrize("left", [0, 31, 32])
    def test_a_tile_that_is_too_short_is_missing(self, left: int) -> None:
        tiles = Tiles()
        grown(tiles, LogTree(tiles.read, 0), 3)
        tiles.kept[0, 0] = tiles.kept[0, 0][:left]
        with pytest.raises(MissingFileError, match=r"tile/0/000.p/3"):
            root_at(stored_hashes(tiles.read, 3), 3)
        with pytest.raises(MissingFileError):
            LogTree(tiles.read, 3)

    def test_a_full_tile_has_256_hashes(self) -> None:
        assert TILE_WIDTH == 256
