"""Searches: over every assignor behind a lot, and shown to nobody who has no business."""

from typing import Any

import pytest

from registry.burdens import SEARCHES
from registry.encumbrance_refusals import (
    AheadOfTimeError,
    SearchIncompleteError,
)
from registry.errors import MalformedError
from registry.refusals import (
    LotNotFoundError,
)
from registry.rules.searches import KINDS
from tests.builders import DIGEST, World
from tests.encumbered import pledge, search_body
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, open_offer, refusal, verify_everything


def _certificates(draft: Draft) -> list[Any]:
    found: Any = draft.body["certificates"]
    return list(found)


def _by_a_stranger(_world: World, draft: Draft) -> None:
    draft.by = "s3"


def _over(*names: str) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body |= search_body(world, str(draft.body["lot"]), *names)

    return make


def _twice(_world: World, draft: Draft) -> None:
    draft.body["certificates"] = _certificates(draft)[:1] * 2


def _backwards(_world: World, draft: Draft) -> None:
    draft.body["certificates"] = _certificates(draft)[::-1]


def _tomorrow(world: World, draft: Draft) -> None:
    _certificates(draft)[0]["searched_at"] = world.time + 1


FAULTS = {
    "registration.search": (
        fault(LotNotFoundError, "no such lot", setting(lot=f"{DIGEST}.0"), "lot"),
        fault(LotNotFoundError, "none of one's business", _by_a_stranger, "by"),
        fault(MalformedError, "a party twice", _twice, "certificates"),
        fault(MalformedError, "not sorted", _backwards, "certificates"),
        fault(SearchIncompleteError, "an assignor left out", _over("s1"), "certificates", "lot"),
        fault(SearchIncompleteError, "somebody else", _over("s1", "factor", "s3"),
              "certificates", "lot"),
        fault(AheadOfTimeError, "tomorrow", _tomorrow, "certificates"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_a_search_is_as_old_as_its_oldest_certificate() -> None:
    world, draft = good("registration.search")
    _certificates(draft)[1]["searched_at"] = world.time - 5
    assert not isinstance(attempt(world, draft), Exception)
    (row,) = world.store.select(SEARCHES)
    assert (row.searched_at, row.lot) == (world.time - 5, draft.body["lot"])
    verify_everything(world)


@pytest.mark.parametrize("who", ["assignee", "pledgee"])
def test_who_is_to_get_a_right_searches_before(who: str) -> None:
    world = cast_world()
    lot = f"{open_offer(world)}.0" if who == "assignee" else f"{pledge(world)}.0"
    by = {"assignee": "s2", "pledgee": "factor"}[who]
    draft = Draft(by=by, kind="registration.search", body=search_body(world, lot, "s1"))
    assert not isinstance(attempt(world, draft), Exception)
    verify_everything(world)


def test_a_former_pledgee_learns_nothing() -> None:
    world = cast_world()
    made = pledge(world)
    world.do("factor", "pledge.release", {}, re=made)
    body = search_body(world, f"{made}.0", "s1")
    draft = Draft(by="factor", kind="registration.search", body=body)
    assert isinstance(refusal(world, draft), LotNotFoundError)


def test_a_refusal_names_no_assignor() -> None:
    world, draft = good("registration.search")
    draft.body |= search_body(world, str(draft.body["lot"]), "s3")
    found = refusal(world, draft)
    assert found.facts == {"lot": draft.body["lot"], "covered": 0, "assignors": 2}
