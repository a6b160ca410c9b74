"""State entries that the log asks for and does not have yet: computed, and waiting to be sealed.

A request is durable before what it asks for is computed, so a writer that died owes its
successor's first entries: whatever stands between request and state entry, the state is as
of the request.
"""

from collections.abc import Sequence

from registry.commitments import Commitments, StateCommitted
from registry.effects import Touch
from registry.histories import Grown, Histories, merged, range_of
from registry.model import COMMITTED, HISTORIES, STATE_REQUESTS, History
from registry.ports import LedgerStore
from registry.tables import Get


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
            grown = self._grown_until(request.at)
            self._owe(self._load(grown, at=request.at), grown, at=request.at)

    def compute(self, *, at: int) -> None:
        """Computes what the newest entry asks for, as of itself included.

        Args:
            at: The size of the log, which nobody changes meanwhile.
        """
        grown = self._grown_until(at)
        commitments = self._commitments
        if commitments is None:
            commitments = self._load(grown, at=at)
        else:
            commitments.update(self._store.fetch, grown)
        self._owe(commitments, grown, at=at)
        self._commitments = commitments

    def sealed(self, count: int) -> None:
        """Lets go of the first states, whose entries are durable."""
        del self.states[:count]
        if not self.states:
            self._histories.clear()

    def _grown_until(self, at: int) -> Grown:
        """Returns the histories that entries have grown since the newest commitment."""
        histories = Histories(self._find_histories)
        histories.read(self._store.entries(self._committed, at))
        return histories.take()

    def _find_histories(self, touches: Sequence[Touch]) -> list[History | None]:
        """Finds histories as of the newest commitment, whether its entry stands or is owed."""
        (rows,) = self._store.fetch([Get(HISTORIES, tuple(touches))])
        return [self._histories.get(touch, row) for touch, row in zip(touches, rows, strict=True)]

    def _load(self, grown: Grown, *, at: int) -> Commitments:
        """Computes every bucket, as of a size."""
        newer = {**{touch: range_of(row) for touch, row in self._histories.items()}, **grown}
        return Commitments.load(
            self._store.select, lambda: merged(self._store.select(HISTORIES), newer), as_of=at
        )

    def _owe(self, commitments: Commitments, grown: Grown, *, at: int) -> None:
        """Remembers a commitment until its entry is sealed."""
        committed = commitments.roots(at=at, grown=grown)
        self.states.append(committed)
        self._histories |= {(row.family, row.bucket): row for row in committed.histories}
        self._committed = at
