"""Alerts: where somebody should look (FR-05, RG-06)."""

import pytest

from registry.alerts import HOUR_MS, Burst, bounds_reached, bursts_in, circle_in
from registry.ids import PartyId
from registry.policy import Splitting

A, B, C, D = map(PartyId, "ABCD")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("ABCA", (0, 3)),
        ("ABA", (0, 2)),
        ("ABC", None),
        ("A", None),
        ("ABCB", (1, 3)),
        ("ABCDCA", (2, 4)),
    ],
)
def test_fr_05_a_chain_that_returns_to_an_earlier_holder_is_circular(
    path: str, found: tuple[int, int] | None
) -> None:
    assert circle_in(path, {}) == found


def test_fr_05_an_affiliate_counts_as_the_holder_itself() -> None:
    assert circle_in("ABC", {A: A, C: A}) == (0, 2)
    # Within a group is no way out of it.
    assert circle_in("ABC", {A: A, B: A}) is None


def test_fr_05_only_circles_within_so_many_hops_are_looked_for() -> None:
    assert circle_in("ABCA", {}, hops=3) == (0, 3)
    assert circle_in("ABCA", {}, hops=2) is None


def test_rg_06_one_more_transfer_than_allowed_within_the_window_is_a_burst() -> None:
    five = [("v", hour * HOUR_MS) for hour in (0, 6, 12, 18, 24)]
    assert list(bursts_in(five)) == []
    six = [*five[:-1], ("v", 20 * HOUR_MS), ("v", 24 * HOUR_MS)]
    assert list(bursts_in(six)) == [Burst(voucher="v", count=6, first=0, last=24 * HOUR_MS)]
    late = [*six[:-1], ("v", 24 * HOUR_MS + 1)]
    assert list(bursts_in(late)) == []


def test_rg_06_vouchers_are_counted_apart() -> None:
    times = [("v", 0)] * 3 + [("w", 0)] * 3
    assert list(bursts_in(times, more_than=3)) == []
    assert [burst.voucher for burst in bursts_in(times, more_than=2)] == ["v", "w"]


def test_rg_06_bounds_are_the_policys_own() -> None:
    rule = Splitting.model_validate({"max_depth": 3, "max_children": 4, "min_lot": "100"})
    assert bounds_reached(rule, assignments=3, cuts=2, amount=100) == ("max-depth",)
    assert bounds_reached(rule, assignments=2, cuts=3, amount=99) == (
        "max-children",
        "below-min-lot",
    )
    assert bounds_reached(None, assignments=64, cuts=1_000, amount=1) == ()
