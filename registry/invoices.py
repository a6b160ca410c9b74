"""Invoices: one fingerprint for all spellings of one invoice, and how much of it is used.

An invoice backs vouchers up to its amount, and never twice (FR-01). The log holds its
fingerprint and the amount used; the invoice itself is a confidential term. What scanners and
people mistake for one another is one spelling here, by a table of our own, so that no
library's Unicode tables decide whether two invoices are the same.

A fingerprint leaves out the date and the amount: whoever alters them gets the same one,
and is refused for the amount. It shows that two claims name one invoice; that there is
such an invoice it does not show.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from registry.canonical import Json, b64url_encode, format_json, sha256
from registry.errors import MalformedError
from registry.ids import PartyId

NUMBER_MAX: Final = 30
"""Characters of an invoice's code or number as it is looked at: longer than any there is."""

_DOMAIN: Final = b"tallystick-invoice/1\x00"
_PASSED_OVER: Final = (
    " \t\u00a0\u3000-\u2010\u2011\u2012\u2013\u2014\u2212_./\uff0d\uff0e\uff0f\u30fb\u00b7"
)
_DIGITS: Final = "0123456789"
_FULL_WIDTH: Final = {chr(0xFF01 + place): chr(0x21 + place) for place in range(94)}
_MISREAD: Final = {
    "0": "OoQD\u039f\u03bf\u041e\u043e\u3007\u25cb",
    "1": "IiLl|!\u0406\u0456\u2160",
    "2": "Zz",
    "5": "Ss\u0405\u0455",
    "6": "b",
    "8": "B\u0412",
    "9": "gq",
}

LOOK_ALIKES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{digit: digit for digit in _DIGITS},
        **{wrong: digit for digit, wrongs in _MISREAD.items() for wrong in wrongs},
    }
)
"""The digit that a character stands for in an invoice's code or number."""


def plain_number(text: str) -> str:
    """Returns an invoice's code or number as plain digits, whatever was made of them.

    Raises:
        MalformedError: A character stands for no digit, or none or too many are left.

    Source: FR-01; docs/formats.md, Invoices.
    """
    digits = ""
    for character in text:
        narrow = _FULL_WIDTH.get(character, character)
        if narrow in _PASSED_OVER:
            continue
        digit = LOOK_ALIKES.get(narrow)
        if digit is None:
            raise MalformedError(what="invoice", reason=f"U+{ord(character):04X} is no digit")
        digits += digit
    if not 1 <= len(digits) <= NUMBER_MAX:
        raise MalformedError(what="invoice", reason=f"not 1 to {NUMBER_MAX} digits")
    return digits


def fingerprint(*, seller: PartyId, number: str, code: str = "") -> str:
    """Returns what stands for an invoice in the log.

    Args:
        seller: Who issued it.
        number: Its number (发票号码), in any spelling.
        code: Its code (发票代码), of older invoices; fully digital ones have none.

    Returns:
        b64url(SHA-256("tallystick-invoice/1" 0x00 JCS of code, number and seller)).

    Raises:
        MalformedError: Number or code cannot be read.

    Source: FR-01; docs/formats.md, Invoices.
    """
    told: dict[str, Json] = {"number": plain_number(number), "seller": seller}
    if code:
        told["code"] = plain_number(code)
    return b64url_encode(sha256(_DOMAIN + format_json(told)))
