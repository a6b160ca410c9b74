"""Accounts and payments: what a bank can be told, and nothing that it could misread."""

import pytest

from clearing.rails.errors import BankTextRefusedError, DetailsMissingError
from clearing.rails.payments import AccountDetails, by_payer, payments
from registry.errors import MalformedError
from tests.clearing.rails.paper import BANK, ON, gv01_records, payment


class TestAccountDetails:
    @pytest.mark.parametrize(
        "name",
        [
            "",
            " 京东",
            "京东\n有限公司",
            "京东\t",
            "京东\u200b公司",
            "京东\u202e公司",
            "京东\ue7c7公司",
            "\ud800",
            "\uffff",
        ],
        ids=[
            "empty",
            "space",
            "line-break",
            "tab",
            "zero-width",
            "direction",
            "private-use",
            "surrogate",
            "none",
        ],
    )
    def test_names_that_read_otherwise_than_they_are_are_refused(self, name: str) -> None:
        with pytest.raises(BankTextRefusedError):
            AccountDetails(
                bank=BANK, name=name, number="1", branch="支行", clearing_code="102110000123"
            )

    @pytest.mark.parametrize("number", ["", "1 2", "=1", "-1", "1-", "1" * 35, "１２"])
    def test_account_numbers_have_one_form(self, number: str) -> None:
        with pytest.raises(MalformedError):
            AccountDetails(
                bank=BANK, name="京东", number=number, branch="支行", clearing_code="102110000123"
            )

    @pytest.mark.parametrize(
        "code", ["10211000012", "1021100001234", "10211000012X", "１０２１１００００１２３"]
    )
    def test_a_clearing_code_has_twelve_digits(self, code: str) -> None:
        with pytest.raises(MalformedError):
            AccountDetails(bank=BANK, name="京东", number="1", branch="支行", clearing_code=code)


def test_instructions_become_payments_with_their_mandate_and_voucher() -> None:
    records, book = gv01_records()
    made = payments(records, book=book, on=ON)
    assert [each.amount_minor for each in made] == [record.amount for record in records]
    assert [each.authority for each in made] == [record.authority for record in records]
    assert {each.remittance for each in made} == {"GV-01"}
    assert len({each.instruction for each in made}) == 5


def test_an_account_that_nobody_told_the_details_of_is_not_paid() -> None:
    records, book = gv01_records()
    known = {account: each for account, each in book.items() if account != records[0].payer_account}
    with pytest.raises(DetailsMissingError):
        payments(records, book=known, on=ON)


def test_batches_are_of_one_account_and_day() -> None:
    later = payment(1, on=ON.replace(day=3))
    grouped = by_payer([payment(0), later])
    assert [[each.n for each in group] for group in grouped.values()] == [[0], [1]]
