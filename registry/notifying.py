"""Telling debtors and guarantors of an assignment: the notice, its number, its deadline.

The assignor is the author, the registry the courier. A notice arrives in the entry that
makes the assignment effective, unless the assignor withholds it; then it is given later,
once to each recipient. Whoever owes or secures a voucher has designated its inbox before,
so an arrival is an arrival at the addressee (RG-34).

Source: Civil Code, arts. 546 and 696; Electronic Signature Law, art. 11; SD-11, RG-24, RG-34.
"""

from collections.abc import Iterable

from registry.calendars import date_at, parse_offset
from registry.effects import DeadlineSet, Effect, Seal
from registry.errors import InvariantBrokenError
from registry.ids import NoticeId, PartyId, Sid, lot_id, notice_id
from registry.inboxes import INBOXES, NOTICES, WITHHELD, Capacity, Inbox, Notice, Sender, Withheld
from registry.model import Voucher
from registry.notice_refusals import InboxMissingError
from registry.policy import rules_in_force
from registry.rights import end_instant
from registry.statements import Now
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get_many, replace
from registry.workdays import calendar_named

RECIPIENTS_MAX = 8
"""Who can be told of a voucher's assignments (docs/formats.md, Limits)."""

ESCALATE = "notice.escalate"
"""The kind of the deadline at which a recipient's silence is told on."""


class NoticeArrived(Effect, frozen=True, kw_only=True):
    """A notice of assignment is in its recipient's inbox; the entry's time is its arrival."""

    notice: NoticeId
    transfer: Sid
    voucher: Sid
    recipient: PartyId
    capacity: str
    number: int
    sender: str
    assignor: PartyId
    assignee: PartyId
    amount: Minor

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the notice and counts it."""
        row = Notice(
            notice=self.notice,
            transfer=self.transfer,
            voucher=self.voucher,
            recipient=self.recipient,
            capacity=self.capacity,
            number=self.number,
            sender=self.sender,
            assignor=self.assignor,
            assignee=self.assignee,
            amount=self.amount,
            arrived=seal.time,
            entry=seal.index,
        )
        state.add(NOTICES, row)
        inbox = inbox_of(state, self.recipient)
        state.put(INBOXES, replace(inbox, notices=self.number))


class AnswerAwaited(Effect, frozen=True, kw_only=True):
    """If a notice is not answered before, its recipient's silence is told on at this instant."""

    notice: NoticeId
    until: int

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes it in the notice."""
        notice = known_notice(state, self.notice)
        state.put(NOTICES, replace(notice, escalate_at=self.until))


class NoticeWithheld(Effect, frozen=True, kw_only=True):
    """An assignment binds its two sides, and nobody else has been told of it."""

    transfer: Sid
    voucher: Sid
    assignor: PartyId
    assignee: PartyId
    amount: Minor
    purpose: str
    recipients: tuple[str, ...]

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Keeps who is to be told."""
        row = Withheld(
            transfer=self.transfer,
            voucher=self.voucher,
            assignor=self.assignor,
            assignee=self.assignee,
            amount=self.amount,
            purpose=self.purpose,
            recipients=self.recipients,
            told=(),
            effective=seal.time,
        )
        state.add(WITHHELD, row)


def known_notice(state: Rows, notice: NoticeId) -> Notice:
    """Returns a notice that has arrived."""
    row = state.get(NOTICES, notice)
    if row is None:
        raise InvariantBrokenError(f"no notice {notice}")
    return row


def inbox_of(state: Rows, party: PartyId) -> Inbox:
    """Returns the inbox of who owes or secures a voucher, and so has one."""
    row = state.get(INBOXES, party)
    if row is None:
        raise InvariantBrokenError(f"{party} has designated no inbox")
    return row


def require_inbox(state: Rows, party: PartyId) -> None:
    """Checks that a party can be told of assignments.

    Raises:
        InboxMissingError: It has not designated its inbox.
    """
    if state.get(INBOXES, party) is None:
        raise InboxMissingError(party=party)


def recipients_of(voucher: Voucher) -> tuple[str, ...]:
    """Returns who is told of a voucher's assignments: debtor, co-debtors, guarantors.

    An assignment that a guarantor was not told of has no effect on it (Civil Code, art. 696;
    RG-24).
    """
    told = (voucher.debtor, *voucher.co_debtors, *voucher.guarantors)
    # A guarantor may have joined the debt later: it is told once.
    return tuple(dict.fromkeys(told))


def capacity_of(voucher: Voucher, recipient: str) -> Capacity:
    """Tells as what a party is told of a voucher's assignments."""
    if recipient == voucher.debtor:
        return Capacity.DEBTOR
    return Capacity.CO_DEBTOR if recipient in voucher.co_debtors else Capacity.GUARANTOR


def ask_inboxes(recipients: Iterable[str]) -> ReadPlan:
    """Asks for the inboxes of who is told."""
    yield from get_many(INBOXES, recipients)


def notify(
    state: Rows,
    voucher: Voucher,
    now: Now,
    *,
    transfer: Sid,
    assignor: PartyId,
    assignee: PartyId,
    amount: Minor,
    ranks: Iterable[tuple[int, str]] | None = None,
    sender: Sender = Sender.ASSIGNOR,
) -> tuple[Effect, ...]:
    """Returns the notices of an assignment, each with its number in the recipient's inbox.

    Args:
        state: Shows the recipients' inboxes, the policy and its calendar.
        voucher: The voucher.
        now: The moment.
        transfer: The offer that numbers the assigned lot.
        assignor: Who assigns, and is the author.
        assignee: Whom the debtor is to pay.
        amount: What is assigned.
        ranks: Whom to tell, each with its rank among the recipients; all if not given.
        sender: In what part the notice is given.
    """
    lot = lot_id(transfer, 2)
    until = silent_until(state, now, since=now.time, step=0)
    effects: list[Effect] = []
    for rank, name in enumerate(recipients_of(voucher)) if ranks is None else ranks:
        recipient = PartyId(name)
        arrived = NoticeArrived(
            notice=notice_id(lot, rank),
            transfer=transfer,
            voucher=voucher.voucher,
            recipient=recipient,
            capacity=capacity_of(voucher, recipient),
            number=inbox_of(state, recipient).notices + 1,
            sender=sender,
            assignor=assignor,
            assignee=assignee,
            amount=amount,
        )
        effects.append(arrived)
        if until is not None:
            effects += await_answer(arrived.notice, until)
    return tuple(effects)


def tell(
    state: Rows,
    voucher: Voucher,
    now: Now,
    *,
    transfer: Sid,
    assignor: PartyId,
    assignee: PartyId,
    amount: Minor,
    purpose: str,
    withheld: bool,
) -> tuple[Effect, ...]:
    """Returns what an effective assignment says to all who owe and secure the voucher.

    That is a notice each, or nothing, if the assignor withholds them.
    """
    if not withheld:
        return notify(
            state,
            voucher,
            now,
            transfer=transfer,
            assignor=assignor,
            assignee=assignee,
            amount=amount,
        )
    kept = NoticeWithheld(
        transfer=transfer,
        voucher=voucher.voucher,
        assignor=assignor,
        assignee=assignee,
        amount=amount,
        purpose=purpose,
        recipients=recipients_of(voucher),
    )
    return (kept,)


def silent_until(state: Rows, now: Now, *, since: int, step: int) -> int | None:
    """Returns when silence about a notice is told on, if the policy has a term for it.

    Args:
        state: Shows the policy in force and its calendar.
        now: The moment.
        since: Milliseconds, when the notice arrived.
        step: How often its silence was told on before.
    """
    rule = rules_in_force(state, now.facts).notices
    if rule is None or step >= len(rule.working_days):
        return None
    calendar = calendar_named(state, rule.calendar)
    days = rule.working_days[step]
    day = date_at(since, offset_minutes=parse_offset(now.facts.zone))
    return end_instant(calendar.add_worked_days(day, days), now)


def await_answer(notice: NoticeId, until: int) -> tuple[Effect, ...]:
    """Returns the effects by which a notice waits for its recipient's answer."""
    return (
        AnswerAwaited(notice=notice, until=until),
        DeadlineSet(at=until, kind=ESCALATE, id=notice),
    )
