"""Money: parsing, exact division, interest, and figures for the eye."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvariantBrokenError, MalformedError
from registry.money import (
    AMOUNT_MAX,
    AMOUNT_MIN,
    SUM_MAX,
    allocate,
    format_amount,
    format_wan,
    format_yuan,
    parse_amount,
    parse_sum,
    parse_yuan,
    simple_interest,
)

weight_lists = st.lists(st.integers(0, 10**15), min_size=1, max_size=12).filter(any)


class TestParse:
    @given(st.integers(AMOUNT_MIN, AMOUNT_MAX))
    def test_reads_back_an_amount(self, minor: int) -> None:
        assert parse_amount(format_amount(minor)) == minor

    @given(st.integers(0, SUM_MAX))
    def test_reads_back_a_sum(self, minor: int) -> None:
        assert parse_sum(format_amount(minor)) == minor

    def test_reaches_its_bounds(self) -> None:
        assert parse_amount("1") == AMOUNT_MIN
        assert parse_amount("9" * 15) == AMOUNT_MAX == 10**15 - 1
        assert parse_sum("0") == 0
        assert parse_sum("9223372036854775807") == SUM_MAX

    @pytest.mark.parametrize(
        "text",
        ["", "0", "01", "-1", "+1", "1.0", "1e3", " 1", "1\n", "1_0", "\u0661", "1" + "0" * 15],
    )
    def test_refuses_what_is_no_amount(self, text: str) -> None:
        with pytest.raises(MalformedError, match="amount: "):
            parse_amount(text)

    @pytest.mark.parametrize(
        "text", ["", "00", "01", "-0", "-1", "1.0", "0\n", "\u0660", str(2**63), "1" + "0" * 19]
    )
    def test_refuses_what_is_no_sum(self, text: str) -> None:
        with pytest.raises(MalformedError, match="sum: "):
            parse_sum(text)

    @pytest.mark.parametrize("minor", [-1, SUM_MAX + 1])
    def test_writes_nothing_beyond_the_bounds(self, minor: int) -> None:
        with pytest.raises(InvariantBrokenError):
            format_amount(minor)


class TestAllocate:
    @pytest.mark.parametrize(
        ("total", "weights", "shares"),
        [
            (
                70_000_001,
                [40_000_000, 15_000_000, 25_000_000, 20_000_000],
                (28_000_001, 10_500_000, 17_500_000, 14_000_000),
            ),
            (10_000_000, [33_333_333, 33_333_333, 33_333_334], (3_333_333, 3_333_333, 3_333_334)),
            (5, [1, 1, 1], (2, 2, 1)),
            (100_001, [1] * 7, (14_286,) * 6 + (14_285,)),
            (1, [0, 1, 1], (0, 1, 0)),
            (0, [3, 4], (0, 0)),
            (7, [5], (7,)),
        ],
    )
    def test_gives_the_golden_shares(
        self, total: int, weights: list[int], shares: tuple[int, ...]
    ) -> None:
        assert allocate(total, weights) == shares

    @given(st.integers(0, SUM_MAX), weight_lists)
    def test_is_exact_and_within_one_unit_of_proportional(
        self, total: int, weights: list[int]
    ) -> None:
        shares = allocate(total, weights)
        assert sum(shares) == total
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share - Fraction(total * weight, sum(weights))) < 1
            assert share == 0 or weight > 0

    @given(st.integers(0, 10**6), weight_lists)
    def test_prefers_the_larger_remainder_then_the_lower_index(
        self, total: int, weights: list[int]
    ) -> None:
        whole = sum(weights)
        rank = [(-(total * weight % whole), index) for index, weight in enumerate(weights)]
        raised = [
            share > total * weight // whole
            for share, weight in zip(allocate(total, weights), weights, strict=True)
        ]
        first_left_out = min((r for r, up in zip(rank, raised, strict=True) if not up))
        assert all(r < first_left_out for r, up in zip(rank, raised, strict=True) if up)

    @given(weight_lists)
    def test_gives_everybody_their_weight_when_all_is_paid(self, weights: list[int]) -> None:
        assert allocate(sum(weights), weights) == tuple(weights)

    @pytest.mark.parametrize(
        ("total", "weights"), [(-1, [1]), (1, []), (1, [0, 0]), (1, [2, -1]), (0, [])]
    )
    def test_stops_on_a_callers_bug(self, total: int, weights: list[int]) -> None:
        with pytest.raises(InvariantBrokenError):
            allocate(total, weights)


class TestSimpleInterest:
    @pytest.mark.parametrize(
        ("principal", "rate_bp", "days", "year_days", "interest"),
        [
            (99_000_000_000, 179, 91, 365, 441_811_233),
            (99_000_000_000, 179, 362, 365, 1_757_534_795),
            (100, 5_000, 1, 100, 1),  # half a unit goes up
            (99, 5_000, 1, 100, 0),  # just below half does not
            (100, 0, 90, 360, 0),
            (100, 360, 0, 360, 0),
            (0, 360, 90, 360, 0),
            (AMOUNT_MAX, 10_000, 365, 365, AMOUNT_MAX),
        ],
    )
    def test_gives_the_golden_interest(
        self, principal: int, rate_bp: int, days: int, year_days: int, interest: int
    ) -> None:
        found = simple_interest(principal, rate_bp=rate_bp, days=days, year_days=year_days)
        assert found == interest

    @given(
        st.integers(0, AMOUNT_MAX),
        st.integers(0, 10_000),
        st.integers(0, 3_660),
        st.sampled_from([360, 365, 366]),
    )
    def test_is_the_nearest_unit_and_half_goes_up(
        self, principal: int, rate_bp: int, days: int, year_days: int
    ) -> None:
        exact = Fraction(principal * rate_bp * days, 10_000 * year_days)
        found = simple_interest(principal, rate_bp=rate_bp, days=days, year_days=year_days)
        assert -Fraction(1, 2) < found - exact <= Fraction(1, 2) or found == exact

    @pytest.mark.parametrize(
        ("principal", "rate_bp", "days", "year_days"),
        [(-1, 1, 1, 365), (1, -1, 1, 365), (1, 1, -1, 365), (1, 1, 1, 0)],
    )
    def test_stops_on_a_callers_bug(
        self, principal: int, rate_bp: int, days: int, year_days: int
    ) -> None:
        with pytest.raises(InvariantBrokenError):
            simple_interest(principal, rate_bp=rate_bp, days=days, year_days=year_days)


@pytest.mark.parametrize(
    ("minor", "yuan", "wan"),
    [
        (0, "0.00", "0.00"),
        (1, "0.01", "0.00"),
        (4_999, "49.99", "0.00"),
        (5_000, "50.00", "0.01"),
        (100_000_000, "1,000,000.00", "100.00"),
        (43_746_705_000, "437,467,050.00", "43,746.71"),
        (43_746_704_999, "437,467,049.99", "43,746.70"),
        (-1, "-0.01", "0.00"),
        (-5_000, "-50.00", "-0.01"),
        (-123_456_789, "-1,234,567.89", "-123.46"),
    ],
)
def test_figures_for_the_eye(minor: int, yuan: str, wan: str) -> None:
    assert format_yuan(minor) == yuan
    assert format_wan(minor) == wan


@given(st.integers(-SUM_MAX, SUM_MAX))
def test_yuan_read_back_without_commas_are_the_same_units(minor: int) -> None:
    assert Fraction(format_yuan(minor).replace(",", "")) * 100 == minor


@pytest.mark.parametrize(
    ("text", "minor"),
    [("1", 100), ("1.5", 150), ("0.01", 1), ("1,000.5", 100_050), ("1000000", 100_000_000)],
)
def test_reads_yuan_as_people_write_them(text: str, minor: int) -> None:
    assert parse_yuan(text) == minor


@given(st.integers(1, 10**15 - 1))
def test_reads_what_it_writes(minor: int) -> None:
    assert parse_yuan(format_yuan(minor)) == minor


@pytest.mark.parametrize(
    "text", ["", "0", "0.00", "-1", "1.234", "1e3", "10,00", ",1", "1.", ".5", "１", "1 000", "1\n"]
)
def test_refuses_other_yuan(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_yuan(text)
