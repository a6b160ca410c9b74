"""Stopping a debtor's issues: it did not pay, or stands on a list of those who do not.

What it has promised stands; only new promises are refused until the registrar lifts
every stop.

Source: RG-09 (银发〔2025〕77号, art. 15, by secondary sources).
"""

from typing import Annotated

from registry.credit import STOPS, StopReason
from registry.debts import IssuanceStopped
from registry.effects import Effect, Seal, Touch
from registry.fields import LENIENT, FileRef, PartyField
from registry.ids import PartyId
from registry.model import PARTIES, Role
from registry.refusals import NotHolderRoleError, NotStoppedError
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get


class IssuanceStopOrder(Body):
    """A debtor that may issue nothing from now on, why, and by what evidence."""

    party: PartyField
    reason: Annotated[StopReason, LENIENT]
    evidence: FileRef


class IssuanceResume(Body):
    """The end of one reason, and the evidence for it."""

    party: PartyField
    reason: Annotated[StopReason, LENIENT]
    evidence: FileRef


class IssuanceResumed(Effect, frozen=True, kw_only=True):
    """This reason stops a debtor's issues no more."""

    party: PartyId
    reason: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the debtor."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Deletes the stop."""
        state.delete(STOPS, self.party, self.reason)


def reads_stop(statement: Statement[IssuanceStopOrder], _now: Now) -> ReadPlan:
    """Asks for the debtor."""
    yield from get(PARTIES, statement.body.party)


def decide_stop(
    state: Rows, statement: Statement[IssuanceStopOrder], _now: Now
) -> tuple[Effect, ...]:
    """Stops a debtor's issues for a reason; repeated, it names newer evidence.

    Raises:
        NotHolderRoleError: The party is not admitted in a role in which it may issue.
    """
    body = statement.body
    party = state.get(PARTIES, body.party)
    if party is None or Role.PARTICIPANT not in party.roles:
        raise NotHolderRoleError(party=body.party)
    return (IssuanceStopped(party=body.party, reason=body.reason, statement=statement.sid),)


def reads_resume(statement: Statement[IssuanceResume], _now: Now) -> ReadPlan:
    """Asks for the stop."""
    yield from get(STOPS, statement.body.party, statement.body.reason.value)


def decide_resume(
    state: Rows, statement: Statement[IssuanceResume], _now: Now
) -> tuple[Effect, ...]:
    """Lifts one reason for which a debtor may issue nothing.

    Raises:
        NotStoppedError: It is not stopped for this reason.
    """
    body = statement.body
    if state.get(STOPS, body.party, body.reason.value) is None:
        raise NotStoppedError(debtor=body.party, reason=body.reason)
    return (IssuanceResumed(party=body.party, reason=body.reason),)


_REGISTRAR = frozenset({Role.REGISTRAR})

KINDS = (
    Kind(
        name="issuance.stop",
        body=IssuanceStopOrder,
        signers=_REGISTRAR,
        relation="the registrar",
        reads=reads_stop,
        decide=decide_stop,
    ),
    Kind(
        name="issuance.resume",
        body=IssuanceResume,
        signers=_REGISTRAR,
        relation="the registrar",
        reads=reads_resume,
        decide=decide_resume,
    ),
)
