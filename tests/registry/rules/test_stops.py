"""Stopping a debtor's issues (RG-09)."""

from typing import Any

import pytest

from registry.canonical import Json
from registry.credit import STOPS, StopReason
from registry.errors import RegistryError
from registry.refusals import IssuanceStoppedError, NotHolderRoleError, NotStoppedError
from registry.rules.stops import KINDS
from tests.builders import uscc
from tests.credit import stop_body
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, refusal, verify_everything

FAULTS = {
    "issuance.stop": (fault(NotHolderRoleError, "nobody", setting(party=uscc(999)), "party"),),
    "issuance.resume": (
        fault(NotStoppedError, "for another reason", setting(reason="bond-default"), "reason"),
        fault(NotStoppedError, "another debtor", setting(party=uscc(999)), "party"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_every_reason_must_be_lifted_before_a_debtor_issues_again() -> None:
    world = cast_world()
    before = world.issue()
    for reason in StopReason:
        world.do("registrar", "issuance.stop", stop_body(world, reason=reason))
    issue = Draft(by="core", kind="voucher.issue", body=world.issue_body())
    for reason in StopReason:
        assert isinstance(refusal(world, issue), IssuanceStoppedError)
        world.do("registrar", "issuance.resume", stop_body(world, reason=reason))
    assert list(world.store.select(STOPS)) == []
    assert not isinstance(attempt(world, issue), RegistryError)
    # What was promised before was never touched by it.
    world.transfer(f"{before}.0", 5, by="s1", to="s2")
    verify_everything(world)


def test_what_a_stopped_debtor_has_promised_can_still_be_accepted_and_passed_on() -> None:
    world = cast_world()
    made = world.do("core", "voucher.issue", world.issue_body())
    world.do("registrar", "issuance.stop", stop_body(world))
    accept: dict[str, Json] = {"account": world.accounts["s1"], "collection_route": True}
    world.do("s1", "voucher.accept", accept, re=made.sid)
    world.transfer(f"{made.sid}.0", 5, by="s1", to="s2")
    verify_everything(world)
