"""Balanced journal entries: what money and claims do when something is posted.

Accounts are named `bank:<account>` (our mirror of a bank's account), `claims:<party>`
(what vouchers owe a holder, an asset) and `debts:<debtor>` (what a debtor owes under
vouchers, a liability, hence negative), and `hops:<party>` (what a party owes because the
debtor's money has come to it, where holders bear that risk; a liability too). Debits are
positive, credits negative.
"""

from dataclasses import dataclass, replace

from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One debit (positive) or credit (negative), in minor units."""

    account: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """Postings that sum to zero."""

    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        """Refuses what does not balance.

        Raises:
            InvariantBrokenError: A posting is of nothing, there is none, or the sum is
                not zero.
        """
        amounts = [posting.amount_minor for posting in self.postings]
        if not amounts or 0 in amounts or sum(amounts) != 0:
            raise InvariantBrokenError(f"postings {amounts} do not balance")

    def reversed(self) -> "JournalEntry":
        """Returns the entry that undoes this one: nothing that was posted is ever deleted."""
        undone = (replace(each, amount_minor=-each.amount_minor) for each in self.postings)
        return JournalEntry(postings=tuple(undone))


def bank_account(account: Sid) -> str:
    """Names the mirror of a bank account."""
    return f"bank:{account}"


def claims_account(holder: PartyId) -> str:
    """Names the account of a holder's claims under vouchers."""
    return f"claims:{holder}"


def debts_account(debtor: PartyId) -> str:
    """Names the account of a debtor's debts under vouchers."""
    return f"debts:{debtor}"


def hops_account(party: PartyId) -> str:
    """Names the account of what a party owes because a debtor's money lies with it."""
    return f"hops:{party}"


def move(amount_minor: int, *, out_of: str, into: str) -> JournalEntry:
    """Credits one account and debits another."""
    return JournalEntry(
        postings=(
            Posting(account=out_of, amount_minor=-amount_minor),
            Posting(account=into, amount_minor=amount_minor),
        )
    )


def activation(amount_minor: int, *, debtor: PartyId, holder: PartyId) -> JournalEntry:
    """Posts a voucher that has become effective: a debt, and a claim of the first holder."""
    return move(amount_minor, out_of=debts_account(debtor), into=claims_account(holder))


def assignment(amount_minor: int, *, assignor: PartyId, assignee: PartyId) -> JournalEntry:
    """Posts an assignment: the claim is the assignee's."""
    return move(amount_minor, out_of=claims_account(assignor), into=claims_account(assignee))


def payment(amount_minor: int, *, payer_account: Sid, payee_account: Sid) -> JournalEntry:
    """Posts money that has moved from one bank account to another."""
    return move(amount_minor, out_of=bank_account(payer_account), into=bank_account(payee_account))


def discharge(amount_minor: int, *, debtor: PartyId, holder: PartyId) -> JournalEntry:
    """Posts a discharge: claim and debt are gone."""
    return move(amount_minor, out_of=claims_account(holder), into=debts_account(debtor))
