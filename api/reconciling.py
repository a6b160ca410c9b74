"""The three records of a due date, read from a store, and compared for who asks."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from api.auth import Caller
from api.find import changes_made_by, index_of
from clearing.model import INSTRUCTIONS, OBLIGATIONS, RUNS, Run
from clearing.reconciliation import Line, Reconciliation, Ways, reconcile
from registry.burdens import FREEZES, frozen_lots, ordered_accounts
from registry.calendars import date_at
from registry.ids import LotId, Sid, parse_lot_id
from registry.model import ACCOUNTS, LOTS, VOUCHERS, Lot, Role
from registry.ports import LedgerStore

Row = dict[str, Any]


def reconciled(store: LedgerStore, due_on: str) -> tuple[tuple[Sid, ...], Reconciliation]:
    """Compares what was due on a date with what came of it.

    Args:
        store: Where the ledger is kept.
        due_on: The due date.

    Returns:
        The plans that were to pay it, in the order in which they were adopted; and what
        there is to say.
    """
    vouchers = sorted(row.voucher for row in store.select(VOUCHERS, field="due_on", value=due_on))
    due = frozenset(vouchers)
    runs: list[tuple[int, Run]] = []
    records = []
    # Money of one debtor pays what is due of several dates.
    divided = (run for run in store.select(RUNS) if run.due_on is None)
    for run in chain(store.select(RUNS, field="due_on", value=due_on), divided):
        rows = store.select(INSTRUCTIONS, field="plan", value=run.plan)
        adopted = index_of(store, run.plan)
        if adopted is not None and (mine := [row for row in rows if row.voucher in due]):
            runs.append((adopted, run))
            records += sorted(mine, key=lambda row: row.n)
    runs.sort(key=lambda each: each[0])
    plans = tuple(run.plan for _, run in runs)
    live = list(_lots(store, vouchers, as_of=None))
    amounts: dict[Sid, Mapping[LotId, int]] = {}
    scheduled = live
    for place, (index, run) in enumerate(runs):
        then = list(_lots(store, vouchers, as_of=index))
        scheduled = scheduled if place else then
        amounts[run.plan] = {lot.lot: lot.amount for lot in then}
    owed = (row for row in store.select(OBLIGATIONS) if row.plan in amounts)
    ways = Ways(
        records=records,
        obligations=[row for row in owed if row.voucher in due],
        amounts=amounts,
    )
    named = chain((lot for row in records for lot in row.lots), (row.lot for row in live))
    freezes = list(store.select(FREEZES))
    found = reconcile(
        ways,
        scheduled=scheduled,
        live=live,
        frozen=frozen_lots(freezes),
        courts=ordered_accounts(freezes),
        left_of=_left_of(store, named, known={row.lot for row in scheduled}),
    )
    return plans, found


def _lots(store: LedgerStore, vouchers: Iterable[Sid], *, as_of: int | None) -> Iterator[Lot]:
    """Yields the lots of vouchers, live or as of a size."""
    for voucher in vouchers:
        yield from store.select(LOTS, field="voucher", value=voucher, as_of=as_of)


def _left_of(store: LedgerStore, named: Iterable[str], *, known: set[LotId]) -> dict[LotId, LotId]:
    """Finds of which lot each one is left that was not scheduled, by the statement in its id."""
    found: dict[LotId, LotId] = {}
    waiting = {LotId(lot) for lot in named} - known
    while waiting:
        lot = waiting.pop()
        before = _cut_from(store, lot)
        if before is not None:
            found[lot] = before
            if before not in known and before not in found:
                waiting.add(before)
    return found


def _cut_from(store: LedgerStore, lot: LotId) -> LotId | None:
    """Returns the lot that was paid in part, and of which this one is what was left."""
    sid, _ = parse_lot_id(lot)
    for change in changes_made_by(store, sid):
        if change.get("rest") == lot:
            return LotId(str(change["lot"]))
    return None


# --- For who asks -------------------------------------------------------------------------


def reconciliation_of(
    store: LedgerStore, caller: Caller, due_on: str, *, offset_minutes: int
) -> Row:
    """Tells what was due and what came, as far as it concerns the caller.

    The operator and auditors see all, a bank the accounts that it keeps, others their own
    lots and accounts.

    Args:
        store: Where the ledger is kept.
        caller: Who asks.
        due_on: The due date.
        offset_minutes: The ledger's zone, in which money came on a day.
    """
    plans, found = reconciled(store, due_on)
    kept: frozenset[Sid] = frozenset()
    if Role.BANK in caller.roles:
        rows = store.select(ACCOUNTS, field="bank", value=caller.party)
        kept = frozenset(row.account for row in rows)
    is_all = caller.is_auditor or Role.OPERATOR in caller.roles

    def sees(party: str, account: Sid) -> bool:
        return is_all or account in kept or caller.is_or_manages(party)

    lines = [line for line in found.lines if sees(line.holder, line.account)]
    accounts = [each for each in found.accounts if sees(each.owner, each.account)]
    shown = {line.lot for line in lines} | {each.account for each in accounts}
    receipts = [each for each in found.receipts if each.lot in shown or each.account in shown]
    days: dict[tuple[Sid, str], int] = {}
    for each in receipts:
        day = date_at(each.at, offset_minutes=offset_minutes).isoformat()
        days[each.account, day] = days.get((each.account, day), 0) + each.amount_minor
    return {
        "due_on": due_on,
        "plans": list(plans),
        "lots": [_line(line) for line in lines],
        "accounts": [
            {
                "account": each.account,
                "owner": each.owner,
                "came": str(each.came_minor),
                "went": str(each.went_minor),
                "received": str(each.received_minor),
                "owed_back": str(each.owed_back_minor),
                "passing": str(each.passing_minor),
            }
            for each in accounts
        ],
        "days": [
            {"account": account, "day": day, "received": str(amount)}
            for (account, day), amount in sorted(days.items())
        ],
        "totals": _totals(lines),
        "differences": [
            {"what": each.what.value, "subject": each.subject, "amount": str(each.amount_minor)}
            for each in found.differences
            if is_all or each.subject in shown
        ],
    }


def _line(line: Line) -> Row:
    """Returns a lot's line as JSON."""
    return {
        "lot": line.lot,
        "voucher": line.voucher,
        "holder": line.holder,
        "account": line.account,
        "scheduled": str(line.scheduled_minor),
        "received": str(line.received_minor),
        "short": str(line.short_minor),
        "withheld": str(line.withheld_minor),
    }


def _totals(lines: Iterable[Line]) -> Row:
    """Adds up lines."""
    rows = list(lines)
    return {
        "lots": len(rows),
        "scheduled": str(sum(line.scheduled_minor for line in rows)),
        "received": str(sum(line.received_minor for line in rows)),
        "short": str(sum(line.short_minor for line in rows)),
        "withheld": str(sum(line.withheld_minor for line in rows)),
    }
