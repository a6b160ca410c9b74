"""Disputes: a claim between two, which reduces nobody else's."""

from typing import Any

import pytest

from registry.burdens import DISPUTES
from registry.encumbrance_refusals import (
    AmountTooLargeError,
    MoveNotAllowedError,
)
from registry.model import LOTS, VOUCHERS
from registry.refusals import (
    NotCreditorError,
    NotDebtorError,
    VoucherStatusError,
)
from registry.rules.disputes import KINDS
from tests.builders import World
from tests.encumbered import dispute
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, pending_voucher, verify_everything


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _pending(world: World, draft: Draft) -> None:
    draft.re = pending_voucher(world)


def _resolved(world: World, draft: Draft) -> None:
    body: dict[str, Any] = {"owed": "1", "terms": draft.body.get("terms", "A" * 43)}
    world.do("s1", "dispute.resolve", body, re=draft.re)


def _withdrawn(world: World, draft: Draft) -> None:
    world.do("core", "dispute.withdraw", {}, re=draft.re)


FAULTS = {
    "dispute.raise": (
        fault(NotDebtorError, "by the creditor", _by("s1"), "by"),
        fault(NotDebtorError, "by a stranger", _by("s3"), "by"),
        fault(VoucherStatusError, "never accepted", _pending, "re"),
        fault(AmountTooLargeError, "more than the face", setting(amount="100000001"), "amount"),
    ),
    "dispute.answer": (
        fault(NotCreditorError, "by a later holder", _by("s2"), "by"),
        fault(MoveNotAllowedError, "resolved", _resolved, "world"),
        fault(MoveNotAllowedError, "withdrawn", _withdrawn, "world"),
    ),
    "dispute.resolve": (
        fault(NotCreditorError, "by a later holder", _by("s2"), "by"),
        fault(MoveNotAllowedError, "resolved", _resolved, "world"),
        fault(MoveNotAllowedError, "withdrawn", _withdrawn, "world"),
        fault(AmountTooLargeError, "more than claimed", setting(owed="12000001"), "owed"),
    ),
    "dispute.withdraw": (
        fault(NotDebtorError, "by the creditor", _by("s1"), "by"),
        fault(MoveNotAllowedError, "resolved", _resolved, "world"),
        fault(MoveNotAllowedError, "withdrawn", _withdrawn, "world"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_a_dispute_changes_no_voucher_and_no_lot() -> None:
    # Note 10 and SD-45; RG-17's partial payment never applies, for every voucher waives defences.
    world = cast_world()
    voucher = world.issue()
    before = (list(world.store.select(LOTS)), list(world.store.select(VOUCHERS)))
    dispute(world, voucher)
    assert (list(world.store.select(LOTS)), list(world.store.select(VOUCHERS))) == before
    transfer = world.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    lot = next(row for row in world.store.select(LOTS) if row.lot == f"{transfer}.2")
    assert (lot.amount, lot.burdens) == (60_000_000, ())
    verify_everything(world)


def test_what_the_creditor_admits_is_a_claim_of_its_own() -> None:
    world = cast_world()
    voucher = world.issue()
    made = dispute(world, voucher)
    body: dict[str, Any] = {"terms": "A" * 43}
    world.do("s1", "dispute.answer", body, re=made)
    world.do("s1", "dispute.resolve", {**body, "owed": "5000000"}, re=made)
    (row,) = world.store.select(DISPUTES)
    assert (row.status, row.amount, row.owed) == ("resolved", 12_000_000, 5_000_000)
    (lot,) = world.store.select(LOTS)
    assert lot.amount == 100_000_000
    verify_everything(world)


def test_a_voucher_can_be_disputed_more_than_once() -> None:
    world = cast_world()
    voucher = world.issue()
    first = dispute(world, voucher)
    assert not isinstance(
        attempt(world, Draft(by="core", kind="dispute.withdraw", re=first)), Exception
    )
    second = dispute(world, voucher)
    assert {row.dispute: row.status for row in world.store.select(DISPUTES)} == {
        first: "withdrawn",
        second: "raised",
    }
