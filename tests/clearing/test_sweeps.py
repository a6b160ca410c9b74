"""SD-29: what lies on a stage, by when it is to go on, and what is late."""

from datetime import date, timedelta

import pytest

from clearing.model import INSTRUCTIONS, InstructionStatus
from clearing.sweeps import Sweep, sweeps_of
from registry.ids import Sid
from registry.model import Route
from registry.stages import STAGES
from registry.tables import replace
from tests.clearing.staged import TRUST, hops, stage
from tests.clearing.test_broken_hops import DAY, reroute
from tests.clearing.test_reports import close
from tests.clearing.test_rules import adopt, confirm, instructions
from tests.clearing.world import OFFSET, PAY_ON, PAY_TIME, World, gv01, sid


def staged(cycle_days: int | None, *, route: Route = Route.DIRECT) -> tuple[World, Sid]:
    """Returns GV-01 with the trust behind its servicer, adopted."""
    world = World()
    gv01(world, route=route)
    stage(world, before=TRUST, via="servicer", cycle_days=cycle_days)
    return world, adopt(world)


def sweeps(world: World) -> list[Sweep]:
    """Returns what lies on the stage."""
    row = world.rows.get(STAGES, sid(f"stage {TRUST} 0"))
    assert row is not None
    records = list(world.rows.select(INSTRUCTIONS))
    last = [record for record in records if record.stage == row.stage]
    into = {(record.plan, record.n): record for record in records}
    return list(sweeps_of(row, last, into, offset_minutes=OFFSET))


@pytest.mark.parametrize("route", [Route.DIRECT, Route.TIERED])
@pytest.mark.parametrize("cycle_days", [None, 1, 31, 91])
def test_a_sweep_is_due_with_its_cycle_and_overdue_the_day_after(
    route: Route, cycle_days: int | None
) -> None:
    world, plan = staged(cycle_days, route=route)
    into, last = hops(world, plan)
    assert sweeps(world) == []
    for row in instructions(world, plan):
        if row.n <= into.n:
            confirm(world, plan, row.n, time=PAY_TIME + 1)
    (sweep,) = sweeps(world)
    due_on = PAY_ON + timedelta(days=cycle_days or 0)
    assert (sweep.n, sweep.amount_minor, sweep.came_on) == (last.n, 20_000_000, PAY_ON)
    assert (sweep.servicer, sweep.payee) == (world.party("servicer"), world.party(TRUST))
    assert sweep.due_on == due_on
    assert not sweep.is_overdue(due_on)
    assert sweep.is_overdue(due_on + timedelta(days=1))
    confirm(world, plan, last.n)
    assert sweeps(world) == []


def test_what_a_bank_did_not_carry_out_still_lies_there_whoever_is_to_try_again() -> None:
    world, plan = staged(7)
    into, last = hops(world, plan)
    confirm(world, plan, into.n)
    confirm(world, plan, last.n, status="rejected")
    assert [sweep.n for sweep in sweeps(world)] == [last.n]
    reroute(world, plan, last.n)
    added = instructions(world, plan)[-1]
    assert [sweep.n for sweep in sweeps(world)] == [added.n]
    confirm(world, plan, added.n)
    assert sweeps(world) == []


def test_what_came_back_from_the_account_lies_there_from_then_on() -> None:
    world, plan = staged(7)
    into, last = hops(world, plan)
    confirm(world, plan, into.n, last.n)
    confirm(world, plan, last.n, status="returned", time=PAY_TIME + 3 * DAY)
    (sweep,) = sweeps(world)
    assert (sweep.came_on, sweep.due_on) == (date(2026, 3, 5), date(2026, 3, 12))


def test_the_end_of_the_day_and_of_the_stage_change_nothing() -> None:
    world, plan = staged(7)
    into, last = hops(world, plan)
    for row in instructions(world, plan):
        if row.n != last.n:
            confirm(world, plan, row.n)
    before = sweeps(world)
    assert [sweep.n for sweep in before] == [last.n]
    close(world, plan, expired=0, stuck=1)
    named = world.rows.get(STAGES, sid(f"stage {TRUST} 0"))
    assert named is not None
    world.rows.put(STAGES, replace(named, ended=sid("end")))
    assert into.n < last.n
    assert sweeps(world) == before


@pytest.mark.parametrize("status", list(InstructionStatus))
def test_money_lies_there_whatever_was_said_of_it_unless_it_has_gone_on(
    status: InstructionStatus,
) -> None:
    world, plan = staged(7)
    into, last = hops(world, plan)
    confirm(world, plan, into.n)
    returned_at = PAY_TIME if status == InstructionStatus.RETURNED else None
    world.rows.put(INSTRUCTIONS, replace(last, status=status, returned_at=returned_at))
    has_gone = status in (
        InstructionStatus.POSTED, InstructionStatus.REPLACED, InstructionStatus.REDIRECTED,
    )  # fmt: skip
    assert [sweep.n for sweep in sweeps(world)] == ([] if has_gone else [last.n])
