"""A whole state in memory, an auditor's; the replay digest.

`registry.batch` is the other state, which one commit reads and writes over a store.
"""

import hashlib
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from registry.canonical import plain_json
from registry.errors import InvariantBrokenError
from registry.model import DEADLINES, Deadline
from registry.tables import (
    Asked,
    Get,
    Key,
    Read,
    Record,
    Rows,
    Table,
    Value,
    WhereEach,
    format_record,
)

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Shelf(Protocol):
    """One table's live rows."""

    def get(self, key: Key) -> Any:
        """Returns the row with this key, or None."""

    @property
    def in_memory(self) -> int:
        """Number of rows in memory."""

    def has(self, key: Key) -> bool:
        """Tells whether a row to be added stands already, as far as that is known cheaply."""

    def put(self, key: Key, row: object) -> None:
        """Adds a row, or replaces the one with its key."""

    def delete(self, key: Key) -> bool:
        """Ends a row's life, and tells whether it lived."""

    def where(self, field: str, value: Value) -> tuple[Any, ...]:
        """Returns the rows whose indexed field has the value, in key order."""

    def select(self) -> Iterator[Any]:
        """Streams the rows in key order."""


class _MemoryShelf:
    """Rows in memory, and their keys by the values of the table's indexed fields."""

    def __init__(self, table: Table[Any]) -> None:
        self.rows: dict[Key, Any] = {}
        self.keys: dict[str, defaultdict[Value, set[Key]]] = {
            field: defaultdict(set) for field in table.indexes
        }
        self.get = self.rows.get
        self.has = self.rows.__contains__
        self._table = table

    @property
    def in_memory(self) -> int:
        """Number of rows in memory."""
        return len(self.rows)

    def put(self, key: Key, row: object) -> None:
        """Adds a row, or replaces the one with its key."""
        old = self.rows.get(key)
        self.rows[key] = row
        for field, keys in self.keys.items():
            value = getattr(row, field)
            if old is not None:
                before = getattr(old, field)
                if before == value:
                    continue
                self._forget(keys, before, key)
            keys[value].add(key)

    def delete(self, key: Key) -> bool:
        """Ends a row's life, and tells whether it lived."""
        old = self.rows.pop(key, None)
        if old is None:
            return False
        for field, keys in self.keys.items():
            self._forget(keys, getattr(old, field), key)
        return True

    def where(self, field: str, value: Value) -> tuple[Any, ...]:
        """Returns the rows whose indexed field has the value, in key order."""
        if field not in self.keys:
            raise InvariantBrokenError(f"table {self._table.name} has no index on {field}")
        return tuple(self.rows[key] for key in sorted(self.keys[field].get(value, ())))

    def select(self) -> Iterator[Any]:
        """Streams the rows in key order."""
        return (self.rows[key] for key in sorted(self.rows))

    def _forget(self, keys: defaultdict[Value, set[Key]], value: Value, key: Key) -> None:
        """Takes a key out of an index; a value that nothing has leaves nothing."""
        keys[value].discard(key)
        if not keys[value]:
            del keys[value]


class MemoryRows:
    """A whole state in memory; `registry.lasting` keeps some of it on disk."""

    def __init__(self, tables: Iterable[Table[Any]]) -> None:
        """Starts empty."""
        self.tables = tuple(tables)
        self._shelves = {table: self.shelf(table) for table in self.tables}
        self._deadlines: list[Key] = []

    def shelf(self, table: Table[Any]) -> Shelf:
        """Makes the shelf of a table."""
        return _MemoryShelf(table)

    @property
    def in_memory(self) -> int:
        """Number of rows in memory."""
        return sum(shelf.in_memory for shelf in self._shelves.values())

    def get(self, table: Table[R], *key: Value) -> R | None:
        """Returns the live row with this key."""
        row: R | None = self._shelves[table].get(key)
        return row

    def where(self, table: Table[R], field: str, value: Value) -> tuple[R, ...]:
        """Returns the live rows whose indexed field has the value, in key order."""
        return self._shelves[table].where(field, value)

    def add(self, table: Table[R], row: R) -> None:
        """Adds a row whose key no live row has.

        Raises:
            InvariantBrokenError: One has.
        """
        key = table.key_of(row)
        if self._shelves[table].has(key):
            raise InvariantBrokenError(f"{table.name} {key} stands already")
        self.put(table, row)

    def put(self, table: Table[R], row: R) -> None:
        """Adds a row, or replaces the one with its key."""
        key = table.key_of(row)
        shelf = self._shelves[table]
        if table is DEADLINES and not shelf.has(key):
            insort(self._deadlines, key)
        shelf.put(key, row)

    def delete(self, table: Table[Any], *key: Value) -> None:
        """Ends a row's life; a key without a row is left as it is."""
        if self._shelves[table].delete(key) and table is DEADLINES:
            del self._deadlines[bisect_left(self._deadlines, key)]

    def due(self, *, until: int) -> Deadline | None:
        """Returns the first deadline, by (at, kind, id), with `at` <= until."""
        if not self._deadlines or int(self._deadlines[0][0]) > until:
            return None
        return self.get(DEADLINES, *self._deadlines[0])

    def fetch(self, reads: Sequence[Read]) -> list[tuple[Any, ...]]:
        """Answers reads as a store does."""
        return [answer(self, read) for read in reads]

    def select(self, table: Table[R]) -> Iterator[R]:
        """Streams a table's rows in key order."""
        return self._shelves[table].select()


def answer(rows: Rows, read: Asked) -> tuple[Any, ...]:
    """Answers one read from rows."""
    if isinstance(read, Get):
        return tuple(rows.get(read.table, *key) for key in read.keys)
    if isinstance(read, WhereEach):
        return tuple(answer(rows, where) for where in read.wheres)
    return rows.where(read.table, read.field, read.value)


def run_reads(rows: Rows, asking: Generator[Asked, Any, T]) -> T:
    """Runs what asks for rows on rows that are at hand; returns what it made of them."""
    try:
        read = next(asking)
        while True:
            read = asking.send(answer(rows, read))
    except StopIteration as stop:
        result: T = stop.value
        return result


def replay_digest(
    tables: Iterable[Table[Any]], select: Callable[[Table[Any]], Iterable[Any]]
) -> str:
    """Hashes a whole state: tables in their order, live rows in key order.

    Live state and a replay of the log give the same digest, in every store.

    Source: docs/formats.md, Replay digest.
    """
    digest = hashlib.sha256(b"tallystick-replay/1\x00")
    for table in tables:
        digest.update(table.name.encode() + b"\n")
        for row in select(table):
            digest.update(plain_json(format_record(row)) + b"\n")
    return digest.hexdigest()
