"""Matching says the same in whatever order, however often and however late things are said."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from clearing.rails.findings import Expected, Matched, Reason, expected
from clearing.rails.iso20022 import read_iso20022
from clearing.rails.matching import match
from clearing.rails.messages import Item, Message, Side, Status, Verdict
from clearing.rails.pain001 import write_pain001
from clearing.rails.payments import Payment, payments
from tests.clearing.rails.paper import (
    BANK,
    CREATED,
    ON,
    awaited,
    camt054,
    entry,
    gv01_records,
    payment,
    reasons,
    said,
    yuan,
)

PAYMENTS = [payment(n, amount=100 + n) for n in range(4)]


def item_of(each: Payment, status: Status, side: Side | None, reference: str) -> Item:
    """Returns what a bank that keeps both accounts says of a payment."""
    is_payers = side is Side.DEBIT
    return Item(
        place=f"{each.n} {status} {reference}",
        status=status,
        instruction=each.instruction,
        amount_minor=each.amount_minor,
        currency="CNY",
        account=(each.payer if is_payers else each.payee).number,
        side=side,
        reason="AC04" if status is Status.REJECTED else None,
        booked="2026-03-02",
        reference=reference,
    )


def message_of(items: Sequence[Item], number: int) -> Message:
    return Message(
        format="camt.054.001.08", digest=f"digest {number}", message_id="", items=tuple(items)
    )


@st.composite
def histories(draw: st.DrawFn) -> list[list[Item]]:
    """Returns what a bank truly says of each payment, in the order in which it happens."""
    told: list[list[Item]] = []
    for each in PAYMENTS:
        course = draw(st.sampled_from(["nothing", "accepted", "rejected", "posted", "returned"]))
        steps: list[Item] = []
        if course != "nothing" and draw(st.booleans()):
            steps.append(item_of(each, Status.ACCEPTED, Side.DEBIT, f"D{each.n}"))
        if course == "rejected":
            steps.append(item_of(each, Status.REJECTED, None, ""))
        if course in ("posted", "returned"):
            steps.append(item_of(each, Status.POSTED, Side.CREDIT, f"C{each.n}"))
        if course == "returned":
            back = item_of(each, Status.RETURNED, Side.DEBIT, f"B{each.n}")
            steps.append(replace(back, account=each.payee.number))
        told.append(steps)
    return told


def shown(ledger: dict[int, str], matched: Matched) -> dict[int, str]:
    """Returns what the ledger shows after the reports were signed."""
    after = dict(ledger)
    for number, status, _ in said(matched):
        after[number] = status
    return after


def of_ledger(ledger: dict[int, str]) -> list[Expected]:
    return [replace(each, status=ledger.get(each.n, "pending")) for each in awaited(PAYMENTS)]


@given(histories(), st.data())
def test_shuffled_and_repeated_messages_say_the_same(
    told: list[list[Item]], data: st.DataObject
) -> None:
    items = [each for steps in told for each in steps]
    # Some are paid a second time, and the bank has a word on the whole file.
    credited = [each for each in items if each.side is Side.CREDIT]
    twice = data.draw(st.lists(st.sampled_from(credited), unique=True)) if credited else []
    items += [replace(each, place=f"{each.place} again", reference="A") for each in twice]
    whole = replace(
        message_of([], -1), verdicts=(Verdict(place="all", status=Status.ACCEPTED, file="M1"),)
    )
    messages = [whole, *(message_of([each], n) for n, each in enumerate(items))]
    sent = [write_pain001(PAYMENTS[:3], message_id="M1", created=CREATED, initiator="x")]
    plain = match(messages, of_ledger({}), bank=BANK, sent=sent)
    again = data.draw(st.lists(st.sampled_from(messages), max_size=4))
    shuffled = data.draw(st.permutations([*messages, *again]))
    assert match(shuffled, of_ledger({}), bank=BANK, sent=sent) == plain
    assert reasons(plain) == [Reason.PAID_AGAIN] * len(twice)


@given(histories(), st.data())
def test_what_comes_late_ends_where_it_would_have_ended(
    told: list[list[Item]], data: st.DataObject
) -> None:
    items = [each for steps in told for each in steps]
    whole = shown({}, match([message_of(items, 0)], of_ledger({}), bank=BANK))
    cuts = [data.draw(st.integers(0, len(steps))) for steps in told]
    early = [each for steps, cut in zip(told, cuts, strict=True) for each in steps[:cut]]
    late = [each for steps, cut in zip(told, cuts, strict=True) for each in steps[cut:]]
    ledger: dict[int, str] = {}
    # The late ones come with all that was told before, as the evening's statement does.
    for number, batch in enumerate((early, [*late, *early])):
        matched = match([message_of(batch, number)], of_ledger(ledger), bank=BANK)
        assert matched.unmatched == ()
        ledger = shown(ledger, matched)
    assert ledger == whole


@given(st.permutations(range(5)))
def test_gv01_tiered_is_matched_whatever_the_order_of_its_bookings(order: Sequence[int]) -> None:
    records, book = gv01_records()
    made = payments(records, book=book, on=ON)
    bank = made[0].payer.bank
    files = [
        camt054(
            entry(made[n], amount=yuan(made[n].amount_minor), reference=f"R{n}"),
            account=made[n].payee.number,
            message_id=f"N{n}",
        )
        for n in order
    ]
    messages = [message for file in files for message in read_iso20022(file)]
    matched = match(messages, expected(records, book=book), bank=bank)
    assert (matched.unmatched, matched.ignored) == ((), ())
    assert [
        (item.instruction, item.amount_minor) for item in matched.outcomes(records[0].plan)
    ] == [(record.n, record.amount) for record in records]
