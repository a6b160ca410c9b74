"""The role matrix (SD-01); the operator signs for nobody and holds nothing (RG-02, I11)."""

import json
from typing import Any

import pytest

from clearing.rulebook import RULEBOOK
from registry.entries import open_entry
from registry.errors import KeyNotOfPartyError
from registry.model import HOLDER_ROLES, LOTS, Role
from registry.refusals import AssigneeRefusedError, NotHolderRoleError, RoleMissingError
from tests.golden import story
from tests.noticed import receipt_key
from tests.roles_page import BUSINESS, PAGE, render, signs
from tests.scenario import GOOD, Draft, cast_world, refusal

OPERATORS_OWN = {
    "clock.set", "policy.publish", "calendar.publish", "clearing.plan", "clearing.report",
    "clearing.apportion", "clearing.close", "clearing.send", "clearing.reroute", "clearing.top-up",
    "key.add", "key.revoke", "key.recover", "party.policy", "approve", "disapprove",
}  # fmt: skip
"""Of the ledger's running, and of its own keys and people."""


def test_the_page_is_what_the_program_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == render()


def test_the_business_has_18_roles_and_each_is_admitted_in_one_or_stays_outside() -> None:
    assert len(BUSINESS) == 18
    assert {role for _, _, role, _ in BUSINESS} - {""} <= set(Role)


def test_the_operator_signs_only_what_runs_the_ledger() -> None:
    assert set(signs(Role.OPERATOR)) == OPERATORS_OWN
    assert Role.OPERATOR not in HOLDER_ROLES


@pytest.mark.parametrize("kind", sorted(set(GOOD) - {"genesis", "party.register"}))
def test_the_operators_key_signs_for_nobody_else(kind: str) -> None:
    world = cast_world()
    draft = GOOD[kind](world)
    if draft.by == "operator":
        return
    draft.key = world.keys["operator"]
    assert isinstance(refusal(world, draft), KeyNotOfPartyError)


@pytest.mark.parametrize("kind", sorted(set(RULEBOOK.kinds) & set(GOOD)))
def test_the_operator_signs_nothing_in_its_own_name_that_is_not_its_own(kind: str) -> None:
    world = cast_world()
    draft = GOOD[kind](world)
    if kind in OPERATORS_OWN or not RULEBOOK.kinds[kind].signers:
        return
    draft.by, draft.key = "operator", None
    if kind == "notice.received":
        draft.key = receipt_key(world, "operator")
    assert isinstance(refusal(world, draft), RoleMissingError)


def test_nothing_is_issued_or_offered_to_the_operator() -> None:
    world = cast_world()
    operator = world.ids["operator"]
    issue = Draft(by="core", kind="voucher.issue", body=world.issue_body(creditor=operator))
    assert isinstance(refusal(world, issue), NotHolderRoleError)
    lot = f"{world.issue()}.0"
    for purpose in ("settle", "finance", "securitise"):
        body = world.offer_body(lot, 5, "operator", purpose=purpose)
        offer = Draft(by="s1", kind="transfer.offer", body=body)
        assert isinstance(refusal(world, offer), AssigneeRefusedError)


def test_no_effect_of_the_golden_log_credits_the_operator() -> None:
    # I11, over a whole life: nobody's holder, payee, creditor or assignee is the operator.
    world = story().world
    operator = world.ids["operator"]
    assert all(row.holder != operator for row in world.store.select(LOTS))
    for data in world.entries()[1:]:
        changes: Any = json.loads(open_entry(data).effects_json)["changes"]
        for change in changes:
            for name in ("holder", "payee", "creditor", "assignee", "owner", "pledgee"):
                assert change.get(name) != operator
