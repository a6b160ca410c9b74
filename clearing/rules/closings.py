"""The end of a clearing day: what never left the debtor may be planned again.

Until a run's day is closed each of its lots is bound to its instruction, so that no other
plan pays it. What is on its way stays bound beyond the day: the money has left the debtor,
and comes late or is called back, but never is the lot paid anew meanwhile. A debtor whose
own money did not move is overdue, and may issue nothing until the registrar lifts that.

Source: docs/clearing.md, The end of the day; RG-09, SD-23.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from clearing.drawn import end_waiting
from clearing.errors import DayNotOverError, PlanDiffersError
from clearing.fields import Tally
from clearing.handed import DEBIT_LISTS
from clearing.instructed import ask_instructions, known_run
from clearing.model import (
    LAPSING,
    OBLIGATIONS,
    OPEN,
    ORDERS,
    RUN_MOVES,
    RUNS,
    InstructionRecord,
    InstructionStatus,
    Run,
    RunStatus,
)
from clearing.outcomes import expire
from registry.burdens import require_move
from registry.credit import StopReason
from registry.debts import IssuanceStopped
from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect, Seal
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid
from registry.model import Role
from registry.state import run_reads
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import (
    Get,
    MutableRows,
    ReadPlan,
    Rows,
    get,
    get_many,
    replace,
    where,
)

MORE: Final = "clearing.close-more"
"""The kind of the entries that go on with a close."""

AT_ONCE: Final = 256
"""Debtors that one entry tells of, so that it fits a bundle."""


class ClearingClose(Body):
    """The end of a run's day: what expires, and what is still on its way."""

    expired: Tally
    stuck: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a run has not posted when its day ends.

    Attributes:
        expired: Instructions of money that never left the debtor, and that may not come.
        stuck: Instructions of money that has left the debtor, and is on its way.
        overdue: The debtors whose own money did not move.
    """

    expired: tuple[InstructionRecord, ...]
    stuck: tuple[InstructionRecord, ...]
    overdue: tuple[PartyId, ...]


def left_of(records: Iterable[InstructionRecord], *, is_closed: bool) -> Left:
    """Tells what a run has not posted; its instructions stand by number.

    Args:
        records: The run's instructions.
        is_closed: Its day was closed before, and debtors that had not paid then were told.
    """
    has_left: set[str] = set()
    expired: list[InstructionRecord] = []
    stuck: list[InstructionRecord] = []
    overdue: set[PartyId] = set()
    for record in records:
        if record.status == InstructionStatus.POSTED:
            has_left.add(str(record.n))
        elif has_left.issuperset(record.after) and record.after:
            has_left.add(str(record.n))
            stuck.append(record)
        else:
            if record.status in (LAPSING if record.after else OPEN):
                expired.append(record)
            if not record.after and _is_debtors_fault(record, is_closed=is_closed):
                overdue.add(record.payer)
    return Left(expired=tuple(expired), stuck=tuple(stuck), overdue=tuple(sorted(overdue)))


def _is_debtors_fault(record: InstructionRecord, *, is_closed: bool) -> bool:
    """Tells whether a debtor's payment was not made, rather than not taken by the payee's bank."""
    has_failed = record.status in (OPEN if is_closed else LAPSING)
    return has_failed and record.refused_by != record.bank


def find_left(state: Rows, run: Run) -> Left:
    """Reads what a run has not posted."""
    records = run_reads(state, ask_instructions(run))
    return left_of(records, is_closed=run.status == RunStatus.CLOSED)


class RunClosed(Effect, frozen=True, kw_only=True):
    """A run's day is over: what expires follows from its instructions."""

    plan: Sid
    expired: int
    stuck: int

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Expires the instructions, frees their lots, and closes the run; no list waits more."""
        run = known_run(state, self.plan)
        left = find_left(state, run)
        if (len(left.expired), len(left.stuck)) != (self.expired, self.stuck):
            raise InvariantBrokenError(f"entry {seal.index} does not follow from run {self.plan}")
        for record in left.expired:
            expire(state, record)
        end_waiting(state, self.plan)
        run = known_run(state, self.plan)
        state.put(RUNS, replace(run, status=RunStatus.CLOSED))


def _ask_left(plan: str) -> ReadPlan:
    """Asks for a run, its instructions, and the orders and obligations that the close changes."""
    run = yield from get(RUNS, plan)
    if run is None or run.status == RunStatus.CLEARED:
        return
    records = yield from ask_instructions(run)
    left = left_of(records, is_closed=run.status == RunStatus.CLOSED)
    yield from where(DEBIT_LISTS, "plan", plan)
    yield from get_many(ORDERS, [lot for record in left.expired for lot in record.lots])
    owed = [(each.pays, each.plan, each.instead) for each in left.expired if each.pays]
    if owed:
        yield Get(OBLIGATIONS, tuple((sort, plan, n) for sort, plan, n in owed if n is not None))


def reads_close(statement: Statement[ClearingClose], _now: Now) -> ReadPlan:
    """Asks for the run and what its end changes."""
    yield from _ask_left(statement.re or "")


def decide_close(state: Rows, statement: Statement[ClearingClose], now: Now) -> tuple[Effect, ...]:
    """Closes the day of a run, or what was added since.

    Where more debtors are overdue than one entry can tell of, the entries that follow directly
    tell of the others, and the last one closes the run.

    Raises:
        MoveNotAllowedError: The run is cleared; or closed, and nothing expires.
        DayNotOverError: By the policy under which its instructions were given their day is not
            over.
        PlanDiffersError: What expires or is stuck, in this order, is not what follows from
            the run's instructions.
    """
    run = known_run(state, statement.re or Sid(""))
    require_move(RUN_MOVES, run.plan, status=run.status, to=RunStatus.CLOSED)
    left = find_left(state, run)
    if run.status == RunStatus.CLOSED and not left.expired:
        raise MoveNotAllowedError(of=run.plan, status=run.status, to=RunStatus.CLOSED)
    if run.closes_at is not None and now.time < run.closes_at:
        raise DayNotOverError(plan=run.plan, closes_at=run.closes_at, now=now.time)
    body = statement.body
    pairs = (("expired", body.expired, left.expired), ("stuck", body.stuck, left.stuck))
    for what, stated, found in pairs:
        if stated != len(found):
            raise PlanDiffersError(what=what, stated=str(stated), computed=str(len(found)))

    # Past this line the close must succeed.
    return _end(run, left, statement.sid, at=now.time)


# --- More debtors than fit an entry --------------------------------------------------


def _end(run: Run, left: Left, close: Sid, *, at: int, told: int = 0) -> tuple[Effect, ...]:
    """Stops the issues of debtors that are overdue, and with the last of them ends the day.

    Args:
        run: The run, which nothing changes meanwhile.
        left: What it has not posted.
        close: The statement that ends its day.
        at: The moment: what is left follows directly, before anything else.
        told: How many of the debtors earlier entries have told of.
    """
    upto = told + AT_ONCE
    stops = (
        IssuanceStopped(party=party, reason=StopReason.OVERDUE, statement=close)
        for party in left.overdue[told:upto]
    )
    if upto < len(left.overdue):
        return (*stops, DeadlineSet(at=at, kind=MORE, id=f"{run.plan}.{close}.{upto}"))
    closed = RunClosed(plan=run.plan, expired=len(left.expired), stuck=len(left.stuck))
    return (closed, *stops)


def reads_more(due: Due, _now: Now) -> ReadPlan:
    """Asks for what the close sees."""
    plan, _, _ = due.id.split(".")
    yield from _ask_left(plan)


def decide_more(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Goes on with the close of a run that leaves many debtors overdue."""
    plan, close, told = due.id.split(".")
    run = known_run(state, Sid(plan))
    left = find_left(state, run)
    met = DeadlineCleared(at=due.at, kind=due.kind, id=due.id)
    return (met, *_end(run, left, Sid(close), at=due.at, told=int(told)))


KINDS = (
    Kind(
        name="clearing.close",
        body=ClearingClose,
        signers=frozenset({Role.OPERATOR}),
        relation="the operator",
        answers={"clearing.plan": RUNS, "clearing.apportion": RUNS},
        reads=reads_close,
        decide=decide_close,
    ),
)

TIMED = (TimedKind(name=MORE, reads=reads_more, decide=decide_more),)
