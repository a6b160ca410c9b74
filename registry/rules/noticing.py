"""Giving notice later, and taking one back.

A notice is the assignor's. Where it has withheld it, the assignee may give it too, but then
the debtor cannot know that there was an assignment at all, so evidence goes with it; a
factor says that it is one; an attorney shows a power whose event has come about. Each
recipient is told once. What the debtor was told binds it until the assignee, too, would
have it revoked.

Source: Civil Code, arts. 546, 696 and 764; SD-12, SD-14, RG-19, RG-24, RG-26.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from registry.assignment import assigned_id
from registry.effects import DeadlineCleared, Effect, Seal, Touch
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, FileRef, NoticeField, PartyField, SidField
from registry.ids import NoticeId, PartyId, Sid
from registry.inboxes import (
    NOTICES,
    POWERS,
    REVOCATIONS,
    WITHHELD,
    Capacity,
    Notice,
    Revocation,
    Sender,
    Withheld,
)
from registry.limits import ask_limits_of_transfer
from registry.model import (
    HOLDER_ROLES,
    LOTS,
    PARTIES,
    VOUCHERS,
    Lot,
    Purpose,
    Role,
    VoucherStatus,
)
from registry.notice_refusals import (
    AssignmentPassedOnError,
    EvidenceMissingError,
    NoticeNotFoundError,
    NoticeRevokedError,
    NotSenderError,
    PowerMissingError,
    PowerNotTriggeredError,
    RecipientRefusedError,
)
from registry.notifying import ESCALATE, ask_inboxes, known_notice, notify
from registry.refusals import VoucherStatusError
from registry.rights import known_voucher
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get, replace, where


class NoticeGive(Body):
    """A notice of an assignment of which these recipients have not been told."""

    sender: Annotated[Sender, LENIENT]
    recipients: Annotated[tuple[PartyField, ...], LENIENT, Field(min_length=1, max_length=8)]
    evidence: Annotated[tuple[FileRef, ...], LENIENT, Field(max_length=16)]
    power: SidField | None = None


class NoticeRevoke(Body):
    """An assignor's wish to take a notice back, and the ground for it."""

    notice: NoticeField
    ground: FileRef


class NoticeAgreeRevoke(Body):
    """The assignee's consent, without which a notice stands."""


class NoticeGiven(Effect, frozen=True, kw_only=True):
    """Notice of an assignment is given after it; the assignor has a copy of it."""

    transfer: Sid
    voucher: Sid
    by: PartyId
    sender: str
    assignor: PartyId
    assignee: PartyId
    told: tuple[str, ...]
    evidence: tuple[str, ...]
    power: Sid | None = None

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and both sides of the transfer."""
        return (("voucher", self.voucher), ("holder", self.assignor), ("holder", self.assignee))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes who has been told."""
        row = state.get(WITHHELD, self.transfer)
        if row is None:
            raise InvariantBrokenError(f"notice of transfer {self.transfer} was not withheld")
        state.put(WITHHELD, replace(row, told=self.told))


class RevocationProposed(Effect, frozen=True, kw_only=True):
    """An assignor would take a notice back."""

    revocation: Sid
    notice: NoticeId
    voucher: Sid
    assignee: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the proposal."""
        state.add(REVOCATIONS, Revocation(revocation=self.revocation, notice=self.notice))


class NoticeRevoked(Effect, frozen=True, kw_only=True):
    """A notice stands no longer; both sides of the transfer have said so."""

    revocation: Sid
    notice: NoticeId
    voucher: Sid
    assignor: PartyId
    assignee: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the assignee, whose lots are acknowledged no more."""
        return (("voucher", self.voucher), ("holder", self.assignee))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Ends the notice, the proposal, and what the debtor's acknowledgement said of lots."""
        notice = known_notice(state, self.notice)
        state.put(NOTICES, replace(notice, revoked_at=seal.time, escalate_at=None))
        state.delete(REVOCATIONS, self.revocation)
        if notice.capacity == Capacity.DEBTOR:
            for lot in _left_of(state, notice):
                state.put(LOTS, replace(lot, acknowledged=False))


def _left_of(state: Rows, notice: Notice) -> Iterator[Lot]:
    """Yields what a transfer's assignee still has of it."""
    for lot in state.where(LOTS, "voucher", notice.voucher):
        if lot.acquired == notice.transfer:
            yield lot


# --- Giving -----------------------------------------------------------------------


def reads_notice_give(statement: Statement[NoticeGive], now: Now) -> ReadPlan:
    """Asks for policy, power, transfer, voucher, signer, and the recipients' inboxes."""
    yield from ask_limits_of_transfer(now)
    if statement.body.power is not None:
        yield from get(POWERS, statement.body.power)
    withheld = yield from get(WITHHELD, statement.re or "")
    if withheld is None:
        return
    yield from get(VOUCHERS, withheld.voucher)
    yield from get(PARTIES, statement.by)
    yield from ask_inboxes(withheld.recipients)


def decide_notice_give(
    state: Rows, statement: Statement[NoticeGive], now: Now
) -> tuple[Effect, ...]:
    """Gives notice of an assignment to recipients that were not told with it, once each.

    Raises:
        MalformedError: The recipients are not sorted and unique; a power without an attorney,
            or the reverse.
        NotSenderError: The signer is not what it gives the notice as.
        PowerMissingError: The attorney's power does not cover the transfer.
        PowerNotTriggeredError: The event on which the power waits has not come about (SD-14).
        EvidenceMissingError: An assignee or factor shows no evidence (SD-12, RG-26).
        VoucherStatusError: The voucher is not active: there is nothing to pay.
        RecipientRefusedError: A recipient is not to be told, or has been.
    """
    body = statement.body
    if list(body.recipients) != sorted(set(body.recipients)):
        raise MalformedError(what="recipients", reason="not sorted and unique")
    if (body.sender is Sender.ATTORNEY) != (body.power is not None):
        raise MalformedError(what="power", reason="belongs to an attorney, and only there")
    withheld = state.get(WITHHELD, statement.re or "")
    if withheld is None:
        raise InvariantBrokenError("the answer was not checked")
    _require_sender(state, statement, withheld)
    if body.sender in (Sender.ASSIGNEE, Sender.FACTOR) and not body.evidence:
        raise EvidenceMissingError(sender=body.sender)
    voucher = known_voucher(state, withheld.voucher)
    if voucher.status != VoucherStatus.ACTIVE:
        raise VoucherStatusError(
            voucher=voucher.voucher, status=voucher.status, kind=statement.kind
        )
    for recipient in body.recipients:
        if recipient not in withheld.recipients:
            raise RecipientRefusedError(recipient=recipient, reason="was not to be told then")
        if recipient in withheld.told:
            raise RecipientRefusedError(recipient=recipient, reason="has been told")

    # Past this line the notice must succeed.
    told = {*withheld.told, *body.recipients}
    given = NoticeGiven(
        transfer=withheld.transfer,
        voucher=withheld.voucher,
        by=statement.by,
        sender=body.sender,
        assignor=withheld.assignor,
        assignee=withheld.assignee,
        told=tuple(each for each in withheld.recipients if each in told),
        evidence=tuple(file.digest for file in body.evidence),
        power=body.power,
    )
    notices = notify(
        state,
        voucher,
        now,
        transfer=withheld.transfer,
        assignor=withheld.assignor,
        assignee=withheld.assignee,
        amount=withheld.amount,
        sender=body.sender,
        ranks=[
            (rank, each) for rank, each in enumerate(withheld.recipients) if each in body.recipients
        ],
    )
    return (given, *notices)


def _require_sender(state: Rows, statement: Statement[NoticeGive], withheld: Withheld) -> None:
    """Checks that the signer is what it gives a notice as.

    Raises:
        NotSenderError, PowerMissingError, PowerNotTriggeredError: It is not.
    """
    by, sender = statement.by, statement.body.sender
    if sender is Sender.ATTORNEY:
        _require_power(state, statement, withheld)
        return
    party = state.get(PARTIES, by)
    is_financier = party is not None and Role.FINANCIER in party.roles
    is_sender = {
        Sender.ASSIGNOR: by == withheld.assignor,
        Sender.ASSIGNEE: by == withheld.assignee,
        Sender.FACTOR: by == withheld.assignee
        and is_financier
        and withheld.purpose == Purpose.FINANCE,
    }[sender]
    if not is_sender:
        raise NotSenderError(by=by, sender=sender, transfer=withheld.transfer)


def _require_power(state: Rows, statement: Statement[NoticeGive], withheld: Withheld) -> None:
    """Checks that an attorney's power covers a transfer and can be used.

    Raises:
        PowerMissingError, PowerNotTriggeredError: It does not, or cannot yet.
    """
    name = statement.body.power or Sid("")
    power = state.get(POWERS, name)
    wanted = (statement.by, withheld.assignor, withheld.assignee)
    if power is None or (power.attorney, power.assignor, power.assignee) != wanted:
        raise PowerMissingError(by=statement.by, power=name, transfer=withheld.transfer)
    if power.triggered is None:
        raise PowerNotTriggeredError(power=name, event=power.event)


# --- Taking back ------------------------------------------------------------------


def reads_notice_revoke(statement: Statement[NoticeRevoke], _now: Now) -> ReadPlan:
    """Asks for the notice."""
    yield from get(NOTICES, statement.body.notice)


def decide_notice_revoke(
    state: Rows, statement: Statement[NoticeRevoke], _now: Now
) -> tuple[Effect, ...]:
    """Proposes to take a notice back, as the assignor; it stands until the assignee agrees.

    Raises:
        NoticeNotFoundError: There is no such notice.
        NotSenderError: The signer is not the assignor.
        NoticeRevokedError: The notice stands no longer.
    """
    notice = state.get(NOTICES, statement.body.notice)
    if notice is None:
        raise NoticeNotFoundError(notice=statement.body.notice)
    _require_standing(notice, by=statement.by, party=notice.assignor, sender=Sender.ASSIGNOR)
    proposed = RevocationProposed(
        revocation=statement.sid,
        notice=notice.notice,
        voucher=notice.voucher,
        assignee=notice.assignee,
    )
    return (proposed,)


def _require_standing(notice: Notice, *, by: PartyId, party: PartyId, sender: Sender) -> None:
    """Checks that a party has its part in a notice that stands.

    Raises:
        NotSenderError, NoticeRevokedError: It has not, or the notice stands no longer.
    """
    if by != party:
        raise NotSenderError(by=by, sender=sender, transfer=notice.transfer)
    if notice.revoked_at is not None:
        raise NoticeRevokedError(notice=notice.notice)


def _proposed(state: Rows, statement: Statement[Any]) -> Revocation:
    """Returns the proposal that a statement answers."""
    row = state.get(REVOCATIONS, statement.re or "")
    if row is None:
        raise InvariantBrokenError("the answer was not checked")
    return row


def reads_notice_agree_revoke(statement: Statement[NoticeAgreeRevoke], _now: Now) -> ReadPlan:
    """Asks for the proposal's notice, and for what the transfer brought."""
    revocation = yield from get(REVOCATIONS, statement.re or "")
    if revocation is None:
        return
    notice = yield from get(NOTICES, revocation.notice)
    if notice is not None:
        yield from get(LOTS, assigned_id(notice.transfer))
        yield from where(LOTS, "voucher", notice.voucher)


def decide_notice_agree_revoke(
    state: Rows, statement: Statement[NoticeAgreeRevoke], _now: Now
) -> tuple[Effect, ...]:
    """Agrees, as the assignee, that a notice is taken back (RG-19).

    Raises:
        NotSenderError: The signer is not the assignee.
        NoticeRevokedError: The notice stands no longer.
        AssignmentPassedOnError: The assignee has passed all of it on, and others rest on it.
    """
    revocation = _proposed(state, statement)
    notice = known_notice(state, revocation.notice)
    _require_standing(notice, by=statement.by, party=notice.assignee, sender=Sender.ASSIGNEE)
    if not any(_left_of(state, notice)):
        raise AssignmentPassedOnError(assignee=notice.assignee, transfer=notice.transfer)
    revoked = NoticeRevoked(
        revocation=revocation.revocation,
        notice=notice.notice,
        voucher=notice.voucher,
        assignor=notice.assignor,
        assignee=notice.assignee,
    )
    if notice.escalate_at is None:
        return (revoked,)
    return (revoked, DeadlineCleared(at=notice.escalate_at, kind=ESCALATE, id=notice.notice))


KINDS = (
    Kind(
        name="notice.give",
        body=NoticeGive,
        signers=HOLDER_ROLES | {Role.TRUSTEE},
        relation="the transfer's assignor, assignee, or attorney",
        answers={"transfer.offer": WITHHELD},
        reads=reads_notice_give,
        decide=decide_notice_give,
    ),
    Kind(
        name="notice.revoke",
        body=NoticeRevoke,
        signers=HOLDER_ROLES,
        relation="the transfer's assignor",
        reads=reads_notice_revoke,
        decide=decide_notice_revoke,
    ),
    Kind(
        name="notice.agree-revoke",
        body=NoticeAgreeRevoke,
        signers=HOLDER_ROLES,
        relation="the transfer's assignee",
        answers={"notice.revoke": REVOCATIONS},
        reads=reads_notice_agree_revoke,
        decide=decide_notice_agree_revoke,
    ),
)
