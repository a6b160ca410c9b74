"""Histories of buckets: which entries have touched a party or a voucher, as a tree.

A history is the compact range of the leaf hashes of these entries. Rows keep histories
as the newest state entry commits to them; what has happened since stands in the log,
and is added when the next state entry asks for it. So a write costs nothing here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.json import Decoder

from registry.canonical import b64url_decode, b64url_encode
from registry.effects import Touch
from registry.merkle import HASH_SIZE, CompactRange, hash_leaf
from registry.model import History

ENTRIES_AT_ONCE: Final = 1_000
"""Entries whose buckets are looked up together."""

Grown = Mapping[Touch, CompactRange]
"""Histories that have grown, by bucket."""
FindHistories = Callable[[Sequence[Touch]], Iterable[History | None]]
"""Finds the rows of buckets, in order; None for one that no state entry commits to yet."""


class _Touches(Struct):
    holder: tuple[str, ...]
    voucher: tuple[str, ...]


class _Effects(Struct):
    touches: _Touches


class _Entry(Struct):
    effects: _Effects


_read = Decoder(_Entry).decode


def touches_in(data: bytes) -> list[Touch]:
    """Returns the buckets that a sealed entry names as touched."""
    touches = _read(data).effects.touches
    return [("holder", name) for name in touches.holder] + [
        ("voucher", name) for name in touches.voucher
    ]


def range_of(row: History | None) -> CompactRange:
    """Returns a history; an empty one for a bucket without a row."""
    if row is None:
        return CompactRange()
    nodes = b64url_decode(row.frontier, what="history")
    return CompactRange(
        row.size, (nodes[at : at + HASH_SIZE] for at in range(0, len(nodes), HASH_SIZE))
    )


def rows_of(
    grown: Grown, records: Mapping[Touch, str] = MappingProxyType({})
) -> tuple[History, ...]:
    """Returns histories as rows, in order of their buckets; with records, where there are any."""
    return tuple(
        History(
            family=family,
            bucket=bucket,
            size=tree.size,
            frontier=b64url_encode(b"".join(tree.frontier)),
            record=records.get((family, bucket), ""),
        )
        for (family, bucket), tree in sorted(grown.items())
    )


class Histories:
    """Histories as the log has them, of all buckets touched since some state entry."""

    def __init__(self, find: FindHistories) -> None:
        """Starts where the rows are.

        Args:
            find: Finds the rows of buckets.
        """
        self._find = find
        self._known: dict[Touch, CompactRange] = {}
        self._grown: dict[Touch, CompactRange] = {}

    @property
    def grown(self) -> Grown:
        """The histories that have grown since they were taken last."""
        return self._grown

    @property
    def known(self) -> Grown:
        """The histories that have grown since rows had all of them."""
        return self._known

    def restore(self, rows: Iterable[History], *, has_grown: bool) -> None:
        """Adds histories as an earlier log reader has left them."""
        for row in rows:
            tree = self._known[row.family, row.bucket] = range_of(row)
            if has_grown:
                self._grown[row.family, row.bucket] = tree

    def add(self, touches: Iterable[Touch], leaf_hash: bytes) -> None:
        """Adds an entry to the histories of the buckets that it touches."""
        for touch in touches:
            tree = self._grown.get(touch)
            if tree is None:
                tree = self._known.get(touch)
                if tree is None:
                    (row,) = self._find([touch])
                    tree = self._known[touch] = range_of(row)
                self._grown[touch] = tree
            tree.append(leaf_hash)

    def read(self, entries: Iterable[bytes]) -> None:
        """Adds sealed entries, in order; rows are looked up for many of them together."""
        some: list[tuple[list[Touch], bytes]] = []
        for data in entries:
            some.append((touches_in(data), hash_leaf(data)))
            if len(some) == ENTRIES_AT_ONCE:
                self._add_all(some)
                some.clear()
        self._add_all(some)

    def _add_all(self, some: Sequence[tuple[list[Touch], bytes]]) -> None:
        """Adds some entries."""
        named = {touch: None for touches, _ in some for touch in touches}
        missing = [touch for touch in named if touch not in self._known]
        if missing:
            rows = self._find(missing)
            self._known |= zip(missing, map(range_of, rows), strict=True)
        for touches, leaf_hash in some:
            self.add(touches, leaf_hash)

    def take(self) -> dict[Touch, CompactRange]:
        """Returns copies of the histories that have grown since the last call."""
        grown = {touch: tree.copy() for touch, tree in self._grown.items()}
        self._grown = {}
        return grown

    def forget(self) -> None:
        """Lets go of what has not grown since it was taken: rows have all of it now."""
        self._known = dict(self._grown)
