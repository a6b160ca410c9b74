"""The JSON profile: objects, arrays, strings, booleans and integers, and no more of each.

It is written twice: `PROFILE` is a pattern and decides, `fault_of` reads like the rule and
puts a refusal into words.
"""

import re
from collections.abc import Iterable
from typing import Final

DEPTH_MAX: Final = 16
INTEGER_MAX: Final = 2**53 - 1

# --- As a pattern ---------------------------------------------------------------

_NAME = "[A-Za-z0-9._#-]{1,64}"
# Controls, invisible and direction-changing characters, and halves of surrogate pairs.
_FORBIDDEN = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_PLAIN = r"[ !#-\[\]-~]"  # printable ASCII, less the two characters that are escaped
_TEXT = rf'"{_PLAIN}*(?:(?:\\["\\]|[^\x00-\x7f{_FORBIDDEN}]){_PLAIN}*)*"'
# Sixteen digits reach past 2^53, so these magnitudes are spelled out place by place.
_SIXTEEN_DIGITS = [
    f"{str(INTEGER_MAX)[:place]}[0-{int(digit) - 1}][0-9]{{{15 - place}}}"
    for place, digit in enumerate(str(INTEGER_MAX))
    if place > 0 and digit != "0"
]
_MAGNITUDE = "|".join(["[1-9][0-9]{0,14}", "[1-8][0-9]{15}", *_SIXTEEN_DIGITS, str(INTEGER_MAX)])
_SCALAR = f"{_TEXT}|(?:0|-?(?:{_MAGNITUDE}))(?![0-9])|true|false"


def _tokens_pattern() -> str:
    """Writes the pattern of texts made of the profile's tokens, nested `DEPTH_MAX` deep.

    What it lets pass, such as a missing comma or a name without an object, the parser
    refuses. No token can be read in two ways, so a mismatch costs linear time.
    """
    value = f"(?:{_SCALAR})"
    for _ in range(DEPTH_MAX):
        value = f'(?:{_SCALAR}|[{{\\[](?:(?:"{_NAME}":)?{value},?)*[}}\\]])'
    return value


PROFILE: Final = re.compile(_tokens_pattern())
MEMBER_NAME: Final = re.compile(_NAME)
FORBIDDEN_CHARACTER: Final = re.compile(f"[{_FORBIDDEN}]")


# --- In words -------------------------------------------------------------------


def fault_of(value: object, *, depth: int) -> str:
    """Says in words why a value is outside the profile; empty if it is inside."""
    reason = ""
    match value:
        case bool():
            pass
        case int():
            if abs(value) > INTEGER_MAX:
                reason = "an integer of magnitude 2^53 or more"
        case str():
            if FORBIDDEN_CHARACTER.search(value):
                reason = "a control, invisible or surrogate character in a string"
        case dict() | list() | tuple() if depth == DEPTH_MAX:
            reason = f"nested deeper than {DEPTH_MAX}"
        case dict():
            if not all(isinstance(name, str) and MEMBER_NAME.fullmatch(name) for name in value):
                reason = "a member name outside [A-Za-z0-9._#-]{1,64}"
            else:
                reason = _first_fault(value.values(), depth=depth + 1)
        case list() | tuple():
            reason = _first_fault(value, depth=depth + 1)
        case None:
            reason = "null; an absent member is left out"
        case float():
            reason = "a number that is not an integer"
        case _:
            reason = f"{type(value).__name__} has no JSON form"
    return reason


def _first_fault(values: Iterable[object], *, depth: int) -> str:
    """Says what is wrong with the first value that is outside the profile."""
    return next(filter(None, (fault_of(value, depth=depth) for value in values)), "")
