"""Whom the holder of a lot may ask to pay: now, and who only comes later.

What the log knows decides: due date, accessions, promises, recourse, and who was told of the
holder's assignment. It knows no demand and no deal's calculation, so whoever promised to pay
after these is named with what has to come about.

Source: SD-61, SD-71, RG-23, RG-24; Civil Code, arts. 552, 688, 766.
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from api.payees import untold_of
from clearing.hops import is_carried, owing
from clearing.rules.plans import pay_calendar
from registry.accessory import cap_shares
from registry.batch import Batch
from registry.burdens import ACCESSIONS, ACCESSORIES, Accession, Accessory
from registry.calendars import parse_date, parse_offset, start_of
from registry.canonical import Json
from registry.ids import PartyId
from registry.liability import Progress, Promise, Trigger, claimable_parties
from registry.model import LOTS, Ledger, Lot, Voucher
from registry.ports import LedgerStore
from registry.tables import Table

MINUTE_MS = 60_000


def claimable_of(
    store: LedgerStore,
    tables: Sequence[Table[Any]],
    ledger: Ledger,
    *,
    lot: Lot,
    voucher: Voucher,
    time: int,
) -> dict[str, Json]:
    """Returns who may be asked to pay a live lot at an instant, in what capacity, up to what.

    Args:
        store: Shows accessions, promises, notices, and the calendar of pay dates.
        tables: The ledger's.
        ledger: The ledger's facts.
        lot: Whose holder asks.
        voucher: Its voucher.
        time: When, in milliseconds.
    """
    offset = parse_offset(ledger.zone)
    due = start_of(parse_date(voucher.due_on), offset_minutes=offset)
    carried = _carried(store, tables, lot, voucher)
    # Whoever joined or secured the debtor's debt is free with it.
    rights = [
        row
        for row in store.select(ACCESSORIES, field="voucher", value=voucher.voucher)
        if row.trigger is not None and carried is None
    ]
    joined = list(store.select(ACCESSIONS, field="voucher", value=voucher.voucher))
    if carried is not None:
        joined = []
    calendar = pay_calendar(Batch(store.fetch, tables, index=0), ledger)

    def instant(right: Accessory) -> int | None:
        """Returns the instant of a promise that has one of its own."""
        if right.working_days_before is None or right.minute is None:
            return None
        day, back = parse_date(voucher.due_on), -right.working_days_before
        if calendar is not None:
            day = calendar.add_worked_days(day, back)
        return start_of(day, offset_minutes=offset) + right.minute * MINUTE_MS

    promises = {
        right.accessory: Promise(
            promisor=right.provider, trigger=Trigger(right.trigger or ""), instant=instant(right)
        )
        for right in rights
    }
    untold = untold_of(store, lot)
    now = claimable_parties(
        debtor=voucher.debtor if carried is None else carried,
        co_debtors=[PartyId(each) for each in voucher.co_debtors if carried is None],
        promises=promises.values(),
        progress=Progress(time=time, due=due),
        assignor=PartyId(lot.path[-2]) if lot.recourse else None,
        untold=untold,
    )
    rows: list[dict[str, Json]] = [*_debtors(lot, voucher, joined)]
    if carried is not None:
        rows[0] = {"as": "has-the-money", "party": carried}
    lots = [*store.select(LOTS, field="voucher", value=voucher.voucher)] if rights else []
    for right in rights:
        row: dict[str, Json] = {"as": right.right, "cap": str(right.cap), "party": right.provider}
        if (part := cap_shares(right.cap, lots).get(lot.lot)) is not None:
            row["cap_of_lot"] = str(part)
        if right.trigger is not None:
            row["trigger"] = right.trigger
        if (at := promises[right.accessory].instant) is not None:
            row["from"] = at
        rows.append(row)
    return {
        "at": time,
        "due": due,
        "lot": lot.lot,
        "now": [row for row in rows if row["party"] in now],
        "later": [row for row in rows if row["party"] not in now and row["party"] not in untold],
        "untold": [*sorted(untold)],
    }


def _carried(
    store: LedgerStore, tables: Sequence[Table[Any]], lot: Lot, voucher: Voucher
) -> PartyId | None:
    """Returns who owes a lot in the debtor's place, for the debtor's money lies with it.

    What is paid in part is asked of the debtor, who owes the rest.
    """
    if not is_carried(voucher):
        return None
    rows = Batch(store.fetch, tables, index=0)
    party, amount = owing(rows, lot, voucher.debtor, attrgetter("status"))
    return None if party == voucher.debtor or amount < lot.amount else party


def _debtors(lot: Lot, voucher: Voucher, joined: list[Accession]) -> Iterator[dict[str, Json]]:
    """Yields who owes the lot from its due date on, in any order."""
    yield {"as": "debtor", "party": voucher.debtor}
    for row in joined:
        cap: dict[str, Json] = {} if row.cap is None else {"cap": str(row.cap)}
        # By which, and until when, the creditor of all of it can refuse it (RG-23).
        offer: dict[str, Json] = {"accession": row.accession, "refuse_by": row.refuse_by}
        yield {"as": "co-debtor", "party": row.co_debtor, **cap, **offer}
    if lot.recourse:
        yield {"as": "assignor", "party": lot.path[-2]}
