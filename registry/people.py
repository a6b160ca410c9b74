"""The rows about people: whose hand a key is, what waits for whom, who is suspended.

A party is a legal person; who acts in it stands in its keys: a pseudonym, a duty, a limit.
Its approval rules say which statements wait for a second person (制单, 复核, 终审), and the
registrar's rows say who is suspended and who belongs together.
"""

from enum import StrEnum

from registry.canonical import b64url_decode
from registry.ids import Kid, PartyId, Sid
from registry.signing import PublicKey
from registry.tables import Minor, Record, Table


class KeyUse(StrEnum):
    """The one thing that a key is for."""

    SIGN = "sign"
    READ = "read"
    RECEIPT = "receipt"
    RECOVERY = "recovery"


class Duty(StrEnum):
    """What the person of a key does in its party: 制单, 复核, 终审."""

    MAKER = "maker"
    CHECKER = "checker"
    FINAL = "final"


class Binding(StrEnum):
    """How firmly a party's key was bound to it when it was admitted, the firmest first."""

    IN_PERSON = "in-person"
    BANK_VERIFIED = "bank-verified"
    VIDEO = "video"
    DOCUMENTS = "documents"


class WaitEnd(StrEnum):
    """How a statement's wait for approvals ended."""

    APPROVED = "approved"
    DISAPPROVED = "disapproved"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Registration(Record, frozen=True, kw_only=True):
    """A request to be admitted, with the key that signed it (none for a trust vehicle)."""

    statement: Sid
    party: PartyId
    name: str
    kid: Kid | None
    suite: str | None
    x: str | None
    salt: str
    person: str | None = None
    duty: str | None = None
    limit: Minor | None = None


class KeyRecord(Record, frozen=True, kw_only=True):
    """A party's public key; it signs in entries `added < j < revoked`, and its own revocation.

    Attributes:
        suspect_from: Statements by it from this index on are flagged, and stand.
        person: Who holds it in its party, by a pseudonym; None if the party names nobody.
        duty: What that person does; None for everything.
        limit: The largest amount that one statement by it may be about; None for any.
    """

    kid: Kid
    party: PartyId
    use: str
    suite: str
    x: str
    added: int
    revoked: int | None = None
    suspect_from: int | None = None
    person: str | None = None
    duty: str | None = None
    limit: Minor | None = None

    @property
    def public(self) -> PublicKey:
        """The key itself."""
        return PublicKey(suite=self.suite, raw=b64url_decode(self.x, what="x", length=32))


class ApprovalRule(Record, frozen=True, kw_only=True):
    """A party's rule: statements of a kind, from an amount on, need approvals of its people."""

    party: PartyId
    kind: str
    minimum: Minor
    approvals: int
    final: bool
    """One approval at least must be a final reviewer's."""
    hours: int
    """How long a statement waits for them."""


class Pending(Record, frozen=True, kw_only=True):
    """A statement that waits for approvals of its signer's people (待复核)."""

    statement: Sid
    party: PartyId
    kind: str
    kid: Kid
    person: str
    amount: Minor
    approvals: int
    final: bool
    approve_by: int
    text: str
    """Its JWS text: the last approval decides it again, and it numbers what that makes."""


class Approval(Record, frozen=True, kw_only=True):
    """One person's approval of a statement that waits for another."""

    approval: Sid
    statement: Sid
    party: PartyId
    kid: Kid
    person: str
    final: bool


class Waited(Record, frozen=True, kw_only=True):
    """What became of a statement that waited, and in which entry."""

    statement: Sid
    party: PartyId
    end: str
    index: int


class Suspension(Record, frozen=True, kw_only=True):
    """A party's suspension by the registrar, until it is reinstated."""

    suspension: Sid
    party: PartyId
    reason: str
    evidence: str


class Affiliation(Record, frozen=True, kw_only=True):
    """The registrar's word that two legal persons belong together, in the order of their ids."""

    affiliation: Sid
    first: PartyId
    second: PartyId
    basis: str
    evidence: str


KEYS = Table(name="key_record", row=KeyRecord, key=("kid",), indexes=("party",))
REGISTRATIONS = Table(name="registration", row=Registration, key=("statement",))
PENDING = Table(name="pending", row=Pending, key=("statement",), indexes=("party", "kid"))
APPROVALS = Table(
    name="approval", row=Approval, key=("approval",), indexes=("statement", "kid", "party")
)
WAITED = Table(name="waited", row=Waited, key=("statement",), lasting=True)
SUSPENSIONS = Table(name="suspension", row=Suspension, key=("suspension",))
AFFILIATIONS = Table(
    name="affiliation", row=Affiliation, key=("affiliation",), indexes=("first", "second")
)
APPROVAL_RULES = Table(
    name="approval_rule",
    row=ApprovalRule,
    key=("party", "kind", "minimum"),
    indexes=("party",),
)
