"""Calendars in the log: published by name, each version in the place of the one before.

A rule names the calendar by which it counts: legal working days, with the weekend days
that are worked in exchange for a holiday; trading days; days of the payment system. What
lies beyond a calendar's last day is provisional, and counts as Monday to Friday only
where a rule says so.
"""

from collections.abc import Generator
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field

from registry.calendars import Calendar, parse_date
from registry.effects import Effect, Seal
from registry.errors import InvariantBrokenError
from registry.fields import LENIENT, BusinessDate, MachineText
from registry.ids import Sid
from registry.model import CALENDARS, CalendarRecord
from registry.statements import Body
from registry.tables import MutableRows, Read, Rows, get


class CalendarBody(Body):
    """Working days between two dates, as exceptions to Monday to Friday."""

    name: MachineText
    first: BusinessDate
    last: BusinessDate
    holidays: Annotated[tuple[BusinessDate, ...], LENIENT, Field(max_length=600)]
    workdays: Annotated[tuple[BusinessDate, ...], LENIENT, Field(max_length=200)]

    def calendar(self) -> Calendar:
        """Builds the calendar.

        Raises:
            MalformedError: Its bounds or days are not in order.
        """
        return Calendar(
            name=self.name,
            first=self.first,
            last=self.last,
            holidays=self.holidays,
            workdays=self.workdays,
        )


class CalendarPublished(Effect, frozen=True, kw_only=True):
    """A calendar counts from the next entry on."""

    name: str
    version: int
    statement: Sid
    first: str
    last: str
    holidays: tuple[str, ...]
    workdays: tuple[str, ...]

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the calendar in the place of its former version."""
        row = CalendarRecord(
            name=self.name,
            version=self.version,
            statement=self.statement,
            first=self.first,
            last=self.last,
            holidays=self.holidays,
            workdays=self.workdays,
        )
        state.put(CALENDARS, row)


def published(calendar: Calendar, *, statement: Sid, version: int) -> CalendarPublished:
    """Returns the effect by which a calendar counts."""
    return CalendarPublished(
        name=calendar.name,
        version=version,
        statement=statement,
        first=calendar.first.isoformat(),
        last=calendar.last.isoformat(),
        holidays=tuple(day.isoformat() for day in calendar.holidays),
        workdays=tuple(day.isoformat() for day in calendar.workdays),
    )


@lru_cache(maxsize=64)
def calendar_of(row: CalendarRecord) -> Calendar:
    """Builds the calendar that a row tells of."""
    return Calendar(
        name=row.name,
        first=parse_date(row.first),
        last=parse_date(row.last),
        holidays=tuple(map(parse_date, row.holidays)),
        workdays=tuple(map(parse_date, row.workdays)),
    )


def ask_calendar(name: str) -> Generator[Read, Any, CalendarRecord | None]:
    """Asks for a calendar."""
    return (yield from get(CALENDARS, name))


def calendar_named(state: Rows, name: str) -> Calendar:
    """Returns a calendar that a rule names: nothing is published that names another."""
    row = state.get(CALENDARS, name)
    if row is None:
        raise InvariantBrokenError(f"no calendar {name}")
    return calendar_of(row)
