"""What a plan books: a line for each movement of money and for each lot's end.

Each line is balanced, one account debited and one credited. What all of them leave is
kept per account, and grows with the accounts alone.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Encoder

from clearing.postings import bank_account, claims_account, debts_account
from clearing.routes import Debt, Instruction, RoutedStep
from registry.errors import InvariantBrokenError

encode_lines: Final = Encoder().encode_lines
"""Writes structs as lines of canonical JSON: members in order, texts plain by their forms."""


class Booking(Struct, frozen=True, omit_defaults=True, gc=False):
    """A balanced entry of two postings; members in canonical order.

    Attributes:
        amount: Minor units, as text.
        credit: The account that is credited.
        debit: The account that is debited.
        lot: The lot that is discharged; none where money moves.
        n: The instruction by which it is.
    """

    amount: str
    credit: str
    debit: str
    lot: str = ""
    n: int = -1


class Left(Struct, frozen=True, gc=False):
    """What a package's postings leave on an account; members in canonical order."""

    account: str
    credited: str
    debited: str


class Account(Struct, gc=False):
    """An account by its name, and what was booked on it, in minor units."""

    name: str
    credited: int = 0
    debited: int = 0


class _Accounts(dict[str, Account]):
    """The accounts of one kind, each opened when it is first asked for."""

    def __init__(self, name_of: Callable[[Any], str]) -> None:
        """Starts with none; their names are made of what they are asked for by."""
        super().__init__()
        self._name_of = name_of

    def __missing__(self, key: str) -> Account:
        """Opens an account."""
        account = self[key] = Account(self._name_of(key))
        return account


class Books:
    """Books instructions, and adds up what they leave on each account."""

    def __init__(self) -> None:
        """Starts with no account."""
        self._banks = _Accounts(bank_account)
        self._claims = _Accounts(claims_account)
        self._debts = _Accounts(debts_account)

    def _kinds(self) -> tuple[_Accounts, _Accounts, _Accounts]:
        """Returns the accounts by kind, in the order of their names."""
        return self._banks, self._claims, self._debts

    def __iter__(self) -> Iterator[Account]:
        """Gives the accounts by name."""
        return (kind[key] for kind in self._kinds() for key in sorted(kind))

    def add(self, other: "Books") -> None:
        """Adds what was booked elsewhere."""
        for kind, others in zip(self._kinds(), other._kinds(), strict=True):
            for key, account in others.items():
                kind[key].credited += account.credited
                kind[key].debited += account.debited

    def book(
        self, voucher: Debt, steps: Sequence[RoutedStep], instructions: Sequence[Instruction]
    ) -> list[Booking]:
        """Books a voucher's instructions: the money of each, then the end of each of its lots."""
        banks, debts = self._banks, self._debts[voucher.debtor]
        bookings: list[Booking] = []
        for step, order in zip(steps, instructions, strict=True):
            payer, payee = banks[step.payer_account], banks[step.payee_account]
            payer.credited += step.amount_minor
            payee.debited += step.amount_minor
            bookings.append(Booking(order.amount, payer.name, payee.name, n=order.n))
            for lot in step.held:
                amount, claims = lot.amount, self._claims[lot.holder]
                claims.credited += amount
                debts.debited += amount
                line = Booking(str(amount), claims.name, debts.name, lot.lot, order.n)
                bookings.append(line)
        return bookings

    def verify(self, owed_minor: int) -> None:
        """Verifies that debits and credits are equal, and debts debited with what is owed.

        Raises:
            InvariantBrokenError: They are not (our bug).
        """
        if sum(each.debited for each in self) != sum(each.credited for each in self):
            raise InvariantBrokenError("debits and credits differ")
        discharged = sum(each.debited for each in self._debts.values())
        if discharged != owed_minor:
            raise InvariantBrokenError(f"{discharged} is discharged of {owed_minor}")


def format_left(account: Account) -> bytes:
    """Writes what is left on an account, as a line of canonical JSON."""
    return encode_lines([Left(account.name, str(account.credited), str(account.debited))])
