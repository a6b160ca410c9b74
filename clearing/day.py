"""The clearing day, by the policy's rule `clearing_day`: which of its times has come.

Times of day are of the ledger's zone. The cut-off is the first instant that is too late: what
is posted from then on, or on a day that the rule's calendar does not have as worked, counts
for the next day that it has. Beyond the calendar Monday to Friday are taken for worked.

    09:00  funding    10:00  round    15:00  round    16:30  cut-off    17:00  end of the day

Source: docs/clearing.md, The clearing day; reference notes 4 and 9; SD-22.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from clearing.handed import DebitList
from clearing.model import (
    InstructionRecord,
    InstructionStatus,
)
from registry.calendars import MINUTE_MS, Calendar, date_at, parse_offset, start_of
from registry.model import Ledger
from registry.policy import ClearingDay, Rules
from registry.rights import end_instant
from registry.statements import Now
from registry.tables import Read, Rows
from registry.workdays import ask_calendar, calendar_named

CHAIN_MINUTES: Final = 60
"""An hour from the debtor's payment to the last account, where no rule says (平安 SAS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The instants of one clearing day, in milliseconds."""

    funding: int | None
    rounds: tuple[int, ...]
    cut_off: int
    day_end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """A policy's clearing day, and what it takes to place it in time.

    Attributes:
        rule: The rule.
        calendar: The calendar that it names.
        offset_minutes: The zone's offset from UTC.
    """

    rule: ClearingDay
    calendar: Calendar
    offset_minutes: int

    def at(self, day: date, time: str) -> int:
        """Returns the instant of a time of a day."""
        minutes = int(time[:2]) * 60 + int(time[3:])
        return start_of(day, offset_minutes=self.offset_minutes) + minutes * MINUTE_MS

    def times(self, day: date) -> Times:
        """Returns the instants of a day, whether it is worked or not."""
        rule = self.rule
        return Times(
            funding=None if rule.funding is None else self.at(day, rule.funding),
            rounds=tuple(self.at(day, time) for time in rule.rounds),
            cut_off=self.at(day, rule.cut_off),
            day_end=self.at(day, rule.day_end),
        )

    def counts_on(self, time: int) -> date:
        """Returns the day for which what is posted at an instant counts."""
        day = date_at(time, offset_minutes=self.offset_minutes)
        if self.calendar.is_worked(day) and time < self.at(day, self.rule.cut_off):
            return day
        return self.calendar.add_worked_days(day, 1)

    def counts_later(self, time: int) -> date | None:
        """Returns the day for which what is posted at an instant counts, if it is a later one."""
        day = self.counts_on(time)
        return None if day == date_at(time, offset_minutes=self.offset_minutes) else day

    def closes_at(self, time: int) -> int:
        """Returns when the day is over on which what is instructed at an instant is paid."""
        return self.at(self.counts_on(time), self.rule.day_end)

    def too_late_for(self, day: date) -> int:
        """Returns the first instant of which what is posted counts for a later day."""
        if not self.calendar.is_worked(day):
            day = self.calendar.add_worked_days(day, -1)
        return self.at(day, self.rule.cut_off)

    def reminded_on(self, due_on: date) -> tuple[date, ...]:
        """Returns the days on which a debtor is reminded of a due date, the earliest first."""
        days = self.rule.reminders or ()
        return tuple(self.calendar.add_worked_days(due_on, -count) for count in days)


def ask_day(rules: Rules) -> Generator[Read, Any, None]:
    """Asks for the calendar of the clearing day, if there is a rule."""
    if rules.clearing_day is not None:
        yield from ask_calendar(rules.clearing_day.calendar)


def timetable(state: Rows, rules: Rules, ledger: Ledger) -> Timetable | None:
    """Returns the clearing day by some rules; None if they say nothing of one."""
    rule = rules.clearing_day
    if rule is None:
        return None
    return Timetable(
        rule=rule,
        calendar=calendar_named(state, rule.calendar),
        offset_minutes=parse_offset(ledger.zone),
    )


def closing_instant(state: Rows, rules: Rules, now: Now) -> int | None:
    """Returns when the day is over of what is instructed now; None if no rule says."""
    table = timetable(state, rules, now.facts)
    return None if table is None else table.closes_at(now.time)


def end_of_payments(state: Rows, rules: Rules, now: Now, day: date) -> int:
    """Returns the first instant at which it is too late to be paid on a day, not before now."""
    table = timetable(state, rules, now.facts)
    if table is None:
        return end_instant(day, now)
    return max(table.too_late_for(day), now.time)


def is_held(record: InstructionRecord, drawn: DebitList | None, rules: Rules) -> bool:
    """Tells whether an instruction is not to be sent until its debtor approves the list of it.

    Args:
        record: The instruction.
        drawn: What its plan draws on the payer's account.
        rules: The policy under which the plan was adopted.
    """
    rule = rules.clearing_day
    if rule is None or rule.approve is None or record.after:
        return False
    return record.status == InstructionStatus.PENDING and (
        drawn is None or record.n >= drawn.through
    )


def hour_of(rules: Rules) -> tuple[int, int | None]:
    """Returns how long a chain may take, and a hop if that is said, in milliseconds (SD-22)."""
    rule = rules.clearing_day
    chain = CHAIN_MINUTES if rule is None else rule.chain_minutes or CHAIN_MINUTES
    hop = None if rule is None else rule.hop_minutes
    return chain * MINUTE_MS, None if hop is None else hop * MINUTE_MS
