"""The log as files that never change: hash tiles and bundles of entries.

A tile holds 256 neighbouring hashes of one tree level out of eight; a bundle holds the 256
entries under one lowest tile. The last of each row is partial and carries its width:

    tile/0/000                full: the first 256 leaf hashes
    tile/0/x001/x234/067      number 1,234,067
    tile/1/000.p/17           17 hashes, each over 256 leaves
    tile/entries/273.p/112    112 entries, each behind its length as a uint16

From a size follows which files exist, so a missing and a superfluous one are both seen. This
module reads and writes no file: it names them, and packs and unpacks their bytes.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from registry.errors import InvariantBrokenError, MalformedError
from registry.merkle import HASH_SIZE, hash_node

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
TILE_LEVEL_MAX: Final = 63
ENTRIES_LEVEL: Final = -1
"""Stands for the row of bundles where a tile's level is asked for."""

ENTRY_SIZE_MAX: Final = 65535
"""Bytes of one entry: its length is written as a uint16."""

BUNDLE_SIZE_MAX: Final = TILE_WIDTH * (2 + ENTRY_SIZE_MAX)

_PATH: Final = re.compile(
    "tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})"
    "(?:\\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_CACHED_TILES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Names one tile or bundle by its place in the tree."""

    level: int
    """From 0 for leaf hashes; `ENTRIES_LEVEL` for a bundle."""
    index: int
    width: int = TILE_WIDTH
    """Hashes or entries in it: 256, or less where the row ends."""

    def path(self) -> str:
        """Gives the file's path below the log's prefix.

        Raises:
            InvariantBrokenError: There is no such tile.

        Source: C2SP tlog-tiles, Merkle Tree and Log entries.
        """
        level = "entries" if self.level == ENTRIES_LEVEL else str(self.level)
        if not ENTRIES_LEVEL <= self.level <= TILE_LEVEL_MAX:
            raise InvariantBrokenError(f"no tile has level {self.level}")
        if self.index < 0 or not 0 < self.width <= TILE_WIDTH:
            raise InvariantBrokenError(f"no tile has index {self.index} and width {self.width}")
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
        number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{number}{partial}"


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Names a tile of hashes.

    Raises:
        InvariantBrokenError: There is no such tile.
    """
    if level < 0:
        raise InvariantBrokenError(f"no tile has level {level}")
    return Tile(level=level, index=index, width=width).path()


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Names a bundle of entries.

    Raises:
        InvariantBrokenError: There is no such bundle.
    """
    return Tile(level=ENTRIES_LEVEL, index=index, width=width).path()


def parse_path(path: str) -> Tile:
    """Reads the name of a tile or bundle.

    Raises:
        MalformedError: It is not the one spelling of such a name.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise MalformedError(what="tile path", reason=f"{path!r} names no tile")
    level = ENTRIES_LEVEL if match["level"] == "entries" else int(match["level"])
    index, width = int(re.sub("[x/]", "", match["index"])), int(match["width"] or TILE_WIDTH)
    if level <= TILE_LEVEL_MAX and width <= TILE_WIDTH:
        tile = Tile(level=level, index=index, width=width)
        # Leading groups of zeros and `.p/256` are second spellings.
        if tile.path() == path:
            return tile
    raise MalformedError(what="tile path", reason=f"{path!r} is not its one spelling")


def implied_files(size: int) -> tuple[str, ...]:
    """Lists every tile and bundle of a log of that size, bundles last.

    Raises:
        InvariantBrokenError: The size is negative.
    """
    return tuple(walk_files(size))


def walk_files(size: int) -> Iterator[str]:
    """Gives what `implied_files` lists, one by one: a size may be claimed that is immense.

    Raises:
        InvariantBrokenError: The size is negative.

    Source: C2SP tlog-tiles, Partial Tiles.
    """
    if size < 0:
        raise InvariantBrokenError(f"no log has size {size}")
    level = 0
    # Only complete tiles are hashed into the level above, so a level ends with `>>`.
    while (hashes := size >> (level * TILE_HEIGHT)) > 0:
        yield from (tile.path() for tile in _row(level, hashes))
        level += 1
    yield from (tile.path() for tile in _row(ENTRIES_LEVEL, size))


def is_implied(path: str, *, size: int) -> bool:
    """Tells whether a log of that size has a tile or bundle of this path."""
    try:
        tile = parse_path(path)
    except MalformedError:
        return False
    return tile.width == _width(tile.level, tile.index, size=size)


def _width(level: int, index: int, *, size: int) -> int:
    """Gives the width of a tile in a log of that size; not positive if it has no such tile."""
    hashes = size if level == ENTRIES_LEVEL else size >> (level * TILE_HEIGHT)
    return min(TILE_WIDTH, hashes - index * TILE_WIDTH)


def _row(level: int, count: int) -> Iterator[Tile]:
    for index in range(count >> TILE_HEIGHT):
        yield Tile(level=level, index=index)
    if width := count % TILE_WIDTH:
        yield Tile(level=level, index=count >> TILE_HEIGHT, width=width)


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """Packs entries, each behind its length.

    Raises:
        InvariantBrokenError: There are none or more than 256, or one is too long.

    Source: C2SP tlog-tiles, Log entries.
    """
    if not 0 < len(entries) <= TILE_WIDTH:
        raise InvariantBrokenError(f"a bundle of {len(entries)} entries")
    if any(len(entry) > ENTRY_SIZE_MAX for entry in entries):
        raise InvariantBrokenError(f"an entry is longer than {ENTRY_SIZE_MAX} bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_bundle(data: bytes, *, count: int) -> tuple[bytes, ...]:
    """Unpacks a bundle of exactly so many entries.

    Raises:
        MalformedError: An entry or its length is cut off, or bytes are left over.
    """
    entries: list[bytes] = []
    place = 0
    for _ in range(count):
        start = place + 2
        end = start + int.from_bytes(data[place:start], "big")
        if start > len(data) or end > len(data):
            raise MalformedError(
                what="bundle", reason=f"ends within entry {len(entries)} of {count}"
            )
        entries.append(data[start:end])
        place = end
    if place != len(data):
        raise MalformedError(
            what="bundle", reason=f"{len(data) - place} bytes are left after {count} entries"
        )
    return tuple(entries)


class TileHashes:
    """Reads the hashes of complete subtrees out of tiles.

    What it gives is as good as the files: a proof built from it is still to be verified
    against a signed root. It is a `registry.merkle.HashReader`.
    """

    __slots__ = ("_fetch", "_pyramids", "_size")

    def __init__(self, fetch: Callable[[str], bytes], size: int) -> None:
        """Takes a way to fetch a file by its path, and the size of the log.

        Args:
            fetch: Gives a file's bytes; what it raises passes through.
            size: Number of leaves that the files are of.
        """
        self._fetch = fetch
        self._size = size
        self._pyramids: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()

    def subtree(self, level: int, index: int) -> bytes:
        """Gives the hash of subtree number `index` among those of 2**level leaves.

        Raises:
            InvariantBrokenError: The tree has no such complete subtree.
            MalformedError: The tile has not the length that the size implies.
        """
        if level < 0 or not 0 <= index < self._size >> level:
            raise InvariantBrokenError(f"no subtree {index} of 2**{level} in {self._size} leaves")
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile_index, place = divmod(index, TILE_WIDTH >> height)
        return self._pyramid(tile_level, tile_index)[height][place]

    def _pyramid(self, level: int, index: int) -> list[list[bytes]]:
        """Gives a tile's hashes and the complete nodes between them and the next tile."""
        pyramid = self._pyramids.get((level, index))
        if pyramid is None:
            pyramid = _build(self._read(level, index))
            self._pyramids[level, index] = pyramid
            if len(self._pyramids) > _CACHED_TILES:
                self._pyramids.popitem(last=False)
        self._pyramids.move_to_end((level, index))
        return pyramid

    def _read(self, level: int, index: int) -> list[bytes]:
        width = _width(level, index, size=self._size)
        path = tile_path(level, index, width)
        data = self._fetch(path)
        if len(data) != width * HASH_SIZE:
            raise MalformedError(
                what=path, reason=f"has {len(data)} bytes, {width} hashes have {width * HASH_SIZE}"
            )
        return [data[place : place + HASH_SIZE] for place in range(0, len(data), HASH_SIZE)]


def _build(hashes: list[bytes]) -> list[list[bytes]]:
    pyramid = [hashes]
    for _ in range(TILE_HEIGHT - 1):
        below = pyramid[-1]
        pyramid.append(
            [hash_node(below[place], below[place + 1]) for place in range(0, len(below) - 1, 2)]
        )
    return pyramid
