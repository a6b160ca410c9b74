"""Offers: what may be offered to whom, and how a lot splits."""

from datetime import date
from typing import Any

import pytest

from registry.canonical import Json
from registry.dealing_refusals import FinancingRequiredError
from registry.encumbrance_refusals import (
    LotBurdenedError,
)
from registry.errors import MalformedError, RegistryError
from registry.model import DEADLINES
from registry.refusals import (
    AssigneeRefusedError,
    BlackoutError,
    ChainTooLongError,
    DeadlinePassedError,
    InsufficientHoldingError,
    LotLockedError,
    LotNotFoundError,
    LotTooSmallError,
    NotHolderError,
    RecourseRefusedError,
    TermUnjustifiedError,
    TooManyPartsError,
    VoucherDueError,
)
from registry.rules.transfers import KINDS
from tests.builders import DIGEST, World, instant, uscc
from tests.encumbered import freeze
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, lots_of, refusal, verify_everything

DUE = instant(date(2025, 12, 19), hour=0)


def _consumed(world: World, draft: Draft) -> None:
    world.offer(str(draft.body["lot"]), 1, by="s1", to="s3")


def _never_made(_world: World, draft: Draft) -> None:
    draft.body["lot"] = str(draft.body["lot"])[:-1] + "7"


def _locked(world: World, draft: Draft) -> None:
    draft.body["lot"] = f"{world.offer(str(draft.body['lot']), 60_000_000, by='s1', to='s3')}.0"


def _by_another(_world: World, draft: Draft) -> None:
    draft.by = "factor"


def _to(name: str, **members: Json) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body |= {"assignee": world.ids[name], **members}

    return make


def _to_a_co_debtor(world: World, draft: Draft) -> None:
    body: dict[str, Json] = {
        "scope": "full",
        "addressee": "holders",
        "resolution": {"digest": DIGEST, "name": "resolution.pdf"},
    }
    world.do("s3", "voucher.accede", body, re=str(draft.body["lot"])[:43])
    draft.body["assignee"] = world.ids["s3"]


def _on_the_due_date(_world: World, draft: Draft) -> None:
    draft.time = DUE


def _assigned_64_times(world: World, draft: Draft) -> None:
    sides = ["s1", "s3"]
    lot = str(draft.body["lot"])
    for _ in range(64):
        lot = f"{world.transfer(lot, 60_000_000, by=sides[0], to=sides[1])}.2"
        sides.reverse()
    draft.body["lot"] = lot


def _frozen(world: World, draft: Draft) -> None:
    freeze(world, str(draft.body["lot"]))


def _accept_by_t_minus_2(world: World, draft: Draft) -> None:
    world.enforce(blackout={"calendar": "CN-LEGAL", "working_days": 2})
    draft.body["accept_by"] = "2025-12-17"


def _with_recourse(world: World, draft: Draft) -> None:
    world.enforce(no_recourse=True)
    draft.body["recourse"] = True


def _a_crumb(world: World, draft: Draft) -> None:
    world.enforce(splitting={"min_lot": "10000"})
    draft.body["amount"] = "9999"


def _cut_before(world: World, draft: Draft) -> None:
    world.enforce(splitting={"max_children": 2})
    draft.body["lot"] = f"{world.offer(str(draft.body['lot']), 10_000_000, by='s1', to='s3')}.1"


def _long_term(world: World, draft: Draft) -> None:
    tenor: dict[str, Json] = {"hard_months": 12, "soft_months": 1, "justification": "financing"}
    world.enforce(tenor=tenor)
    lot = f"{world.issue()}.0"
    draft.body |= {
        "lot": lot, "assignee": world.ids["factor"], "purpose": "finance", "terms": DIGEST,
    }  # fmt: skip


def _for_money(world: World, draft: Draft) -> None:
    world.enforce(financing={"order": ["pay", "title"], "exclusive": True})
    draft.body |= {"assignee": world.ids["factor"], "purpose": "finance", "terms": DIGEST}


FAULTS = {
    "transfer.offer": (
        fault(LotNotFoundError, "a consumed lot", _consumed, "lot"),
        fault(LotNotFoundError, "no lot", _never_made, "lot"),
        fault(NotHolderError, "another's lot", _by_another, "by"),
        fault(LotLockedError, "a lot on offer", _locked, "lot"),
        fault(LotBurdenedError, "a frozen lot", _frozen, "lot"),
        fault(InsufficientHoldingError, "too much", setting(amount="100000001"), "amount"),
        fault(AssigneeRefusedError, "to itself", _to("s1"), "assignee", "by"),
        fault(AssigneeRefusedError, "to a co-debtor", _to_a_co_debtor, "assignee", "lot"),
        fault(AssigneeRefusedError, "to nobody", setting(assignee=uscc(999)), "assignee"),
        fault(AssigneeRefusedError, "settling with a bank", _to("bank"), "assignee"),
        fault(AssigneeRefusedError, "settling with a financier", _to("factor"), "assignee"),
        fault(AssigneeRefusedError, "settling with a vehicle", _to("trustee#T1"), "assignee"),
        fault(
            AssigneeRefusedError,
            "financed by a supplier",
            _to("s2", purpose="finance", terms=DIGEST),
            "assignee",
        ),
        fault(
            AssigneeRefusedError,
            "securitised by the trustee itself",
            _to("trustee", purpose="securitise", form="sale-to-plan", terms=DIGEST),
            "assignee",
        ),
        fault(MalformedError, "a form to settle", setting(form="sale-to-plan"), "assignee"),
        fault(
            MalformedError,
            "securitised without form",
            _to("trustee#T1", purpose="securitise", terms=DIGEST),
            "assignee",
        ),
        fault(
            MalformedError, "financed without terms", _to("factor", purpose="finance"),
            "assignee", "by",
        ),
        fault(VoucherDueError, "on the due date", _on_the_due_date, "time"),
        fault(DeadlinePassedError, "accept by yesterday", setting(accept_by="2025-06-30"), "until"),
        fault(DeadlinePassedError, "accept by due date", setting(accept_by="2025-12-19"), "until"),
        fault(DeadlinePassedError, "accept by last date", setting(accept_by="9999-12-31"), "until"),
        fault(BlackoutError, "accept by T-2bd", _accept_by_t_minus_2, "until"),
        fault(RecourseRefusedError, "recourse", _with_recourse, "recourse"),
        fault(LotTooSmallError, "a crumb", _a_crumb, "amount"),
        fault(TooManyPartsError, "a third part", _cut_before, "lot"),
        fault(ChainTooLongError, "the 65th assignment", _assigned_64_times, "lot"),
        fault(FinancingRequiredError, "money without a financing", _for_money, "assignee"),
        fault(TermUnjustifiedError, "a long term financed", _long_term, "lot", "assignee"),
    )
}  # fmt: skip


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


@pytest.mark.parametrize("amount", [1, 60_000_000, 99_999_999])
def test_an_offer_conserves_the_lot(amount: int) -> None:
    world, draft = good("transfer.offer")
    draft.body["amount"] = str(amount)
    (before,) = lots_of(world).values()
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    after = lots_of(world)
    offered, rest = after[f"{made.sid}.0"], after[f"{made.sid}.1"]
    assert len(after) == 2
    assert (offered.amount, rest.amount) == (amount, before.amount - amount)
    assert (offered.status, rest.status) == ("offered", "free")
    assert offered.holder == rest.holder == before.holder
    assert (offered.path, rest.path) == (before.path, before.path)
    verify_everything(world)


def test_an_offer_of_the_whole_lot_leaves_no_remainder() -> None:
    world, draft = good("transfer.offer")
    draft.body["amount"] = "100000000"
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    assert list(lots_of(world)) == [f"{made.sid}.0"]
    verify_everything(world)


def test_offers_of_one_lot_chain_over_its_remainders_in_one_batch() -> None:
    world = cast_world()
    voucher = world.issue()
    lot, texts = f"{voucher}.0", []
    for _ in range(10):
        texts.append(world.sign("s1", "transfer.offer", world.offer_body(lot, 7_000_000, "s2")))
        # The id of the remainder is known before anything is sent.
        lot = f"{world.sid_of(texts[-1])}.1"
    outcomes = world.submit(*texts)
    assert not any(isinstance(outcome, RegistryError) for outcome in outcomes)
    assert lots_of(world)[lot].amount == 30_000_000
    verify_everything(world)


def test_two_offers_of_one_lot_in_one_batch_spend_it_once() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    texts = [
        world.sign("s1", "transfer.offer", world.offer_body(lot, 100_000_000, to))
        for to in ("s2", "s3")
    ]
    first, second = world.submit(*texts)
    assert not isinstance(first, RegistryError)
    assert isinstance(second, LotNotFoundError)
    verify_everything(world)


def test_the_last_day_for_acceptance_may_be_today() -> None:
    world, draft = good("transfer.offer")
    draft.body["accept_by"] = "2025-07-01"
    assert not isinstance(attempt(world, draft), RegistryError)
    found = {(row.at, row.kind) for row in world.store.select(DEADLINES)}
    assert (instant(date(2025, 7, 2), hour=0), "transfer.expire") in found


@pytest.mark.parametrize("amount", ["0", "-1", "", "1.0", "00", 5, True])
def test_refuses_an_amount_that_is_no_positive_text(amount: Json) -> None:
    world, draft = good("transfer.offer")
    draft.body["amount"] = amount
    assert refusal(world, draft).facts["what"] == "body/amount"


def test_an_offer_names_one_assignee() -> None:
    world, draft = good("transfer.offer")
    draft.body["assignee"] = [world.ids["s2"], world.ids["s3"]]
    assert refusal(world, draft).facts["what"] == "body/assignee"
