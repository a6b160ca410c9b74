"""Both routes of golden vector GV-01, and the branches that leave the tiered one."""

import pytest

from clearing.plan import Plan
from registry.model import Route
from tests.clearing.world import World, gv01

NAMES = ("C", "S1", "S2", "S3", "F", "T#trust")


def edges(world: World, plan: Plan) -> list[tuple[str, str, int]]:
    """Tells a plan's instructions as payer, payee and minor units."""
    names = {world.party(name): name for name in NAMES}
    return [(names[i.payer], names[i.payee], i.amount_minor) for i in plan.instructions]


class TestGoldenVector01:
    def test_tiered_is_five_edges_of_gross_2_250_000(self) -> None:
        world = World()
        gv01(world)
        plan = world.plan()
        assert sorted(edges(world, plan), key=lambda edge: (-edge[2], edge)) == [
            ("C", "S1", 100_000_000),
            ("S1", "S2", 60_000_000),
            ("S2", "S3", 25_000_000),
            ("F", "T#trust", 20_000_000),
            ("S2", "F", 20_000_000),
        ]
        assert plan.totals.gross_minor == 225_000_000
        assert plan.totals.total_minor == 100_000_000
        assert plan.totals.instructions_by_route == {Route.TIERED: 5}
        assert plan.totals.vouchers_by_route == {Route.TIERED: 1}

    def test_direct_is_four_instructions_of_1_000_000(self) -> None:
        world = World()
        gv01(world, route=Route.DIRECT)
        plan = world.plan()
        assert sorted(edges(world, plan)) == [
            ("C", "S1", 40_000_000),
            ("C", "S2", 15_000_000),
            ("C", "S3", 25_000_000),
            ("C", "T#trust", 20_000_000),
        ]
        assert plan.totals.gross_minor == plan.totals.total_minor == 100_000_000
        assert [i.after for i in plan.instructions] == [()] * 4
        payees = [i.payee for i in plan.instructions]
        assert payees == sorted(payees)

    def test_every_hop_comes_after_the_one_that_funds_it(self) -> None:
        world = World()
        gv01(world)
        by_n = {i.n: i for i in world.plan().instructions}
        for i in by_n.values():
            assert i.after == () if i.payer == world.party("C") else len(i.after) == 1
            assert all(by_n[n].payee_account == i.payer_account for n in i.after)

    def test_a_holder_without_consent_is_paid_direct_alone(self) -> None:
        world = World()
        for name in ("S1", "S2"):
            world.mandate(name)
        lot, _ = world.assign(world.issue("v", face=100, to="S1"), to="S2", amount=60)
        world.assign(lot, to="S3", amount=25, consent=False)
        plan = world.plan()
        assert edges(world, plan) == [("C", "S1", 75), ("S1", "S2", 35), ("C", "S3", 25)]
        assert [i.route for i in plan.instructions] == ["tiered", "tiered", "direct"]

    def test_beyond_a_holder_without_mandate_is_paid_direct(self) -> None:
        world = World()
        gv01(world, mandates=("S1", "F"))
        assert sorted(edges(world, world.plan())) == [
            ("C", "S1", 55_000_000),
            ("C", "S3", 25_000_000),
            ("C", "T#trust", 20_000_000),
            ("S1", "S2", 15_000_000),
        ]

    def test_a_party_twice_in_a_chain_is_two_nodes(self) -> None:
        world = World()
        for name in ("S1", "S2"):
            world.mandate(name)
        lot, _ = world.assign(world.issue("v", face=100, to="S1"), to="S2", amount=60)
        world.assign(lot, to="S1", amount=20)
        plan = world.plan()
        assert edges(world, plan) == [("C", "S1", 100), ("S1", "S2", 60), ("S2", "S1", 20)]
        assert [i.after for i in plan.instructions] == [(), (0,), (1,)]

    def test_what_is_kept_and_what_passes_are_apart_where_the_accounts_differ(self) -> None:
        world = World()
        world.mandate("S1", 1)
        world.assign(world.issue("v", face=100, to="S1", n=0), to="S2", amount=60)
        plan = world.plan()
        assert sorted(edges(world, plan)) == [("C", "S1", 40), ("C", "S1", 60), ("S1", "S2", 60)]
        passing = next(i for i in plan.instructions if not i.lots)
        assert (passing.payee_account, passing.amount_minor) == (world.account("S1", 1), 60)
        onward = next(i for i in plan.instructions if i.payer == world.party("S1"))
        assert onward.after == (passing.n,)

    @pytest.mark.parametrize("n", [0, 1])
    def test_the_mandate_on_the_holders_own_account_comes_first(self, n: int) -> None:
        world = World()
        mandates = [world.mandate("S1", 0), world.mandate("S1", 1)]
        world.assign(world.issue("v", face=100, to="S1", n=n), to="S2", amount=60)
        plan = world.plan()
        assert edges(world, plan) == [("C", "S1", 100), ("S1", "S2", 60)]
        assert plan.instructions[1].authority == mandates[n]

    def test_else_the_smallest_mandate_is_the_authority(self) -> None:
        world = World()
        mandates = [world.mandate("S1", n, name="x") for n in range(5)]
        lot = world.issue("v", face=100, to="S1")
        world.assign(lot, to="S2")
        assert world.plan().instructions[1].authority == min(mandates)

    def test_more_than_128_lots_are_split_and_the_first_part_carries_what_passes(self) -> None:
        world = World()
        world.mandate("S1")
        lot = world.issue("v", face=1000, to="S1")
        _, rest = world.assign(lot, to="S2", amount=500)
        assert rest is not None
        for _ in range(299):
            _, rest = world.split(rest, 1)
        plan = world.plan()
        assert [len(i.lots) for i in plan.instructions] == [128, 128, 44, 1]
        own = [world.lot(lot).amount for lot in plan.instructions[0].lots]
        assert plan.instructions[0].amount_minor == sum(own) + 500
        assert plan.instructions[3].after == (0,)
