"""Proof of control: a lot's holder answers a challenge with the key that it signs with (RG-40).

The challenge is the verifier's own, made by chance and used once; the holder signs it with
the lot's id, and the registry, asked by the verifier, says whether that key controls that
lot now. A copy of the lot's record shows nothing of that sort: only the holder has the key.
Whoever has passed the lot on controls it no more, however good its signature is.

Source: ETDA 2023 s. 2(2)(d) and (e); docs/formats.md, Proof of control.
"""

import re
from dataclasses import dataclass
from typing import Final

from api.auth import SKEW_SECONDS
from api.errors import ControlNotShownError
from api.find import find_row
from registry.canonical import Json, b64url_decode, format_json, parse_object
from registry.errors import RegistryError
from registry.ids import Kid, LotId, Origin, PartyId, parse_party_id, trustee_of
from registry.model import LOTS
from registry.people import KEYS, KeyRecord, KeyUse
from registry.ports import LedgerStore
from registry.signing import Jws, PrivateKey, PublicKey, header_bytes, seal_jws, split_jws, verify

CONTROL_TYP: Final = "ts-control+jws"
CONTROL_SECONDS_MAX: Final = 300
CONTROL_SIZE_MAX: Final = 4_096

CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{22,86}")
"""At least 128 bits of the verifier's own chance, b64url."""

_MEMBERS: Final = frozenset({"aud", "by", "challenge", "exp", "iat", "lot"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A lot that its controller has shown to control, and how the lot stands.

    Attributes:
        lot: The lot.
        controller: Its holder.
        kid: The key that answered.
        status: Whether it can be offered.
        is_burdened: A pledge or a freeze stands on it.
    """

    lot: LotId
    controller: PartyId
    kid: Kid
    status: str
    is_burdened: bool


def seal_control(
    key: PrivateKey,
    *,
    by: str,
    aud: str,
    lot: str,
    challenge: str,
    iat: int,
    seconds: int = CONTROL_SECONDS_MAX,
) -> str:
    """Answers a challenge.

    Args:
        key: A key of use `sign`, the holder's or its trustee's.
        by: The holder.
        aud: The log's name.
        lot: What it controls.
        challenge: The verifier's.
        iat: Seconds of the machine's clock.
        seconds: Lifetime.
    """
    payload: dict[str, Json] = {
        "aud": aud,
        "by": by,
        "challenge": challenge,
        "exp": iat + seconds,
        "iat": iat,
        "lot": lot,
    }
    return seal_jws(key, typ=CONTROL_TYP, payload=format_json(payload))


def open_control(
    text: str, *, challenge: str, store: LedgerStore, origin: Origin, now: int
) -> Control:
    """Verifies an answer to a challenge against the live state.

    Args:
        text: The answer, a compact JWS.
        challenge: The one that was asked, as the verifier has it.
        store: Where the lot and the key are found, as they are now.
        origin: The log's name.
        now: Seconds of the machine's clock.

    Raises:
        ControlNotShownError: It is malformed, answers another challenge, is for another log or
            not alive; its key is unknown, revoked, of another use or party, or has not signed
            it; the lot is not live, or another party's.
    """
    if len(text) > CONTROL_SIZE_MAX or not CHALLENGE.fullmatch(challenge):
        raise ControlNotShownError(reason="the answer or the challenge has a wrong form")
    try:
        jws = split_jws(text, what="answer")
        payload = parse_object(jws.payload, what="answer")
        by = _check_payload(payload, challenge=challenge, origin=origin, now=now)
        record = _look_up(jws, store)
        if record.party != trustee_of(by):
            raise ControlNotShownError(reason="its key is not the party's")
        _check_key(record, jws)
    except RegistryError as error:
        if isinstance(error, ControlNotShownError):
            raise
        raise ControlNotShownError(reason=str(error)) from None
    lot = find_row(store, LOTS, (str(payload["lot"]),), as_of=None)
    if lot is None or lot.holder != by:
        # Whose it is, is nobody's business here.
        raise ControlNotShownError(reason="the party holds no such live lot")
    return Control(
        lot=lot.lot,
        controller=by,
        kid=record.kid,
        status=lot.status,
        is_burdened=bool(lot.burdens),
    )


def _check_payload(
    payload: dict[str, Json], *, challenge: str, origin: Origin, now: int
) -> PartyId:
    """Checks members, challenge and lifetime, and returns the party that answers."""
    if set(payload) != _MEMBERS:
        raise ControlNotShownError(
            reason="its members are not exactly aud, by, challenge, exp, iat, lot"
        )
    if payload["aud"] != origin:
        raise ControlNotShownError(reason="it is for another log")
    if payload["challenge"] != challenge:
        raise ControlNotShownError(reason="it answers another challenge")
    by, iat, exp = payload["by"], payload["iat"], payload["exp"]
    if not isinstance(by, str) or not isinstance(payload["lot"], str):
        raise ControlNotShownError(reason="by or lot is no text")
    if type(iat) is not int or type(exp) is not int or not 0 < exp - iat <= CONTROL_SECONDS_MAX:
        raise ControlNotShownError(reason=f"it does not live 1 to {CONTROL_SECONDS_MAX} seconds")
    if not iat - SKEW_SECONDS <= now < exp:
        raise ControlNotShownError(reason="it is not alive now")
    return parse_party_id(by)


def _look_up(jws: Jws, store: LedgerStore) -> KeyRecord:
    """Finds the key's record as it is now."""
    kid = parse_object(jws.header, what="header").get("kid")
    record = find_row(store, KEYS, (kid,), as_of=None) if isinstance(kid, str) else None
    if record is None:
        raise ControlNotShownError(reason="its key is not known")
    return record


def _check_key(record: KeyRecord, jws: Jws) -> None:
    """Checks that the key may sign statements, and that it has signed this."""
    if record.use != KeyUse.SIGN or record.revoked is not None:
        raise ControlNotShownError(reason="its key is not, or no longer, of use sign")
    if jws.header != header_bytes(record.suite, kid=record.kid, typ=CONTROL_TYP):
        raise ControlNotShownError(reason="its header is not the one expected")
    key = PublicKey(record.suite, b64url_decode(record.x, what="key x"))
    verify(key, signature=jws.signature, message=jws.signing_input, what="answer")
