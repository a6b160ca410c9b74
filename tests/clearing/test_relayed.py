"""What the operator relays of banks that sign nothing: whose word it is, and how it came."""

import pytest

from clearing.errors import OwnWordError, RelayNotAllowedError
from registry.canonical import Json
from registry.errors import MalformedError
from registry.ids import Sid
from registry.model import POLICIES
from registry.refusals import NotBankError
from registry.tables import replace
from tests.clearing.test_rules import REPORT, adopt, confirm, instructions, run_of, said
from tests.clearing.world import POLICY, World, gv01


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned."""
    world = World()
    gv01(world)
    return world


def allow_relays(world: World) -> None:
    """Puts the rule into the policy in force."""
    policy = world.rows.get(POLICIES, POLICY)
    assert policy is not None
    rules = policy.rules.removesuffix("}") + ',"relayed_evidence":true}'
    world.rows.put(POLICIES, replace(policy, rules=rules))


def relay(
    world: World,
    plan: Sid,
    *numbers: int,
    status: str = "posted",
    by: str = "operator",
    bank: str = "bank",
    without: str = "",
) -> None:
    """Has the operator, or another, relay what a bank's file says."""
    items: list[Json] = [said(world, plan, n, status=status) for n in numbers]
    message: Json = {"format": "camt.054.001.08", "digest": "A" * 43}
    body: dict[str, Json] = {"items": items, "bank": str(world.party(bank)), "message": message}
    body = {name: value for name, value in body.items() if name != without}
    world.enter(REPORT, body, by=by, re=plan, name=f"{by} relays {status} {world.index}")


def relayed(world: World, plan: Sid) -> list[int]:
    """Returns the instructions of which the last word was relayed."""
    return [row.n for row in instructions(world, plan) if row.relayed == world.party("bank")]


def test_discharge_where_the_policy_says_so_and_say_that_they_were_relayed(
    world: World,
) -> None:
    allow_relays(world)
    plan = adopt(world)
    relay(world, plan, 0, 1, status="accepted")
    assert relayed(world, plan) == [0, 1]
    confirm(world, plan, 0)
    assert relayed(world, plan) == [1]
    relay(world, plan, 1, 2, 3, 4)
    assert relayed(world, plan) == [1, 2, 3, 4]
    assert run_of(world, plan).status == "cleared"


def test_are_told_from_what_the_bank_itself_signs_next(world: World) -> None:
    allow_relays(world)
    plan = adopt(world)
    relay(world, plan, 0)
    relay(world, plan, 1, status="accepted")
    assert relayed(world, plan) == [0, 1]
    confirm(world, plan, 1, status="rejected")
    confirm(world, plan, 0, status="returned")
    assert relayed(world, plan) == []


def test_of_a_bank_that_says_no_name_the_bank(world: World) -> None:
    allow_relays(world)
    plan = adopt(world)
    relay(world, plan, 0, status="rejected")
    (row,) = [row for row in instructions(world, plan) if row.n == 0]
    assert row.refused_by == row.relayed == world.party("bank")


def test_are_refused_without_the_rule(world: World) -> None:
    plan = adopt(world)
    with pytest.raises(RelayNotAllowedError):
        relay(world, plan, 0)


def test_are_refused_without_the_message(world: World) -> None:
    allow_relays(world)
    plan = adopt(world)
    with pytest.raises(MalformedError) as refused:
        relay(world, plan, 0, without="message")
    assert refused.value.facts["what"] == "message"


def test_are_the_operators_and_no_other_banks(world: World) -> None:
    allow_relays(world)
    plan = adopt(world)
    for by in ("other bank", "bank"):
        with pytest.raises(NotBankError):
            relay(world, plan, 0, by=by)
    # Nor is the operator a bank, or a bank that keeps neither account one to be relayed for.
    with pytest.raises(NotBankError):
        relay(world, plan, 0, without="bank")
    with pytest.raises(NotBankError):
        relay(world, plan, 0, bank="other bank")


def test_never_overrule_what_the_bank_has_signed(world: World) -> None:
    allow_relays(world)
    plan = adopt(world)
    confirm(world, plan, 0, status="rejected")
    with pytest.raises(OwnWordError) as refused:
        relay(world, plan, 0)
    assert refused.value.facts == {"bank": world.party("bank"), "instruction": 0}
    confirm(world, plan, 0)
    with pytest.raises(OwnWordError):
        relay(world, plan, 0, status="returned")
    relay(world, plan, 1)
    relay(world, plan, 1, status="returned")
    assert relayed(world, plan) == [1]
