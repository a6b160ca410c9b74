"""What matching makes of banks' messages, the ledger takes: whatever they say, in any order."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.model import InstructionRecord
from clearing.rails.findings import Matched, expected
from clearing.rails.matching import match
from clearing.rails.messages import Item, Message, Side, Status
from clearing.rails.payments import AccountDetails
from registry.ids import Sid
from registry.model import ACCOUNTS
from tests.clearing.rails.paper import details
from tests.clearing.test_rules import REPORT, adopt, instructions, run_of
from tests.clearing.world import World, gv01

SAID = tuple(
    (n, status, side)
    for n in range(5)
    for status, side in (
        (Status.ACCEPTED, Side.DEBIT),
        (Status.REJECTED, None),
        (Status.POSTED, Side.CREDIT),
        (Status.RETURNED, Side.DEBIT),
        (Status.RETURNED, Side.CREDIT),
    )
)


def book_of(world: World, records: Sequence[InstructionRecord]) -> dict[Sid, AccountDetails]:
    """Returns who has which account."""
    book = {}
    for account in {each for r in records for each in (r.payer_account, r.payee_account)}:
        row = world.rows.get(ACCOUNTS, account)
        assert row is not None
        book[account] = replace(details(row.owner), bank=row.bank)
    return book


def item(
    record: InstructionRecord, status: Status, side: Side | None, book: dict[Sid, AccountDetails]
) -> Item:
    """Returns what a bank says of an instruction."""
    is_payers = (side is Side.DEBIT) != (status is Status.RETURNED) and side is not None
    return Item(
        place=f"{record.n} {status} {side}",
        status=status,
        instruction=expected([record], book=book)[0].instruction,
        amount_minor=record.amount,
        currency="CNY",
        account=book[record.payer_account if is_payers else record.payee_account].number,
        side=side,
        reason="AC04" if status in (Status.REJECTED, Status.RETURNED) else None,
        reference=f"{record.n} {status} {side}",
    )


def tell(world: World, plan: Sid, said: Sequence[tuple[int, Status, Side | None]]) -> Matched:
    """Matches what a bank says, and signs the reports."""
    records = instructions(world, plan)
    book = book_of(world, records)
    items = tuple(item(records[n], status, side, book) for n, status, side in said)
    message = Message(format="x", digest="d", message_id="1", items=items)
    matched = match([message], expected(records, book=book), bank=world.party("bank"))
    for report in matched.reports:
        # It raises where the ledger refuses.
        body: dict[str, Any] = {**report.body()}
        world.enter(REPORT, body, by="bank", re=plan, name=f"{report} {world.index}")
    return matched


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(SAID), max_size=8), max_size=4))
def test_no_report_is_refused(told: list[list[tuple[int, Status, Side | None]]]) -> None:
    world = World()
    gv01(world)
    plan = adopt(world)
    for said in told:
        tell(world, plan, said)


@given(st.permutations(range(5)))
def test_gv01_is_cleared_by_bookings_in_any_order(order: Sequence[int]) -> None:
    world = World()
    gv01(world)
    plan = adopt(world)
    tell(world, plan, [(n, Status.POSTED, Side.CREDIT) for n in order])
    assert run_of(world, plan).status == "cleared"
    assert world.lots() == ()
