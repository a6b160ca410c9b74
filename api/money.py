"""Where the money of a lot went, what is owed because of it, and what lay on whose accounts.

All of it follows from the instructions that banks have answered; it proves nothing that
these do not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.auth import Caller
from api.clearing_days import timetables_of_plans
from api.find import changes_made_by
from clearing.day import Timetable, hour_of
from clearing.delays import delays_of, hops_of
from clearing.exposure import gross_stays_of, peak_minor, stays_of, yuan_days
from clearing.model import INSTRUCTIONS, OBLIGATIONS, InstructionRecord, Obligation, Sort
from registry.errors import RegistryError
from registry.ids import PartyId, Sid, parse_lot_id
from registry.model import LOTS, Role
from registry.policy import Rules
from registry.ports import LedgerStore
from registry.tables import Get

Row = dict[str, Any]

_OF_HOP = ("posted_at", "returned_at", "reason", "relayed", "holder", "stage", "sent", "joint")


def voucher_of_lot(store: LedgerStore, lot: str) -> str | None:
    """Returns the voucher of a lot, live or gone: the statement in its id leads there."""
    (live,) = store.fetch([Get(LOTS, ((lot,),))])[0]
    if live is not None:
        return str(live.voucher)
    try:
        sid, _ = parse_lot_id(lot)
    except RegistryError:
        return None
    changes = [change for change in changes_made_by(store, sid) if "voucher" in change]
    # A report may leave the rests of several vouchers' lots, and says which.
    exactly = [change for change in changes if lot in change.values()]
    return str((exactly or changes)[0]["voucher"]) if changes else None


def way_of_lot(store: LedgerStore, caller: Caller, lot: str) -> Row | None:
    """Tells by which instructions a lot was to be paid, hop by hop, and what became of each.

    Args:
        store: Where to look.
        caller: Who asks: an auditor, the operator, or who pays, is paid or keeps an account
            on the way.
        lot: The lot, live or gone.

    Returns:
        The ways in the order in which they were planned, and what is owed because of them;
        None if there is none that the caller may see.
    """
    voucher = voucher_of_lot(store, lot)
    if voucher is None:
        return None
    rows = list(store.select(INSTRUCTIONS, field="voucher", value=voucher))
    by_place = {(row.plan, row.n): row for row in rows}
    last = [row for row in rows if lot in row.lots]
    days = timetables_of_plans(store, (row.plan for row in last))
    ways = [way for row in last if (way := _way(row, lot, by_place, caller, days))]
    if not ways:
        return None
    keys = tuple((sort.value, row.plan, row.n) for row in last for sort in Sort)
    owed = [
        obligation_of(row)
        for row in store.fetch([Get(OBLIGATIONS, keys)])[0]
        if row is not None and lot in row.lots and _concerns(caller, row.owed_by, row.owed_to)
    ]
    return {"lot": lot, "voucher": voucher, "ways": ways, "obligations": owed}


def _way(
    last: InstructionRecord,
    lot: str,
    rows: Mapping[tuple[Sid, int], InstructionRecord],
    caller: Caller,
    days: Mapping[str, Timetable],
) -> Row | None:
    """Returns the hops that lead to one instruction.

    Who is paid by it sees them all, and others their own: whoever passes money on must not
    learn from it who comes behind.
    """
    path = [last]
    while path[0].after:
        path.insert(0, rows[last.plan, int(path[0].after[0])])
    if not _concerns(caller, last.payee, last.creditor):
        path = [hop for hop in path if _concerns(caller, hop.payer, hop.payee, hop.bank)]
    hops = [_hop(record, days.get(record.plan)) for record in path]
    if last not in path:
        return {"plan": last.plan, "hops": hops} if path else None
    part = last.parts[last.lots.index(lot)] if last.parts else None
    way: Row = {
        "plan": last.plan,
        "n": last.n,
        "amount": str(last.kept) if part is None else part,
        "lots": len(last.lots) if part is None else 1,
        "status": last.status,
        "hops": hops,
    }
    if last.instead is not None:
        way |= {"instead": last.instead, "pays": last.pays}
    return way


def _hop(record: InstructionRecord, day: Timetable | None) -> Row:
    """Returns what a lot's holder may know of a hop: nobody else's amounts."""
    hop: Row = {
        "n": record.n,
        "payer": record.payer,
        "payee": record.payee,
        "bank": record.bank,
        "status": record.status,
        "route": record.route,
    }
    for name in _OF_HOP:
        if (value := getattr(record, name)) is not None:
            hop[name] = value
    if day is not None and record.posted_at is not None:
        # Where it came from the cut-off on, or on a day off.
        counts_on = day.counts_later(record.posted_at)
        hop |= {} if counts_on is None else {"counts_on": counts_on.isoformat()}
    return hop


def _concerns(caller: Caller, *parties: PartyId) -> bool:
    """Tells whether a caller is an auditor, orders the payments, or is one of some parties."""
    is_theirs = caller.is_auditor or Role.OPERATOR in caller.roles
    return is_theirs or any(map(caller.is_or_manages, parties))


def obligation_of(row: Obligation) -> Row:
    """Returns something owed as JSON."""
    found: Row = {
        "sort": row.sort,
        "plan": row.plan,
        "n": row.n,
        "voucher": row.voucher,
        "owed_by": row.owed_by,
        "owed_to": row.owed_to,
        "amount": str(row.amount),
        "status": row.status,
    }
    return found if row.due_on is None else {**found, "due_on": row.due_on}


def exposure_of(
    records: Sequence[InstructionRecord], caller: Caller, *, now: int, rules: Rules
) -> Row:
    """Tells what lay, or lies, on intermediate accounts, as far as it concerns the caller.

    Each stay is shown to whose money it is. Whose account it is sees the sums alone: it must not
    learn whom the money goes to. Yuan-days are given in hundredths, as fen-days. A hop that is
    late is shown to both its sides.

    Args:
        records: All instructions of a plan.
        caller: Who asks.
        now: Milliseconds.
        rules: The policy under which the plan was adopted.
    """
    chain_ms, hop_ms = hour_of(rules)
    found = stays_of(records)
    stays = [each for each in found if _concerns(caller, each.owner, each.beneficiary)]
    gross = [each for each in gross_stays_of(records) if _concerns(caller, each.owner)]
    return {
        "stays": [
            {
                "owner": stay.owner,
                "beneficiary": stay.beneficiary,
                "n": stay.n,
                "amount": str(stay.amount_minor),
                "since": stay.since,
                **({} if stay.until is None else {"until": stay.until}),
                **({"at_stage": True} if stay.at_stage else {}),
                "fen_days": str(yuan_days(stay.integral(now))),
            }
            for stay in stays
            if _concerns(caller, stay.beneficiary)
        ],
        "others_fen_days": str(yuan_days(sum(stay.integral(now) for stay in stays))),
        "saved_fen_days": str(
            yuan_days(sum(stay.integral(now) for stay in stays if not stay.at_stage))
        ),
        "gross_fen_days": str(yuan_days(sum(stay.integral(now) for stay in gross))),
        "peak": str(peak_minor(stays)),
        **({} if rules.hop_limit is None else {"limit": str(rules.hop_limit)}),
        "late": [
            {"payee": each.payee, "n": each.n, "hops": each.hops, "ms": each.taken(now)}
            for each in delays_of(records)
            if _concerns(caller, each.payee) and each.is_late(now, within_ms=chain_ms)
        ],
        "late_hops": [
            {"payer": each.payer, "payee": each.payee, "n": each.n, "ms": each.taken(now)}
            for each in (hops_of(records) if hop_ms is not None else ())
            if _concerns(caller, each.payer, each.payee)
            and each.is_late(now, within_ms=hop_ms or 0)
        ],
        "chain_ms": chain_ms,
        **({} if hop_ms is None else {"hop_ms": hop_ms}),
    }
