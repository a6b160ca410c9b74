"""Stages: two signatures, four days, a cycle within bounds; and mandates that end (note 18)."""

from datetime import date, timedelta
from typing import Any

import pytest

from registry.canonical import Json
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import RegistryError
from registry.model import MANDATES
from registry.refusals import (
    AccountNotVerifiedError,
    AccountUnknownError,
    MandateMissingError,
    NotOwnerError,
)
from registry.rules.stages import KINDS
from registry.stage_refusals import AlreadyStagedError, StageRefusedError, SweepCycleError
from registry.stages import STAGES
from tests.builders import DIGEST, World
from tests.encumbered import pledge
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, refusal, verify_everything
from tests.staged import stage, stage_mandate


def _for_clearing(world: World, draft: Draft) -> None:
    draft.re = world.mandates["factor"]


def _revoked(world: World, draft: Draft) -> None:
    world.do("factor", "mandate.revoke", {}, re=draft.re)


def _staged(world: World, draft: Draft) -> None:
    world.do("s1", "account.stage", {}, re=draft.re)


def _by_s2(_world: World, draft: Draft) -> None:
    draft.by = "s2"


def _unverified(world: World, draft: Draft) -> None:
    body: dict[str, Json] = {
        "bank": world.ids["bank"], "account_kind": "settlement", "terms": DIGEST,
    }  # fmt: skip
    world.accounts["s1"] = world.do("s1", "account.register", body).sid
    draft.re = stage_mandate(world)


def _pledged(world: World, _draft: Draft) -> None:
    pledge(world, account=world.accounts["s1"])


def _unstaged(world: World, draft: Draft) -> None:
    world.do("s1", "account.unstage", {}, re=draft.re)


FAULTS = {
    "account.stage": (
        fault(StageRefusedError, "for clearing", _for_clearing, "re"),
        fault(StageRefusedError, "revoked", _revoked, "re"),
        fault(NotOwnerError, "by another", _by_s2, "by"),
        fault(AccountNotVerifiedError, "not verified", _unverified, "re"),
        fault(StageRefusedError, "pledged", _pledged, "re"),
        fault(AlreadyStagedError, "staged", _staged, "re"),
        fault(SweepCycleError, "no plan's", setting(cycle_days=1), "cycle_days"),
    ),
    "account.unstage": (
        fault(NotOwnerError, "by another", _by_s2, "by"),
        fault(MoveNotAllowedError, "ended", _unstaged, "world"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    table: dict[str, Any] = dict(FAULTS)
    first, second, *others = table["account.stage"]
    # A mandate names an account that is there, so this is said of none.
    unknown = fault(AccountUnknownError, "unknown", _for_clearing, "re")
    table["account.stage"] = (first, second, unknown, *others)
    verify_rows(KINDS, table)


def test_a_stage_rests_on_the_word_of_both_owners() -> None:
    world, draft = good("account.stage")
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    (row,) = world.store.select(STAGES)
    assert (row.stage, row.mandate) == (made.sid, draft.re)
    assert (row.account, row.owner) == (world.accounts["s1"], world.ids["s1"])
    assert (row.via, row.via_owner) == (world.accounts["factor"], world.ids["factor"])
    verify_everything(world)


def test_fr_13_a_stage_is_passed_from_the_fourth_day_on() -> None:
    """So a thief of keys sends nothing another way in the last days before it is due."""
    world = cast_world()
    today = date(2025, 7, 1)
    stage(world)
    (row,) = world.store.select(STAGES)
    assert date.fromisoformat(row.begins_on) - today == timedelta(days=4)


def test_a_mandate_for_one_account_serves_no_other() -> None:
    world = cast_world()
    mandate = stage_mandate(world, via="factor", onto="s1")
    draft = Draft(by="s2", kind="account.stage", re=mandate)
    assert isinstance(refusal(world, draft), NotOwnerError)
    world.mandates["core"] = stage_mandate(world, via="core", onto="s1")
    issue = Draft(by="core", kind="voucher.issue", body=world.issue_body())
    assert isinstance(refusal(world, issue), MandateMissingError)


def test_no_account_is_a_stage_before_itself() -> None:
    world = cast_world()
    account = world.accounts["s1"]
    body: dict[str, Json] = {"account": account, "onto": account}
    draft = Draft(by="s1", kind="mandate.grant", body=body)
    assert isinstance(refusal(world, draft), AccountUnknownError)


def test_a_trustee_has_an_account_of_its_own_that_is_a_stage_before_its_trusts() -> None:
    world = cast_world()
    world.bank_account("trustee")
    stage(world, via="trustee", onto="trustee#T1")
    (row,) = world.store.select(STAGES)
    assert (row.owner, row.via_owner) == (world.ids["trustee#T1"], world.ids["trustee"])
    verify_everything(world)


@pytest.mark.parametrize(
    ("days", "extended", "is_allowed"),
    [
        (1, False, True), (31, False, True), (32, False, False), (35, False, False),
        (35, True, True), (91, True, True), (92, True, False), (92, False, False),
        (366, True, False),
    ],
)  # fmt: skip
def test_sd_29_collections_are_swept_within_a_month_or_by_agreement_within_three(
    days: int, extended: bool, is_allowed: bool
) -> None:
    world = cast_world()
    world.bank_account("trustee")
    mandate = stage_mandate(world, via="trustee", onto="trustee#T1")
    body: dict[str, Json] = {"cycle_days": days, **({"extended": True} if extended else {})}
    draft = Draft(by="trustee#T1", kind="account.stage", body=body, re=mandate)
    if is_allowed:
        assert not isinstance(attempt(world, draft), RegistryError)
        return
    assert isinstance(refusal(world, draft), SweepCycleError)


def test_an_account_is_reached_another_way_when_the_first_has_ended() -> None:
    world = cast_world()
    first = stage(world)
    again = Draft(by="s1", kind="account.stage", re=stage_mandate(world, via="s2"))
    assert isinstance(refusal(world, again), AlreadyStagedError)
    world.do("s1", "account.unstage", {}, re=first)
    assert not isinstance(attempt(world, again), RegistryError)
    assert [row.ended is None for row in world.store.select(STAGES)].count(True) == 1
    verify_everything(world)


def test_a_pledgor_does_not_lead_the_proceeds_by_way_of_an_account_that_nobody_watches() -> None:
    """A pledge may be paid on the pledgor's account, which the pledgee watches over."""
    world, draft = good("account.stage")
    made = pledge(world, account=world.accounts["s1"])
    assert str(made) in str(refusal(world, draft))
    world.do("factor", "pledge.release", {}, re=made)
    assert not isinstance(attempt(world, draft), RegistryError)


class TestRevokedMandates:
    def test_stay_and_are_named_by_no_new_voucher(self) -> None:
        world = cast_world()
        voucher = world.issue()
        world.do("core", "mandate.revoke", {}, re=world.mandates["core"])
        (row,) = (
            row for row in world.store.select(MANDATES) if row.mandate == world.mandates["core"]
        )
        assert row.revoked is not None
        issue = Draft(by="core", kind="voucher.issue", body=world.issue_body())
        assert isinstance(refusal(world, issue), MandateMissingError)
        # What was issued under it goes on.
        world.transfer(f"{voucher}.0", 5, by="s1", to="s2")
        verify_everything(world)

    def test_are_revoked_once_and_by_their_owner(self) -> None:
        world, draft = good("mandate.revoke")
        draft.by = "s2"
        assert isinstance(refusal(world, draft), NotOwnerError)
        draft.by = "s1"
        assert not isinstance(attempt(world, draft), RegistryError)
        assert isinstance(refusal(world, draft), MoveNotAllowedError)
