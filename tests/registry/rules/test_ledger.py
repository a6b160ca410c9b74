"""How a ledger begins, and its manual clock."""

from typing import Any

import pytest

from registry.canonical import Json
from registry.errors import MalformedError
from registry.refusals import (
    AlreadyStartedError,
    ClockBackError,
    ClockNotManualError,
    NotStartedError,
)
from registry.rules.ledger import KINDS
from registry.statements import admit
from tests.builders import ORIGIN, StoredKeys, World, key_of, uscc
from tests.faults import become, cases, fault, setting, verify_refused, verify_rows
from tests.scenario import (
    GOOD,
    RULEBOOK,
    Draft,
    attempt,
    cast_world,
    good,
    new_world,
    verify_everything,
)


def _under_a_system_clock(world: World, _draft: Draft) -> None:
    other = new_world()
    other.do("operator", "genesis", other.genesis_body(clock="system"))
    become(world, other)


def _within(name: str, **members: Json) -> Any:
    """Returns what sets members inside a member of the body."""

    def make(_world: World, draft: Draft) -> None:
        inner = draft.body[name]
        assert isinstance(inner, dict)
        inner |= members

    return make


def _key_twice(world: World, draft: Draft) -> None:
    draft.body["log_key"] = dict(world.keys["registrar"].public.jwk())


def _weak_log_key(world: World, draft: Draft) -> None:
    draft.body["log_key"] = {**world.keys["registrar"].public.jwk(), "x": "A" * 43}


def _calendar(**members: Json) -> Any:
    """Returns what sets members of the first calendar."""

    def make(_world: World, draft: Draft) -> None:
        calendars: Any = draft.body["calendars"]
        draft.body["calendars"] = [{**calendars[0], **members}, *calendars[1:]]

    return make


def _reversed_calendars(_world: World, draft: Draft) -> None:
    calendars: Any = draft.body["calendars"]
    draft.body["calendars"] = calendars[::-1]


def _rules(**rules: Json) -> Any:
    """Returns what sets rules of the policy."""

    def make(_world: World, draft: Draft) -> None:
        policy: Any = draft.body["policy"]
        draft.body["policy"] = {**policy, "rules": rules}

    return make


SOFT: dict[str, Json] = {"hard_months": 6, "soft_months": 6, "justification": "issuance"}

FAULTS = {
    "genesis": (
        fault(
            AlreadyStartedError,
            "a ledger that has begun",
            lambda world, _: become(world, cast_world()),
            "ledger",
        ),
        fault(MalformedError, "other operator", _within("operator", party=uscc(7)), "operator"),
        fault(MalformedError, "a key twice", _key_twice, "log_key"),
        fault(MalformedError, "a weak log key", _weak_log_key, "log_key"),
        fault(
            MalformedError,
            "registrar is operator",
            _within("registrar", party=uscc(1)),
            "registrar",
        ),
        fault(MalformedError, "no zone", setting(zone="+24:00"), "zone"),
        fault(MalformedError, "calendar backwards", _calendar(last="2001-01-01"), "calendars"),
        fault(MalformedError, "another calendar", _calendar(name="other"), "calendars"),
        fault(MalformedError, "calendars out of order", _reversed_calendars, "calendars"),
        fault(MalformedError, "a soft term of no use", _rules(tenor=SOFT), "policy"),
        fault(MalformedError, "an unknown calendar", _rules(pay_day={"calendar": "x"}), "policy"),
    ),
    "clock.set": (
        fault(ClockNotManualError, "a system clock", _under_a_system_clock, "ledger"),
        fault(ClockBackError, "the same time", lambda w, d: d.body.update(time=w.time), "time"),
        fault(ClockBackError, "before", lambda w, d: d.body.update(time=w.time - 1), "time"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind != "genesis"])
def test_nothing_comes_before_genesis(kind: str) -> None:
    world, draft = good(kind)
    text, keys = draft.sign(world), StoredKeys(world.store)
    statement = admit(text, kinds=RULEBOOK.kinds, origin=ORIGIN, keys=keys)
    empty = new_world()
    (outcome,) = empty.engine.submit([statement])
    assert isinstance(outcome, NotStartedError)
    assert empty.store.size() == 0


def test_a_manual_clock_begins_at_the_time_of_genesis() -> None:
    world, draft = good("genesis")
    world.clock.time = world.time + 86_400_000
    made = attempt(world, draft)
    assert world.engine.ledger is not None
    assert world.engine.ledger.time == world.time == getattr(made, "time", None)
    verify_everything(world)


def test_an_entry_that_sets_the_clock_bears_the_old_time() -> None:
    world = cast_world()
    old = world.time
    made = world.do("operator", "clock.set", {"time": old + 5})
    assert made.time == old
    assert world.do("s1", "key.revoke", {"kid": key_of("s1").public.kid}).time == old + 5
    verify_everything(world)
