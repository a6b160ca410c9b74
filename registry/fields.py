"""The types of the members of statement bodies: one accepted spelling each."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from registry.calendars import parse_date
from registry.canonical import b64url_decode
from registry.errors import RegistryError
from registry.ids import (
    LotId,
    NoticeId,
    Origin,
    PartyId,
    Sid,
    parse_lot_id,
    parse_notice_id,
    parse_origin,
    parse_party_id,
    parse_sid,
)
from registry.money import format_amount, parse_amount
from registry.statements import Body

T = TypeVar("T")


def _parsed(parse: Callable[[str], T]) -> Callable[[Any], T]:
    """Turns a parser's typed error into one that pydantic gives a place in the body."""

    def check(value: Any) -> T:
        if not isinstance(value, str):
            raise ValueError("not a string")
        try:
            return parse(value)
        except RegistryError as error:
            raise ValueError(str(error)) from None

    return check


def _checked(parse: Callable[[str], object]) -> AfterValidator:
    """Checks a text with a parser and keeps the text."""

    def keep(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(_parsed(keep))


def _json(pattern: str, example: str) -> WithJsonSchema:
    """Describes a text member for OpenAPI."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": [example]})


def _parse_digest(text: str) -> bytes:
    """Parses the b64url of 32 bytes."""
    return b64url_decode(text, what="digest", length=32)


_SID = "[A-Za-z0-9_-]{43}"
_PARTY = "[0-9A-Z]{18,20}(#[A-Za-z0-9._-]{1,32})?"

Amount = Annotated[
    int,
    BeforeValidator(_parsed(parse_amount)),
    PlainSerializer(format_amount),
    _json("[1-9][0-9]{0,14}", "100000000"),
]
"""Money in minor units, positive; a string in JSON."""

BusinessDate = Annotated[
    date,
    BeforeValidator(_parsed(parse_date)),
    PlainSerializer(date.isoformat),
    _json("[0-9]{4}-[0-9]{2}-[0-9]{2}", "2026-03-02"),
]
"""A date in the ledger's zone."""

PartyField = Annotated[PartyId, _checked(parse_party_id), _json(_PARTY, "91310000MA1K000019")]
SidField = Annotated[Sid, _checked(parse_sid), _json(_SID, "A" * 43)]
LotField = Annotated[LotId, _checked(parse_lot_id), _json(_SID + r"\.[0-9]+", "A" * 43 + ".0")]
NoticeField = Annotated[
    NoticeId, _checked(parse_notice_id), _json(_SID + r"\.[0-9]+![0-7]", "A" * 43 + ".2!0")
]
OriginField = Annotated[Origin, _checked(parse_origin), _json("[!-~]+", "registry.example/cn-2026")]
Digest = Annotated[str, _checked(_parse_digest), _json(_SID, "A" * 43)]
"""b64url of a SHA-256, of confidential terms or of a file."""

MachineText = Annotated[str, Field(pattern=r"^[!-~]{1,64}\z")]
"""Printable ASCII without spaces: numbers, codes, file names."""

PlainText = Annotated[str, Field(min_length=1, max_length=200)]
"""Text for people; the JSON profile keeps control and direction characters out."""

Instant = Annotated[int, Field(ge=0, lt=2**48)]
"""Milliseconds since 1970-01-01T00:00:00Z."""

LENIENT = Field(strict=False)
"""Marks a list (kept as a tuple) or a closed set of texts (kept as an enum)."""


class FileRef(Body):
    """A file that stands outside the log, by its salted digest."""

    digest: Digest
    name: MachineText


class KeyField(Body):
    """A public key as a JWK of exactly these members."""

    crv: MachineText
    kty: MachineText
    x: MachineText
