"""The rows of clearing: runs, their instructions, and balances.

A balance sums up clearing's own postings on an account (see `clearing.postings`): what
has moved on our mirror of a bank account, and what has been discharged of claims and
debts. Debits and credits are kept apart, so that neither is ever negative or shrinks;
over all accounts they are equal.
"""

from enum import StrEnum

from registry.ids import PartyId, Sid
from registry.tables import Minor, Record, Table


class RunStatus(StrEnum):
    """Where a run is: cleared once its last instruction is posted."""

    PLANNED = "planned"
    CLEARED = "cleared"


class InstructionStatus(StrEnum):
    """Whether the payee's bank has confirmed an instruction."""

    PENDING = "pending"
    POSTED = "posted"


class Run(Record, frozen=True, kw_only=True):
    """The clearing of one due date under the one plan adopted for it."""

    plan: Sid
    due_on: str
    pay_on: str
    digest: str
    instructions: int
    vouchers: int
    total: Minor
    gross: Minor
    withheld: Minor
    """Of lots that are due and frozen, and are in no instruction."""
    posted: int
    status: str


class InstructionRecord(Record, frozen=True, kw_only=True):
    """An instruction of an adopted plan (see `clearing.routes.Instruction`).

    `after` holds the numbers of the instructions that come before, as text.
    """

    plan: Sid
    n: int
    route: str
    voucher: Sid
    payer_account: Sid
    payer: PartyId
    payee_account: Sid
    payee: PartyId
    bank: PartyId
    amount: Minor
    authority: Sid
    lots: tuple[str, ...]
    after: tuple[str, ...]
    remittance: str
    status: str


class Balance(Record, frozen=True, kw_only=True):
    """What clearing has posted on an account."""

    account: str
    debited: Minor
    credited: Minor

    @property
    def amount(self) -> int:
        """Debits less credits, in minor units; negative where credits prevail."""
        return self.debited - self.credited


RUNS = Table(name="run", row=Run, key=("plan",), indexes=("due_on",))
INSTRUCTIONS = Table(
    name="instruction",
    row=InstructionRecord,
    key=("plan", "n"),
    indexes=("plan", "bank"),
    lasting=True,
)
BALANCES = Table(name="balance", row=Balance, key=("account",))

TABLES = (RUNS, INSTRUCTIONS, BALANCES)
"""Clearing's tables, in the order in which batches read them and digests hash them."""
