"""Names and bytes of tiles and bundles."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvariantBrokenError, MalformedError
from registry.merkle import (
    MemoryHashes,
    hash_leaf,
    prove_consistency,
    prove_inclusion,
    root_at,
    root_of,
)
from registry.tiles import (
    ENTRIES_LEVEL,
    ENTRY_SIZE_MAX,
    Tile,
    TileHashes,
    entries_path,
    format_bundle,
    implied_files,
    is_implied,
    parse_bundle,
    parse_path,
    tile_path,
    walk_files,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "tiles"
SIZE_MAX = 1000
LEAVES = [hash_leaf(n.to_bytes(8, "big")) for n in range(SIZE_MAX)]
HASHES = MemoryHashes(LEAVES)


def vectors(prefix: str) -> list[Any]:
    paths = sorted(VECTORS.glob(f"{prefix}*.json"))
    assert paths
    return [pytest.param(json.loads(path.read_text("utf-8")), id=path.stem) for path in paths]


def naive_tile(path: str) -> bytes:
    """A tile by its definition: each hash is the root over 256**level leaves."""
    tile = parse_path(path)
    span = 256**tile.level
    first = tile.index * 256
    return b"".join(
        root_of(LEAVES[number * span : (number + 1) * span])
        for number in range(first, first + tile.width)
    )


class TestPaths:
    @pytest.mark.parametrize("vector", vectors("path-"))
    def test_vectors(self, vector: Any) -> None:
        case = vector["input"]
        if "want_error" in vector:
            with pytest.raises(MalformedError) as caught:
                parse_path(case["path"])
            assert str(caught.value) == vector["want_error"]
            return
        level, index, width = case["level"], case["index"], case["width"]
        tile = Tile(level=level, index=index, width=width)
        path = entries_path(index, width) if level < 0 else tile_path(level, index, width)
        assert path == vector["want"] == tile.path()
        assert parse_path(path) == tile

    @given(
        level=st.integers(ENTRIES_LEVEL, 63),
        index=st.integers(0, 10**18 - 1),
        width=st.integers(1, 256),
    )
    def test_round_trips(self, level: int, index: int, width: int) -> None:
        tile = Tile(level=level, index=index, width=width)
        assert parse_path(tile.path()) == tile

    @given(st.text(alphabet="tile/nrsx.p0123456789", max_size=30))
    def test_reads_only_what_it_writes(self, text: str) -> None:
        path = f"tile/0/{text}"
        try:
            tile = parse_path(path)
        except MalformedError:
            return
        assert tile.path() == path

    @pytest.mark.parametrize(
        ("level", "index", "width"),
        [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)],
    )
    def test_names_no_tile_that_cannot_be(self, level: int, index: int, width: int) -> None:
        with pytest.raises(InvariantBrokenError, match="no tile has"):
            tile_path(level, index, width)


class TestImpliedFiles:
    @pytest.mark.parametrize("vector", vectors("files-of-"))
    def test_vectors(self, vector: Any) -> None:
        assert list(implied_files(vector["input"]["size"])) == vector["want"]

    def test_files_hold_each_hash_and_entry_once(self) -> None:
        for size in [*range(600), 65535, 65536, 65537]:
            widths: dict[int, int] = {}
            for path in implied_files(size):
                tile = parse_path(path)
                widths[tile.level] = widths.get(tile.level, 0) + tile.width
            assert widths.pop(ENTRIES_LEVEL, 0) == size
            assert all(width == size >> (8 * level) for level, width in widths.items())
            assert size >> (8 * len(widths)) == 0

    def test_each_implied_file_is_told_one_by_one(self) -> None:
        known = {size: set(implied_files(size)) for size in (0, 1, 256, 257, 600, 65537)}
        every = set().union(*known.values())
        for size, files in known.items():
            assert {path for path in every if is_implied(path, size=size)} == files
        assert not is_implied("checkpoint", size=600)

    def test_an_immense_size_is_walked_only_as_far_as_asked(self) -> None:
        assert next(walk_files(2**62)) == "tile/0/000"

    def test_refuses_a_negative_size(self) -> None:
        with pytest.raises(InvariantBrokenError):
            implied_files(-1)


class TestBundles:
    @pytest.mark.parametrize("vector", vectors("bundle-"))
    def test_vectors(self, vector: Any) -> None:
        data, count = bytes.fromhex(vector["input"]["data"]), vector["input"]["count"]
        if "want_error" in vector:
            with pytest.raises(MalformedError) as caught:
                parse_bundle(data, count=count)
            assert str(caught.value) == vector["want_error"]
            return
        entries = [bytes.fromhex(entry) for entry in vector["want"]]
        assert list(parse_bundle(data, count=count)) == entries
        assert format_bundle(entries) == data

    @given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
    def test_round_trips(self, entries: list[bytes]) -> None:
        assert list(parse_bundle(format_bundle(entries), count=len(entries))) == entries

    @given(st.binary(max_size=20), st.integers(1, 5))
    def test_reads_only_what_it_writes(self, data: bytes, count: int) -> None:
        try:
            entries = parse_bundle(data, count=count)
        except MalformedError:
            return
        assert format_bundle(entries) == data

    def test_longest_entry_round_trips(self) -> None:
        entry = bytes(ENTRY_SIZE_MAX)
        assert parse_bundle(format_bundle([entry]), count=1) == (entry,)

    @pytest.mark.parametrize(
        "entries",
        [
            pytest.param([], id="none"),
            pytest.param([b""] * 257, id="too-many"),
            pytest.param([bytes(ENTRY_SIZE_MAX + 1)], id="too-long"),
        ],
    )
    def test_packs_only_what_fits(self, entries: list[bytes]) -> None:
        with pytest.raises(InvariantBrokenError):
            format_bundle(entries)


class TestTileHashes:
    def test_gives_every_complete_subtree(self) -> None:
        reader = TileHashes(naive_tile, SIZE_MAX)
        outputs = sha256()
        for level in range(10):
            for index in range(SIZE_MAX >> level):
                assert reader.subtree(level, index) == HASHES.subtree(level, index)
                outputs.update(reader.subtree(level, index))
        assert (
            outputs.hexdigest()
            == "810a68db47a5a71adaa49439080dd5ee10c02dba63ada69826e81abea008c83f"
        )

    @pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 700, 1000])
    def test_roots_and_proofs_are_those_of_the_tree(self, size: int) -> None:
        reader = TileHashes(naive_tile, size)
        assert root_at(reader, size) == root_of(LEAVES[:size])
        for index in {0, size // 2, size - 1}:
            path = prove_inclusion(reader, index=index, size=size)
            assert path == prove_inclusion(HASHES, index=index, size=size)
        for old_size in {1, size // 2 + 1, size}:
            path = prove_consistency(reader, old_size=old_size, new_size=size)
            assert path == prove_consistency(HASHES, old_size=old_size, new_size=size)

    def test_fetches_only_files_that_the_size_implies_and_each_once(self) -> None:
        fetched: list[str] = []

        def fetch(path: str) -> bytes:
            fetched.append(path)
            return naive_tile(path)

        reader = TileHashes(fetch, SIZE_MAX)
        for index in range(SIZE_MAX):
            prove_inclusion(reader, index=index, size=SIZE_MAX)
        assert len(fetched) == len(set(fetched))
        assert set(fetched) <= set(implied_files(SIZE_MAX))

    def test_forgets_the_tile_not_used_for_longest(self) -> None:
        fetched: list[str] = []

        def fetch(path: str) -> bytes:
            fetched.append(path)
            return bytes(256 * 32)

        reader = TileHashes(fetch, 256 * 40)
        for index in range(32):
            reader.subtree(0, index * 256)
        reader.subtree(0, 0)
        reader.subtree(0, 32 * 256)
        assert len(fetched) == 33
        reader.subtree(0, 5)
        assert len(fetched) == 33
        reader.subtree(0, 256)
        assert fetched[33:] == ["tile/0/001"]

    @pytest.mark.parametrize(("level", "index"), [(-1, 0), (0, -1), (0, 5), (2, 1), (3, 0)])
    def test_refuses_a_subtree_that_is_not_complete(self, level: int, index: int) -> None:
        with pytest.raises(InvariantBrokenError, match="in 5 leaves"):
            TileHashes(naive_tile, 5).subtree(level, index)

    @pytest.mark.parametrize("change", [-1, 1, 32], ids=["truncated", "garbage", "extra-hash"])
    def test_refuses_a_tile_of_another_length(self, change: int) -> None:
        reader = TileHashes(lambda _: bytes(5 * 32 + change), 5)
        with pytest.raises(MalformedError, match=r"tile/0/000\.p/5: has"):
            reader.subtree(0, 0)

    def test_what_fetching_raises_passes_through(self) -> None:
        def fetch(path: str) -> bytes:
            raise MalformedError(what=path, reason="unreadable")

        with pytest.raises(MalformedError, match="unreadable"):
            TileHashes(fetch, 5).subtree(0, 0)
