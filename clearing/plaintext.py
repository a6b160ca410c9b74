"""Plain text accounting: dated transactions of balanced lines, for hledger and for beancount.

Both programs are a second opinion on our books, so each gets all that it can check: every
account is declared, and balances are asserted. hledger asserts them line by line, beancount
at the end of each day on which an account was booked.

beancount allows little in a name: letters, digits and hyphens, a capital or a digit first.
So there a name stands behind `X`, with what it does not allow written as `-` and a letter.

Source: hledger manual, Journal: directives, tags, balance assertions; Beancount, Language
Syntax: accounts, metadata, balance assertions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import Final

from clearing.postings import Posting

PARENTS: Final = {
    "bank": "Assets:Bank",
    "claims": "Assets:Claims",
    "claims-again": "Assets:Claims:Again",
    "returns-due": "Assets:Returns",
    "top-ups-due": "Assets:TopUps",
    "debts": "Liabilities:Vouchers",
    "debts-again": "Liabilities:Vouchers:Again",
    "hops": "Liabilities:Hops",
    "returns": "Liabilities:Returns",
    "top-ups": "Liabilities:TopUps",
}
"""The place of each sort of account of ours, by what its name begins with."""

_ESCAPED: Final = {"-": "-h", "_": "-u", "#": "-n"}


class Style(StrEnum):
    """The program that reads a journal."""

    HLEDGER = "hledger"
    BEANCOUNT = "beancount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A posting with the balance after it; `is_asserted` prints that balance too."""

    posting: Posting
    balance_minor: int
    is_asserted: bool


@dataclass(slots=True, kw_only=True)
class Transaction:
    """A dated set of lines."""

    day: date
    words: str
    tags: Mapping[str, str | int]
    lines: list[Line] = field(default_factory=list)


def format_transactions(
    transactions: Sequence[Transaction], *, currency: str, style: Style
) -> Iterator[str]:
    """Yields the lines of a journal.

    Args:
        transactions: In the order of their days.
        currency: The ledger's, of two decimals.
        style: Who reads it.
    """
    yield "; Claims and money of the log, derived from its effects."
    names = sorted({line.posting.account for each in transactions for line in each.lines})
    match style:
        case Style.HLEDGER:
            yield from ("decimal-mark .", f"commodity 1000.00 {currency}")
            yield from (f"account {account_name(name)}" for name in names)
            yield from _hledger(transactions, currency)
        case Style.BEANCOUNT:
            yield 'option "title" "Claims and money of the log"'
            yield f'option "operating_currency" "{currency}"'
            first = transactions[0].day if transactions else date(1970, 1, 1)
            yield f"{first} commodity {currency}"
            yield from (f"{first} open {beancount_name(name)} {currency}" for name in names)
            yield from _beancount(transactions, currency)


def _hledger(transactions: Sequence[Transaction], currency: str) -> Iterator[str]:
    """Yields transactions, with balances where they are asserted and at each account's end."""
    last = {line.posting.account: line for each in transactions for line in each.lines}
    for transaction in transactions:
        tags = ", ".join(f"{name}:{value}" for name, value in transaction.tags.items())
        yield from ("", f"{transaction.day} {transaction.words}  ; {tags}")
        for line in transaction.lines:
            text = f"    {account_name(line.posting.account)}  "
            text += f"{format_decimal(line.posting.amount_minor)} {currency}"
            if line.is_asserted or last[line.posting.account] is line:
                text += f" = {format_decimal(line.balance_minor)} {currency}"
            yield text


def _beancount(transactions: Sequence[Transaction], currency: str) -> Iterator[str]:
    """Yields transactions day by day, and after each day the balances that it has left."""
    for day, some in groupby(transactions, key=attrgetter("day")):
        left: dict[str, int] = {}
        for transaction in some:
            yield from ("", f'{transaction.day} * "{transaction.words}"')
            for name, value in transaction.tags.items():
                yield f'  {name}: "{value}"'
            for line in transaction.lines:
                name = beancount_name(line.posting.account)
                yield f"  {name}  {format_decimal(line.posting.amount_minor)} {currency}"
                left[name] = line.balance_minor
        yield ""
        # An assertion is of the day's beginning; without a tolerance of its own a fen passes.
        next_day = day + timedelta(days=1)
        for name, minor in sorted(left.items()):
            yield f"{next_day} balance {name}  {format_decimal(minor)} ~ 0.00 {currency}"


def account_name(account: str) -> str:
    """Returns hledger's name of an account of ours, unique and without hazards.

    Parties and statement ids contain no blank, colon or semicolon, so they stand as they are.
    """
    kind, _, name = account.partition(":")
    return f"{PARENTS[kind]}:{name}"


def beancount_name(account: str) -> str:
    """Returns beancount's name of an account of ours, as unique."""
    kind, _, name = account.partition(":")
    return f"{PARENTS[kind]}:X{''.join(_ESCAPED.get(letter, letter) for letter in name)}"


def format_decimal(minor: int) -> str:
    """Writes signed minor units as a decimal with two places and no grouping."""
    whole, hundredths = divmod(abs(minor), 100)
    return f"{'-' if minor < 0 else ''}{whole}.{hundredths:02}"
