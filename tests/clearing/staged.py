"""Stages in a small ledger: an account that another one is reached by way of."""

from datetime import date

from clearing.model import InstructionRecord
from registry.ids import Sid
from registry.model import MANDATES, VOUCHERS, Mandate, Route
from registry.stages import STAGES, Stage
from tests.clearing.test_reports import verify_accounts
from tests.clearing.test_rules import instructions
from tests.clearing.world import World, gv01, sid

TRUST = "T#trust"


def stage(
    world: World,
    *,
    before: str,
    via: str,
    n: int = 0,
    from_n: int = 0,
    cycle_days: int | None = None,
    begins_on: date = date(2026, 1, 1),
) -> Sid:
    """Has a party's n-th account reached by way of another's, who has agreed to that."""
    account, stage_account = world.account(before, n), world.account(via, from_n)
    mandate = sid(f"mandate of {via} {from_n} for {before} {n}")
    row = Mandate(mandate=mandate, owner=world.party(via), account=stage_account, onto=account)
    world.rows.put(MANDATES, row)
    made = sid(f"stage {before} {n}")
    named = Stage(
        stage=made, account=account, owner=world.party(before), via=stage_account,
        via_owner=world.party(via), mandate=mandate, begins_on=begins_on.isoformat(),
        cycle_days=cycle_days,
    )  # fmt: skip
    world.rows.put(STAGES, named)
    return made


def hops(world: World, plan: Sid, name: str = TRUST) -> tuple[InstructionRecord, InstructionRecord]:
    """Returns the hop into the stage, and the last one."""
    (last,) = (row for row in instructions(world, plan) if row.stage is not None)
    (into,) = (row for row in instructions(world, plan) if str(row.n) in last.after)
    assert last.payee == world.party(name)
    return into, last


def verify(world: World) -> None:
    """Checks that nothing is lost."""
    verify_accounts(world, sum(voucher.face for voucher in world.rows.select(VOUCHERS)))


def staged(route: Route = Route.TIERED) -> World:
    """Returns the tree of GV-01, the trust's account behind its trustee's."""
    world = World()
    gv01(world, route=route)
    stage(world, before=TRUST, via="trustee")
    return world
