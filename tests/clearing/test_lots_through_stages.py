"""Every kind of lot meets stages on both routes, and ends where it should."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.certificate import certificate_of
from clearing.model import BALANCES, HOPS, RUNS
from clearing.plan import format_plan
from clearing.totals import Withheld
from registry.burdens import DISPUTES, Dispute, DisputeStatus, FreezeStatus
from registry.ids import Sid
from registry.model import VOUCHERS, Route
from registry.tables import Minor
from tests.clearing.carried import hold_risk, verify_carried
from tests.clearing.staged import TRUST, stage, staged, verify
from tests.clearing.strategies import NAMES, worlds
from tests.clearing.test_rules import adopt, confirm, instructions
from tests.clearing.test_whose_account import freeze, lot_of, move, pledge
from tests.clearing.world import (
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


class TestEveryKindOfLot:
    def all_is_paid(self, world: World, plan: Sid) -> None:
        move(world, plan)
        run = world.rows.get(RUNS, plan)
        assert run is not None
        assert run.status == "cleared"
        verify(world)

    def test_a_party_twice_in_its_chain(self, world: World) -> None:
        world.assign(lot_of(world, "S3"), to="S1")
        stage(world, before="S1", via="agent")
        plan = adopt(world)
        self.all_is_paid(world, plan)
        assert world.lots() == ()

    def test_a_holder_that_is_the_debtor(self, world: World) -> None:
        """C has acquired its own debt and not yet extinguished it: it pays itself, by its stage."""
        world.mandate("S3")
        world.assign(lot_of(world, "S3"), to="C", n=1)
        stage(world, before="C", via="agent", n=1)
        plan = adopt(world)
        own = [
            row for row in instructions(world, plan) if row.payee_account == world.account("C", 1)
        ]
        assert [row.payer for row in own] == [world.party("agent")]
        self.all_is_paid(world, plan)
        assert world.lots() == ()

    def test_a_pledged_lot_by_way_of_the_pledgees_stage(self, world: World) -> None:
        lot = lot_of(world, "S3")
        pledge(world, lot, to="bank of S3")
        stage(world, before="bank of S3", via="agent")
        stage(world, before="S3", via="nobody")
        plan = adopt(world)
        (last,) = (row for row in instructions(world, plan) if row.lots == (lot,))
        assert (last.payer, last.payee, last.holder) == (
            world.party("agent"), world.party("bank of S3"), world.party("S3"),
        )  # fmt: skip
        self.all_is_paid(world, plan)
        assert world.lots() == ()

    @pytest.mark.parametrize("status", [FreezeStatus.FROZEN, FreezeStatus.ORDERED])
    def test_a_frozen_lot_goes_nowhere(self, world: World, status: FreezeStatus) -> None:
        lot = lot_of(world, TRUST)
        freeze(world, lot, status=status)
        (voucher,) = {each.voucher for each in world.lots()}
        found = world.plan()
        assert found.totals.withheld == [Withheld(amount="20000000", lot=lot, voucher=voucher)]
        assert world.party("trustee") not in {order.payee for order in found.instructions}
        self.all_is_paid(world, adopt(world))
        assert [each.lot for each in world.lots()] == [lot]

    def test_a_lot_that_is_the_courts_passes_no_stage(self, world: World) -> None:
        lot = lot_of(world, TRUST)
        freeze(world, lot, status=FreezeStatus.PAYABLE)
        plan = adopt(world)
        (last,) = (row for row in instructions(world, plan) if row.lots == (lot,))
        assert (last.payer, last.payee) == (world.party("C"), world.party("registrar"))
        self.all_is_paid(world, plan)
        assert world.lots() == ()

    def test_a_disputed_lot_is_paid_in_full(self, world: World) -> None:
        """Note 10: the debtor has waived its defences against whoever holds the claim."""
        (voucher,) = {each.voucher for each in world.lots()}
        before = format_plan(world.plan())
        dispute = Dispute(
            dispute=sid("dispute"), voucher=voucher, debtor=world.party("C"),
            creditor=world.party("S1"), amount=Minor(9_000_000), reason="x",
            status=DisputeStatus.RAISED,
        )  # fmt: skip
        world.rows.put(DISPUTES, dispute)
        assert format_plan(world.plan()) == before
        self.all_is_paid(world, adopt(world))

    def test_trusts_of_one_trustee_are_paid_apart(self, world: World) -> None:
        """One account of the trustee's before several trusts, and no fen from one to another."""
        world.assign(lot_of(world, "S3"), to="T#second")
        stage(world, before="T#second", via="trustee")
        plan = adopt(world)
        into = [row for row in instructions(world, plan) if row.payee == world.party("trustee")]
        assert sorted(row.amount for row in into) == [20_000_000, 25_000_000]
        last = {row.payee: row for row in instructions(world, plan) if row.stage}
        assert {payee: (row.amount, row.after) for payee, row in last.items()} == {
            world.party(name): (row.amount, (str(row.n),))
            for name, row in zip(
                (TRUST, "T#second"), sorted(into, key=lambda row: row.amount), strict=True
            )
        }
        self.all_is_paid(world, plan)
        assert world.lots() == ()


@pytest.mark.parametrize("is_courts", [False, True])
def test_where_holders_bear_the_way_the_debt_travels_by_stages_to_pledgees_and_courts(
    is_courts: bool,
) -> None:
    """Note 19 with 11, 12 and 18: whoever has the money owes it, a stage's owner too."""
    world = World()
    gv01(world)
    hold_risk(world)
    stage(world, before=TRUST, via="trustee")
    stage(world, before="S2", via="agent")
    pledge(world, lot_of(world, "S1"), to="bank of S1")
    if is_courts:
        freeze(world, lot_of(world, "S3"), status=FreezeStatus.PAYABLE)
    plan = adopt(world)
    owing: set[str] = set()
    for row in instructions(world, plan):
        confirm(world, plan, row.n)
        verify_carried(world)
        owing |= {row.party for row in world.rows.select(HOPS)}
    assert world.party("agent") in owing
    assert world.party("trustee") in owing
    assert world.lots() == ()
    assert not list(world.rows.select(HOPS))
    assert sum(balance.amount for balance in world.rows.select(BALANCES)) == 0


@given(worlds(), st.data())
@settings(max_examples=40, deadline=None)
def test_any_stages_leave_everybody_what_they_had_without(
    world: World, data: st.DataObject
) -> None:
    plain = world.plan()
    for name in data.draw(st.lists(st.sampled_from(NAMES), unique=True)):
        for n in data.draw(st.lists(st.integers(0, 1), unique=True)):
            via = data.draw(st.sampled_from((*NAMES, "agent", "C")))
            from_n = data.draw(st.integers(0, 2))
            if (via, from_n) != (name, n):
                stage(world, before=name, via=via, n=n, from_n=from_n)
    staged = world.plan()
    assert net_by_account(staged.instructions) == net_by_account(plain.instructions)
    assert staged.totals.total_minor == plain.totals.total_minor
    assert staged.totals.lots == plain.totals.lots
    if not staged.instructions:
        return
    plan = adopt(world)
    for row in instructions(world, plan):
        confirm(world, plan, row.n)
    assert world.lots() == ()
    verify(world)
    lines = certificate_of(instructions(world, plan))
    assert all(line.direct == line.planned for line in lines)
    assert all(row.status == "settled" for row in world.rows.select(VOUCHERS))
