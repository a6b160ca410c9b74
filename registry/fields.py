"""The types of the members of statement bodies: one accepted spelling each.

Each value that a type accepts is printed as it was read, so a body whose JSON is canonical
needs no second look. A test holds every kind's model to that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetPydanticSchema,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from registry.errors import RegistryError
from registry.ids import LotId, NoticeId, Origin, PartyId, Sid, parse_origin, parse_party_id
from registry.money import format_amount
from registry.people import Duty
from registry.statements import Body, Statement
from registry.tables import Rows


def _spelled(pattern: str, *, reason: str, then: CoreSchema | None = None) -> GetPydanticSchema:
    """Checks a text by a pattern that says all that its parser says, and reads it with `then`.

    Both happen in pydantic's core, without a call into Python for every member.
    """

    def schema(_source: object, _handler: object) -> CoreSchema:
        text: CoreSchema = core_schema.str_schema(pattern=f"^(?:{pattern})\\z", strict=True)
        return core_schema.custom_error_schema(
            core_schema.chain_schema([text, then]) if then else text,
            custom_error_type="malformed",
            custom_error_message=reason,
        )

    return GetPydanticSchema(schema)


def _checked(parse: Callable[[str], object]) -> AfterValidator:
    """Checks a text with a parser and keeps the text; pydantic places only a ValueError."""

    def keep(text: str) -> str:
        try:
            parse(text)
        except RegistryError as error:
            raise ValueError(str(error)) from None
        return text

    return AfterValidator(keep)


def _not_true(value: object) -> object:
    """Refuses a truth value where 1 is asked for, which Python takes for its equal."""
    if isinstance(value, bool):
        raise ValueError("not a number")
    return value


def _json(pattern: str, example: str) -> WithJsonSchema:
    """Describes a text member for OpenAPI."""
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": [example]})


_SID = "[A-Za-z0-9_-]{43}"
_PARTY = "[0-9A-Z]{18,20}(#[A-Za-z0-9._-]{1,32})?"

# What `registry.ids` and its neighbours parse; a test holds them to the same verdicts.
_HASH = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_AMOUNT = "[1-9][0-9]{0,14}"
_UINT32 = (
    "0|[1-9][0-9]{0,8}|[1-3][0-9]{9}|4[01][0-9]{8}|42[0-8][0-9]{7}|429[0-3][0-9]{6}"
    "|4294[0-8][0-9]{5}|42949[0-5][0-9]{4}|429496[0-6][0-9]{3}|4294967[01][0-9]{2}"
    "|42949672[0-8][0-9]|429496729[0-5]"
)

Amount = Annotated[
    int,
    _spelled(
        _AMOUNT,
        reason='no amount in fen, in a string, such as "100000000" for 1,000,000.00',
        then=core_schema.int_schema(strict=False),
    ),
    PlainSerializer(format_amount),
    _json(_AMOUNT, "100000000"),
]
"""Money in minor units, positive; a string in JSON."""

BusinessDate = Annotated[
    date,
    _spelled(_DATE, reason="no date as YYYY-MM-DD", then=core_schema.date_schema(strict=False)),
    PlainSerializer(date.isoformat),
    _json(_DATE, "2026-03-02"),
]
"""A date in the ledger's zone."""

TimeOfDay = Annotated[
    str,
    _spelled(_TIME, reason="no time of day as HH:MM"),
    _json(_TIME, "16:30"),
]
"""A time of day in the ledger's zone; such texts stand in the order of time."""

PartyField = Annotated[PartyId, _checked(parse_party_id), _json(_PARTY, "91310000MA1K000019")]
SidField = Annotated[
    Sid, _spelled(_HASH, reason="not the base64url of 32 bytes"), _json(_SID, "A" * 43)
]
LotField = Annotated[
    LotId,
    _spelled(rf"{_HASH}\.(?:{_UINT32})", reason="not <statement id>.<number>"),
    _json(_SID + r"\.[0-9]+", "A" * 43 + ".0"),
]
NoticeField = Annotated[
    NoticeId,
    _spelled(rf"{_HASH}\.(?:{_UINT32})!(?:{_UINT32})", reason="not <lot>!<number>"),
    _json(_SID + r"\.[0-9]+![0-7]", "A" * 43 + ".2!0"),
]
OriginField = Annotated[Origin, _checked(parse_origin), _json("[!-~]+", "registry.example/cn-2026")]
Digest = Annotated[
    str, _spelled(_HASH, reason="not the base64url of 32 bytes"), _json(_SID, "A" * 43)
]
"""b64url of a SHA-256, of confidential terms or of a file."""

MachineText = Annotated[str, Field(pattern=r"^[!-~]{1,64}\z")]
"""Printable ASCII without spaces: numbers, codes, file names."""

PlainText = Annotated[str, Field(min_length=1, max_length=200)]
"""Text for people; the JSON profile keeps control and direction characters out."""

Instant = Annotated[int, Field(ge=0, lt=2**48)]
"""Milliseconds since 1970-01-01T00:00:00Z."""

FormatOne = Annotated[Literal[1], BeforeValidator(_not_true)]
"""The version of the formats."""


def _only_true(value: object) -> object:
    """Refuses a 1, which equals true in Python and is another value in JSON."""
    if value is not True:
        raise ValueError("can only be true")
    return value


OnlyTrue = Annotated[Literal[True], BeforeValidator(_only_true)]
"""A word that is there or is not: leaving it out is the other answer."""

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


class HandField(Body):
    """Whose hand a signing key is: a pseudonym, and what its person may do in the party.

    Without a duty the person makes and checks, without a limit for any amount.
    """

    person: MachineText
    duty: Annotated[Duty, LENIENT] | None = None
    limit: Amount | None = None


@dataclass(frozen=True, slots=True)
class BodyAmount:
    """Reads what a statement is about from a member of its body, in minor units.

    A function of its own for each kind could not travel to another process of an audit.
    """

    member: str

    def __call__(self, _state: Rows, statement: Statement[Any]) -> int:
        """Returns the amount."""
        amount: int = getattr(statement.body, self.member)
        return amount
