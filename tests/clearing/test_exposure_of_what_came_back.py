"""Whose money lay where, and for how long, when it came back or is of very many instructions."""

from collections.abc import Iterator

import pytest

from clearing.exposure import stays_of
from registry.tables import replace
from tests.clearing.test_broken_hops import DAY, promise, reroute, top_up
from tests.clearing.test_reports import to
from tests.clearing.test_rules import adopt, confirm, instructions
from tests.clearing.world import PAY_TIME, World, gv01


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned; its debtor has promised to top up."""
    world = World()
    gv01(world)
    promise(world)
    return world


class TestMoneyThatCameBack:
    """A stay that did happen does not vanish when its money comes back."""

    def test_to_an_intermediary_lies_there_again(self, world: World) -> None:
        plan = adopt(world)
        factor, trust = to(world, plan, "F"), to(world, plan, "T#trust")
        confirm(world, plan, 0, 1)
        confirm(world, plan, factor.n, time=PAY_TIME + DAY)
        confirm(world, plan, factor.n, status="returned", time=PAY_TIME + 2 * DAY)
        reroute(world, plan, factor.n)
        confirm(world, plan, 5, time=PAY_TIME + 5 * DAY)
        spans = [
            (stay.owner, stay.since - PAY_TIME, (stay.until or 0) - PAY_TIME)
            for stay in stays_of(instructions(world, plan))
            if stay.beneficiary == trust.payee
        ]
        assert spans == [
            (world.party("S2"), 0, DAY),
            (world.party("S2"), 2 * DAY, 5 * DAY),
            (world.party("F"), DAY, 2 * DAY),
        ]

    def test_to_the_debtor_has_lain_there(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        confirm(world, plan, 0, status="returned", time=PAY_TIME + DAY)
        stays = stays_of(instructions(world, plan))
        assert {stay.until for stay in stays} == {PAY_TIME + DAY}
        assert sum(stay.amount_minor for stay in stays) == 60_000_000

    def test_that_is_paid_again_is_the_debtors_from_then_on(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, 1, 2, 3, 4)
        confirm(world, plan, 4, status="returned", time=PAY_TIME)
        top_up(world, plan, 4, sort="again")
        confirm(world, plan, 5, time=PAY_TIME + DAY)
        rows = instructions(world, plan)
        assert [(stay.beneficiary, stay.since, stay.until) for stay in stays_of(rows)] == [
            (rows[4].payee, PAY_TIME, PAY_TIME + DAY),
            (world.party("C"), PAY_TIME + DAY, None),
        ]


def test_exposure_of_many_instructions_takes_a_time_that_grows_with_them() -> None:
    """Anybody may ask for it: comparing each with each would be a way to stop the server."""
    looked = 0

    class Counted(tuple[str, ...]):
        def __iter__(self) -> Iterator[str]:
            nonlocal looked
            looked += 1
            return super().__iter__()

    world = World()
    gv01(world)
    plan = adopt(world)
    confirm(world, plan, 0, 1, 2, 3, 4)
    rows = [
        replace(row, n=row.n + 5 * copy, after=Counted(str(int(n) + 5 * copy) for n in row.after),
                lots=Counted(row.lots))
        for copy in range(40)
        for row in instructions(world, plan)
    ]  # fmt: skip
    stays_of(rows)
    assert looked < 20 * len(rows)
