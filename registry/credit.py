"""The rows of credit: which invoices back vouchers, how far debtors and financiers may go.

They stand apart from the rows of vouchers and lots, for they say what may be promised and
taken, not what is owed.
"""

from enum import StrEnum

from registry.ids import PartyId, Sid
from registry.tables import Minor, Record, Table


class StopReason(StrEnum):
    """Why a debtor may issue nothing."""

    OVERDUE = "overdue"
    BOND_DEFAULT = "bond-default"
    OVERDUE_LIST = "overdue-list"


class Invoice(Record, frozen=True, kw_only=True):
    """An invoice by its fingerprint, its amount, and how much of it backs vouchers."""

    fingerprint: str
    total: Minor
    used: Minor


class Backing(Record, frozen=True, kw_only=True):
    """How much of an invoice backs one voucher."""

    voucher: Sid
    fingerprint: str
    amount: Minor


class Debtor(Record, frozen=True, kw_only=True):
    """What a party owes on vouchers, and how much it may owe.

    `outstanding` is what it has promised and what is neither paid nor cancelled. The
    registrar sets a limit; the head of a group allocates of its own to members.
    """

    party: PartyId
    outstanding: Minor
    allocated: Minor = Minor(0)
    """Of its limit, to members of its group."""
    limit: Minor | None = None
    source: PartyId | None = None
    """Who set the limit: the registrar, or the head of the party's group."""

    def allows(self, amount: int) -> bool:
        """Tells whether the party may promise so much more."""
        return self.limit is None or self.outstanding + self.allocated + amount <= self.limit


class Exposure(Record, frozen=True, kw_only=True):
    """What a financier holds of one debtor's vouchers, and how much it wants at the most."""

    financier: PartyId
    debtor: PartyId
    held: Minor
    limit: Minor | None = None


class IssuanceStop(Record, frozen=True, kw_only=True):
    """Why a debtor may issue nothing for now (RG-09)."""

    party: PartyId
    reason: str
    statement: Sid


class Voiding(Record, frozen=True, kw_only=True):
    """A debtor's proposal to void a voucher, which its holder has not agreed to yet."""

    voiding: Sid
    voucher: Sid


INVOICES = Table(name="invoice", row=Invoice, key=("fingerprint",), lasting=True)
BACKINGS = Table(name="backing", row=Backing, key=("voucher", "fingerprint"), indexes=("voucher",))
DEBTORS = Table(name="debtor", row=Debtor, key=("party",))
EXPOSURES = Table(
    name="exposure", row=Exposure, key=("financier", "debtor"), indexes=("financier",)
)
STOPS = Table(name="issuance_stop", row=IssuanceStop, key=("party", "reason"), indexes=("party",))
VOIDINGS = Table(name="voiding", row=Voiding, key=("voiding",))

TABLES = (INVOICES, BACKINGS, DEBTORS, EXPOSURES, STOPS, VOIDINGS)
"""In the order in which batches read them."""
