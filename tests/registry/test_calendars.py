"""Dates, instants and business days."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.calendars import (
    DAY_MS,
    Calendar,
    date_at,
    parse_date,
    parse_offset,
    start_of,
)
from registry.errors import MalformedError, RefusalError
from registry.refusals import BeyondCalendarError
from tests.builders import CN_LEGAL

days = st.dates(CN_LEGAL.first, CN_LEGAL.last)
middle_days = st.dates(date(2025, 4, 1), date(2026, 9, 30))
offsets = st.integers(-14 * 60, 14 * 60)


class TestParseDate:
    @given(st.dates())
    def test_reads_back_what_was_written(self, day: date) -> None:
        assert parse_date(day.isoformat()) == day

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "20260630",
            "2026-W27-2",
            "2026-6-30",
            "2026-06-30T00:00",
            "2026-06-30\n",
            " 2026-06-30",
            "+2026-06-30",
            "2026/06/30",
            "2026-06-31",
            "2025-02-29",
            "2026-13-01",
            "2026-00-10",
            "0000-01-01",
            "\u0662026-06-30",
        ],
    )
    def test_refuses_another_spelling_and_no_such_day(self, text: str) -> None:
        with pytest.raises(MalformedError, match="date: "):
            parse_date(text)

    def test_knows_the_leap_day(self) -> None:
        assert parse_date("2028-02-29") == date(2028, 2, 29)


class TestParseOffset:
    @pytest.mark.parametrize(
        ("text", "minutes"),
        [
            ("+08:00", 480),
            ("+00:00", 0),
            ("-00:01", -1),
            ("+05:45", 345),
            ("-09:30", -570),
            ("+13:59", 839),
            ("+14:00", 840),
            ("-14:00", -840),
        ],
    )
    def test_gives_minutes_east_of_utc(self, text: str, minutes: int) -> None:
        assert parse_offset(text) == minutes

    @pytest.mark.parametrize(
        "text",
        [
            *("", "Z", "08:00", "+8:00", "+0800", "+08", "+08:60", "+14:01", "+15:00", "-00:00"),
            *("+08:00\n", " +08:00", "+08:00:00", "\u221208:00", "+\u0660\u0668:00"),
        ],
    )
    def test_refuses_another_spelling(self, text: str) -> None:
        with pytest.raises(MalformedError, match="offset: "):
            parse_offset(text)


class TestInstants:
    def test_a_day_in_china_begins_at_four_in_the_afternoon_utc(self) -> None:
        begin = datetime(2026, 6, 29, 16, tzinfo=UTC)
        assert start_of(date(2026, 6, 30), offset_minutes=480) == begin.timestamp() * 1000

    @given(st.dates(date(1970, 1, 3), date(2200, 1, 1)), offsets)
    def test_a_date_begins_when_a_clock_in_its_zone_says_so(self, day: date, offset: int) -> None:
        zone = timezone(timedelta(minutes=offset))
        begin = datetime(day.year, day.month, day.day, tzinfo=zone)
        assert start_of(day, offset_minutes=offset) == begin.timestamp() * 1000

    @given(st.dates(date.min + timedelta(days=2), date.max - timedelta(days=2)), offsets)
    def test_a_date_lasts_from_its_start_to_the_start_of_the_next(
        self, day: date, offset: int
    ) -> None:
        start = start_of(day, offset_minutes=offset)
        assert start_of(day + timedelta(days=1), offset_minutes=offset) == start + DAY_MS
        assert date_at(start, offset_minutes=offset) == day
        assert date_at(start - 1, offset_minutes=offset) == day - timedelta(days=1)
        assert date_at(start + DAY_MS - 1, offset_minutes=offset) == day

    def test_refuses_an_instant_without_a_date(self) -> None:
        first = start_of(date.min, offset_minutes=0)
        after = start_of(date.max, offset_minutes=0) + DAY_MS
        assert date_at(first, offset_minutes=0) == date.min
        assert date_at(after - 1, offset_minutes=0) == date.max
        for time_ms in (first - 1, after, 2**53):
            with pytest.raises(MalformedError, match="outside the years 1 to 9999"):
                date_at(time_ms, offset_minutes=0)


def week(**changes: Any) -> Calendar:
    """The week of Monday 5 January 2026, with Wednesday off and Saturday worked."""
    facts: dict[str, Any] = {
        "name": "week",
        "first": date(2026, 1, 5),
        "last": date(2026, 1, 11),
        "holidays": (date(2026, 1, 7),),
        "workdays": (date(2026, 1, 10),),
    }
    return Calendar(**facts | changes)


class TestCalendar:
    def test_knows_which_days_are_worked(self) -> None:
        worked = [week().is_working_day(date(2026, 1, day)) for day in range(5, 12)]
        assert worked == [True, True, False, True, True, True, False]

    @pytest.mark.parametrize(
        ("day", "n", "want"),
        [
            (5, 0, 5),
            (5, 1, 6),
            (5, 2, 8),
            (6, 1, 8),
            (7, 0, 8),
            (7, 1, 8),
            (7, -1, 6),
            (7, 3, 10),
            (9, 1, 10),
            (11, -1, 10),
            (10, -4, 5),
        ],
    )
    def test_counts_working_days_but_not_the_first(self, day: int, n: int, want: int) -> None:
        assert week().add_working_days(date(2026, 1, day), n) == date(2026, 1, want)

    @pytest.mark.parametrize(
        ("day", "n"), [(11, 0), (11, 1), (10, 1), (5, -1), (9, 2), (12, -1), (4, 1), (4, 0)]
    )
    def test_refuses_to_count_beyond_its_bounds(self, day: int, n: int) -> None:
        with pytest.raises(BeyondCalendarError):
            week().add_working_days(date(2026, 1, day), n)

    def test_says_what_it_covers(self) -> None:
        with pytest.raises(RefusalError) as refusal:
            week().is_working_day(date(2026, 1, 12))
        want = "calendar week covers 2026-01-05 to 2026-01-11, not 2026-01-12"
        assert str(refusal.value) == want
        assert refusal.value.code == "beyond-calendar"

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"last": date(2026, 1, 4)}, id="reversed-bounds"),
            pytest.param({"first": date.min}, id="from-the-first-day-of-all"),
            pytest.param({"last": date.max}, id="to-the-last-day-of-all"),
            pytest.param({"holidays": (date(2026, 1, 8), date(2026, 1, 7))}, id="out-of-order"),
            pytest.param({"holidays": (date(2026, 1, 7),) * 2}, id="twice"),
            pytest.param({"holidays": (date(2026, 1, 10),)}, id="holiday-on-a-weekend"),
            pytest.param({"workdays": (date(2026, 1, 9),)}, id="workday-on-a-weekday"),
            pytest.param({"holidays": (date(2026, 1, 12),)}, id="beyond-the-bounds"),
        ],
    )
    def test_has_one_spelling(self, changes: dict[str, Any]) -> None:
        with pytest.raises(MalformedError, match="calendar: "):
            week(**changes)

    @given(middle_days, st.integers(-20, 20).filter(bool))
    def test_counting_equals_looking_at_each_day(self, day: date, n: int) -> None:
        found = CN_LEGAL.add_working_days(day, n)
        low, high = (day, found) if n > 0 else (found, day)
        passed = [low + timedelta(days=k) for k in range((high - low).days + 1)]
        passed.remove(day)
        assert sum(map(CN_LEGAL.is_working_day, passed)) == abs(n)
        assert CN_LEGAL.is_working_day(found)

    @given(middle_days)
    def test_next_working_day_is_the_first_not_before(self, day: date) -> None:
        found = CN_LEGAL.next_working_day(day)
        assert CN_LEGAL.is_working_day(found)
        skipped = (day + timedelta(days=k) for k in range((found - day).days))
        assert not any(map(CN_LEGAL.is_working_day, skipped))


class TestChina:
    def test_has_the_working_days_that_were_announced(self) -> None:
        counts = [0, 0]
        day = CN_LEGAL.first
        while day <= CN_LEGAL.last:
            counts[day.year - 2025] += CN_LEGAL.is_working_day(day)
            day += timedelta(days=1)
        # Also what counting in the calendar of the package `chinesecalendar` 1.11.0 gives.
        assert counts == [248, 248]

    @pytest.mark.parametrize(
        ("day", "want"),
        [
            ("2025-01-26", "2025-01-26"),  # a Sunday, worked
            ("2025-01-28", "2025-02-05"),  # the Spring Festival
            ("2025-10-01", "2025-10-09"),  # National Day with Mid-Autumn
            ("2026-01-01", "2026-01-04"),  # to a Sunday, worked
            ("2026-02-15", "2026-02-24"),
            ("2026-10-01", "2026-10-08"),
            ("2026-06-30", "2026-06-30"),
        ],
    )
    def test_moves_a_due_date_out_of_the_holidays(self, day: str, want: str) -> None:
        assert CN_LEGAL.next_working_day(parse_date(day)) == parse_date(want)

    @given(days)
    def test_works_a_weekend_only_where_it_is_listed(self, day: date) -> None:
        listed = day in CN_LEGAL.workdays or day in CN_LEGAL.holidays
        assert (CN_LEGAL.is_working_day(day) is (day.weekday() < 5)) is not listed


class TestReckoning:
    """Counting beyond a calendar's ends, for deadlines: they cannot refuse."""

    @given(st.dates(date(2025, 1, 1), date(2026, 12, 31)), st.integers(-40, 40).filter(bool))
    def test_is_counting_as_far_as_the_calendar_reaches(self, day: date, n: int) -> None:
        try:
            counted = CN_LEGAL.add_working_days(day, n)
        except BeyondCalendarError:
            return
        assert CN_LEGAL.add_worked_days(day, n) == counted

    @given(st.dates(date(1970, 1, 1)), st.integers(-400, 400).filter(bool))
    def test_never_refuses(self, day: date, n: int) -> None:
        reckoned = CN_LEGAL.add_worked_days(day, n)
        assert (reckoned > day) is (n > 0) or reckoned in (date.min, date.max)
