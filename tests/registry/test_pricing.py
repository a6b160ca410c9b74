"""Prices before the due date, to the fen (SD-39, GV-04), and what they cost in a year."""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvariantBrokenError, MalformedError
from registry.pricing import (
    Fee,
    QuoteDiffersError,
    discount,
    format_terms,
    quote,
    surplus,
    verify_terms,
)

FACE = 100_015_170_000


@pytest.mark.parametrize(
    ("face", "rate_bp", "days", "price"),
    [
        (FACE, 179, 30, 99_868_024_394),
        (FACE, 179, 91, 99_568_828_328),
        (FACE, 179, 180, 99_132_296_362),
        (FACE, 179, 362, 98_239_613_018),
        (FACE, 179, 365, 98_224_898_457),
        (100_000_000, 300, 90, 99_260_274),
        (100_000_000, 360, 180, 98_224_658),
    ],
)
def test_gv_04_prices_to_the_fen(face: int, rate_bp: int, days: int, price: int) -> None:
    assert face - discount(face, rate_bp=rate_bp, days=days) == price
    assert quote(face, rate_bp=rate_bp, days=days).net == price


@pytest.mark.parametrize(
    ("rate_bp", "days", "year"),
    [(179, -1, 365), (10_000, 365, 365), (20_000, 183, 365), (1, 1, 366)],
)
def test_gv_04_refuses_what_has_no_price(rate_bp: int, days: int, year: int) -> None:
    with pytest.raises(InvariantBrokenError):
        discount(FACE, rate_bp=rate_bp, days=days, year_days=year)


def test_a_fee_that_another_bears_costs_the_seller_nothing() -> None:
    fees = [Fee(amount=50_000, of_seller=True), Fee(amount=70_000, of_seller=False)]
    told = quote(100_000_000, rate_bp=360, days=180, fees=fees)
    assert (told.discount, told.fees, told.net) == (1_775_342, 50_000, 98_174_658)
    # 1,825,342 / 98,174,658 * 365 / 180
    assert told.cost_bp == 377


def test_a_year_of_360_days_takes_more_off() -> None:
    assert quote(100_000_000, rate_bp=360, days=180, year_days=360).discount == 1_800_000


@given(
    st.integers(1_000, 10**14),
    st.integers(0, 2_000),
    st.integers(1, 400),
    st.sampled_from([360, 365]),
    st.integers(0, 400),
)
def test_the_parts_add_up_and_the_cost_is_the_exact_one_rounded(
    face: int, rate_bp: int, days: int, year: int, fee: int
) -> None:
    if rate_bp * days >= 9_000 * year // 2:
        return
    told = quote(
        face, rate_bp=rate_bp, days=days, year_days=year, fees=[Fee(amount=fee, of_seller=True)]
    )
    assert told.face == told.net + told.discount + told.fees
    exact = Fraction((told.discount + told.fees) * year * 10_000, told.net * days)
    assert abs(exact - told.cost_bp) <= Fraction(1, 2)


FEES = (
    Fee(amount=50_000, of_seller=True, what="handling"),
    Fee(amount=70_000, of_seller=False, what="registration"),
)


def _terms() -> dict[str, Any]:
    return format_terms(
        100_000_000, rate_bp=360, pay_on=date(2025, 6, 22), due_on=date(2025, 12, 19), fees=FEES
    )


def test_gv_04_terms_say_every_figure_and_who_bears_what() -> None:
    assert _terms() == {
        "cost_bp": 377,
        "days": 180,
        "discount": "1775342",
        "due_on": "2025-12-19",
        "face": "100000000",
        "fees": [
            {"amount": "50000", "bearer": "seller", "what": "handling"},
            {"amount": "70000", "bearer": "other", "what": "registration"},
        ],
        "net": "98174658",
        "pay_on": "2025-06-22",
        "rate_bp": 360,
        "year_days": 365,
    }
    told = verify_terms(_terms())
    assert (told.net, told.cost_bp) == (98_174_658, 377)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("net", "98174659"),
        ("discount", "1775341"),
        ("cost_bp", 376),
        ("days", 179),
        ("year_days", 360),
        ("face", "100000001"),
    ],
)
def test_a_quote_that_is_wrong_by_one_does_not_verify(name: str, value: str | int) -> None:
    with pytest.raises(QuoteDiffersError):
        verify_terms({**_terms(), name: value})


@pytest.mark.parametrize(
    "spoilt",
    [
        {"fees": {}},
        {"fees": [{"amount": "1"}]},
        {"fees": [{"amount": "1", "bearer": "me", "what": "x"}]},
        {"rate_bp": True},
        {"year_days": 364},
        {"more": 1},
        {"due_on": "2025-06-22"},
    ],
)
def test_what_is_no_quote_is_refused(spoilt: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        verify_terms({**_terms(), **spoilt})
    with pytest.raises(MalformedError):
        verify_terms({name: value for name, value in _terms().items() if name != "fees"})


def test_sd71_a_surplus_goes_back_with_recourse_and_stays_without() -> None:
    given = {"financed": 90_000_000, "charges": 2_000_000}
    assert surplus(100_000_000, **given, recourse=True) == 8_000_000
    assert surplus(100_000_000, **given, recourse=False) == 0
    assert surplus(91_000_000, **given, recourse=True) == 0
