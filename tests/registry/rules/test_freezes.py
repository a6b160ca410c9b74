"""Judicial freezes: what a frozen lot cannot do, and what it takes to pay a court."""

from datetime import date
from typing import Any

import pytest

from registry.burdens import BURDENS_MAX, FREEZES
from registry.encumbrance_refusals import (
    FreezeNotFirstError,
    LotBurdenedError,
    MoveNotAllowedError,
    TooManyBurdensError,
)
from registry.entries import open_entry
from registry.model import ACCOUNTS, LOTS
from registry.refusals import (
    LotNotFoundError,
    NotBankError,
    NotDebtorError,
    RoleMissingError,
)
from registry.rules.freezes import KINDS
from tests.builders import DIGEST, World, instant, uscc
from tests.encumbered import RULING, court_body, freeze, ordered_freeze, registered_pledge
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.policies import FIVE
from tests.scenario import (
    Draft,
    attempt,
    cast_world,
    good,
    grant,
    lots_of,
    open_offer,
    refusal,
    verify_everything,
)


def _sixteen(world: World, draft: Draft) -> None:
    for _ in range(BURDENS_MAX):
        freeze(world, str(draft.body["lot"]))


def _lifted(world: World, draft: Draft) -> None:
    world.do("registrar", "lot.unfreeze", RULING, re=draft.re)


def _payable(world: World, draft: Draft) -> None:
    world.do("registrar", "lot.pay-to-court", court_body(world, "deduction"), re=draft.re)


def _behind_another(world: World, draft: Draft) -> None:
    (first,) = world.store.select(FREEZES)
    draft.re = freeze(world, first.lot)


def _by_s1(_world: World, draft: Draft) -> None:
    draft.by = "s1"


FAULTS = {
    "lot.freeze": (
        fault(LotNotFoundError, "no such lot", setting(lot=f"{DIGEST}.0"), "lot"),
        fault(TooManyBurdensError, "sixteen burdens", _sixteen, "lot"),
    ),
    "lot.unfreeze": (fault(MoveNotAllowedError, "lifted", _lifted, "world"),),
    "lot.pay-to-court": (
        fault(MoveNotAllowedError, "lifted", _lifted, "world"),
        fault(MoveNotAllowedError, "payable", _payable, "world"),
        fault(FreezeNotFirstError, "behind another freeze", _behind_another, "world"),
        fault(NotBankError, "no party", setting(bank=uscc(999)), "bank"),
    ),
    "lot.object": (
        fault(NotDebtorError, "by the holder", _by_s1, "by"),
        fault(MoveNotAllowedError, "lifted", _lifted, "world"),
        fault(MoveNotAllowedError, "payable", _payable, "world"),
    ),
}
# A lot that was discharged is shown by the tests of clearing.
DISCHARGED = LotNotFoundError


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    table = dict(FAULTS)
    first, second, *others = table["lot.pay-to-court"]
    gone = fault(DISCHARGED, "discharged", _lifted, "world")
    table["lot.pay-to-court"] = (first, second, gone, *others)
    verify_rows(KINDS, table)


def test_a_freeze_burdens_the_lot_and_moves_nothing() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    before = lots_of(world)[lot]
    made = freeze(world, lot)
    after = lots_of(world)[lot]
    assert after.burdens == (made,)
    assert (after.amount, after.holder, after.account) == (
        before.amount, before.holder, before.account,
    )  # fmt: skip
    world.do("registrar", "lot.unfreeze", RULING, re=made)
    assert lots_of(world)[lot] == before
    verify_everything(world)


def test_freezes_of_one_lot_stand_in_their_order_and_are_lifted_one_by_one() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    first, second, third = (freeze(world, lot) for _ in range(3))
    assert lots_of(world)[lot].burdens == (first, second, third)
    waits = Draft(by="registrar", kind="lot.pay-to-court", body=court_body(world), re=second)
    assert refusal(world, waits).facts["first"] == first
    world.do("registrar", "lot.unfreeze", RULING, re=first)
    assert lots_of(world)[lot].burdens == (second, third)
    assert not isinstance(attempt(world, waits), Exception)
    verify_everything(world)


def test_a_freeze_behind_a_pledge_is_the_first_freeze() -> None:
    world = cast_world()
    made, _ = registered_pledge(world)
    frozen = freeze(world, f"{made}.0")
    assert lots_of(world)[f"{made}.0"].burdens == (made, frozen)
    world.do("registrar", "lot.pay-to-court", court_body(world, "deduction"), re=frozen)
    # The pledgee gives way; the freeze does not.
    world.do("factor", "pledge.release", {}, re=made)
    assert lots_of(world)[f"{made}.0"].burdens == (frozen,)
    verify_everything(world)


# --- Paying the court -------------------------------------------------------------------


def _row(world: World) -> Any:
    (row,) = world.store.select(FREEZES)
    return row


def test_against_a_notice_the_debtor_has_fifteen_days() -> None:
    world = cast_world()
    made = ordered_freeze(world)
    row = _row(world)
    # 2025-07-01 and 15 days: by the end of 2025-07-16.
    assert (row.status, row.objection_ends) == ("ordered", instant(date(2025, 7, 17), hour=0))
    world.advance(row.objection_ends - 1)
    world.engine.submit([])
    assert _row(world).status == "ordered"
    size = world.store.size()
    world.advance(row.objection_ends)
    world.engine.submit([])
    assert [open_entry(data).kind for data in world.entries()[size + 1 :]] == ["lot.court-final"]
    assert (_row(world).status, _row(world).bank) == ("payable", world.ids["bank"])
    late = Draft(by="core", kind="lot.object", body={"terms": DIGEST}, re=made)
    assert isinstance(refusal(world, late), MoveNotAllowedError)
    verify_everything(world)


def test_an_objection_ends_the_order_and_leaves_the_freeze() -> None:
    world, draft = good("lot.object")
    assert not isinstance(attempt(world, draft), Exception)
    row = _row(world)
    assert (row.status, row.bank, row.account, row.objection_ends) == ("frozen", None, None, None)
    assert next(iter(world.store.select(LOTS))).burdens == (draft.re,)
    world.advance(instant(date(2025, 8, 1)))
    world.engine.submit([])
    assert _row(world).status == "frozen"
    verify_everything(world)


def test_a_deduction_needs_no_time_to_object() -> None:
    world = cast_world()
    ordered_freeze(world, basis="deduction")
    assert (_row(world).status, _row(world).objection_ends) == ("payable", None)
    verify_everything(world)


def test_a_deduction_may_follow_a_notice() -> None:
    world = cast_world()
    made = ordered_freeze(world)
    world.do("registrar", "lot.pay-to-court", court_body(world, "deduction"), re=made)
    assert _row(world).status == "payable"
    world.advance(instant(date(2025, 8, 1)))
    world.engine.submit([])
    verify_everything(world)


def test_lifting_the_freeze_ends_the_order_too() -> None:
    world = cast_world()
    made = ordered_freeze(world)
    world.do("registrar", "lot.unfreeze", RULING, re=made)
    world.advance(instant(date(2025, 8, 1)))
    world.engine.submit([])
    assert _row(world).status == "lifted"
    verify_everything(world)


# --- Attacks ----------------------------------------------------------------------------


def test_a_lot_that_was_offered_before_its_freeze_is_not_sold_after_it() -> None:
    world = cast_world()
    offer = open_offer(world)
    made = freeze(world, f"{offer}.0")
    accept = Draft(
        by="s2",
        kind="transfer.accept",
        body={"account": world.accounts["s2"], "collection_route": True},
        re=offer,
    )
    assert refusal(world, accept).facts == {"lot": f"{offer}.0", "burden": made}
    # Withdrawn, the lot is its holder's and still frozen.
    world.do("s1", "transfer.withdraw", {}, re=offer)
    again = Draft(by="s1", kind="transfer.offer", body=world.offer_body(f"{offer}.0", 5, "s2"))
    assert isinstance(refusal(world, again), LotBurdenedError)
    assert lots_of(world)[f"{offer}.0"].burdens == (made,)
    verify_everything(world)


def test_a_standing_consent_takes_no_frozen_lot() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    body: dict[str, Any] = {
        "purpose": "settle",
        "account": world.accounts["s2"],
        "collection_route": True,
    }
    world.do("s2", "consent.grant", body)
    freeze(world, lot)
    draft = Draft(by="s1", kind="transfer.offer", body=world.offer_body(lot, 5, "s2"))
    assert isinstance(refusal(world, draft), LotBurdenedError)


def test_silence_accepts_no_frozen_lot() -> None:
    world = cast_world()
    grant(world, silence=dict(FIVE))
    offer = open_offer(world)
    made = freeze(world, f"{offer}.0")
    size = world.store.size()
    world.advance(instant(date(2025, 7, 10)))
    world.engine.submit([])
    (entry,) = (open_entry(data) for data in world.entries()[size + 1 :])
    changes: Any = entry.effects["changes"]
    assert [(change["effect"], change["end"]) for change in changes] == [
        ("offer-silence-ended", "lot-burdened")
    ]
    assert lots_of(world)[f"{offer}.0"].burdens == (made,)
    verify_everything(world)


@pytest.mark.parametrize("by", ["operator", "bank", "factor", "core", "s2"])
def test_nobody_but_the_registrar_freezes(by: str) -> None:
    world, draft = good("lot.freeze")
    draft.by = by
    assert isinstance(refusal(world, draft), RoleMissingError)


def test_a_frozen_account_freezes_no_lot() -> None:
    world, draft = good("account.freeze")
    lot = f"{world.issue()}.0"
    assert lots_of(world)[lot].account == draft.re
    assert not isinstance(attempt(world, draft), Exception)
    assert lots_of(world)[lot].burdens == ()
    account = next(row for row in world.store.select(ACCOUNTS) if row.account == draft.re)
    assert (account.frozen, account.verified) == (True, True)
    world.transfer(lot, 5, by="s1", to="s2")
    assert list(world.store.select(FREEZES)) == []
    verify_everything(world)
