"""Tasks: when something must have been done at a registry elsewhere.

A term runs from a day that is not counted itself, by working days or by days, and may
have a time of grace in which it is late but can be made good.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from registry.calendars import Calendar
from registry.errors import InvariantBrokenError


class Work(StrEnum):
    """What is to be done."""

    REGISTER = "register"
    DEREGISTER = "deregister"


class Standing(StrEnum):
    """How a task stands on a day."""

    OPEN = "open"
    LATE = "late"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A time to do something in.

    Attributes:
        days: How many, at least one.
        by_working_days: They are working days of a calendar; else all days count.
        grace_days: How many days of the same kind come on top, in which it is late.
    """

    days: int
    by_working_days: bool
    grace_days: int = 0


REGISTER_AFTER_PRICE: Final = Term(days=20, by_working_days=True)
"""Of a transfer, from the day the assignor has its price: what deals agree on (SD-16)."""
DEREGISTER: Final = Term(days=10, by_working_days=True)
"""From the end of the right that is registered (RG-36)."""


def last_day(term: Term, *, since: date, calendar: Calendar) -> date:
    """Returns the last day on which a task is done in time.

    Beyond what the calendar covers Monday to Friday are taken for working days: what is due
    there is provisional until a later calendar is published. The last day that can be
    written, 9999-12-31, ends every term.
    """
    return _count(since, term.days, calendar if term.by_working_days else None)


def standing(term: Term, *, since: date, on: date, calendar: Calendar) -> Standing:
    """Tells how a task that is not done stands on a day: it is overdue from the next day on."""
    days = calendar if term.by_working_days else None
    if on <= _count(since, term.days, days):
        return Standing.OPEN
    if on <= _count(since, term.days + term.grace_days, days):
        return Standing.LATE
    return Standing.OVERDUE


def _count(day: date, n: int, calendar: Calendar | None) -> date:
    """Counts n days from a day, which is not counted itself."""
    if n < 1:
        raise InvariantBrokenError(f"a term of {n} days")
    if calendar is None:
        return date.fromordinal(min(day.toordinal() + n, date.max.toordinal()))
    return calendar.add_worked_days(day, n)
