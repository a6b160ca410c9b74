"""Who takes part: registration, admission, trust vehicles, and keys.

A registration proves possession of its key by being signed with it, and gives no
right until the registrar's `party.admit` answers it, which says what the registrar has
seen and how firmly the key is bound to the party. Whoever is introduced by another party
is flagged: the forged debtors of the known cases were (FR-04). A trust vehicle
(`<trustee>#<code>`) has no key: its trustee signs for it.
"""

from typing import Annotated

from pydantic import Field

from registry.effects import Effect, KeyAdded, Seal, Touch
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, FileRef, HandField, KeyField, PartyField, PlainText
from registry.ids import Kid, PartyId, Sid, is_vehicle, trustee_of
from registry.model import BUCKETS, LEDGER, PARTIES, Bucket, Party, Role
from registry.people import KEYS, REGISTRATIONS, Binding, KeyUse, Registration
from registry.people_refusals import PartyUnknownError
from registry.refusals import AlreadyAdmittedError, KeyTakenError, NotTrusteeError
from registry.signing import parse_jwk
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, replace

ADMISSIBLE = frozenset(
    {Role.PARTICIPANT, Role.FINANCIER, Role.TRUSTEE, Role.BANK, Role.AUDITOR, Role.VEHICLE}
)


Evidence = Annotated[tuple[FileRef, ...], LENIENT, Field(min_length=1, max_length=16)]


class PartyRegister(Body):
    """A legal person's request to be admitted, with its first signing key and whose hand it is."""

    name: PlainText
    key: KeyField
    hand: HandField | None = None


class VehicleRegister(Body):
    """A trustee's request to have a trust vehicle of its own admitted."""

    vehicle: PartyField
    name: PlainText


class PartyAdmit(Body):
    """The registrar's admission of a registration, in these roles, on this evidence.

    `contact_from` is the party that introduced the contact, if it was not found otherwise.
    """

    roles: Annotated[
        tuple[Annotated[Role, LENIENT], ...], LENIENT, Field(min_length=1, max_length=4)
    ]
    binding: Annotated[Binding, LENIENT]
    evidence: Evidence
    contact_from: PartyField | None = None


class PartyReview(Body):
    """The registrar's second look at a party: what it has seen now, and how firmly it binds."""

    party: PartyField
    binding: Annotated[Binding, LENIENT]
    evidence: Evidence


class RegistrationMade(Effect, frozen=True, kw_only=True):
    """A registration waits for the registrar."""

    statement: Sid
    party: PartyId
    name: str
    kid: Kid | None = None
    suite: str | None = None
    x: str | None = None
    person: str | None = None
    duty: str | None = None
    limit: Minor | None = None

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Keeps the registration, with the salt of the bucket that it may found."""
        row = Registration(
            statement=self.statement,
            party=self.party,
            name=self.name,
            kid=self.kid,
            suite=self.suite,
            x=self.x,
            salt=seal.bucket_salt(),
            person=self.person,
            duty=self.duty,
            limit=self.limit,
        )
        state.put(REGISTRATIONS, row)


class PartyAdmitted(Effect, frozen=True, kw_only=True):
    """A party exists, in these roles; `ordinal` is its rank in the holder family.

    `manual_review` says that a person must look at the evidence again.
    """

    registration: Sid
    party: PartyId
    name: str
    roles: tuple[str, ...]
    ordinal: int
    binding: str
    evidence: tuple[str, ...]
    contact_from: PartyId | None = None
    manual_review: bool

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Turns the registration into a party with a bucket."""
        registration = state.get(REGISTRATIONS, self.registration)
        ledger = state.get(LEDGER, "ledger")
        if registration is None or ledger is None:
            raise InvariantBrokenError(f"admission of no registration {self.registration}")
        party = Party(
            party=self.party,
            name=self.name,
            roles=self.roles,
            statement=self.registration,
            ordinal=self.ordinal,
            binding=self.binding,
            evidence=self.evidence,
            contact_from=self.contact_from,
            manual_review=self.manual_review,
        )
        bucket = Bucket(
            family="holder",
            bucket=self.party,
            ordinal=self.ordinal,
            salt=registration.salt,
            founded=seal.index,
        )
        state.put(PARTIES, party)
        state.put(BUCKETS, bucket)
        state.put(LEDGER, replace(ledger, party_count=self.ordinal + 1))
        state.delete(REGISTRATIONS, self.registration)


class PartyReviewed(Effect, frozen=True, kw_only=True):
    """A party's evidence was looked at again."""

    party: PartyId
    binding: str
    evidence: tuple[str, ...]

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Puts the new evidence in the place of the old."""
        party = state.get(PARTIES, self.party)
        if party is None:
            raise InvariantBrokenError(f"a review of no party {self.party}")
        reviewed = replace(party, binding=self.binding, evidence=self.evidence, manual_review=False)
        state.put(PARTIES, reviewed)


def reads_party_register(statement: Statement[PartyRegister], _now: Now) -> ReadPlan:
    """Asks for the key and the party."""
    yield from get(KEYS, parse_jwk(statement.body.key.model_dump()).kid)
    yield from get(PARTIES, statement.by)


def decide_party_register(
    state: Rows, statement: Statement[PartyRegister], now: Now
) -> tuple[Effect, ...]:
    """Asks to be admitted as a party.

    Raises:
        MalformedError: The party is a trust vehicle, which its trustee registers.
        AlreadyAdmittedError: The party is admitted.
        KeyTakenError: The key is somebody's already, or signs the log.
    """
    key = parse_jwk(statement.body.key.model_dump())
    if is_vehicle(statement.by):
        raise MalformedError(what="by", reason="a trust vehicle is registered by its trustee")
    if state.get(PARTIES, statement.by) is not None:
        raise AlreadyAdmittedError(party=statement.by)
    if state.get(KEYS, key.kid) is not None or key.jwk()["x"] == now.facts.log_key:
        raise KeyTakenError(kid=key.kid)
    hand = statement.body.hand
    made = RegistrationMade(
        statement=statement.sid,
        party=statement.by,
        name=statement.body.name,
        kid=key.kid,
        suite=key.suite,
        x=key.jwk()["x"],
        person=None if hand is None else hand.person,
        duty=None if hand is None else hand.duty,
        limit=None if hand is None or hand.limit is None else Minor(hand.limit),
    )
    return (made,)


def reads_vehicle_register(statement: Statement[VehicleRegister], _now: Now) -> ReadPlan:
    """Asks for the vehicle."""
    yield from get(PARTIES, statement.body.vehicle)


def decide_vehicle_register(
    state: Rows, statement: Statement[VehicleRegister], _now: Now
) -> tuple[Effect, ...]:
    """Asks to have a trust vehicle of the signer admitted.

    Raises:
        NotTrusteeError: The vehicle's identifier is not `<signer>#<code>`.
        AlreadyAdmittedError: The vehicle is admitted.
    """
    vehicle = statement.body.vehicle
    if not is_vehicle(vehicle) or trustee_of(vehicle) != statement.by:
        raise NotTrusteeError(vehicle=vehicle, by=statement.by)
    if state.get(PARTIES, vehicle) is not None:
        raise AlreadyAdmittedError(party=vehicle)
    made = RegistrationMade(statement=statement.sid, party=vehicle, name=statement.body.name)
    return (made,)


def reads_party_admit(statement: Statement[PartyAdmit], _now: Now) -> ReadPlan:
    """Asks for the registration's key and party."""
    registration = yield from get(REGISTRATIONS, statement.re or "")
    if registration is None:
        return
    if registration.kid is not None:
        yield from get(KEYS, registration.kid)
    yield from get(PARTIES, registration.party)


def decide_party_admit(
    state: Rows, statement: Statement[PartyAdmit], now: Now
) -> tuple[Effect, ...]:
    """Admits a registered party in roles that it may then act in.

    Raises:
        MalformedError: The roles are not sorted and unique, are not the registrar's to
            give, or do not fit (a vehicle is a vehicle and nothing else is); the party is
            said to have introduced itself.
        AlreadyAdmittedError: Another registration of the party was admitted.
        KeyTakenError: Another registration of the key was admitted.
    """
    registration = state.get(REGISTRATIONS, statement.re or "")
    if registration is None:
        raise InvariantBrokenError("the answer was not checked")
    roles = statement.body.roles
    if list(roles) != sorted(set(roles)) or not ADMISSIBLE.issuperset(roles):
        raise MalformedError(what="roles", reason="not sorted, unique and admissible")
    if (set(roles) == {Role.VEHICLE}) != is_vehicle(registration.party) or (
        Role.VEHICLE in roles and len(roles) > 1
    ):
        raise MalformedError(what="roles", reason="vehicle is the role of a vehicle and no other")
    body = statement.body
    if body.contact_from == registration.party:
        raise MalformedError(what="contact_from", reason="is the party itself")
    if state.get(PARTIES, registration.party) is not None:
        raise AlreadyAdmittedError(party=registration.party)
    if registration.kid is not None and state.get(KEYS, registration.kid) is not None:
        raise KeyTakenError(kid=registration.kid)

    # Past this line the admission must succeed.
    admitted = PartyAdmitted(
        registration=registration.statement,
        party=registration.party,
        name=registration.name,
        roles=tuple(roles),
        ordinal=now.facts.party_count,
        binding=body.binding,
        evidence=tuple(file.digest for file in body.evidence),
        contact_from=body.contact_from,
        manual_review=body.contact_from is not None,
    )
    if registration.kid is None or registration.suite is None or registration.x is None:
        return (admitted,)
    added = KeyAdded(
        kid=registration.kid,
        party=registration.party,
        use=KeyUse.SIGN,
        suite=registration.suite,
        x=registration.x,
        person=registration.person,
        duty=registration.duty,
        limit=registration.limit,
    )
    return (admitted, added)


def reads_party_review(statement: Statement[PartyReview], _now: Now) -> ReadPlan:
    """Asks for the party."""
    yield from get(PARTIES, statement.body.party)


def decide_party_review(
    state: Rows, statement: Statement[PartyReview], _now: Now
) -> tuple[Effect, ...]:
    """Reviews a party's evidence, which ends the flag that its admission asks for one.

    Raises:
        PartyUnknownError: There is no such admitted party.
    """
    body = statement.body
    if state.get(PARTIES, body.party) is None:
        raise PartyUnknownError(party=body.party)
    evidence = tuple(file.digest for file in body.evidence)
    return (PartyReviewed(party=body.party, binding=body.binding, evidence=evidence),)


KINDS = (
    Kind(
        name="party.register",
        body=PartyRegister,
        signers=frozenset(),
        relation="the party itself, with the key in its body",
        reads=reads_party_register,
        decide=decide_party_register,
        key_in_body=True,
    ),
    Kind(
        name="vehicle.register",
        body=VehicleRegister,
        signers=frozenset({Role.TRUSTEE}),
        relation="the vehicle's trustee",
        reads=reads_vehicle_register,
        decide=decide_vehicle_register,
    ),
    Kind(
        name="party.admit",
        body=PartyAdmit,
        signers=frozenset({Role.REGISTRAR}),
        relation="the registrar",
        answers={"party.register": REGISTRATIONS, "vehicle.register": REGISTRATIONS},
        reads=reads_party_admit,
        decide=decide_party_admit,
    ),
    Kind(
        name="party.review",
        body=PartyReview,
        signers=frozenset({Role.REGISTRAR}),
        relation="the registrar",
        reads=reads_party_review,
        decide=decide_party_review,
    ),
)
