"""The rows of clearing: runs, their instructions, what they may still pay, and balances.

A due date is cleared in rounds, a run each: what one has not paid by the end of its day, a
later one may. An order binds a lot to the one instruction that may pay it meanwhile, so
that no two routes pay it (its row is added, and a second is refused by the database).

A balance sums up clearing's own postings on an account (see `clearing.postings`): what
has moved on our mirror of a bank account, and what has been discharged of claims and
debts. Debits and credits are kept apart, so that neither is ever negative or shrinks;
over all accounts they are equal.
"""

from collections.abc import Iterable, Mapping
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
    SENT = "sent"
    """It stands in a file that the operator has handed to the payer's bank."""
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
    REPLACED = "replaced"
    """Its money is sent another way."""
    REDIRECTED = "redirected"
    """Its money came back, or along a way that was replaced, and is sent another way."""


INSTRUCTION_MOVES: Mapping[InstructionStatus, frozenset[InstructionStatus]] = {
    InstructionStatus.PENDING: frozenset(
        {
            InstructionStatus.SENT,
            InstructionStatus.ACCEPTED,
            InstructionStatus.POSTED,
            InstructionStatus.REJECTED,
            InstructionStatus.EXPIRED,
            InstructionStatus.REPLACED,
        }
    ),
    InstructionStatus.SENT: frozenset(
        {
            # Once more, by the operator's choice.
            InstructionStatus.SENT,
            InstructionStatus.ACCEPTED,
            InstructionStatus.POSTED,
            InstructionStatus.REJECTED,
            InstructionStatus.EXPIRED,
            InstructionStatus.REPLACED,
        }
    ),
    InstructionStatus.ACCEPTED: frozenset(
        {
            InstructionStatus.POSTED,
            InstructionStatus.REJECTED,
            InstructionStatus.EXPIRED,
            InstructionStatus.REPLACED,
        }
    ),
    InstructionStatus.POSTED: frozenset({InstructionStatus.RETURNED}),
    # A bank may do late what it has refused before, or what nobody expected any more.
    InstructionStatus.REJECTED: frozenset(
        {InstructionStatus.POSTED, InstructionStatus.EXPIRED, InstructionStatus.REPLACED}
    ),
    # If its money has come after all, it goes back to the debtor.
    InstructionStatus.EXPIRED: frozenset({InstructionStatus.POSTED, InstructionStatus.REPLACED}),
    # What comes along the old way all the same goes back to where the new one starts.
    InstructionStatus.REPLACED: frozenset({InstructionStatus.POSTED, InstructionStatus.REDIRECTED}),
    InstructionStatus.RETURNED: frozenset({InstructionStatus.REDIRECTED}),
    InstructionStatus.REDIRECTED: frozenset(),
}
"""Where each status may lead. What banks say is what has happened, however late."""


class Sort(StrEnum):
    """Why money is owed because of an instruction."""

    RETURN = "return"
    """It came for lots that were paid already, or are frozen: the payee owes it back."""
    AGAIN = "again"
    """It came back after it had discharged lots: the debtor owes it once more."""
    TOP_UP = "top-up"
    """It has not come to a plan or trust in time: the debtor pays it there itself (补付)."""


class ObligationStatus(StrEnum):
    """Whether what is owed because of an instruction still is."""

    DUE = "due"
    ORDERED = "ordered"
    """An instruction pays it."""
    MET = "met"


OBLIGATION_MOVES: Mapping[ObligationStatus, frozenset[ObligationStatus]] = {
    ObligationStatus.DUE: frozenset({ObligationStatus.ORDERED, ObligationStatus.MET}),
    # What was to pay it was not carried out, or paid nobody.
    ObligationStatus.ORDERED: frozenset({ObligationStatus.DUE, ObligationStatus.MET}),
    ObligationStatus.MET: frozenset(),
}


RUN_MOVES: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PLANNED: frozenset({RunStatus.CLEARED, RunStatus.CLOSED}),
    RunStatus.CLEARED: frozenset(),
    # Of what is added later some may expire too.
    RunStatus.CLOSED: frozenset({RunStatus.CLOSED}),
}

UNANSWERED = frozenset({InstructionStatus.PENDING, InstructionStatus.SENT})
"""Of instructions of which no bank has said anything."""

OPEN = UNANSWERED | {InstructionStatus.ACCEPTED}
"""Of instructions of which something is still expected."""

LAPSING = OPEN | {InstructionStatus.REJECTED}
"""Of instructions that bind their lots until the money that they pass on does not come."""


class Fund(Record, frozen=True, kw_only=True):
    """What a debtor's bank has last said there is to pay with, as long as it is not divided.

    That there is nothing (0) stays as its last word, and leaves nothing to divide.

    Attributes:
        fund: The statement that said it.
        account: Where the money is.
        debtor: Whose account it is.
        amount: Minor units.
        designated: The vouchers that the debtor named when paying, in its order.
    """

    fund: Sid
    account: Sid
    debtor: PartyId
    amount: Minor
    designated: tuple[str, ...]


class Run(Record, frozen=True, kw_only=True):
    """The clearing of what is due under one plan adopted for it."""

    plan: Sid
    due_on: str | None
    """None where money of one debtor pays what is due of several dates."""
    pay_on: str
    digest: str
    certificate: str
    """The digest of what it leaves on each account (see `clearing.certificate`)."""
    instructions: int
    vouchers: int
    total: Minor
    gross: Minor
    withheld: Minor
    """Of lots that are due and frozen, and are in no instruction."""
    posted: int
    ended: int
    """Instructions that expired or were replaced, or whose money came back."""
    status: str
    added: int = 0
    """Of its instructions, the last ones, which stand in the place of others."""
    top_up_on: str | None = None
    """The day by which the debtor pays plans and trusts what has not come."""
    fund: Sid | None = None
    """The money that it divides."""
    policy: Sid
    """The policy under which it was adopted."""
    closes_at: int | None = None
    """When its day is over, in milliseconds; None where no rule says."""
    joint: int = 0
    """Payments of several of its instructions that were sent: the number of the next one."""


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
    parts: tuple[str, ...]
    """What is paid of each lot; empty where each is paid whole."""
    kept: Minor
    """Of the amount, what pays the payee's own lots; the rest is passed on."""
    posted_at: int | None = None
    """When the registry was told that it was posted, in milliseconds."""
    reason: str | None = None
    """Why a bank did not carry it out, or sent it back, in the bank's code."""
    refused_by: PartyId | None = None
    """The bank that did not carry it out."""
    instead: int | None = None
    """The instruction in the place of which it stands."""
    pays: str | None = None
    """What is owed because of that one, by its sort, if it pays that."""
    returned_at: int | None = None
    """When the registry was told that its money came back, in milliseconds."""
    holder: PartyId | None = None
    """Who holds the lots that it pays, where that is not the payee."""
    stage: Sid | None = None
    """Of the hop from a stage to the account behind it: the statement that names the stage."""
    relayed: PartyId | None = None
    """The bank whose last word of it the operator relayed; none if a bank signed it itself."""
    sent: Sid | None = None
    """The last statement by which it was handed to the payer's bank."""
    joint: int | None = None
    """The payment of several instructions that it went out in, by its number in the plan."""

    @property
    def creditor(self) -> PartyId:
        """Who is paid by it: the holder of the lots, whosever the account is."""
        return self.holder or self.payee


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
        owed_to: To whom: of what the debtor owes, the holder.
        account: Where the money is, or has to go: the payee's account of the instruction.
        amount: Minor units.
        lots: The lots that it is or was for; of a top-up alone they live.
        status: Where it is.
        due_on: Of a top-up: by when.
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
    due_on: str | None = None


class Hop(Record, frozen=True, kw_only=True):
    """What a party owes of a voucher because the debtor's money for it lies with that party."""

    voucher: Sid
    party: PartyId
    debtor: PartyId
    amount: Minor


class Passing(Record, frozen=True, kw_only=True):
    """What of other people's money has come to an account, and gone on from it."""

    account: Sid
    party: PartyId
    came: Minor
    went: Minor
    over_at: int | None = None
    """When it last came to be more than the policy wanted, in milliseconds."""

    @property
    def others(self) -> int:
        """Other people's money that lies there, in minor units.

        Nothing, where more has gone than came: a bank has carried out what was replaced, too.
        """
        return max(self.came - self.went, 0)


class Balance(Record, frozen=True, kw_only=True):
    """What clearing has posted on an account."""

    account: str
    debited: Minor
    credited: Minor

    @property
    def amount(self) -> int:
        """Debits less credits, in minor units; negative where credits prevail."""
        return self.debited - self.credited


def short_accounts(funds: Iterable[Fund]) -> frozenset[Sid]:
    """Returns the accounts of which a bank has said what there is, and it is not divided yet."""
    return frozenset(row.account for row in funds if row.amount)


FUNDS = Table(name="fund", row=Fund, key=("fund",), indexes=("account",))
RUNS = Table(name="run", row=Run, key=("plan",), indexes=("due_on",))
INSTRUCTIONS = Table(
    name="instruction",
    row=InstructionRecord,
    key=("plan", "n"),
    indexes=("plan", "bank", "voucher", "stage"),
    lasting=True,
)
ORDERS = Table(name="order", row=Order, key=("lot",))
OBLIGATIONS = Table(
    name="obligation",
    row=Obligation,
    key=("sort", "plan", "n"),
    indexes=("voucher", "owed_by", "owed_to"),
)
HOPS = Table(name="hop", row=Hop, key=("voucher", "party"), indexes=("voucher", "party"))
PASSINGS = Table(name="passing", row=Passing, key=("account",))
BALANCES = Table(name="balance", row=Balance, key=("account",))
