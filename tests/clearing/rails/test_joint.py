"""One payment of several instructions: what a bank says of it holds of all of them, or of none."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from clearing.rails.findings import Expected, Matched, Reason
from clearing.rails.iso20022 import read_iso20022
from clearing.rails.matching import match
from clearing.rails.references import JOINT_FROM, find_instruction, index_plans, joint_number
from clearing.rails.references import instruction_id as id_of
from registry.errors import InvariantBrokenError
from registry.ids import NUMBER_MAX
from tests.clearing.rails.paper import (
    BANK,
    PLAN,
    awaited,
    camt054,
    entry,
    pacs004,
    pain002,
    payment,
    reasons,
    said,
)

ONE, TWO = payment(4, amount=600), payment(7, amount=401)
BOTH = payment(joint_number(2), amount=1001)


def members(*statuses: str, after: Sequence[int] = ()) -> list[Expected]:
    """Returns what is awaited: two instructions that go as one payment."""
    found = [replace(each, joint=2, after=tuple(after)) for each in awaited([ONE, TWO])]
    return [
        replace(each, status=status)
        for each, status in zip(found, statuses or ("sent", "sent"), strict=True)
    ]


def take(*files: bytes, of: Sequence[Expected]) -> Matched:
    """Matches files of the bank."""
    return match([each for file in files for each in read_iso20022(file)], of, bank=BANK)


def test_its_booking_posts_all_in_one_report() -> None:
    matched = take(camt054(entry(BOTH)), of=members())
    assert said(matched) == [(4, "posted", None), (7, "posted", None)]
    (report,) = matched.reports
    assert [item.amount_minor for item in report.items] == [600, 401]


@pytest.mark.parametrize("amount", ["10.00", "10.02", "6.00"])
def test_a_fen_more_or_less_posts_none(amount: str) -> None:
    matched = take(camt054(entry(BOTH, amount=amount)), of=members())
    assert (said(matched), reasons(matched)) == ([], [Reason.AMOUNT_DIFFERS])


def test_nobody_can_name_one_of_them_alone() -> None:
    matched = take(camt054(entry(ONE)), of=members())
    assert (said(matched), reasons(matched)) == ([], [Reason.NO_SUCH_INSTRUCTION])


@pytest.mark.parametrize("word", ["RJCT", "ACSP"])
def test_what_is_not_carried_out_holds_of_all_too(word: str) -> None:
    code = "AC04" if word == "RJCT" else ""
    matched = take(pain002((BOTH, word, code)), of=members())
    assert [n for n, _, _ in said(matched)] == [4, 7]


def test_what_came_back_came_back_of_all() -> None:
    matched = take(pacs004(BOTH), of=members("posted", "posted"))
    assert said(matched) == [(4, "returned", "AC04"), (7, "returned", "AC04")]


def test_a_payment_that_is_posted_in_part_is_for_a_person() -> None:
    """A bank that signs its own words has told of one of them by itself."""
    matched = take(camt054(entry(BOTH)), of=members("posted", "sent"))
    assert (said(matched), reasons(matched)) == ([], [Reason.PART_OF_IT])


def test_what_was_replaced_meanwhile_is_posted_all_the_same() -> None:
    matched = take(camt054(entry(BOTH)), of=members("replaced", "sent"))
    assert [n for n, _, _ in said(matched)] == [4, 7]


def test_it_waits_for_what_brings_its_money() -> None:
    (before,) = awaited([payment(0, amount=2000)])
    waiting = [before, *members(after=[0])]
    assert said(take(camt054(entry(BOTH)), of=waiting)) == []
    both = camt054(entry(payment(0, amount=2000), reference="R0"), entry(BOTH, reference="R1"))
    assert [n for n, _, _ in said(take(both, of=waiting))] == [0, 4, 7]


def test_what_it_feeds_comes_after_it() -> None:
    """A hop behind the first of its instructions has the second one's number between."""
    behind = replace(awaited([payment(9, amount=5)])[0], after=(7,))
    file = camt054(entry(BOTH, reference="R1"), entry(payment(9, amount=5), reference="R2"))
    assert [n for n, _, _ in said(take(file, of=[*members(), behind]))] == [4, 7, 9]
    back = take(pacs004(BOTH), of=[*members("posted", "posted"), replace(behind, status="posted")])
    assert reasons(back) == [Reason.MONEY_SPENT]


def test_no_report_has_some_of_it() -> None:
    many = awaited([payment(n, amount=n + 1) for n in range(100)])
    jointly = [replace(each, joint=each.n // 7) if each.n < 98 else each for each in many]
    booked = [
        payment(
            joint_number(k), amount=sum(each.amount_minor for each in jointly[7 * k : 7 * k + 7])
        )
        for k in range(14)
    ]
    file = camt054(*(entry(each, reference=f"R{each.n}") for each in booked))
    for report in take(file, of=jointly).reports:
        numbers = {item.instruction for item in report.items}
        assert len(numbers) <= 48
        assert all(
            {7 * k + place for place in range(7)} <= numbers for k in {n // 7 for n in numbers}
        )


def test_reports_have_as_many_lots_as_their_entries_have_room_for() -> None:
    many = [
        replace(each, lots=128) for each in awaited([payment(n, amount=n + 1) for n in range(5)])
    ]
    file = camt054(*(entry(payment(n, amount=n + 1), reference=f"R{n}") for n in range(5)))
    assert [len(report.items) for report in take(file, of=many).reports] == [1] * 5


def test_its_id_is_no_instructions() -> None:
    text = id_of(PLAN, joint_number(NUMBER_MAX))
    assert find_instruction(text, index_plans([PLAN])) == (PLAN, JOINT_FROM + NUMBER_MAX)
    for n in (NUMBER_MAX + 1, JOINT_FROM - 1, JOINT_FROM + NUMBER_MAX + 1):
        with pytest.raises(InvariantBrokenError):
            id_of(PLAN, n)
