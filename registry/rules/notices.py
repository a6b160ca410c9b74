"""What a recipient says of its notices: that it has them, that they are right, or that not.

Three things, never one. Arrival (recorded by the registry) is what binds the debtor. The
receipt is its system's word, by a key of use `receipt`, that the notice has come through.
The acknowledgement is its own legal word that it knows whom to pay; a refusal says why it
does not, and takes nothing away from the arrival. Who says neither is reminded, by entries
at the policy's instants.

Source: RG-29, RG-34, FR-11; docs/explanation/notices.md.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from registry.assignment import assigned_id
from registry.effects import DeadlineCleared, Due, Effect, Seal, Touch
from registry.errors import MalformedError
from registry.fields import LENIENT, FileRef, NoticeField
from registry.ids import NoticeId, PartyId, Sid
from registry.inboxes import NOTICES, Capacity, Notice
from registry.limits import ask_limits_of_transfer
from registry.model import LOTS, Lot, Role
from registry.notice_refusals import (
    AlreadyAcknowledgedError,
    AlreadyReceivedError,
    AlreadyRefusedError,
    NoticeNotFoundError,
    NoticeRevokedError,
)
from registry.notifying import ESCALATE, await_answer, known_notice, silent_until
from registry.people import KeyUse
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import MutableRows, ReadPlan, Rows, get, get_many, replace, where

NOTICES_MAX = 160
"""Notices that one statement may cover; with effects it fits one entry."""

RECIPIENTS = frozenset({Role.PARTICIPANT, Role.FINANCIER})
"""Who owes or secures vouchers, and so is told."""

Notices = Annotated[tuple[NoticeField, ...], LENIENT, Field(min_length=1, max_length=NOTICES_MAX)]


class NoticeReceive(Body):
    """The recipient's system has these notices."""

    notices: Notices


class NoticeAcknowledge(Body):
    """A recipient's word that it knows of these assignments, and whom to pay."""

    notices: Notices


class RefusalGround(StrEnum):
    """Why a recipient will not have a notice."""

    AMOUNT = "amount"
    NOT_OWED = "not-owed"
    BARRED = "barred"
    """Assignment is barred towards it (SD-17; Civil Code, art. 696)."""
    PAID = "paid"
    COMPETING = "competing"
    """It has been told of another assignment of the same claim."""
    OTHER = "other"


class NoticeRefuse(Body):
    """A recipient's word that it does not accept a notice, and why; what it claims is a file."""

    notice: NoticeField
    ground: Annotated[RefusalGround, LENIENT]
    document: FileRef


class NoticeReceived(Effect, frozen=True, kw_only=True):
    """A notice is in the recipient's own system; the entry's time is when it said so."""

    notice: NoticeId
    voucher: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the notice."""
        notice = known_notice(state, self.notice)
        state.put(NOTICES, replace(notice, received=seal.time))


class NoticeAcknowledged(Effect, frozen=True, kw_only=True):
    """A recipient has acknowledged a notice."""

    notice: NoticeId
    voucher: Sid
    assignee: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the assignee, whose lots now say so."""
        return (("voucher", self.voucher), ("holder", self.assignee))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the notice and, if the debtor's, the lots that the transfer brought."""
        notice = known_notice(state, self.notice)
        answered = replace(notice, acknowledged=True, refused=None, escalate_at=None)
        state.put(NOTICES, answered)
        if notice.capacity == Capacity.DEBTOR:
            for lot in _brought_by(state, notice):
                state.put(LOTS, replace(lot, acknowledged=True))


class NoticeRefused(Effect, frozen=True, kw_only=True):
    """A recipient does not accept a notice; its arrival stands."""

    notice: NoticeId
    voucher: Sid
    assignee: PartyId
    refusal: Sid
    ground: str
    document: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the assignee."""
        return (("voucher", self.voucher), ("holder", self.assignee))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the notice."""
        notice = known_notice(state, self.notice)
        state.put(NOTICES, replace(notice, refused=self.refusal, escalate_at=None))


class NoticeEscalated(Effect, frozen=True, kw_only=True):
    """A recipient has been silent about a notice for so long that it is told on."""

    notice: NoticeId
    voucher: Sid
    recipient: PartyId
    escalations: int
    policy: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Counts it in the notice."""
        notice = known_notice(state, self.notice)
        row = replace(notice, escalations=self.escalations, escalate_at=None)
        state.put(NOTICES, row)


def _brought_by(state: Rows, notice: Notice) -> Sequence[Lot]:
    """Returns what is left of a transfer with its assignee, be it one lot or what came of it."""
    lot = state.get(LOTS, assigned_id(notice.transfer))
    if lot is not None:
        return (lot,)
    lots = state.where(LOTS, "voucher", notice.voucher)
    return [lot for lot in lots if lot.acquired == notice.transfer]


def _require_sorted(notices: Sequence[NoticeId]) -> None:
    if list(notices) != sorted(set(notices)):
        raise MalformedError(what="notices", reason="not sorted and unique")


def _own(state: Rows, statement: Statement[Any], name: NoticeId) -> Notice:
    """Returns a notice that stands in the signer's inbox.

    Raises:
        NoticeNotFoundError: It does not exist or is to another party.
        NoticeRevokedError: It stands no longer.
    """
    notice = state.get(NOTICES, name)
    if notice is None or notice.recipient != statement.by:
        raise NoticeNotFoundError(notice=name)
    if notice.revoked_at is not None:
        raise NoticeRevokedError(notice=name)
    return notice


def _answered(notice: Notice) -> Iterator[DeadlineCleared]:
    """Yields the effect that silence about a notice is over, if it was waited for."""
    if notice.escalate_at is not None:
        yield DeadlineCleared(at=notice.escalate_at, kind=ESCALATE, id=notice.notice)


def reads_notice_received(statement: Statement[NoticeReceive], _now: Now) -> ReadPlan:
    """Asks for the notices."""
    yield from get_many(NOTICES, statement.body.notices)


def decide_notice_received(
    state: Rows, statement: Statement[NoticeReceive], _now: Now
) -> tuple[Effect, ...]:
    """Receipts notices by the recipient's system, many at once.

    Raises:
        MalformedError: The notices are not sorted and unique.
        NoticeNotFoundError: A notice does not exist or is to another party.
        NoticeRevokedError: A notice stands no longer.
        AlreadyReceivedError: A notice was received before.
    """
    _require_sorted(statement.body.notices)
    effects = []
    for each in statement.body.notices:
        notice = _own(state, statement, each)
        if notice.received is not None:
            raise AlreadyReceivedError(notice=each)
        effects.append(NoticeReceived(notice=each, voucher=notice.voucher))
    return tuple(effects)


def reads_notice_acknowledge(statement: Statement[NoticeAcknowledge], _now: Now) -> ReadPlan:
    """Asks for the notices and the lots that their transfers brought."""
    notices = yield from get_many(NOTICES, statement.body.notices)
    for notice in notices:
        if notice is not None:
            whole = yield from get(LOTS, assigned_id(notice.transfer))
            if whole is None:
                yield from where(LOTS, "voucher", notice.voucher)


def decide_notice_acknowledge(
    state: Rows, statement: Statement[NoticeAcknowledge], _now: Now
) -> tuple[Effect, ...]:
    """Acknowledges notices of assignment, many at once; a refusal is taken back by it.

    Raises:
        MalformedError: The notices are not sorted and unique.
        NoticeNotFoundError: A notice does not exist or is to another party.
        NoticeRevokedError: A notice stands no longer.
        AlreadyAcknowledgedError: A notice was acknowledged before.
    """
    _require_sorted(statement.body.notices)
    effects: list[Effect] = []
    for each in statement.body.notices:
        notice = _own(state, statement, each)
        if notice.acknowledged:
            raise AlreadyAcknowledgedError(notice=each)
        effects.append(
            NoticeAcknowledged(notice=each, voucher=notice.voucher, assignee=notice.assignee)
        )
        effects += _answered(notice)
    return tuple(effects)


def reads_notice_refuse(statement: Statement[NoticeRefuse], _now: Now) -> ReadPlan:
    """Asks for the notice."""
    yield from get(NOTICES, statement.body.notice)


def decide_notice_refuse(
    state: Rows, statement: Statement[NoticeRefuse], _now: Now
) -> tuple[Effect, ...]:
    """Refuses a notice, with a ground; who has acknowledged it cannot any more (RG-29).

    Raises:
        NoticeNotFoundError: The notice does not exist or is to another party.
        NoticeRevokedError: The notice stands no longer.
        AlreadyAcknowledgedError: The signer has confirmed what it would deny.
        AlreadyRefusedError: The notice was refused before.
    """
    body = statement.body
    notice = _own(state, statement, body.notice)
    if notice.acknowledged:
        raise AlreadyAcknowledgedError(notice=notice.notice)
    if notice.refused is not None:
        raise AlreadyRefusedError(notice=notice.notice, refusal=notice.refused)
    refused = NoticeRefused(
        notice=notice.notice,
        voucher=notice.voucher,
        assignee=notice.assignee,
        refusal=statement.sid,
        ground=body.ground,
        document=body.document.digest,
    )
    return (refused, *_answered(notice))


def reads_notice_escalate(due: Due, now: Now) -> ReadPlan:
    """Asks for the policy and its calendar, and for the notice."""
    yield from ask_limits_of_transfer(now)
    yield from get(NOTICES, due.id)


def decide_notice_escalate(state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
    """Tells on a recipient that is silent, and sets when that is done again, if at all."""
    notice = known_notice(state, NoticeId(due.id))
    told = NoticeEscalated(
        notice=notice.notice,
        voucher=notice.voucher,
        recipient=notice.recipient,
        escalations=notice.escalations + 1,
        policy=now.facts.policy,
    )
    cleared = DeadlineCleared(at=due.at, kind=due.kind, id=due.id)
    until = silent_until(state, now, since=notice.arrived, step=told.escalations)
    if until is None or until <= now.time:
        return (told, cleared)
    return (told, cleared, *await_answer(notice.notice, until))


KINDS = (
    Kind(
        name="notice.received",
        body=NoticeReceive,
        signers=RECIPIENTS,
        relation="the notices' recipient, by its system's key",
        reads=reads_notice_received,
        decide=decide_notice_received,
        uses=frozenset({KeyUse.RECEIPT}),
        while_suspended=True,
        waits=False,
    ),
    Kind(
        name="notice.acknowledge",
        body=NoticeAcknowledge,
        signers=RECIPIENTS,
        relation="the notices' recipient",
        reads=reads_notice_acknowledge,
        decide=decide_notice_acknowledge,
        while_suspended=True,
    ),
    Kind(
        name="notice.refuse",
        body=NoticeRefuse,
        signers=RECIPIENTS,
        relation="the notice's recipient",
        reads=reads_notice_refuse,
        decide=decide_notice_refuse,
        while_suspended=True,
    ),
)

TIMED = (TimedKind(name=ESCALATE, reads=reads_notice_escalate, decide=decide_notice_escalate),)
