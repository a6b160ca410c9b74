"""Account statements against the ledger: what a bank booked, and what was posted.

Each instruction has one figure on each of its two accounts: what it was booked with in
favour, less what against. In the ledger that is its amount where it is posted, and nothing
where it is not or has come back. What a statement has of other business is added up apart:
it is no difference, but part of opening + bookings = closing.

Source: TR-06; reference 5.3; ISO 20022, camt.053.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Final

from clearing.rails.messages import Item, Message, Side, Status
from clearing.rails.payments import CURRENCY

_BOOKED: Final = frozenset({Status.POSTED, Status.ACCEPTED, Status.RETURNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An instruction, as the ledger has it.

    Attributes:
        instruction: Its id at banks.
        amount_minor: Fen.
        payer_number: 账号 of the payer.
        payee_number: 账号 of the payee.
        is_posted: Whether its money is where it was to go, by the ledger.
    """

    instruction: str
    amount_minor: int
    payer_number: str
    payee_number: str
    is_posted: bool

    def figures(self) -> Iterator[tuple[str, int]]:
        """Yields what the ledger has of it on either account, by number."""
        amount = self.amount_minor if self.is_posted else 0
        yield self.payer_number, -amount
        yield self.payee_number, amount


class Booked(StrEnum):
    """How an account's statement and the ledger differ."""

    GAP = "gap"
    """Opening and bookings do not make up the closing balance."""
    BREAK = "break"
    """A statement does not begin with what the one before it ended with."""
    NOT_BOOKED = "not-booked"
    """The ledger has it as posted, and the statement has nothing."""
    NOT_POSTED = "not-posted"
    """The bank has booked it, and the ledger has it not as posted."""
    AMOUNT_DIFFERS = "amount-differs"
    ACCOUNT_DIFFERS = "account-differs"
    """It was booked on an account that it does not move."""
    UNCLEAR = "unclear"
    """It has a code without a meaning here, or no amount in yuan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankDifference:
    """Something that a bank's statements and the ledger do not agree on; `amount_minor` apart."""

    what: Booked
    account: str
    instruction: str | None
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDay:
    """What statements say of an account on a day; amounts in fen.

    Attributes:
        account: 账号.
        day: As the bank wrote it.
        credited_minor: For our instructions, in favour.
        debited_minor: For our instructions, against.
        other_minor: Other business, in favour less against.
    """

    account: str
    day: str
    credited_minor: int
    debited_minor: int
    other_minor: int


def compare(
    messages: Iterable[Message],
    moves: Iterable[Moved],
    *,
    batches: Mapping[str, Sequence[str]] = {},
) -> tuple[tuple[AccountDay, ...], tuple[BankDifference, ...]]:
    """Compares accounts' statements with the ledger's instructions.

    Args:
        messages: Statements, those of an account in the order of their days.
        moves: The instructions; what is on no account of the statements is not looked at.
        batches: The instructions of each batch that went out, for what was debited at once.

    Returns:
        What is booked by account and day, and what differs.
    """
    by_id = {each.instruction: each for each in moves}
    statements = list({(each.digest, each.account): each for each in messages}.values())
    told = {each.account for each in statements}
    booked: Counter[tuple[str, str]] = Counter()
    days: dict[tuple[str, str], Counter[str]] = {}
    found = list(_breaks(statements))
    for item in _items(statements, by_id, batches):
        account, minor = item.account or "", item.amount_minor or 0
        signed = minor if item.side is Side.CREDIT else -minor
        day = days.setdefault((account, (item.booked or "")[:10]), Counter())
        of = by_id.get(item.instruction or "")
        if of is None:
            day["other"] += signed
        elif item.status not in _BOOKED or item.amount_minor is None or item.currency != CURRENCY:
            found.append(_difference(Booked.UNCLEAR, account, of, minor))
        elif account not in (of.payer_number, of.payee_number):
            day["other"] += signed
            # Where a number is not known to who compares, it may be that account.
            if of.payer_number and of.payee_number:
                found.append(_difference(Booked.ACCOUNT_DIFFERS, account, of, signed))
        else:
            day["credited" if signed > 0 else "debited"] += minor
            booked[of.instruction, account] += signed
    for of in by_id.values():
        for account, expected in of.figures():
            minor = booked[of.instruction, account]
            if account in told and minor != expected:
                what = _why(of, booked=minor)
                found.append(_difference(what, account, of, minor - expected))
    lines = tuple(
        AccountDay(
            account=account,
            day=day,
            credited_minor=sums["credited"],
            debited_minor=sums["debited"],
            other_minor=sums["other"],
        )
        for (account, day), sums in sorted(days.items())
    )
    return lines, tuple(found)


def _why(of: Moved, *, booked: int) -> Booked:
    """Names how a booking differs from what the ledger has."""
    if not booked:
        return Booked.NOT_BOOKED
    return Booked.AMOUNT_DIFFERS if of.is_posted else Booked.NOT_POSTED


def _difference(what: Booked, account: str, of: Moved, amount_minor: int) -> BankDifference:
    """Returns a difference of an instruction."""
    return BankDifference(
        what=what, account=account, instruction=of.instruction, amount_minor=amount_minor
    )


def _items(
    statements: Iterable[Message], moves: Mapping[str, Moved], batches: Mapping[str, Sequence[str]]
) -> Iterator[Item]:
    """Yields what was booked one by one; one booking for a batch that is known is split."""
    for message in statements:
        yield from (item for item in message.items if item.status is not Status.PENDING)
        for verdict in message.verdicts:
            orders = [moves[name] for name in batches.get(verdict.batch or "", ()) if name in moves]
            is_whole = sum(each.amount_minor for each in orders) == verdict.amount_minor
            for name, minor in (
                [(each.instruction, each.amount_minor) for each in orders]
                if is_whole
                else [(None, verdict.amount_minor)]
            ):
                yield Item(
                    place=verdict.place,
                    status=verdict.status,
                    instruction=name,
                    amount_minor=minor,
                    currency=CURRENCY,
                    account=verdict.account,
                    side=verdict.side,
                )


def _breaks(statements: Iterable[Message]) -> Iterator[BankDifference]:
    """Yields statements that do not add up, or do not follow one another."""
    by_account = sorted(statements, key=lambda each: each.account or "")
    for account, some in groupby(by_account, key=attrgetter("account")):
        of = [each for each in some if each.opening_minor is not None]
        for each in of:
            if each.gap_minor:
                yield BankDifference(
                    what=Booked.GAP,
                    account=account or "",
                    instruction=None,
                    amount_minor=each.gap_minor,
                )
        for before, after in pairwise(of):
            if before.closing_minor is None or after.opening_minor is None:
                continue
            if apart := after.opening_minor - before.closing_minor:
                yield BankDifference(
                    what=Booked.BREAK, account=account or "", instruction=None, amount_minor=apart
                )
