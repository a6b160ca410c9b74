"""What a recipient says of its notices, and what becomes of its silence."""

from datetime import date
from typing import Any

import pytest

from registry.canonical import Json
from registry.errors import KeyUseError, MalformedError, RegistryError
from registry.inboxes import NOTICES
from registry.model import DEADLINES
from registry.notice_refusals import (
    AlreadyAcknowledgedError,
    AlreadyReceivedError,
    AlreadyRefusedError,
    NoticeNotFoundError,
    NoticeRevokedError,
)
from registry.rules.notices import KINDS, NOTICES_MAX
from tests.builders import DIGEST, World, instant
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.noticed import acknowledge, notice_to_core, receipt_key, receive, refuse, revoked
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


def _revoked(world: World, draft: Draft) -> None:
    notices: Any = draft.body.get("notices") or [draft.body["notice"]]
    revoked(world, notices[0])


def _received(world: World, draft: Draft) -> None:
    world.submit(draft.sign(world))


def _by_another_system(world: World, draft: Draft) -> None:
    draft.by, draft.key = "s2", receipt_key(world, "s2")


def _acknowledged_by_itself(world: World, draft: Draft) -> None:
    world.do("core", "notice.acknowledge", {"notices": [draft.body["notice"]]})


def _refused(world: World, draft: Draft) -> None:
    world.do("core", "notice.refuse", {**draft.body})


FAULTS = {
    "notice.received": (
        fault(MalformedError, "twice", _twice, "notices"),
        fault(MalformedError, "not sorted", _unsorted, "notices"),
        fault(NoticeNotFoundError, "no notice", _unknown, "notices"),
        fault(NoticeNotFoundError, "another's", _by_another_system, "by"),
        fault(NoticeRevokedError, "revoked", _revoked, "notices"),
        fault(AlreadyReceivedError, "received", _received, "notices", "by"),
    ),
    "notice.refuse": (
        fault(NoticeNotFoundError, "no notice", setting(notice=f"{'A' * 43}.2!0"), "notices"),
        fault(NoticeNotFoundError, "another's", _by_another, "by"),
        fault(NoticeRevokedError, "revoked", _revoked, "notices"),
        fault(AlreadyAcknowledgedError, "acknowledged", _acknowledged_by_itself, "notices"),
        fault(AlreadyRefusedError, "refused", _refused, "notices"),
    ),
    "notice.acknowledge": (
        fault(MalformedError, "twice", _twice, "notices"),
        fault(MalformedError, "not sorted", _unsorted, "notices"),
        fault(NoticeNotFoundError, "no notice", _unknown, "notices"),
        fault(NoticeNotFoundError, "no recipient", _of_a_recipient_who_is_none, "notices"),
        fault(NoticeNotFoundError, "another's", _by_another, "by"),
        fault(NoticeRevokedError, "revoked", _revoked, "notices"),
        fault(AlreadyAcknowledgedError, "acknowledged", _acknowledged, "notices"),
    ),
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


def test_arrival_receipt_and_acknowledgement_are_three_things() -> None:
    world = cast_world()
    name = notice_to_core(world)

    def told() -> tuple[int, int | None, bool]:
        (row,) = world.store.select(NOTICES)
        return row.arrived, row.received, row.acknowledged

    arrived = world.time
    assert told() == (arrived, None, False)
    world.advance(arrived + 60_000)
    assert not isinstance(attempt(world, receive(world, name)), RegistryError)
    assert told() == (arrived, arrived + 60_000, False)
    # A system's word that it has the notice is nobody's word that it is right.
    assert not lots_of(world)[name[:-2]].acknowledged
    assert not isinstance(attempt(world, acknowledge(name)), RegistryError)
    assert told() == (arrived, arrived + 60_000, True)
    assert lots_of(world)[name[:-2]].acknowledged
    verify_everything(world)


def test_a_system_receipts_and_does_not_acknowledge() -> None:
    world = cast_world()
    draft = acknowledge(notice_to_core(world))
    draft.key = receipt_key(world)
    assert isinstance(refusal(world, draft), KeyUseError)


def test_a_refusal_takes_nothing_from_the_arrival_and_an_acknowledgement_takes_it_back() -> None:
    world = cast_world()
    name = notice_to_core(world)
    attempt(world, refuse(name, ground="competing"))
    (row,) = world.store.select(NOTICES)
    assert row.refused is not None
    assert (row.arrived, row.acknowledged, row.revoked_at) == (world.time, False, None)
    assert not isinstance(attempt(world, acknowledge(name)), RegistryError)
    (row,) = world.store.select(NOTICES)
    assert (row.refused, row.acknowledged) == (None, True)
    verify_everything(world)


def test_rg_29_who_has_confirmed_a_claim_cannot_deny_it() -> None:
    world = cast_world()
    name = notice_to_core(world)
    attempt(world, acknowledge(name))
    assert isinstance(refusal(world, refuse(name)), AlreadyAcknowledgedError)


# --- Silence ---------------------------------------------------------------------------

ESCALATING: dict[str, Json] = {"calendar": "CN-LEGAL", "working_days": [1, 3]}


def _silent() -> tuple[World, str]:
    """Returns a world in which a notice arrived on Wednesday, the 2nd of July."""
    world = cast_world()
    world.enforce(notices=ESCALATING)
    return world, notice_to_core(world)


def _told_on(world: World) -> tuple[int, int | None]:
    world.engine.submit([])
    (row,) = world.store.select(NOTICES)
    return row.escalations, row.escalate_at


def test_fr_11_silence_is_told_on_after_one_and_after_three_working_days() -> None:
    world, _ = _silent()
    friday, tuesday = (instant(date(2025, 7, day), hour=0) for day in (4, 8))
    assert _told_on(world) == (0, friday)
    world.advance(friday)
    assert _told_on(world) == (1, tuesday)
    world.advance(tuesday - 1)
    assert _told_on(world) == (1, tuesday)
    world.advance(tuesday)
    assert _told_on(world) == (2, None)
    verify_everything(world)


def test_a_receipt_is_no_answer() -> None:
    world, name = _silent()
    attempt(world, receive(world, name))
    world.advance(instant(date(2025, 7, 4)))
    assert _told_on(world)[0] == 1


@pytest.mark.parametrize("answer", [acknowledge, refuse])
@pytest.mark.parametrize("day", [3, 7])
def test_an_answer_ends_the_silence(answer: Any, day: int) -> None:
    world, name = _silent()
    world.advance(instant(date(2025, 7, day)))
    before = _told_on(world)[0]
    assert not isinstance(attempt(world, answer(name)), RegistryError)
    assert not [row for row in world.store.select(DEADLINES) if row.kind == "notice.escalate"]
    world.advance(instant(date(2025, 7, 20)))
    assert _told_on(world) == (before, None)
    verify_everything(world)


def test_a_notice_that_is_taken_back_waits_for_nobody() -> None:
    world, name = _silent()
    revoked(world, name)
    world.advance(instant(date(2025, 7, 20)))
    assert _told_on(world) == (0, None)
    verify_everything(world)


def test_a_later_policy_without_the_rule_ends_the_telling() -> None:
    world, _ = _silent()
    world.do(
        "operator",
        "policy.publish",
        {"name": "plain", "version": 3, "effective_on": "2025-07-03", "rules": {}},
    )
    world.advance(instant(date(2025, 7, 3)))
    world.advance(instant(date(2025, 7, 4)))
    assert _told_on(world) == (1, None)
    verify_everything(world)


def test_the_days_of_silence_stand_in_order() -> None:
    world = cast_world()
    rules: dict[str, Json] = {"notices": {"calendar": "CN-LEGAL", "working_days": [3, 1]}}
    body: dict[str, Json] = {"name": "plain", "version": 2, "rules": rules}
    draft = Draft(by="operator", kind="policy.publish", body=body)
    assert isinstance(refusal(world, draft), MalformedError)
