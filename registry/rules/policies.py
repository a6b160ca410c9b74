"""Publishing policies and calendars: statements of the operator, in force as the log says.

A policy takes effect at the start of its day, by an entry of its own; one without a day
is announced and never in force. A calendar counts from the next entry on. Neither changes
what was decided before: a voucher keeps the term that it was issued with (RG-05).
"""

from collections.abc import Iterator
from datetime import date

from registry.calendars import Calendar
from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect
from registry.fields import BusinessDate
from registry.model import CALENDARS, POLICIES, Role
from registry.policy import (
    FirstPolicy,
    PolicyPublished,
    PolicyTookEffect,
    check_rules,
    format_rules,
)
from registry.refusals import (
    CalendarTakesBackError,
    CalendarUnknownError,
    PolicyDateError,
    PolicyVersionError,
)
from registry.rights import start_instant, today_at
from registry.statements import Kind, Now, Statement, TimedKind, reads_nothing
from registry.tables import ReadPlan, Rows, get, get_many, where
from registry.workdays import CalendarBody, calendar_of, published


class PolicyPublish(FirstPolicy):
    """A policy in full, and the day with which it takes effect; without one it never does."""

    effective_on: BusinessDate | None = None


def reads_policy_publish(statement: Statement[PolicyPublish], _now: Now) -> ReadPlan:
    """Asks for policies of the name and of the day, and for the calendars that it names."""
    body = statement.body
    yield from where(POLICIES, "name", body.name)
    if body.effective_on is not None:
        yield from where(POLICIES, "effective_on", body.effective_on.isoformat())
    yield from get_many(CALENDARS, body.rules.calendars)


def decide_policy_publish(
    state: Rows, statement: Statement[PolicyPublish], now: Now
) -> tuple[Effect, ...]:
    """Publishes a policy, which takes effect with its day if it has one.

    Raises:
        MalformedError: The rules contradict one another.
        PolicyVersionError: The policy has this version or a newer one.
        CalendarUnknownError: A rule names a calendar that is not published.
        PolicyDateError: Its day has begun, or another policy takes effect with it.
    """
    body = statement.body
    check_rules(body.rules)
    newest = max((row.version for row in state.where(POLICIES, "name", body.name)), default=0)
    if body.version <= newest:
        raise PolicyVersionError(name=body.name, newest=newest, version=body.version)
    for name in body.rules.calendars:
        if state.get(CALENDARS, name) is None:
            raise CalendarUnknownError(calendar=name)
    effective_on = None if body.effective_on is None else body.effective_on.isoformat()
    known = PolicyPublished(
        policy=statement.sid,
        name=body.name,
        version=body.version,
        effective_on=effective_on,
        rules=format_rules(body.rules),
    )
    if body.effective_on is None or effective_on is None:
        return (known,)
    begins = start_instant(body.effective_on, now)
    if begins <= now.time:
        raise PolicyDateError(effective_on=effective_on, reason="the day has begun")
    for other in state.where(POLICIES, "effective_on", effective_on):
        raise PolicyDateError(effective_on=effective_on, reason=f"policy {other.name} does")
    return (known, DeadlineSet(at=begins, kind="policy.take-effect", id=statement.sid))


def decide_take_effect(_state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
    """Puts a policy in force in the place of the former one."""
    return (
        PolicyTookEffect(policy=due.sid, replaces=now.facts.policy),
        DeadlineCleared(at=due.at, kind=due.kind, id=due.id),
    )


def reads_calendar_publish(statement: Statement[CalendarBody], _now: Now) -> ReadPlan:
    """Asks for the version that it replaces."""
    yield from get(CALENDARS, statement.body.name)


def decide_calendar_publish(
    state: Rows, statement: Statement[CalendarBody], now: Now
) -> tuple[Effect, ...]:
    """Publishes a calendar, or a newer version of it, which counts from the next entry on.

    Raises:
        MalformedError: Its bounds or days are not in order.
        CalendarTakesBackError: It covers less than the version before, or says otherwise of
            a day that is past.
    """
    calendar = statement.body.calendar()
    former = state.get(CALENDARS, calendar.name)
    if former is None:
        return (published(calendar, statement=statement.sid, version=1),)
    for day in _taken_back(calendar_of(former), calendar, before=today_at(now)):
        raise CalendarTakesBackError(calendar=calendar.name, day=day.isoformat())
    return (published(calendar, statement=statement.sid, version=former.version + 1),)


def _taken_back(former: Calendar, calendar: Calendar, *, before: date) -> Iterator[date]:
    """Yields days of which a calendar says otherwise than its former version may have it."""
    if calendar.first > former.first:
        yield former.first
    if calendar.last < former.last:
        yield former.last
    # A listed day is an exception to its weekday, so days differ where the lists do. To ask day
    # by day would take as long as the calendar is, for whoever publishes one of ten thousand years.
    listed, relisted = ({*each.holidays, *each.workdays} for each in (former, calendar))
    yield from sorted(day for day in listed ^ relisted if former.covers(day) and day < before)


KINDS = (
    Kind(
        name="policy.publish",
        body=PolicyPublish,
        signers=frozenset({Role.OPERATOR}),
        relation="the operator",
        reads=reads_policy_publish,
        decide=decide_policy_publish,
    ),
    Kind(
        name="calendar.publish",
        body=CalendarBody,
        signers=frozenset({Role.OPERATOR}),
        relation="the operator",
        reads=reads_calendar_publish,
        decide=decide_calendar_publish,
    ),
)

TIMED = (TimedKind(name="policy.take-effect", reads=reads_nothing, decide=decide_take_effect),)
