"""What is frozen is withheld: listed with its amount, in no instruction, paid by nobody (FR-19)."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import NothingDueError
from clearing.model import OBLIGATIONS
from clearing.plan import format_plan
from clearing.totals import Withheld
from registry.burdens import FREEZES, Freeze, FreezeStatus
from registry.canonical import parse_json
from registry.ids import LotId
from registry.model import LOTS, VOUCHERS, Route
from registry.tables import replace
from tests.clearing.strategies import worlds
from tests.clearing.test_package import stored, verified, written
from tests.clearing.test_rules import PLAN, adopt, confirm, instructions, run_of, stated
from tests.clearing.world import World, gv01, sid


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned."""
    world = World()
    gv01(world)
    return world


def freeze(world: World, lot: LotId, *, status: str = FreezeStatus.FROZEN) -> str:
    """Freezes a lot, as the registry does."""
    row, made = world.lot(lot), sid(f"freeze {lot}")
    frozen = Freeze(
        freeze=made, lot=lot, voucher=row.voucher, holder=row.holder, authority="court",
        number="x", order="x", status=status,
    )  # fmt: skip
    world.rows.put(FREEZES, frozen)
    if status != FreezeStatus.LIFTED:
        world.rows.put(LOTS, replace(row, burdens=(*row.burdens, made)))
    return made


def held_by(world: World, name: str) -> LotId:
    """Returns a holder's one lot."""
    (lot,) = (lot for lot in world.lots() if lot.holder == world.party(name))
    return lot.lot


@pytest.mark.parametrize("status", [FreezeStatus.FROZEN, FreezeStatus.ORDERED, "payable"])
@pytest.mark.parametrize("route", [Route.DIRECT, Route.TIERED])
def test_gv_01_without_the_part_that_a_court_has_frozen(
    world: World, route: Route, status: str
) -> None:
    (voucher,) = {lot.voucher for lot in world.lots()}
    row = world.rows.get(VOUCHERS, voucher)
    assert row is not None
    world.rows.put(VOUCHERS, replace(row, route=route))
    lot = held_by(world, "S3")
    freeze(world, lot, status=status)
    plan = world.plan()
    assert plan.totals.withheld == [Withheld(amount="25000000", lot=lot, voucher=voucher)]
    assert (plan.totals.total_minor, plan.totals.withheld_minor) == (75_000_000, 25_000_000)
    assert lot not in {each for order in plan.instructions for each in order.lots}
    assert world.party("S3") not in {order.payee for order in plan.instructions}
    shown = parse_json(format_plan(plan), what="plan")
    assert isinstance(shown, dict)
    assert shown["withheld"] == [{"amount": "25000000", "lot": lot, "voucher": voucher}]


def test_a_lifted_freeze_withholds_nothing(world: World) -> None:
    before = format_plan(world.plan())
    freeze(world, held_by(world, "S3"), status=FreezeStatus.LIFTED)
    assert format_plan(world.plan()) == before


def test_a_pledged_lot_is_paid(world: World) -> None:
    lot = held_by(world, "S3")
    world.rows.put(LOTS, replace(world.lot(lot), burdens=(sid("a pledge"),)))
    assert world.plan().totals.withheld == []
    adopt(world)


def test_the_run_says_what_it_withholds(world: World) -> None:
    freeze(world, held_by(world, "S3"))
    run = run_of(world, adopt(world))
    assert (run.total, run.withheld) == (75_000_000, 25_000_000)


def test_where_all_is_frozen_there_is_nothing_to_plan(world: World) -> None:
    body = stated(world)
    for lot in world.lots():
        freeze(world, lot.lot)
    with pytest.raises(NothingDueError):
        world.decide(PLAN, body, by="operator")


def test_a_lot_frozen_after_the_plan_is_not_discharged_and_what_came_is_owed_back(
    world: World,
) -> None:
    plan = adopt(world)
    lot = held_by(world, "S3")
    freeze(world, lot)
    for order in instructions(world, plan):
        confirm(world, plan, order.n)
    assert [row.lot for row in world.lots()] == [lot]
    (owed,) = world.rows.select(OBLIGATIONS)
    assert (owed.sort, owed.lots, owed.amount) == ("return", (lot,), 25_000_000)
    assert (owed.owed_by, owed.owed_to) == (world.party("S3"), world.party("C"))


@given(worlds(), st.data())
@settings(max_examples=30)
def test_paid_and_withheld_are_all_that_is_outstanding(world: World, data: st.DataObject) -> None:
    lots = [lot.lot for lot in world.lots()]
    frozen = set(data.draw(st.lists(st.sampled_from(lots), unique=True))) if lots else set()
    for lot in sorted(frozen):
        freeze(world, lot)
    totals = world.plan().totals
    assert totals.total_minor + totals.withheld_minor == sum(lot.amount for lot in world.lots())
    assert {each.lot for each in totals.withheld} == frozen
    assert totals.lots == len(lots) - len(frozen)


def test_a_package_withholds_what_the_plan_does(world: World, tmp_path: Path) -> None:
    freeze(world, held_by(world, "S3"))
    store = stored(world)
    made = written(tmp_path / "p", store)
    manifest = parse_json(made.manifest.rstrip(b"\n"), what="manifest")
    assert isinstance(manifest, dict)
    assert (manifest["total"], manifest["withheld"]) == ("75000000", "25000000")
    assert (tmp_path / "p" / "plan.json").read_bytes() == format_plan(world.plan())
    assert verified(tmp_path / "p", store) == made
