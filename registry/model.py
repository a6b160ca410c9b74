"""The rows of the state: parties, keys, accounts, vouchers, lots, offers, notices.

A lot's amount, holder and voucher never change: it is created by one entry and
consumed by at most one. A consumed lot's row ends; everything a decision or a
clearing plan needs of its ancestors (the assignment chain) stands in the lot itself,
so that the live state grows with live lots and not with history.
"""

from enum import StrEnum

from registry.canonical import b64url_decode
from registry.ids import Kid, LotId, NoticeId, Origin, PartyId, Sid
from registry.signing import PublicKey
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


class KeyUse(StrEnum):
    """The one thing that a key is for."""

    SIGN = "sign"
    READ = "read"
    RECEIPT = "receipt"


class VoucherStatus(StrEnum):
    """Where a voucher is in its life; the last four are final."""

    ISSUED = "issued"
    ACTIVE = "active"
    SETTLED = "settled"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class LotStatus(StrEnum):
    """Whether a lot can be offered."""

    FREE = "free"
    OFFERED = "offered"


class Purpose(StrEnum):
    """Why a lot changes hands: in payment (流转), for money (融资), into a plan or trust."""

    SETTLE = "settle"
    FINANCE = "finance"
    SECURITISE = "securitise"


class Route(StrEnum):
    """How a voucher is cleared: to its holders at once, or along every assignment."""

    DIRECT = "direct"
    TIERED = "tiered"


class Ledger(Record, frozen=True, kw_only=True):
    """The ledger's own facts: what genesis set, and counters."""

    origin: Origin
    operator: PartyId
    registrar: PartyId
    log_key: str
    currency: str
    zone: str
    clock: str
    policy: str
    time: int
    """The manual clock, in milliseconds; 0 under the system clock."""
    calendar: str
    calendar_first: str
    calendar_last: str
    holidays: tuple[str, ...]
    workdays: tuple[str, ...]
    face_total: Minor
    """Of all vouchers that ever became effective: bounds every sum of money in the state."""
    voucher_count: int = 0
    party_count: int = 0
    row: str = "ledger"


class Party(Record, frozen=True, kw_only=True):
    """An admitted party; its bucket's ordinal is its rank of admission."""

    party: PartyId
    name: str
    roles: tuple[str, ...]
    statement: Sid
    ordinal: int


class Registration(Record, frozen=True, kw_only=True):
    """A request to be admitted, with the key that signed it (none for a trust vehicle)."""

    statement: Sid
    party: PartyId
    name: str
    kid: Kid | None
    suite: str | None
    x: str | None
    salt: str


class KeyRecord(Record, frozen=True, kw_only=True):
    """A party's public key; it signs in entries `added < j < revoked`, and its own revocation."""

    kid: Kid
    party: PartyId
    use: str
    suite: str
    x: str
    added: int
    revoked: int | None = None
    suspect_from: int | None = None

    @property
    def public(self) -> PublicKey:
        """The key itself."""
        return PublicKey(suite=self.suite, raw=b64url_decode(self.x, what="x", length=32))


class Account(Record, frozen=True, kw_only=True):
    """A bank account; its name and number are confidential terms, known here by digest."""

    account: Sid
    owner: PartyId
    bank: PartyId
    account_kind: str
    digest: str
    verified: bool = False


class Mandate(Record, frozen=True, kw_only=True):
    """An account owner's authority to debit the account for clearing (扣款授权)."""

    mandate: Sid
    owner: PartyId
    account: Sid


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
    lot_salt: str
    """Of the lot `<voucher>.0`, which is numbered by the issue and made by the acceptance."""


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
    salt: str

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


class Consent(Record, frozen=True, kw_only=True):
    """A party's standing consent to offers for one purpose: under it they are effective at once."""

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

    def covers(self, *, assignor: PartyId, amount: int) -> bool:
        """Tells whether an offer for its purpose is one that the party has consented to."""
        return amount >= self.minimum and (not self.assignors or assignor in self.assignors)


class Grant(Record, frozen=True, kw_only=True):
    """Where the consent stands that a statement granted, for whoever names it by its id."""

    consent: Sid
    party: PartyId
    purpose: str


class Notice(Record, frozen=True, kw_only=True):
    """A notice of assignment, authored by the assignor, arrived in the recipient's inbox."""

    notice: NoticeId
    transfer: Sid
    voucher: Sid
    recipient: PartyId
    assignor: PartyId
    assignee: PartyId
    amount: Minor
    arrived: int
    """Milliseconds, the time of the entry that brought it into the recipient's inbox."""
    acknowledged: bool = False


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
KEYS = Table(name="key_record", row=KeyRecord, key=("kid",), indexes=("party",))
REGISTRATIONS = Table(name="registration", row=Registration, key=("statement",))
OFFERS = Table(name="offer", row=Offer, key=("offer",), indexes=("lot", "assignee", "kid"))
GRANTS = Table(name="consent_grant", row=Grant, key=("consent",))
CONSENTS = Table(name="consent", row=Consent, key=("party", "purpose"), indexes=("party", "kid"))
NOTICES = Table(name="notice", row=Notice, key=("notice",), indexes=("recipient",), lasting=True)
LOTS = Table(name="lot", row=Lot, key=("lot",), indexes=("voucher", "holder"))
VOUCHER_NUMBERS = Table(
    name="voucher_number", row=VoucherNumber, key=("debtor", "voucher_no"), lasting=True
)
VOUCHERS = Table(name="voucher", row=Voucher, key=("voucher",), indexes=("debtor", "due_on"))
MANDATES = Table(name="mandate", row=Mandate, key=("mandate",), indexes=("owner", "account"))
ACCOUNTS = Table(name="account", row=Account, key=("account",), indexes=("owner", "bank"))
PARTIES = Table(name="party", row=Party, key=("party",))
DEADLINES = Table(name="deadline", row=Deadline, key=("at", "kind", "id"))
STATE_REQUESTS = Table(name="state_request", row=StateRequest, key=("at",))
BUCKETS = Table(name="bucket", row=Bucket, key=("family", "bucket"))
HISTORIES = Table(name="history", row=History, key=("family", "bucket"))
COMMITTED = Table(name="committed", row=Committed, key=("row",))

TABLES = (
    LEDGER, KEYS, REGISTRATIONS, OFFERS, GRANTS, CONSENTS, NOTICES, LOTS,
    VOUCHER_NUMBERS, VOUCHERS, MANDATES, ACCOUNTS, PARTIES, DEADLINES, STATE_REQUESTS, BUCKETS,
    HISTORIES, COMMITTED,
)  # fmt: skip
"""The registry's tables, in the order in which batches read them and digests hash them."""
