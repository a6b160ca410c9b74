"""The rows of the state: parties, keys, accounts, vouchers, lots, offers.

A lot's amount, holder and voucher never change: it is created by one entry and consumed by at
most one. A consumed lot's row ends; all that a decision or a plan needs of its ancestors (the
chain of holders) stands in the lot itself, so that the state grows with what lives.
"""

from enum import StrEnum

from registry import burdens, credit, dealings, inboxes, stages
from registry.ids import Kid, LotId, Origin, PartyId, Sid
from registry.people import (
    AFFILIATIONS,
    APPROVAL_RULES,
    APPROVALS,
    KEYS,
    PENDING,
    REGISTRATIONS,
    SUSPENSIONS,
    WAITED,
    Binding,
)
from registry.tables import Minor, Record, Table


class Role(StrEnum):
    """What the registrar admitted a party as (SD-01)."""

    OPERATOR = "operator"
    REGISTRAR = "registrar"
    PARTICIPANT = "participant"
    FINANCIER = "financier"
    TRUSTEE = "trustee"
    VEHICLE = "vehicle"
    BANK = "bank"
    AUDITOR = "auditor"


ASSIGNMENTS_MAX = 64
"""Assignments of a lot: a bound of the format; how long chains should be is policy."""
HOLDER_ROLES = frozenset({Role.PARTICIPANT, Role.FINANCIER, Role.VEHICLE})
"""Who may hold lots: never the operator, the registrar or a bank as such (RG-02, I11)."""


class VoucherStatus(StrEnum):
    """Where a voucher is in its life; the last five are final."""

    ISSUED = "issued"
    ACTIVE = "active"
    SETTLED = "settled"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    VOIDED = "voided"


class LotStatus(StrEnum):
    """Whether a lot can be offered."""

    FREE = "free"
    OFFERED = "offered"
    HELD = "held"
    """Its payee account has changed within a day (FR-12)."""
    RESERVED = "reserved"
    """Its early payment or its financing is agreed."""


class Purpose(StrEnum):
    """Why a lot changes hands: in payment (流转), for money (融资), into a plan or trust."""

    SETTLE = "settle"
    FINANCE = "finance"
    SECURITISE = "securitise"


class Route(StrEnum):
    """How a voucher is cleared: to its holders at once, or along every assignment."""

    DIRECT = "direct"
    TIERED = "tiered"


class HopRisk(StrEnum):
    """Who bears the risk of the way: the debtor owes until the holder is credited, or has paid."""

    DEBTOR = "debtor"
    HOLDER = "holder"
    """Once the debtor's own payment is posted, whoever has the money owes (reference note 19)."""


class Ledger(Record, frozen=True, kw_only=True):
    """The ledger's own facts: what genesis set, what is in force, and counters."""

    origin: Origin
    operator: PartyId
    registrar: PartyId
    log_key: str
    currency: str
    zone: str
    clock: str
    policy: Sid
    """The policy in force, by the statement that published it."""
    time: int
    """The manual clock, in milliseconds; 0 under the system clock."""
    face_total: Minor
    """Of all vouchers that ever became effective: bounds every sum of money in the state."""
    voucher_count: int = 0
    party_count: int = 0
    row: str = "ledger"


class Policy(Record, frozen=True, kw_only=True):
    """A published policy; it is in force while the ledger's row names it."""

    policy: Sid
    name: str
    version: int
    effective_on: str | None
    """The day with which it takes effect; none for what is only announced."""
    rules: str
    """Canonical JSON, read by `registry.policy`: a further rule needs no further column."""


class CalendarRecord(Record, frozen=True, kw_only=True):
    """The newest version of a calendar; see `registry.workdays`."""

    name: str
    version: int
    statement: Sid
    first: str
    last: str
    holidays: tuple[str, ...]
    workdays: tuple[str, ...]


class Party(Record, frozen=True, kw_only=True):
    """An admitted party; its bucket's ordinal is its rank of admission.

    Attributes:
        evidence: Digests of what the registrar has seen.
        binding: How firmly its key was bound to it.
        contact_from: Who introduced its contact, if that was another party.
        manual_review: Its admission is still to be looked at again (FR-04).
        policy: The statement that set its approval rules; None if it has none.
        suspended: The statement that suspended it; None if it is not.
    """

    party: PartyId
    name: str
    roles: tuple[str, ...]
    statement: Sid
    ordinal: int
    evidence: tuple[str, ...] = ()
    binding: str = Binding.DOCUMENTS
    contact_from: PartyId | None = None
    manual_review: bool = False
    policy: Sid | None = None
    suspended: Sid | None = None


class Account(Record, frozen=True, kw_only=True):
    """A bank account; its name and number are confidential terms, known here by digest."""

    account: Sid
    owner: PartyId
    bank: PartyId
    account_kind: str
    digest: str
    verified: bool = False
    frozen: bool = False
    """By a court, as its bank says; the lots that are paid into it are not."""


class Mandate(Record, frozen=True, kw_only=True):
    """An account owner's authority to debit the account for clearing (扣款授权).

    `onto` is the one account that it may be debited for, if it is a stage before that.
    """

    mandate: Sid
    owner: PartyId
    account: Sid
    onto: Sid | None = None
    revoked: Sid | None = None
    """The statement that revoked it; what was signed under it before stands."""


class Voucher(Record, frozen=True, kw_only=True):
    """A debtor's promise to pay its face at its due date. face = live + discharged + cancelled."""

    voucher: Sid
    voucher_no: str
    debtor: PartyId
    creditor: PartyId
    co_debtors: tuple[str, ...]
    face: Minor
    discharged: Minor
    cancelled: Minor
    due_on: str
    route: str
    account: Sid
    mandate: Sid
    accept_by: int
    status: str
    ordinal: int | None
    restriction: str = burdens.Restriction.NONE
    guarantors: tuple[str, ...] = ()
    """Who secures it and is told of every assignment (Civil Code, art. 696)."""
    lot_salt: str
    """Of the lot `<voucher>.0`, which is numbered by the issue and made by the acceptance."""
    policy: Sid
    """In force when it was issued; a later one does not touch its term."""
    flags: tuple[str, ...]
    """What that policy remarked."""
    consent: Sid | None = None
    """The creditor's consent under which silence accepts it, while that may happen."""
    silent_at: int | None = None
    """The instant at which silence has accepted it, in milliseconds."""
    top_up: bool = False
    """The debtor pays plans and trusts itself what has not come to them in time (SD-23)."""
    hop_risk: str | None = None
    """Who bears the risk of the way; the debtor, if nobody is named."""
    owing: Sid | None = None
    """Its debtor's account, as long as there are lots of it."""


class VoucherNumber(Record, frozen=True, kw_only=True):
    """A debtor's own number for a voucher, used once for ever."""

    debtor: PartyId
    voucher_no: str
    voucher: Sid


class Lot(Record, frozen=True, kw_only=True):
    """One holder's part of one voucher.

    `path` is every holder from the original creditor to this one; `tier` counts settle
    transfers, from 1; `acquired` is the statement by which this holder got it.
    """

    lot: LotId
    voucher: Sid
    amount: Minor
    holder: PartyId
    born: int
    due_on: str
    path: tuple[str, ...]
    tier: int
    acquired: Sid
    account: Sid
    collection_route: bool
    recourse: bool
    acknowledged: bool
    status: str
    burdens: tuple[Sid, ...] = ()
    """Pledges and freezes that stand, oldest first; see `registry.burdens`."""
    salt: str
    cuts: int = 0
    """How often this holder's part was cut before it became this lot."""

    @property
    def assignments(self) -> int:
        """Number of assignments of any purpose behind this lot (转让手数)."""
        return len(self.path) - 1


class Offer(Record, frozen=True, kw_only=True):
    """An open offer of one lot to one assignee; ends when answered, withdrawn or expired."""

    offer: Sid
    lot: LotId
    voucher: Sid
    amount: Minor
    assignor: PartyId
    assignee: PartyId
    purpose: str
    recourse: bool
    accept_by: int
    kid: Kid
    salt: str
    """Of the lot in the assignee's hands, `<offer>.2`."""
    consent: Sid | None = None
    """The assignee's consent under which silence accepts it, while that may happen."""
    silent_at: int | None = None
    """The instant at which silence has accepted it, in milliseconds."""
    withheld: bool = False
    """The debtors are not told with the transfer, but later."""


class Consent(Record, frozen=True, kw_only=True):
    """A party's standing consent to what it is offered for one purpose, at once or by silence."""

    consent: Sid
    party: PartyId
    purpose: str
    assignors: tuple[str, ...]
    """Whose offers it covers; empty for anybody's."""
    minimum: Minor
    """The smallest amount that it covers."""
    account: Sid
    collection_route: bool
    kid: Kid
    mode: str
    """`auto` or `silence`."""
    working_days: int | None = None
    """Of silence, counted from the offer by the calendar."""
    calendar: str | None = None

    def covers(self, *, assignor: PartyId, amount: int) -> bool:
        """Tells whether an offer for its purpose is one that the party has consented to."""
        return amount >= self.minimum and (not self.assignors or assignor in self.assignors)


class Grant(Record, frozen=True, kw_only=True):
    """Where the consent stands that a statement granted, for whoever names it by its id."""

    consent: Sid
    party: PartyId
    purpose: str


class Deadline(Record, frozen=True, kw_only=True):
    """Something that time alone will bring about."""

    at: int
    kind: str
    id: str


class StateRequest(Record, frozen=True, kw_only=True):
    """A cut-off or a trustee's request whose state entry is still owed."""

    at: int
    time: int


class Bucket(Record, frozen=True, kw_only=True):
    """A party's or a voucher's place in the state tree."""

    family: str
    bucket: str
    ordinal: int | None
    salt: str
    founded: int | None = None
    """Index of the entry that gave the ordinal."""


class History(Record, frozen=True, kw_only=True):
    """A bucket as the newest state entry commits to it: the entries that touch it, its record.

    The entries are a compact range of leaf hashes; `frontier` is the b64url of its nodes,
    one behind the other.
    """

    family: str
    bucket: str
    size: int
    frontier: str
    record: str = ""
    """The bucket's level-2 record; empty as long as it has no ordinal."""


class Committed(Record, frozen=True, kw_only=True):
    """The size that the newest state entry commits to."""

    at: int
    row: str = "state"


LEDGER = Table(name="ledger", row=Ledger, key=("row",))
POLICIES = Table(name="policy", row=Policy, key=("policy",), indexes=("name", "effective_on"))
CALENDARS = Table(name="calendar", row=CalendarRecord, key=("name",))
OFFERS = Table(name="offer", row=Offer, key=("offer",), indexes=("lot", "assignee", "kid"))
GRANTS = Table(name="consent_grant", row=Grant, key=("consent",))
CONSENTS = Table(name="consent", row=Consent, key=("party", "purpose"), indexes=("party", "kid"))
LOTS = Table(name="lot", row=Lot, key=("lot",), indexes=("voucher", "holder"))
VOUCHER_NUMBERS = Table(
    name="voucher_number", row=VoucherNumber, key=("debtor", "voucher_no"), lasting=True
)
VOUCHERS = Table(
    name="voucher", row=Voucher, key=("voucher",), indexes=("debtor", "creditor", "due_on", "owing")
)
MANDATES = Table(name="mandate", row=Mandate, key=("mandate",), indexes=("owner", "account"))
ACCOUNTS = Table(name="account", row=Account, key=("account",), indexes=("owner", "bank"))
PARTIES = Table(name="party", row=Party, key=("party",))
DEADLINES = Table(name="deadline", row=Deadline, key=("at", "kind", "id"))
STATE_REQUESTS = Table(name="state_request", row=StateRequest, key=("at",))
BUCKETS = Table(name="bucket", row=Bucket, key=("family", "bucket"))
HISTORIES = Table(name="history", row=History, key=("family", "bucket"))
COMMITTED = Table(name="committed", row=Committed, key=("row",))

TABLES = (
    LEDGER, KEYS, PENDING, APPROVALS, WAITED, SUSPENSIONS, AFFILIATIONS, REGISTRATIONS, OFFERS,
    GRANTS, POLICIES, CONSENTS, CALENDARS, *burdens.TABLES, *inboxes.TABLES, *dealings.TABLES,
    *stages.TABLES, LOTS, VOUCHER_NUMBERS, VOUCHERS, MANDATES, ACCOUNTS, PARTIES, APPROVAL_RULES,
    inboxes.INBOXES, DEADLINES, STATE_REQUESTS, BUCKETS, HISTORIES, COMMITTED, *credit.TABLES,
)  # fmt: skip
"""The registry's tables, in the order in which batches read them and digests hash them."""
