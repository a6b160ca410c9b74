"""Business days, and how a date in the ledger's zone becomes an instant.

Two axes that never mix: an instant is milliseconds since 1970 in UTC, a date is a day of
the ledger's zone, which is a fixed offset. A date becomes an instant as its start. No
zone database is consulted, so that a replay in ten years gives the same answers.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from registry.errors import MalformedError
from registry.refusals import BeyondCalendarError

DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OFFSET: Final = re.compile(r"[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00")
_EPOCH: Final = date(1970, 1, 1).toordinal()
_SATURDAY: Final = 5


# --- Dates, offsets, instants -----------------------------------------------------


def parse_date(text: str) -> date:
    """Parses a date, YYYY-MM-DD.

    Raises:
        MalformedError: Another form, or no such day.

    Source: RFC 3339 section 5.6, full-date.
    """
    if not _DATE.fullmatch(text):
        raise MalformedError(what="date", reason="not YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise MalformedError(what="date", reason="no such day") from None


@lru_cache(maxsize=64)
def parse_offset(text: str) -> int:
    """Parses a zone's offset from UTC, +08:00, into minutes; at most 14 hours.

    Raises:
        MalformedError: Another form, or -00:00, which would be a second spelling.
    """
    if not _OFFSET.fullmatch(text) or text == "-00:00":
        raise MalformedError(what="offset", reason="not +hh:mm or -hh:mm up to 14 hours")
    minutes = int(text[1:3]) * 60 + int(text[4:])
    return -minutes if text[0] == "-" else minutes


def start_of(day: date, *, offset_minutes: int) -> int:
    """Gives the instant at which a day begins in a zone.

    Args:
        day: The date in the zone.
        offset_minutes: The zone's offset from UTC in minutes, east positive.

    Returns:
        Milliseconds since 1970, UTC.
    """
    return (day.toordinal() - _EPOCH) * DAY_MS - offset_minutes * MINUTE_MS


def date_at(time_ms: int, *, offset_minutes: int) -> date:
    """Gives the date in a zone at an instant.

    Args:
        time_ms: Milliseconds since 1970, UTC.
        offset_minutes: The zone's offset from UTC in minutes, east positive.

    Raises:
        MalformedError: The instant is outside the years 1 to 9999.
    """
    ordinal = _EPOCH + (time_ms + offset_minutes * MINUTE_MS) // DAY_MS
    if not date.min.toordinal() <= ordinal <= date.max.toordinal():
        raise MalformedError(what="time", reason="outside the years 1 to 9999")
    return date.fromordinal(ordinal)


def add_months(day: date, n: int) -> date:
    """Adds whole months; where the month is shorter, its last day (GV-14).

    Args:
        day: Where to start: 2025-08-31.
        n: How many: 6 gives 2026-02-28.

    Raises:
        MalformedError: The day is after the year 9999.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    if year > date.max.year:
        raise MalformedError(what="date", reason="after the year 9999")
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


# --- Calendars --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Working days between two dates: Monday to Friday, but for the days listed.

    Each exception stands in one list, once and in order, so that equal calendars are
    equal values.
    """

    name: str
    first: date
    last: date
    holidays: tuple[date, ...]
    """Weekdays that are off."""
    workdays: tuple[date, ...]
    """Days of a weekend that are worked."""

    def __post_init__(self) -> None:
        """Refuses a list that is out of order or says what holds anyway.

        Raises:
            MalformedError: The bounds are reversed; a listed day is out of order, beyond
                the bounds, or not of the kind that its list is for.
        """
        if not date.min < self.first <= self.last < date.max:
            raise MalformedError(what="calendar", reason="the bounds are reversed")
        for days, weekend in ((self.holidays, False), (self.workdays, True)):
            if list(days) != sorted(set(days)):
                raise MalformedError(what="calendar", reason="days are out of order")
            for day in days:
                if not self.first <= day <= self.last or _is_weekend(day) is not weekend:
                    raise MalformedError(what="calendar", reason=f"{day} is in the wrong place")

    def covers(self, day: date) -> bool:
        """Tells whether the calendar knows a day."""
        return self.first <= day <= self.last

    def is_worked(self, day: date) -> bool:
        """Tells whether a day is worked as far as anybody knows.

        Beyond what the calendar covers, on either side, Monday to Friday are.
        """
        return self.is_working_day(day) if self.covers(day) else not _is_weekend(day)

    def is_working_day(self, day: date) -> bool:
        """Tells whether a day is worked.

        Raises:
            BeyondCalendarError: The calendar does not cover the day.
        """
        if not self.covers(day):
            raise BeyondCalendarError(
                calendar=self.name,
                day=day.isoformat(),
                first=self.first.isoformat(),
                last=self.last.isoformat(),
            )
        return day in self.workdays if _is_weekend(day) else day not in self.holidays

    def add_worked_days(self, day: date, n: int) -> date:
        """Counts days worked as far as anybody knows from a day, which is not counted itself.

        The last day that can be written, 9999-12-31, ends every count.

        Args:
            day: Where to start.
            n: How many, backwards if negative; 0 is the day itself.
        """
        step, left = timedelta(days=1 if n > 0 else -1), abs(n)
        while left > 0 and day != date.max:
            day += step
            left -= self.is_worked(day)
        return day

    def next_working_day(self, day: date) -> date:
        """Finds the first working day from a day on; that may be the day itself.

        Raises:
            BeyondCalendarError: The calendar ends before.
        """
        while not self.is_working_day(day):
            day += timedelta(days=1)
        return day

    def add_working_days(self, day: date, n: int) -> date:
        """Counts working days from a day, which is not counted itself.

        Args:
            day: Where to start; it need not be worked.
            n: How many: 1 is the next working day after it, -1 the last before it,
                0 the day itself, or the next working day if it is off.

        Raises:
            BeyondCalendarError: The calendar does not reach so far.
        """
        if n == 0:
            return self.next_working_day(day)
        step = timedelta(days=1 if n > 0 else -1)
        left = abs(n)
        # Also a start beyond the bounds is refused, lest the days before them go uncounted.
        self.is_working_day(day)
        while left > 0:
            day += step
            left -= self.is_working_day(day)
        return day


def _is_weekend(day: date) -> bool:
    return day.weekday() >= _SATURDAY
