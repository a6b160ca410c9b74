"""One fingerprint for all spellings of one invoice, another for any other (FR-01)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import MalformedError
from registry.invoices import LOOK_ALIKES, NUMBER_MAX, fingerprint, plain_number
from tests.builders import uscc

SELLER = uscc(7)
NUMBER = "25317000000123456780"
"""Of a fully digital invoice: twenty digits."""

PINNED = "Owr6NyYbHwYjVwRWNuoQXXYkaKv3_O1bZXar6goYwhY"
PINNED_WITH_CODE = "umb60IoesFHEhp1GpxYnSHCj_lfo_M-UVU7esionvJI"


def _of(number: str, code: str = "") -> str:
    return fingerprint(seller=SELLER, number=number, code=code)


def test_the_domain_and_the_form_are_pinned() -> None:
    assert _of(NUMBER) == PINNED
    assert _of("01234567", "031001900104") == PINNED_WITH_CODE


@pytest.mark.parametrize(
    "spelling",
    [
        "２５３１７００００００１２３４５６７８０",
        "2531 7000 0001 2345 6780",
        " 25317000000123456780　",
        "2531-7000-0001-2345-6780",
        "2531·7000·0001·2345·6780",
        "2531700OOOO123456780",
        "253l7000000I2345678O",
        "Z5317000000123456780",
        "25317000000１２３4S6780",
        "2531700000012345б780".replace("б", "b"),
        "253170000001234567BO",
        "2531700000012345678\u041e",
    ],
)
def test_look_alikes_are_one_invoice(spelling: str) -> None:
    assert _of(spelling) == _of(NUMBER)


@given(st.text(alphabet=sorted(LOOK_ALIKES), min_size=1, max_size=NUMBER_MAX))
def test_whatever_is_read_is_digits_and_reads_as_itself(text: str) -> None:
    digits = plain_number(text)
    assert set(digits) <= set("0123456789")
    assert len(digits) == len(text)
    assert plain_number(digits) == digits


@given(st.integers(0, 10**20 - 1), st.integers(0, 10**20 - 1))
def test_other_numbers_are_other_invoices(one: int, other: int) -> None:
    first, second = f"{one:020}", f"{other:020}"
    assert (_of(first) == _of(second)) == (one == other)


def test_code_number_and_seller_do_not_run_into_one_another() -> None:
    assert len({_of("1", "23"), _of("12", "3"), _of("123"), _of("3", "12")}) == 4
    assert _of(NUMBER) != fingerprint(seller=uscc(8), number=NUMBER)


@pytest.mark.parametrize("text", ["", " - ", "1A2", "12三", "1\u200b2", "1" * (NUMBER_MAX + 1)])
def test_refuses_what_is_no_number(text: str) -> None:
    with pytest.raises(MalformedError):
        _of(text)
    if text.strip(" -"):
        with pytest.raises(MalformedError):
            _of("1", text)
