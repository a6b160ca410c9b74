"""Pledges: whose they are, when they arise, where the money goes."""

from datetime import date
from typing import Any

import pytest

from registry.burdens import FILINGS, PLEDGES, TASKS
from registry.canonical import Json
from registry.encumbrance_refusals import (
    AheadOfTimeError,
    LotBurdenedError,
    MoveNotAllowedError,
    NotPledgeeError,
    PledgeeRefusedError,
    RegistrationTermError,
)
from registry.entries import open_entry
from registry.errors import KeyRevokedError
from registry.model import LOTS, Lot
from registry.refusals import (
    AccountUnknownError,
    CalendarUnknownError,
    DeadlinePassedError,
    InsufficientHoldingError,
    LotLockedError,
    LotNotFoundError,
    NotHolderError,
    NotOwnerError,
    VoucherDueError,
)
from registry.rules.pledges import KINDS
from registry.stage_refusals import AlreadyStagedError
from tests.builders import DIGEST, World, instant, key_of
from tests.encumbered import (
    REGISTER_BY,
    external,
    freeze,
    pledge,
    pledge_body,
    registered_pledge,
)
from tests.faults import account_faults, cases, fault, setting, verify_refused, verify_rows
from tests.scenario import (
    Draft,
    attempt,
    cast_world,
    good,
    key_add,
    lots_of,
    refusal,
    verify_everything,
)
from tests.staged import stage


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _offered(world: World, draft: Draft) -> None:
    offer = world.offer(str(draft.body["lot"]), 70_000_000, by="s1", to="s2")
    draft.body["lot"] = f"{offer}.0"


def _frozen(world: World, draft: Draft) -> None:
    freeze(world, str(draft.body["lot"]))


def _pledged(world: World, draft: Draft) -> None:
    draft.body["lot"] = f"{pledge(world, str(draft.body['lot']))}.0"
    draft.body["amount"] = "5"


def _to(name: str) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body["pledgee"] = world.ids[name]

    return make


def _at(day: date) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.time = instant(day, hour=0)

    return make


def _frozen_meanwhile(world: World, draft: Draft) -> None:
    freeze(world, f"{draft.re}.0")


def _ahead(world: World, draft: Draft) -> None:
    draft.body["registered_at"] = world.time + 1


def _released(world: World, draft: Draft) -> None:
    world.do("factor", "pledge.release", {}, re=draft.re)


def _enforced(world: World, draft: Draft) -> None:
    world.do("factor", "pledge.enforce", draft.body, re=draft.re)


def _registered(world: World, draft: Draft) -> None:
    world.do("factor", "pledge.register", external(world), re=draft.re)


def _key_revoked(world: World, _draft: Draft) -> None:
    attempt(world, key_add(world, by="s1"))
    world.do("s1", "key.revoke", {"kid": world.keys["s1"].public.kid})
    world.keys["s1"] = key_of("further")
    world.engine.submit([])


ACCOUNT = tuple(each for each in account_faults("factor") if each.error is not NotOwnerError)


def _account_of_s3(world: World, draft: Draft) -> None:
    draft.body["account"] = world.accounts["s3"]


def _staged_of_s1(world: World, draft: Draft) -> None:
    """The pledgor leads the proceeds by way of another's account before it pledges."""
    stage(world, via="s3", onto="s1")
    draft.body["account"] = world.accounts["s1"]


FAULTS = {
    "pledge.create": (
        fault(LotNotFoundError, "no such lot", setting(lot=f"{DIGEST}.0"), "lot", "world"),
        fault(NotHolderError, "by another", _by("s3"), "by"),
        fault(LotLockedError, "an offered lot", _offered, "lot", "amount", "world"),
        fault(LotBurdenedError, "a frozen lot", _frozen, "lot", "world"),
        fault(LotBurdenedError, "a pledged lot", _pledged, "lot", "amount", "world"),
        fault(InsufficientHoldingError, "too much", setting(amount="100000001"), "amount", "lot"),
        fault(PledgeeRefusedError, "to itself", _to("s1"), "pledgee"),
        fault(PledgeeRefusedError, "to the debtor", _to("core"), "pledgee"),
        fault(PledgeeRefusedError, "to a supplier", _to("s3"), "pledgee"),
        fault(VoucherDueError, "due", _at(date(2025, 12, 19)), "register_by", "time", "world"),
        fault(DeadlinePassedError, "register by today", setting(register_by="2025-06-30"),
              "register_by"),
        fault(DeadlinePassedError, "register by the due date",
              setting(register_by="2025-12-19"), "register_by"),
        ACCOUNT[0],
        fault(NotOwnerError, "a third party's account", _account_of_s3, "account"),
        *ACCOUNT[1:],
        fault(AlreadyStagedError, "an account behind a stage", _staged_of_s1, "account", "world"),
    ),
    "pledge.register": (
        fault(NotPledgeeError, "by another pledgee", _by("trustee#T1"), "by"),
        fault(MoveNotAllowedError, "registered", _registered, "world"),
        fault(MoveNotAllowedError, "released", _released, "world"),
        fault(DeadlinePassedError, "too late", _at(date(2025, 7, 16)), "time", "world"),
        fault(KeyRevokedError, "the pledgor's key revoked", _key_revoked, "world"),
        fault(LotBurdenedError, "frozen meanwhile", _frozen_meanwhile, "world"),
        fault(AheadOfTimeError, "registered tomorrow", _ahead, "registered_at"),
        fault(RegistrationTermError, "for less than a month",
              setting(expires_on="2025-07-31"), "expires_on", "registered_at"),
        fault(RegistrationTermError, "for more than 30 years",
              setting(expires_on="2055-07-02"), "expires_on", "registered_at"),
        fault(DeadlinePassedError, "expired long ago",
              setting(registered_at=0, expires_on="1999-12-31"), "expires_on", "registered_at"),
        fault(CalendarUnknownError, "no calendar", setting(calendar="moon"), "calendar"),
    ),
    "pledge.enforce": (
        fault(NotPledgeeError, "by another pledgee", _by("trustee#T1"), "by"),
        fault(MoveNotAllowedError, "enforced", _enforced, "world"),
        fault(MoveNotAllowedError, "released", _released, "world"),
    ),
    "pledge.release": (
        fault(NotPledgeeError, "by another pledgee", _by("trustee#T1"), "by"),
        fault(MoveNotAllowedError, "released", _released, "world"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


# --- Numbering --------------------------------------------------------------------------


@pytest.mark.parametrize(("amount", "parts"), [("60000000", 2), ("100000000", 1)])
def test_a_pledge_burdens_its_part_and_leaves_the_rest_free(amount: str, parts: int) -> None:
    world = cast_world()
    made = pledge(world, amount=amount)
    lots = lots_of(world)
    assert (lots[f"{made}.0"].amount, lots[f"{made}.0"].burdens) == (int(amount), (made,))
    assert len(lots) == parts
    if parts == 2:
        assert (lots[f"{made}.1"].amount, lots[f"{made}.1"].burdens) == (40_000_000, ())
    verify_everything(world)


def test_the_remainder_is_sold_while_the_pledge_stands() -> None:
    world = cast_world()
    made, _ = registered_pledge(world)
    world.transfer(f"{made}.1", 40_000_000, by="s1", to="s2")
    assert refusal(
        world,
        Draft(by="s1", kind="transfer.offer", body=world.offer_body(f"{made}.0", 5, "s2")),
    ).facts == {"lot": f"{made}.0", "burden": made}
    verify_everything(world)


# --- Arising and ending -----------------------------------------------------------------


def lot_of(world: World, made: str) -> Lot:
    return lots_of(world)[f"{made}.0"]


def test_the_money_goes_to_the_pledges_account_from_its_registration_on() -> None:
    world = cast_world()
    made = pledge(world)
    assert (lot_of(world, made).account, lot_of(world, made).collection_route) == (
        world.accounts["s1"], True,
    )  # fmt: skip
    world.do("factor", "pledge.register", external(world), re=made)
    assert (lot_of(world, made).account, lot_of(world, made).collection_route) == (
        world.accounts["factor"], False,
    )  # fmt: skip
    world.do("factor", "pledge.release", {}, re=made)
    free = lot_of(world, made)
    assert (free.account, free.collection_route, free.burdens) == (world.accounts["s1"], True, ())
    assert free.holder == world.ids["s1"]
    world.transfer(free.lot, free.amount, by="s1", to="s2")
    verify_everything(world)


def test_an_account_of_the_pledgors_own_may_be_named() -> None:
    world = cast_world()
    made = pledge(world, account=world.accounts["s1"])
    world.do("factor", "pledge.register", external(world), re=made)
    assert lot_of(world, made).account == world.accounts["s1"]


def test_what_is_not_registered_in_time_lapses() -> None:
    world = cast_world()
    made = pledge(world)
    size = world.store.size()
    world.advance(instant(date(2025, 7, 16), hour=0))
    world.engine.submit([])
    assert open_entry(world.entries()[size + 1]).kind == "pledge.lapse"
    (row,) = world.store.select(PLEDGES)
    assert (row.status, lot_of(world, made).burdens) == ("lapsed", ())
    assert date(2025, 7, 15) == REGISTER_BY
    late = Draft(by="factor", kind="pledge.register", body=external(world), re=made)
    assert refusal(world, late).facts == {"of": made, "status": "lapsed", "to": "registered"}
    verify_everything(world)


def test_whoever_registered_has_to_deregister_within_ten_working_days() -> None:
    world = cast_world()
    made, registration = registered_pledge(world)
    released = world.do("factor", "pledge.release", {}, re=made).sid
    (task,) = world.store.select(TASKS)
    # RG-36: Tuesday 2025-07-01 and ten working days.
    assert (task.task, task.work, task.party, task.due_on, task.is_overdue) == (
        released, "deregister", world.ids["factor"], "2025-07-15", False,
    )  # fmt: skip
    (filing,) = world.store.select(FILINGS)
    assert (filing.filing, filing.subject, filing.status) == (registration, made, "standing")
    verify_everything(world)


def test_a_pending_pledge_leaves_nothing_to_deregister() -> None:
    world = cast_world()
    made = pledge(world)
    world.do("factor", "pledge.release", {}, re=made)
    assert list(world.store.select(TASKS)) == []
    world.advance(instant(date(2025, 7, 16), hour=0))
    world.engine.submit([])
    verify_everything(world)


# --- Attacks ----------------------------------------------------------------------------


def test_the_pledgor_cannot_release_what_it_pledged() -> None:
    world, draft = good("pledge.release")
    # As a supplier it lacks the role; as a financier it is still not the pledgee.
    draft.by = "s1"
    assert refusal(world, draft).code == "role-missing"
    world.admit("lender", "financier")
    draft.by = "lender"
    assert isinstance(refusal(world, draft), NotPledgeeError)


def test_an_unregistered_pledge_is_not_enforced() -> None:
    world = cast_world()
    made = pledge(world)
    body: dict[str, Json] = {"evidence": [{"digest": DIGEST, "name": "default.pdf"}]}
    draft = Draft(by="factor", kind="pledge.enforce", body=body, re=made)
    assert refusal(world, draft).facts == {"of": made, "status": "pending", "to": "enforced"}


def test_one_lot_is_not_pledged_twice() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    first = world.sign("s1", "pledge.create", pledge_body(world, lot, amount="100000000"))
    second = world.sign("s1", "pledge.create", pledge_body(world, lot, secured="1"))
    one, two = world.submit(first, second)
    assert not isinstance(one, Exception)
    assert isinstance(two, LotNotFoundError)
    made = world.sid_of(first)
    again = Draft(by="s1", kind="pledge.create", body=pledge_body(world, f"{made}.0"))
    assert isinstance(refusal(world, again), LotBurdenedError)
    assert [row.lot for row in world.store.select(LOTS)] == [f"{made}.0"]
    verify_everything(world)


def test_a_pledge_by_a_stolen_key_is_not_registered_after_its_revocation() -> None:
    world, draft = good("pledge.register")
    _key_revoked(world, draft)
    assert isinstance(refusal(world, draft), KeyRevokedError)


def test_no_account_that_nobody_knows() -> None:
    world, draft = good("pledge.create")
    draft.body["account"] = DIGEST
    assert isinstance(refusal(world, draft), AccountUnknownError)
