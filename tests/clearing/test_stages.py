"""The last hop, on both routes: what ends on an account comes by way of its stage (note 18)."""

from datetime import timedelta

import pytest

from clearing.certificate import certificate_of
from clearing.delays import delays_of
from clearing.due import stream_due
from clearing.exposure import stays_of
from clearing.model import (
    OBLIGATIONS,
    InstructionStatus,
)
from clearing.package import verify_package, write_package
from clearing.plan import format_plan
from registry.ids import Sid
from registry.model import ACCOUNTS, MANDATES, Route
from registry.stages import STAGES
from registry.tables import replace
from tests.clearing.staged import TRUST, hops, stage, staged, verify
from tests.clearing.test_broken_hops import DAY, pass_time, promise, reroute
from tests.clearing.test_funds import divide, say
from tests.clearing.test_package import stored
from tests.clearing.test_reports import close
from tests.clearing.test_rules import PLAN, adopt, confirm, instructions, stated
from tests.clearing.test_whose_account import lot_of, move
from tests.clearing.world import (
    DUE_ON,
    PAY_ON,
    PAY_TIME,
    World,
    gv01,
    net_by_account,
    sid,
)

ROUTES = [Route.DIRECT, Route.TIERED]


@pytest.fixture(params=ROUTES)
def world(request: pytest.FixtureRequest) -> World:
    route: Route = request.param
    return staged(route)


@pytest.fixture
def tiered() -> World:
    return staged()


class TestTheLastHop:
    def test_brings_it_from_the_stage_under_its_owners_mandate(self, world: World) -> None:
        plan = adopt(world)
        into, last = hops(world, plan)
        assert (into.payee, into.payee_account) == (
            world.party("trustee"), world.account("trustee"),
        )  # fmt: skip
        assert (into.lots, into.kept, into.amount) == ((), 0, 20_000_000)
        assert (last.payer, last.payer_account) == (into.payee, into.payee_account)
        assert last.authority == sid(f"mandate of trustee 0 for {TRUST} 0")
        assert last.stage == sid(f"stage {TRUST} 0")
        assert (last.route, last.lots) == (into.route, (lot_of(world, TRUST),))

    def test_discharges_the_lots_and_the_one_before_it_does_not(self, world: World) -> None:
        plan = adopt(world)
        into, last = hops(world, plan)
        lot = lot_of(world, TRUST)
        for row in instructions(world, plan):
            if row.n < last.n:
                confirm(world, plan, row.n)
        assert into.n < last.n
        assert lot in {each.lot for each in world.lots()}
        confirm(world, plan, last.n)
        assert lot not in {each.lot for each in world.lots()}
        move(world, plan)
        assert world.lots() == ()
        verify(world)

    def test_leaves_everybody_the_same_on_both_routes(self, world: World) -> None:
        direct = World()
        gv01(direct, route=Route.DIRECT)
        left = net_by_account(direct.plan().instructions)
        assert net_by_account(world.plan().instructions) == left

    def test_shows_in_the_certificate_as_what_passes(self, world: World) -> None:
        plan = adopt(world)
        rows = {line.account: line for line in certificate_of(instructions(world, plan))}
        at_stage = rows[world.account("trustee")]
        assert (at_stage.direct, at_stage.planned, at_stage.passes) == (
            "0", "0", "20000000",
        )  # fmt: skip
        assert all(line.direct == line.planned for line in rows.values())
        assert rows[world.account(TRUST)].direct == "20000000"

    def test_is_that_of_the_package(
        self, world: World, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        directory = tmp_path_factory.mktemp("stages") / "package"
        store = stored(world)
        made = write_package(directory, stream_due(store, DUE_ON), due_on=DUE_ON, pay_on=PAY_ON)
        assert (directory / "plan.json").read_bytes() == format_plan(world.plan())
        due = stream_due(store, DUE_ON)
        assert verify_package(directory, due, due_on=DUE_ON, pay_on=PAY_ON) == made

    def test_of_many_lots_is_cut_and_the_way_to_the_stage_is_not(self, world: World) -> None:
        lot = lot_of(world, TRUST)
        for _ in range(299):
            _, lot = world.split(lot, 1)
        orders = world.plan().instructions
        last = [order for order in orders if order.stage is not None]
        (into,) = (order for order in orders if order.payee == world.party("trustee"))
        assert [len(order.lots) for order in last] == [128, 128, 44]
        assert {order.after for order in last} == {(into.n,)}
        assert into.amount_minor == sum(order.amount_minor for order in last) == 20_000_000

    def test_of_a_part_comes_by_the_same_way(self, world: World) -> None:
        plan = divide(world, say(world, 70_000_001))
        into, last = hops(world, plan)
        assert into.amount == last.amount == 14_000_000
        move(world, plan)
        assert [lot.amount for lot in world.lots() if lot.holder == world.party(TRUST)] == [
            6_000_000
        ]

    def test_is_there_for_an_intermediary_too(self, tiered: World) -> None:
        """S2 is paid, and passes on, on its account: all of it comes by way of the stage."""
        stage(tiered, before="S2", via="agent")
        plan = adopt(tiered)
        rows = {row.payee: row for row in instructions(tiered, plan)}
        assert rows[tiered.party("agent")].amount == 60_000_000
        assert rows[tiered.party("S2")].payer == tiered.party("agent")
        assert rows[tiered.party("S3")].payer == tiered.party("S2")
        assert rows[tiered.party("S3")].after == (str(rows[tiered.party("S2")].n),)
        move(tiered, plan)
        assert tiered.lots() == ()
        verify(tiered)


class TestAStageIsNotPassed:
    def payers(self, world: World) -> set[str]:
        """Returns who pays the trust."""
        return {
            order.payer for order in world.plan().instructions if order.payee == world.party(TRUST)
        }

    def test_before_the_day_with_which_it_begins(self, world: World) -> None:
        stage(world, before=TRUST, via="trustee", begins_on=DUE_ON + timedelta(days=1))
        assert world.party("trustee") not in self.payers(world)
        stage(world, before=TRUST, via="trustee", begins_on=DUE_ON)
        assert self.payers(world) == {world.party("trustee")}

    def test_after_its_end(self, world: World) -> None:
        row = world.rows.get(STAGES, sid(f"stage {TRUST} 0"))
        assert row is not None
        world.rows.put(STAGES, replace(row, ended=sid("end")))
        assert world.party("trustee") not in self.payers(world)

    def test_without_its_owners_mandate(self, world: World) -> None:
        mandate = world.rows.get(MANDATES, sid(f"mandate of trustee 0 for {TRUST} 0"))
        assert mandate is not None
        world.rows.put(MANDATES, replace(mandate, revoked=sid("end")))
        assert world.party("trustee") not in self.payers(world)

    def test_that_a_court_has_frozen(self, world: World) -> None:
        account = world.rows.get(ACCOUNTS, world.account("trustee"))
        assert account is not None
        world.rows.put(ACCOUNTS, replace(account, frozen=True))
        assert world.party("trustee") not in self.payers(world)

    def test_of_the_debtors_own(self, world: World) -> None:
        """The money would have left nobody, and the debtor could say that it has paid."""
        stage(world, before=TRUST, via="C", from_n=1)
        before = {(order.payer_account, order.payee_account) for order in world.plan().instructions}
        assert world.account("C", 1) not in {account for pair in before for account in pair}

    def test_where_the_money_lies_on_it_already(self, tiered: World) -> None:
        """F passes the money on the account that is the trust's stage: one hop is enough."""
        stage(tiered, before=TRUST, via="F")
        assert self.payers(tiered) == {tiered.party("F")}
        assert len(tiered.plan().instructions) == 5


class TestRevokedMandates:
    def test_take_a_branch_out_of_the_cascade_from_the_next_plan_on(self, tiered: World) -> None:
        mandate = tiered.rows.get(MANDATES, sid("mandate S2 0 "))
        assert mandate is not None
        plan = adopt(tiered)
        tiered.rows.put(MANDATES, replace(mandate, revoked=sid("end")))
        # The adopted plan goes on under it.
        move(tiered, plan)
        assert tiered.lots() == ()
        again = World()
        gv01(again)
        again.rows.put(MANDATES, replace(mandate, revoked=sid("end")))
        routes = {(order.payee, order.route) for order in again.plan().instructions}
        assert (again.party("S3"), Route.DIRECT) in routes
        assert again.party("F") not in {payee for payee, _ in routes}

    def test_of_the_debtor_still_pay_what_was_issued_under_them(self, tiered: World) -> None:
        before = format_plan(tiered.plan())
        mandate = tiered.rows.get(MANDATES, sid("mandate C 0 "))
        assert mandate is not None
        tiered.rows.put(MANDATES, replace(mandate, revoked=sid("end")))
        assert format_plan(tiered.plan()) == before


class TestWhatGoesWrong:
    def test_a_stage_that_cannot_be_credited_is_left_out(self, tiered: World) -> None:
        plan = adopt(tiered)
        into, last = hops(tiered, plan)
        for row in instructions(tiered, plan):
            if row.n not in (into.n, last.n):
                confirm(tiered, plan, row.n)
        confirm(tiered, plan, into.n, status="rejected")
        reroute(tiered, plan, into.n)
        added = instructions(tiered, plan)[-1]
        assert (added.payer, added.payee, added.amount) == (
            into.payer, tiered.party(TRUST), 20_000_000,
        )  # fmt: skip
        assert (added.lots, added.payee_account) == (last.lots, last.payee_account)
        confirm(tiered, plan, added.n)
        assert tiered.lots() == ()

    def test_a_last_hop_that_is_refused_is_tried_again_from_the_stage(self, world: World) -> None:
        plan = adopt(world)
        into, last = hops(world, plan)
        for row in instructions(world, plan):
            if row.n != last.n:
                confirm(world, plan, row.n)
        confirm(world, plan, last.n, status="rejected")
        reroute(world, plan, last.n)
        added = instructions(world, plan)[-1]
        assert (added.payer_account, added.authority) == (into.payee_account, last.authority)
        confirm(world, plan, added.n)
        assert world.lots() == ()

    def test_money_on_the_stage_at_the_end_of_the_day_is_stuck_and_may_come(
        self, world: World
    ) -> None:
        plan = adopt(world)
        _, last = hops(world, plan)
        for row in instructions(world, plan):
            if row.n != last.n:
                confirm(world, plan, row.n)
        close(world, plan, expired=0, stuck=1)
        assert lot_of(world, TRUST)
        confirm(world, plan, last.n, time=PAY_TIME + DAY)
        assert world.lots() == ()

    def test_a_debtor_that_does_not_pay_the_stage_is_overdue_and_the_lots_are_free(self) -> None:
        world = World()
        gv01(world, route=Route.DIRECT)
        stage(world, before=TRUST, via="trustee")
        plan = adopt(world)
        into, last = hops(world, plan)
        for row in instructions(world, plan):
            if row.n not in (into.n, last.n):
                confirm(world, plan, row.n)
        confirm(world, plan, into.n, status="rejected")
        rows = {row.n: row.status for row in instructions(world, plan)}
        assert rows[last.n] == InstructionStatus.EXPIRED
        close(world, plan, expired=0, stuck=0)
        further = adopt_again(world)
        move(world, further)
        assert world.lots() == ()

    def test_what_came_back_from_the_account_is_sent_from_the_stage(self, world: World) -> None:
        plan = adopt(world)
        _, last = hops(world, plan)
        move(world, plan)
        confirm(world, plan, last.n, status="returned")
        (owed,) = world.rows.select(OBLIGATIONS)
        assert (owed.sort, owed.owed_to, owed.amount) == (
            "again", world.party(TRUST), 20_000_000,
        )  # fmt: skip


def adopt_again(world: World) -> Sid:
    """Adopts a further plan of the due date."""

    return world.enter(PLAN, stated(world), by="operator", name="further")


class TestMeasures:
    def test_the_hour_ends_at_the_stage(self, tiered: World) -> None:
        plan = adopt(tiered)
        into, last = hops(tiered, plan)
        rows = [row for row in instructions(tiered, plan) if row.n != last.n]
        for row in rows:
            confirm(tiered, plan, row.n, time=PAY_TIME + row.n * 60_000)
        hour = PAY_TIME + 2 * 3_600_000
        confirm(tiered, plan, last.n, time=hour)
        delays = {each.payee: each for each in delays_of(instructions(tiered, plan))}
        trust = delays[tiered.party(TRUST)]
        assert (trust.n, trust.hops) == (last.n, 4)
        assert trust.until == PAY_TIME + into.n * 60_000
        assert not trust.is_late(hour)

    def test_there_is_no_clock_on_the_last_hop_alone(self) -> None:
        world = World()
        gv01(world, route=Route.DIRECT)
        stage(world, before=TRUST, via="trustee")
        plan = adopt(world)
        for row in instructions(world, plan):
            confirm(world, plan, row.n, time=PAY_TIME + row.n * 2 * 3_600_000)
        assert delays_of(instructions(world, plan)) == []

    def test_money_on_the_stage_is_the_trusts_on_the_trustees_account(self, world: World) -> None:
        plan = adopt(world)
        into, last = hops(world, plan)
        for row in instructions(world, plan):
            confirm(world, plan, row.n, time=PAY_TIME + (DAY if row.n == last.n else 0))
        (stay,) = (each for each in stays_of(instructions(world, plan)) if each.n == into.n)
        assert (stay.owner, stay.beneficiary) == (world.party("trustee"), world.party(TRUST))
        assert (stay.amount_minor, stay.until) == (20_000_000, PAY_TIME + DAY)

    def test_money_on_ones_own_business_account_is_nobody_elses(self) -> None:
        world = World()
        gv01(world, route=Route.DIRECT)
        stage(world, before="S3", via="S3", from_n=1)
        plan = adopt(world)
        into, last = hops(world, plan, "S3")
        assert (into.payee, last.payer) == (world.party("S3"), world.party("S3"))
        confirm(world, plan, into.n)
        assert stays_of(instructions(world, plan)) == []
        move(world, plan)
        assert world.lots() == ()


class TestSweeps:
    """SD-29: what a servicer may keep for a cycle is not missing meanwhile."""

    def world(self, cycle_days: int | None) -> World:
        world = World()
        gv01(world, route=Route.DIRECT)
        promise(world)
        stage(world, before=TRUST, via="servicer", cycle_days=cycle_days)
        return world

    @pytest.mark.parametrize(("cycle_days", "owed"), [(None, ["top-up"]), (31, [])])
    def test_the_debtor_owes_no_top_up_for_what_is_swept_later(
        self, cycle_days: int | None, owed: list[str]
    ) -> None:
        world = self.world(cycle_days)
        plan = adopt(world)
        _, last = hops(world, plan)
        for row in instructions(world, plan):
            if row.n != last.n:
                confirm(world, plan, row.n)
        pass_time(world, PAY_TIME + 10 * DAY)
        assert [row.sort for row in world.rows.select(OBLIGATIONS)] == owed

    def test_the_debtor_owes_it_if_the_servicer_has_not_got_it(self) -> None:
        world = self.world(31)
        adopt(world)
        pass_time(world, PAY_TIME + 10 * DAY)
        assert [row.sort for row in world.rows.select(OBLIGATIONS)] == ["top-up"]
