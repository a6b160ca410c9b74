"""Guarantees and shortfall promises, declared and never inferred (SD-06, SD-09, SD-61)."""

from datetime import date
from typing import Any

import pytest

from registry.canonical import Json
from registry.credit import SUPPORTS
from registry.errors import MalformedError, RegistryError
from registry.refusals import (
    AlreadyJoinedError,
    TooManySupportsError,
    VoucherDueError,
    VoucherStatusError,
)
from registry.rules.supports import KINDS, SUPPORTS_MAX
from tests.builders import World, instant
from tests.credit import FILE, support_body
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, good, refusal, verify_everything

DUE = instant(date(2025, 12, 19), hour=0)
TIMED: dict[str, Json] = {"at": "unpaid-at", "working_days_before": 1, "minute": 900}
"""The working day before, at 15:00 (SD-27)."""


def _withdrawn(world: World, draft: Draft) -> None:
    world.do("core", "voucher.withdraw", {}, re=draft.re)


def _on_the_due_date(_world: World, draft: Draft) -> None:
    draft.time = DUE


def _owes_already(world: World, draft: Draft) -> None:
    body: dict[str, Json] = {"scope": "full", "addressee": "holders", "resolution": FILE}
    world.do("s3", "voucher.accede", body, re=draft.re)


def _promised_before(world: World, draft: Draft) -> None:
    world.do("s3", "voucher.guarantee", support_body(), re=draft.re)


def _eight(world: World, draft: Draft) -> None:
    for number in range(SUPPORTS_MAX):
        world.admit(f"promisor{number}", "participant")
        world.do(f"promisor{number}", "voucher.guarantee", support_body(), re=draft.re)


FAULTS = {
    kind: (
        fault(MalformedError, "a time of `due`", setting(trigger={**TIMED, "at": "due"}), "body"),
        fault(MalformedError, "no time", setting(trigger={"at": "unpaid-at"}), "body"),
        fault(
            MalformedError,
            "a day without a time",
            setting(trigger={"at": "unpaid-at", "working_days_before": 1}),
            "body",
        ),
        fault(VoucherStatusError, "withdrawn", _withdrawn, "status"),
        fault(VoucherDueError, "on the due date", _on_the_due_date, "time"),
        fault(AlreadyJoinedError, "owing it already", _owes_already, "joined", "status"),
        fault(AlreadyJoinedError, "promised before", _promised_before, "joined", "status"),
        fault(TooManySupportsError, "the ninth", _eight, "joined", "status"),
    )
    for kind in ("voucher.guarantee", "voucher.promise-shortfall")
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_a_promise_is_kept_as_it_was_declared() -> None:
    world, draft = good("voucher.promise-shortfall")
    draft.body = support_body(trigger=TIMED, addressee="trust", cap="500")
    assert not isinstance(attempt(world, draft), RegistryError)
    (row,) = world.store.select(SUPPORTS)
    assert (row.support_kind, row.addressee, row.cap) == ("shortfall", "trust", 500)
    assert (row.trigger, row.working_days_before, row.minute) == ("unpaid-at", 1, 900)
    verify_everything(world)


def test_several_promisors_stand_behind_one_voucher() -> None:
    world, draft = good("voucher.guarantee")
    assert not isinstance(attempt(world, draft), RegistryError)
    world.do("s2", "voucher.promise-shortfall", support_body(), re=draft.re)
    world.do("factor", "voucher.guarantee", support_body(cap="7"), re=draft.re)
    kinds = sorted(row.support_kind for row in world.store.select(SUPPORTS))
    assert kinds == ["guarantee", "guarantee", "shortfall"]
    verify_everything(world)


def test_a_debtor_does_not_stand_in_for_itself() -> None:
    world, draft = good("voucher.guarantee")
    draft.by = "core"
    assert isinstance(refusal(world, draft), AlreadyJoinedError)
