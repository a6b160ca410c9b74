"""What has not come to plans and trusts in time becomes the debtor's own debt, by time alone.

Source: SD-23; reference note 17; GV-03.
"""

from collections.abc import Generator
from typing import Any, Final

from clearing.covenant import TOP_UP
from clearing.instructed import ask_instructions, known_run
from clearing.model import (
    OBLIGATIONS,
    ORDERS,
    RUNS,
    InstructionRecord,
    InstructionStatus,
    Run,
    Sort,
)
from clearing.obligations import TopUpOwed
from registry.burdens import FREEZES, frozen_lots
from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect
from registry.ids import is_vehicle
from registry.model import LOTS, VOUCHERS, Lot
from registry.rights import known_voucher
from registry.stages import STAGES
from registry.state import run_reads
from registry.statements import Now, TimedKind
from registry.tables import Asked, Get, Minor, ReadPlan, Rows, get, get_many, where_each

AT_ONCE: Final = 32
"""What is found owed in one entry; what is left is found in the next."""

LOTS_AT_ONCE: Final = 512
"""Lots that one entry tells of, so that it fits a bundle."""


def _ask_missing(run: Run) -> Generator[Asked, Any, list[InstructionRecord]]:
    """Asks for the instructions to plans and trusts that are not posted.

    What lies on a stage that may keep collections for a cycle is not missing (SD-29).
    """
    records = list((yield from ask_instructions(run)))
    posted = {str(record.n) for record in records if record.status == InstructionStatus.POSTED}
    missing = [
        record
        for record in records
        if record.lots and str(record.n) not in posted and is_vehicle(record.creditor)
    ]
    named = {record.stage for record in missing if record.stage is not None}
    stages = yield from get_many(STAGES, sorted(named))
    sweeping = {row.stage for row in stages if row is not None and row.cycle_days is not None}
    return [
        record
        for record in missing
        if record.stage not in sweeping or not posted.issuperset(record.after)
    ]


def reads_unpaid(due: Due, _now: Now) -> ReadPlan:
    """Asks for the run, what has not come, and whether it is still to come."""
    run = yield from get(RUNS, due.id)
    if run is None:
        return
    missing = yield from _ask_missing(run)
    yield from get_many(VOUCHERS, sorted({record.voucher for record in missing}))
    names = [lot for record in missing for lot in record.lots]
    lots = yield from get_many(LOTS, names)
    burdened = [lot.lot for lot in lots if lot is not None and lot.burdens]
    yield from where_each(FREEZES, "lot", burdened)
    yield from get_many(ORDERS, names)
    keys = tuple((Sort.TOP_UP, run.plan, record.n) for record in missing)
    if keys:
        yield Get(OBLIGATIONS, keys)


def decide_unpaid(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Finds what has not come to plans and trusts of vouchers whose debtors have promised it."""
    run = known_run(state, due.sid)
    owed: list[TopUpOwed] = []
    told: set[str] = set()
    for record in run_reads(state, _ask_missing(run)):
        voucher = known_voucher(state, record.voucher)
        if not voucher.top_up or state.get(OBLIGATIONS, Sort.TOP_UP, run.plan, record.n):
            continue
        names = (name for name in record.lots if name not in told)
        lots = [lot for name in names if (lot := _awaited(state, record, name))]
        if not lots:
            continue
        parts = dict(zip(record.lots, record.parts, strict=False))
        found = TopUpOwed(
            plan=run.plan,
            n=record.n,
            voucher=voucher.voucher,
            owed_by=voucher.debtor,
            owed_to=record.creditor,
            account=record.payee_account,
            amount=Minor(sum(int(parts.get(lot.lot, lot.amount)) for lot in lots)),
            lots=tuple(lot.lot for lot in lots),
            due_on=run.top_up_on or run.pay_on,
        )
        told.update(found.lots)
        if len(owed) == AT_ONCE or len(told) > LOTS_AT_ONCE:
            more = DeadlineSet(at=due.at + 1, kind=due.kind, id=due.id)
            return (*owed, DeadlineCleared(at=due.at, kind=due.kind, id=due.id), more)
        owed.append(found)
    return (*owed, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))


def _awaited(state: Rows, record: InstructionRecord, name: str) -> Lot | None:
    """Returns a lot that an instruction may still pay, or nobody any more; none that is frozen."""
    lot, order = state.get(LOTS, name), state.get(ORDERS, name)
    if lot is None or (order and (order.plan, order.n) != (record.plan, record.n)):
        return None
    if lot.burdens and frozen_lots(state.where(FREEZES, "lot", name)):
        return None
    return lot


TIMED = (TimedKind(name=TOP_UP, reads=reads_unpaid, decide=decide_unpaid),)
