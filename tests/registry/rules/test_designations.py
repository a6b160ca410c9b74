"""Designating one's inbox for notices (RG-34)."""

from typing import Any

import pytest

from registry.canonical import Json
from registry.errors import MalformedError
from registry.inboxes import INBOXES, NOTICES
from registry.notice_refusals import InboxDesignatedError, InboxMissingError
from registry.rules.designations import KINDS
from tests.builders import World
from tests.encumbered import accessory_body
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, cast_world, good, refusal, verify_everything


def _before(world: World, draft: Draft) -> None:
    world.designate(draft.by)


FAULTS = {
    "inbox.designate": (
        fault(MalformedError, "another log", setting(system="sandbox.example/other"), "system"),
        fault(InboxDesignatedError, "twice", _before, "inbox"),
    )
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_that_entry_is_arrival_can_only_be_said_and_not_denied() -> None:
    world, draft = good("inbox.designate")
    draft.body["entry_is_arrival"] = False
    assert refusal(world, draft).facts["what"] == "body/entry_is_arrival"


def test_rg_34_nobody_owes_or_secures_a_voucher_before_it_has_an_inbox() -> None:
    world = cast_world()
    world.admit("new", "participant", number=901)
    world.bank_account("new")
    account: dict[str, Json] = {
        "account": world.accounts["new"], "mandate": world.mandates["new"],
    }  # fmt: skip
    issue = Draft(by="new", kind="voucher.issue", body=world.issue_body(**account))
    assert isinstance(refusal(world, issue), InboxMissingError)
    world.designate("new")
    world.do("new", "voucher.issue", dict(issue.body))
    verify_everything(world)


def test_what_is_no_promise_of_a_person_needs_no_inbox() -> None:
    world = cast_world()
    world.admit("new", "participant", number=901)
    voucher = world.issue()
    world.do("new", "accessory.attach", accessory_body("mortgage"), re=voucher)
    promise = Draft(by="new", kind="accessory.attach", body=accessory_body(), re=voucher)
    assert isinstance(refusal(world, promise), InboxMissingError)


def test_notices_are_numbered_without_gaps_in_each_inbox() -> None:
    world = cast_world()
    first = world.issue()
    one = world.transfer(f"{first}.0", 5, by="s1", to="s2")
    world.do("s3", "accessory.attach", accessory_body(), re=first)
    second = world.issue()
    world.transfer(f"{second}.0", 5, by="s1", to="s2")
    world.transfer(f"{one}.1", 5, by="s1", to="s2")
    rows = sorted(world.store.select(NOTICES), key=lambda row: (row.recipient, row.number))
    numbers = [(row.recipient, row.number) for row in rows]
    core, s3 = world.ids["core"], world.ids["s3"]
    assert sorted(numbers) == sorted([(core, 1), (core, 2), (core, 3), (s3, 1)])
    inboxes = {row.party: row.notices for row in world.store.select(INBOXES)}
    assert (inboxes[core], inboxes[s3], inboxes[world.ids["s1"]]) == (3, 1, 0)
    verify_everything(world)
