"""Maker and checker: a statement waits until further people of its party have approved it.

A statement that the party's rules hold back is decided when it comes, so that what cannot
be is refused early; then it is sealed and waits. `approve` names it by
`re`; the last one decides it again, over the state as it is then, and what follows from
it stands in the approving entry. Its salts and ids are the waiting statement's.

Source: docs/formats.md, Approvals; reference 3.2, FR-12.
"""

from typing import Any

from registry.checks import Needed, require_person
from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect, Numbering, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import Kid, PartyId, Sid
from registry.model import Role
from registry.people import (
    APPROVALS,
    KEYS,
    PENDING,
    WAITED,
    Approval,
    Duty,
    KeyRecord,
    Pending,
    Waited,
    WaitEnd,
)
from registry.people_refusals import (
    AlreadyApprovedError,
    DutyMissingError,
    FinalReviewMissingError,
    MakerIsCheckerError,
    OtherPartyError,
)
from registry.refusals import DeadlinePassedError
from registry.rights import known_pending
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, where

HOUR_MS = 3_600_000
CHECKING = frozenset({Duty.CHECKER, Duty.FINAL})


class Approve(Body):
    """A second person's word that the statement shall stand."""


class Disapprove(Body):
    """A person's word that the statement shall not stand."""


class StatementPending(Effect, frozen=True, kw_only=True):
    """A statement waits: nothing else has changed."""

    statement: Sid
    party: PartyId
    kind: str
    kid: Kid
    person: str
    amount: Minor
    approvals: int
    final: bool
    approve_by: int

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Keeps the statement with its text."""
        row = Pending(
            statement=self.statement,
            party=self.party,
            kind=self.kind,
            kid=self.kid,
            person=self.person,
            amount=self.amount,
            approvals=self.approvals,
            final=self.final,
            approve_by=self.approve_by,
            text=seal.statement,
        )
        state.put(PENDING, row)


class ApprovalGiven(Effect, frozen=True, kw_only=True):
    """A person has approved, and the statement waits for another one."""

    approval: Sid
    statement: Sid
    party: PartyId
    kid: Kid
    person: str
    final: bool

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Keeps the approval."""
        row = Approval(
            approval=self.approval,
            statement=self.statement,
            party=self.party,
            kid=self.kid,
            person=self.person,
            final=self.final,
        )
        state.put(APPROVALS, row)


class StatementApproved(Numbering, frozen=True, kw_only=True):
    """The last approval: what stands after this in the entry follows from the statement."""

    approval: Sid
    statement: Sid
    kind: str
    party: PartyId
    kid: Kid
    person: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Ends the wait."""
        _end(state, self.statement, WaitEnd.APPROVED, seal)


class StatementEnded(Effect, frozen=True, kw_only=True):
    """A statement waits no longer and will not stand."""

    statement: Sid
    kind: str
    party: PartyId
    end: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Ends the wait."""
        _end(state, self.statement, WaitEnd(self.end), seal)


class ApprovalEnded(Effect, frozen=True, kw_only=True):
    """An approval counts no longer: the key that signed it is revoked."""

    approval: Sid
    statement: Sid
    party: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Deletes the approval."""
        state.delete(APPROVALS, self.approval)


def _end(state: MutableRows, statement: Sid, end: WaitEnd, seal: Seal) -> None:
    """Deletes what waits with its approvals, and keeps what became of it."""
    pending = known_pending(state, statement)
    for approval in state.where(APPROVALS, "statement", statement):
        state.delete(APPROVALS, approval.approval)
    state.delete(PENDING, statement)
    waited = Waited(statement=statement, party=pending.party, end=end, index=seal.index)
    state.put(WAITED, waited)


def wait(
    statement: Statement[Any], needed: Needed, *, person: str, amount: int, now: Now
) -> tuple[Effect, ...]:
    """Returns what follows from a statement that needs approvals: it waits."""
    approve_by = now.time + needed.hours * HOUR_MS
    pending = StatementPending(
        statement=statement.sid,
        party=statement.by,
        kind=statement.kind,
        kid=statement.kid,
        person=person,
        amount=Minor(amount),
        approvals=needed.approvals,
        final=needed.final,
        approve_by=approve_by,
    )
    return (pending, DeadlineSet(at=approve_by, kind="pending.expire", id=statement.sid))


def amount_waiting(state: Rows, statement: Statement[Approve]) -> int:
    """Returns the amount of the statement that is approved, for the limit of the checker's key."""
    return known_pending(state, statement.re or "").amount


def reads_approve(statement: Statement[Any], _now: Now) -> ReadPlan:
    """Asks for the approvals that there are."""
    yield from where(APPROVALS, "statement", statement.re or "")


def decide_approve(state: Rows, statement: Statement[Approve], now: Now) -> tuple[Effect, ...]:
    """Approves a statement of the signer's party; the last approval decides it again, now.

    Raises:
        OtherPartyError: The statement is another party's.
        PersonMissingError: The key names no person.
        MakerIsCheckerError: Its person has made the statement.
        AlreadyApprovedError: Its person has approved the statement.
        DeadlinePassedError: The wait is over.
        FinalReviewMissingError: It would be the last, and no final reviewer has approved.
    """
    pending = _own_pending(state, statement)
    key = _known_key(state, statement.kid)
    person = require_person(key)
    if person == pending.person:
        raise MakerIsCheckerError(person=person, statement=pending.statement)
    given = state.where(APPROVALS, "statement", pending.statement)
    if any(approval.person == person for approval in given):
        raise AlreadyApprovedError(person=person, statement=pending.statement)
    if now.time >= pending.approve_by:
        raise DeadlinePassedError(deadline=pending.approve_by)
    final = key.duty == Duty.FINAL
    if len(given) + 1 < pending.approvals:
        approval = ApprovalGiven(
            approval=statement.sid,
            statement=pending.statement,
            party=pending.party,
            kid=key.kid,
            person=person,
            final=final,
        )
        return (approval,)
    if pending.final and not final and not any(approval.final for approval in given):
        raise FinalReviewMissingError(statement=pending.statement)

    # Past this line the approval stands, if the statement itself does.
    approved = StatementApproved(
        approval=statement.sid,
        statement=pending.statement,
        kind=pending.kind,
        party=pending.party,
        kid=key.kid,
        person=person,
        text=pending.text,
    )
    return (approved, _expiry_cleared(pending))


def decide_disapprove(
    state: Rows, statement: Statement[Disapprove], _now: Now
) -> tuple[Effect, ...]:
    """Ends a statement that waits: a checker's refusal, or its maker's withdrawal.

    Raises:
        OtherPartyError: The statement is another party's.
        DutyMissingError: The key's person is a maker, and another one has made the statement.
    """
    pending = _own_pending(state, statement)
    key = _known_key(state, statement.kid)
    if key.duty == Duty.MAKER and key.person != pending.person:
        duties = " or ".join(sorted(CHECKING))
        raise DutyMissingError(kid=key.kid, duty=key.duty, kind=statement.kind, duties=duties)
    return _ended(pending, WaitEnd.DISAPPROVED)


def _own_pending(state: Rows, statement: Statement[Any]) -> Pending:
    """Returns the statement that is answered, which must be the signer's.

    Raises:
        OtherPartyError: It is another party's.
    """
    pending = known_pending(state, statement.re or "")
    if pending.party != statement.by:
        raise OtherPartyError(statement=pending.statement, party=pending.party, by=statement.by)
    return pending


def _known_key(state: Rows, kid: Kid) -> KeyRecord:
    """Returns the key that has signed."""
    key = state.get(KEYS, kid)
    if key is None:
        raise InvariantBrokenError("the key was not checked")
    return key


def _expiry_cleared(pending: Pending) -> DeadlineCleared:
    """Returns the effect that a wait's deadline is met or moot."""
    return DeadlineCleared(at=pending.approve_by, kind="pending.expire", id=pending.statement)


def _ended(pending: Pending, end: WaitEnd) -> tuple[Effect, ...]:
    """Returns the effects of a wait's end without the statement standing."""
    ended = StatementEnded(
        statement=pending.statement, kind=pending.kind, party=pending.party, end=end
    )
    return (ended, _expiry_cleared(pending))


def reads_pending_due(due: Due, _now: Now) -> ReadPlan:
    """Asks for the statement and its approvals."""
    yield from get(PENDING, due.id)
    yield from where(APPROVALS, "statement", due.id)


def decide_pending_expire(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends the wait of a statement that was not approved in time."""
    return _ended(known_pending(state, due.id), WaitEnd.EXPIRED)


def decide_pending_cancel(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends the wait of a statement signed with a key that was just revoked."""
    ended = _ended(known_pending(state, due.id), WaitEnd.CANCELLED)
    return (*ended, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))


def reads_approval_cancel(due: Due, _now: Now) -> ReadPlan:
    """Asks for the approval."""
    yield from get(APPROVALS, due.id)


def decide_approval_cancel(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends an approval signed with a key that was just revoked."""
    approval = state.get(APPROVALS, due.id)
    if approval is None:
        raise InvariantBrokenError(f"{due.kind} of no approval {due.id}")
    ended = ApprovalEnded(
        approval=approval.approval, statement=approval.statement, party=approval.party
    )
    return (ended, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))


APPROVE = Kind(
    name="approve",
    body=Approve,
    signers=frozenset(Role),
    relation="another person of the party whose statement waits",
    answers={"any that waits": PENDING},
    reads=reads_approve,
    decide=decide_approve,
    amount=amount_waiting,
    duties=CHECKING,
    waits=False,
)
DISAPPROVE = Kind(
    name="disapprove",
    body=Disapprove,
    signers=frozenset(Role),
    relation="a person of the party whose statement waits",
    answers={"any that waits": PENDING},
    reads=reads_approve,
    decide=decide_disapprove,
    duties=frozenset(Duty),
    while_suspended=True,
    waits=False,
)

KINDS = (APPROVE, DISAPPROVE)
TIMED = (
    TimedKind(name="pending.expire", reads=reads_pending_due, decide=decide_pending_expire),
    TimedKind(name="pending.cancel", reads=reads_pending_due, decide=decide_pending_cancel),
    TimedKind(name="approval.cancel", reads=reads_approval_cancel, decide=decide_approval_cancel),
)
