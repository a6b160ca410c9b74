"""Keeping a clearing day: what the operator has to do, and when, as it follows from the state.

Nothing is remembered between one look and the next. What is planned, sent, closed or paid
stands in the log; what time it is the ledger's clock says; when what may be done the policy
does. So whoever is interrupted looks again, and whoever does a step a second time is refused.

    10:00  plan what is due, divide what banks say there is, top up, send
    15:00  send what debtors have approved since
    16:30  cut-off: nothing more is planned or sent
    17:00  close the runs whose day is over

From a round on until the cut-off what could not be done at its time is done when it can be.
What passes money on is sent at any time of that, for it has its share of the hour (SD-22). A
day that was missed is made up for on the next one, its close first.

Source: docs/clearing.md, The clearing day.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from clearing.day import Timetable
from registry.calendars import DAY_MS, date_at


class Act(StrEnum):
    """What the operator does."""

    CLOSE = "close"
    """Ends the day of a run."""
    DIVIDE = "divide"
    """Has less money than is due paid out."""
    PLAN = "plan"
    """Adopts the plan of a due date."""
    SEND = "send"
    """Hands instructions to banks."""
    TOP_UP = "top-up"
    """Has a debtor pay itself what it owes because of an instruction."""


KINDS: Final = {
    Act.CLOSE: "clearing.close",
    Act.DIVIDE: "clearing.apportion",
    Act.PLAN: "clearing.plan",
    Act.TOP_UP: "clearing.top-up",
}
"""What the operator signs to do something; what is sent it hands over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that the operator does, once its time has come.

    Attributes:
        at: From when on, in milliseconds.
        act: What.
        of: The due date, the fund, or the plan.
        n: Of what is topped up: the number of the instruction because of which it is owed.
        sort: Of what is topped up: why it is owed.
    """

    at: int
    act: Act
    of: str
    n: int | None = None
    sort: str | None = None

    def is_due(self, now: int) -> bool:
        """Tells whether its time has come."""
        return self.at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A run that is to be closed, and when its day is over; None if its policy does not say."""

    plan: str
    closes_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Instructions of a plan that can be sent.

    Attributes:
        plan: The plan.
        since: When the list that they are on was approved, in milliseconds, if it had to be:
            they are sent from the next round on. None of what goes at once.
    """

    plan: str
    since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What a debtor owes because of an instruction, and nothing pays yet."""

    plan: str
    n: int
    sort: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands in the state of what is to be done.

    Attributes:
        due: Due dates of which something lives, has no run under way, and their pay dates.
        funds: What banks said there is and nobody has divided, by fund.
        endings: Runs that are to be closed.
        waiting: What can be sent.
        owed: What debtors owe themselves.
    """

    due: tuple[tuple[str, date], ...] = ()
    funds: tuple[str, ...] = ()
    endings: tuple[Ending, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    owed: tuple[Owed, ...] = ()


def steps_due(standing: Standing, table: Timetable, *, now: int) -> tuple[Step, ...]:
    """Returns what the operator does, by when; what `is_due` comes first.

    Args:
        standing: What there is to do.
        table: The clearing day of the policy in force.
        now: The ledger's time, in milliseconds.
    """
    steps = [
        *_closes(standing.endings, table, now),
        *(
            Step(at=_round(table, now), act=Act.TOP_UP, of=owed.plan, n=owed.n, sort=owed.sort)
            for owed in standing.owed
        ),
        *(_step(table, Act.DIVIDE, fund, now) for fund in standing.funds),
        *_plans(standing.due, table, now),
        *(
            Step(at=_round(table, now, since=each.since), act=Act.SEND, of=each.plan)
            for each in standing.waiting
        ),
    ]
    # What is due stays in this order: a close frees what is planned then, and what the debtor
    # owes by a promise of its own it pays directly, and not by a plan on the way that broke.
    return tuple(sorted(steps, key=lambda step: max(step.at, now)))


def _step(table: Timetable, act: Act, of: str, now: int) -> Step:
    """Returns something that is done in a round."""
    return Step(at=_round(table, now), act=act, of=of)


def _plans(due: Iterable[tuple[str, date]], table: Timetable, now: int) -> Iterator[Step]:
    """Yields when due dates are planned: in the first round of the pay date, or of a later day."""
    today = table.counts_on(now)
    for due_on, pay_on in due:
        if pay_on <= today:
            yield _step(table, Act.PLAN, due_on, now)
            continue
        worked = table.calendar.is_worked(pay_on)
        day = pay_on if worked else table.calendar.add_worked_days(pay_on, 1)
        yield Step(at=table.times(day).rounds[0], act=Act.PLAN, of=due_on)


def _closes(endings: Iterable[Ending], table: Timetable, now: int) -> Iterator[Step]:
    """Yields when runs are closed."""
    for run in endings:
        at = run.closes_at
        if at is None:
            # It was adopted under another policy: it ends with the day that is over next.
            today = date_at(now, offset_minutes=table.offset_minutes)
            worked = table.calendar.is_worked(today)
            at = table.times(today if worked else table.counts_on(now)).day_end
        yield Step(at=at, act=Act.CLOSE, of=run.plan)


def _round(table: Timetable, now: int, *, since: int | None = None) -> int:
    """Returns the round in which something is done that is there since an instant.

    It is one that has begun today, if the cut-off has not come, or else the next.
    """
    rounds = table.times(table.counts_on(now)).rounds
    begun = [at for at in rounds if at <= now]
    if since is None:
        return begun[-1] if begun else rounds[0]
    # What is approved after the last round still goes before the cut-off.
    return next((at for at in rounds if at >= since), rounds[-1])


def next_look(steps: Iterable[Step], *, now: int) -> int:
    """Returns when there is something to do next, in milliseconds; tomorrow if nobody knows."""
    return min((step.at for step in steps if not step.is_due(now)), default=now + DAY_MS)
