"""What goes out: instructions as the payers' banks are told of them.

The registry knows an account by the digest of its details; the details (name, number,
branch, clearing code) are confidential, and come to this package as an address book.

Source: reference notes 4, 5, 8, 20.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from clearing.model import InstructionRecord
from clearing.rails.errors import (
    BankFileError,
    BankTextRefusedError,
    CurrencyRefusedError,
    DetailsMissingError,
)
from clearing.rails.references import instruction_id
from registry.canonical import digest_b64url
from registry.errors import InvariantBrokenError, MalformedError
from registry.ids import PartyId, Sid
from registry.money import AMOUNT_MAX, AMOUNT_MIN

CURRENCY: Final = "CNY"

# What the batches of a file are numbered with fits the 35 characters of an id too.
_MESSAGE_ID: Final = re.compile(r"[0-9A-Za-z]{1,28}")
_NUMBER: Final = re.compile(r"[0-9A-Za-z]([0-9A-Za-z-]{0,32}[0-9A-Za-z])?")
_CLEARING_CODE: Final = re.compile(r"[0-9]{12}")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def check_text(text: str, *, field: str) -> None:
    """Checks that a text reads the same to a person and to a bank's program.

    Raises:
        BankTextRefusedError: It is empty, has space around it, or holds a line break, a
            control, direction or private-use character.
    """
    if not text or text != text.strip():
        raise BankTextRefusedError(field=field, reason="empty, or with space around it")
    for character in text:
        if unicodedata.category(character) in _HIDDEN or ord(character) & 0xFFFE == 0xFFFE:
            reason = f"U+{ord(character):04X} may not stand in a text"
            raise BankTextRefusedError(field=field, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDetails:
    """What a bank needs to know of an account, which the log holds the digest of.

    Attributes:
        bank: The party that keeps it.
        name: The owner's name at the bank (户名).
        number: 账号, without spaces.
        branch: The branch that keeps it (开户行).
        clearing_code: The branch's twelve digits (联行号).
    """

    bank: PartyId
    name: str
    number: str
    branch: str
    clearing_code: str

    def __post_init__(self) -> None:
        """Checks the form of each.

        Raises:
            BankTextRefusedError: A name cannot stand in any bank's file.
            MalformedError: The number or the clearing code has another form.
        """
        check_text(self.name, field="name")
        check_text(self.branch, field="branch")
        if not _NUMBER.fullmatch(self.number):
            raise MalformedError(what="account number", reason="not 1 to 34 letters and digits")
        if not _CLEARING_CODE.fullmatch(self.clearing_code):
            raise MalformedError(what="clearing code", reason="not twelve digits")


AddressBook = Mapping[Sid, AccountDetails]
"""The details of accounts, by the account's id in the registry."""


def details_of(book: AddressBook, account: Sid) -> AccountDetails:
    """Returns the details of an account.

    Raises:
        DetailsMissingError: The book does not have it.
    """
    details = book.get(account)
    if details is None:
        raise DetailsMissingError(account=account)
    return details


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """An instruction, or several that are paid at once, as the payer's bank is told of it.

    Attributes:
        plan: Its plan.
        n: Its number there, or that of a joint payment (see `rails.references`).
        payer: The account that is debited.
        payee: The account that is credited.
        amount_minor: Fen.
        remittance: The debtor's number of the voucher (附言).
        authority: The mandate under which the payer's account is debited.
        on: The day on which the bank is to carry it out.
        currency: ISO 4217.
    """

    plan: Sid
    n: int
    payer: AccountDetails
    payee: AccountDetails
    amount_minor: int
    remittance: str
    authority: Sid
    on: date
    currency: str = CURRENCY

    @property
    def instruction(self) -> str:
        """Its id at banks."""
        return instruction_id(self.plan, self.n)


def payments(
    records: Iterable[InstructionRecord], *, book: AddressBook, on: date
) -> tuple[Payment, ...]:
    """Returns instructions as payments, in their order.

    Which of them may go out now is the caller's to know: money that an earlier one brings
    must have come.

    Raises:
        DetailsMissingError: The book does not have one of the accounts.
    """
    return tuple(
        Payment(
            plan=record.plan,
            n=record.n,
            payer=details_of(book, record.payer_account),
            payee=details_of(book, record.payee_account),
            amount_minor=record.amount,
            remittance=record.remittance,
            authority=record.authority,
            on=on,
        )
        for record in records
    )


def by_payer(payments: Iterable[Payment]) -> dict[tuple[AccountDetails, date], list[Payment]]:
    """Groups payments by the payer's account and the day: what a bank carries out as one."""
    grouped: dict[tuple[AccountDetails, date], list[Payment]] = {}
    for payment in payments:
        grouped.setdefault((payment.payer, payment.on), []).append(payment)
    return grouped


def check_file(payments: Sequence[Payment], *, message_id: str) -> None:
    """Checks what holds of a payment file in any format.

    Raises:
        InvariantBrokenError: No payment, or payers of several banks (caller bug).
        BankFileError: The message id is not 1 to 28 letters and digits; an amount is
            outside what is paid; an instruction comes twice.
        CurrencyRefusedError: A payment is not in the ledger's currency.
    """
    if len({payment.payer.bank for payment in payments}) != 1:
        raise InvariantBrokenError("a payment file is for one bank")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise BankFileError(what="message id", reason="not 1 to 28 letters and digits")
    seen: set[str] = set()
    for payment in payments:
        if payment.currency != CURRENCY:
            raise CurrencyRefusedError(currency=payment.currency, expected=CURRENCY)
        if not AMOUNT_MIN <= payment.amount_minor <= AMOUNT_MAX:
            raise BankFileError(what="amount", reason=f"{payment.amount_minor} fen is not paid")
        if payment.instruction in seen:
            raise BankFileError(what=payment.instruction, reason="is in the file twice")
        seen.add(payment.instruction)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBatch:
    """Payments out of one account on one day, in their order in the file."""

    batch: str
    instructions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A payment file, and what a bank's answer to all of it is about."""

    format: str
    message_id: str
    data: bytes
    batches: tuple[SentBatch, ...]

    @property
    def digest(self) -> str:
        """The digest of its bytes."""
        return digest_b64url(self.data)

    @property
    def instructions(self) -> tuple[str, ...]:
        """Every instruction in it, in the order of the file."""
        return tuple(each for batch in self.batches for each in batch.instructions)
