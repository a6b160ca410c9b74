"""What errors say: facts as the log has them, sentences for people."""

import pytest

from clearing.errors import AmountDiffersError
from registry.encumbrance_refusals import AheadOfTimeError, MoveNotAllowedError
from registry.errors import NotEnoughFreeError
from registry.people_refusals import OverLimitError
from registry.refusals import DeadlinePassedError, InsufficientHoldingError, LifetimeError


def test_money_is_said_in_yuan_and_kept_in_minor_units() -> None:
    error = InsufficientHoldingError(lot="L.0", held=60_000_000, requested=1)
    assert str(error) == "lot L.0 holds 600,000.00, requested 0.01"
    assert error.facts == {"lot": "L.0", "held": 60_000_000, "requested": 1}
    told = str(NotEnoughFreeError(held=0, lots=0, amount=-5))
    assert told == "0.00 are free in 0 lots that may be given, and -0.05 are to be paid"


def test_money_that_stands_as_text_is_said_in_yuan_too() -> None:
    assert str(OverLimitError(kid="K", limit="100", amount="12345678")) == (
        "key K signs for up to 1.00, requested 123,456.78"
    )
    error = AmountDiffersError(instruction=0, instructed="100", reported="200")
    assert str(error) == "instruction 0 is for 1.00, reported 2.00"


def test_time_is_said_as_a_moment_and_kept_as_a_number() -> None:
    error = AheadOfTimeError(what="registered_at", at=1_751_331_600_123, time=1_751_331_600_000)
    assert str(error) == (
        "registered_at is 2025-07-01 01:00:00 UTC, and the entry's time is 2025-07-01 01:00:00 UTC"
    )
    assert error.facts["at"] == 1_751_331_600_123
    error_ = LifetimeError(time=1_751_331_600, first=0, end=60)
    assert "2025-07-01 01:00:00 UTC is not in" in str(error_)
    assert "[1970-01-01 00:00:00 UTC, 1970-01-01 00:01:00 UTC)" in str(error_)


@pytest.mark.parametrize("deadline", ["2025-12-19", 2**48, -1, 2**63])
def test_what_is_no_moment_of_a_calendar_is_said_as_it_is(deadline: str | int) -> None:
    assert f"the deadline {deadline} is past" in str(DeadlinePassedError(deadline=deadline))


def test_what_is_already_so_does_not_become_so() -> None:
    assert str(MoveNotAllowedError(of="F", status="completed", to="completed")) == (
        "F is completed already"
    )
    assert str(MoveNotAllowedError(of="F", status="applied", to="paid")) == (
        "F is applied, and cannot become paid"
    )
