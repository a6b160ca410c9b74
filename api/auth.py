"""Who calls: bearer tokens that the caller signs with its own key of use `read`.

A token is a compact JWS whose payload is exactly `{aud,by,exp,iat[,scope]}`, alive for
at most 300 seconds of the machine's clock. That is so under a manual clock too: a
token is about the HTTP session and not about business time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.errors import TokenMissingError, TokenRefusedError
from registry.canonical import Json, b64url_decode, format_json, parse_object
from registry.errors import RegistryError
from registry.ids import Origin, PartyId, parse_party_id, trustee_of
from registry.model import PARTIES, Party, Role
from registry.people import KEYS, KeyRecord, KeyUse
from registry.ports import LedgerStore
from registry.signing import (
    Jws,
    PrivateKey,
    PublicKey,
    header_bytes,
    seal_jws,
    split_jws,
    verify,
)
from registry.tables import Get

TOKEN_TYP: Final = "ts-read+jwt"  # noqa: S105 (a media type)
TOKEN_SECONDS_MAX: Final = 300
TOKEN_SIZE_MAX: Final = 4_096
SKEW_SECONDS: Final = 60
"""Seconds by which a caller's clock may run ahead of ours."""

_MEMBERS: Final = frozenset({"aud", "by", "exp", "iat"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An admitted party that has shown who it is.

    Attributes:
        party: The party; a trustee may also call as one of its vehicles.
        roles: What it was admitted as.
        scope: Names of the operations that the token is for; all if empty.
    """

    party: PartyId
    roles: frozenset[str]
    scope: frozenset[str] = frozenset()

    @property
    def is_auditor(self) -> bool:
        """Tells whether the caller may see everything."""
        return Role.AUDITOR in self.roles

    def is_or_manages(self, party: str) -> bool:
        """Tells whether a party is the caller, or a vehicle of which it is the trustee."""
        return party == self.party or trustee_of(PartyId(party)) == self.party


def seal_token(
    key: PrivateKey, *, by: str, aud: str, iat: int, seconds: int = 240, scope: str = ""
) -> str:
    """Signs a bearer token.

    Args:
        key: A key of use `read`.
        by: The party that calls.
        aud: The log's name.
        iat: Seconds of the machine's clock.
        seconds: Lifetime.
        scope: Names of operations, parted by spaces; all if empty.
    """
    payload: dict[str, Json] = {"aud": aud, "by": by, "exp": iat + seconds, "iat": iat}
    if scope:
        payload["scope"] = scope
    return seal_jws(key, typ=TOKEN_TYP, payload=format_json(payload))


def open_token(header: str, *, store: LedgerStore, origin: Origin, now: int) -> Caller:
    """Verifies an Authorization header and says who calls.

    Args:
        header: The header's value; empty if there is none.
        store: Where keys and parties are found, as they are now.
        origin: The log's name.
        now: Seconds of the machine's clock.

    Raises:
        TokenMissingError: There is no bearer token.
        TokenRefusedError: It is malformed, for another log, signed by a key that is unknown,
            revoked, another party's or of another use, or not alive now.

    Source: docs/formats.md, Tokens.
    """
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise TokenMissingError
    if len(text) > TOKEN_SIZE_MAX:
        raise TokenRefusedError(reason=f"longer than {TOKEN_SIZE_MAX} characters")
    try:
        jws = split_jws(text, what="token")
        payload = parse_object(jws.payload, what="token")
        by = _check_payload(payload, origin=origin, now=now)
        record, party = _look_up(jws, by, store)
        _check_key(record, jws, by)
    except RegistryError as error:
        if isinstance(error, TokenRefusedError):
            raise
        raise TokenRefusedError(reason=str(error)) from None
    scope = payload.get("scope", "")
    return Caller(party=by, roles=frozenset(party.roles), scope=frozenset(str(scope).split()))


def _check_payload(payload: Mapping[str, Json], *, origin: Origin, now: int) -> PartyId:
    """Checks a token's members and lifetime, and returns the party that it names."""
    if not _MEMBERS <= set(payload) <= _MEMBERS | {"scope"}:
        raise TokenRefusedError(reason="its members are not exactly aud, by, exp, iat[, scope]")
    by, iat, exp = payload["by"], payload["iat"], payload["exp"]
    if payload["aud"] != origin:
        raise TokenRefusedError(reason="it is for another log")
    if not isinstance(by, str) or not isinstance(payload.get("scope", ""), str):
        raise TokenRefusedError(reason="by or scope is no text")
    if type(iat) is not int or type(exp) is not int or not 0 < exp - iat <= TOKEN_SECONDS_MAX:
        raise TokenRefusedError(reason=f"it does not live 1 to {TOKEN_SECONDS_MAX} seconds")
    if not iat - SKEW_SECONDS <= now < exp:
        raise TokenRefusedError(reason="it is not alive now")
    return parse_party_id(by)


def _look_up(jws: Jws, by: PartyId, store: LedgerStore) -> tuple[KeyRecord, Party]:
    """Finds the key's record and the party as they are now."""
    kid = parse_object(jws.header, what="token header").get("kid")
    if not isinstance(kid, str):
        raise TokenRefusedError(reason="its header names no key")
    (record,), (party,) = store.fetch([Get(KEYS, ((kid,),)), Get(PARTIES, ((by,),))])
    if record is None or party is None:
        raise TokenRefusedError(reason="its key or its party is not known")
    return record, party


def _check_key(record: KeyRecord, jws: Jws, by: PartyId) -> None:
    """Checks that the key may sign tokens of the party, and that it has signed this one."""
    if record.party != trustee_of(by):
        raise TokenRefusedError(reason="its key is not the party's")
    if record.use != KeyUse.READ or record.revoked is not None:
        raise TokenRefusedError(reason="its key is not, or no longer, of use read")
    if jws.header != header_bytes(record.suite, kid=record.kid, typ=TOKEN_TYP):
        raise TokenRefusedError(reason="its header is not the one expected")
    key = PublicKey(record.suite, b64url_decode(record.x, what="key x"))
    verify(key, signature=jws.signature, message=jws.signing_input, what="token")
