"""Who takes part: registration, admission, trust vehicles, and keys.

A registration proves possession of its key by being signed with it, and gives no
right until the registrar's `party.admit` answers it. A trust vehicle
(`<trustee>#<code>`) has no key: its trustee signs for it.
"""

from typing import Annotated

from pydantic import Field

from registry.effects import Effect, KeyAdded, Seal, Touch
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, KeyField, PartyField, PlainText
from registry.ids import Kid, PartyId, Sid, is_vehicle, trustee_of
from registry.model import (
    BUCKETS,
    KEYS,
    LEDGER,
    PARTIES,
    REGISTRATIONS,
    Bucket,
    KeyUse,
    Party,
    Registration,
    Role,
)
from registry.refusals import AlreadyAdmittedError, KeyTakenError, NotTrusteeError
from registry.signing import parse_jwk
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get, replace

ADMISSIBLE = frozenset(
    {Role.PARTICIPANT, Role.FINANCIER, Role.TRUSTEE, Role.BANK, Role.AUDITOR, Role.VEHICLE}
)


class PartyRegister(Body):
    """A legal person's request to be admitted, with its first signing key."""

    name: PlainText
    key: KeyField


class VehicleRegister(Body):
    """A trustee's request to have a trust vehicle of its own admitted."""

    vehicle: PartyField
    name: PlainText


class PartyAdmit(Body):
    """The registrar's admission of a registration, in these roles."""

    roles: Annotated[
        tuple[Annotated[Role, LENIENT], ...], LENIENT, Field(min_length=1, max_length=4)
    ]


class RegistrationMade(Effect, frozen=True, kw_only=True):
    """A registration waits for the registrar."""

    statement: Sid
    party: PartyId
    name: str
    kid: Kid | None = None
    suite: str | None = None
    x: str | None = None

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
        )
        state.put(REGISTRATIONS, row)


class PartyAdmitted(Effect, frozen=True, kw_only=True):
    """A party exists, in these roles; `ordinal` is its rank in the holder family."""

    registration: Sid
    party: PartyId
    name: str
    roles: tuple[str, ...]
    ordinal: int

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
    made = RegistrationMade(
        statement=statement.sid,
        party=statement.by,
        name=statement.body.name,
        kid=key.kid,
        suite=key.suite,
        x=key.jwk()["x"],
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
            give, or do not fit (a vehicle is a vehicle and nothing else is).
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
    )
    if registration.kid is None or registration.suite is None or registration.x is None:
        return (admitted,)
    added = KeyAdded(
        kid=registration.kid,
        party=registration.party,
        use=KeyUse.SIGN,
        suite=registration.suite,
        x=registration.x,
    )
    return (admitted, added)


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
)
