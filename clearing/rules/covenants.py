"""What has not come to plans and trusts in time becomes the debtor's own debt, by time alone.

Source: SD-23; reference note 17; GV-03.
"""

from collections.abc import Generator, Iterable, Iterator
from typing import Any, Final

from clearing.covenant import TOP_UP
from clearing.model import (
    INSTRUCTIONS,
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
from registry.errors import InvariantBrokenError
from registry.ids import LotId, is_vehicle
from registry.model import LOTS, VOUCHERS, Lot, Voucher
from registry.stages import STAGES
from registry.state import run_reads
from registry.statements import Now, TimedKind
from registry.tables import Asked, Get, Minor, ReadPlan, Rows, get, get_many, where_each

AT_ONCE: Final = 32
"""What is found owed in one entry; what is left is found in the next."""

LOTS_AT_ONCE: Final = 512
"""Lots that one entry tells of, so that it fits a bundle."""


SCANNED_AT_ONCE: Final = 256
"""Instructions that are asked for at once: what one entry is over with, no later one reads."""


def _ask_missing(run: Run, numbers: range) -> Generator[Asked, Any, list[InstructionRecord]]:
    """Asks for those of some instructions that go to plans and trusts and are not posted.

    What lies on a stage that may keep collections for a cycle is not missing (SD-29).
    """
    rows = yield Get(INSTRUCTIONS, tuple((run.plan, n) for n in numbers))
    records = [row for row in rows if row is not None]
    if len(records) != len(numbers):
        raise InvariantBrokenError(f"run {run.plan} has lost instructions")
    missing = [
        record
        for record in records
        if record.lots and record.status != InstructionStatus.POSTED and is_vehicle(record.creditor)
    ]
    before = sorted({int(n) for record in missing if record.stage for n in record.after})
    found = (yield Get(INSTRUCTIONS, tuple((run.plan, n) for n in before))) if before else ()
    posted = {str(row.n) for row in found if row and row.status == InstructionStatus.POSTED}
    named = {record.stage for record in missing if record.stage is not None}
    stages = yield from get_many(STAGES, sorted(named))
    sweeping = {row.stage for row in stages if row is not None and row.cycle_days is not None}
    return [
        record
        for record in missing
        if record.stage not in sweeping or not posted.issuperset(record.after)
    ]


def _ask_promised(
    run: Run, missing: list[InstructionRecord], told: set[str]
) -> Generator[Asked, Any, Iterator[TopUpOwed]]:
    """Asks for what has not come by some instructions and was promised: by each, in order.

    Args:
        run: The run.
        missing: The instructions.
        told: Lots that the entry tells of already, when one is asked for.
    """
    vouchers = yield from get_many(VOUCHERS, sorted({record.voucher for record in missing}))
    of = {row.voucher: row for row in vouchers if row is not None and row.top_up}
    keys = tuple((Sort.TOP_UP, run.plan, record.n) for record in missing)
    known = {row.n for row in ((yield Get(OBLIGATIONS, keys)) if keys else ()) if row is not None}
    missing = [each for each in missing if each.voucher in of and each.n not in known]
    names = [*dict.fromkeys(LotId(lot) for record in missing for lot in record.lots)]
    lots = {row.lot: row for row in (yield from get_many(LOTS, names)) if row is not None}
    orders = {row.lot: row for row in (yield from get_many(ORDERS, names)) if row is not None}
    burdened = [lot.lot for lot in lots.values() if lot.burdens]
    frozen = frozen_lots((yield from where_each(FREEZES, "lot", burdened)))

    def awaited(record: InstructionRecord) -> list[Lot]:
        """Returns the lots that it may still pay, or nobody any more; none that is frozen."""
        own = (record.plan, record.n)
        return [
            lots[name]
            for name in map(LotId, record.lots)
            if name in lots
            and name not in frozen
            and name not in told
            and (name not in orders or (orders[name].plan, orders[name].n) == own)
        ]

    return (_owed(run, record, of[record.voucher], awaited(record)) for record in missing)


def _owed(run: Run, record: InstructionRecord, voucher: Voucher, lots: Iterable[Lot]) -> TopUpOwed:
    """Returns what a debtor owes because some lots were not paid by an instruction."""
    parts = dict(zip(record.lots, record.parts, strict=False))
    some = [*lots]
    return TopUpOwed(
        plan=run.plan,
        n=record.n,
        voucher=voucher.voucher,
        owed_by=voucher.debtor,
        owed_to=record.creditor,
        account=record.payee_account,
        amount=Minor(sum(int(parts.get(lot.lot, lot.amount)) for lot in some)),
        lots=tuple(lot.lot for lot in some),
        due_on=run.top_up_on or run.pay_on,
    )


def _ask_owed(due: Due) -> Generator[Asked, Any, tuple[list[TopUpOwed], int | None]]:
    """Asks for what one entry tells of, and where the next one goes on; None if there is none."""
    plan, _, start = due.id.partition(".")
    run = yield from get(RUNS, plan)
    if run is None:
        raise InvariantBrokenError(f"no run of plan {plan}")
    owed: list[TopUpOwed] = []
    told: set[str] = set()
    for first in range(int(start or 0), run.instructions, SCANNED_AT_ONCE):
        numbers = range(first, min(first + SCANNED_AT_ONCE, run.instructions))
        missing = yield from _ask_missing(run, numbers)
        for found in (yield from _ask_promised(run, missing, told)):
            if not found.lots:
                continue
            told.update(found.lots)
            if len(owed) == AT_ONCE or len(told) > LOTS_AT_ONCE:
                return owed, found.n
            owed.append(found)
    return owed, None


def reads_unpaid(due: Due, _now: Now) -> ReadPlan:
    """Asks for the run, what has not come, and whether it is still to come."""
    yield from _ask_owed(due)


def decide_unpaid(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Finds what has not come to plans and trusts of vouchers whose debtors have promised it."""
    owed, onward = run_reads(state, _ask_owed(due))
    cleared = DeadlineCleared(at=due.at, kind=due.kind, id=due.id)
    if onward is None:
        return (*owed, cleared)
    plan, _, _ = due.id.partition(".")
    more = DeadlineSet(at=due.at + 1, kind=due.kind, id=f"{plan}.{onward}")
    return (*owed, cleared, more)


TIMED = (TimedKind(name=TOP_UP, reads=reads_unpaid, decide=decide_unpaid),)
