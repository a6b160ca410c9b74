"""Matches what a bank says with what it was told: by id, account and amount, to the fen.

Nothing is guessed. What names no instruction, or differs in anything, is put before a
person with the reason. What is said twice is counted once, and said to be so. The answer
depends on what was said, not on the order in which it came.

What a payer's bank calls a return of a payment that was never posted is a rejection: the
money is where it was.

Source: reference 5.3 (4) and (5), notes 5 and 20.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from clearing.rails.cascade import blocked
from clearing.rails.findings import (
    MIXED,
    UNSPECIFIED,
    Expected,
    Ignored,
    Matched,
    Outcome,
    Passed,
    Reason,
    Told,
    Unmatched,
    jointly,
    reports_of,
)
from clearing.rails.messages import Item, Message, Side, Status, Verdict
from clearing.rails.payments import CURRENCY, SentFile
from clearing.rails.references import parse_instruction_id
from registry.errors import MalformedError
from registry.ids import PartyId, Sid

_KNOWN: Final[Mapping[str, frozenset[Status]]] = {
    "pending": frozenset(),
    "sent": frozenset(),
    "accepted": frozenset({Status.ACCEPTED}),
    "rejected": frozenset({Status.ACCEPTED, Status.REJECTED}),
    "expired": frozenset({Status.ACCEPTED, Status.REJECTED}),
    "posted": frozenset({Status.ACCEPTED, Status.POSTED}),
    "returned": frozenset({Status.ACCEPTED, Status.POSTED, Status.RETURNED}),
    "replaced": frozenset({Status.ACCEPTED, Status.REJECTED}),
    "redirected": frozenset({Status.ACCEPTED, Status.POSTED, Status.RETURNED}),
}
"""What the ledger knows already, by what it shows."""

_CODE: Final = re.compile(r"[!-~]{1,64}")
_CARRIED_OUT: Final = frozenset({"posted", "returned", "redirected"})


class _Said(NamedTuple):
    """What was said of an instruction, and in which message."""

    item: Item
    digest: str


def match(
    messages: Iterable[Message],
    awaited: Iterable[Expected],
    *,
    bank: PartyId,
    sent: Sequence[SentFile] = (),
) -> Matched:
    """Matches a bank's messages with the instructions that they may be about.

    Args:
        messages: Of one bank. For reports that name the message they were read from, the
            messages of one file.
        awaited: Every instruction that they may be about, those with a known end included.
        bank: Who says it.
        sent: The payment files that it may be answering as a whole.
    """
    named = {each.instruction: each for each in jointly(awaited)}
    matching = _Matching(named, bank=bank, sent=sent)
    for message in messages:
        matching.hear(message)
    return matching.result()


class _Matching:
    """One matching, message by message."""

    def __init__(
        self, awaited: Mapping[str, Expected], *, bank: PartyId, sent: Sequence[SentFile]
    ) -> None:
        """Indexes what was sent."""
        self._awaited, self._bank = awaited, bank
        self._files = {file.message_id: file for file in sent}
        self._batches = {
            batch.batch: (file.message_id, batch.instructions)
            for file in sent
            for batch in file.batches
        }
        self._heard: dict[str, list[Message]] = {}
        self._said: dict[str, list[_Said]] = {}
        self._unmatched: list[Unmatched] = []
        self._ignored: list[Passed] = []

    def hear(self, message: Message) -> None:
        """Takes a message, once: what it says of one payment goes before what of many."""
        if message in (same := self._heard.setdefault(message.digest, [])):
            return
        same.append(message)
        named = {item.instruction or "" for item in message.items}
        for item in message.items:
            self._take(item, message.digest)
        # A batch is nearer to a payment than the file that it is in.
        for verdict in sorted(message.verdicts, key=lambda verdict: verdict.batch is None):
            named |= self._spread(verdict, message.digest, but=named)

    def _take(self, item: Item, digest: str) -> None:
        """Takes what is said of one payment: matched, or not and why."""
        if item.status is Status.PENDING:
            self._ignored.append(Passed(said=item, why=Ignored.PENDING, digest=digest))
            return
        of = self._awaited.get(item.instruction or "")
        reason = _fault(item, of, bank=self._bank) if of is not None else _not_ours(item)
        if reason is None and item.instruction is not None:
            self._said.setdefault(item.instruction, []).append(_Said(item, digest))
        elif reason is not None:
            self._unmatched.append(Unmatched(said=item, reason=reason, digest=digest))

    def _spread(self, verdict: Verdict, digest: str, *, but: set[str]) -> set[str]:
        """Takes what is said of many as said of each, but of those that are named themselves.

        Returns:
            The instructions that it is about.
        """
        if verdict.status is Status.PENDING:
            self._ignored.append(Passed(said=verdict, why=Ignored.PENDING, digest=digest))
            return set()
        reason, instructions = self._meant(verdict)
        if reason is not None:
            self._unmatched.append(Unmatched(said=verdict, reason=reason, digest=digest))
            return set()
        for instruction in instructions:
            if instruction not in but:
                self._take(self._item(verdict, instruction), digest)
        return {*instructions}

    def _meant(self, verdict: Verdict) -> tuple[Reason | None, Sequence[str]]:
        """Returns the instructions that a verdict is about, or why it is about none."""
        if verdict.status is Status.UNCLEAR:
            return Reason.UNCLEAR, ()
        if verdict.batch is not None:
            file, instructions = self._batches.get(verdict.batch, (None, ()))
        elif (sent := self._files.get(verdict.file or "")) is not None:
            file, instructions = sent.message_id, sent.instructions
        else:
            return Reason.NO_SUCH_FILE, ()
        if file is None or verdict.file not in (None, file):
            return Reason.NO_SUCH_FILE, ()
        known = [self._awaited[each] for each in instructions if each in self._awaited]
        total = sum(each.amount_minor for each in known)
        if verdict.amount_minor not in (None, total):
            return Reason.AMOUNT_DIFFERS, ()
        return None, instructions

    def _item(self, verdict: Verdict, instruction: str) -> Item:
        """Returns what a verdict says of one instruction."""
        of = self._awaited.get(instruction)
        is_booked = verdict.amount_minor is not None and of is not None
        return Item(
            place=verdict.place,
            status=verdict.status,
            instruction=instruction,
            amount_minor=of.amount_minor if is_booked and of is not None else None,
            currency=CURRENCY if is_booked else None,
            account=verdict.account,
            side=verdict.side,
            reason=verdict.reason,
            reference=verdict.reference,
        )

    def result(self) -> Matched:
        """Decides on each instruction of which something was said."""
        decided: dict[str, dict[Status, _Said]] = {}
        for instruction, said in self._said.items():
            decided[instruction] = self._decide(self._awaited[instruction], said)
        stopped = blocked(self._awaited.values(), decided)
        outcomes: dict[tuple[Sid, Status], list[Told]] = {}
        for instruction, ends in decided.items():
            of = self._awaited[instruction]
            for status, told in ends.items():
                match stopped.get((instruction, status)):
                    case None:
                        found = Told(_outcomes(of, status, told.item), of.lots)
                        outcomes.setdefault((of.plan, status), []).append(found)
                    case Ignored() as why:
                        self._pass(told, why)
                    case reason:
                        self._put(told, reason)
        return Matched(
            reports=tuple(reports_of(outcomes)),
            unmatched=tuple(sorted(self._unmatched, key=_unmatched_order)),
            ignored=tuple(sorted(self._ignored, key=_ignored_order)),
        )

    def _decide(self, of: Expected, said: Sequence[_Said]) -> dict[Status, _Said]:
        """Returns what is to be reported of one instruction, by stage."""
        was_posted = of.status in _CARRIED_OUT or any(
            each.item.status is Status.POSTED for each in said
        )
        by_status: dict[Status, list[_Said]] = {}
        for each in sorted(said, key=_said_order):
            meaning = each.item.status
            if meaning is Status.RETURNED and not was_posted:
                meaning = Status.REJECTED
            by_status.setdefault(meaning, []).append(each)
        new: dict[Status, _Said] = {}
        for status, same in by_status.items():
            first = self._once(same)
            if status in _KNOWN[of.status]:
                self._known(of, status, first)
            else:
                new[status] = first
        return self._latest(of, new, was_posted=was_posted)

    def _latest(
        self, of: Expected, new: dict[Status, _Said], *, was_posted: bool
    ) -> dict[Status, _Said]:
        """Returns what is left when each stage gives way to those that come after it."""
        if was_posted and Status.REJECTED in new:
            for status, said in new.items():
                if status is Status.ACCEPTED:
                    self._pass(said, Ignored.OVERTAKEN)
                else:
                    self._put(said, Reason.CONTRADICTS)
            return {}
        if Status.RETURNED in new and self._bank != of.payee_bank:
            # The payee's bank says what it took back.
            self._put(new.pop(Status.RETURNED), Reason.OTHER_BANK)
        if len(new) > 1 and Status.ACCEPTED in new:
            self._pass(new.pop(Status.ACCEPTED), Ignored.OVERTAKEN)
        return new

    def _once(self, same: Sequence[_Said]) -> _Said:
        """Returns the first of what says the same, and tells what became of the others."""
        first, *others = same
        for each in others:
            reason = _again(first, each)
            if reason is None:
                self._pass(each, Ignored.REPEATED)
            else:
                self._put(each, reason)
        return first

    def _known(self, of: Expected, status: Status, said: _Said) -> None:
        """Tells that the ledger shows it already, unless it is another booking."""
        told = (of.reference, said.item.reference)
        if status is Status.POSTED and None not in told and told[0] != told[1] and said.item.side:
            self._put(said, Reason.PAID_AGAIN)
        else:
            self._pass(said, Ignored.KNOWN)

    def _put(self, said: _Said, reason: Reason) -> None:
        """Puts something before a person."""
        found = Unmatched(said=said.item, reason=reason, digest=said.digest)
        self._unmatched.append(found)

    def _pass(self, said: _Said, why: Ignored) -> None:
        """Tells that something changes nothing."""
        self._ignored.append(Passed(said=said.item, why=why, digest=said.digest))


def _not_ours(item: Item) -> Reason:
    """Returns why an item belongs to no instruction that is awaited."""
    try:
        parse_instruction_id(item.instruction or "")
    except MalformedError:
        return Reason.UNNAMED
    return Reason.NO_SUCH_INSTRUCTION


def _fault(item: Item, of: Expected, *, bank: PartyId) -> Reason | None:
    """Returns the first that is wrong with an item; None if it is the instruction's."""
    if item.status is Status.UNCLEAR:
        return Reason.UNCLEAR
    if of.status == MIXED:
        return Reason.PART_OF_IT
    number, keepers = _place_of(item, of)
    if bank not in keepers:
        return Reason.OTHER_BANK
    if item.currency not in (None, CURRENCY):
        return Reason.CURRENCY
    is_moved = item.status in (Status.POSTED, Status.RETURNED)
    is_unplaced = item.account is None and item.status is Status.POSTED
    if is_moved and (is_unplaced or item.amount_minor is None):
        return Reason.INCOMPLETE
    if item.account not in (None, number):
        return Reason.ACCOUNT_DIFFERS
    if item.amount_minor is None or item.amount_minor == of.amount_minor:
        return None
    taken = of.amount_minor - item.amount_minor
    return Reason.FEE_TAKEN if taken == item.charges_minor else Reason.AMOUNT_DIFFERS


def _place_of(item: Item, of: Expected) -> tuple[str, frozenset[PartyId]]:
    """Returns the account that an item must be about, and the banks that may say it.

    A booking is of the account that was booked; what comes back is booked the other way.
    A report names the payee's account, and either bank may say that nothing arrives there.
    """
    side = item.side
    if side is not None and item.status is Status.RETURNED:
        side = side.other
    if side is Side.DEBIT:
        return of.payer_number, frozenset({of.payer_bank})
    if side is Side.CREDIT or item.status is Status.POSTED:
        return of.payee_number, frozenset({of.payee_bank})
    return of.payee_number, frozenset({of.payer_bank, of.payee_bank})


def _again(first: _Said, other: _Said) -> Reason | None:
    """Returns whether what says the same is another booking; None if it was told again."""
    if first.item.side is None or other.item.side is None:
        return None
    if (first.digest, first.item.place) == (other.digest, other.item.place):
        return None
    told = (first.item.reference, other.item.reference)
    if None in told:
        return Reason.PERHAPS_AGAIN
    return None if told[0] == told[1] else Reason.PAID_AGAIN


def _outcomes(of: Expected, status: Status, item: Item) -> tuple[Outcome, ...]:
    """Returns what is reported of each instruction; what was not carried out has a reason."""
    has_reason = status in (Status.REJECTED, Status.RETURNED)
    return tuple(
        Outcome(
            instruction=each.n,
            status=status,
            amount_minor=each.amount_minor,
            reason=_code(item.reason) if has_reason else None,
        )
        for each in of.each
    )


def _code(reason: str | None) -> str:
    """Returns a bank's reason as a statement can have it: a code, and no prose."""
    return reason if reason is not None and _CODE.fullmatch(reason) else UNSPECIFIED


def _said_order(said: _Said) -> tuple[str, ...]:
    """Orders what was said, whatever order it came in: bookings first, by time."""
    item = said.item
    is_report = "" if item.side else "report"
    return (is_report, item.booked or "", item.reference or "", said.digest, item.place)


def _unmatched_order(found: Unmatched) -> tuple[str, ...]:
    """Orders what is put before people by message, place, payment and reason."""
    return (found.digest, found.said.place, _named(found.said), found.reason)


def _ignored_order(found: Passed) -> tuple[str, ...]:
    """Orders what changes nothing by message, place, payment and why."""
    return (found.digest, found.said.place, _named(found.said), found.why)


def _named(said: Item | Verdict) -> str:
    """Returns the payment that something is said of, if it is one."""
    return said.instruction or "" if isinstance(said, Item) else ""
