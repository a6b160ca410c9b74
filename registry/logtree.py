"""The log's tree as the writer keeps it: a compact range, and hash tiles at its right edge.

Memory is constant: the frontier, one partial tile a level, and a few cached roots.
Everything else is read from tiles that were written before.
"""

from collections.abc import Callable
from dataclasses import dataclass

from registry.errors import MissingFileError
from registry.merkle import CompactRange, TreeHead, root_at, root_of
from registry.tiles import TileHashes, parse_path

HASH = 32
WIDTH = 256
ROOTS_KEPT = 256

ReadTile = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class TileWrite:
    """A hash tile of height 8: its whole content, up to 256 hashes of 32 bytes."""

    level: int
    index: int
    data: bytes


class LogTree:
    """The tree of all entries' leaf hashes; `fork` to try a batch, keep it once durable."""

    def __init__(self, read_tile: ReadTile, size: int) -> None:
        """Restores the tree of a stored log.

        Args:
            read_tile: Returns a hash tile (level, index) as far as it is filled.
            size: Number of entries.
        """
        self._read_tile = read_tile
        self._stored = size
        self._range = CompactRange(size, _frontier(read_tile, size))
        self._edges: dict[int, bytearray] = {}
        self._full: list[TileWrite] = []
        self._roots: dict[int, bytes] = {}
        level = 0
        while size >> (8 * level):
            count = (size >> (8 * level)) % WIDTH
            self._edges[level] = bytearray(
                read_tile(level, size >> (8 * level + 8))[: count * HASH]
            )
            level += 1

    @property
    def head(self) -> TreeHead:
        """The tree's head."""
        return self._range.head()

    def fork(self) -> "LogTree":
        """Returns a copy to append to, without the tiles that this one still holds."""
        copy = object.__new__(LogTree)
        copy._read_tile = self._read_tile
        copy._stored = self._range.size
        copy._range = self._range.copy()
        copy._edges = {level: bytearray(edge) for level, edge in self._edges.items()}
        copy._full = []
        copy._roots = self._roots
        return copy

    def append(self, leaf_hash: bytes) -> None:
        """Adds a leaf; a full tile passes its hash up one level."""
        size = self._range.size
        self._range.append(leaf_hash)
        level, node = 0, leaf_hash
        while True:
            edge = self._edges.setdefault(level, bytearray())
            edge += node
            if len(edge) < WIDTH * HASH:
                return
            tile = bytes(edge)
            self._full.append(TileWrite(level=level, index=size >> (8 * level + 8), data=tile))
            edge.clear()
            node = root_of(tile[at : at + HASH] for at in range(0, len(tile), HASH))
            level += 1

    def tiles(self) -> tuple[TileWrite, ...]:
        """Returns the tiles to store: those filled since the fork, and the right edge."""
        size = self._range.size
        partial = (
            TileWrite(level=level, index=size >> (8 * level + 8), data=bytes(edge))
            for level, edge in self._edges.items()
            if edge
        )
        return (*self._full, *partial)

    def take_full(self) -> tuple[TileWrite, ...]:
        """Returns the tiles filled since the last call, and lets go of them."""
        full = tuple(self._full)
        self._full = []
        return full

    def root_at(self, size: int) -> bytes:
        """Returns the root at an earlier size; empty where nothing is stored yet."""
        if size > self._stored:
            return b""
        root = self._roots.get(size)
        if root is None:
            root = root_at(stored_hashes(self._read_tile, self._stored), size)
            if len(self._roots) >= ROOTS_KEPT:
                self._roots.pop(next(iter(self._roots)))
            self._roots[size] = root
        return root


def stored_hashes(read_tile: ReadTile, size: int) -> TileHashes:
    """Returns a reader of tree hashes over stored tiles."""

    def fetch(path: str) -> bytes:
        tile = parse_path(path)
        data = read_tile(tile.level, tile.index)[: tile.width * HASH]
        if len(data) != tile.width * HASH:
            raise MissingFileError(path=path)
        return data

    return TileHashes(fetch, size)


def _frontier(read_tile: ReadTile, size: int) -> tuple[bytes, ...]:
    """Returns the roots of the complete subtrees that make up a stored tree, large ones first."""
    hashes = stored_hashes(read_tile, size)
    frontier = []
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            frontier.append(hashes.subtree(level, start >> level))
            start += 1 << level
    return tuple(frontier)
