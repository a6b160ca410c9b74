"""Suspension: a party signs nothing new until the registrar reinstates it.

What it owes and holds stands, and others' statements about it do too. It may still sign
what only takes back or confirms: receipts, acknowledgements, revocations, objections, a
bank's reports, and what ends its own duties: the end of an application for
money, and of a registration elsewhere. Which kinds these are is said by the kind itself.

Source: 77号 art. 15 for debtors that failed to pay; FR-12 for keys in wrong hands.
"""

from enum import StrEnum
from typing import Annotated

from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.fields import LENIENT, FileRef, PartyField
from registry.ids import PartyId, Sid
from registry.model import PARTIES, Role
from registry.people import SUSPENSIONS, Suspension
from registry.people_refusals import NotSuspendableError, PartyUnknownError
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get, replace

FOUNDERS = frozenset({Role.OPERATOR, Role.REGISTRAR})


class SuspensionReason(StrEnum):
    """Why a party is suspended; the particulars stand in the evidence."""

    OVERDUE = "overdue"
    COURT_ORDER = "court-order"
    KEY_COMPROMISE = "key-compromise"
    ONBOARDING = "onboarding"
    SUSPECTED_FRAUD = "suspected-fraud"
    OWN_REQUEST = "own-request"


class PartySuspend(Body):
    """The registrar's suspension of a party."""

    party: PartyField
    reason: Annotated[SuspensionReason, LENIENT]
    evidence: FileRef


class PartyReinstate(Body):
    """The registrar's word that the reason for a suspension is gone."""

    evidence: FileRef


class PartySuspended(Effect, frozen=True, kw_only=True):
    """A party signs nothing new from the next entry on."""

    suspension: Sid
    party: PartyId
    reason: str
    evidence: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Keeps the suspension, and tells the party's row."""
        row = Suspension(
            suspension=self.suspension,
            party=self.party,
            reason=self.reason,
            evidence=self.evidence,
        )
        state.put(SUSPENSIONS, row)
        _mark(state, self.party, self.suspension)


class PartyReinstated(Effect, frozen=True, kw_only=True):
    """A party signs as before from the next entry on."""

    suspension: Sid
    party: PartyId
    evidence: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Ends the suspension."""
        state.delete(SUSPENSIONS, self.suspension)
        _mark(state, self.party, None)


def _mark(state: MutableRows, party: PartyId, suspension: Sid | None) -> None:
    """Writes into a party's row whether it is suspended."""
    row = state.get(PARTIES, party)
    if row is None:
        raise InvariantBrokenError(f"a suspension of no party {party}")
    state.put(PARTIES, replace(row, suspended=suspension))


def reads_party_suspend(statement: Statement[PartySuspend], _now: Now) -> ReadPlan:
    """Asks for the party."""
    yield from get(PARTIES, statement.body.party)


def decide_party_suspend(
    state: Rows, statement: Statement[PartySuspend], _now: Now
) -> tuple[Effect, ...]:
    """Suspends a party: until it is reinstated it signs only what takes back or confirms.

    Raises:
        PartyUnknownError: There is no such admitted party.
        NotSuspendableError: It is the operator or the registrar, or is suspended.
    """
    body = statement.body
    party = state.get(PARTIES, body.party)
    if party is None:
        raise PartyUnknownError(party=body.party)
    if FOUNDERS.intersection(party.roles):
        raise NotSuspendableError(party=party.party, reason="is the operator or the registrar")
    if party.suspended is not None:
        raise NotSuspendableError(party=party.party, reason="is suspended")
    suspended = PartySuspended(
        suspension=statement.sid,
        party=party.party,
        reason=body.reason,
        evidence=body.evidence.digest,
    )
    return (suspended,)


def reads_party_reinstate(statement: Statement[PartyReinstate], _now: Now) -> ReadPlan:
    """Asks for the suspended party."""
    suspension = yield from get(SUSPENSIONS, statement.re or "")
    if suspension is not None:
        yield from get(PARTIES, suspension.party)


def decide_party_reinstate(
    state: Rows, statement: Statement[PartyReinstate], _now: Now
) -> tuple[Effect, ...]:
    """Reinstates a suspended party."""
    suspension = state.get(SUSPENSIONS, statement.re or "")
    if suspension is None:
        raise InvariantBrokenError("the answer was not checked")
    reinstated = PartyReinstated(
        suspension=suspension.suspension,
        party=suspension.party,
        evidence=statement.body.evidence.digest,
    )
    return (reinstated,)


KINDS = (
    Kind(
        name="party.suspend",
        body=PartySuspend,
        signers=frozenset({Role.REGISTRAR}),
        relation="the registrar",
        reads=reads_party_suspend,
        decide=decide_party_suspend,
    ),
    Kind(
        name="party.reinstate",
        body=PartyReinstate,
        signers=frozenset({Role.REGISTRAR}),
        relation="the registrar",
        answers={"party.suspend": SUSPENSIONS},
        reads=reads_party_reinstate,
        decide=decide_party_reinstate,
    ),
)
