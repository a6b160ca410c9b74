"""Voiding: by the debtor and whoever holds everything, and over nobody's head (RG-27)."""

from datetime import date
from typing import Any

import pytest

from registry.credit import DEBTORS, INVOICES
from registry.encumbrance_refusals import LotBurdenedError
from registry.errors import RegistryError
from registry.model import LOTS, VOUCHERS
from registry.refusals import (
    AnswerMissingError,
    LotLockedError,
    NotDebtorError,
    NotSoleHolderError,
    VoucherDueError,
    VoucherStatusError,
)
from registry.rules.voiding import KINDS
from tests.builders import World, instant
from tests.encumbered import FILE, freeze
from tests.faults import cases, fault, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, refusal, verify_everything

DUE = instant(date(2025, 12, 19), hour=0)


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _on_the_due_date(_world: World, draft: Draft) -> None:
    draft.time = DUE


def _only_issued(world: World, draft: Draft) -> None:
    draft.re = world.do("core", "voucher.issue", world.issue_body()).sid


def _first_lot(world: World) -> str:
    return next(world.store.select(LOTS)).lot


def _voided_before(world: World, _draft: Draft) -> None:
    voucher = next(world.store.select(VOUCHERS)).voucher
    second = world.do("core", "voucher.void", {"ground": FILE}, re=voucher).sid
    world.do("s1", "voucher.agree-void", {}, re=second)


def _part_elsewhere(world: World, _draft: Draft) -> None:
    world.transfer(_first_lot(world), 5, by="s1", to="s2")


def _part_frozen(world: World, _draft: Draft) -> None:
    freeze(world, _first_lot(world))


def _part_offered(world: World, _draft: Draft) -> None:
    world.offer(_first_lot(world), 5, by="s1", to="s2")


FAULTS = {
    "voucher.void": (
        fault(VoucherStatusError, "not accepted yet", _only_issued, "status"),
        fault(NotDebtorError, "by the holder", _by("s1"), "by"),
        fault(VoucherDueError, "on the due date", _on_the_due_date, "time"),
    ),
    "voucher.agree-void": (
        fault(VoucherStatusError, "void already", _voided_before, "lots"),
        fault(NotSoleHolderError, "by another", _by("s2"), "by"),
        fault(NotSoleHolderError, "a part is another's", _part_elsewhere, "lots"),
        fault(LotLockedError, "a part is offered", _part_offered, "lots"),
        fault(LotBurdenedError, "a part is frozen", _part_frozen, "lots"),
        fault(VoucherDueError, "on the due date", _on_the_due_date, "time"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_a_void_voucher_owes_nothing_and_gives_its_invoices_back() -> None:
    world, draft = good("voucher.agree-void")
    assert not isinstance(attempt(world, draft), RegistryError)
    (voucher,) = world.store.select(VOUCHERS)
    assert (voucher.status, voucher.cancelled) == ("voided", voucher.face)
    assert list(world.store.select(LOTS)) == []
    assert [row.outstanding for row in world.store.select(DEBTORS)] == [0]
    assert [row.used for row in world.store.select(INVOICES)] == [0]
    assert isinstance(refusal(world, draft), AnswerMissingError)
    verify_everything(world)


def test_whoever_holds_all_of_it_agrees_however_many_parts_and_hands() -> None:
    world = cast_world()
    voucher = world.issue()
    went = world.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    voiding = world.do("core", "voucher.void", {"ground": FILE}, re=voucher).sid
    for name in ("s1", "s2"):
        alone = Draft(by=name, kind="voucher.agree-void", re=voiding)
        assert isinstance(refusal(world, alone), NotSoleHolderError)
    world.transfer(f"{went}.1", 40_000_000, by="s1", to="s2")
    assert isinstance(
        refusal(world, Draft(by="s1", kind="voucher.agree-void", re=voiding)), NotSoleHolderError
    )
    world.do("s2", "voucher.agree-void", {}, re=voiding)
    verify_everything(world)
