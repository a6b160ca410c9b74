"""SD-22: within the hour from the debtor's payment to the last account."""

import pytest

from clearing.delays import delays_of
from tests.clearing.test_rules import adopt, confirm, instructions
from tests.clearing.world import PAY_TIME, World, gv01

TEN = PAY_TIME + 10 * 3_600_000


def at(minutes: int, seconds: int = 0) -> int:
    """Returns a time after ten."""
    return TEN + (60 * minutes + seconds) * 1000


@pytest.mark.parametrize(("last", "late"), [(at(59, 59), False), (at(60), False), (at(61), True)])
def test_sd_22_four_hops_have_an_hour(last: int, late: bool) -> None:
    world = World()
    gv01(world)
    plan = adopt(world)
    payees = {record.n: record.payee for record in instructions(world, plan)}
    way = [n for n, payee in payees.items() if payee != world.party("S3")]
    for n, time in zip(way, (at(0), at(12), at(31), last), strict=True):
        confirm(world, plan, n, time=time)
    delays = {delay.payee: delay for delay in delays_of(instructions(world, plan))}
    trust = delays[world.party("T#trust")]
    assert (trust.hops, trust.since, trust.until) == (4, at(0), last)
    assert trust.is_late(last) is late
    assert not delays[world.party("S2")].is_late(last)


def test_what_is_still_on_its_way_gets_late_by_time_alone() -> None:
    world = World()
    gv01(world)
    plan = adopt(world)
    assert delays_of(instructions(world, plan)) == []
    confirm(world, plan, 0, time=at(0))
    waiting = delays_of(instructions(world, plan))
    assert {delay.until for delay in waiting} == {None}
    assert not any(delay.is_late(at(60)) for delay in waiting)
    assert all(delay.is_late(at(60, 1)) for delay in waiting)
