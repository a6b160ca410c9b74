"""Keys: adding one for one use and one person, ending one, and starting again.

Validity is by log index: a key added at a and revoked at r signs in entries a < j < r,
and its own revocation in r. A revocation rewrites nothing; `suspect_from` flags. A party
rotates a key by adding the next one and revoking the old one. Its recovery key, kept
away from all others, signs nothing but `key.recover`, which ends them all.

Source: docs/formats.md, Keys; FR-12.
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from registry.canonical import format_json
from registry.effects import DeadlineSet, Effect, KeyAdded, KeyRevoked
from registry.errors import (
    BadSignatureError,
    KeyUnknownError,
    KeyUseError,
    MalformedError,
)
from registry.fields import LENIENT, HandField, KeyField, MachineText
from registry.ids import Origin, PartyId, is_vehicle
from registry.model import PARTIES, Role
from registry.people import APPROVAL_RULES, KEYS, Duty, KeyRecord, KeyUse
from registry.people_refusals import RecoveryKeyExistsError, TooManyKeysError
from registry.refusals import KeyTakenError, PossessionError
from registry.rights import cancel_signed, reads_signed, require_people
from registry.signing import PublicKey, header_bytes, parse_jwk, split_jws, verify
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, ReadPlan, Rows, get, get_many, where

ANY_ROLE = frozenset(Role)
ANY_DUTY = frozenset(Duty)
POSSESSION_TYP = "ts-possession+jws"

KEYS_MAX = 64
"""Live keys of a party: what ends them all fits into one entry."""


def _require_key(key: KeyField) -> KeyField:
    """Checks at admission that the members are a key of a suite: reads ask for its thumbprint."""
    try:
        parse_jwk(key.model_dump())
    except MalformedError as error:
        raise ValueError(str(error)) from None
    return key


SuiteKey = Annotated[KeyField, AfterValidator(_require_key)]
Proof = Annotated[str, Field(max_length=1024)]


class KeyAdd(Body):
    """A further key of the signer, which proves its possession with a compact JWS."""

    key: SuiteKey
    use: Annotated[KeyUse, LENIENT]
    hand: HandField | None = None
    proof: Proof


class KeyRevoke(Body):
    """The end of a key of the signer, flagged as suspect from an entry index on."""

    kid: MachineText
    suspect_from: Annotated[int, Field(ge=0)] | None = None


class NewKey(Body):
    """A signing key that a party starts again with."""

    key: SuiteKey
    hand: HandField | None = None
    proof: Proof


class KeyRecover(Body):
    """The keys that are to be the signer's from now on, in the place of all others."""

    keys: Annotated[tuple[NewKey, ...], LENIENT, Field(min_length=1, max_length=8)]
    suspect_from: Annotated[int, Field(ge=0)] | None = None


def possession_payload(*, origin: str, party: PartyId, key: PublicKey) -> bytes:
    """Returns what a new key signs to prove its possession."""
    return format_json({"aud": origin, "by": party, "kid": key.kid})


def _require_possession(proof: str, key: PublicKey, *, origin: Origin, party: PartyId) -> None:
    """Checks that a new key has signed log, party and itself.

    Raises:
        MalformedError: The proof is no compact JWS.
        PossessionError: It proves something else.
    """
    jws = split_jws(proof, what="proof")
    expected = possession_payload(origin=origin, party=party, key=key)
    header = header_bytes(key.suite, kid=key.kid, typ=POSSESSION_TYP)
    if jws.payload != expected or jws.header != header:
        raise PossessionError(kid=key.kid)
    try:
        verify(key, signature=jws.signature, message=jws.signing_input, what="proof")
    except BadSignatureError:
        raise PossessionError(kid=key.kid) from None


def _require_free(state: Rows, key: PublicKey, now: Now) -> None:
    """Checks that a key is nobody's.

    Raises:
        KeyTakenError: It signs the log, or is somebody's; it is one party's for ever.
    """
    if state.get(KEYS, key.kid) is not None or key.jwk()["x"] == now.facts.log_key:
        raise KeyTakenError(kid=key.kid)


def _added(key: PublicKey, hand: HandField | None, *, party: PartyId, use: KeyUse) -> KeyAdded:
    """Returns the effect that a key is a party's."""
    return KeyAdded(
        kid=key.kid,
        party=party,
        use=use,
        suite=key.suite,
        x=key.jwk()["x"],
        person=None if hand is None else hand.person,
        duty=None if hand is None else hand.duty,
        limit=None if hand is None or hand.limit is None else Minor(hand.limit),
    )


def _live(keys: Iterable[KeyRecord]) -> list[KeyRecord]:
    """Returns the keys that are not revoked."""
    return [key for key in keys if key.revoked is None]


def reads_key_add(statement: Statement[KeyAdd], _now: Now) -> ReadPlan:
    """Asks for the new key and the party's keys."""
    yield from get(KEYS, parse_jwk(statement.body.key.model_dump()).kid)
    yield from where(KEYS, "party", statement.by)


def decide_key_add(state: Rows, statement: Statement[KeyAdd], now: Now) -> tuple[Effect, ...]:
    """Adds a key of the signer, for one use and, if it is to sign, for one person.

    Raises:
        MalformedError: The signer is a trust vehicle, for which its trustee's keys sign; a
            key that signs no statements is given a person; the proof is no compact JWS.
        KeyTakenError: The key signs the log, or is somebody's; it is one party's for ever.
        PossessionError: The proof is not the new key's signature over log, party and key.
        TooManyKeysError: The party has as many live keys as it can have.
        RecoveryKeyExistsError: A second recovery key: whoever steals a key cannot add one.
    """
    body = statement.body
    if is_vehicle(statement.by):
        raise MalformedError(what="by", reason="a trust vehicle's keys are its trustee's")
    if body.hand is not None and body.use != KeyUse.SIGN:
        raise MalformedError(what="hand", reason=f"a key of use {body.use} is nobody's hand")
    key = parse_jwk(body.key.model_dump())
    split_jws(body.proof, what="proof")
    _require_free(state, key, now)
    _require_possession(body.proof, key, origin=statement.aud, party=statement.by)
    live = _live(state.where(KEYS, "party", statement.by))
    if len(live) >= KEYS_MAX:
        raise TooManyKeysError(party=statement.by, limit=KEYS_MAX)
    for other in live:
        if body.use == other.use == KeyUse.RECOVERY:
            raise RecoveryKeyExistsError(kid=other.kid, party=statement.by)
    return (_added(key, body.hand, party=statement.by, use=body.use),)


def reads_key_revoke(statement: Statement[KeyRevoke], _now: Now) -> ReadPlan:
    """Asks for the key, what it signed and ends with it, the party's other keys and rules."""
    yield from get(KEYS, statement.body.kid)
    yield from where(KEYS, "party", statement.by)
    yield from reads_signed(statement.body.kid)
    yield from where(APPROVAL_RULES, "party", statement.by)


def decide_key_revoke(state: Rows, statement: Statement[KeyRevoke], now: Now) -> tuple[Effect, ...]:
    """Revokes a key of the signer; whatever it signed and still depends on it is cancelled.

    These are its consents, unanswered offers, approvals and statements that wait, and
    financings that nobody has paid for yet. The cancellations are entries of their own,
    directly after this one: deadlines that have already come.

    Raises:
        KeyUnknownError: The key is not a live key of the signer.
        KeyUseError: A recovery key is ended by itself, and ends no other here.
        MalformedError: `suspect_from` lies ahead.
        TooFewPeopleError: A maker would end another person's key, and too few people were left
            to meet the party's rules: who is to be looked over does not send away who looks.
    """
    key = state.get(KEYS, statement.body.kid)
    signing = state.get(KEYS, statement.kid)
    if key is None or key.party != statement.by or key.revoked is not None or signing is None:
        raise KeyUnknownError(kid=statement.body.kid)
    if KeyUse.RECOVERY in (key.use, signing.use) and key.kid != signing.kid:
        raise KeyUseError(kid=signing.kid, use=signing.use, needed=key.use)
    suspect_from = _suspect_from(statement.body.suspect_from, now)
    if signing.duty == Duty.MAKER and key.person != signing.person:
        left = [each for each in state.where(KEYS, "party", key.party) if each.kid != key.kid]
        require_people(key.party, left, state.where(APPROVAL_RULES, "party", key.party))
    revoked = KeyRevoked(kid=key.kid, party=key.party, suspect_from=suspect_from)
    return (revoked, *cancel_signed(state, key.kid, at=now.time))


def _suspect_from(index: int | None, now: Now) -> int | None:
    """Returns the index from which on a key's statements are flagged.

    Raises:
        MalformedError: It lies ahead.
    """
    if index is not None and index > now.index:
        raise MalformedError(what="suspect_from", reason=f"lies after entry {now.index}")
    return index


def reads_key_recover(statement: Statement[KeyRecover], _now: Now) -> ReadPlan:
    """Asks for the new keys, all of the party's, what they signed, and the party's rules."""
    kids = [parse_jwk(new.key.model_dump()).kid for new in statement.body.keys]
    yield from get_many(KEYS, dict.fromkeys(kids))
    keys = yield from where(KEYS, "party", statement.by)
    for key in keys:
        yield from reads_signed(key.kid)
    yield from get(PARTIES, statement.by)
    yield from where(APPROVAL_RULES, "party", statement.by)


def decide_key_recover(
    state: Rows, statement: Statement[KeyRecover], now: Now
) -> tuple[Effect, ...]:
    """Starts again with new signing keys: all other keys but the recovery key are revoked.

    What a revoked key signed and still depends on it is cancelled, as by `key.revoke`.

    Raises:
        MalformedError: The signer is a trust vehicle; a key stands twice; a proof is no compact
            JWS; `suspect_from` lies ahead.
        KeyTakenError: A key signs the log, or is somebody's.
        PossessionError: A proof is not that key's signature over log, party and key.
        TooFewPeopleError: The new keys name too few people to meet the party's rules.
    """
    party, body = statement.by, statement.body
    if is_vehicle(party):
        raise MalformedError(what="by", reason="a trust vehicle's keys are its trustee's")
    new = [(parse_jwk(each.key.model_dump()), each) for each in body.keys]
    if len({key.kid for key, _ in new}) < len(new):
        raise MalformedError(what="keys", reason="one stands twice")
    for _, each in new:
        split_jws(each.proof, what="proof")
    suspect_from = _suspect_from(body.suspect_from, now)
    for key, _ in new:
        _require_free(state, key, now)
    for key, each in new:
        _require_possession(each.proof, key, origin=statement.aud, party=party)
    added = [_added(key, each.hand, party=party, use=KeyUse.SIGN) for key, each in new]
    rules = state.where(APPROVAL_RULES, "party", party)
    require_people(party, [key.record(added=now.index) for key in added], rules)

    # Past this line the recovery must succeed.
    ended = [key for key in _live(state.where(KEYS, "party", party)) if key.kid != statement.kid]
    revoked = [KeyRevoked(kid=key.kid, party=party, suspect_from=suspect_from) for key in ended]
    cancelled = [
        DeadlineSet(at=now.time, kind="transfer.cancel-more", id=key.kid)
        for key in ended
        if cancel_signed(state, key.kid, at=now.time)
    ]
    return (*added, *revoked, *cancelled)


KINDS = (
    Kind(
        name="key.add",
        body=KeyAdd,
        signers=ANY_ROLE,
        relation="the party whose key it will be",
        reads=reads_key_add,
        decide=decide_key_add,
        guards=True,
    ),
    Kind(
        name="key.revoke",
        body=KeyRevoke,
        signers=ANY_ROLE,
        relation="the party whose key it is",
        reads=reads_key_revoke,
        decide=decide_key_revoke,
        uses=frozenset({KeyUse.SIGN, KeyUse.RECOVERY}),
        duties=ANY_DUTY,
        while_suspended=True,
        waits=False,
    ),
    Kind(
        name="key.recover",
        body=KeyRecover,
        signers=ANY_ROLE,
        relation="the party, with its recovery key",
        reads=reads_key_recover,
        decide=decide_key_recover,
        uses=frozenset({KeyUse.RECOVERY}),
        duties=ANY_DUTY,
        while_suspended=True,
        waits=False,
    ),
)
