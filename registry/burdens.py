"""The rows of what weighs on a claim: pledges, freezes, disputes; and what secures it.

A lot names its burdens, oldest first; their rows tell more. A burdened lot is neither
offered nor pledged, so that its id stays while a burden stands. A pledge, a freeze, a
dispute and an external registration keep their rows when they end: each is a small
machine of statuses, and `require_move` is the one check of all of them.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from registry.encumbrance_refusals import (
    MoveNotAllowedError,
)
from registry.ids import Kid, LotId, PartyId, Sid
from registry.tables import Minor, Record, Table

BURDENS_MAX = 16
"""Burdens of one lot: a bound of the format."""


class Restriction(StrEnum):
    """What the contract behind a voucher says of assigning the claim (SD-17).

    A restriction of a money claim does not bind third parties (Civil Code, art. 545), so
    it stops no transfer; it is shown, and keeps the claim out of a pool.
    """

    NONE = "none"
    CONDITION_FULFILLED = "condition-fulfilled"
    RESTRICTED = "restricted"


class PledgeStatus(StrEnum):
    """Where a pledge is; it arises with its external registration (Civil Code, art. 445)."""

    PENDING = "pending"
    REGISTERED = "registered"
    ENFORCED = "enforced"
    RELEASED = "released"
    LAPSED = "lapsed"


class FreezeStatus(StrEnum):
    """Where a judicial freeze is: freezing a lot is not yet an order to pay the court."""

    FROZEN = "frozen"
    ORDERED = "ordered"
    PAYABLE = "payable"
    LIFTED = "lifted"


class DisputeStatus(StrEnum):
    """Where a dispute between debtor and original creditor is."""

    RAISED = "raised"
    ANSWERED = "answered"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"


class FilingStatus(StrEnum):
    """Whether an external registration stands."""

    STANDING = "standing"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


S = TypeVar("S", bound=StrEnum)

PLEDGE_MOVES: Mapping[PledgeStatus, frozenset[PledgeStatus]] = {
    PledgeStatus.PENDING: frozenset(
        {PledgeStatus.REGISTERED, PledgeStatus.RELEASED, PledgeStatus.LAPSED}
    ),
    PledgeStatus.REGISTERED: frozenset({PledgeStatus.ENFORCED, PledgeStatus.RELEASED}),
    PledgeStatus.ENFORCED: frozenset({PledgeStatus.RELEASED}),
    PledgeStatus.RELEASED: frozenset(),
    PledgeStatus.LAPSED: frozenset(),
}
FREEZE_MOVES: Mapping[FreezeStatus, frozenset[FreezeStatus]] = {
    FreezeStatus.FROZEN: frozenset(
        {FreezeStatus.ORDERED, FreezeStatus.PAYABLE, FreezeStatus.LIFTED}
    ),
    # The debtor's objection ends the order, and the freeze stays.
    FreezeStatus.ORDERED: frozenset(
        {FreezeStatus.FROZEN, FreezeStatus.PAYABLE, FreezeStatus.LIFTED}
    ),
    FreezeStatus.PAYABLE: frozenset({FreezeStatus.LIFTED}),
    FreezeStatus.LIFTED: frozenset(),
}
DISPUTE_MOVES: Mapping[DisputeStatus, frozenset[DisputeStatus]] = {
    DisputeStatus.RAISED: frozenset(
        {DisputeStatus.ANSWERED, DisputeStatus.RESOLVED, DisputeStatus.WITHDRAWN}
    ),
    DisputeStatus.ANSWERED: frozenset({DisputeStatus.RESOLVED, DisputeStatus.WITHDRAWN}),
    DisputeStatus.RESOLVED: frozenset(),
    DisputeStatus.WITHDRAWN: frozenset(),
}
FILING_MOVES: Mapping[FilingStatus, frozenset[FilingStatus]] = {
    # Changed and renewed, it still stands.
    FilingStatus.STANDING: frozenset(FilingStatus),
    FilingStatus.CANCELLED: frozenset(),
    FilingStatus.EXPIRED: frozenset(),
}


def require_move(moves: Mapping[S, frozenset[S]], of: str, *, status: str, to: S) -> None:
    """Checks that a thing may pass from its status to another.

    Args:
        moves: Where each status may lead.
        of: The thing's id.
        status: Where it is.
        to: Where it would be.

    Raises:
        MoveNotAllowedError: It may not.
    """
    if to not in moves[type(to)(status)]:
        raise MoveNotAllowedError(of=of, status=status, to=str(to))


class Pledge(Record, frozen=True, kw_only=True):
    """A pledge of one lot, which is `<pledge>.0`, for a debt of the pledgor or another's.

    From its registration on the lot is paid into the pledge's account, directly;
    `own_account` and `own_route` are what the lot returns to when the pledge ends.
    """

    pledge: Sid
    lot: LotId
    voucher: Sid
    pledgor: PartyId
    pledgee: PartyId
    amount: Minor
    secured: Minor
    account: Sid
    own_account: Sid
    own_route: bool
    register_by: int
    kid: Kid
    status: str


class Freeze(Record, frozen=True, kw_only=True):
    """A court's freeze of one lot; what identifies the case is there by digest.

    `bank` and `account` (by its terms' digest) are the court's, once it has ordered payment, and
    `payee_account` is the row of that account, by the statement of the order; `objection_ends`
    is the instant from which the debtor can no longer object.
    """

    freeze: Sid
    lot: LotId
    voucher: Sid
    holder: PartyId
    authority: str
    number: str
    order: str
    status: str
    bank: PartyId | None = None
    account: str | None = None
    objection_ends: int | None = None
    payee_account: Sid | None = None


class Dispute(Record, frozen=True, kw_only=True):
    """A debtor's claim against the original creditor; it never reduces what the lots are paid.

    `owed` is what the original creditor has admitted, a claim apart (SD-45).
    """

    dispute: Sid
    voucher: Sid
    debtor: PartyId
    creditor: PartyId
    amount: Minor
    reason: str
    status: str
    owed: Minor | None = None


class Filing(Record, frozen=True, kw_only=True):
    """A registration elsewhere (中登网) of a transfer or a pledge, as its right-holder has it."""

    filing: Sid
    subject: Sid
    voucher: Sid
    party: PartyId
    number: str
    registered_at: int
    expires_on: str
    certificate: str
    calendar: str
    """By which tasks about it are counted."""
    status: str


class Search(Record, frozen=True, kw_only=True):
    """A search elsewhere (查重) over every assignor behind a lot, before it is financed."""

    search: Sid
    lot: LotId
    voucher: Sid
    party: PartyId
    searched_at: int
    """The oldest of its certificates, in milliseconds."""


class Task(Record, frozen=True, kw_only=True):
    """Something that a party must do elsewhere, by the end of a business day."""

    task: Sid
    work: str
    subject: Sid
    party: PartyId
    due_on: str
    is_overdue: bool = False


class Accessory(Record, frozen=True, kw_only=True):
    """A right that secures a whole voucher up to a cap, and goes with its lots pro rata."""

    accessory: Sid
    voucher: Sid
    provider: PartyId
    right: str
    cap: Minor
    document: str
    addressee: str | None = None
    """Who may call on a person's promise; of no other right."""
    trigger: str | None = None
    """What must have come about before that: see `registry.liability`."""
    working_days_before: int | None = None
    """Of trigger `unpaid-at`: before the due date."""
    minute: int | None = None
    """Of trigger `unpaid-at`: of that day, from midnight in the ledger's zone."""


class Accession(Record, frozen=True, kw_only=True):
    """A joining of a voucher's debt, as far as it goes; none of it is left once it is refused."""

    accession: Sid
    voucher: Sid
    co_debtor: PartyId
    scope: str
    cap: Minor | None = None
    """Of scope `capped`."""
    refuse_by: int
    """The instant from which the creditor can no longer refuse it, in milliseconds."""


def court_accounts(freezes: Iterable[Freeze]) -> dict[LotId, Sid]:
    """Returns the account of the court into which each lot is paid that is to be paid to one.

    It is the first freeze's: no later one can be ordered paid while that stands.
    """
    return {
        row.lot: row.payee_account
        for row in freezes
        if row.status == FreezeStatus.PAYABLE and row.payee_account is not None
    }


def ordered_accounts(freezes: Iterable[Freeze]) -> list[tuple[LotId, Sid]]:
    """Returns which accounts of courts have been named for which lots, lifted orders included."""
    return [(row.lot, row.payee_account) for row in freezes if row.payee_account is not None]


def frozen_lots(freezes: Iterable[Freeze]) -> frozenset[LotId]:
    """Returns the lots that are withheld from their holders: those of which a freeze stands.

    Those that are paid to a court (`court_accounts`) are among them.
    """
    return frozenset(row.lot for row in freezes if row.status != FreezeStatus.LIFTED)


PLEDGES = Table(name="pledge", row=Pledge, key=("pledge",), indexes=("lot", "pledgee", "account"))
FREEZES = Table(name="freeze", row=Freeze, key=("freeze",), indexes=("lot",))
DISPUTES = Table(name="dispute", row=Dispute, key=("dispute",), indexes=("voucher",))
FILINGS = Table(name="filing", row=Filing, key=("filing",), indexes=("subject", "party"))
SEARCHES = Table(name="search", row=Search, key=("search",), indexes=("lot", "party"))
TASKS = Table(name="task", row=Task, key=("task",), indexes=("subject", "party"))
ACCESSORIES = Table(name="accessory", row=Accessory, key=("accessory",), indexes=("voucher",))
ACCESSIONS = Table(name="accession", row=Accession, key=("accession",), indexes=("voucher",))

TABLES = (PLEDGES, FREEZES, DISPUTES, FILINGS, SEARCHES, TASKS, ACCESSORIES, ACCESSIONS)
"""In the order in which batches read them and digests hash them; they stand before lots."""
