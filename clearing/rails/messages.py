"""What comes in: a bank's message, and what it says of each payment or of many at once.

Amounts are hundredths of the currency they are in, which for vouchers is fen.

Source: reference 5.3, note 20.
"""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What a bank says of a payment."""

    PENDING = "pending"
    """It has it, and has not decided or not booked."""
    ACCEPTED = "accepted"
    """It carries it out; the payer may have been debited, the payee is not credited."""
    POSTED = "posted"
    """The payee's account is credited."""
    REJECTED = "rejected"
    """It is not carried out."""
    RETURNED = "returned"
    """It came back."""
    UNCLEAR = "unclear"
    """It says what a person has to read: no code that has a meaning here."""


class Side(StrEnum):
    """Which way an account was booked."""

    CREDIT = "credit"
    DEBIT = "debit"

    @property
    def other(self) -> "Side":
        """The opposite."""
        return Side.DEBIT if self is Side.CREDIT else Side.CREDIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What a bank says of one payment.

    Attributes:
        place: Where in the message it stands, for people.
        status: What it says.
        instruction: The id that it names.
        amount_minor: Hundredths of the currency; None where a status report names none.
        currency: ISO 4217, where there is an amount.
        account: The number of the account that was booked, or that the report names as
            the payee's.
        side: How that account was booked; None in a report of what will be.
        reason: The bank's code for what was not carried out, or came back.
        booked: Day or time of the booking, as the bank wrote it.
        reference: The bank's own.
        remittance: 附言, as the bank gives it.
        charges_minor: What the bank says it took for itself, in hundredths.
    """

    place: str
    status: Status
    instruction: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    account: str | None = None
    side: Side | None = None
    reason: str | None = None
    booked: str | None = None
    reference: str | None = None
    remittance: str | None = None
    charges_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a bank says of a whole payment file, or of one batch in it.

    Attributes:
        place: Where in the message it stands, for people.
        status: What it says.
        file: The payment file's message id, where it names one.
        batch: The batch, if not the whole file is meant.
        amount_minor: What was booked at once for all of it, in fen.
        account: The number of the account that was booked.
        side: How that account was booked.
        reason: The bank's code.
        reference: The bank's own.
    """

    place: str
    status: Status
    file: str | None = None
    batch: str | None = None
    amount_minor: int | None = None
    account: str | None = None
    side: Side | None = None
    reason: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A bank's message, or of several statements in one file one.

    Attributes:
        format: Such as `camt.054.001.08`, or the name of a mapping.
        digest: The digest of the file's bytes.
        message_id: The bank's id of it.
        items: What it says of single payments, in its order.
        verdicts: What it says of many at once.
        account: The number of the account that it is about.
        opening_minor: The balance before, in fen, negative if overdrawn.
        closing_minor: The balance after.
        credited_minor: Sum of what was booked in favour.
        debited_minor: Sum of what was booked against.
    """

    format: str
    digest: str
    message_id: str
    items: tuple[Item, ...]
    verdicts: tuple[Verdict, ...] = ()
    account: str | None = None
    opening_minor: int | None = None
    closing_minor: int | None = None
    credited_minor: int = 0
    debited_minor: int = 0

    @property
    def gap_minor(self) -> int | None:
        """What is missing between the balances, in fen; None without both of them.

        Other than zero, the statement leaves a booking out, or is one page of several.
        """
        if self.opening_minor is None or self.closing_minor is None:
            return None
        booked = self.credited_minor - self.debited_minor
        return self.closing_minor - self.opening_minor - booked
