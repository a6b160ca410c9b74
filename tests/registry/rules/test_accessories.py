"""Accessory rights: declared, told of assignments, pro rata (SD-18, RG-24)."""

from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.accessory import cap_shares
from registry.burdens import ACCESSORIES
from registry.canonical import Json
from registry.encumbrance_refusals import (
    TooManyAccessoriesError,
)
from registry.errors import MalformedError
from registry.ids import lot_id
from registry.inboxes import NOTICES
from registry.model import LOTS, VOUCHERS, Lot
from registry.notice_refusals import InboxMissingError
from registry.refusals import (
    AlreadyJoinedError,
    TooManyRecipientsError,
    VoucherDueError,
    VoucherStatusError,
)
from registry.rules.accessories import ACCESSORIES_MAX, KINDS
from registry.tables import Minor, replace
from tests.builders import World, instant
from tests.encumbered import FILE, PROMISE, accessory_body
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, pending_voucher, verify_everything


def _withdrawn(world: World, draft: Draft) -> None:
    draft.re = pending_voucher(world)
    world.do("core", "voucher.withdraw", {}, re=draft.re)


def _due(_world: World, draft: Draft) -> None:
    draft.time = instant(date(2025, 12, 19), hour=0)


def _by_the_debtor(_world: World, draft: Draft) -> None:
    draft.by = "core"


def _many(world: World, draft: Draft) -> None:
    for _ in range(ACCESSORIES_MAX):
        world.do("s3", "accessory.attach", accessory_body("mortgage"), re=draft.re)


def _eight_told(world: World, draft: Draft) -> None:
    for number in range(7):
        name = f"guarantor {number}"
        world.admit(name, "participant", number=500 + number)
        world.designate(name)
        world.do(name, "accessory.attach", accessory_body(), re=draft.re)


def _without_a_promise(_world: World, draft: Draft) -> None:
    del draft.body["promise"]


def _promising(**terms: Json) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.body["promise"] = {**PROMISE, **terms}

    return make


def _without_inbox(world: World, draft: Draft) -> None:
    world.admit("new", "participant", number=901)
    draft.by = "new"


FAULTS = {
    "accessory.attach": (
        fault(
            MalformedError, "a promise of a mortgage", setting(right="mortgage"), "body", "world"
        ),
        fault(MalformedError, "no promise", _without_a_promise, "body", "world"),
        fault(MalformedError, "a time of `due`", _promising(minute=900), "body", "world"),
        fault(MalformedError, "no time", _promising(trigger="unpaid-at"), "body", "world"),
        fault(
            MalformedError,
            "a day without a time",
            _promising(trigger="unpaid-at", working_days_before=1),
            "body",
            "world",
        ),
        fault(VoucherStatusError, "withdrawn", _withdrawn, "world", "time"),
        fault(VoucherDueError, "due", _due, "time"),
        fault(AlreadyJoinedError, "by the debtor", _by_the_debtor, "by"),
        fault(TooManyAccessoriesError, "sixteen rights", _many, "world"),
        fault(TooManyRecipientsError, "eight are told", _eight_told, "world"),
        fault(InboxMissingError, "no inbox", _without_inbox, "by", "world"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_a_promise_is_kept_as_it_was_declared() -> None:
    # SD-09, SD-27: to the trust alone, if unpaid on the working day before at 15:00.
    world = cast_world()
    terms: dict[str, Json] = {"addressee": "trust", "trigger": "unpaid-at"}
    terms |= {"working_days_before": 1, "minute": 900}
    body = accessory_body("shortfall", "500") | {"promise": terms}
    world.do("factor", "accessory.attach", body, re=world.issue())
    (row,) = world.store.select(ACCESSORIES)
    assert (row.right, row.addressee, row.cap) == ("shortfall", "trust", 500)
    assert (row.trigger, row.working_days_before, row.minute) == ("unpaid-at", 1, 900)
    verify_everything(world)


def test_a_guarantor_is_told_of_every_assignment_and_a_mortgagor_is_not() -> None:
    world = cast_world()
    voucher = world.issue()
    world.do("s3", "accessory.attach", accessory_body(), re=voucher)
    world.do("s2", "accessory.attach", accessory_body("mortgage"), re=voucher)
    # A second promise by the same party is told of once.
    world.do("s3", "accessory.attach", accessory_body("shortfall", "1"), re=voucher)
    transfer = world.transfer(f"{voucher}.0", 5, by="s1", to="factor", purpose="finance")
    told = {row.notice: row.recipient for row in world.store.select(NOTICES)}
    assert told == {
        f"{transfer}.2!0": world.ids["core"],
        f"{transfer}.2!1": world.ids["s3"],
    }
    assert len(list(world.store.select(ACCESSORIES))) == 3
    verify_everything(world)


def test_a_guarantor_that_joins_the_debt_is_told_once() -> None:
    world = cast_world()
    voucher = world.issue()
    world.do("s3", "accessory.attach", accessory_body(), re=voucher)
    accede: dict[str, Any] = {"scope": "full", "addressee": "holders", "resolution": FILE}
    world.do("s3", "voucher.accede", accede, re=voucher)
    world.transfer(f"{voucher}.0", 5, by="s1", to="s2")
    told = [row.recipient for row in world.store.select(NOTICES)]
    assert told == [world.ids["core"], world.ids["s3"]]
    verify_everything(world)


def test_the_debtor_may_mortgage_something_for_its_own_debt() -> None:
    world = cast_world()
    draft = Draft(
        by="core", kind="accessory.attach", body=accessory_body("mortgage"), re=world.issue()
    )
    assert not isinstance(attempt(world, draft), Exception)
    (row,) = world.store.select(VOUCHERS)
    assert row.guarantors == ()


# --- Pro rata ---------------------------------------------------------------------------


def test_sd_18_caps_of_lots_add_up_to_the_cap() -> None:
    world = cast_world()
    world.transfer(f"{world.issue()}.0", 60_000_000, by="s1", to="s2")
    lots = list(world.store.select(LOTS))
    assert sorted(cap_shares(100_000_000, lots).values()) == [40_000_000, 60_000_000]
    assert sum(cap_shares(100_000_001, lots).values()) == 100_000_001


def test_no_lot_has_no_share() -> None:
    assert cap_shares(100, []) == {}


@cache
def _one_lot() -> Lot:
    world = cast_world()
    world.issue()
    return next(iter(world.store.select(LOTS)))


def _lots(amounts: list[int]) -> list[Lot]:
    one = _one_lot()
    return [
        replace(one, lot=lot_id(one.voucher, n), amount=Minor(amount))
        for n, amount in enumerate(amounts)
    ]


@given(st.integers(1, 10**15), st.lists(st.integers(1, 10**12), min_size=1, max_size=20))
def test_shares_follow_amounts_and_lose_nothing(cap: int, amounts: list[int]) -> None:
    lots = _lots(amounts)
    shares = cap_shares(cap, lots)
    assert sum(shares.values()) == cap
    whole = sum(amounts)
    assert all(abs(shares[lot.lot] * whole - cap * lot.amount) < whole for lot in lots)
    assert cap_shares(cap, lots[::-1]) == shares
