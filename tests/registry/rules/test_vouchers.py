"""Issuing a voucher, and the promises inside it."""

from datetime import date
from typing import Any

import pytest

from registry.canonical import Json
from registry.errors import InputError, MalformedError, RegistryError
from registry.model import DEADLINES, LOTS, VOUCHERS
from registry.notice_refusals import InboxMissingError
from registry.refusals import (
    DeadlinePassedError,
    DebtorLimitError,
    DueTooSoonError,
    InvoiceDiffersError,
    InvoiceUsedError,
    IssuanceStoppedError,
    MandateMissingError,
    NotHolderRoleError,
    RouteRefusedError,
    TermTooLongError,
    TermUnjustifiedError,
    VoucherNumberTakenError,
)
from registry.rules.vouchers import KINDS, Promises
from tests.builders import DIGEST, World, instant, uscc
from tests.credit import limit_body, stop_body
from tests.faults import account_faults, cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, good, refusal, sign_edited, verify_everything

PROMISES = tuple(Promises.model_fields)


def _without_evidence(kind: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        documents: Any = draft.body["evidence"]
        contract = next(each for each in documents if each["type"] != kind)
        # As many documents as before, so that only the type is missing.
        draft.body["evidence"] = [each if each["type"] != kind else contract for each in documents]

    return make


def _stopped(world: World, _draft: Draft) -> None:
    world.do("registrar", "issuance.stop", stop_body(world))


def _limited(world: World, _draft: Draft) -> None:
    world.do("registrar", "limit.set", limit_body(world, "core", 99_999_999))


def _invoice_twice(world: World, draft: Draft) -> None:
    draft.body["invoices"] = [*[world.invoice("7", "90000000", "50000000")] * 2]


def _invoices_of(amount: int) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body["invoices"] = [world.invoice("7", "900000000", str(amount))]

    return make


def _invoice_differs(world: World, draft: Draft) -> None:
    used: list[Json] = [world.invoice("7", "900000000", "1")]
    world.do("core", "voucher.issue", world.issue_body(face="1", voucher_no="first", invoices=used))
    draft.body["invoices"] = [world.invoice("7", "900000001", str(draft.body["face"]))]


def _invoice_used(world: World, draft: Draft) -> None:
    used: list[Json] = [world.invoice("7", "100000000", "1")]
    world.do("core", "voucher.issue", world.issue_body(face="1", voucher_no="first", invoices=used))
    draft.body["invoices"] = [world.invoice("7", "100000000")]


def _to(name: str) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body["creditor"] = world.ids[name]

    return make


def _number_used(world: World, draft: Draft) -> None:
    world.do("core", "voucher.issue", world.issue_body(voucher_no=draft.body["voucher_no"]))


def _mandate_for_another_account(world: World, draft: Draft) -> None:
    before = world.accounts["core"]
    world.bank_account("core")
    draft.body["mandate"], world.accounts["core"] = world.mandates["core"], before


def _hard_term(world: World, _draft: Draft) -> None:
    world.enforce(tenor={"hard_months": 5})


def _soft_term(world: World, _draft: Draft) -> None:
    tenor: dict[str, Json] = {"hard_months": 12, "soft_months": 5, "justification": "issuance"}
    world.enforce(tenor=tenor)


def _tiered_not_allowed(world: World, draft: Draft) -> None:
    world.enforce(direct_only=True)
    draft.body["route"] = "tiered"


def _without_inbox(world: World, draft: Draft) -> None:
    world.admit("new", "participant", number=901)
    world.bank_account("new")
    draft.by = "new"
    draft.body |= {"account": world.accounts["new"], "mandate": world.mandates["new"]}


_ISSUES = ("invoices", "limit", "stop", "mandate", "account", "tenor")
"""What an issue before this one needs to be as it was."""

FAULTS = {
    "voucher.issue": (
        *(
            fault(MalformedError, f"no {kind}", _without_evidence(kind), "evidence")
            for kind in ("contract", "invoice", "acceptance")
        ),
        fault(MalformedError, "to be delivered", setting(delivered_on="2026-01-01"), "delivered"),
        fault(NotHolderRoleError, "to nobody", setting(creditor=uscc(999)), "creditor"),
        fault(NotHolderRoleError, "to a bank", _to("bank"), "creditor"),
        fault(NotHolderRoleError, "to the operator", _to("operator"), "creditor"),
        fault(NotHolderRoleError, "to itself", _to("core"), "creditor"),
        fault(DueTooSoonError, "due today", setting(due_on="2025-07-01"), "due_on"),
        fault(DueTooSoonError, "due yesterday", setting(due_on="2025-06-30"), "due_on"),
        fault(DeadlinePassedError, "accept by yesterday", setting(accept_by="2025-06-30"), "by"),
        fault(DeadlinePassedError, "accept by the due date", setting(accept_by="2025-12-19"), "by"),
        fault(
            DeadlinePassedError, "accept by the last date", setting(accept_by="9999-12-31"), "by"
        ),
        fault(TermTooLongError, "too long a term", _hard_term, "tenor"),
        fault(TermUnjustifiedError, "a long term without a word", _soft_term, "tenor"),
        fault(RouteRefusedError, "tier by tier", _tiered_not_allowed, "route"),
        fault(VoucherNumberTakenError, "number used", _number_used, "number", "tenor"),
        *account_faults("core"),
        fault(MandateMissingError, "no mandate", setting(mandate=DIGEST), "mandate"),
        fault(MandateMissingError, "other account's", _mandate_for_another_account, "mandate"),
        fault(
            InboxMissingError,
            "no inbox",
            _without_inbox,
            "creditor",
            "number",
            "account",
            "mandate",
            "stop",
            "limit",
            "invoices",
        ),
        fault(IssuanceStoppedError, "stopped", _stopped, "stop"),
        fault(DebtorLimitError, "over its limit", _limited, "limit"),
        fault(MalformedError, "an invoice twice", _invoice_twice, "invoices"),
        fault(MalformedError, "invoices of less", _invoices_of(99_999_999), "invoices"),
        fault(MalformedError, "invoices of more", _invoices_of(100_000_001), "invoices"),
        fault(InvoiceDiffersError, "another amount", _invoice_differs, *_ISSUES),
        fault(InvoiceUsedError, "an invoice used up", _invoice_used, *_ISSUES),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


class TestPromises:
    """Every promise stands in the signed bytes, and can only be true (SD-03, SD-04)."""

    def refused(self, change: Any) -> RegistryError:
        world, draft = good("voucher.issue")
        change(draft.body)
        return refusal(world, draft)

    def test_there_are_ten(self) -> None:
        assert len(PROMISES) == 10

    @pytest.mark.parametrize("name", PROMISES)
    def test_refuses_a_dropped_promise(self, name: str) -> None:
        found = self.refused(lambda body: body["promises"].pop(name))
        assert (type(found), found.facts["what"]) == (MalformedError, f"body/promises/{name}")

    @pytest.mark.parametrize("name", PROMISES)
    @pytest.mark.parametrize("value", [False, 0, 1, "true", []], ids=repr)
    def test_refuses_a_promise_that_is_not_true(self, name: str, value: Json) -> None:
        found = self.refused(lambda body: body["promises"].update({name: value}))
        assert (type(found), found.facts["what"]) == (MalformedError, f"body/promises/{name}")

    def test_refuses_a_promise_of_ones_own(self) -> None:
        found = self.refused(lambda body: body["promises"].update(subject_to_offset=True))
        assert found.facts["what"] == "body/promises/subject_to_offset"


ISSUE = ("voucher_no", "creditor", "face", "due_on", "accept_by", "basis", "promises", "evidence",
         "route", "account", "mandate")  # fmt: skip


class TestBody:
    """A body has one accepted spelling, and a refusal points to the member."""

    @pytest.mark.parametrize("name", ISSUE)
    def test_refuses_a_missing_member(self, name: str) -> None:
        world, draft = good("voucher.issue")
        del draft.body[name]
        found = refusal(world, draft)
        assert (type(found), found.facts["what"]) == (MalformedError, f"body/{name}")

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("face", 100),
            ("face", "0"),
            ("face", "-1"),
            ("face", "01"),
            ("face", "1.5"),
            ("face", "1e3"),
            ("face", "1000000000000000"),
            ("due_on", "2025-02-30"),
            ("due_on", "20251219"),
            ("due_on", 20251219),
            ("basis", "prepayment"),
            ("route", "both"),
            ("voucher_no", ""),
            ("voucher_no", "V 1"),
            ("voucher_no", "V" * 65),
            ("creditor", "91310000MA00000990"),
            ("evidence", []),
            ("account", "A" * 42),
            ("currency", "USD"),
            ("extend_to", "2026-12-19"),
            ("sizes", {"debtor": "large"}),
            ("sizes", {"debtor": "large", "creditor": "tiny"}),
            ("delivered_on", "2025-6-30"),
            ("term_justification", "because"),
        ],
        ids=repr,
    )
    def test_refuses_a_wrong_spelling(self, member: str, value: Json) -> None:
        world, draft = good("voucher.issue")
        draft.body[member] = value
        found = refusal(world, draft)
        assert isinstance(found, InputError)
        assert str(found.facts["what"]).startswith(f"body/{member}")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b'"route":"direct"', b'"route":null'),
            (b'"route":"direct"', b'"route":"direct","terms":null'),
            (b'"face":"100000000"', b'"face":100000000.0'),
            (b'"face":"100000000"', b'"face":1e8'),
            (b'"face":"100000000"', b'"face":"100000000","face":"1"'),
            (b'"face":"100000000"', b'"face": "100000000"'),
            (b'"route":"direct"', b'"route":"d\\u0069rect"'),
            (b'"route":"direct"', b'"route":"direct\\n"'),
        ],
        ids=[
            "null",
            "null-optional",
            "fraction",
            "exponent",
            "twice",
            "space",
            "escape",
            "newline",
        ],
    )
    def test_refuses_what_is_in_no_statement(self, old: bytes, new: bytes) -> None:
        world, draft = good("voucher.issue")
        before = (world.digest(), world.store.size())
        with pytest.raises(InputError):
            world.submit(sign_edited(world, draft, old, new))
        assert (world.digest(), world.store.size()) == before

    def test_every_optional_member_can_stand(self) -> None:
        world, draft = good("voucher.issue")
        sizes: dict[str, Json] = {"debtor": "large", "creditor": "micro"}
        draft.body |= {
            "terms": DIGEST,
            "term_justification": DIGEST,
            "delivered_on": "2025-07-01",
            "sizes": sizes,
        }
        assert not isinstance(attempt(world, draft), RegistryError)


def test_an_issue_makes_no_lot_and_sets_its_deadline() -> None:
    world, draft = good("voucher.issue")
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    assert list(world.store.select(LOTS)) == []
    (voucher,) = world.store.select(VOUCHERS)
    assert (voucher.voucher, voucher.status, voucher.ordinal) == (made.sid, "issued", None)
    (deadline,) = world.store.select(DEADLINES)
    end = instant(date(2025, 7, 11), hour=0)
    assert (deadline.at, deadline.kind, deadline.id) == (end, "voucher.expire", made.sid)
    verify_everything(world)


def test_the_number_of_a_refused_voucher_is_not_used_again() -> None:
    world, draft = good("voucher.refuse")
    (voucher,) = world.store.select(VOUCHERS)
    assert not isinstance(attempt(world, draft), RegistryError)
    again = Draft(by="core", kind="voucher.issue", body=world.issue_body())
    again.body["voucher_no"] = voucher.voucher_no
    assert isinstance(refusal(world, again), VoucherNumberTakenError)


def test_numbers_are_unique_per_debtor_only() -> None:
    world, draft = good("voucher.issue")
    other: dict[str, Json] = {
        **draft.body,
        "creditor": world.ids["s2"],
        "account": world.accounts["s1"],
        "mandate": world.mandates["s1"],
        "invoices": [world.invoice("2", draft.body["face"])],
    }
    assert not isinstance(attempt(world, draft), RegistryError)
    world.do("s1", "voucher.issue", other)
    verify_everything(world)
