"""What a claim is worth before it is due, and what selling it costs in a year.

Simple discount: price = face * (1 - rate * days / year), rounded half up to a minor unit.
The all-in cost is everything that the seller bears, discount and fees, over the money that it
gets, for a year: two offers with unlike fees can be compared by it.

Source: SD-39, GV-04; for the all-in cost PBOC announcement 〔2021〕No. 3 (by its abstracts).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from registry.errors import InvariantBrokenError
from registry.money import BASIS_POINTS, simple_interest

YEARS = frozenset({360, 365})
"""Days that a year may have by a contract's convention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """A fee for a financing.

    Attributes:
        amount: Minor units.
        of_seller: The seller bears it; else somebody else does.
    """

    amount: int
    of_seller: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a financier offers for a claim.

    Attributes:
        face: What the claim is worth when due, in minor units.
        discount: What is taken off for the days until then.
        fees: What the seller bears besides.
        net: What the seller gets: face - discount - fees.
        cost_bp: All that the seller bears over what it gets, for a year, in basis points.
    """

    face: int
    discount: int
    fees: int
    net: int
    cost_bp: int


def discount(face: int, *, rate_bp: int, days: int, year_days: int = 365) -> int:
    """Returns what is taken off a face for the days until it is due.

    Raises:
        InvariantBrokenError: Negative days or rate, another year, or a discount that leaves
            nothing (caller bug).

    Source: GV-04.
    """
    if year_days not in YEARS or rate_bp * days >= BASIS_POINTS * year_days:
        raise InvariantBrokenError(f"no price at {rate_bp} bp for {days} of {year_days} days")
    return simple_interest(face, rate_bp=rate_bp, days=days, year_days=year_days)


def quote(
    face: int, *, rate_bp: int, days: int, year_days: int = 365, fees: Iterable[Fee] = ()
) -> Quote:
    """Returns what a seller gets for a claim, and what that costs it.

    Args:
        face: Minor units, positive.
        rate_bp: The discount rate for a year.
        days: From the payment to the due date, one at least.
        year_days: 360 or 365, as the contract says.
        fees: All of them, whoever bears them.

    Raises:
        InvariantBrokenError: As `discount`; or the seller would get nothing (caller bug).
    """
    taken = discount(face, rate_bp=rate_bp, days=days, year_days=year_days)
    borne = sum(fee.amount for fee in fees if fee.of_seller)
    net = face - taken - borne
    if net < 1 or days < 1:
        raise InvariantBrokenError(f"{face} in {days} days leaves the seller {net}")
    # (cost / net) * (year / days), rounded half up.
    cost, base = (taken + borne) * year_days * BASIS_POINTS, net * days
    return Quote(
        face=face,
        discount=taken,
        fees=borne,
        net=net,
        cost_bp=(2 * cost + base) // (2 * base),
    )
