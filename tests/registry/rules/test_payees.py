"""A lot's payee account changes by its holder, is held, and freezes near the due date."""

from datetime import date, timedelta
from typing import Any

import pytest

from registry.canonical import Json
from registry.encumbrance_refusals import LotBurdenedError
from registry.engine import Outcome, Sealed
from registry.errors import RegistryError
from registry.people_refusals import PayeeFrozenError
from registry.refusals import LotLockedError, LotNotFoundError, NotHolderError, VoucherDueError
from registry.rules.payees import HOLD_MS, KINDS
from tests.builders import DIGEST, World, instant
from tests.encumbered import registered_pledge
from tests.faults import account_faults, cases, fault, setting, verify_refused, verify_rows
from tests.people import approve, done, rule, say, staffed
from tests.scenario import Draft, attempt, cast_world, lots_of, refusal, verify_everything
from tests.staffed import FILE

DUE = date(2025, 12, 19)


def _offered(world: World, draft: Draft) -> None:
    offer = world.offer(str(draft.body["lot"]), 60_000_000, by="s1", to="s2")
    draft.body["lot"] = f"{offer}.0"


def _pledged(world: World, draft: Draft) -> None:
    pledge, _ = registered_pledge(world, str(draft.body["lot"]))
    draft.body["lot"] = f"{pledge}.0"


def _by_s3(_world: World, draft: Draft) -> None:
    draft.by = "s3"


def _on(day: date) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.time = instant(day)

    return make


FAULTS = {
    "payee.change": (
        fault(LotNotFoundError, "no lot", setting(lot=f"{DIGEST}.0"), "lot"),
        fault(NotHolderError, "another holder", _by_s3, "by"),
        fault(LotLockedError, "offered", _offered, "lot", "time"),
        fault(LotBurdenedError, "pledged", _pledged, "lot", "time", "by"),
        *account_faults("s1"),
        fault(VoucherDueError, "on the due date", _on(DUE), "time"),
        fault(PayeeFrozenError, "on T-3", _on(DUE - timedelta(days=3)), "time"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def change(
    world: World, lot: str, *, person: str = "", members: dict[str, Json] | None = None
) -> Outcome:
    """Changes the account of a lot of s1's to its newest."""
    body: dict[str, Json] = {"lot": lot, "account": world.accounts["s1"], **(members or {})}
    return say(world, "s1", "payee.change", body, person=person)


def test_a_change_and_a_transfer_within_24_hours_are_held() -> None:
    # FR-12: account change + transfer within 24h => hold.
    world = cast_world()
    lot = f"{world.issue()}.0"
    account = world.bank_account("s1")
    done(change(world, lot))
    assert (lots_of(world)[lot].account, lots_of(world)[lot].status) == (account, "held")
    offer = Draft(by="s1", kind="transfer.offer", body=world.offer_body(lot, 5, "s2"))
    assert isinstance(refusal(world, offer), LotLockedError)
    world.advance(world.time + HOLD_MS - 1)
    world.engine.submit([])
    assert isinstance(refusal(world, offer), LotLockedError)
    world.advance(world.time + 1)
    world.engine.submit([])
    assert not isinstance(attempt(world, offer), RegistryError)
    verify_everything(world)


@pytest.mark.parametrize(("day", "fits"), [(date(2025, 12, 15), True), (date(2025, 12, 16), False)])
def test_one_person_changes_an_account_until_the_window_begins(day: date, fits: bool) -> None:
    # FR-13: freeze window T-3..T.
    world = cast_world()
    lot = f"{world.issue()}.0"
    world.bank_account("s1")
    world.advance(instant(day))
    called: list[dict[str, Json]] = [{}, {"callback": FILE}]
    for callback in called:
        outcome = change(world, lot, members=callback)
        assert isinstance(outcome, Sealed if fits else PayeeFrozenError)
        if fits:
            break
    verify_everything(world)


def test_two_people_change_an_account_in_the_window_after_a_callback() -> None:
    # FR-13: change in window => reject unless dual + callback.
    world = cast_world()
    lot = f"{world.issue()}.0"
    account = world.bank_account("s1")
    staffed(world, "s1", rule("payee.change"))
    world.advance(instant(date(2025, 12, 18), hour=1))
    assert isinstance(change(world, lot, person="ma"), PayeeFrozenError)
    made = done(change(world, lot, person="ma", members={"callback": FILE}))
    assert lots_of(world)[lot].account != account
    done(approve(world, "s1", made.sid, person="chen"))
    assert lots_of(world)[lot].account == account
    # On the due date the lot is still held; its release finds it as it is.
    world.advance(instant(date(2025, 12, 19), hour=10))
    world.engine.submit([])
    assert lots_of(world)[lot].status == "free"
    verify_everything(world)


def test_a_change_that_waits_into_the_due_date_is_not_approved() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    world.bank_account("s1")
    staffed(world, "s1", rule("payee.change"))
    world.advance(instant(date(2025, 12, 18), hour=10))
    made = done(change(world, lot, person="ma", members={"callback": FILE}))
    world.advance(instant(date(2025, 12, 19), hour=1))
    assert isinstance(approve(world, "s1", made.sid, person="chen"), VoucherDueError)
    verify_everything(world)
