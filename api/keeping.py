"""What a clearing day asks of the operator now and next, as the state has it.

The steps follow from `clearing.keeping`, which is told what there is to do. Compiling a plan
takes long, so whether anything of a due date can be paid is looked at when its round has come.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from api.clearing_days import is_asked, rules_of_plans
from api.errors import NotFoundError
from api.service import Service
from clearing.day import Timetable, timetable
from clearing.handed import DEBIT_LISTS
from clearing.instructed import known_instruction
from clearing.keeping import (
    KINDS,
    Act,
    Ending,
    Owed,
    Standing,
    Step,
    Waiting,
    next_look,
    steps_due,
)
from clearing.model import (
    FUNDS,
    INSTRUCTIONS,
    OBLIGATIONS,
    RUNS,
    InstructionStatus,
    ObligationStatus,
    Run,
    RunStatus,
    Sort,
)
from clearing.obligations import known_obligation
from clearing.plan import pay_date
from clearing.rules.closings import find_left
from clearing.rules.funds import find_divided
from clearing.rules.plans import pay_calendar, plan_due
from clearing.rules.reroutes import missing_of
from registry.batch import Batch
from registry.calendars import date_at, parse_date
from registry.canonical import Json, parse_object
from registry.ids import Sid
from registry.model import LOTS, Ledger
from registry.people import PENDING
from registry.policy import rules_in_force
from registry.refusals import BeyondCalendarError
from registry.signing import split_jws
from registry.statements import Now

AHEAD_DAYS: Final = 7
"""How far ahead due dates are told."""

Named = tuple[str, str, int | None]
"""A kind, what it is about, and the number of an instruction where that tells them apart."""


def day_of(service: Service) -> dict[str, Json]:
    """Returns the clearing day: its times, and the steps that are due, and come next.

    Raises:
        NotFoundError: There is no ledger yet, or its policy has no clearing day.
    """
    ledger = service.ledger
    if ledger is None:
        raise NotFoundError(what="ledger", name="before genesis")
    size, now = service.store.size(), service.time
    rows = Batch(service.store.fetch, service.rulebook.tables, index=0)
    table = timetable(rows, rules_in_force(rows, ledger), ledger)
    if table is None:
        raise NotFoundError(what="rule in the policy in force", name="clearing_day")
    keeper = _Keeper(service, rows, ledger, table, now)
    steps = [step for step in steps_due(keeper.standing(), table, now=now) if keeper.can(step)]
    day = table.counts_on(now)
    times = table.times(day)
    waiting = _waiting_for_approval(service)
    told = [_told(step, now, is_waiting=_named(step) in waiting) for step in steps]
    found: dict[str, Json] = {
        "as_of": size,
        "time": now,
        "day": day.isoformat(),
        "rounds": [*times.rounds],
        "cut_off": times.cut_off,
        "day_end": times.day_end,
        "steps": list[Json](told),
        "next": next_look(steps, now=now),
    }
    return found if times.funding is None else {**found, "funding": times.funding}


def _told(step: Step, now: int, *, is_waiting: bool) -> dict[str, Json]:
    """Returns a step as JSON."""
    told: dict[str, Json] = {
        "at": step.at,
        "act": step.act,
        "of": step.of,
        "due": step.is_due(now) and not is_waiting,
    }
    if step.n is not None:
        told |= {"n": step.n, "sort": step.sort or ""}
    return {**told, "pending": True} if is_waiting else told


def _named(step: Step) -> Named:
    """Returns what the operator would sign for a step."""
    return (KINDS.get(step.act, ""), step.of, step.n)


def _waiting_for_approval(service: Service) -> frozenset[Named]:
    """Returns what the operator has signed and its own people have not approved yet.

    Whoever keeps the day does not sign it a second time.
    """
    found: set[Named] = set()
    for row in service.store.select(PENDING):
        if row.kind in KINDS.values():
            payload = parse_object(split_jws(row.text, what="statement").payload, what="payload")
            body = payload["body"]
            members = body if isinstance(body, dict) else {}
            n = members.get("instruction")
            of = payload.get("re") or members.get("due_on")
            found.add((row.kind, str(of), n if isinstance(n, int) else None))
    return frozenset(found)


class _Keeper:
    """Reads what there is to do."""

    def __init__(
        self, service: Service, rows: Batch, ledger: Ledger, table: Timetable, now: int
    ) -> None:
        """Looks at nothing yet."""
        self._service, self._store, self._rows = service, service.store, rows
        self._ledger, self._table, self._now = ledger, table, now
        self._today = date_at(now, offset_minutes=table.offset_minutes)

    def standing(self) -> Standing:
        """Returns what there is to do, as far as that is cheap to tell."""
        runs = list(self._store.select(RUNS))
        planned = {run.due_on for run in runs if run.status == RunStatus.PLANNED}
        return Standing(
            due=tuple(self._due(planned)),
            funds=tuple(sorted(row.fund for row in self._store.select(FUNDS) if row.amount)),
            endings=tuple(self._endings(runs)),
            waiting=tuple(self._waiting(runs)),
            owed=tuple(self._owed()),
        )

    def can(self, step: Step) -> bool:
        """Tells whether something would come of a step that is due."""
        if not step.is_due(self._now):
            return True
        if step.act is Act.PLAN:
            due_on = parse_date(step.of)
            pay_on = pay_date(due_on, pay_calendar(self._rows, self._ledger))
            return bool(plan_due(self._rows, due_on=due_on, pay_on=pay_on).instructions)
        if step.act is Act.DIVIDE:
            fund = self._rows.get(FUNDS, step.of)
            now = Now(index=self._store.size(), time=self._now, ledger=self._ledger)
            return fund is not None and bool(find_divided(self._rows, fund, now).instructions)
        if step.act is Act.TOP_UP and step.sort == Sort.TOP_UP:
            # What is frozen, or to be paid by a plan of its own, is topped up by nobody yet.
            n = step.n or 0
            owed = known_obligation(self._rows, Sort.TOP_UP, Sid(step.of), n)
            record = known_instruction(self._rows, Sid(step.of), n)
            return bool(missing_of(self._rows, record, owed).amount_minor)
        return True

    def _due(self, planned: set[str | None]) -> Iterator[tuple[str, date]]:
        """Yields due dates of which something lives, without a run that is under way."""
        until = (self._today + timedelta(days=AHEAD_DAYS)).isoformat()
        calendar = pay_calendar(self._rows, self._ledger)
        for due_on, _ in sorted(self._store.totals(LOTS, ("due_on",))):
            if due_on in planned or due_on > until:
                continue
            try:
                yield due_on, pay_date(parse_date(due_on), calendar)
            except BeyondCalendarError:
                continue

    def _endings(self, runs: list[Run]) -> Iterator[Ending]:
        """Yields the runs that are to be closed; again, if something was added and never left."""
        for run in runs:
            is_over = run.status == RunStatus.CLOSED
            if run.status == RunStatus.PLANNED or (
                is_over
                and run.added
                and run.posted + run.ended < run.instructions
                and find_left(self._rows, run).expired
            ):
                yield Ending(plan=run.plan, closes_at=run.closes_at)

    def _waiting(self, runs: list[Run]) -> Iterator[Waiting]:
        """Yields the runs of which something can be sent."""
        going = [run for run in runs if run.posted + run.ended < run.instructions]
        rules = rules_of_plans(self._store, (run.plan for run in going))
        for run in going:
            found = self._store.totals(INSTRUCTIONS, ("status",), field="plan", value=run.plan)
            if InstructionStatus.PENDING not in {status for status, _ in found}:
                continue
            if not is_asked(rules[run.plan]):
                yield Waiting(plan=run.plan)
                continue
            lists = self._store.select(DEBIT_LISTS, field="plan", value=run.plan)
            since = [row.approved_at for row in lists if row.approved_at is not None]
            if since:
                yield Waiting(plan=run.plan, since=min(since))

    def _owed(self) -> Iterator[Owed]:
        """Yields what debtors owe because of instructions, and nothing pays yet."""
        for row in self._store.select(OBLIGATIONS):
            if row.status == ObligationStatus.DUE and row.sort != Sort.RETURN:
                yield Owed(plan=row.plan, n=row.n, sort=row.sort)
