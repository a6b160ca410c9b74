"""Cut-offs and requests: what the registry commits to, and as of when."""

from datetime import date
from typing import Any

import pytest

from registry.entries import open_entry
from registry.errors import MalformedError, RegistryError
from registry.model import DEADLINES, STATE_REQUESTS
from registry.refusals import RoleMissingError
from registry.rules.cutoffs import KINDS
from tests.builders import World, instant
from tests.faults import verify_rows
from tests.scenario import Draft, attempt, cast_world, good, refusal, verify_everything


def test_a_request_has_no_refusals_of_its_own() -> None:
    verify_rows(KINDS, {})


def kinds_of(world: World, since: int) -> list[str]:
    return [open_entry(data).kind for data in world.entries()[since:]]


def test_a_request_is_followed_by_a_state_as_of_itself() -> None:
    world, draft = good("snapshot.request")
    world.issue()
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    assert kinds_of(world, made.index) == ["snapshot.request", "state"]
    changes: Any = open_entry(world.entries()[-1]).effects["changes"]
    assert [change["at"] for change in changes] == [made.index + 1]
    assert list(world.store.select(STATE_REQUESTS)) == []
    verify_everything(world)


def test_requests_in_one_batch_are_each_answered_before_the_next_is_decided() -> None:
    world = cast_world()
    texts = [world.sign("trustee#T1", "snapshot.request", {}) for _ in range(3)]
    assert not any(isinstance(outcome, RegistryError) for outcome in world.submit(*texts))
    assert kinds_of(world, world.store.size() - 6) == ["snapshot.request", "state"] * 3
    verify_everything(world)


def test_a_due_dates_cut_off_comes_once_and_commits() -> None:
    world = cast_world()
    world.issue(due_on="2025-12-19")
    world.issue(due_on="2025-12-19")
    size = world.store.size()
    world.advance(instant(date(2025, 12, 19), hour=0))
    world.engine.submit([])
    assert kinds_of(world, size) == ["clock.set", "day.cut-off", "state"]
    assert list(world.store.select(DEADLINES)) == []
    verify_everything(world)


@pytest.mark.parametrize("by", ["trustee", "operator", "s1"])
def test_only_a_vehicle_asks(by: str) -> None:
    world = cast_world()
    found = refusal(world, Draft(by=by, kind="snapshot.request"))
    assert isinstance(found, RoleMissingError)


def test_a_request_has_an_empty_body() -> None:
    world, draft = good("snapshot.request")
    draft.body["at"] = 1
    assert isinstance(refusal(world, draft), MalformedError)
