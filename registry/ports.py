"""What the engine needs of the world: a store, a clock, and nothing else.

The contracts, durability included, stand here; adapters live in `registry.store` and
are named only where the program is put together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from registry.batch import Change
from registry.ids import PartyId, Sid
from registry.logtree import TileWrite
from registry.model import Deadline
from registry.tables import Read, Record, Table, Value

R = TypeVar("R", bound=Record)


class NewEntry(Record, frozen=True, kw_only=True):
    """An entry to be stored: its bytes, and what it is found by."""

    index: int
    time: int
    kind: str
    leaf_hash: bytes
    data: bytes
    sid: Sid | None
    by: PartyId | None
    id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Everything that one durable transaction writes."""

    entries: Sequence[NewEntry]
    changes: Sequence[Change]
    tiles: Sequence[TileWrite]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The opening of a digest: its salt, its terms, and who put it here."""

    digest: str
    salt: bytes
    terms: bytes
    by: PartyId


class LiveReads(Protocol):
    """Finds what is live, or sealed, by what it is known by: many in one round."""

    def fetch(self, reads: Sequence[Read]) -> list[tuple[Any, ...]]:
        """Answers many reads with one query per table and form; live rows."""

    def find_statements(self, sids: Sequence[Sid]) -> Mapping[Sid, int]:
        """Returns the entry indexes of those of the statements that are sealed."""

    def find_ids(self, ids: Sequence[tuple[PartyId, str]]) -> Mapping[tuple[PartyId, str], Sid]:
        """Returns the statements in which parties have used ids."""


class LedgerStore(LiveReads, Protocol):
    """Keeps one ledger: entries append-only, rows with their history, for one writer.

    When `append` returns, the whole commit survives a crash. When it raises, none of it
    was stored, with one exception: after `StorageUnknownError` the outcome is not known,
    and the caller must stop writing and read the size again.

    Every row version carries the entry indexes `[since, until)` between which it was
    live, so that `select` can answer as of any size. Reads see committed state only, may
    come from any thread, and never block the writer.
    """

    def acquire(self) -> int:
        """Takes the writer's lease and returns its epoch; an older writer is fenced off."""

    def size(self) -> int:
        """Returns the number of entries."""

    def writer_reads(self) -> LiveReads:
        """Returns the reads of the one writer: they may wait for whoever else writes.

        A store may answer them from what only its writer can change.
        """

    def append(self, commit: Commit, *, expected_size: int, epoch: int) -> None:
        """Stores all of a commit or nothing.

        Raises:
            StaleWriterError: Another writer has taken the lease.
            HeadMovedError: The log does not have `expected_size` entries.
            StorageUnknownError: The outcome is not known.
            StorageError: Nothing was stored; a retry is safe.
        """

    def select(
        self,
        table: Table[R],
        *,
        field: str = "",
        value: Value = "",
        as_of: int | None = None,
    ) -> Iterator[R]:
        """Streams rows in key order: all, or those whose field has the value, as of a size."""

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
        """Streams fields of rows as tuples, for who reads very many: no row is made of them.

        Args:
            table: Whose rows.
            names: Which fields, at least one.
            order: Names among them by which the tuples come; without it, in any order.
            field: If given, rows whose field has the value.
            value: That value.
            as_of: A size; live rows without it.
        """

    def gather(
        self, table: Table[Any], names: Sequence[str], *, field: str, values: Sequence[Value]
    ) -> list[tuple[Any, ...]]:
        """Returns fields of the live rows whose field has one of the values, in any order."""

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
        """Counts rows and adds up their money, for reports: no row leaves the store.

        Args:
            table: Whose rows.
            by: Fields by whose values rows are told apart, at least one.
            sums: Fields of money; an absent one adds nothing.
            field: If given, rows whose field has the value.
            value: That value.
            as_of: A size; live rows without it.

        Returns:
            For each combination of values, in any order: the values, how many rows, the sums.
        """

    def due(self, *, until: int, limit: int) -> tuple[Deadline, ...]:
        """Returns the first `limit` live deadlines with `at` <= until, by (at, kind, id)."""

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Streams the entries `start <= index < stop`, in order."""

    def state_entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Streams the entries of kind `state` among them, in order; the others are not read."""

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """Streams the stored leaf hashes `start <= index < stop`, in order."""

    def tile(self, *, level: int, index: int) -> bytes:
        """Returns a hash tile as far as it is filled; empty if it was never written."""

    def put_openings(self, openings: Sequence[Opening]) -> None:
        """Keeps openings beside the log, all or none; the same again changes nothing."""

    def opening(self, digest: str) -> Opening | None:
        """Returns an opening, or None if it never came or was erased."""

    def put_note(self, note: str) -> None:
        """Keeps the newest signed checkpoint."""

    def note(self) -> str:
        """Returns the newest signed checkpoint; empty before the first."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> int:
        """Returns milliseconds since 1970-01-01T00:00:00Z."""
