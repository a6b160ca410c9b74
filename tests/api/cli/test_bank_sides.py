"""Which instructions go out together, what each bank sees and may say, and whence details come."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed

from api.cli.bank_book import AddressBook, Instructed, instructions_of
from api.cli.bank_match import BankFile, Matching, References
from api.cli.bank_orders import Order, Orders, Written, too_early
from api.cli.screen import Reader
from clearing.rails.errors import BankFileError, DetailsMissingError
from clearing.rails.findings import Ignored
from clearing.rails.messages import Item, Message, Side, Status
from clearing.rails.payments import SentBatch, SentFile
from clearing.rails.references import instruction_id
from registry.canonical import Json, b64url_encode, salted_digest
from registry.ids import PartyId, Sid
from tests.api.local import street
from tests.api.served import Street
from tests.api.test_maturity import DUE_ON, adopt, gv01, move_to, report
from tests.clearing.rails.paper import BANK, gv01_records

ONE = "one file for all"


def instructed(**statuses: str) -> list[Instructed]:
    """Returns GV-01 on the tiered route; statuses are named as n0 to n4."""
    records, _ = gv01_records()
    return [
        Instructed(
            record=changed(record, status=statuses.get(f"n{record.n}", "pending")),
            payer_bank=BANK,
            is_ready=not record.after,
            is_held=False,
        )
        for record in records
    ]


def going(rows: list[Instructed], sent: tuple[str, ...] = (), *, apart: bool = False) -> list[int]:
    """Returns the numbers of what goes out."""

    def place(row: Instructed) -> str:
        return row.record.payer_account if apart else ONE

    files = Orders(rows).going(sent, place)
    return sorted(row.record.n for orders in files for order in orders for row in order.rows)


class TestWhatGoesOut:
    def test_is_a_whole_cascade_if_one_file_holds_it(self) -> None:
        assert going(instructed()) == [0, 1, 2, 3, 4]

    def test_is_only_what_is_funded_where_files_go_apart(self) -> None:
        assert going(instructed(), apart=True) == [0]
        assert going(instructed(n0="posted"), apart=True) == [1]
        rows = instructed(n0="posted", n1="posted")
        paid_next = [row.record.n for row in rows if row.record.after == ("1",)]
        assert going(rows, apart=True) == paid_next

    @pytest.mark.parametrize("status", ["accepted", "rejected", "expired", "replaced", "returned"])
    def test_is_nothing_behind_what_is_not_posted(self, status: str) -> None:
        assert going(instructed(n0=status)) == []

    def test_is_nothing_that_its_debtor_has_to_approve_nor_what_it_is_to_bring(self) -> None:
        rows = [replace(row, is_held=not row.record.after) for row in instructed()]
        assert going(rows) == []

    def test_is_not_what_went_out_nor_what_it_is_to_bring(self) -> None:
        rows = instructed()
        sent = instruction_id(rows[1].record.plan, 1)
        assert going(rows, (sent,)) == [0]

    def test_waits_if_the_banks_batches_would_pay_it_before_its_money_is_there(self) -> None:
        rows = instructed()
        ids = [instruction_id(row.record.plan, row.record.n) for row in rows]
        batch = SentBatch(batch="1", instructions=(ids[1], ids[0], *ids[2:]))
        file = SentFile(format="x", message_id="x", data=b"", batches=(batch,))
        orders = tuple(Order(rows=(row,)) for row in rows)
        written = Written(bank=BANK, file=file, orders=orders, name="x")
        assert too_early(written) == [ids[1]]


class TestOnePayment:
    """Of several instructions, where the payee agreed and the log will say so."""

    def several(self, count: int, **changes: object) -> list[Instructed]:
        """Returns instructions of one payer into one account."""
        (first, *_) = instructed()
        records = (changed(first.record, n=n, after=(), **changes) for n in range(count))
        return [
            Instructed(record=each, payer_bank=BANK, is_held=False, is_ready=True)
            for each in records
        ]

    def orders(self, rows: list[Instructed], **more: Any) -> list[tuple[int | None, int]]:
        """Returns number and size of each order of the one file."""
        agreed = {rows[0].record.payee_account} if more.pop("agreed", True) else set()
        files = Orders(rows, agreed=agreed, **more).going((), lambda _: ONE)
        return [(each.payment, len(each.rows)) for (*orders,) in files for each in orders]

    def test_is_of_as_many_as_one_report_can_tell_of(self) -> None:
        assert self.orders(self.several(40)) == [(0, 16), (1, 16), (2, 8)]
        assert self.orders(self.several(17), following=5) == [(None, 1), (5, 16)]

    def test_is_nothing_without_the_payees_word(self) -> None:
        assert self.orders(self.several(3), agreed=False) == [(None, 1)] * 3

    def test_never_joins_other_ways_or_mandates(self) -> None:
        rows = self.several(2)
        for member in ("payer_account", "payee_account", "route", "authority"):
            other = replace(rows[1], record=changed(rows[1].record, **{member: "other"}))
            assert self.orders([rows[0], other]) == [(None, 1)] * 2

    def test_keeps_its_instructions_when_it_goes_again(self) -> None:
        sent = self.several(2, status="sent", sent="A" * 43, joint=0)
        more = self.several(5)[2:]
        assert self.orders([*sent, *more], following=1, again=True) == [(0, 2), (1, 3)]
        assert self.orders([*sent, *more], following=1) == [(1, 3)]

    def test_is_cut_into_files_of_which_a_statement_can_tell(self) -> None:
        files = Orders(self.several(1_200)).going((), lambda _: ONE)
        assert [len(orders) for orders in files] == [500, 500, 200]


# --- Two banks ------------------------------------------------------------------------


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Street]:
    """A ledger on which s2 has its account with another bank, and has put its details."""
    with street(tmp_path / "town") as made:
        made.admit("other", "bank")
        terms: dict[str, Json] = {
            "account_name": "s2（天津）有限公司",
            "account_no": "0302000000000002",
            "bank_name": "中国工商银行天津和平支行",
            "bank_code": "102110000123",
        }
        salt = bytes(16)
        digest = salted_digest(salt, terms)
        made.client.put_opening(digest, by=made.ids["s2"], salt=b64url_encode(salt), terms=terms)
        body: dict[str, Json] = {
            "bank": made.ids["other"], "account_kind": "settlement", "terms": digest
        }  # fmt: skip
        account = made.do("s2", "account.register", body).sid
        made.do("other", "account.verify", {}, re=account)
        made.accounts["s2"] = account
        made.do("s2", "mandate.grant", {"account": account})
        gv01(made, route="tiered")
        move_to(made, DUE_ON)
        yield made


def seen(town: Street, plan: str, by: str) -> list[int]:
    found = instructions_of(Reader(town.client, town.ids[by]), plan)
    return [row.record.n for row in found]


def test_a_bank_sees_what_its_accounts_pay_and_get_and_the_operator_all(town: Street) -> None:
    plan = adopt(town)
    assert seen(town, plan, "operator") == [0, 1, 2, 3, 4]
    assert seen(town, plan, "bank") == [0, 1, 2, 3, 4]
    assert seen(town, plan, "other") == [1, 2, 3]
    assert seen(town, plan, "s3") == [2]
    assert seen(town, plan, "registrar") == []


def said_by_other(plan: str, *, number: str = "0302000000000002") -> BankFile:
    """Returns a notification of the other bank: s2 has been credited."""
    item = Item(
        place="1",
        status=Status.POSTED,
        instruction=instruction_id(Sid(plan), 1),
        amount_minor=60_000_000,
        currency="CNY",
        account=number,
        side=Side.CREDIT,
        reference="R1",
    )
    message = Message(format="camt.054.001.08", digest="A" * 43, message_id="1", items=(item,))
    return BankFile(path=Path("camt054.xml"), messages=(message,))


def matched(town: Street, file: BankFile, *, by: str = "other") -> BankFile:
    """Matches a file as the other bank, whose accounts are opened to it; nothing is signed."""
    ask = Reader(town.client, town.ids[by])
    matching = Matching(
        ask, AddressBook(ask, None), bank=town.ids["other"], sent=(), references=References(None)
    )
    matching.run([file], None)
    return file


def test_a_bank_that_does_not_see_what_comes_before_waits_until_it_is_posted(
    town: Street,
) -> None:
    plan = adopt(town)
    early = matched(town, said_by_other(plan))
    assert (early.reported, [each.why for each in early.ignored]) == ([], [Ignored.WAITS])
    report(town, plan, "posted", "s1")
    late = matched(town, said_by_other(plan))
    assert [(item.instruction, item.status) for _, item in late.reported] == [(1, Status.POSTED)]
    wrong = matched(town, said_by_other(plan, number="0302000000000003"))
    assert [each.reason.value for each in wrong.unmatched] == ["account-differs"]


def test_details_are_opened_where_they_may_be_and_else_from_the_book(
    town: Street, tmp_path: Path
) -> None:
    account, bank = Sid(town.accounts["s2"]), town.ids["other"]
    opened = AddressBook(Reader(town.client, bank), None).details(account, bank=bank)
    assert (opened.number, opened.bank) == ("0302000000000002", bank)
    operator = Reader(town.client, town.ids["operator"])
    with pytest.raises(DetailsMissingError):
        AddressBook(operator, None).details(account, bank=bank)
    path = tmp_path / "book.json"
    members = {
        "account_name": opened.name,
        "account_no": opened.number,
        "bank_name": opened.branch,
        "bank_code": opened.clearing_code,
    }
    path.write_text(json.dumps({account: members}), encoding="utf-8")
    assert AddressBook(operator, path).details(account, bank=bank) == opened
    # A book that says otherwise than the proven terms sends money elsewhere.
    path.write_text(json.dumps({account: {**members, "account_no": "1"}}), encoding="utf-8")
    assert AddressBook(operator, path).details(account, bank=bank) == replace(opened, number="1")
    with pytest.raises(BankFileError, match="differ"):
        AddressBook(Reader(town.client, bank), path).details(account, bank=PartyId(bank))
