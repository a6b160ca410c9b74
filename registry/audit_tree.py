"""The log's tree as an auditor computes it, bundle by bundle, against the stored tiles.

A bundle is what a tile of level 0 is made of, so the tree grows by whole tiles and keeps
only its right edge: one unfinished tile a level. Stored tiles are compared as they fill.
Those that are read again, for roots at earlier sizes, are checked from above first.
"""

from collections.abc import Iterator
from functools import lru_cache

from registry.errors import MalformedError, RegistryError
from registry.export import DirectoryFiles
from registry.logtree import stored_hashes
from registry.merkle import HASH_SIZE, CompactRange, root_at, root_of
from registry.tiles import TILE_HEIGHT, TILE_WIDTH, TileHashes, tile_path

ROOTS_KEPT = 1_024
"""Roots at earlier sizes that are remembered: signers see the same checkpoints."""


class AuditedTree:
    """The tree of the bundles so far.

    Attributes:
        size: Number of entries so far.
        differing: Stored hashes that the entries do not give: each with where and why.
    """

    def __init__(self, files: DirectoryFiles, whole: int) -> None:
        """Starts empty.

        Args:
            files: The export's files.
            whole: Number of entries that they are of, by the checkpoint.
        """
        self.size = 0
        self.differing: list[tuple[str, str]] = []
        self.root_at = lru_cache(maxsize=ROOTS_KEPT)(self._root_at)
        self._files = files
        self._whole = whole
        self._newest = b""
        self._rows: list[list[bytes]] = []
        self._reader: TileHashes | None = None

    def restore(self, size: int) -> bytes:
        """Starts at an earlier size instead, with the edge that the stored tiles have there.

        The bundle in which that size lies comes next, from its first entry on.

        Returns:
            The root at that size, by those tiles. Whoever trusts another one must stop.

        Raises:
            RegistryError: A tile cannot be read.
        """
        edges = [
            self._stored_edge(level, size)
            for level in range(-(-max(size.bit_length(), 1) // TILE_HEIGHT))
        ]
        self._rows = edges[1:]
        self.size = size - size % TILE_WIDTH
        frontier = [node for edge in reversed(edges) for node in _frontier(edge)]
        return CompactRange(size, frontier).root()

    def _stored_edge(self, level: int, size: int) -> list[bytes]:
        """Returns the hashes of a level's last tile, as far as it was filled at a size."""
        count = size >> (TILE_HEIGHT * level)
        filled, index = count % TILE_WIDTH, count // TILE_WIDTH
        if not filled:
            return []
        width = min(TILE_WIDTH, (self._whole >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
        path = tile_path(level, index, width)
        data = self._files.read(path)
        if len(data) != width * HASH_SIZE:
            raise MalformedError(what=path, reason=f"has {len(data)} bytes")
        return list(_hashes(data))[:filled]

    def add(self, hashes: bytes, root: bytes) -> None:
        """Adds a bundle; all but the last are full.

        Args:
            hashes: Its leaf hashes, one behind the other.
            root: The root over them.
        """
        self.size += len(hashes) // HASH_SIZE
        self._newest = hashes
        self._reader = None
        if self.size % TILE_WIDTH == 0:
            self._compare(0, hashes)
            self._push(1, root)

    def _push(self, level: int, node: bytes) -> None:
        """Adds the hash of a full tile to the level above it."""
        if level > len(self._rows):
            self._rows.append([])
        row = self._rows[level - 1]
        row.append(node)
        if len(row) == TILE_WIDTH:
            self._compare(level, b"".join(row))
            above = root_of(row)
            row.clear()
            self._push(level + 1, above)

    def finish(self) -> bytes:
        """Compares the unfinished tiles too, and returns the root."""
        edges = self._rows
        if self.size % TILE_WIDTH:
            self._compare(0, self._newest)
            edges = [list(_hashes(self._newest)), *edges]
        for level, row in enumerate(self._rows, 1):
            if row:
                self._compare(level, b"".join(row))
        return CompactRange(
            self.size, (node for edge in reversed(edges) for node in _frontier(edge))
        ).root()

    def _compare(self, level: int, data: bytes) -> None:
        """Compares a stored tile with what the entries give."""
        index = ((self.size >> (TILE_HEIGHT * level)) - 1) // TILE_WIDTH
        path = tile_path(level, index, len(data) // HASH_SIZE)
        try:
            stored = self._files.read(path)
        except RegistryError as error:
            self.differing.append((path, str(error)))
            return
        if stored == data:
            return
        place = next(
            at
            for at in range(0, max(len(stored), len(data)), HASH_SIZE)
            if stored[at : at + HASH_SIZE] != data[at : at + HASH_SIZE]
        )
        number = index * TILE_WIDTH + place // HASH_SIZE
        what = f"entry {number}" if level == 0 else f"hash {number} of level {level}"
        self.differing.append((f"{path}, {what}", "entry and tile do not give the same hash"))

    # --- Roots at earlier sizes -----------------------------------------------------------

    def _root_at(self, size: int) -> bytes:
        """Returns the root at an earlier size."""
        if self._reader is None:
            self._reader = stored_hashes(self._tile, self.size)
        return root_at(self._reader, size)

    def _tile(self, level: int, index: int) -> bytes:
        """Returns a tile as far as it is filled: from the edge, or stored and checked."""
        if level == 0 and self._newest and index == (self.size - 1) // TILE_WIDTH:
            return self._newest
        if level > 0 and index == self.size >> (TILE_HEIGHT * (level + 1)):
            return b"".join(self._rows[level - 1])
        path = tile_path(level, index)
        data = self._files.read(path)
        above = self._tile(level + 1, index // TILE_WIDTH)
        place = index % TILE_WIDTH * HASH_SIZE
        if root_of(_hashes(data)) != above[place : place + HASH_SIZE]:
            raise MalformedError(what=path, reason="does not give the hash that stands above it")
        return data


def _hashes(data: bytes) -> Iterator[bytes]:
    """Takes a tile apart."""
    return (data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE))


def _frontier(hashes: list[bytes]) -> tuple[bytes, ...]:
    """Returns the roots of the complete subtrees over some neighbours, large ones first."""
    tree = CompactRange()
    for node in hashes:
        tree.append(node)
    return tree.frontier
