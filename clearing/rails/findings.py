"""What comes of matching: reports to sign, what a person must look at, what changes nothing.

Source: reference 5.3 (4) and (5), notes 5 and 20.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from clearing.model import InstructionRecord
from clearing.rails.messages import Item, Message, Status, Verdict
from clearing.rails.payments import AddressBook, details_of
from clearing.rails.references import instruction_id, joint_number
from registry.ids import PartyId, Sid
from registry.money import format_amount

UNSPECIFIED: Final = "UNSPECIFIED"
"""The reason of what was not carried out, where the bank gives none."""


class Reason(StrEnum):
    """Why a person has to look at what a bank said; the first that is wrong."""

    UNNAMED = "unnamed"
    """It names no instruction: other business of the account, or an id that was lost."""
    NO_SUCH_INSTRUCTION = "no-such-instruction"
    """It names one of ours that is not awaited."""
    NO_SUCH_FILE = "no-such-file"
    """It is about a payment file or batch that was not sent."""
    UNCLEAR = "unclear"
    """It has a code without a meaning here."""
    OTHER_BANK = "other-bank"
    """It is another bank's to say."""
    CURRENCY = "currency"
    INCOMPLETE = "incomplete"
    """It says that money moved, and not where or how much."""
    ACCOUNT_DIFFERS = "account-differs"
    FEE_TAKEN = "fee-taken"
    """What was booked is the face less what the bank says it took."""
    AMOUNT_DIFFERS = "amount-differs"
    PART_OF_IT = "part-of-it"
    """It is one payment of several instructions, and the ledger shows some of them carried out."""
    PAID_AGAIN = "paid-again"
    """Another booking of the same instruction, by another reference."""
    PERHAPS_AGAIN = "perhaps-again"
    """Another booking or the same one told again: a reference is missing."""
    MONEY_SPENT = "money-spent"
    """It came back, and what was paid from it did not."""
    CONTRADICTS = "contradicts"
    """An instruction was carried out, and was not."""


class Ignored(StrEnum):
    """Why something that was said changes nothing."""

    REPEATED = "repeated"
    KNOWN = "known"
    """The ledger shows it, or what comes after it."""
    OVERTAKEN = "overtaken"
    """What comes after it was said too."""
    PENDING = "pending"
    """Nothing is decided or booked."""
    FOLLOWS = "follows"
    """What was to bring its money is rejected, and it expires with that."""
    WAITS = "waits"
    """An instruction that comes before is not posted: match the message again when it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An instruction of which word is awaited, or may come again.

    Attributes:
        plan: Its plan.
        n: Its number there.
        amount_minor: Fen.
        payer_bank: The party that keeps the payer's account.
        payer_number: 账号 of the payer.
        payee_bank: The party that keeps the payee's account.
        payee_number: 账号 of the payee.
        after: Numbers of the instructions that must be posted before.
        status: What the ledger shows, in the words of `clearing.model.InstructionStatus`.
        reference: The bank's reference of the booking that posted it, if it was kept.
        joint: The payment of several instructions that it went out in, by its number.
        lots: How many lots it pays.
        members: Of what stands for such a payment: its instructions, by number.
    """

    plan: Sid
    n: int
    amount_minor: int
    payer_bank: PartyId
    payer_number: str
    payee_bank: PartyId
    payee_number: str
    after: tuple[int, ...] = ()
    status: str = "pending"
    reference: str | None = None
    joint: int | None = None
    lots: int = 1
    members: tuple["Expected", ...] = ()

    @property
    def instruction(self) -> str:
        """Its id at banks."""
        return instruction_id(self.plan, self.n)

    @property
    def each(self) -> tuple["Expected", ...]:
        """The instructions that it pays: itself, or its members."""
        return self.members or (self,)


def expected(records: Iterable[InstructionRecord], *, book: AddressBook) -> tuple[Expected, ...]:
    """Returns what word is awaited of, or may come again.

    Raises:
        DetailsMissingError: The book does not have one of the accounts.
    """
    found: list[Expected] = []
    for record in records:
        payer = details_of(book, record.payer_account)
        payee = details_of(book, record.payee_account)
        awaited = Expected(
            plan=record.plan,
            n=record.n,
            amount_minor=record.amount,
            payer_bank=payer.bank,
            payer_number=payer.number,
            payee_bank=payee.bank,
            payee_number=payee.number,
            after=tuple(map(int, record.after)),
            status=record.status,
            joint=record.joint,
            lots=len(record.lots),
        )
        found.append(awaited)
    return tuple(found)


MIXED: Final = "mixed"
"""What the ledger shows of a joint payment of which some is carried out, and some not."""

_CARRIED_OUT: Final = frozenset({"posted", "returned", "redirected"})
_FURTHEST: Final = ("replaced", "expired", "rejected", "accepted", "sent", "pending")


def jointly(awaited: Iterable[Expected]) -> list[Expected]:
    """Returns what banks can name: instructions by themselves, and payments of several."""
    found: list[Expected] = []
    groups: dict[tuple[Sid, int], list[Expected]] = {}
    for each in awaited:
        if each.joint is None:
            found.append(each)
        else:
            groups.setdefault((each.plan, each.joint), []).append(each)
    return found + [_joint(payment, members) for (_, payment), members in groups.items()]


def _joint(payment: int, members: Sequence[Expected]) -> Expected:
    """Returns what stands for one payment of several instructions."""
    ordered = tuple(sorted(members, key=lambda each: each.n))
    statuses = {each.status for each in ordered}
    if statuses.isdisjoint(_CARRIED_OUT):
        status = next((each for each in _FURTHEST if each in statuses), MIXED)
    else:
        status = statuses.pop() if len(statuses) == 1 else MIXED
    return replace(
        ordered[0],
        n=joint_number(payment),
        amount_minor=sum(each.amount_minor for each in ordered),
        after=tuple(sorted({n for each in ordered for n in each.after})),
        status=status,
        lots=sum(each.lots for each in ordered),
        members=ordered,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An item of `clearing.report`."""

    instruction: int
    status: Status
    amount_minor: int
    reason: str | None = None

    def body(self) -> dict[str, str | int]:
        """Returns the item as the statement has it."""
        item: dict[str, str | int] = {
            "amount": format_amount(self.amount_minor),
            "instruction": self.instruction,
            "status": self.status.value,
        }
        return item if self.reason is None else {**item, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is to be signed of one plan, in one statement; each instruction stands in it once."""

    plan: Sid
    items: tuple[Outcome, ...]

    def body(self, message: Message | None = None) -> dict[str, object]:
        """Returns the statement's body, with the message that it was read from."""
        body: dict[str, object] = {"items": [item.body() for item in self.items]}
        if message is not None:
            body["message"] = {"digest": message.digest, "format": message.format}
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """What a person has to look at, and the digest of the message that says it."""

    said: Item | Verdict
    reason: Reason
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What changes nothing, and why."""

    said: Item | Verdict
    why: Ignored
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What comes of a bank's messages.

    Attributes:
        reports: In the order in which they are to be signed.
        unmatched: For people.
        ignored: What changes nothing.
    """

    reports: tuple[Report, ...]
    unmatched: tuple[Unmatched, ...]
    ignored: tuple[Passed, ...]

    def outcomes(self, plan: Sid) -> tuple[Outcome, ...]:
        """Returns what is reported of one plan, in order."""
        return tuple(
            item for report in self.reports if report.plan == plan for item in report.items
        )


# --- Reports ----------------------------------------------------------------------------

ITEMS_MAX: Final = 48
"""Items of one report (see `clearing.rules.reports`)."""

REPORT_BYTES: Final = 62_500
ITEM_BYTES: Final = 940
LOT_BYTES: Final = 360
"""What follows from a report must fit an entry: as much for an item, and for a lot, at the most."""

_STAGES: Final = (Status.ACCEPTED, Status.REJECTED, Status.POSTED, Status.RETURNED)
"""What comes after what: reports are signed in this order, with each instruction once in each."""


class Told(NamedTuple):
    """What is to be reported of one payment, and how many lots it pays."""

    items: tuple[Outcome, ...]
    lots: int


def reports_of(outcomes: Mapping[tuple[Sid, Status], list[Told]]) -> Iterator[Report]:
    """Yields reports by plan and stage, with as much as a statement may have.

    What is said of one payment stands in one report, for it holds of all of it or of nothing.
    """
    for plan, status in sorted(outcomes, key=lambda each: (each[0], _STAGES.index(each[1]))):
        items: list[Outcome] = []
        room = REPORT_BYTES
        for told in sorted(outcomes[plan, status], key=lambda told: told.items[0].instruction):
            size = ITEM_BYTES * len(told.items) + LOT_BYTES * told.lots
            if items and (size > room or len(items) + len(told.items) > ITEMS_MAX):
                yield _report(plan, items)
                items, room = [], REPORT_BYTES
            items += told.items
            room -= size
        yield _report(plan, items)


def _report(plan: Sid, items: Iterable[Outcome]) -> Report:
    """Returns a report, its items by number."""
    return Report(plan=plan, items=tuple(sorted(items, key=lambda item: item.instruction)))
