"""What each step of a financing brings, in each order, form of payment and mode."""

from datetime import date
from typing import Any

import pytest

from registry.burdens import TASKS
from registry.canonical import Json
from registry.credit import EXPOSURES
from registry.dealing_refusals import (
    BillNotHonouredError,
    FinancingRequiredError,
    StepMissingError,
    TermsDifferError,
)
from registry.dealings import FINANCINGS, Financing
from registry.encumbrance_refusals import (
    MoveNotAllowedError,
)
from registry.errors import MalformedError, RegistryError
from registry.inboxes import NOTICES
from registry.refusals import (
    LotNotFoundError,
)
from tests.builders import World, instant, uscc
from tests.dealings import (
    PAID,
    SIGNED,
    apply,
    apply_body,
    contracted,
    quote_body,
    quoted,
    receipt,
    stated,
)
from tests.encumbered import FILE, cancel_body, external, search_body
from tests.scenario import Draft, attempt, cast_world, lots_of, refusal, verify_everything

END = instant(date(2025, 10, 1), hour=0)
"""The end of the last day."""
OTHER = "A" * 42 + "E"


def _row(world: World, financing: str) -> Financing:
    (row,) = (row for row in world.store.select(FINANCINGS) if row.financing == financing)
    return row


# --- What each step brings --------------------------------------------------------------


def _done(world: World, financing: str) -> tuple[str, tuple[str, ...]]:
    row = _row(world, financing)
    return row.status, row.done


def test_an_application_binds_nobody_and_the_lot_stays_free() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    first, second = quoted(world, lot), apply(world, lot)
    assert lots_of(world)[lot].status == "free"
    world.do("s1", "financing.contract", SIGNED, re=first)
    lots = lots_of(world)
    reserved = _row(world, first).lot
    assert (lots[reserved].status, lots[reserved].amount) == ("reserved", 60_000_000)
    assert lots[reserved.replace(".0", ".1")].amount == 40_000_000
    world.do("factor", "financing.quote", quote_body(world), re=second)
    late = Draft(by="s1", kind="financing.contract", body=dict(SIGNED), re=second)
    assert isinstance(refusal(world, late), LotNotFoundError)
    verify_everything(world)


def test_without_a_policy_the_claim_passes_with_the_receipt_and_every_debtor_is_told() -> None:
    world = cast_world()
    made = stated(world)
    assert _done(world, made) == ("contracted", ())
    assert not list(world.store.select(NOTICES))
    world.do("s1", "financing.receive", receipt(), re=made)
    row = _row(world, made)
    assert (row.status, row.done) == ("completed", ("pay", "title"))
    lot = lots_of(world)[row.lot]
    assert (lot.holder, lot.lot, lot.tier) == (world.ids["factor"], f"{row.contract}.2", 1)
    assert (lot.acquired, lot.status, lot.recourse) == (row.contract, "free", False)
    assert [notice.transfer for notice in world.store.select(NOTICES)] == [row.contract]
    assert [each.held for each in world.store.select(EXPOSURES)] == [60_000_000]
    verify_everything(world)


ORDERS: dict[tuple[str, ...], list[tuple[str, str, tuple[str, ...]]]] = {
    ("register", "pay", "title"): [
        ("register", "contracted", ("register",)),
        ("pay", "completed", ("register", "pay", "title")),
    ],
    ("register", "title", "pay"): [
        ("register", "transferred", ("register", "title")),
        ("pay", "completed", ("register", "title", "pay")),
    ],
    ("pay", "title", "register"): [
        ("pay", "transferred", ("pay", "title")),
        ("register", "completed", ("pay", "title", "register")),
    ],
    ("title", "register", "pay"): [
        ("register", "transferred", ("title", "register")),
        ("pay", "completed", ("title", "register", "pay")),
    ],
    ("title", "pay", "register"): [
        ("pay", "transferred", ("title", "pay")),
        ("register", "completed", ("title", "pay", "register")),
    ],
    ("pay", "title"): [("pay", "completed", ("pay", "title"))],
    ("title", "pay"): [("pay", "completed", ("title", "pay"))],
}


def _take(world: World, financing: str, step: str) -> None:
    if step == "register":
        world.do("factor", "financing.register", external(world), re=financing)
        return
    world.do("factor", "financing.pay", PAID, re=financing)
    world.do("s1", "financing.receive", receipt(), re=financing)


@pytest.mark.parametrize("order", ORDERS)
def test_title_passes_with_the_step_before_it_in_the_policys_order(order: tuple[str, ...]) -> None:
    world = cast_world()
    world.enforce(financing={"order": [*order]})
    made = contracted(world)
    holder = world.ids["factor" if order[0] == "title" else "s1"]
    assert lots_of(world)[_row(world, made).lot].holder == holder
    for step, status, done in ORDERS[order]:
        later = [other for other, _, _ in ORDERS[order] if other not in (*done, step)]
        for other in later:
            found = refusal(world, _step_of(world, made, other))
            assert isinstance(found, StepMissingError)
            assert found.facts["missing"] == step
        _take(world, made, step)
        assert _done(world, made) == (status, done)
    assert lots_of(world)[_row(world, made).lot].holder == world.ids["factor"]
    verify_everything(world)


def _step_of(world: World, financing: str, step: str) -> Draft:
    if step == "register":
        body = external(world)
        return Draft(by="factor", kind="financing.register", body=body, re=financing)
    return Draft(by="factor", kind="financing.pay", body=dict(PAID), re=financing)


@pytest.mark.parametrize(
    "order",
    [["pay", "pay"], ["register", "title"], ["pay", "register", "title"], ["pay", "title", "pay"]],
)
def test_no_policy_has_an_order_in_which_the_claim_could_be_kept_back(order: list[Json]) -> None:
    world = cast_world()
    with pytest.raises(MalformedError):
        world.enforce(financing={"order": order})


def test_an_order_stays_as_it_was_when_both_signed() -> None:
    world = cast_world()
    made = contracted(world)
    world.enforce(financing={"order": ["register", "pay", "title"]})
    _take(world, made, "pay")
    assert _done(world, made) == ("completed", ("pay", "title"))
    verify_everything(world)


def test_note13_the_search_is_the_financiers_own_over_every_assignor_and_new() -> None:
    world = cast_world()
    world.enforce(financing={"order": ["pay", "title"], "search_days": 3})
    lot = f"{world.transfer(f'{world.issue()}.0', 100_000_000, by='s1', to='s2')}.2"
    body = apply_body(world, lot, account=world.accounts["s2"])
    made = world.do("s2", "financing.apply", body).sid
    world.do("factor", "financing.quote", quote_body(world), re=made)
    sign = Draft(by="s2", kind="financing.contract", body=dict(SIGNED), re=made)
    missing = refusal(world, sign)
    assert (missing.facts["step"], missing.facts["missing"]) == ("contract", "search")
    world.do("s2", "registration.search", search_body(world, lot, "s1", "s2"))
    assert isinstance(refusal(world, sign), StepMissingError)
    old = search_body(world, lot, "s1", "s2")
    certificates: Any = old["certificates"]
    certificates[0]["searched_at"] = world.time - 3 * 86_400_000 - 1
    world.do("factor", "registration.search", old)
    assert isinstance(refusal(world, sign), StepMissingError)
    search = world.do("factor", "registration.search", search_body(world, lot, "s1", "s2")).sid
    assert not isinstance(attempt(world, sign), RegistryError)
    assert _row(world, made).search == search
    verify_everything(world)


def test_a_policy_can_have_no_sale_for_money_but_by_a_financing() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    world.enforce(financing={"order": ["pay", "title"], "exclusive": True})
    body = world.offer_body(lot, 5, "factor", purpose="finance")
    offer = Draft(by="s1", kind="transfer.offer", body=body)
    assert isinstance(refusal(world, offer), FinancingRequiredError)
    world.transfer(lot, 5, by="s1", to="s2")
    verify_everything(world)


# --- Ends -------------------------------------------------------------------------------


def test_time_frees_what_was_reserved_and_who_only_says_that_it_paid_has_nothing() -> None:
    world = cast_world()
    made = stated(world)
    world.advance(END)
    world.engine.submit([])
    row = _row(world, made)
    assert row.status == "expired"
    assert (lots_of(world)[row.lot].holder, lots_of(world)[row.lot].status) == (
        world.ids["s1"],
        "free",
    )
    late = Draft(by="s1", kind="financing.receive", body=receipt(), re=made)
    assert isinstance(refusal(world, late), MoveNotAllowedError)
    verify_everything(world)


def test_the_bank_confirms_what_the_applicant_would_rather_not_have_received() -> None:
    world = cast_world()
    made = stated(world)
    world.do("bank", "financing.receive", receipt(), re=made)
    assert _done(world, made) == ("completed", ("pay", "title"))
    verify_everything(world)


def test_a_registration_before_an_end_stands_until_it_is_cancelled() -> None:
    world = cast_world()
    made = contracted(world)
    filing = world.do("factor", "financing.register", external(world), re=made).sid
    world.advance(END)
    world.engine.submit([])
    assert _row(world, made).status == "expired"
    (task,) = world.store.select(TASKS)
    assert (task.work, task.party, task.due_on) == (
        "deregister",
        world.ids["factor"],
        "2025-10-21",
    )
    world.do("factor", "registration.cancel", cancel_body(world), re=filing)
    assert list(world.store.select(TASKS)) == []
    verify_everything(world)


# --- Forms of payment -------------------------------------------------------------------


def test_sd62_a_bill_with_a_clause_of_discharge_is_payment_when_it_is_delivered() -> None:
    world = cast_world()
    made = contracted(world, payment="bill-with-discharge-clause")
    paid: dict[str, Json] = {**PAID, "form": "bill-with-discharge-clause"}
    world.do("factor", "financing.pay", paid, re=made)
    world.do("s1", "financing.receive", receipt(), re=made)
    assert _done(world, made) == ("completed", ("pay", "title"))
    verify_everything(world)


def test_sd62_a_bare_bill_is_payment_when_it_is_honoured() -> None:
    world = cast_world()
    made = contracted(world, payment="bill")
    world.do("factor", "financing.pay", {**PAID, "form": "bill"}, re=made)
    delivered = Draft(by="s1", kind="financing.receive", body=receipt(), re=made)
    assert isinstance(refusal(world, delivered), BillNotHonouredError)
    assert _done(world, made) == ("contracted", ())
    world.do("s1", "financing.receive", {**receipt(), "honoured": True}, re=made)
    assert _done(world, made) == ("completed", ("pay", "title"))
    verify_everything(world)


def test_el04_a_third_party_that_pays_is_named() -> None:
    world = cast_world()
    made = contracted(world, payment="third-party")
    paid: dict[str, Json] = {**PAID, "form": "third-party"}
    unnamed = Draft(by="factor", kind="financing.pay", body=paid, re=made)
    assert isinstance(refusal(world, unnamed), MalformedError)
    world.do("factor", "financing.pay", {**paid, "payer": uscc(999)}, re=made)
    assert _row(world, made).payer == uscc(999)
    verify_everything(world)


# --- Modes ------------------------------------------------------------------------------


def test_sd06_in_reverse_the_debtors_word_to_the_financier_comes_first() -> None:
    world = cast_world()
    made = quoted(world, mode="reverse")
    sign = Draft(by="s1", kind="financing.contract", body=dict(SIGNED), re=made)
    assert refusal(world, sign).facts["missing"] == "confirm"
    word = world.do("core", "financing.confirm", {"document": FILE}, re=made).sid
    assert not isinstance(attempt(world, sign), RegistryError)
    assert _row(world, made).confirmed == word
    verify_everything(world)


def test_in_agency_the_vehicle_has_the_claim_of_the_supplier_which_is_paid_afterwards() -> None:
    world = cast_world()
    vehicle = world.ids["trustee#T1"]
    consent: dict[str, Json] = {
        "purpose": "securitise",
        "account": world.accounts["trustee#T1"],
        "collection_route": True,
        "assignors": [world.ids["s1"]],
    }
    world.do("trustee#T1", "consent.grant", consent)
    made = contracted(world, mode="agency", vehicle=vehicle)
    row = _row(world, made)
    assert (row.status, row.done, row.order) == ("transferred", ("title",), ("title", "pay"))
    lot = lots_of(world)[row.lot]
    assert (lot.holder, lot.path) == (vehicle, (world.ids["s1"], vehicle))
    assert lot.account == world.accounts["trustee#T1"]
    # The agent never held it.
    assert list(world.store.select(EXPOSURES)) == []
    _take(world, made, "pay")
    assert _done(world, made) == ("completed", ("title", "pay"))
    verify_everything(world)


def test_an_ordinary_receivable_is_registered_first_and_the_applicant_answers() -> None:
    world = cast_world()
    world.enforce(financing={"order": ["title", "pay"]})
    made = contracted(world, mode="ordinary", recourse=True)
    early = Draft(by="factor", kind="financing.pay", body=dict(PAID), re=made)
    assert refusal(world, early).facts["missing"] == "register"
    _take(world, made, "register")
    _take(world, made, "pay")
    assert _done(world, made) == ("completed", ("register", "pay", "title"))
    assert lots_of(world)[_row(world, made).lot].recourse
    verify_everything(world)


def test_sd71_forward_with_recourse_is_a_lot_with_recourse() -> None:
    world = cast_world()
    made = contracted(world, recourse=True)
    _take(world, made, "pay")
    assert lots_of(world)[_row(world, made).lot].recourse
    verify_everything(world)


def test_a_further_quote_takes_the_place_of_the_one_before() -> None:
    world = cast_world()
    made = quoted(world)
    world.do("factor", "financing.quote", quote_body(world, terms=OTHER), re=made)
    stale = Draft(by="s1", kind="financing.contract", body=dict(SIGNED), re=made)
    assert isinstance(refusal(world, stale), TermsDifferError)
    world.do("s1", "financing.contract", {**SIGNED, "terms": OTHER}, re=made)
    verify_everything(world)
