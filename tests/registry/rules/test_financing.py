"""Financing: nothing binds before both have signed, and title passes in the policy's order."""

from datetime import date
from typing import Any

import pytest

from registry.canonical import Json
from registry.dealing_refusals import (
    BillNotHonouredError,
    FinancingModeError,
    NotFinancingPartyError,
    PaymentFormError,
    StepMissingError,
    TermsDifferError,
)
from registry.dealings import FINANCINGS, Financing
from registry.encumbrance_refusals import (
    AheadOfTimeError,
    AlreadyRegisteredError,
    LotBurdenedError,
    MoveNotAllowedError,
    RegistrationTermError,
)
from registry.errors import MalformedError
from registry.model import LOTS
from registry.refusals import (
    AssigneeRefusedError,
    BlackoutError,
    CalendarUnknownError,
    ChainTooLongError,
    DeadlinePassedError,
    ExposureLimitError,
    InsufficientHoldingError,
    LotLockedError,
    LotNotFoundError,
    LotTooSmallError,
    NotDebtorError,
    NotHolderError,
    NotOwnerError,
    RecourseRefusedError,
    TermUnjustifiedError,
    TooManyPartsError,
    VoucherDueError,
)
from registry.rules import applications, contracts, fundings
from tests.builders import DIGEST, World, instant, uscc
from tests.consents import accession
from tests.dealings import (
    PAID,
    apply,
    apply_body,
    contracted,
    quote_body,
    quoted,
    stated,
)
from tests.encumbered import FILE, external, freeze
from tests.faults import account_faults, cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft

DUE = instant(date(2025, 12, 19), hour=0)
END = instant(date(2025, 10, 1), hour=0)
"""The end of the last day."""
OTHER = "A" * 42 + "E"
KINDS = (*applications.KINDS, *contracts.KINDS, *fundings.KINDS)


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _by_a_second_factor(world: World, draft: Draft) -> None:
    world.admit("second factor", "financier")
    draft.by = "second factor"


def _without_account(_world: World, draft: Draft) -> None:
    del draft.body["account"]


def _account_of_s1(world: World, draft: Draft) -> None:
    draft.body["account"] = world.accounts["s1"]


def _at(time: int) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.time = time

    return make


def _row(world: World, financing: str | None) -> Financing:
    (row,) = (row for row in world.store.select(FINANCINGS) if row.financing == financing)
    return row


def _only_lot(world: World) -> str:
    return next(row.lot for row in world.store.select(LOTS) if row.status != "offered")


def _lot_of(world: World, draft: Draft) -> str:
    return str(draft.body.get("lot") or _row(world, draft.re).lot)


def _frozen(world: World, draft: Draft) -> None:
    freeze(world, _lot_of(world, draft))


def _reserved(world: World, draft: Draft) -> None:
    other = contracted(world, _lot_of(world, draft), amount="100000000")
    if "lot" in draft.body:
        draft.body["lot"] = _row(world, other).lot


def _held_back(world: World, draft: Draft) -> None:
    account = world.bank_account("s1")
    world.do("s1", "payee.change", {"lot": _lot_of(world, draft), "account": account})


def _gone(world: World, draft: Draft) -> None:
    world.transfer(_lot_of(world, draft), 5, by="s1", to="s2")


def _in_a_blackout(world: World, draft: Draft) -> None:
    world.enforce(blackout={"calendar": "CN-LEGAL", "working_days": 30})
    if "close_by" in draft.body:
        draft.body["close_by"] = "2025-12-01"
    else:
        draft.time = instant(date(2025, 11, 20))


def _blackout_since(world: World, draft: Draft) -> None:
    draft.re = quoted(world, close_by="2025-12-01")
    _in_a_blackout(world, draft)


def _with_recourse(world: World, draft: Draft) -> None:
    world.enforce(no_recourse=True)
    draft.body["recourse"] = True


def _a_crumb(world: World, draft: Draft) -> None:
    world.enforce(splitting={"min_lot": "10000"})
    draft.body["amount"] = "9999"


def _cut_before(world: World, draft: Draft) -> None:
    world.enforce(splitting={"max_children": 2})
    draft.body["lot"] = f"{world.offer(str(draft.body['lot']), 10_000_000, by='s1', to='s3')}.1"


def _assigned_once(world: World, draft: Draft) -> None:
    lots = [str(draft.body["lot"])]
    for by, to in (("s1", "s2"), ("s2", "s1")):
        lots.append(f"{world.transfer(lots[-1], 100_000_000, by=by, to=to)}.2")
    world.enforce(splitting={"max_depth": 2})
    draft.body["lot"] = lots[-1]


def _long_term(world: World, draft: Draft) -> None:
    tenor: dict[str, Json] = {"hard_months": 12, "soft_months": 1, "justification": "financing"}
    world.enforce(tenor=tenor)
    draft.body["lot"] = f"{world.issue()}.0"


def _to_a_co_debtor(world: World, draft: Draft) -> None:
    world.admit("both", "financier", "participant")
    world.designate("both")
    world.do("both", "voucher.accede", accession(), re=str(draft.body["lot"])[:43])
    draft.body["financier"] = world.ids["both"]


def _of_a_vehicle(world: World, draft: Draft) -> None:
    draft.body |= {"mode": "agency", "vehicle": world.ids["s3"]}


def _to_itself(world: World, draft: Draft) -> None:
    draft.body["financier"] = world.ids["s1"]


def _ordinary_without_recourse(_world: World, draft: Draft) -> None:
    draft.body["mode"] = "ordinary"


def _agency_with_recourse(world: World, draft: Draft) -> None:
    draft.body |= {"mode": "agency", "vehicle": world.ids["trustee#T1"], "recourse": True}


def _vehicle_forward(world: World, draft: Draft) -> None:
    draft.body["vehicle"] = world.ids["trustee#T1"]


def _of_another(kind: str) -> Any:
    """The statement is about a financing that has gone on, or has not."""
    makers = {
        "applied": apply,
        "quoted": quoted,
        "contracted": contracted,
        "stated": stated,
        "ended": _ended,
    }

    def make(world: World, draft: Draft) -> None:
        draft.re = makers[kind](world)

    return make


def _ended(world: World) -> str:
    made = apply(world)
    world.do("s1", "financing.end", {}, re=made)
    return made


def _confirmed_before(world: World, draft: Draft) -> None:
    world.do("core", "financing.confirm", {"document": FILE}, re=draft.re)


def _reverse(world: World, draft: Draft) -> None:
    draft.re = quoted(world, mode="reverse")


def _without_a_search(world: World, _draft: Draft) -> None:
    world.enforce(financing={"order": ["pay", "title"], "search_days": 3})


def _agency(world: World, draft: Draft) -> None:
    vehicle = world.ids["trustee#T1"]
    draft.re = quoted(world, mode="agency", vehicle=vehicle)


def _over_its_limit(world: World, _draft: Draft) -> None:
    limit: dict[str, Json] = {"debtor": world.ids["core"], "amount": "59999999"}
    world.do("factor", "exposure.limit", limit)


def _joined_since(world: World, draft: Draft) -> None:
    world.admit("both", "financier", "participant")
    account = world.bank_account("both")
    lot = f"{world.issue()}.0"
    body = apply_body(world, lot, financier=world.ids["both"])
    made = world.do("s1", "financing.apply", body).sid
    world.do("both", "financing.quote", quote_body(world, account=account), re=made)
    world.designate("both")
    world.do("both", "voucher.accede", accession(), re=lot[:43])
    draft.re = made


def _under(*order: str) -> Any:
    """A policy has an order, and the financing a contract under it."""

    def make(world: World, draft: Draft) -> None:
        world.enforce(financing={"order": [*order]})
        draft.re = contracted(world)
        if "registered_at" in draft.body:
            draft.body["registered_at"] = world.time

    return make


def _registered_before(world: World, draft: Draft) -> None:
    world.do("factor", "financing.register", external(world), re=draft.re)


def _frozen_under_register_title(world: World, draft: Draft) -> None:
    _under("register", "title", "pay")(world, draft)
    freeze(world, _row(world, draft.re).lot)


def _tomorrow(world: World, draft: Draft) -> None:
    draft.body["registered_at"] = world.time + 1


def _by_a_bare_bill(world: World, draft: Draft) -> None:
    draft.re = contracted(world, payment="bill")
    world.do("factor", "financing.pay", {**PAID, "form": "bill"}, re=draft.re)


FAULTS = {
    "financing.apply": (
        fault(LotNotFoundError, "no lot", setting(lot=f"{DIGEST}.0"), "lot"),
        fault(NotHolderError, "another's lot", _by("s2"), "by"),
        fault(LotLockedError, "a reserved lot", _reserved, "lot"),
        fault(LotBurdenedError, "a frozen lot", _frozen, "lot"),
        fault(InsufficientHoldingError, "too much", setting(amount="100000001"), "amount"),
        fault(MalformedError, "a vehicle without agency", _vehicle_forward, "mode"),
        fault(AssigneeRefusedError, "itself", _to_itself, "financier", "by"),
        fault(AssigneeRefusedError, "a co-debtor", _to_a_co_debtor, "financier", "lot"),
        fault(AssigneeRefusedError, "nobody", setting(financier=uscc(999)), "financier"),
        fault(AssigneeRefusedError, "no vehicle", _of_a_vehicle, "mode"),
        fault(FinancingModeError, "ordinary, and nobody answers", _ordinary_without_recourse,
              "mode", "recourse"),
        fault(FinancingModeError, "agency, and somebody answers", _agency_with_recourse,
              "mode", "recourse"),
        *account_faults("s1"),
        fault(VoucherDueError, "on the due date", _at(DUE), "time"),
        fault(DeadlinePassedError, "until yesterday", setting(close_by="2025-06-30"), "close_by"),
        fault(DeadlinePassedError, "on the due date", setting(close_by="2025-12-19"), "close_by"),
        fault(BlackoutError, "in a blackout", _in_a_blackout, "close_by", "time", "rules"),
        fault(RecourseRefusedError, "recourse", _with_recourse, "recourse"),
        fault(LotTooSmallError, "a crumb", _a_crumb, "amount"),
        fault(TooManyPartsError, "a third part", _cut_before, "lot", "rules"),
        fault(ChainTooLongError, "one assignment more", _assigned_once, "lot", "rules"),
        fault(TermUnjustifiedError, "a long term", _long_term, "lot"),
    ),
    "financing.quote": (
        fault(NotFinancingPartyError, "another was asked", _by_a_second_factor, "by"),
        fault(MoveNotAllowedError, "there is a contract", _of_another("contracted"), "re"),
        fault(DeadlinePassedError, "at the end", _at(END), "time"),
        fault(MalformedError, "no account", _without_account, "account"),
        *account_faults("factor")[:1],
        fault(NotOwnerError, "somebody else's account", _account_of_s1, "account"),
        *account_faults("factor")[2:],
    ),
    "financing.confirm": (
        fault(NotDebtorError, "by another", _by("s1"), "by"),
        fault(FinancingModeError, "not asked", _of_another("applied"), "re"),
        fault(MoveNotAllowedError, "given before", _confirmed_before, "re"),
        fault(DeadlinePassedError, "at the end", _at(END), "time"),
    ),
    "financing.end": (
        fault(NotFinancingPartyError, "by another", _by("s2"), "by"),
        fault(MoveNotAllowedError, "there is a contract", _of_another("contracted"), "re"),
        fault(MoveNotAllowedError, "it has ended", _of_another("ended"), "re"),
    ),
    "financing.contract": (
        fault(NotFinancingPartyError, "by the financier", _by("factor"), "by"),
        fault(MoveNotAllowedError, "nothing is quoted", _of_another("applied"), "re"),
        fault(DeadlinePassedError, "at the end", _at(END), "time"),
        fault(TermsDifferError, "other figures", setting(terms=OTHER), "terms"),
        fault(TermsDifferError, "another text",
              setting(document={"digest": OTHER, "name": "paper.pdf"}), "document"),
        fault(LotNotFoundError, "the lot has gone", _gone, "re"),
        fault(LotLockedError, "the lot is held", _held_back, "re", "time"),
        fault(LotBurdenedError, "the lot is frozen", _frozen, "re"),
        fault(BlackoutError, "in a blackout since", _blackout_since, "time", "re"),
        fault(AssigneeRefusedError, "the financier owes it now", _joined_since, "re"),
        fault(StepMissingError, "the debtor's word", _reverse, "re"),
        fault(StepMissingError, "no search", _without_a_search, "policy", "time"),
        fault(FinancingModeError, "no consent of the vehicle", _agency, "re"),
        fault(ExposureLimitError, "over its own limit", _over_its_limit, "re"),
    ),
    "financing.register": (
        fault(NotFinancingPartyError, "by another", _by_a_second_factor, "by"),
        fault(FinancingModeError, "a vehicle's", _agency, "re"),
        fault(MoveNotAllowedError, "no contract", _of_another("quoted"), "re"),
        fault(DeadlinePassedError, "at the end", _at(END), "time"),
        fault(AlreadyRegisteredError, "registered", _registered_before, "re"),
        fault(StepMissingError, "before the price", _under("pay", "title", "register"),
              "re", "registered_at", "time"),
        fault(AheadOfTimeError, "tomorrow", _tomorrow, "registered_at"),
        fault(RegistrationTermError, "for a week", setting(expires_on="2025-07-08"), "expires"),
        fault(CalendarUnknownError, "no calendar", setting(calendar="XX"), "calendar"),
        fault(LotBurdenedError, "frozen since", _frozen_under_register_title,
              "re", "time", "registered_at"),
    ),
    "financing.pay": (
        fault(NotFinancingPartyError, "by another", _by_a_second_factor, "by"),
        fault(MoveNotAllowedError, "no contract", _of_another("quoted"), "re"),
        fault(DeadlinePassedError, "at the end", _at(END), "time"),
        fault(StepMissingError, "not registered", _under("register", "pay", "title"), "re", "time"),
        fault(PaymentFormError, "by a bill", setting(form="bill"), "form"),
        fault(MalformedError, "a payer of cash", setting(payer=uscc(999)), "payer"),
    ),
    "financing.receive": (
        fault(NotFinancingPartyError, "by another", _by("s2"), "by"),
        fault(MoveNotAllowedError, "no contract", _of_another("quoted"), "re"),
        fault(DeadlinePassedError, "at the end", _at(END), "time"),
        fault(StepMissingError, "nothing stated", _of_another("contracted"), "re"),
        fault(BillNotHonouredError, "a bare bill", _by_a_bare_bill, "re", "honoured"),
        fault(MalformedError, "cash is honoured", setting(honoured=True), "honoured"),
        fault(LotBurdenedError, "frozen since", _frozen, "re"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)
