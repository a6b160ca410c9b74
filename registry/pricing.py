"""What a claim is worth before it is due, what selling it costs in a year, and who says so.

Simple discount: price = face * (1 - rate * days / year), rounded half up to a minor unit.
The all-in cost is everything that the seller bears, discount and fees, over the money that it
gets, for a year: two offers with unlike fees can be compared by it.

A quote is signed by its digest alone (docs/formats.md, Statement): `format_terms` writes what
the digest is of, and `verify_terms` computes it again for whoever has the opening.

Source: SD-39, SD-71, GV-04; for the all-in cost PBOC announcement 〔2021〕No. 3 (by its abstracts).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from registry.calendars import parse_date
from registry.canonical import Json
from registry.errors import InvariantBrokenError, MalformedError, VerificationError
from registry.money import BASIS_POINTS, format_amount, parse_sum, simple_interest

YEARS = frozenset({360, 365})
"""Days that a year may have by a contract's convention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """A fee for a financing.

    Attributes:
        amount: Minor units.
        of_seller: The seller bears it; else somebody else does.
        what: What it is for.
    """

    amount: int
    of_seller: bool
    what: str = "fee"


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


# --- What is signed ---------------------------------------------------------------------


class QuoteDiffersError(VerificationError):
    """A quote's figures do not follow from its own rate, days and fees."""

    template = "quote: {what} is {stated}, and follows as {follows}"


def format_terms(
    face: int,
    *,
    rate_bp: int,
    pay_on: date,
    due_on: date,
    year_days: int = 365,
    fees: Iterable[Fee] = (),
) -> dict[str, Json]:
    """Returns the confidential terms of a quote, or of an early payment.

    Args:
        face: Minor units.
        rate_bp: The discount rate for a year.
        pay_on: The day from which days are counted, which is not counted itself.
        due_on: The due date.
        year_days: 360 or 365, as the contract says.
        fees: All of them, each with who bears it.

    Raises:
        InvariantBrokenError: As `quote` (caller bug).
    """
    borne = tuple(fees)
    days = (due_on - pay_on).days
    told = quote(face, rate_bp=rate_bp, days=days, year_days=year_days, fees=borne)
    listed: list[Json] = [
        {
            "amount": format_amount(fee.amount),
            "bearer": "seller" if fee.of_seller else "other",
            "what": fee.what,
        }
        for fee in borne
    ]
    return {
        "cost_bp": told.cost_bp,
        "days": days,
        "discount": format_amount(told.discount),
        "due_on": due_on.isoformat(),
        "face": format_amount(told.face),
        "fees": listed,
        "net": format_amount(told.net),
        "pay_on": pay_on.isoformat(),
        "rate_bp": rate_bp,
        "year_days": year_days,
    }


def verify_terms(terms: Mapping[str, Json]) -> Quote:
    """Verifies that every figure of a quote follows, to the minor unit, and returns them.

    Raises:
        MalformedError: A member is missing, unknown or has a wrong form.
        QuoteDiffersError: A figure does not follow from the others.
    """
    try:
        fees = tuple(map(_parse_fee, _array(terms["fees"])))
        follows = format_terms(
            parse_sum(str(terms["face"])),
            rate_bp=_count(terms["rate_bp"]),
            pay_on=parse_date(str(terms["pay_on"])),
            due_on=parse_date(str(terms["due_on"])),
            year_days=_count(terms["year_days"]),
            fees=fees,
        )
    except KeyError as error:
        raise MalformedError(what="terms", reason=f"{error.args[0]} is missing") from None
    except InvariantBrokenError as error:
        raise MalformedError(what="terms", reason=str(error)) from None
    if unknown := set(terms) - set(follows):
        raise MalformedError(what="terms", reason=f"unknown: {min(unknown)}")
    for name, figure in follows.items():
        if terms.get(name) != figure:
            raise QuoteDiffersError(what=name, stated=str(terms.get(name)), follows=str(figure))
    face, days = parse_sum(str(terms["face"])), _count(terms["days"])
    rate, year = _count(terms["rate_bp"]), _count(terms["year_days"])
    return quote(face, rate_bp=rate, days=days, year_days=year, fees=fees)


def _array(value: Json) -> list[Json]:
    """Returns a member that must be an array."""
    if not isinstance(value, list):
        raise MalformedError(what="terms", reason="fees are no array")
    return value


def _parse_fee(value: Json) -> Fee:
    """Reads a fee as `format_terms` writes it."""
    if not isinstance(value, dict) or set(value) != {"amount", "bearer", "what"}:
        raise MalformedError(what="terms", reason="a fee has amount, bearer and what")
    bearer = value["bearer"]
    if bearer not in ("seller", "other"):
        raise MalformedError(what="terms", reason="a fee is borne by seller or other")
    amount = parse_sum(str(value["amount"]))
    return Fee(amount=amount, of_seller=bearer == "seller", what=str(value["what"]))


def _count(value: Json) -> int:
    """Returns a member that must be a number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedError(what="terms", reason=f"{value!r} is no number")
    return value


# --- Afterwards -------------------------------------------------------------------------


def surplus(collected: int, *, financed: int, charges: int, recourse: bool) -> int:
    """Returns what goes back to the seller of what the debtor has paid.

    With recourse the financier keeps what it gave, and what that costs; without, it bought
    the claim, and keeps all of it (Civil Code, art. 766 and 767).

    Args:
        collected: From the debtor, in minor units.
        financed: What the seller was given.
        charges: Interest and fees on it that are not paid yet.
        recourse: The seller answers for the debtor.

    Source: SD-71.
    """
    return max(collected - financed - charges, 0) if recourse else 0
