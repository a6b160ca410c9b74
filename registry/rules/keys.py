"""Keys: adding one for one use, and ending one.

Validity is by log index: a key added at a and revoked at r signs in entries a < j < r,
and its own revocation in r. A revocation rewrites nothing; `suspect_from` flags.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from registry.canonical import format_json
from registry.effects import Effect, KeyAdded, Seal, Touch
from registry.errors import BadSignatureError, InvariantBrokenError, KeyUnknownError, MalformedError
from registry.fields import LENIENT, KeyField, MachineText
from registry.ids import Kid, PartyId, is_vehicle
from registry.model import KEYS, KeyUse, Role
from registry.refusals import KeyTakenError, PossessionError
from registry.rights import cancel_signed, reads_signed
from registry.signing import PublicKey, header_bytes, parse_jwk, split_jws, verify
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get, replace

ANY_ROLE = frozenset(Role)
POSSESSION_TYP = "ts-possession+jws"


def _require_key(key: KeyField) -> KeyField:
    """Checks at admission that the members are a key of a suite: reads ask for its thumbprint."""
    try:
        parse_jwk(key.model_dump())
    except MalformedError as error:
        raise ValueError(str(error)) from None
    return key


class KeyAdd(Body):
    """A further key of the signer, which proves its possession with a compact JWS."""

    key: Annotated[KeyField, AfterValidator(_require_key)]
    use: Annotated[KeyUse, LENIENT]
    proof: Annotated[str, Field(max_length=1024)]


class KeyRevoke(Body):
    """The end of a key of the signer, flagged as suspect from an entry index on."""

    kid: MachineText
    suspect_from: Annotated[int, Field(ge=0)] | None = None


class KeyRevoked(Effect, frozen=True, kw_only=True):
    """A key signs nothing after this entry."""

    kid: Kid
    party: PartyId
    suspect_from: int | None = None

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Closes the key's record."""
        key = state.get(KEYS, self.kid)
        if key is None:
            raise InvariantBrokenError(f"revocation of no key {self.kid}")
        closed = replace(key, revoked=seal.index, suspect_from=self.suspect_from)
        state.put(KEYS, closed)


def possession_payload(*, origin: str, party: PartyId, key: PublicKey) -> bytes:
    """Returns what a new key signs to prove its possession."""
    return format_json({"aud": origin, "by": party, "kid": key.kid})


def reads_key_add(statement: Statement[KeyAdd], _now: Now) -> ReadPlan:
    """Asks for the new key."""
    yield from get(KEYS, parse_jwk(statement.body.key.model_dump()).kid)


def decide_key_add(state: Rows, statement: Statement[KeyAdd], now: Now) -> tuple[Effect, ...]:
    """Adds a key of the signer, for one use.

    Raises:
        MalformedError: The signer is a trust vehicle, for which its trustee's keys sign, or
            the proof is no compact JWS.
        KeyTakenError: The key signs the log, or is somebody's; it is one party's for ever.
        PossessionError: The proof is not the new key's signature over log, party and key.
    """
    if is_vehicle(statement.by):
        raise MalformedError(what="by", reason="a trust vehicle's keys are its trustee's")
    key = parse_jwk(statement.body.key.model_dump())
    proof = split_jws(statement.body.proof, what="proof")
    if state.get(KEYS, key.kid) is not None or key.jwk()["x"] == now.facts.log_key:
        raise KeyTakenError(kid=key.kid)
    expected = possession_payload(origin=statement.aud, party=statement.by, key=key)
    header = header_bytes(key.suite, kid=key.kid, typ=POSSESSION_TYP)
    if proof.payload != expected or proof.header != header:
        raise PossessionError(kid=key.kid)
    try:
        verify(key, signature=proof.signature, message=proof.signing_input, what="proof")
    except BadSignatureError:
        raise PossessionError(kid=key.kid) from None
    added = KeyAdded(
        kid=key.kid,
        party=statement.by,
        use=statement.body.use,
        suite=key.suite,
        x=key.jwk()["x"],
    )
    return (added,)


def reads_key_revoke(statement: Statement[KeyRevoke], _now: Now) -> ReadPlan:
    """Asks for the key and what it signed and ends with it."""
    yield from get(KEYS, statement.body.kid)
    yield from reads_signed(statement.body.kid)


def decide_key_revoke(state: Rows, statement: Statement[KeyRevoke], now: Now) -> tuple[Effect, ...]:
    """Revokes a key of the signer; consents and unanswered offers that it signed are cancelled.

    The cancellations are entries of their own, directly after this one: deadlines that have
    already come.

    Raises:
        KeyUnknownError: The key is not a live key of the signer.
        MalformedError: `suspect_from` lies ahead.
    """
    key = state.get(KEYS, statement.body.kid)
    if key is None or key.party != statement.by or key.revoked is not None:
        raise KeyUnknownError(kid=statement.body.kid)
    suspect_from = statement.body.suspect_from
    if suspect_from is not None and suspect_from > now.index:
        raise MalformedError(what="suspect_from", reason=f"lies after entry {now.index}")
    revoked = KeyRevoked(kid=key.kid, party=key.party, suspect_from=suspect_from)
    return (revoked, *cancel_signed(state, key.kid, at=now.time))


KINDS = (
    Kind(
        name="key.add",
        body=KeyAdd,
        signers=ANY_ROLE,
        relation="the party whose key it will be",
        reads=reads_key_add,
        decide=decide_key_add,
    ),
    Kind(
        name="key.revoke",
        body=KeyRevoke,
        signers=ANY_ROLE,
        relation="the party whose key it is",
        reads=reads_key_revoke,
        decide=decide_key_revoke,
    ),
)
