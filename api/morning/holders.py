"""Piles of whoever holds claims, or is about to: suppliers, financiers, vehicles."""

from collections.abc import Iterator
from dataclasses import replace

from api.morning.piles import LOOKED_MAX, NEAR_PERCENT, SHOWN_MAX, Line, Morning, Pile, first
from api.morning.sweeps import within_cycle
from registry.burdens import (
    ACCESSIONS,
    DISPUTES,
    FREEZES,
    PLEDGES,
    TASKS,
    DisputeStatus,
    PledgeStatus,
)
from registry.credit import EXPOSURES, VOIDINGS
from registry.inboxes import NOTICES, REVOCATIONS
from registry.model import LOTS, OFFERS, VOUCHERS, Lot, VoucherStatus
from registry.people import PENDING


def approvals(morning: Morning) -> Pile | None:
    """Statements of the reader's people that wait for a second person (待复核)."""
    rows = [row for party in morning.holders for row in morning.rows(PENDING, "party", party)]
    lines = (
        Line(
            id=row.statement,
            about=row.kind,
            amount=row.amount or None,
            on=morning.last_day(row.approve_by),
            note="needs-final" if row.final else "",
        )
        for row in sorted(rows, key=lambda row: (row.approve_by, row.statement))
    )
    return Pile(kind="approvals", count=len(rows), lines=first(lines)) if rows else None


def suspended(morning: Morning) -> Pile | None:
    """The reader's own suspension: it signs little while it lasts."""
    if morning.party.suspended is None:
        return None
    return Pile(kind="suspended", count=1, lines=(Line(id=morning.party.suspended),))


def vouchers_to_accept(morning: Morning) -> Pile | None:
    """Vouchers issued to the reader that it has not accepted (待签收)."""
    count = amount = 0
    lines: list[Line] = []
    for party in morning.holders:
        found = morning.store.totals(
            VOUCHERS, ("status",), sums=("face",), field="creditor", value=party
        )
        waiting = [(n, face) for status, n, face in found if status == VoucherStatus.ISSUED]
        count += sum(n for n, _ in waiting)
        amount += sum(face for _, face in waiting)
        if waiting:
            lines += first(_to_accept(morning, party))
    if not count:
        return None
    return Pile(kind="vouchers-to-accept", count=count, amount=amount, lines=first(lines))


def _to_accept(morning: Morning, party: str) -> Iterator[Line]:
    """Yields the vouchers that a party may accept."""
    for row in morning.rows(VOUCHERS, "creditor", party):
        if row.status == VoucherStatus.ISSUED:
            yield Line(
                id=row.voucher,
                about=row.voucher_no,
                party=row.debtor,
                amount=row.face,
                on=morning.last_day(row.accept_by),
                note="silence" if row.silent_at is not None else "",
            )


def offers_to_answer(morning: Morning) -> Pile | None:
    """Lots offered to the reader that it has not answered (待签收)."""
    rows = [row for party in morning.holders for row in morning.rows(OFFERS, "assignee", party)]
    if not rows:
        return None
    rows.sort(key=lambda row: (row.accept_by, row.offer))
    lines = first(
        Line(
            id=row.offer,
            about=row.purpose,
            party=row.assignor,
            amount=row.amount,
            on=morning.last_day(row.accept_by),
            note="silence" if row.silent_at is not None else "",
        )
        for row in rows
    )
    return Pile(
        kind="offers-to-answer", count=len(rows), amount=sum(r.amount for r in rows), lines=lines
    )


def voidings_to_answer(morning: Morning) -> Pile | None:
    """Vouchers that their debtors would have void, and of which the reader holds all (作废)."""
    proposed = list(morning.rows(VOIDINGS))
    vouchers = morning.named(VOUCHERS, (row.voucher for row in proposed))
    asked = [row for row in proposed if vouchers[row.voucher].status == VoucherStatus.ACTIVE]
    if not asked:
        return None
    mine: set[tuple[str, int]] = set()
    for party in morning.holders:
        held = morning.store.totals(
            LOTS, ("voucher",), sums=("amount",), field="holder", value=party
        )
        mine |= {(str(voucher), amount) for voucher, _, amount in held}
    lines = [
        Line(id=row.voiding, about=of.voucher_no, party=of.debtor, amount=of.face, on=of.due_on)
        for row in asked
        if ((of := vouchers[row.voucher]).voucher, of.face) in mine
    ]
    amount = sum(line.amount or 0 for line in lines)
    pile = Pile(kind="voidings-to-answer", count=len(lines), amount=amount, lines=first(lines))
    return pile if lines else None


def revocations_to_agree(morning: Morning) -> Pile | None:
    """Notices that their assignors would revoke, if the reader, the assignee, agrees (RG-19)."""
    proposed = list(morning.rows(REVOCATIONS))
    notices = morning.named(NOTICES, (row.notice for row in proposed))
    mine = [row for row in proposed if notices[row.notice].assignee in morning.holders]
    numbers = morning.numbers(notices[row.notice].voucher for row in mine)
    lines = [
        Line(
            id=row.revocation,
            about=numbers[of.voucher],
            party=of.assignor,
            amount=of.amount,
        )
        for row in sorted(mine, key=lambda row: row.revocation)
        for of in (notices[row.notice],)
    ]
    amount = sum(line.amount or 0 for line in lines)
    pile = Pile(kind="revocations-to-agree", count=len(lines), amount=amount, lines=first(lines))
    return pile if lines else None


def accessions_to_refuse(morning: Morning) -> Pile | None:
    """Co-debtors whom the reader, to whom all is owed, may still refuse (art. 552; RG-23)."""
    whole: dict[str, int] = {}
    for party in morning.holders:
        held = morning.store.totals(
            LOTS, ("voucher",), sums=("amount",), field="holder", value=party
        )
        whole |= {str(voucher): amount for voucher, _, amount in held}
    wanted = sorted(whole)[:LOOKED_MAX]
    names = ("refuse_by", "accession", "voucher", "co_debtor")
    found = morning.store.gather(ACCESSIONS, names, field="voucher", values=wanted)
    still = sorted(row for row in found if row[0] > morning.time)
    vouchers = morning.named(VOUCHERS, (voucher for _, _, voucher, _ in still))
    lines = [
        Line(
            id=accession,
            about=of.voucher_no,
            party=co_debtor,
            amount=of.face,
            on=morning.last_day(refuse_by),
        )
        for refuse_by, accession, voucher, co_debtor in still
        if (of := vouchers[voucher]).face == whole[voucher]
    ]
    pile = Pile(kind="accessions-to-refuse", count=len(lines), lines=first(lines))
    return pile if lines else None


# --- What is held -----------------------------------------------------------------


def paid_today(morning: Morning) -> Pile | None:
    """Lots of the reader's that are paid today."""
    return _held(morning, "paid-today", "today")


def paid_soon(morning: Morning) -> Pile | None:
    """Lots of the reader's that are paid within three days."""
    return _held(morning, "paid-soon", "soon")


def unpaid(morning: Morning) -> Pile | None:
    """Lots of the reader's whose pay date is past (逾期); what may still lie on stages is told."""
    pile = _held(morning, "unpaid", "overdue")
    waits = within_cycle(morning) if pile is not None else 0
    return replace(pile, facts={"within_cycle": str(waits)}) if pile and waits else pile


def _held(morning: Morning, kind: str, when: str) -> Pile | None:
    """Counts and shows lots by when they are paid."""
    count = amount = 0
    lines: list[Line] = []
    for holder in morning.holders:
        found = morning.store.totals(
            LOTS, ("due_on",), sums=("amount",), field="holder", value=holder
        )
        these = [(n, held) for due_on, n, held in found if morning.when(due_on) == when]
        count += sum(n for n, _ in these)
        amount += sum(held for _, held in these)
        if these and len(lines) < SHOWN_MAX:
            lots = morning.rows(LOTS, "holder", holder)
            lines += _lot_lines(morning, [lot for lot in lots if morning.when(lot.due_on) == when])
    return Pile(kind=kind, count=count, amount=amount, lines=first(lines)) if count else None


def _lot_lines(morning: Morning, lots: list[Lot]) -> list[Line]:
    """Returns lots as lines, the earliest first: the voucher's number, and what weighs on it."""
    lots = sorted(lots, key=lambda lot: (lot.due_on, lot.lot))[:SHOWN_MAX]
    vouchers = morning.named(VOUCHERS, (lot.voucher for lot in lots))
    return [
        Line(
            id=lot.lot,
            about=vouchers[lot.voucher].voucher_no,
            party=vouchers[lot.voucher].debtor,
            amount=lot.amount,
            on=lot.due_on,
            note=_burden(morning, lot),
        )
        for lot in lots
    ]


def _burden(morning: Morning, lot: Lot) -> str:
    """Returns what weighs on a lot, in a word."""
    if not lot.burdens:
        return ""
    return "frozen" if morning.named(FREEZES, lot.burdens) else "pledged"


def not_yet_acknowledged(morning: Morning) -> Pile | None:
    """Lots of the reader's whose assignment the debtor has not acknowledged (FR-11)."""
    count = amount = 0
    lots: list[Lot] = []
    for holder in morning.holders:
        found = morning.store.totals(
            LOTS, ("acknowledged",), sums=("amount",), field="holder", value=holder
        )
        these = [(n, held) for acknowledged, n, held in found if not acknowledged]
        count += sum(n for n, _ in these)
        amount += sum(held for _, held in these)
        if these:
            lots += [lot for lot in morning.rows(LOTS, "holder", holder) if not lot.acknowledged]
    if not count:
        return None
    lines = first(_lot_lines(morning, lots))
    return Pile(kind="not-yet-acknowledged", count=count, amount=amount, lines=lines)


# --- What is to be done elsewhere ---------------------------------------------------


def tasks(morning: Morning) -> Pile | None:
    """What is to be registered, or taken off a register, elsewhere (待登记)."""
    rows = [row for party in morning.holders for row in morning.rows(TASKS, "party", party)]
    if not rows:
        return None
    rows.sort(key=lambda row: (row.due_on, row.task))
    lines = first(
        Line(id=r.task, about=r.work, on=r.due_on, note="overdue" if r.is_overdue else "")
        for r in rows
    )
    late = sum(row.is_overdue for row in rows)
    return Pile(kind="tasks", count=len(rows), lines=lines, facts={"overdue": late} if late else {})


def pledges_to_register(morning: Morning) -> Pile | None:
    """Pledges to the reader that arise only when they are registered (待登记)."""
    rows = [
        row
        for party in morning.holders
        for row in morning.rows(PLEDGES, "pledgee", party)
        if row.status == PledgeStatus.PENDING
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: (row.register_by, row.pledge))
    lines = first(
        Line(
            id=row.pledge,
            party=row.pledgor,
            amount=row.amount,
            on=morning.last_day(row.register_by),
        )
        for row in rows
    )
    amount = sum(row.amount for row in rows)
    return Pile(kind="pledges-to-register", count=len(rows), amount=amount, lines=lines)


def disputes_to_answer(morning: Morning) -> Pile | None:
    """Disputes that a debtor has raised with the reader, the original creditor."""
    rows = [
        row
        for row in morning.rows(DISPUTES)
        if row.creditor == morning.caller.party and row.status == DisputeStatus.RAISED
    ]
    if not rows:
        return None
    numbers = morning.numbers(row.voucher for row in rows)
    lines = first(
        Line(id=r.dispute, about=numbers[r.voucher], party=r.debtor, amount=r.amount) for r in rows
    )
    amount = sum(row.amount for row in rows)
    return Pile(kind="disputes-to-answer", count=len(rows), amount=amount, lines=lines)


def exposures_at_limit(morning: Morning) -> Pile | None:
    """Debtors of whom a financier holds nearly as much as it wants to, or as much."""
    lines = [
        Line(
            id=row.debtor,
            party=row.debtor,
            amount=row.held,
            note="at-limit" if row.held >= row.limit else "near-limit",
        )
        for row in morning.rows(EXPOSURES, "financier", morning.caller.party)
        if row.limit is not None and row.held * 100 >= row.limit * NEAR_PERCENT
    ]
    return Pile(kind="exposures-at-limit", count=len(lines), lines=first(lines)) if lines else None
