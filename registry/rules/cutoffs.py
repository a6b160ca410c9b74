"""Cut-offs: the entries as of which the registry commits to its whole state.

The start of every due date is a cut-off, brought about by time; a trustee may ask for
one for its vehicle at any moment. Each is followed by a `state` entry (see
`registry.commitments`) as of the cut-off, the cut-off's own entry included.
"""

from registry.effects import DeadlineCleared, Due, Effect, Seal
from registry.model import STATE_REQUESTS, Role, StateRequest
from registry.statements import Body, Kind, Now, Statement, TimedKind, reads_nothing
from registry.tables import MutableRows, Rows


class SnapshotRequest(Body):
    """A trustee's request for a state entry, to take a snapshot against."""


class StateRequested(Effect, frozen=True, kw_only=True):
    """A state entry as of `at` entries is owed."""

    at: int

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Keeps the request until its state entry stands."""
        state.put(STATE_REQUESTS, StateRequest(at=self.at, time=seal.time))


def decide_snapshot_request(
    _state: Rows, _statement: Statement[SnapshotRequest], now: Now
) -> tuple[Effect, ...]:
    """Asks for a commitment to the whole state, as of this entry."""
    return (StateRequested(at=now.index + 1),)


def decide_cut_off(_state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
    """Begins a due date: from here on its vouchers are no longer transferred."""
    return (
        StateRequested(at=now.index + 1),
        DeadlineCleared(at=due.at, kind=due.kind, id=due.id),
    )


KINDS = (
    Kind(
        name="snapshot.request",
        body=SnapshotRequest,
        signers=frozenset({Role.VEHICLE}),
        relation="the vehicle's trustee",
        decide=decide_snapshot_request,
    ),
)

TIMED = (TimedKind(name="day.cut-off", reads=reads_nothing, decide=decide_cut_off),)
