"""Working state: rows in memory, a batch's rows over a store, and what a decision sees.

Three ways to hold rows behind one interface: `MemoryRows` is a whole state (an
auditor's), `Batch` is what one commit reads and writes over a store, and `View` is
exactly the rows that a kind declared, whatever lies below. Reading anything else
raises, in every store.
"""

import hashlib
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from registry.canonical import format_json
from registry.errors import InvariantBrokenError, RegistryError
from registry.model import BUCKETS, DEADLINES, Deadline
from registry.tables import Get, Key, Read, ReadPlan, Rows, Table, Value, Where, to_json

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row as of an entry: put (`row`), or ended (None)."""

    index: int
    table: Table[Any]
    key: Key
    row: Any | None


class _Index:
    """The keys of rows by the values of a table's indexed fields."""

    def __init__(self) -> None:
        self._keys: defaultdict[tuple[str, str, Value], set[Key]] = defaultdict(set)

    def add(self, table: Table[Any], key: Key, row: object) -> None:
        for field in table.indexes:
            self._keys[table.name, field, getattr(row, field)].add(key)

    def discard(self, table: Table[Any], key: Key, row: object) -> None:
        for field in table.indexes:
            self._keys[table.name, field, getattr(row, field)].discard(key)

    def find(self, table: Table[Any], field: str, value: Value) -> set[Key]:
        if field not in table.indexes:
            raise InvariantBrokenError(f"table {table.name} has no index on {field}")
        return self._keys.get((table.name, field, value), set())


class MemoryRows:
    """A whole state in memory; its size follows live rows, not the log's length."""

    def __init__(self, tables: Iterable[Table[Any]]) -> None:
        """Starts empty."""
        self._rows: dict[str, dict[Key, Any]] = {table.name: {} for table in tables}
        self._index = _Index()
        self._deadlines: list[Key] = []

    def get(self, table: Table[R], *key: Value) -> R | None:
        """Returns the live row with this key."""
        row: R | None = self._rows[table.name].get(key)
        return row

    def where(self, table: Table[R], field: str, value: Value) -> tuple[R, ...]:
        """Returns the live rows whose indexed field has the value, in key order."""
        rows = self._rows[table.name]
        return tuple(rows[key] for key in sorted(self._index.find(table, field, value)))

    def put(self, table: Table[R], row: R) -> None:
        """Adds a row, or replaces the one with its key."""
        key = table.key_of(row)
        self.delete(table, *key)
        self._rows[table.name][key] = row
        self._index.add(table, key, row)
        if table is DEADLINES:
            insort(self._deadlines, key)

    def delete(self, table: Table[Any], *key: Value) -> None:
        """Ends a row's life; a key without a row is left as it is."""
        old = self._rows[table.name].pop(key, None)
        if old is None:
            return
        self._index.discard(table, key, old)
        if table is DEADLINES:
            self._deadlines.remove(key)

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
        rows = self._rows[table.name]
        return (rows[key] for key in sorted(rows))


def answer(rows: Rows, read: Read) -> tuple[Any, ...]:
    """Answers one read from rows."""
    if isinstance(read, Get):
        return tuple(rows.get(read.table, *key) for key in read.keys)
    return rows.where(read.table, read.field, read.value)


class View:
    """The rows that a plan asked for, and no others."""

    def __init__(self, rows: Rows, plan: ReadPlan) -> None:
        """Runs the plan against rows and keeps every answer."""
        self._rows: dict[tuple[str, Key], Any] = {}
        self._sets: dict[tuple[str, str, Value], tuple[Any, ...]] = {}
        read = next(plan, None)
        while read is not None:
            found = answer(rows, read)
            self._keep(read, found)
            try:
                read = plan.send(found)
            except StopIteration:
                return

    def _keep(self, read: Read, found: tuple[Any, ...]) -> None:
        """Remembers an answer."""
        if isinstance(read, Get):
            for key, row in zip(read.keys, found, strict=True):
                self._rows[read.table.name, key] = row
        else:
            self._sets[read.table.name, read.field, read.value] = found

    def get(self, table: Table[R], *key: Value) -> R | None:
        """Returns a row that was asked for."""
        try:
            row: R | None = self._rows[table.name, key]
        except KeyError:
            raise InvariantBrokenError(f"undeclared read of {table.name} {key}") from None
        return row

    def where(self, table: Table[R], field: str, value: Value) -> tuple[R, ...]:
        """Returns rows that were asked for."""
        try:
            rows: tuple[R, ...] = self._sets[table.name, field, value]
        except KeyError:
            raise InvariantBrokenError(f"undeclared read of {table.name} by {field}") from None
        return rows


def _ask(plan: ReadPlan, found: tuple[Any, ...] | None) -> Read | None:
    """Returns a plan's next read; None at its end, or if it refuses.

    A refusal is the statement's own: it comes again when the statement is decided.
    """
    try:
        return plan.send(found)
    except (StopIteration, RegistryError):
        return None


Fetch = Callable[[Sequence[Read]], list[tuple[Any, ...]]]
"""Answers reads from committed state."""


class FindDue(Protocol):
    """Finds deadlines in committed state, as a store does."""

    def __call__(self, *, until: int, limit: int) -> tuple[Deadline, ...]:
        """Returns the first `limit` live deadlines with `at` <= until, by (at, kind, id)."""


class Batch:
    """The rows of one commit: what a store has, as far as asked for, and what changed."""

    def __init__(self, fetch: Fetch, tables: Sequence[Table[Any]], *, index: int) -> None:
        """Starts with nothing loaded and nothing changed.

        Args:
            fetch: Answers reads from committed state.
            tables: All tables, in the order in which to load them.
            index: The index of the batch's first entry.
        """
        self.index = index
        self.changes: list[Change] = []
        self._fetch = fetch
        self._rank = {table.name: rank for rank, table in enumerate(tables)}
        self._loaded: dict[tuple[str, Key], Any] = {}
        self._sets: dict[tuple[str, str, Value], set[Key]] = {}
        self._changed: dict[tuple[str, Key], Any] = {}
        self._index = _Index()
        self._families: dict[Key, None] = {}
        self._due_until = -1
        self._deadlines_met = 0
        self._due: list[Key] = []

    def prefetch(self, plans: Iterable[ReadPlan]) -> None:
        """Loads what plans ask for, table by table, so that a table costs one query.

        Plans run on committed state; what an earlier statement of the batch changes is
        asked for again, one by one, when its turn comes.
        """
        waiting = [(plan, read) for plan in plans if (read := _ask(plan, None)) is not None]
        while waiting:
            first = min(self._rank[read.table.name] for _, read in waiting)
            now = [item for item in waiting if self._rank[item[1].table.name] == first]
            waiting = [item for item in waiting if self._rank[item[1].table.name] != first]
            self._load([read for _, read in now])
            for plan, read in now:
                following = _ask(plan, answer(self, read))
                if following is not None:
                    waiting.append((plan, following))
        self._load([Get(BUCKETS, tuple(self._families))] if self._families else [])
        self._families.clear()

    def _load(self, reads: Sequence[Read]) -> None:
        """Fetches what is not loaded yet, in one round."""
        keys: dict[str, dict[Key, None]] = {}
        tables: dict[str, Table[Any]] = {}
        wanted: dict[tuple[str, str, Value], Read] = {}
        for read in reads:
            tables[read.table.name] = read.table
            if isinstance(read, Get):
                missing = keys.setdefault(read.table.name, {})
                missing.update(
                    (key, None) for key in read.keys if (read.table.name, key) not in self._loaded
                )
            elif (read.table.name, read.field, read.value) not in self._sets:
                wanted[read.table.name, read.field, read.value] = read
        rounds: list[Read] = [
            Get(tables[name], tuple(missing)) for name, missing in keys.items() if missing
        ]
        rounds.extend(wanted.values())
        for read, rows in zip(rounds, self._fetch(rounds) if rounds else [], strict=True):
            self._take(read, rows)

    def _take(self, read: Read, rows: tuple[Any, ...]) -> None:
        """Keeps what was fetched."""
        if isinstance(read, Get):
            for key, row in zip(read.keys, rows, strict=True):
                self._loaded[read.table.name, key] = row
                if read.table.family:
                    self._families[read.table.family, key[0]] = None
            return
        keys = set()
        for row in rows:
            key = read.table.key_of(row)
            keys.add(key)
            self._loaded[read.table.name, key] = row
        self._sets[read.table.name, read.field, read.value] = keys

    def get(self, table: Table[R], *key: Value) -> R | None:
        """Returns the row with this key, as the batch has left it."""
        place = (table.name, key)
        if place in self._changed:
            changed: R | None = self._changed[place]
            return changed
        if place not in self._loaded:
            self._load([Get(table, (key,))])
        row: R | None = self._loaded[place]
        return row

    def where(self, table: Table[R], field: str, value: Value) -> tuple[R, ...]:
        """Returns the rows whose field has the value, as the batch has left them."""
        if (table.name, field, value) not in self._sets:
            self._load([Where(table, field, value)])
        keys = self._sets[table.name, field, value] | self._index.find(table, field, value)
        rows = (self.get(table, *key) for key in sorted(keys))
        return tuple(row for row in rows if row is not None and getattr(row, field) == value)

    def put(self, table: Table[R], row: R) -> None:
        """Adds a row, or replaces the one with its key."""
        self._change(table, table.key_of(row), row)
        self._index.add(table, table.key_of(row), row)

    def delete(self, table: Table[Any], *key: Value) -> None:
        """Ends a row's life."""
        self._change(table, key, None)

    def _change(self, table: Table[Any], key: Key, row: object | None) -> None:
        """Records a change as of the entry at hand."""
        old = self._changed.get((table.name, key))
        if old is not None:
            self._index.discard(table, key, old)
        self._changed[table.name, key] = row
        if table is DEADLINES:
            if row is None:
                self._deadlines_met += 1
            else:
                insort(self._due, key)
        self.changes.append(Change(index=self.index, table=table, key=key, row=row))

    def due(self, find: FindDue, *, until: int, limit: int) -> Deadline | None:
        """Returns the first deadline that has come, as the batch has left them.

        Args:
            find: Finds committed ones.
            until: The time, in milliseconds.
            limit: As many as the batch may seal; later ones are not looked for.
        """
        if until > self._due_until:
            self._due_until = until
            # Some of those in committed state have been met in this batch.
            rows = find(until=until, limit=limit + self._deadlines_met)
            found = {DEADLINES.key_of(row): row for row in rows}
            self._loaded.update(((DEADLINES.name, key), row) for key, row in found.items())
            self._due = sorted(found.keys() | self._due)
        while self._due:
            first = self._due[0]
            if int(first[0]) > until:
                return None
            row = self.get(DEADLINES, *first)
            if row is not None:
                return row
            self._due.pop(0)
        return None


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
            digest.update(format_json(to_json(row)) + b"\n")
    return digest.hexdigest()
