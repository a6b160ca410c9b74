"""Money: whole minor units of the ledger's one currency, as `int`.

JSON carries amounts as decimal strings, because its numbers are doubles elsewhere.
Nothing here is a float; division stands in `allocate` and `simple_interest`, and in the
rounding of `format_wan` for the eye.
"""

import re
from collections.abc import Sequence
from typing import Final

from registry.errors import InvariantBrokenError, MalformedError

AMOUNT_MIN: Final = 1
AMOUNT_MAX: Final = 10**15 - 1
SUM_MAX: Final = 2**63 - 1
BASIS_POINTS: Final = 10_000

_AMOUNT: Final = re.compile(r"[1-9][0-9]{0,14}")
_YUAN: Final = re.compile(r"([0-9]{1,13}|[0-9]{1,3}(,[0-9]{3}){1,4})(\.[0-9]{1,2})?")
_SUM: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_MINOR_PER_HUNDREDTH_OF_WAN: Final = 10_000


def parse_amount(text: str) -> int:
    """Parses an amount of minor units, positive and of at most 15 digits.

    Raises:
        MalformedError: Another form.
    """
    if not _AMOUNT.fullmatch(text):
        raise MalformedError(what="amount", reason="no number of fen, such as 100000000")
    return int(text)


def parse_sum(text: str) -> int:
    """Parses a sum of minor units, zero or more and below 2^63.

    Raises:
        MalformedError: Another form, or too large.
    """
    if not _SUM.fullmatch(text) or int(text) > SUM_MAX:
        raise MalformedError(what="sum", reason="not 0|[1-9][0-9]{0,18} below 2^63")
    return int(text)


def format_amount(minor: int) -> str:
    """Writes an amount or a sum of minor units.

    Raises:
        InvariantBrokenError: Negative, or 2^63 or more (caller bug).
    """
    if not 0 <= minor <= SUM_MAX:
        raise InvariantBrokenError(f"{minor} is outside 0 to {SUM_MAX}")
    return str(minor)


def allocate(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Divides a total in proportion to weights, losing nothing.

    Largest-remainder method; ties go to the lower index so that every
    implementation gives the same answer.

    Args:
        total: Minor units to divide, zero or more.
        weights: One per payee, for example face in minor units; at least one is positive.

    Returns:
        One share per weight, in the same order; they sum to the total exactly, and each
        is within one minor unit of its proportional share.

    Raises:
        InvariantBrokenError: The total or a weight is negative, or no weight is positive
            (caller bug).

    Source: Hamilton's method of apportionment.
    """
    if total < 0 or min(weights, default=0) < 0 or not any(weights):
        raise InvariantBrokenError(f"cannot divide {total} by weights {list(weights)}")
    whole = sum(weights)
    shares = [total * weight // whole for weight in weights]
    remainders = [total * weight % whole for weight in weights]
    # Sorting is stable: among equal remainders the lower index stays first.
    by_remainder = sorted(range(len(shares)), key=remainders.__getitem__, reverse=True)
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return tuple(shares)


def simple_interest(principal: int, *, rate_bp: int, days: int, year_days: int) -> int:
    """Computes simple interest, rounded half up to a minor unit.

    Args:
        principal: Minor units.
        rate_bp: Rate for a year in basis points (1.79 % is 179).
        days: Days that bear interest.
        year_days: Days of the year by convention, 365 or 360.

    Returns:
        Interest in minor units.

    Raises:
        InvariantBrokenError: A negative argument, or a year without days (caller bug).
    """
    if min(principal, rate_bp, days) < 0 or year_days < 1:
        raise InvariantBrokenError(
            f"no interest on {principal} at {rate_bp} bp for {days} of {year_days} days"
        )
    return _divide_half_up(principal * rate_bp * days, BASIS_POINTS * year_days)


def parse_yuan(text: str) -> int:
    """Reads yuan as people write them, 1,234.5 or 1234.50, into minor units.

    Raises:
        MalformedError: Not a positive amount with at most two decimals.
    """
    if not _YUAN.fullmatch(text):
        raise MalformedError(what="amount", reason=f"{text!r} is not yuan such as 1,234.56")
    whole, _, hundredths = text.replace(",", "").partition(".")
    return parse_amount(f"{whole}{hundredths:0<2}".lstrip("0"))


def format_yuan(minor: int) -> str:
    """Writes minor units as yuan for the eye: 1,000,000.00."""
    return _format_hundredths(minor)


def format_wan(minor: int) -> str:
    """Writes minor units as ten thousands of yuan for the eye, rounded half up: 43,746.71.

    A negative figure is rounded as its positive counterpart, so that they cancel in a column.
    """
    hundredths = _divide_half_up(abs(minor), _MINOR_PER_HUNDREDTH_OF_WAN)
    return _format_hundredths(-hundredths if minor < 0 else hundredths)


def _divide_half_up(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)


def _format_hundredths(number: int) -> str:
    whole, hundredths = divmod(abs(number), 100)
    return f"{'-' if number < 0 else ''}{whole:,}.{hundredths:02}"
