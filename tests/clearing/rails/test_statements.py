"""Account statements against the ledger: each way in which they can differ is named."""

from dataclasses import replace
from typing import Any

import pytest

from clearing.rails.messages import Item, Message, Side, Status, Verdict
from clearing.rails.statements import Booked, Moved, compare

ONE = Moved(instruction="ONE", amount_minor=100, payer_number="P", payee_number="Q", is_posted=True)
TWO = replace(ONE, instruction="TWO", amount_minor=50, is_posted=False)


def item(name: str | None, amount: int, side: Side, **changes: Any) -> Item:
    """Returns a booking."""
    status = Status.POSTED if side is Side.CREDIT else Status.ACCEPTED
    booked = Item(
        place="x", status=status, instruction=name, amount_minor=amount, currency="CNY",
        account="Q" if side is Side.CREDIT else "P", side=side, booked="2026-03-02",
    )  # fmt: skip
    return replace(booked, **changes)


def statement(*items: Item, account: str, opening: int = 0, **changes: Any) -> Message:
    """Returns an account's statement that adds up."""
    credited = sum(each.amount_minor or 0 for each in items if each.side is Side.CREDIT)
    debited = sum(each.amount_minor or 0 for each in items if each.side is Side.DEBIT)
    message = Message(
        format="camt.053.001.08", digest=f"{account}{opening}", message_id="1", items=items,
        account=account, opening_minor=opening, closing_minor=opening + credited - debited,
        credited_minor=credited, debited_minor=debited,
    )  # fmt: skip
    return replace(message, **changes)


PAYER = statement(item("ONE", 100, Side.DEBIT), account="P", opening=1000)
PAYEE = statement(item("ONE", 100, Side.CREDIT), account="Q")


def found(*messages: Message, **more: Any) -> list[tuple[Booked, str, int]]:
    """Returns what differs."""
    _, differ = compare(messages, [ONE, TWO], **more)
    return [(each.what, each.account, each.amount_minor) for each in differ]


def test_what_agrees() -> None:
    days, differ = compare([PAYER, PAYEE], [ONE, TWO])
    assert differ == ()
    assert [(day.account, day.credited_minor, day.debited_minor) for day in days] == [
        ("P", 0, 100),
        ("Q", 100, 0),
    ]


def test_what_is_told_twice_counts_once() -> None:
    assert found(PAYER, PAYEE, PAYEE) == []


def test_accounts_without_a_statement_are_not_looked_at() -> None:
    assert found(PAYEE) == []
    assert found() == []


def test_other_business_is_no_difference() -> None:
    other = item(None, 7, Side.CREDIT)
    days, differ = compare([statement(*PAYEE.items, other, account="Q")], [ONE])
    assert differ == ()
    assert days[0].other_minor == 7


def test_what_came_back_nets_to_nothing() -> None:
    back = item("ONE", 100, Side.DEBIT, account="Q", status=Status.RETURNED)
    both = statement(*PAYEE.items, back, account="Q")
    _, differ = compare([both], [replace(ONE, is_posted=False)])
    assert differ == ()


PENDING = item("ONE", 100, Side.CREDIT, status=Status.PENDING)


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (statement(account="Q"), [(Booked.NOT_BOOKED, "Q", -100)]),
        (statement(account="P"), [(Booked.NOT_BOOKED, "P", 100)]),
        (
            replace(statement(PENDING, account="Q"), closing_minor=0, credited_minor=0),
            [(Booked.NOT_BOOKED, "Q", -100)],
        ),
        (
            statement(item("ONE", 99, Side.CREDIT), account="Q"),
            [(Booked.AMOUNT_DIFFERS, "Q", -1)],
        ),
        (
            statement(*PAYEE.items, *PAYEE.items, account="Q"),
            [(Booked.AMOUNT_DIFFERS, "Q", 100)],
        ),
        (
            statement(*PAYEE.items, item("TWO", 50, Side.CREDIT), account="Q"),
            [(Booked.NOT_POSTED, "Q", 50)],
        ),
        (
            statement(item("ONE", 100, Side.CREDIT, account="R"), account="R"),
            [(Booked.ACCOUNT_DIFFERS, "R", 100)],
        ),
        (
            statement(*PAYEE.items, item("TWO", 50, Side.CREDIT, status=Status.UNCLEAR),
                      account="Q"),
            [(Booked.UNCLEAR, "Q", 50)],
        ),
        (replace(PAYEE, closing_minor=101), [(Booked.GAP, "Q", 1)]),
    ],
)  # fmt: skip
def test_each_difference_is_named(message: Message, wanted: list[tuple[Booked, str, int]]) -> None:
    assert found(message) == wanted


def test_a_statement_that_was_left_out_between_two() -> None:
    later = statement(account="Q", opening=150)
    assert found(PAYEE, later) == [(Booked.BREAK, "Q", 50)]


@pytest.mark.parametrize("whole", [True, False])
def test_one_debit_for_a_batch_counts_if_it_is_all_of_it(whole: bool) -> None:
    both = [ONE, replace(TWO, is_posted=True)]
    verdict = Verdict(
        place="x", status=Status.ACCEPTED, batch="B", amount_minor=150 if whole else 149,
        account="P", side=Side.DEBIT,
    )  # fmt: skip
    message = replace(
        statement(account="P"), verdicts=(verdict,), opening_minor=None, closing_minor=None
    )
    _, differ = compare([message], both, batches={"B": ["ONE", "TWO"]})
    assert [each.what for each in differ] == ([] if whole else [Booked.NOT_BOOKED] * 2)


def test_where_a_number_is_not_known_nothing_is_said_of_another_account() -> None:
    unknown = replace(ONE, payer_number="")
    message = statement(item("ONE", 100, Side.DEBIT, account="R"), account="R")
    assert compare([message], [unknown])[1] == ()
