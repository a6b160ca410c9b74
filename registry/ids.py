"""Identifiers: one form each, parsed once, and then told apart by their types.

    origin   registry.example/cn-2026
    party    91310000MA1K000019 (USCC) or 5493001KJTIIGC8Y1R12 (LEI)
    vehicle  91310000MA1K000019#trust-7
    kid      43 characters: the RFC 7638 thumbprint of a key
    sid      43 characters: the hash of a statement's signing input
    lot      <sid>.0
    notice   <sid>.0!0
    uuid7    019b7000-0000-7000-8000-000000000000

Ids of objects are derived from the statement that made them, so that a replay and a
second implementation name everything alike.
"""

import re
from functools import lru_cache
from operator import mul
from typing import Final, NewType

from registry.errors import InvariantBrokenError, MalformedError

PartyId = NewType("PartyId", str)
Kid = NewType("Kid", str)
Sid = NewType("Sid", str)
LotId = NewType("LotId", str)
NoticeId = NewType("NoticeId", str)
Origin = NewType("Origin", str)

NUMBER_MAX: Final = 2**32 - 1
"""The highest number in a lot's or a notice's id; it is a uint32 where it is hashed."""

_PARTIES_KEPT: Final = 16_384
"""Parties that need not be checked again; they come in every statement."""

_USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUE: Final = {character: place for place, character in enumerate(_USCC_ALPHABET)}
_USCC_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))
_USCC: Final = re.compile(f"[{_USCC_ALPHABET}]{{2}}[0-9]{{6}}[{_USCC_ALPHABET}]{{10}}")
_LEI: Final = re.compile(r"[0-9A-Z]{18}[0-9]{2}")
_VEHICLE_CODE: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
# 32 bytes leave two bits of the last character over, and these are zero.
_HASH: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_UUID7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ORIGIN: Final = re.compile(r"[!-*,-~]{1,120}")

# --- Parties --------------------------------------------------------------------


def uscc_check_character(first17: str) -> str:
    """Computes the last character of a unified social credit code.

    Args:
        first17: The 17 characters before it, of the standard's alphabet.

    Raises:
        InvariantBrokenError: Another length or a foreign character (caller bug).

    Source: GB 32100-2015; weights 3^(i-1) mod 31, the sum complemented to 31.
    """
    if len(first17) != 17 or not _USCC_VALUE.keys() >= set(first17):
        raise InvariantBrokenError(f"not 17 characters of a credit code: {first17!r}")
    total = sum(map(mul, map(_USCC_VALUE.__getitem__, first17), _USCC_WEIGHTS))
    return _USCC_ALPHABET[-total % 31]


def lei_check_digits(first18: str) -> str:
    """Computes the two check digits of a legal entity identifier, 02 to 98.

    Args:
        first18: The 18 digits and capital letters before them.

    Raises:
        InvariantBrokenError: Another length or a foreign character (caller bug).

    Source: ISO 17442-1; ISO/IEC 7064, MOD 97-10, letters as 10 to 35.
    """
    if not re.fullmatch(r"[0-9A-Z]{18}", first18):
        raise InvariantBrokenError(f"not 18 characters of an LEI: {first18!r}")
    number = int("".join(str(int(character, 36)) for character in first18))
    return f"{98 - number * 100 % 97:02}"


@lru_cache(maxsize=_PARTIES_KEPT)
def parse_party_id(text: str) -> PartyId:
    """Parses a legal identifier, or a trust vehicle under one.

    Raises:
        MalformedError: No such form, a wrong check character, or a wrong vehicle code.

    Source: docs/formats.md, Identifiers.
    """
    legal, mark, code = text.partition("#")
    if _USCC.fullmatch(legal):
        found, computed = legal[17:], uscc_check_character(legal[:17])
    elif _LEI.fullmatch(legal):
        found, computed = legal[18:], lei_check_digits(legal[:18])
    else:
        raise MalformedError(what="party id", reason="neither a USCC nor an LEI")
    if found != computed:
        raise MalformedError(what="party id", reason=f"check is {found}, computed {computed}")
    if mark and not _VEHICLE_CODE.fullmatch(code):
        raise MalformedError(what="party id", reason="vehicle code is not [A-Za-z0-9._-]{1,32}")
    return PartyId(text)


def is_vehicle(party: PartyId) -> bool:
    """Tells whether a party is a trust vehicle."""
    return "#" in party


def trustee_of(party: PartyId) -> PartyId:
    """Names the party whose keys sign: a vehicle's trustee, else the party itself."""
    return PartyId(party.partition("#")[0])


# --- Statements, keys, and what is derived from them ------------------------------


def parse_sid(text: str) -> Sid:
    """Parses a statement id.

    Raises:
        MalformedError: Not the base64url of 32 bytes.
    """
    return Sid(_hash(text, what="statement id"))


def parse_kid(text: str) -> Kid:
    """Parses a key id.

    Raises:
        MalformedError: Not the base64url of 32 bytes.
    """
    return Kid(_hash(text, what="key id"))


def lot_id(sid: Sid, n: int) -> LotId:
    """Names the n-th lot that a statement makes.

    Raises:
        InvariantBrokenError: The number is outside 0 to 2^32 - 1 (caller bug).
    """
    return LotId(f"{sid}.{_counted(n)}")


def parse_lot_id(text: str) -> tuple[Sid, int]:
    """Parses a lot's id into the statement that numbers it and its number there.

    Raises:
        MalformedError: Not `<sid>.<n>`.
    """
    sid, _, number = text.partition(".")
    return Sid(_hash(sid, what="lot id")), _number(number, what="lot id")


def notice_id(lot: LotId, r: int) -> NoticeId:
    """Names the notice of a lot to the r-th recipient of its voucher.

    Raises:
        InvariantBrokenError: The number is outside 0 to 2^32 - 1 (caller bug).
    """
    return NoticeId(f"{lot}!{_counted(r)}")


def parse_notice_id(text: str) -> tuple[LotId, int]:
    """Parses a notice's id into the lot and the recipient's number.

    Raises:
        MalformedError: Not `<lot>!<r>`.
    """
    lot, _, number = text.partition("!")
    parse_lot_id(lot)
    return LotId(lot), _number(number, what="notice id")


def _hash(text: str, *, what: str) -> str:
    if not _HASH.fullmatch(text):
        raise MalformedError(what=what, reason="not the base64url of 32 bytes")
    return text


def _number(text: str, *, what: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > NUMBER_MAX:
        raise MalformedError(what=what, reason=f"no decimal number up to {NUMBER_MAX} at its end")
    return int(text)


def _counted(number: int) -> int:
    if not 0 <= number <= NUMBER_MAX:
        raise InvariantBrokenError(f"{number} is outside 0 to {NUMBER_MAX}")
    return number


# --- Idempotency keys and the log's name ------------------------------------------


def parse_uuid7(text: str) -> int:
    """Parses a UUID of version 7, in lower case, into its milliseconds since 1970.

    Raises:
        MalformedError: Another form, version or variant.

    Source: RFC 9562 sections 4 and 5.7.
    """
    if not _UUID7.fullmatch(text):
        raise MalformedError(what="id", reason="not a UUID of version 7 in lower case")
    return int(text[:8] + text[9:13], 16)


def format_uuid7(time_ms: int, tail: bytes) -> str:
    """Writes a UUID of version 7.

    Args:
        time_ms: Milliseconds since 1970, below 2^48.
        tail: 10 random bytes; 74 of their bits are used, the rest make room for
            version and variant.

    Raises:
        InvariantBrokenError: The time or the tail has another size (caller bug).

    Source: RFC 9562 section 5.7.
    """
    if not 0 <= time_ms < 2**48 or len(tail) != 10:
        raise InvariantBrokenError(f"no UUID from {time_ms} ms and {len(tail)} bytes")
    version, variant = 0x70 | tail[0] & 0x0F, 0x80 | tail[2] & 0x3F
    digits = (time_ms.to_bytes(6, "big") + bytes([version, tail[1], variant]) + tail[3:]).hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def parse_origin(text: str) -> Origin:
    """Parses a log's name: printable ASCII without space, plus sign or scheme.

    Raises:
        MalformedError: Another character, a scheme, empty, or more than 120 characters.

    Source: docs/formats.md, Identifiers; C2SP signed-note on key names.
    """
    if not _ORIGIN.fullmatch(text) or "://" in text:
        raise MalformedError(what="origin", reason="not 1 to 120 printable characters as asked")
    return Origin(text)
