"""Who would have others' money pass an account of its own, or keep what is not its own."""

from collections.abc import Mapping

import pytest
from msgspec import structs

from clearing.direct import route_direct
from clearing.errors import PlanDiffersError
from clearing.model import InstructionStatus
from clearing.plan import format_plan, mandates_of, verify_outcome
from clearing.routes import Place, RoutedStep, RouteProvider
from clearing.rules.plans import find_due
from clearing.staging import pass_stages
from clearing.tiered import route_tiered
from registry.burdens import FREEZES, FreezeStatus
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import InvariantBrokenError
from registry.ids import Sid
from registry.model import LOTS, MANDATES, Mandate, Route
from registry.tables import replace
from tests.clearing.reconciled import Reconciled
from tests.clearing.staged import TRUST, hops, stage, verify
from tests.clearing.test_journal import check, journal_of, needs_hledger
from tests.clearing.test_rules import PLAN, adopt, confirm, instructions, stated
from tests.clearing.test_whose_account import freeze, lot_of, move, pledge
from tests.clearing.world import DUE_ON, World, gv01, sid

BOTH = [route_direct, route_tiered]


@pytest.fixture
def world() -> World:
    """The tree of GV-01, the trust's account behind its trustee's."""
    world = World()
    gv01(world)
    stage(world, before=TRUST, via="trustee")
    return world


def test_an_account_offered_as_a_stage_is_passed_by_nobody_who_has_not_asked_for_it(
    world: World,
) -> None:
    """A mandate onto a victim's account is the attacker's word alone."""
    before = format_plan(world.plan())
    offered = Mandate(
        mandate=sid("offered"), owner=world.party("thief"), account=world.account("thief"),
        onto=world.account("S3"),
    )  # fmt: skip
    world.rows.put(MANDATES, offered)
    assert format_plan(world.plan()) == before


def test_a_stages_mandate_takes_nobodys_money_along_a_chain(world: World) -> None:
    """S2 lets its account be debited for one other; it is no leave to pass the cascade on."""
    own = world.rows.get(MANDATES, sid("mandate S2 0 "))
    assert own is not None
    world.rows.put(MANDATES, replace(own, onto=world.account("S3")))
    payers = {order.payer for order in world.plan().instructions}
    assert world.party("S2") not in payers


def test_two_accounts_each_before_the_other_send_nothing_round(world: World) -> None:
    stage(world, before="S1", via="S2")
    stage(world, before="S2", via="S1")
    plan = adopt(world)
    move(world, plan)
    assert world.lots() == ()
    verify(world)


def test_a_stage_whose_mandate_goes_after_the_proposal_is_another_plan(world: World) -> None:
    old = stated(world)
    mandate = world.rows.get(MANDATES, sid(f"mandate of trustee 0 for {TRUST} 0"))
    assert mandate is not None
    world.rows.put(MANDATES, replace(mandate, revoked=sid("end")))
    with pytest.raises(PlanDiffersError):
        world.decide(PLAN, old, by="operator")


def test_a_servicer_cannot_say_that_it_has_paid_on(world: World) -> None:
    """Only the bank of the account behind the stage posts the last hop, and only once."""
    plan = adopt(world)
    into, last = hops(world, plan)
    for row in instructions(world, plan):
        if row.n not in (into.n, last.n):
            confirm(world, plan, row.n)
    with pytest.raises(Exception, match="is posted after"):
        confirm(world, plan, last.n)
    confirm(world, plan, into.n, last.n)
    with pytest.raises(MoveNotAllowedError):
        confirm(world, plan, last.n)


def test_an_order_of_a_court_that_names_no_account_pays_nobody(world: World) -> None:
    lot = lot_of(world, "S3")
    made = freeze(world, lot, status=FreezeStatus.PAYABLE)
    row = world.rows.get(FREEZES, made)
    assert row is not None
    world.rows.put(FREEZES, replace(row, payee_account=None))
    assert [each.lot for each in world.plan().totals.withheld] == [lot]


def test_a_pledgor_that_sends_the_proceeds_home_is_told_by_its_account(world: World) -> None:
    """A pledge names the account: whose it is decides who is paid, not who is called payee."""
    lot = lot_of(world, "S3")
    pledge(world, lot, to="bank of S3")
    (order,) = (each for each in world.plan().instructions if lot in each.lots)
    assert (order.payee, order.payee_account) == (
        world.party("bank of S3"), world.account("bank of S3"),
    )  # fmt: skip
    world.rows.put(LOTS, replace(world.lot(lot), account=world.account("S3")))
    (order,) = (each for each in world.plan().instructions if lot in each.lots)
    assert (order.payee, order.holder) == (world.party("S3"), None)


@needs_hledger
@pytest.mark.parametrize("route", [Route.DIRECT, Route.TIERED])
def test_another_programs_books_agree_on_stages_pledgees_and_courts(route: Route) -> None:
    world = World()
    gv01(world, route=route)
    stage(world, before=TRUST, via="trustee")
    pledge(world, lot_of(world, "S2"), to="bank of S2")
    freeze(world, lot_of(world, "S3"), status=FreezeStatus.PAYABLE)
    move(world, adopt(world))
    assert world.lots() == ()
    assert check(journal_of(world)) == ""


@pytest.mark.parametrize("route", [Route.DIRECT, Route.TIERED])
def test_tr_06_what_passes_stages_pledgees_and_courts_is_reconciled_to_the_fen(
    route: Route,
) -> None:
    world = World()
    gv01(world, route=route)
    stage(world, before=TRUST, via="trustee")
    pledge(world, lot_of(world, "S2"), to="bank of S2")
    freeze(world, lot_of(world, "S3"), status=FreezeStatus.PAYABLE)
    books = Reconciled(world)
    plan = adopt(world)
    _, last = hops(world, plan)
    for row in instructions(world, plan):
        if row.n != last.n:
            confirm(world, plan, row.n)
    found = books.now()
    assert found.differences == ()
    lies = {each.account: each.passing_minor for each in found.accounts if each.passing_minor}
    assert lies == {world.account("trustee"): 20_000_000}
    confirm(world, plan, last.n)
    assert books.now().differences == ()
    assert {row.status for row in instructions(world, plan)} == {InstructionStatus.POSTED}


class TestPlantedFaults:
    """Where the last hop went wrong the planner stops, whichever route it was."""

    def steps(self, provider: RouteProvider) -> tuple[World, list[RoutedStep]]:
        world = World()
        gv01(world)
        stage(world, before=TRUST, via="trustee")
        due = find_due(world.rows, DUE_ON)
        steps = provider(due.vouchers[0], due.lots, mandates_of(due.mandates, due.places))
        return world, pass_stages(steps, due.vouchers[0], due.places)

    def verify(
        self, world: World, steps: list[RoutedStep], odd: Mapping[Sid, Place] | None = None
    ) -> None:
        due = find_due(world.rows, DUE_ON)
        verify_outcome(steps, due.vouchers[0], due.lots, {**due.places, **(odd or {})})

    @pytest.mark.parametrize("provider", BOTH)
    def test_sound_steps_pass(self, provider: RouteProvider) -> None:
        self.verify(*self.steps(provider))

    @pytest.mark.parametrize("provider", BOTH)
    def test_a_fen_that_stays_on_the_stage_is_found(self, provider: RouteProvider) -> None:
        world, steps = self.steps(provider)
        place = next(place for place, step in enumerate(steps) if step.stage) - 1
        more = steps[place].amount_minor + 1
        steps[place] = structs.replace(steps[place], amount_minor=more)
        with pytest.raises(InvariantBrokenError, match="different amounts"):
            self.verify(world, steps)

    @pytest.mark.parametrize("provider", BOTH)
    def test_a_stage_that_pays_before_it_is_paid_is_found(self, provider: RouteProvider) -> None:
        world, steps = self.steps(provider)
        place = next(place for place, step in enumerate(steps) if step.stage)
        steps[place - 1], steps[place] = steps[place], steps[place - 1]
        with pytest.raises(InvariantBrokenError, match=r"before it has come|drawn from"):
            self.verify(world, steps)

    @pytest.mark.parametrize("provider", BOTH)
    def test_a_payee_that_does_not_own_the_account_is_found(self, provider: RouteProvider) -> None:
        world, steps = self.steps(provider)
        account = world.account("trustee")
        stranger = Place(world.party("thief"), world.party("bank"))
        with pytest.raises(InvariantBrokenError, match="is not"):
            self.verify(world, steps, {account: stranger})
