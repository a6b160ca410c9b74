"""The types of clearing's own members of statement bodies."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from registry.errors import MalformedError
from registry.money import format_amount, parse_sum


def _parse(value: Any) -> int:
    """Parses a sum; pydantic places only a ValueError."""
    if not isinstance(value, str):
        raise ValueError("not a string")
    try:
        return parse_sum(value)
    except MalformedError as error:
        raise ValueError(str(error)) from None


Sum = Annotated[
    int,
    BeforeValidator(_parse),
    PlainSerializer(format_amount),
    WithJsonSchema(
        {"type": "string", "pattern": "^(0|[1-9][0-9]{0,18})$", "examples": ["225000000"]}
    ),
]
"""A sum of minor units, which many amounts may make too long for an amount."""

Number = Annotated[int, Field(ge=0, lt=2**32)]
"""The number of an instruction in its plan, from 0."""

Count = Annotated[int, Field(ge=1, lt=2**32)]
"""How many there are, at least one."""

Tally = Annotated[int, Field(ge=0, lt=2**32)]
"""How many there are, if any."""
