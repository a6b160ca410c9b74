"""The store in memory: nothing to install, nothing survives the process.

It is written for reading: changes are applied one after another, and a stream walks
over all versions. Tests hold it and the SQL store to the same answers.
"""

import threading
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeVar

from registry.batch import Change
from registry.errors import (
    HeadMovedError,
    InvariantBrokenError,
    StaleWriterError,
    StorageFailedError,
)
from registry.ids import PartyId, Sid
from registry.model import DEADLINES, Deadline
from registry.ports import Commit, LiveReads, NewEntry, Opening
from registry.store import verify_commit
from registry.tables import Get, Key, Minor, Read, Record, Table, Value, Where

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class _Version(Generic[R]):
    """A row, and the entry indexes `[since, until)` between which it was live."""

    row: R
    since: int
    until: int | None = None

    def is_live(self, as_of: int | None) -> bool:
        """Tells whether the version is live, or was when the log had `as_of` entries."""
        if as_of is None:
            return self.until is None
        return self.since < as_of and (self.until is None or as_of <= self.until)


@dataclass(slots=True)
class _Rows(Generic[R]):
    """The versions of one table's rows, and by which values live ones are found."""

    table: Table[R]
    versions: dict[Key, list[_Version[R]]] = field(default_factory=dict)
    live: dict[Key, R] = field(default_factory=dict)
    keys_by: dict[tuple[str, Any], dict[Key, None]] = field(default_factory=dict)

    def change(self, change: Change) -> None:
        """Ends the live version, if there is one, and begins the next, if there is one."""
        versions = self.versions.setdefault(change.key, [])
        old = self.live.pop(change.key, None)
        if old is not None:
            ended = versions.pop()
            if ended.since < change.index:
                versions.append(_Version(ended.row, ended.since, change.index))
            for name in self.table.indexes:
                del self.keys_by[name, getattr(old, name)][change.key]
        if change.row is not None:
            versions.append(_Version(change.row, change.index))
            self.live[change.key] = change.row
            for name in self.table.indexes:
                self.keys_by.setdefault((name, getattr(change.row, name)), {})[change.key] = None

    def get(self, keys: Sequence[Key]) -> tuple[R | None, ...]:
        """Returns the live rows with these keys, in order."""
        return tuple(map(self.live.get, keys))

    def where(self, name: str, value: Value) -> tuple[R, ...]:
        """Returns the live rows whose field has the value, in key order."""
        self.check_field(name)
        return tuple(self.live[key] for key in sorted(self.keys_by.get((name, value), ())))

    def select(self, name: str, value: Value, as_of: int | None) -> list[R]:
        """Returns rows in key order: all, or those whose field has the value, as of a size."""
        if name:
            self.check_field(name)
        return [
            version.row
            for key in sorted(self.versions)
            for version in self.versions[key]
            if version.is_live(as_of) and (not name or getattr(version.row, name) == value)
        ]

    def check_field(self, name: str) -> None:
        """Refuses a field that rows are not found by."""
        if name not in self.table.indexes:
            raise InvariantBrokenError(f"{self.table.name} is not indexed by {name}")


class MemoryStore:
    """Implements `LedgerStore` with dictionaries; a lock makes each call one step."""

    def __init__(self, tables: Sequence[Table[Any]]) -> None:
        """Starts an empty ledger with these kinds of rows."""
        self._lock = threading.Lock()
        self._rows = {table.name: _Rows(table) for table in tables}
        self._money = {table.name: _money_fields(table.row) for table in tables}
        self._entries: list[NewEntry] = []
        self._sids: dict[Sid, int] = {}
        self._ids: dict[tuple[PartyId, str], Sid] = {}
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._openings: dict[str, Opening] = {}
        self._note = ""
        self._epoch = 0

    def acquire(self) -> int:
        """Takes the writer's lease and returns its epoch; an older writer is fenced off."""
        with self._lock:
            self._epoch += 1
            return self._epoch

    def size(self) -> int:
        """Returns the number of entries."""
        return len(self._entries)

    def writer_reads(self) -> LiveReads:
        """Returns the reads of the one writer: everybody's."""
        return self

    def append(self, commit: Commit, *, expected_size: int, epoch: int) -> None:
        """Stores all of a commit or nothing; see `LedgerStore`.

        Raises:
            InvariantBrokenError: The commit contradicts itself (caller bug).
            StaleWriterError: Another writer has taken the lease.
            HeadMovedError: The log does not have `expected_size` entries.
            StorageFailedError: Nothing was stored; the SQL schema would refuse it too.
        """
        verify_commit(commit, expected_size=expected_size)
        with self._lock:
            if epoch != self._epoch:
                raise StaleWriterError(epoch=self._epoch, held=epoch)
            if len(self._entries) != expected_size:
                raise HeadMovedError(size=len(self._entries), expected=expected_size)
            self._verify_unique(commit.entries)
            self._verify_rows(commit.changes)

            # Past this line the commit must succeed.
            for entry in commit.entries:
                self._entries.append(entry)
                if entry.sid is not None:
                    self._sids[entry.sid] = entry.index
                if entry.sid is not None and entry.by is not None and entry.id is not None:
                    self._ids[entry.by, entry.id] = entry.sid
            for change in commit.changes:
                self._rows[change.table.name].change(change)
            for tile in commit.tiles:
                self._tiles[tile.level, tile.index] = tile.data

    def fetch(self, reads: Sequence[Read]) -> list[tuple[Any, ...]]:
        """Answers many reads; live rows of one moment."""
        with self._lock:
            return [self._answer(read) for read in reads]

    def select(
        self,
        table: Table[R],
        *,
        field: str = "",
        value: Value = "",
        as_of: int | None = None,
    ) -> Iterator[R]:
        """Returns rows in key order: all, or those whose field has the value, as of a size."""
        with self._lock:
            return iter(self._rows_of(table).select(field, value, as_of))

    def columns(
        self,
        table: Table[Any],
        names: Sequence[str],
        *,
        order: Sequence[str] = (),
        field: str = "",
        value: Value = "",
        as_of: int | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        """Returns fields of rows as tuples, ordered by some of them."""
        rows = list(self.select(table, field=field, value=value, as_of=as_of))
        rows.sort(key=lambda row: tuple(getattr(row, name) for name in order))
        return (tuple(getattr(row, name) for name in names) for row in rows)

    def gather(
        self, table: Table[Any], names: Sequence[str], *, field: str, values: Sequence[Value]
    ) -> list[tuple[Any, ...]]:
        """Returns fields of the live rows whose field has one of the values, in any order."""
        rows = chain.from_iterable(self.fetch([Where(table, field, value) for value in values]))
        return [tuple(getattr(row, name) for name in names) for row in rows]

    def totals(
        self,
        table: Table[Any],
        by: Sequence[str],
        *,
        sums: Sequence[str] = (),
        field: str = "",
        value: Value = "",
        as_of: int | None = None,
    ) -> list[tuple[Any, ...]]:
        """Counts rows and adds up their money by the values of some fields."""
        totals: dict[tuple[Any, ...], list[int]] = {}
        for row in self.select(table, field=field, value=value, as_of=as_of):
            values = tuple(getattr(row, name) for name in by)
            total = totals.setdefault(values, [0] * (1 + len(sums)))
            total[0] += 1
            for at, name in enumerate(sums, 1):
                total[at] += getattr(row, name) or 0
        return [(*values, *total) for values, total in totals.items()]

    def due(self, *, until: int, limit: int) -> tuple[Deadline, ...]:
        """Returns the first `limit` live deadlines with `at` <= until, by (at, kind, id)."""
        with self._lock:
            live = self._rows_of(DEADLINES).live
            return tuple(live[key] for key in sorted(live) if live[key].at <= until)[:limit]

    def find_statements(self, sids: Sequence[Sid]) -> Mapping[Sid, int]:
        """Returns the entry indexes of those of the statements that are sealed."""
        with self._lock:
            return {sid: self._sids[sid] for sid in sids if sid in self._sids}

    def find_ids(self, ids: Sequence[tuple[PartyId, str]]) -> Mapping[tuple[PartyId, str], Sid]:
        """Returns the statements in which parties have used ids."""
        with self._lock:
            return {used: self._ids[used] for used in ids if used in self._ids}

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Returns the entries `start <= index < stop`, in order."""
        return (entry.data for entry in self._span(start, stop))

    def state_entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Returns the entries of kind `state` among them, in order."""
        return (entry.data for entry in self._span(start, stop) if entry.kind == "state")

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """Returns the stored leaf hashes `start <= index < stop`, in order."""
        return (entry.leaf_hash for entry in self._span(start, stop))

    def tile(self, *, level: int, index: int) -> bytes:
        """Returns a hash tile as far as it is filled; empty if it was never written."""
        return self._tiles.get((level, index), b"")

    def put_openings(self, openings: Sequence[Opening]) -> None:
        """Keeps openings beside the log, all or none; the same again changes nothing."""
        for opening in openings:
            self._openings.setdefault(opening.digest, opening)

    def opening(self, digest: str) -> Opening | None:
        """Returns an opening, or None if it never came or was erased."""
        return self._openings.get(digest)

    def put_note(self, note: str) -> None:
        """Keeps the newest signed checkpoint."""
        self._note = note

    def note(self) -> str:
        """Returns the newest signed checkpoint; empty before the first."""
        return self._note

    # --- Steps --------------------------------------------------------------------

    def _rows_of(self, table: Table[R]) -> _Rows[R]:
        """Returns the rows of a table."""
        if table.name not in self._rows:
            raise InvariantBrokenError(f"the store has no table {table.name}")
        return self._rows[table.name]

    def _answer(self, read: Read) -> tuple[Any, ...]:
        """Answers one read."""
        match read:
            case Get(table, keys):
                return self._rows_of(table).get(keys)
            case Where(table, name, value):
                return self._rows_of(table).where(name, value)

    def _span(self, start: int, stop: int) -> list[NewEntry]:
        """Returns the entries `start <= index < stop`."""
        with self._lock:
            return self._entries[max(start, 0) : max(stop, 0)]

    def _verify_unique(self, entries: Sequence[NewEntry]) -> None:
        """Refuses a statement, or an id of a party, that an entry has already."""
        sids = [entry.sid for entry in entries if entry.sid is not None]
        ids = [(e.by, e.id) for e in entries if e.by is not None and e.id is not None]
        if len({*sids}) < len(sids) or not self._sids.keys().isdisjoint(sids):
            raise StorageFailedError(reason="a statement is sealed twice")
        if len({*ids}) < len(ids) or not self._ids.keys().isdisjoint(ids):
            raise StorageFailedError(reason="an id is used twice")

    def _verify_rows(self, changes: Sequence[Change]) -> None:
        """Refuses rows that are in no table, new ones that are not, and negative money."""
        changed: set[tuple[str, Key]] = set()
        for change in changes:
            place = (change.table.name, change.key)
            stands = change.key in self._rows_of(change.table).live and place not in changed
            if stands and change.is_new:
                raise StorageFailedError(reason=f"a row of {change.table.name} stands already")
            changed.add(place)
            for name in self._money[change.table.name]:
                if change.row is not None and (getattr(change.row, name) or 0) < 0:
                    raise StorageFailedError(reason=f"{change.table.name}.{name} is negative")


def _money_fields(row: type) -> tuple[str, ...]:
    """Names the fields of a row that hold money."""
    hints = typing.get_type_hints(row)
    return tuple(name for name, hint in hints.items() if hint in (Minor, Minor | None))
