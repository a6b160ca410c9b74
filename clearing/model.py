"""The rows of clearing: runs, their instructions, what they may still pay, and balances.

A due date is cleared in rounds, a run each: what one has not paid by the end of its day, a
later one may. An order binds a lot to the one instruction that may pay it meanwhile, so
that no two routes pay it (its row is added, and a second is refused by the database).

A balance sums up clearing's own postings on an account (see `clearing.postings`): what
has moved on our mirror of a bank account, and what has been discharged of claims and
debts. Debits and credits are kept apart, so that neither is ever negative or shrinks;
over all accounts they are equal.
"""

from collections.abc import Mapping
from enum import StrEnum

from registry.ids import LotId, PartyId, Sid
from registry.tables import Minor, Record, Table


class RunStatus(StrEnum):
    """Where a run is: cleared once its last instruction is posted, or closed before."""

    PLANNED = "planned"
    CLEARED = "cleared"
    CLOSED = "closed"
    """The day is over; what never left the debtor may be planned again."""


class InstructionStatus(StrEnum):
    """What banks have said of an instruction."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    """A bank will carry it out; nothing has moved yet."""
    POSTED = "posted"
    """The payee's account was credited."""
    REJECTED = "rejected"
    """A bank did not carry it out; the money is where it was."""
    RETURNED = "returned"
    """It was carried out, and the money came back."""
    EXPIRED = "expired"
    """Nothing was heard of it by the end of its day, or what it waits for was rejected."""


INSTRUCTION_MOVES: Mapping[InstructionStatus, frozenset[InstructionStatus]] = {
    InstructionStatus.PENDING: frozenset(
        {
            InstructionStatus.ACCEPTED,
            InstructionStatus.POSTED,
            InstructionStatus.REJECTED,
            InstructionStatus.EXPIRED,
        }
    ),
    InstructionStatus.ACCEPTED: frozenset(
        {InstructionStatus.POSTED, InstructionStatus.REJECTED, InstructionStatus.EXPIRED}
    ),
    InstructionStatus.POSTED: frozenset({InstructionStatus.RETURNED}),
    # A bank may do late what it has refused before, or what nobody expected any more.
    InstructionStatus.REJECTED: frozenset({InstructionStatus.POSTED}),
    InstructionStatus.EXPIRED: frozenset({InstructionStatus.POSTED}),
    InstructionStatus.RETURNED: frozenset(),
}
"""Where each status may lead. What banks say is what has happened, however late."""


class Sort(StrEnum):
    """Why money is owed because of an instruction."""

    RETURN = "return"
    """It came for lots that were paid already, or are frozen: the payee owes it back."""
    AGAIN = "again"
    """It came back after it had discharged lots: the debtor owes it once more."""


class ObligationStatus(StrEnum):
    """Whether what is owed because of an instruction still is."""

    DUE = "due"
    MET = "met"


RUN_MOVES: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PLANNED: frozenset({RunStatus.CLEARED, RunStatus.CLOSED}),
    RunStatus.CLEARED: frozenset(),
    RunStatus.CLOSED: frozenset(),
}

OPEN = frozenset({InstructionStatus.PENDING, InstructionStatus.ACCEPTED})
"""Of instructions of which something is still expected."""


class Run(Record, frozen=True, kw_only=True):
    """The clearing of one due date under one plan adopted for it."""

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
    ended: int
    """Instructions that expired, or whose money came back."""
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
    kept: Minor
    """Of the amount, what pays the payee's own lots; the rest is passed on."""
    posted_at: int | None = None
    """When the registry was told that it was posted, in milliseconds."""
    reason: str | None = None
    """Why a bank did not carry it out, or sent it back, in the bank's code."""
    refused_by: PartyId | None = None
    """The bank that did not carry it out."""


class Order(Record, frozen=True, kw_only=True):
    """The one instruction that may pay a lot, as long as it may."""

    lot: LotId
    plan: Sid
    n: int


class Obligation(Record, frozen=True, kw_only=True):
    """Money that is owed because of an instruction, and not on a voucher's live lots.

    Attributes:
        sort: Why.
        plan: The plan of the instruction.
        n: Its number.
        voucher: The voucher.
        owed_by: Who has to pay.
        owed_to: To whom.
        account: Where the money is, or has to go: the payee's account of the instruction.
        amount: Minor units.
        lots: The lots that it was for, which are consumed.
        status: Where it is.
    """

    sort: str
    plan: Sid
    n: int
    voucher: Sid
    owed_by: PartyId
    owed_to: PartyId
    account: Sid
    amount: Minor
    lots: tuple[str, ...]
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
ORDERS = Table(name="order", row=Order, key=("lot",))
OBLIGATIONS = Table(
    name="obligation", row=Obligation, key=("sort", "plan", "n"), indexes=("owed_by", "owed_to")
)
BALANCES = Table(name="balance", row=Balance, key=("account",))

TABLES = (RUNS, INSTRUCTIONS, ORDERS, OBLIGATIONS, BALANCES)
"""Clearing's tables, in the order in which batches read them and digests hash them."""
