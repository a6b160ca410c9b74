"""The one spelling of JSON, and the base64url and SHA-256 that go with it.

What is signed or hashed is JSON by RFC 8785 (JCS), restricted to objects, arrays,
strings, booleans and integers. A value has one spelling, and nothing else parses:

    {"amount":"100000000","due":"2026-06-30","path":["a","b"],"size":7}

The profile is written three times on purpose. `_is_plain` is fast and takes in what it is
sure of, which is nearly everything; `registry.profile` decides about the rest and puts a
refusal into words. Tests hold them to the same verdicts.
"""

import binascii
import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from registry.errors import InputError, MalformedError, NotCanonicalError
from registry.profile import (
    DEPTH_MAX,
    FORBIDDEN_CHARACTER,
    INTEGER_MAX,
    MEMBER_NAME,
    PROFILE,
    fault_of,
)

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool"

SALT_SIZE: Final = 16

# --- The profile, quickly -------------------------------------------------------

_BACKSLASH: Final = 0x5C
_DELETE: Final = 0x7F
_SHAPE_MAX: Final = 64
"""More names are left to the pattern: strangers choose what is parsed, and shapes are kept."""

_read_quickly = msgspec.json.Decoder().decode
_write_quickly = msgspec.json.Encoder(order="sorted").encode


def _is_plain(value: object, room: int) -> bool:
    """Tells whether a container holds values of the profile, and these of the plainest types.

    What is not looked at are the characters of strings: `_has_plain_text` does that, once
    for all of them. False does not say that the value is outside the profile.

    Args:
        value: The container.
        room: How many levels may still stand inside.
    """
    members: Iterable[object]
    if type(value) is dict:
        if len(value) > _SHAPE_MAX or not _are_names(tuple(value)):
            return False
        members = value.values()
    elif type(value) is list or type(value) is tuple:
        members = value
    else:
        return False
    for member in members:
        kind = type(member)
        if kind is str or kind is bool:
            continue
        if kind is int:
            if not -INTEGER_MAX <= member <= INTEGER_MAX:
                return False
        elif not (room and _is_plain(member, room - 1)) and not isinstance(member, StrEnum):
            return False
    return True


@lru_cache(maxsize=512)
def _are_names(names: tuple[object, ...]) -> bool:
    """Tells whether these are member names; objects repeat theirs in the same order."""
    return all(type(name) is str and MEMBER_NAME.fullmatch(name) for name in names)


def _has_plain_text(encoded: bytes) -> bool:
    """Tells whether encoded JSON holds no escape and no character that is forbidden."""
    if _BACKSLASH in encoded:
        return False
    if encoded.isascii():
        # An encoder escapes the other controls.
        return _DELETE not in encoded
    return FORBIDDEN_CHARACTER.search(encoded.decode()) is None


# --- Encoding and parsing -------------------------------------------------------


class _OrderError(ValueError):
    """The members of an object do not stand in strictly increasing order."""


class _TwiceError(ValueError):
    """An object names a member twice."""


def _members_in_order(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Builds an object whose names increase strictly, hence without duplicates."""
    last = ""
    for name, _ in pairs:
        if name <= last:
            raise _OrderError
        last = name
    return dict(pairs)


def _members_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Builds an object in any order, without duplicates."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _TwiceError
    return members


def _integer(digits: str) -> int:
    """Reads an integer; one far out of range becomes one just out of range, cheaply."""
    return int(digits) if len(digits) <= len(str(-INTEGER_MAX)) else INTEGER_MAX + 1


_ARRAYS = (list, tuple)
_CONTAINERS = (dict, list, tuple)
_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
).encode
_decode = json.JSONDecoder(object_pairs_hook=_members_in_order).raw_decode
_decode_loosely = json.JSONDecoder(parse_int=_integer, object_pairs_hook=_members_once).decode


def format_json(value: Json) -> bytes:
    """Encodes a value as canonical JSON.

    A tuple counts as an array, and a string enum as its string.

    Raises:
        MalformedError: The value holds something outside the profile.

    Source: RFC 8785 section 3.2. Names are ASCII, so that sorting by code points is
        sorting by UTF-16 units; controls are forbidden, so that only the quotation
        mark and the backslash are escaped.
    """
    if _is_plain(value, DEPTH_MAX - 1):
        # Half of a surrogate pair is a ValueError.
        with suppress(ValueError):
            if _has_plain_text(encoded := _write_quickly(value)):
                return encoded
    return _format_any(value)


def _format_any(value: Json) -> bytes:
    """Encodes a value as canonical JSON, or says why not: all that `format_json` promises."""
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError):
        text = ""
    if PROFILE.fullmatch(text) is None or not _has_text_names(value):
        raise MalformedError(what="JSON value", reason=fault_of(value, depth=0))
    return text.encode()


def plain_json(text: str) -> bytes:
    """Takes JSON that was written in canonical form, but for what its texts may hold.

    Raises:
        MalformedError: One of them holds something outside the profile.
    """
    data = text.encode(errors="surrogatepass")
    if not data.isascii() or _BACKSLASH in data or _DELETE in data:
        return format_json(_decode(text)[0])
    return data


def parse_json(data: bytes, *, what: str) -> Json:
    """Parses bytes that must be the canonical spelling of a value.

    Args:
        data: The received bytes, all of them.
        what: What they are, for the message of a refusal.

    Raises:
        MalformedError: Not UTF-8, not JSON, or outside the profile.
        NotCanonicalError: Inside the profile, but spelled in another way.

    Source: RFC 8785; RFC 7493 section 2 for duplicate members.
    """
    with suppress(ValueError, RecursionError):
        value: Json = _read_quickly(data)
        # What was read leniently prints otherwise: white space, disorder, a member twice, `-0`.
        printed = _write_quickly(value) if _is_plain(value, DEPTH_MAX - 1) else b""
        if printed == data and _has_plain_text(data):
            return value
    return _parse_any(data, what=what)


def _parse_any(data: bytes, *, what: str) -> Json:
    """Parses the canonical spelling of a value, or says why not: all of `parse_json`.

    Tokens of the profile have one spelling each and no white space between them, so
    what remains to be compared with the re-encoding is the order of members.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise MalformedError(what=what, reason="not UTF-8") from None
    if PROFILE.fullmatch(text) is None:
        raise _refusal(text, what=what)
    try:
        # The pattern matched one whole value, so nothing can stand behind its end.
        value: Json = _decode(text)[0]
    except ValueError:
        raise _refusal(text, what=what) from None
    return value


def parse_object(data: bytes, *, what: str) -> dict[str, Json]:
    """Parses the canonical spelling of an object.

    Raises:
        MalformedError: As `parse_json`; or the value is not an object.
        NotCanonicalError: As `parse_json`.
    """
    value = parse_json(data, what=what)
    if not isinstance(value, dict):
        raise MalformedError(what=what, reason="not an object")
    return value


def _has_text_names(value: object) -> bool:
    """Tells whether all member names are strings; the encoder would turn 1 into "1"."""
    members: Iterable[object] = value if isinstance(value, _ARRAYS) else ()
    if isinstance(value, dict):
        members = value.values()
        for name in value:
            if not isinstance(name, str):
                return False
    for member in members:
        if isinstance(member, _CONTAINERS) and not _has_text_names(member):
            return False
    return True


def _refusal(text: str, *, what: str) -> InputError:
    """Finds out why a text was refused; what is malformed is said before what is not canonical."""
    try:
        reason = fault_of(_decode_loosely(text), depth=0)
    except json.JSONDecodeError as error:
        reason = f"not JSON at character {error.pos}"
    except _TwiceError:
        reason = "a member stands twice in an object"
    except RecursionError:
        reason = f"nested deeper than {DEPTH_MAX}"
    if reason:
        return MalformedError(what=what, reason=reason)
    return NotCanonicalError(
        what=what, reason="white space, the order of members or an escape differs"
    )


# --- base64url and SHA-256 ------------------------------------------------------


_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
"""The other way round; what is foreign becomes what the decoder refuses."""
_LAST: Final = ("", "", "AQgw", "AEIMQUYcgkosw048")
"""Last characters that leave no stray bits, by the length of a text modulo 4."""


def b64url_encode(data: bytes) -> str:
    """Encodes bytes as base64url without padding (RFC 4648 section 5)."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL).decode()


def b64url_decode(text: str, *, what: str, length: int | None = None) -> bytes:
    """Decodes base64url without padding; each sequence of bytes has one spelling.

    Args:
        text: The encoded bytes.
        what: What they are, for the message of a refusal.
        length: How many bytes there must be, if that is known.

    Raises:
        MalformedError: A foreign character, padding, stray bits at the end, or another length.

    Source: RFC 4648 sections 3.5 and 5; RFC 7515 section 2.
    """
    left = len(text) % 4
    try:
        padded = text.encode("ascii").translate(_FROM_URL) + b"===="[: -len(text) % 4]
        data = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError:
        data = None
    if data is None or (left and text[-1] not in _LAST[left]):
        raise MalformedError(what=what, reason="not base64url without padding")
    if length is not None and len(data) != length:
        raise MalformedError(what=what, reason=f"{len(data)} bytes, not {length}")
    return data


def sha256(data: bytes) -> bytes:
    """Hashes bytes with SHA-256 (FIPS 180-4)."""
    return hashlib.sha256(data).digest()


def digest_b64url(data: bytes) -> str:
    """Hashes bytes with SHA-256 and writes the digest in base64url."""
    return b64url_encode(sha256(data))


def salted_digest(salt: bytes, value: Json) -> str:
    """Commits to confidential terms without showing them.

    Args:
        salt: 16 random bytes, which stay with those entitled to the terms.
        value: The terms.

    Raises:
        MalformedError: The salt has another length; or the terms are outside the profile.

    Source: docs/formats.md, Statement, confidential terms.
    """
    return salted_file_digest(salt, format_json(value))


def salted_file_digest(salt: bytes, content: bytes) -> str:
    """Commits to a file's content without showing it.

    Args:
        salt: 16 random bytes, which stay with those entitled to the file.
        content: The file's bytes.

    Raises:
        MalformedError: The salt has another length.

    Source: docs/formats.md, Statement, confidential terms.
    """
    if len(salt) != SALT_SIZE:
        raise MalformedError(what="salt", reason=f"{len(salt)} bytes, not {SALT_SIZE}")
    return digest_b64url(salt + content)
