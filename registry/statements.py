"""Statements and the table of kinds: what a party signs, and the one way to add to it.

A statement is one signer's compact JWS. `admit` checks what needs only the key
directory (steps 1 to 4 of the documented order); everything after that is decided
in log order by `registry.kinds`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError

from registry.canonical import Json, b64url_decode, b64url_encode, format_json, parse_object
from registry.effects import Due, Effect
from registry.errors import (
    KeyUnknownError,
    MalformedError,
    TooLargeError,
    WrongAudienceError,
)
from registry.ids import Kid, Origin, PartyId, Sid, parse_party_id, parse_sid, parse_uuid7
from registry.merkle import TreeHead
from registry.misfits import header_mismatch, malformed
from registry.model import Ledger, Role
from registry.people import Duty, KeyUse
from registry.signing import (
    Jws,
    PrivateKey,
    PublicKey,
    header_bytes,
    jws_id,
    parse_jwk,
    seal_jws,
    split_jws,
    verify,
)
from registry.tables import ReadPlan, Rows, Table

PAYLOAD_MAX = 16 * 1024
LIFETIME_MAX = 86_400
CLOCK_SKEW = 300
"""Seconds by which a signer's clock may run ahead of the ledger's."""

ENVELOPE = frozenset({"aud", "body", "by", "exp", "iat", "id"})
ENVELOPE_OPTIONAL = frozenset({"re", "seen"})
_ENVELOPES = frozenset(
    (*sorted(ENVELOPE), *more) for more in ((), ("re",), ("seen",), ("re", "seen"))
)
"""The members in canonical order, which is how they are parsed."""
SECONDS_MAX = 2**38


class Body(BaseModel):
    """Base of every statement body: strict, frozen, no unknown members."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


B = TypeVar("B", bound=Body)


class Statement(msgspec.Struct, Generic[B], frozen=True, kw_only=True):
    """An admitted statement; `text` is its compact JWS, byte for byte as received."""

    text: str
    sid: Sid
    kind: str
    kid: Kid
    by: PartyId
    aud: Origin
    id: str
    iat: int
    exp: int
    body: B
    re: Sid | None = None
    seen: TreeHead | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The moment of a decision: the entry to be, and the ledger's own facts.

    Attributes:
        index: The entry's index.
        time: The entry's time, in milliseconds.
        ledger: What genesis set; None only for genesis itself.
    """

    index: int
    time: int
    ledger: Ledger | None

    @property
    def facts(self) -> Ledger:
        """The ledger's facts, for every kind that comes after genesis."""
        if self.ledger is None:
            raise AssertionError("decided before genesis")
        return self.ledger


SIGNING = frozenset({KeyUse.SIGN})
MAKING = frozenset({Duty.MAKER})


def reads_nothing(_subject: object, _now: Now) -> ReadPlan:
    """Declares no reads."""
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[B]):
    """One kind of statement: everything that distinguishes it, in one place.

    Attributes:
        name: Its name in the log, such as `transfer.offer`.
        body: The strict model of its body.
        signers: Roles of which the signer must have one.
        relation: Who of these may sign, in words, for the docs' table.
        answers: Kinds that its `re` may name, each with the table of what is open.
        reads: Asks for the rows that the decision sees.
        decide: The pure decision: effects or a refusal.
        key_in_body: It is signed by the key in its own body.
        amount: What it is about in minor units, over its body and what it answers; None for
            kinds without an amount. Limits of keys and approval rules go by it.
        uses: Uses of which the key must have one.
        duties: Duties of which the key's person must have one, if it has any.
        while_suspended: A suspended party may sign it.
        waits: A party's rules may have it wait for approvals.
        guards: It changes who controls the party: the strictest of its rules holds.
    """

    name: str
    body: type[B]
    signers: frozenset[Role]
    relation: str
    answers: Mapping[str, Table[Any]] = field(default_factory=dict)
    reads: Callable[[Statement[B], Now], ReadPlan] = reads_nothing
    decide: Callable[[Rows, Statement[B], Now], tuple[Effect, ...]]
    key_in_body: bool = False
    amount: Callable[[Rows, Statement[B]], int] | None = None
    uses: frozenset[KeyUse] = SIGNING
    duties: frozenset[Duty] = MAKING
    while_suspended: bool = False
    waits: bool = True
    guards: bool = False

    @property
    def summary(self) -> str:
        """The first line of the decision's docstring."""
        return (self.decide.__doc__ or "").partition("\n")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedKind:
    """A kind of entry that follows from time or from an earlier entry, without a statement."""

    name: str
    reads: Callable[[Due, Now], ReadPlan]
    decide: Callable[[Rows, Due, Now], tuple[Effect, ...]]


class KeyDirectory(Protocol):
    """Finds committed keys; revoked ones too, for a decision refuses those."""

    def find(self, kid: Kid) -> PublicKey | None:
        """Returns the key with this thumbprint, or None."""


def typ_of(kind: str) -> str:
    """Returns the JWS header's `typ` of a kind of statement."""
    return f"ts-{kind}+jws"


class Unverified(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that is right but for its signature, which has not been looked at.

    Attributes:
        statement: The statement, as it will be admitted.
        key: Who must have signed it, by the key record.
        message: What must have been signed.
        signature: What stands there as the signature.
    """

    statement: Statement[Any]
    key: PublicKey
    message: bytes
    signature: bytes

    def admit(self) -> Statement[Any]:
        """Admits the statement: step 4 of the documented order of checks.

        Only this takes long, and it lets other threads run meanwhile.

        Raises:
            BadSignatureError: The signature does not verify.
        """
        verify(self.key, signature=self.signature, message=self.message, what=self.statement.kind)
        return self.statement


def admit(
    text: str, *, kinds: Mapping[str, Kind[Any]], origin: Origin, keys: KeyDirectory
) -> Statement[Any]:
    """Admits a statement: steps 1 to 4 of the documented order of checks.

    Raises:
        RegistryError: As `read_statement`; then
        BadSignatureError: The signature does not verify.

    Source: docs/formats.md, Order of checks.
    """
    return read_statement(text, kinds=kinds, origin=origin, keys=keys).admit()


def read_statement(
    text: str, *, kinds: Mapping[str, Kind[Any]], origin: Origin, keys: KeyDirectory
) -> Unverified:
    """Reads a statement and finds its key: steps 1 to 3 of the documented order of checks.

    Raises:
        TooLargeError: The payload is larger than 16 KiB.
        MalformedError: Not a compact JWS, or a member is missing or has a wrong form.
        NotCanonicalError: The payload is not in canonical form.
        WrongAudienceError: `aud` names another log.
        KeyUnknownError: No committed entry holds the key; worth a retry.
        HeaderMismatchError: The header is not the one expected for key and kind.

    Source: docs/formats.md, Order of checks.
    """
    # 1. Size, canonical form, audience, id against iat. The kind is needed to know the
    #    body's model, so the header is parsed here and compared in step 3.
    jws, kind, statement = _open(text, kinds=kinds, origin=origin)
    kid, typ = statement.kid, typ_of(kind.name)
    # 2. The key stands in a committed entry.
    if kind.key_in_body:
        key: PublicKey | None = parse_jwk(statement.body.model_dump()["key"])
    else:
        key = keys.find(kid)
    if key is None:
        raise KeyUnknownError(kid=kid)
    # 3. The header's bytes, built from the key record and never read from the header.
    expected = header_bytes(key.suite, kid=key.kid, typ=typ)
    if jws.header != expected:
        raise header_mismatch(kind.name, key.kid, found=jws.header, expected=expected)
    return Unverified(
        statement=statement, key=key, message=jws.signing_input, signature=jws.signature
    )


def reopen_statement(
    text: str, *, kinds: Mapping[str, Kind[Any]], origin: Origin
) -> Statement[Any]:
    """Reads a statement that was admitted before, from the JWS text that the state holds."""
    return _open(text, kinds=kinds, origin=origin)[2]


def _open(
    text: str, *, kinds: Mapping[str, Kind[Any]], origin: Origin
) -> tuple[Jws, Kind[Any], Statement[Any]]:
    """Splits a statement and parses it by the kind that its header names: step 1."""
    if len(text) > 2 * PAYLOAD_MAX:
        raise TooLargeError(what="statement", size=len(text), limit=2 * PAYLOAD_MAX)
    jws = split_jws(text, what="statement")
    if len(jws.payload) > PAYLOAD_MAX:
        raise TooLargeError(what="payload", size=len(jws.payload), limit=PAYLOAD_MAX)
    typ, kid = _open_header(jws.header)
    kind = kinds.get(typ[3:-4]) if typ == typ_of(typ[3:-4]) else None
    if kind is None:
        raise MalformedError(what="header", reason=f"typ {typ!r} names no known kind of statement")
    return jws, kind, _parse(text, jws, kind=kind, kid=kid, origin=origin)


@lru_cache(maxsize=16_384)
def _open_header(header: bytes) -> tuple[str, Kid]:
    """Returns a header's `typ` and `kid`; a signer's headers are few and come again."""
    members = parse_object(header, what="header")
    if set(members) != {"alg", "kid", "typ"}:
        raise MalformedError(what="header", reason="its members are not exactly alg, kid and typ")
    return str(members["typ"]), Kid(str(members["kid"]))


def _parse(text: str, jws: Jws, *, kind: Kind[Any], kid: Kid, origin: Origin) -> Statement[Any]:
    """Parses a payload into a statement; strict, canonical both ways."""
    payload = parse_object(jws.payload, what="payload")
    if tuple(payload) not in _ENVELOPES:
        missing, unknown = ENVELOPE - set(payload), set(payload) - ENVELOPE - ENVELOPE_OPTIONAL
        odd = ", ".join(sorted(missing or unknown))
        raise MalformedError(what="payload", reason=f"{'missing' if missing else 'unknown'}: {odd}")
    if payload["aud"] != origin:
        raise WrongAudienceError(aud=str(payload["aud"]), origin=origin)
    iat, exp = _seconds(payload["iat"], "iat"), _seconds(payload["exp"], "exp")
    identifier = _text(payload["id"], "id")
    if parse_uuid7(identifier) // 1000 != iat:
        raise MalformedError(what="id", reason=f"its time differs from iat {iat}")
    return Statement(
        text=text,
        sid=jws_id(jws.signing_input),
        kind=kind.name,
        kid=kid,
        by=parse_party_id(_text(payload["by"], "by")),
        aud=origin,
        id=identifier,
        iat=iat,
        exp=exp,
        body=parse_body(kind.body, payload["body"]),
        re=parse_sid(_text(payload["re"], "re")) if "re" in payload else None,
        seen=_seen(payload["seen"]) if "seen" in payload else None,
    )


def parse_body(model: type[B], body: Json) -> B:
    """Parses a statement's body by its kind's model.

    It is not printed back: what `registry.fields` accepts it has one spelling for, so a body
    in canonical form is the model's own form.

    Raises:
        MalformedError: Members are missing, unknown or have a wrong form; it tells them all.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise malformed(model, error) from None


def _text(value: Json, what: str) -> str:
    """Returns a member that must be a string."""
    if not isinstance(value, str):
        raise MalformedError(what=what, reason="not a string")
    return value


def _seconds(value: Json, what: str) -> int:
    """Returns a member that must be an instant in whole seconds."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < SECONDS_MAX:
        raise MalformedError(what=what, reason="not an instant in whole seconds")
    return value


def _seen(value: Json) -> TreeHead:
    """Returns the tree head that the signer has verified."""
    if not isinstance(value, dict) or set(value) != {"root", "size"}:
        raise MalformedError(what="seen", reason="not an object of root and size")
    size, root = value["size"], _text(value["root"], "seen/root")
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise MalformedError(what="seen/size", reason="not a positive integer")
    return TreeHead(size=size, root=b64url_decode(root, what="seen/root", length=32))


def seal_statement(
    key: PrivateKey,
    *,
    kind: str,
    by: str,
    aud: str,
    body: Mapping[str, Json],
    iat: int,
    exp: int,
    id: str,
    re: str | None = None,
    seen: TreeHead | None = None,
) -> str:
    """Signs a statement: the other side of `admit`, which checks what this only writes.

    Args:
        key: The signer's key.
        kind: Name of the kind.
        by: The party for which the key signs.
        aud: The log's name.
        body: The body as JSON.
        iat: Seconds; the milliseconds in `id`, in whole seconds, equal it.
        exp: Seconds; at most a day later.
        id: A UUID of version 7.
        re: The statement that this one answers.
        seen: A tree head that the signer has verified.

    Returns:
        The compact JWS.
    """
    payload: dict[str, Json] = {
        "aud": aud,
        "body": dict(body),
        "by": by,
        "exp": exp,
        "iat": iat,
        "id": id,
    }
    if re is not None:
        payload["re"] = re
    if seen is not None:
        payload["seen"] = {"root": b64url_encode(seen.root), "size": seen.size}
    return seal_jws(key, typ=typ_of(kind), payload=format_json(payload))
