"""SD-22: within the hour from the debtor's payment to the last account."""

import pytest

from clearing.day import hour_of
from clearing.delays import delays_of, hops_of
from registry.policy import Rules
from tests.clearing.test_broken_hops import reroute
from tests.clearing.test_day import RULE
from tests.clearing.test_reports import to
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


def test_sd_22_the_policy_says_how_long_a_chain_and_a_hop_may_take() -> None:
    """The reference's four hops: within the hour, and one of them longer than its share."""
    world = World()
    gv01(world)
    plan = adopt(world)
    payees = {record.n: record.payee for record in instructions(world, plan)}
    way = [n for n, payee in payees.items() if payee != world.party("S3")]
    for n, time in zip(way, (at(0), at(12), at(31), at(59, 59)), strict=True):
        confirm(world, plan, n, time=time)
    day = {"clearing_day": {**RULE, "chain_minutes": 50, "hop_minutes": 20}}
    chain, hop = hour_of(Rules.model_validate(day))
    assert hop is not None
    trust = next(d for d in delays_of(instructions(world, plan)) if d.hops == 4)
    assert not trust.is_late(at(60))
    assert trust.is_late(at(60), within_ms=chain)
    hops = {each.n: each for each in hops_of(instructions(world, plan))}
    taken = [hops[n].taken(at(60)) // 60_000 for n in way[1:]]
    assert taken == [12, 19, 28]
    late = [n for n, each in hops.items() if each.is_late(at(31), within_ms=hop)]
    # S3 waits since 10:12; the trust's hop took longer than its share of the hour.
    assert [payees[n] for n in late] == [world.party("T#trust")]
    assert hops[to(world, plan, "S3").n].until is None


def test_what_takes_another_way_has_no_clock_any_more() -> None:
    world = World()
    gv01(world)
    plan = adopt(world)
    confirm(world, plan, to(world, plan, "S1").n, to(world, plan, "S2").n, time=at(0))
    broken = to(world, plan, "S3").n
    reroute(world, plan, broken)
    waiting = [delay.n for delay in delays_of(instructions(world, plan))]
    assert broken not in waiting
    assert 5 in waiting
    assert broken not in [hop.n for hop in hops_of(instructions(world, plan))]
