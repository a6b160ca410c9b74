"""The debtor's promise to pay plans and trusts itself what has not come to them (补付).

It is the debtor's own debt, whoever holds the money on the way, and no guarantee of
somebody else's. Days are the policy's, by the calendar or in a row; with a clearing day each
is over at its cut-off, since what is posted later counts for the next.

Source: SD-23; reference note 17.
"""

from collections.abc import Generator
from datetime import date, timedelta
from typing import Any

from clearing.day import ask_day, end_of_payments
from registry.effects import DeadlineSet
from registry.ids import Sid
from registry.policy import Rules, TopUp
from registry.statements import Now
from registry.tables import Read, Rows
from registry.workdays import ask_calendar, calendar_named

TOP_UP = "clearing.unpaid"
"""The kind of the deadline at which what has not come is owed anew."""


def ask_top_up(rules: Rules) -> Generator[Read, Any, None]:
    """Asks for the calendars by which the days are counted, and end."""
    yield from ask_day(rules)
    if rules.top_up is not None and rules.top_up.calendar is not None:
        yield from ask_calendar(rules.top_up.calendar)


def top_up_terms(
    state: Rows, rules: Rules, now: Now, *, plan: Sid, pay_on: date, has_promise: bool
) -> tuple[str | None, tuple[DeadlineSet, ...]]:
    """Returns by when debtors pay what has not come, and when that is found.

    Args:
        state: Shows the calendar.
        rules: The policy in force.
        now: The moment.
        plan: The plan.
        pay_on: The day on which it is paid.
        has_promise: A debtor of what it pays has promised to top up.

    Returns:
        The last day, and the deadline; nothing where nobody has promised, or there is no rule.
    """
    rule = rules.top_up
    if rule is None or not has_promise:
        return None, ()
    found = _day_after(state, rule, pay_on, rule.unpaid_after)
    due_on = _day_after(state, rule, pay_on, rule.due_after)
    deadline = DeadlineSet(at=end_of_payments(state, rules, now, found), kind=TOP_UP, id=plan)
    return due_on.isoformat(), (deadline,)


def _day_after(state: Rows, rule: TopUp, day: date, count: int) -> date:
    """Counts days, worked ones if the rule names a calendar."""
    if rule.calendar is None or not count:
        return day + timedelta(days=count)
    return calendar_named(state, rule.calendar).add_worked_days(day, count)
