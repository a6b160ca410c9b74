"""Others' money on one account against `hop_limit`: told when it comes to be more, to the fen."""

import pytest

from clearing.model import PASSINGS
from clearing.passing import HopLimitPassed
from registry.canonical import Json
from registry.model import POLICIES
from registry.tables import replace
from tests.clearing.test_rules import REPORT, adopt, instructions, said
from tests.clearing.world import POLICY, World, gv01


def limited(limit: int) -> World:
    """GV-01 under a policy with a limit."""
    world = World()
    gv01(world)
    policy = world.rows.get(POLICIES, POLICY)
    assert policy is not None
    rules = f'{{"hop_limit":"{limit}",' + policy.rules.removeprefix("{")
    world.rows.put(POLICIES, replace(policy, rules=rules))
    return world


def told(world: World, plan: str, *numbers: int, status: str = "posted") -> list[tuple[str, int]]:
    """Has the bank say the same of instructions; returns of which accounts it is told."""
    (of,) = {row.plan for row in instructions(world, plan)}  # type: ignore[arg-type]
    items: list[Json] = [said(world, of, n, status=status) for n in numbers]
    body: dict[str, Json] = {"items": items}
    name = f"{status} {numbers} {world.index}"
    _, effects = world.decide(REPORT, body, by="bank", re=of, name=name)
    world.enter(REPORT, body, by="bank", re=of, name=name)
    return [(each.party, each.amount) for each in effects if isinstance(each, HopLimitPassed)]


@pytest.mark.parametrize(("limit", "is_over"), [(59_999_999, True), (60_000_000, False)])
def test_exactly_the_limit_is_within_it(limit: int, is_over: bool) -> None:
    world = limited(limit)
    plan = adopt(world)
    over = told(world, plan, 0)
    assert over == ([(world.party("S1"), 60_000_000)] if is_over else [])


def test_what_goes_on_in_the_same_report_was_never_too_much() -> None:
    world = limited(50_000_000)
    assert told(world, adopt(world), 0, 1) == []


def test_it_is_told_once_until_it_has_been_less() -> None:
    world = limited(40_000_000)
    plan = adopt(world)
    assert told(world, plan, 0) == [(world.party("S1"), 60_000_000)]
    assert told(world, plan, 1) == [(world.party("S2"), 45_000_000)]
    assert told(world, plan, 1, status="returned") == [(world.party("S1"), 60_000_000)]
    rows = {row.party: row.others for row in world.rows.select(PASSINGS)}
    assert rows == {world.party("S1"): 60_000_000, world.party("S2"): 0}


def test_without_the_rule_nothing_is_told_and_the_sums_are_kept() -> None:
    world = World()
    gv01(world)
    plan = adopt(world)
    assert told(world, plan, 0) == []
    (row,) = world.rows.select(PASSINGS)
    assert (row.others, row.over_at) == (60_000_000, None)
