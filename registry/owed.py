"""State entries that the log asks for and does not have yet: computed, and waiting to be sealed.

A request is durable before what it asks for is computed, so a writer that died owes its
successor's first entries: whatever stands between request and state entry, the state is as
of the request.
"""

from collections.abc import Sequence
from typing import Any

from registry.commitments import Commitments, Fetch, StateCommitted
from registry.effects import Touch
from registry.histories import Histories
from registry.model import COMMITTED, HISTORIES, STATE_REQUESTS, History
from registry.ports import LedgerStore
from registry.tables import Get, Read, Where


class OwedStates:
    """Computes what state entries commit to; for one writer.

    Attributes:
        states: What is computed and not sealed, in the order of the requests.
    """

    def __init__(self, store: LedgerStore) -> None:
        """Reads up to where the log's histories are committed to."""
        self.states: list[StateCommitted] = []
        self._store = store
        self._committed = next((row.at for row in store.select(COMMITTED)), 0)
        self._histories: dict[Touch, History] = {}
        self._commitments: Commitments | None = None

    def restore(self) -> None:
        """Computes again what was owed when the last writer stopped, as of then."""
        for request in sorted(self._store.select(STATE_REQUESTS), key=lambda row: row.at):
            self._owe(_Past(self._store, request.at).fetch, at=request.at)

    def compute(self, *, at: int) -> None:
        """Computes what the newest entry asks for, as of itself included.

        Args:
            at: The size of the log, which nobody changes meanwhile.
        """
        self._owe(self._store.fetch, at=at)

    def sealed(self, count: int) -> None:
        """Lets go of the first states, whose entries are durable."""
        del self.states[:count]
        if not self.states:
            self._histories.clear()

    def _owe(self, fetch: Fetch, *, at: int) -> None:
        """Computes a commitment, and remembers it until its entry is sealed."""
        if self._commitments is None:
            # Nothing is owed yet: rows have every bucket as the newest state entry has it.
            records = self._store.columns(HISTORIES, ("family", "record"))
            self._commitments = Commitments.load(records)
        histories = Histories(self._find_histories)
        histories.read(self._store.entries(self._committed, at))
        grown = histories.take()
        self._commitments.update(fetch, grown)
        committed = self._commitments.roots(at=at, grown=grown)
        self.states.append(committed)
        self._histories |= {(row.family, row.bucket): row for row in committed.histories}
        self._committed = at

    def _find_histories(self, touches: Sequence[Touch]) -> list[History | None]:
        """Finds histories as of the newest commitment, whether its entry stands or is owed."""
        (rows,) = self._store.fetch([Get(HISTORIES, tuple(touches))])
        return [self._histories.get(touch, row) for touch, row in zip(touches, rows, strict=True)]


class _Past:
    """Answers what commitments ask for, as of a size that the log has left behind."""

    def __init__(self, store: LedgerStore, at: int) -> None:
        """Takes the store and the size."""
        self._store = store
        self._at = at

    def fetch(self, reads: Sequence[Read]) -> list[tuple[Any, ...]]:
        """Answers reads as a store does."""
        return [self._answer(read) for read in reads]

    def _answer(self, read: Read) -> tuple[Any, ...]:
        if isinstance(read, Where):
            field, value = read.field, read.value
            return tuple(self._store.select(read.table, field=field, value=value, as_of=self._at))
        # A store finds no row of the past by its key; none of these tables is one of lots.
        rows = {
            read.table.key_of(row): row for row in self._store.select(read.table, as_of=self._at)
        }
        return tuple(map(rows.get, read.keys))
