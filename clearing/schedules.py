"""When those who stand in for a debtor pay: three templates of promises, each by its calendar.

    due on Monday 2026-03-02        CN-LEGAL                  CN-TRADING
    the working day before, 15:00   Saturday 2026-02-28       Friday 2026-02-27

* **A co-debtor** pays with the debtor, at a time of the working day before the due date.
* **The difference**: what a subsidiary has not paid by the end of that day its parent pays
  on the due date.
* **A calculation date**: what is short of what is to be distributed is found on a working day
  before the payment date of a plan or trust, and paid on that.

The instant of `found` is what a promise of trigger `unpaid-at` names (see
`registry.liability`). A due date never moves; a day off is not counted.

Source: SD-27; reference notes 9 and 17.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from registry.calendars import DAY_MS, MINUTE_MS, Calendar, start_of
from registry.errors import InvariantBrokenError


class Template(StrEnum):
    """The ways in which published deals have somebody stand in."""

    CO_DEBTOR = "co-debtor"
    """保利: the co-debtor has its money there at 15:00 of the working day before."""
    DIFFERENCE = "difference"
    """华发, 弘基: the parent pays what its subsidiary has not by the working day before."""
    CALCULATION_DATE = "calculation-date"
    """18中铁: a shortfall is tested on the date of calculation before the payment date."""


TIMES: Final = {Template.CO_DEBTOR: 15 * 60}
"""Minutes of the day at which it is found whether there is money; the others at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """When somebody who stands in is called on, and pays.

    Attributes:
        template: By which promise.
        calendar: The calendar by which days were counted.
        found_on: The day on which it is found whether anything is missing.
        found: The instant at which it is, in milliseconds: what is there then is in time.
        pay_on: The day by which it is paid.
        provisional: The calendar does not reach so far; a later one may say otherwise.
    """

    template: Template
    calendar: str
    found_on: date
    found: int
    pay_on: date
    provisional: bool


def call_of(
    template: Template,
    day: date,
    *,
    calendar: Calendar,
    offset_minutes: int,
    working_days: int = 1,
    minutes: int | None = None,
) -> Call:
    """Places a promise in time.

    Args:
        template: The promise.
        day: The due date; of a calculation date the payment date of the plan or trust.
        calendar: By which working days are counted: the deal names it.
        offset_minutes: The zone's offset from UTC, east positive.
        working_days: How many before the day.
        minutes: The time of the day, in minutes, if it is another than the template's; the
            whole day without either.

    Raises:
        InvariantBrokenError: No working days, or a time beyond the day (caller bug).
    """
    if working_days < 1 or not 0 <= (minutes or 0) < DAY_MS // MINUTE_MS:
        raise InvariantBrokenError(f"{working_days} working days, minute {minutes}")
    found_on = calendar.add_worked_days(day, -working_days)
    at = TIMES.get(template) if minutes is None else minutes
    start = start_of(found_on, offset_minutes=offset_minutes)
    return Call(
        template=template,
        calendar=calendar.name,
        found_on=found_on,
        found=start + (DAY_MS if at is None else at * MINUTE_MS),
        pay_on=found_on if template is Template.CO_DEBTOR else day,
        provisional=not (calendar.covers(found_on) and calendar.covers(day)),
    )
