"""Piles of whoever owes: what is due and how it is funded, notices, limits, orders of courts."""

from collections.abc import Iterator
from itertools import islice

from api.morning.day import on_the_way
from api.morning.piles import (
    LOOKED_MAX,
    NEAR_PERCENT,
    OWED,
    SHOWN_MAX,
    Line,
    Morning,
    Pile,
    first,
    owed,
)
from registry.burdens import FREEZES, FreezeStatus
from registry.credit import DEBTORS, STOPS
from registry.inboxes import NOTICES
from registry.model import VOUCHERS, Voucher, VoucherStatus
from registry.tables import Get

ANSWERS = ("acknowledged", "refused", "revoked_at")
"""What ends a notice's wait, if it is there."""

LATE_DAYS = 3
"""Working days after which a notice should have been acknowledged (FR-11)."""


def owed_today(morning: Morning) -> Pile | None:
    """What the reader pays today, and how much of it can be debited."""
    return _owed(morning, "owed-today", "today")


def owed_soon(morning: Morning) -> Pile | None:
    """What the reader pays within three days, and how much of it can be debited."""
    return _owed(morning, "owed-soon", "soon")


def overdue(morning: Morning) -> Pile | None:
    """What the reader should have paid (逾期)."""
    return _owed(morning, "overdue", "overdue")


def _owed(morning: Morning, kind: str, when: str) -> Pile | None:
    """Adds up open vouchers by when they are paid, and shows the first."""
    found = morning.store.totals(
        VOUCHERS,
        ("due_on", "account", "status"),
        sums=OWED,
        field="debtor",
        value=morning.caller.party,
    )
    these = [
        (due_on, account, count, owed(*sums))
        for due_on, account, status, count, *sums in found
        if status == VoucherStatus.ACTIVE and morning.when(due_on) == when
    ]
    if not these:
        return None
    good = morning.may_be_debited(account for _, account, _, _ in these)
    funded = sum(amount for _, account, _, amount in these if account in good)
    days = sorted({due_on for due_on, _, _, _ in these})
    accounts = {account for _, account, _, _ in these}
    going = {
        (day, account): amount
        for day in days
        for account, amount in on_the_way(morning, day).items()
        if account in accounts and amount > 0
    }
    funded -= sum(amount for (_, account), amount in going.items() if account in good)
    lines = (
        Line(
            id=row.voucher,
            about=row.voucher_no,
            amount=owed(row.face, row.discharged, row.cancelled),
            on=row.due_on,
            note="" if row.account in good else "no-debit",
        )
        for row in _open_vouchers(morning, days)
    )
    return Pile(
        kind=kind,
        count=sum(count for _, _, count, _ in these),
        amount=sum(amount for _, _, _, amount in these),
        lines=first(lines),
        facts={
            "may_be_debited": str(funded),
            **({"on_the_way": str(sum(going.values()))} if going else {}),
        },
    )


def _open_vouchers(morning: Morning, days: list[str]) -> Iterator[Voucher]:
    """Yields the reader's open vouchers of some due dates."""
    for day in days:
        for row in morning.rows(VOUCHERS, "due_on", day):
            if row.debtor == morning.caller.party and row.status == VoucherStatus.ACTIVE:
                yield row


def not_yet_accepted(morning: Morning) -> Pile | None:
    """Vouchers that the reader has issued and their first holders have not accepted."""
    me = morning.caller.party
    found = morning.store.totals(VOUCHERS, ("status",), sums=("face",), field="debtor", value=me)
    for status, count, face in found:
        if status == VoucherStatus.ISSUED:
            lines = first(
                Line(
                    id=row.voucher,
                    about=row.voucher_no,
                    party=row.creditor,
                    amount=row.face,
                    on=morning.last_day(row.accept_by),
                )
                for row in morning.rows(VOUCHERS, "debtor", me)
                if row.status == VoucherStatus.ISSUED
            )
            return Pile(kind="not-yet-accepted", count=count, amount=face, lines=lines)
    return None


def notices_to_acknowledge(morning: Morning) -> Pile | None:
    """Notices of assignment to the reader, debtor or guarantor, without its acknowledgement."""
    me = morning.caller.party
    totals = morning.store.totals(NOTICES, ANSWERS, sums=("amount",), field="recipient", value=me)
    waiting = [(n, each) for *answers, n, each in totals if not any(answers)]
    if not waiting:
        return None
    ((count, amount),) = waiting
    late_before = morning.working_days_ago(LATE_DAYS)
    names = (*ANSWERS, "arrived", "notice", "voucher", "assignee", "amount")
    # In no order, so that the first come at once, however many there are.
    found = morning.store.columns(NOTICES, names, field="recipient", value=me)
    rows = sorted(row[3:] for row in islice(found, LOOKED_MAX) if not any(row[:3]))
    numbers = morning.numbers(voucher for _, _, voucher, _, _ in rows[:SHOWN_MAX])
    lines = tuple(
        Line(
            id=notice,
            about=numbers[voucher],
            party=assignee,
            amount=each,
            on=morning.day_of(arrived),
            note="late" if arrived < late_before else "",
        )
        for arrived, notice, voucher, assignee, each in rows[:SHOWN_MAX]
    )
    late = sum(row[0] < late_before for row in rows)
    facts = {"late": late} if late else {}
    if len(rows) < count:
        # There are more notices than anybody looks at in a morning; the report has them all.
        facts["looked_at"] = LOOKED_MAX
    return Pile(
        kind="notices-to-acknowledge", count=count, amount=amount, lines=lines, facts=dict(facts)
    )


def near_limit(morning: Morning) -> Pile | None:
    """The reader's own limit, if it has promised nearly all of it (FR-06)."""
    (row,) = morning.store.fetch([Get(DEBTORS, ((morning.caller.party,),))])[0]
    if row is None or row.limit is None:
        return None
    used = row.outstanding + row.allocated
    if used * 100 < row.limit * NEAR_PERCENT:
        return None
    line = Line(id=row.party, amount=used, note="at-limit" if used >= row.limit else "near-limit")
    return Pile(
        kind="near-limit", count=1, amount=used, lines=(line,), facts={"limit": str(row.limit)}
    )


def stopped(morning: Morning) -> Pile | None:
    """Why the reader may issue nothing (RG-09)."""
    rows = list(morning.rows(STOPS, "party", morning.caller.party))
    lines = first(Line(id=row.statement, about=row.reason) for row in rows)
    return Pile(kind="stopped", count=len(rows), lines=lines) if rows else None


def orders_to_pay_a_court(morning: Morning) -> Pile | None:
    """Orders to pay a court to which the reader may still object."""
    rows = [row for row in morning.rows(FREEZES) if row.status == FreezeStatus.ORDERED]
    vouchers = morning.named(VOUCHERS, (row.voucher for row in rows))
    mine = [row for row in rows if vouchers[row.voucher].debtor == morning.caller.party]
    lines = first(
        Line(
            id=row.freeze,
            about=vouchers[row.voucher].voucher_no,
            on=morning.last_day(row.objection_ends or morning.time),
        )
        for row in mine
    )
    return Pile(kind="orders-to-pay-a-court", count=len(mine), lines=lines) if mine else None
