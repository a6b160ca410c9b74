"""Terms at registries elsewhere: SD-16, RG-36, RG-43."""

from datetime import date

import pytest

from registry.calendars import Calendar
from registry.errors import InvariantBrokenError
from registry.tasks import (
    DEREGISTER,
    REGISTER_AFTER_PRICE,
    Standing,
    Term,
    last_day,
    standing,
)

SATISFACTION_IN_INDIA = Term(days=10, by_working_days=False, grace_days=10)

PLAIN = Calendar(
    name="plain", first=date(2026, 1, 1), last=date(2026, 12, 31), holidays=(), workdays=()
)


def test_sd_16_twenty_working_days_after_the_price() -> None:
    received = date(2026, 3, 2)
    assert received.weekday() == 0
    assert last_day(REGISTER_AFTER_PRICE, since=received, calendar=PLAIN) == date(2026, 3, 30)


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2026, 3, 30), Standing.OPEN),
        (date(2026, 3, 31), Standing.OVERDUE),
    ],
)
def test_sd_16_the_alarm_is_on_the_next_day(on: date, expected: Standing) -> None:
    since = date(2026, 3, 2)
    assert standing(REGISTER_AFTER_PRICE, since=since, on=on, calendar=PLAIN) == expected


def test_rg_36_ten_working_days_after_the_end() -> None:
    assert last_day(DEREGISTER, since=date(2026, 3, 2), calendar=PLAIN) == date(2026, 3, 16)


@pytest.mark.parametrize(
    ("day", "expected"),
    [(11, Standing.OPEN), (12, Standing.LATE), (21, Standing.LATE), (22, Standing.OVERDUE)],
)
def test_rg_43_ten_days_and_ten_days_late(day: int, expected: Standing) -> None:
    since, on = date(2026, 3, 1), date(2026, 3, day)
    assert standing(SATISFACTION_IN_INDIA, since=since, on=on, calendar=PLAIN) == expected


def test_a_holiday_is_not_counted() -> None:
    calendar = Calendar(
        name="off", first=PLAIN.first, last=PLAIN.last, holidays=(date(2026, 3, 3),), workdays=()
    )
    assert last_day(DEREGISTER, since=date(2026, 3, 2), calendar=calendar) == date(2026, 3, 17)


def test_beyond_the_calendar_weekdays_count() -> None:
    assert last_day(DEREGISTER, since=date(2026, 12, 30), calendar=PLAIN) == date(2027, 1, 13)


def test_a_term_of_no_days_is_none() -> None:
    with pytest.raises(InvariantBrokenError):
        last_day(Term(days=0, by_working_days=True), since=PLAIN.first, calendar=PLAIN)
