"""Acknowledging notices of assignment."""

from typing import Any

import pytest

from registry.canonical import Json
from registry.errors import MalformedError, RegistryError
from registry.model import NOTICES
from registry.refusals import AlreadyAcknowledgedError, NoticeNotFoundError
from registry.rules.notices import KINDS, NOTICES_MAX
from tests.builders import DIGEST, World
from tests.faults import cases, fault, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, lots_of, refusal, verify_everything


def _twice(_world: World, draft: Draft) -> None:
    notices: Any = draft.body["notices"]
    draft.body["notices"] = [*notices, *notices]


def _unsorted(world: World, draft: Draft) -> None:
    notices: Any = draft.body["notices"]
    second = world.transfer(f"{world.issue()}.0", 5, by="s1", to="s2")
    draft.body["notices"] = sorted([*notices, f"{second}.2!0"], reverse=True)


def _unknown(_world: World, draft: Draft) -> None:
    draft.body["notices"] = [f"{'A' * 43}.2!0"]


def _of_a_recipient_who_is_none(_world: World, draft: Draft) -> None:
    notices: Any = draft.body["notices"]
    draft.body["notices"] = [notices[0][:-1] + "1"]


def _by_another(_world: World, draft: Draft) -> None:
    draft.by = "s2"


def _acknowledged(world: World, draft: Draft) -> None:
    world.do("core", "notice.acknowledge", dict(draft.body))


FAULTS = {
    "notice.acknowledge": (
        fault(MalformedError, "twice", _twice, "notices"),
        fault(MalformedError, "not sorted", _unsorted, "notices"),
        fault(NoticeNotFoundError, "no notice", _unknown, "notices"),
        fault(NoticeNotFoundError, "no recipient", _of_a_recipient_who_is_none, "notices"),
        fault(NoticeNotFoundError, "another's", _by_another, "by"),
        fault(AlreadyAcknowledgedError, "acknowledged", _acknowledged, "notices"),
    )
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_the_debtors_word_marks_every_part_of_what_the_transfer_brought() -> None:
    world, draft = good("notice.acknowledge")
    (notice,) = world.store.select(NOTICES)
    other = world.transfer(f"{notice.transfer}.1", 1, by="s1", to="s3")
    offer = world.offer(f"{notice.transfer}.2", 7, by="s2", to="s3")
    assert not isinstance(attempt(world, draft), RegistryError)
    marked = {name: lot.acknowledged for name, lot in lots_of(world).items()}
    assert (marked[f"{offer}.0"], marked[f"{offer}.1"]) == (True, True)
    assert not marked[f"{other}.2"]
    world.accept(offer, by="s3")
    # A further transfer needs a further notice.
    assert not lots_of(world)[f"{offer}.2"].acknowledged
    verify_everything(world)


def test_a_co_debtors_word_is_its_own() -> None:
    world = cast_world()
    voucher = world.issue()
    body: dict[str, Json] = {
        "scope": "full",
        "addressee": "holders",
        "resolution": {"digest": DIGEST, "name": "resolution.pdf"},
    }
    world.do("s3", "voucher.accede", body, re=voucher)
    transfer = world.transfer(f"{voucher}.0", 5, by="s1", to="s2")
    world.do("s3", "notice.acknowledge", {"notices": [f"{transfer}.2!1"]})
    assert [row.acknowledged for row in world.store.select(NOTICES)] == [False, True]
    assert not lots_of(world)[f"{transfer}.2"].acknowledged
    verify_everything(world)


def test_one_wrong_notice_refuses_all() -> None:
    world, draft = good("notice.acknowledge")
    notices: Any = draft.body["notices"]
    draft.body["notices"] = sorted([*notices, f"{'A' * 43}.2!0"])
    assert isinstance(refusal(world, draft), NoticeNotFoundError)


def test_as_many_notices_as_allowed_fit_one_entry() -> None:
    # The worst case: every notice of another voucher.
    world = cast_world()
    notices = []
    for _ in range(NOTICES_MAX):
        transfer = world.transfer(f"{world.issue()}.0", 5, by="s1", to="s2")
        notices.append(f"{transfer}.2!0")
    draft = Draft(by="core", kind="notice.acknowledge", body={"notices": [*sorted(notices)]})
    assert not isinstance(attempt(world, draft), RegistryError)
    assert all(row.acknowledged for row in world.store.select(NOTICES))


def test_refuses_more_notices_than_allowed() -> None:
    world, draft = good("notice.acknowledge")
    draft.body["notices"] = [f"{'A' * 43}.{n}!0" for n in range(100, 101 + NOTICES_MAX)]
    assert refusal(world, draft).facts["what"] == "body/notices"
