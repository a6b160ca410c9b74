"""What one commit reads and writes: a store's rows, as far as asked for, and what changed.

Only one writer writes a ledger, so what it has read or written stays true until it
writes again: rows outlive their batch in `KeptRows`, as many as a bound allows.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar

from registry.errors import RegistryError
from registry.model import DEADLINES, Deadline
from registry.tables import Asked, Get, Key, Read, ReadPlan, Record, Table, Value, Where

R = TypeVar("R", bound=Record)

KEPT_MAX: Final = 65_536
"""Rows of one generation; two are kept."""

_UNKNOWN: Final = object()

Fetch = Callable[[Sequence[Read]], list[tuple[Any, ...]]]
"""Answers reads from committed state."""

_Rows = dict[Key, Any]
"""Rows by key; None says that there is no such row."""


class FindDue(Protocol):
    """Finds deadlines in committed state, as a store does."""

    def __call__(self, *, until: int, limit: int) -> tuple[Deadline, ...]:
        """Returns the first `limit` live deadlines with `at` <= until, by (at, kind, id)."""


class Change(Record, frozen=True, kw_only=True):
    """A row as of an entry: put (`row`), or ended (None); `is_new` if no live row had its key."""

    index: int
    table: Table[Any]
    key: Key
    row: Any
    is_new: bool = False


class KeptRows:
    """Committed rows that the writer has met lately, in two generations.

    When the young generation is full it becomes the old one, and what nobody has asked
    for since then is let go of with the one before.
    """

    def __init__(self, tables: Iterable[Table[Any]], *, kept_max: int = KEPT_MAX) -> None:
        """Starts with nothing kept."""
        self._tables = tuple(tables)
        self._kept_max = kept_max
        self._count = 0
        self._young = self._empty()
        self._old = self._empty()

    def get(self, table: Table[Any], key: Key) -> Any:
        """Returns a row, None if it is known that there is none, else `_UNKNOWN`."""
        row = self._young[table].get(key, _UNKNOWN)
        if row is _UNKNOWN:
            row = self._old[table].get(key, _UNKNOWN)
            if row is not _UNKNOWN:
                self.keep(table, key, row)
        return row

    def keep(self, table: Table[Any], key: Key, row: Any) -> None:
        """Keeps what committed state has under a key."""
        self._young[table][key] = row
        self._count += 1
        if self._count >= self._kept_max:
            self._old, self._young, self._count = self._young, self._empty(), 0

    def _empty(self) -> dict[Table[Any], _Rows]:
        return {table: {} for table in self._tables}


class Batch:
    """The rows of one commit, as the entries sealed so far have left them."""

    def __init__(
        self,
        fetch: Fetch,
        tables: Sequence[Table[Any]],
        *,
        index: int,
        kept: KeptRows | None = None,
    ) -> None:
        """Starts with nothing loaded and nothing changed.

        Args:
            fetch: Answers reads from committed state.
            tables: All tables, in the order in which to load them.
            index: The index of the batch's first entry.
            kept: Committed rows that are known already; learns what this batch reads.
        """
        self.index = index
        self.changes: list[Change] = []
        self._fetch = fetch
        self._kept = kept or KeptRows(tables)
        self._rank = {table: rank for rank, table in enumerate(tables)}
        self._rows: dict[Table[Any], _Rows] = {table: {} for table in tables}
        self._changed: dict[Table[Any], _Rows] = {table: {} for table in tables}
        self._sets: dict[tuple[Table[Any], str, Value], set[Key]] = {}
        self._indexes: dict[Table[Any], dict[str, dict[Value, set[Key]]]] = {}
        self._due_until = -1
        self._deadlines_met = 0
        self._due: list[Key] = []

    # --- Reading ahead ----------------------------------------------------------------

    def prefetch(self, plans: Iterable[ReadPlan]) -> None:
        """Loads what plans ask for, table by table, so that a table costs one query.

        Plans run on what is known when the batch begins; what an earlier statement of the
        batch changes the course of is asked for again, when its turn comes.
        """
        waiting: dict[Table[Any], list[tuple[ReadPlan, Asked]]] = {}
        for plan in plans:
            self._run(plan, None, waiting)
        while waiting:
            table = min(waiting, key=self._rank.__getitem__)
            asked = waiting.pop(table)
            self._load([read for _, read in asked])
            for plan, read in asked:
                self._run(plan, self._known(read), waiting)

    def _run(
        self,
        plan: ReadPlan,
        found: tuple[Any, ...] | None,
        waiting: dict[Table[Any], list[tuple[ReadPlan, Asked]]],
    ) -> None:
        """Runs a plan up to the first read that must wait for the store, or to its end.

        A refusal is the statement's own: it comes again when the statement is decided.
        """
        try:
            read = plan.send(found)
            while (known := self._known(read)) is not None:
                read = plan.send(known)
        except (StopIteration, RegistryError):
            return
        waiting.setdefault(read.table, []).append((plan, read))

    def _known(self, read: Asked) -> tuple[Any, ...] | None:
        """Answers a read that needs no query; None for another."""
        if not isinstance(read, Get):
            if isinstance(read, Where):
                known = (read.table, read.field, read.value) in self._sets
                return self.where(read.table, read.field, read.value) if known else None
            sets = tuple(map(self._known, read.wheres))
            return None if None in sets else sets
        rows, found = self._rows[read.table], []
        for key in read.keys:
            row = rows.get(key, _UNKNOWN)
            if row is _UNKNOWN:
                row = self._kept.get(read.table, key)
                if row is _UNKNOWN:
                    return None
                rows[key] = row
            found.append(row)
        return tuple(found)

    def _load(self, reads: Sequence[Asked]) -> None:
        """Fetches what is not known yet, in one round."""
        keys: dict[Table[Any], dict[Key, None]] = {}
        wanted: dict[tuple[Table[Any], str, Value], Read] = {}
        for read in reads:
            if not isinstance(read, Get):
                for where in read.wheres:
                    if (where.table, where.field, where.value) not in self._sets:
                        wanted[where.table, where.field, where.value] = where
            elif self._known(read) is None:
                rows = self._rows[read.table]
                missing = keys.setdefault(read.table, {})
                missing.update((key, None) for key in read.keys if key not in rows)
        rounds: list[Read] = [Get(table, tuple(missing)) for table, missing in keys.items()]
        rounds.extend(wanted.values())
        for read, found in zip(rounds, self._fetch(rounds) if rounds else [], strict=True):
            if isinstance(read, Where):
                places = [read.table.key_of(row) for row in found]
                self._sets[read.table, read.field, read.value] = {*places}
            else:
                places = [*read.keys]
            rows = self._rows[read.table]
            for key, row in zip(places, found, strict=True):
                # What this batch has changed is newer than what was fetched.
                if key not in rows:
                    rows[key] = row
                    self._kept.keep(read.table, key, row)

    # --- Rows -------------------------------------------------------------------------

    def get(self, table: Table[R], *key: Value) -> R | None:
        """Returns the row with this key, as the batch has left it."""
        rows = self._rows[table]
        if key not in rows:
            self._load([Get(table, (key,))])
        row: R | None = rows[key]
        return row

    def where(self, table: Table[R], field: str, value: Value) -> tuple[R, ...]:
        """Returns the rows whose field has the value, as the batch has left them."""
        if (table, field, value) not in self._sets:
            self._load([Where(table, field, value)])
        keys = self._sets[table, field, value] | self._index(table, field).get(value, set())
        rows = (self.get(table, *key) for key in sorted(keys))
        return tuple(row for row in rows if row is not None and getattr(row, field) == value)

    def _index(self, table: Table[Any], field: str) -> dict[Value, set[Key]]:
        """Returns the keys of changed rows by a field's value; made when first asked for.

        A key may stand under a value that its row no longer has.
        """
        indexes = self._indexes.setdefault(table, {})
        if field not in indexes:
            index = indexes[field] = {}
            for key, row in self._changed[table].items():
                if row is not None:
                    index.setdefault(getattr(row, field), set()).add(key)
        return indexes[field]

    def add(self, table: Table[R], row: R) -> None:
        """Adds a row whose key no live row has; the store refuses the commit if one has."""
        self._put(table, row, is_new=True)

    def put(self, table: Table[R], row: R) -> None:
        """Adds a row, or replaces the one with its key."""
        self._put(table, row, is_new=False)

    def _put(self, table: Table[Any], row: Any, *, is_new: bool) -> None:
        """Adds or replaces a row, and makes it findable."""
        key = table.key_of(row)
        self._change(table, key, row, is_new=is_new)
        if table in self._indexes:
            for field, index in self._indexes[table].items():
                index.setdefault(getattr(row, field), set()).add(key)
        if table is DEADLINES:
            insort(self._due, key)

    def delete(self, table: Table[Any], *key: Value) -> None:
        """Ends a row's life."""
        self._change(table, key, None)
        self._deadlines_met += table is DEADLINES

    def _change(self, table: Table[Any], key: Key, row: Any, *, is_new: bool = False) -> None:
        """Records a change as of the entry at hand."""
        self._rows[table][key] = self._changed[table][key] = row
        self.changes.append(Change(index=self.index, table=table, key=key, row=row, is_new=is_new))

    def has_put(self, table: Table[Any], *key: Value) -> bool:
        """Tells whether the batch has put a row with this key."""
        return self._changed[table].get(key) is not None

    def keep(self) -> None:
        """Keeps what the batch has changed for later ones, once it is committed."""
        for table, rows in self._changed.items():
            for key, row in rows.items():
                self._kept.keep(table, key, row)

    def first_deadline_put(self, otherwise: int) -> int:
        """Returns the instant of the earliest deadline that the batch has set."""
        return min((int(key[0]) for key in self._changed[DEADLINES]), default=otherwise)

    # --- Deadlines --------------------------------------------------------------------

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
            found = find(until=until, limit=limit + self._deadlines_met)
            rows, known = self._rows[DEADLINES], {*self._due}
            for row in found:
                key = DEADLINES.key_of(row)
                rows.setdefault(key, row)
                known.add(key)
            self._due = sorted(known)
        while self._due:
            first = self._due[0]
            if int(first[0]) > until:
                return None
            due = self.get(DEADLINES, *first)
            if due is not None:
                return due
            self._due.pop(0)
        return None
