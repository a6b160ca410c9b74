"""What comes of matching: reports to sign, what a person must look at, what changes nothing.

Source: reference 5.3 (4) and (5), notes 5 and 20.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from clearing.model import InstructionRecord
from clearing.rails.messages import Item, Message, Status, Verdict
from clearing.rails.payments import AddressBook, details_of
from clearing.rails.references import instruction_id
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

    @property
    def instruction(self) -> str:
        """Its id at banks."""
        return instruction_id(self.plan, self.n)


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
        )
        found.append(awaited)
    return tuple(found)


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
