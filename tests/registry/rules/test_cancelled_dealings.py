"""What ends with a key: offers to pay early, applications, quotes, contracts (Keys; FR-12)."""

from collections.abc import Callable

import pytest

from registry.burdens import TASKS
from registry.dealings import EARLY_PAYMENTS, FINANCINGS
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.model import DEADLINES
from tests.builders import World, key_of
from tests.dealings import (
    PAID,
    SIGNED,
    agreed_early,
    apply,
    contracted,
    early,
    quoted,
    receipt,
    stated,
)
from tests.encumbered import external
from tests.people import key_body
from tests.scenario import Draft, cast_world, lots_of, refusal, verify_everything


def _revoke(world: World, name: str) -> None:
    """Replaces a party's only key by another one."""
    world.do(name, "key.add", key_body(world, name, f"{name} next"))
    world.do(name, "key.revoke", {"kid": world.keys[name].public.kid})
    world.keys[name] = key_of(f"{name} next")
    world.engine.submit([])


def _deadlines(world: World, name: str) -> list[str]:
    return [row.kind for row in world.store.select(DEADLINES) if row.id == name]


def test_fr_12_an_unanswered_offer_to_pay_early_ends_with_its_key() -> None:
    world = cast_world()
    made = early(world)
    _revoke(world, "core")
    (row,) = world.store.select(EARLY_PAYMENTS)
    assert (row.early, row.status, row.kid) == (made, "lapsed", None)
    assert _deadlines(world, made) == []
    late = Draft(by="s1", kind="early.consent", re=made)
    assert isinstance(refusal(world, late), MoveNotAllowedError)
    verify_everything(world)


@pytest.mark.parametrize("name", ["core", "s1"])
def test_what_both_agreed_to_pay_early_ends_with_no_key(name: str) -> None:
    world = cast_world()
    made = agreed_early(world)
    _revoke(world, name)
    world.do("s1", "early.receive", receipt(), re=made)
    (row,) = world.store.select(EARLY_PAYMENTS)
    assert row.status == "paid"
    verify_everything(world)


@pytest.mark.parametrize(
    ("make", "name"),
    [(apply, "s1"), (quoted, "s1"), (quoted, "factor"), (contracted, "s1"), (contracted, "factor")],
)
def test_fr_12_a_financing_ends_with_a_key_of_either_side(
    make: Callable[[World], str], name: str
) -> None:
    world = cast_world()
    made = make(world)
    _revoke(world, name)
    (row,) = world.store.select(FINANCINGS)
    assert (row.status, row.kid, row.quoted_by) == ("cancelled", None, None)
    assert _deadlines(world, made) == []
    assert {lot.status for lot in lots_of(world).values()} == {"free"}
    assert {lot.holder for lot in lots_of(world).values()} == {world.ids["s1"]}
    late = Draft(by="factor", kind="financing.pay", body=dict(PAID), re=made)
    assert isinstance(refusal(world, late), MoveNotAllowedError)
    verify_everything(world)


def test_another_partys_key_ends_no_financing() -> None:
    world = cast_world()
    apply(world)
    _revoke(world, "factor")
    (row,) = world.store.select(FINANCINGS)
    assert row.status == "applied"


def test_a_contract_stands_by_the_key_that_signed_it() -> None:
    world = cast_world()
    made = quoted(world)
    former = world.keys["s1"]
    world.do("s1", "key.add", key_body(world, "s1", "s1 next"))
    world.keys["s1"] = key_of("s1 next")
    world.do("s1", "financing.contract", SIGNED, re=made)
    world.do("s1", "key.revoke", {"kid": former.public.kid})
    world.engine.submit([])
    (row,) = world.store.select(FINANCINGS)
    assert row.status == "contracted"
    verify_everything(world)


@pytest.mark.parametrize("name", ["s1", "factor"])
def test_nobody_takes_back_by_a_key_what_was_paid_for(name: str) -> None:
    world = cast_world()
    made = stated(world)
    _revoke(world, name)
    world.do("s1", "financing.receive", receipt(), re=made)
    (row,) = world.store.select(FINANCINGS)
    assert row.status == "completed"
    verify_everything(world)


def test_rg_36_who_registered_what_a_key_ended_deregisters_it() -> None:
    world = cast_world()
    world.enforce(financing={"order": ["register", "pay", "title"]})
    made = contracted(world)
    world.do("factor", "financing.register", external(world), re=made)
    _revoke(world, "s1")
    (task,) = world.store.select(TASKS)
    assert (task.task, task.party) == (made, world.ids["factor"])
    verify_everything(world)


def test_ended_financings_are_not_read_again_when_a_key_ends() -> None:
    world = cast_world()
    made = apply(world)
    world.do("factor", "financing.end", {}, re=made)
    assert [*world.store.select(FINANCINGS, field="kid", value=key_of("s1").public.kid)] == []
