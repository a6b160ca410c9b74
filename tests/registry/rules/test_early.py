"""Early payment: nothing is discharged but by the receipt of whoever holds (note 15, FR-17)."""

from datetime import date
from typing import Any

import pytest

from registry.credit import DEBTORS, EXPOSURES, INVOICES
from registry.dealings import EARLY_PAYMENTS
from registry.encumbrance_refusals import LotBurdenedError, MoveNotAllowedError
from registry.errors import RegistryError
from registry.model import LOTS, VOUCHERS
from registry.refusals import (
    DeadlinePassedError,
    InsufficientHoldingError,
    LotLockedError,
    LotNotFoundError,
    NotDebtorError,
    NotHolderError,
    VoucherDueError,
)
from registry.rules.early import KINDS
from tests.builders import DIGEST, World, instant
from tests.dealings import agreed_early, early, receipt
from tests.encumbered import freeze
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, lots_of, refusal, verify_everything

DUE = instant(date(2025, 12, 19), hour=0)
END = instant(date(2025, 8, 2), hour=0)
"""The end of the last day for payment."""


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _at(time: int) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.time = time

    return make


def _first_lot(world: World) -> str:
    return next(world.store.select(LOTS)).lot


def _frozen(world: World, _draft: Draft) -> None:
    freeze(world, _first_lot(world))


def _offered_to_s2(world: World, draft: Draft) -> None:
    offer = world.offer(_first_lot(world), 100_000_000, by="s1", to="s2")
    if "lot" in draft.body:
        draft.body["lot"] = f"{offer}.0"


def _reserved(world: World, _draft: Draft) -> None:
    agreed_early(world, _first_lot(world))


def _gone(world: World, _draft: Draft) -> None:
    world.transfer(_first_lot(world), 5, by="s1", to="s2")


def _agreed_before(world: World, draft: Draft) -> None:
    world.do("s1", "early.consent", {}, re=str(draft.re))


def _only_offered(world: World, draft: Draft) -> None:
    draft.re = early(world)


FAULTS = {
    "early.offer": (
        fault(LotNotFoundError, "no lot", setting(lot=f"{DIGEST}.0"), "lot"),
        fault(NotDebtorError, "by the holder", _by("s1"), "by"),
        fault(LotLockedError, "an offered lot", _offered_to_s2, "lot"),
        fault(LotLockedError, "a reserved lot", _reserved, "lot"),
        fault(LotBurdenedError, "a frozen lot", _frozen, "lot"),
        fault(InsufficientHoldingError, "too much", setting(amount="100000001"), "amount"),
        fault(VoucherDueError, "on the due date", _at(DUE), "time"),
        fault(DeadlinePassedError, "until yesterday", setting(pay_by="2025-06-30"), "pay_by"),
        fault(DeadlinePassedError, "on the due date", setting(pay_by="2025-12-19"), "pay_by"),
    ),
    "early.consent": (
        fault(NotHolderError, "by another", _by("s2"), "by"),
        fault(MoveNotAllowedError, "agreed already", _agreed_before, "lot"),
        fault(LotNotFoundError, "of a lot that has gone", _gone, "lot"),
        fault(LotLockedError, "reserved for another", _reserved, "lot"),
        fault(LotBurdenedError, "of a frozen lot", _frozen, "lot"),
        fault(DeadlinePassedError, "at the end", _at(END), "time"),
    ),
    "early.receive": (
        fault(NotHolderError, "by another", _by("s2"), "by"),
        fault(MoveNotAllowedError, "never agreed", _only_offered, "lot"),
        fault(LotBurdenedError, "frozen since", _frozen, "lot"),
        fault(DeadlinePassedError, "at the end", _at(END), "time"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def _owed(world: World) -> int:
    return sum(row.outstanding for row in world.store.select(DEBTORS))


def test_a_receipt_discharges_so_much_and_the_rest_is_free_and_due_when_it_was() -> None:
    world, draft = good("early.receive")
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    (voucher,) = world.store.select(VOUCHERS)
    assert (voucher.status, voucher.discharged) == ("active", 60_000_000)
    assert _owed(world) == 40_000_000
    rest = lots_of(world)[f"{made.sid}.0"]
    assert (rest.amount, rest.status, rest.due_on) == (40_000_000, "free", "2025-12-19")
    assert [row.used for row in world.store.select(INVOICES)] == [100_000_000]
    verify_everything(world)


def test_a_voucher_that_is_paid_early_in_full_is_settled() -> None:
    world = cast_world()
    made = agreed_early(world, amount="100000000")
    world.do("s1", "early.receive", receipt(), re=made)
    assert [row.status for row in world.store.select(VOUCHERS)] == ["settled"]
    assert list(world.store.select(LOTS)) == []
    verify_everything(world)


def test_fr17_paying_somebody_who_does_not_hold_discharges_nothing() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    made = early(world, lot)
    world.transfer(lot, 100_000_000, by="s1", to="s2")
    for by, kind in (("s1", "early.consent"), ("s2", "early.consent"), ("s1", "early.receive")):
        refusal(
            world, Draft(by=by, kind=kind, body={} if "consent" in kind else receipt(), re=made)
        )
    assert _owed(world) == 100_000_000


def test_an_agreed_lot_goes_nowhere_until_time_is_over() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    made = agreed_early(world, lot)
    offer = Draft(by="s1", kind="transfer.offer", body=world.offer_body(lot, 5, "s2"))
    assert isinstance(refusal(world, offer), LotLockedError)
    world.advance(END)
    world.engine.submit([])
    assert [row.status for row in world.store.select(EARLY_PAYMENTS)] == ["lapsed"]
    world.transfer(lot, 5, by="s1", to="s2")
    late = Draft(by="s1", kind="early.receive", body=receipt(), re=made)
    assert isinstance(refusal(world, late), MoveNotAllowedError)
    verify_everything(world)


def test_an_offer_that_lapses_leaves_a_lot_alone_that_has_gone() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    early(world, lot)
    offer = world.offer(lot, 100_000_000, by="s1", to="s2")
    world.advance(END)
    world.engine.submit([])
    assert lots_of(world)[f"{offer}.0"].status == "offered"
    verify_everything(world)


# --- A debtor that acquires its own voucher ---------------------------------------------


def test_note15_a_debtor_that_acquires_its_own_voucher_owes_it_no_more() -> None:
    world = cast_world()
    offer = world.offer(f"{world.issue()}.0", 60_000_000, by="s1", to="core")
    assert _owed(world) == 100_000_000
    world.accept(offer, by="core")
    (voucher,) = world.store.select(VOUCHERS)
    assert (voucher.status, voucher.discharged) == ("active", 60_000_000)
    assert _owed(world) == 40_000_000
    assert {lot.holder for lot in world.store.select(LOTS)} == {world.ids["s1"]}
    verify_everything(world)


def test_note15_what_a_financier_gives_back_to_the_debtor_it_holds_no_more() -> None:
    world = cast_world()
    sold = world.transfer(f"{world.issue()}.0", 60_000_000, by="s1", to="factor", purpose="finance")
    assert [row.held for row in world.store.select(EXPOSURES)] == [60_000_000]
    offer = world.offer(f"{sold}.2", 60_000_000, by="factor", to="core")
    world.accept(offer, by="core")
    assert [row.held for row in world.store.select(EXPOSURES)] == [0]
    rest = world.offer(f"{sold}.1", 40_000_000, by="s1", to="core")
    world.accept(rest, by="core")
    assert [row.status for row in world.store.select(VOUCHERS)] == ["settled"]
    verify_everything(world)
