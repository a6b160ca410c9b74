"""What the policy has a debtor approve goes to no bank before it has (reference note 4)."""

import pytest

from clearing.errors import ListNotApprovedError, SentBeforeError
from clearing.model import RUNS
from registry.canonical import Json
from registry.model import POLICIES
from registry.refusals import NotBankError
from registry.tables import replace
from tests.clearing.test_broken_hops import TOP_UP, by_payee, pass_time, promise
from tests.clearing.test_day import DAY, approve, keep_days, listed
from tests.clearing.test_reports import to
from tests.clearing.test_rules import adopt, confirm, run_of
from tests.clearing.test_sends import SEND, body_of, send
from tests.clearing.world import PAY_TIME, POLICY, World, gv01, party_id, sid


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned."""
    world = World()
    gv01(world)
    return world


def test_attack_nothing_is_sent_past_the_debtors_approval(world: World) -> None:
    keep_days(world, approve=True)
    plan = adopt(world)
    # What comes later in the documented order is wrong, too.
    for body in (body_of(world, plan, 0), body_of(world, plan, 0, 1, 3, total="1")):
        with pytest.raises(ListNotApprovedError) as refused:
            world.decide(SEND, body, by="operator", re=plan)
    facts = refused.value.facts
    assert (facts["instruction"], facts["debtor"]) == (0, party_id("C"))
    assert (facts["account"], facts["waiting"]) == (world.account("C"), 1)
    assert "1 of it wait for that, of 1,000,000.00" in str(refused.value)
    with pytest.raises(NotBankError):
        send(world, plan, 0, bank=party_id("S1"))
    approve(world, plan)
    send(world, plan, 0, 1, 2, 3, 4)
    with pytest.raises(SentBeforeError):
        send(world, plan, 0)
    send(world, plan, 0, again="FILE-LOST")


def test_hops_need_none_and_what_is_posted_without_it_goes_on(world: World) -> None:
    keep_days(world, approve=True)
    plan = adopt(world)
    confirm(world, plan, 0)
    assert listed(world, plan).waiting == 1
    send(world, plan, 1, 2, 3, 4)


def test_it_is_the_policy_of_the_plan_that_asks_for_it(world: World) -> None:
    """No later policy takes the debtor's approval away, nor asks for it afterwards."""
    keep_days(world, approve=True)
    plan = adopt(world)
    asking = world.rows.get(POLICIES, POLICY)
    assert asking is not None
    world.rows.put(POLICIES, replace(asking, policy=sid("asking")))
    world.rows.put(RUNS, replace(run_of(world, plan), policy=sid("asking")))
    keep_days(world)
    with pytest.raises(ListNotApprovedError):
        send(world, plan, 0)
    keep_days(world, approve=True)
    world.rows.put(POLICIES, replace(asking, policy=sid("asking"), rules="{}"))
    send(world, plan, 0)


def test_what_is_added_later_is_approved_before_it_is_sent(world: World) -> None:
    promise(world)
    keep_days(world, approve=True)
    plan = adopt(world)
    approve(world, plan)
    send(world, plan, 0)
    confirm(world, plan, to(world, plan, "S1").n, to(world, plan, "S2").n)
    pass_time(world, PAY_TIME + 2 * DAY)
    trust = by_payee(world, plan, "T#trust")[0]
    owed: dict[str, Json] = {"instruction": trust.n, "sort": "top-up"}
    world.enter(TOP_UP, owed, by="operator", re=plan, time=PAY_TIME + 2 * DAY)
    added = run_of(world, plan).instructions - 1
    with pytest.raises(ListNotApprovedError, match=r"1 of it wait for that, of 200,000\.00"):
        send(world, plan, added)
    approve(world, plan)
    send(world, plan, added)
