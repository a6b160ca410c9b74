"""An account on the way that a court has frozen when the plan is made: nothing passes it."""

from pathlib import Path

import pytest

from clearing.certificate import certificate_digest, certificate_of
from clearing.due import stream_due
from clearing.errors import PlanDiffersError
from clearing.package import verify_package, write_package
from clearing.plan import format_plan
from registry.canonical import Json
from registry.model import ACCOUNTS, Route
from registry.tables import replace
from tests.clearing.staged import TRUST, stage
from tests.clearing.test_broken_hops import DAY, TOP_UP, pass_time, promise
from tests.clearing.test_funds import divide, say
from tests.clearing.test_package import stored
from tests.clearing.test_reports import to
from tests.clearing.test_rules import PLAN, adopt, confirm, instructions, run_of, stated
from tests.clearing.test_tiered import edges
from tests.clearing.test_whose_account import move
from tests.clearing.world import DUE_ON, PAY_ON, PAY_TIME, World, gv01

WITHOUT_S2 = [
    ("C", "S1", 55_000_000),
    ("C", "S3", 25_000_000),
    ("C", TRUST, 20_000_000),
    ("S1", "S2", 15_000_000),
]


def freeze(world: World, name: str, n: int = 0, *, is_frozen: bool = True) -> None:
    """Has a court freeze an account of a party."""
    account = world.rows.get(ACCOUNTS, world.account(name, n))
    assert account is not None
    world.rows.put(ACCOUNTS, replace(account, frozen=is_frozen))


@pytest.fixture
def world() -> World:
    """The tree of GV-01, tiered; S2's only account is frozen."""
    world = World()
    gv01(world)
    freeze(world, "S2")
    return world


class TestPlan:
    def test_what_lies_behind_it_goes_direct_and_its_owner_is_paid_along(
        self, world: World
    ) -> None:
        assert sorted(edges(world, world.plan())) == WITHOUT_S2

    def test_an_account_that_is_free_is_passed_instead(self, world: World) -> None:
        other = world.mandate("S2", 1)
        plan = world.plan()
        assert ("C", TRUST, 20_000_000) not in edges(world, plan)
        passed = [order for order in plan.instructions if order.payer == world.party("S2")]
        assert {(order.payer_account, order.authority) for order in passed} == {
            (world.account("S2", 1), other)
        }
        # What S2 keeps comes into its own account, which is frozen, and nothing else does.
        kept = [order for order in plan.instructions if order.payee == world.party("S2")]
        assert {order.payee_account: order.amount_minor for order in kept} == {
            world.account("S2"): 15_000_000,
            world.account("S2", 1): 45_000_000,
        }

    def test_a_freeze_that_was_lifted_changes_nothing(self, world: World) -> None:
        freeze(world, "S2", is_frozen=False)
        assert len(world.plan().instructions) == 5

    @pytest.mark.parametrize("name", ["S3", TRUST])
    def test_the_last_accounts_freeze_changes_nothing(self, name: str) -> None:
        world = World()
        gv01(world)
        freeze(world, name)
        assert len(world.plan().instructions) == 5

    def test_the_certificate_is_equal_and_all_are_paid(self, world: World) -> None:
        plan = adopt(world)
        lines = certificate_of(instructions(world, plan))
        assert all(line.direct == line.planned for line in lines)
        assert {line.payee: line.passes for line in lines}[world.party("S2")] == "0"
        assert run_of(world, plan).certificate == certificate_digest(instructions(world, plan))
        move(world, plan)
        assert world.lots() == ()

    def test_a_plan_that_divides_money_passes_it_neither(self, world: World) -> None:
        plan = divide(world, say(world, 70_000_001))
        payers = {row.payer for row in instructions(world, plan)}
        assert payers == {world.party("C"), world.party("S1")}

    def test_the_package_is_that_plan(self, world: World, tmp_path: Path) -> None:
        store, directory = stored(world), tmp_path / "package"
        made = write_package(directory, stream_due(store, DUE_ON), due_on=DUE_ON, pay_on=PAY_ON)
        assert (directory / "plan.json").read_bytes() == format_plan(world.plan())
        due = stream_due(store, DUE_ON)
        assert verify_package(directory, due, due_on=DUE_ON, pay_on=PAY_ON) == made

    def test_attack_a_proposal_from_before_the_freeze_is_refused(self) -> None:
        world = World()
        gv01(world)
        proposed = stated(world)
        freeze(world, "S2")
        with pytest.raises(PlanDiffersError, match="instructions: stated 5, computed 4"):
            world.decide(PLAN, proposed, by="operator")

    def test_a_freeze_after_the_plan_leaves_it_as_it_was_adopted(self) -> None:
        world = World()
        gv01(world)
        plan = adopt(world)
        freeze(world, "S2")
        assert len(instructions(world, plan)) == 5
        move(world, plan)
        assert world.lots() == ()


@pytest.mark.parametrize("route", list(Route))
def test_a_top_up_passes_no_stage(route: Route) -> None:
    """The debtor's own payment for the trust goes into the trust's account itself."""
    world = World()
    gv01(world, route=route)
    promise(world)
    stage(world, before=TRUST, via="trustee")
    plan = adopt(world)
    if route is Route.TIERED:
        confirm(world, plan, to(world, plan, "S1").n)
    pass_time(world, PAY_TIME + 2 * DAY)
    (last,) = (row for row in instructions(world, plan) if row.stage is not None)
    owed: dict[str, Json] = {"instruction": last.n, "sort": "top-up"}
    world.enter(TOP_UP, owed, by="operator", re=plan, time=PAY_TIME + 2 * DAY)
    added = instructions(world, plan)[-1]
    assert (added.payer, added.payee, added.stage) == (world.party("C"), world.party(TRUST), None)
    assert (added.payee_account, added.amount) == (world.account(TRUST), 20_000_000)
