"""Piles of who runs, guards and audits the registry: everything's counts, and no holder's name."""

from api.morning.day import on_the_way
from api.morning.piles import NEAR_PERCENT, OWED, Line, Morning, Pile, first, owed
from clearing.model import RUNS
from registry.burdens import FREEZES, TASKS, FreezeStatus
from registry.credit import DEBTORS, STOPS
from registry.model import ACCOUNTS, DEADLINES, LOTS, OFFERS, PARTIES, VOUCHERS, VoucherStatus
from registry.people import PENDING, REGISTRATIONS


def all_approvals(morning: Morning) -> Pile | None:
    """Statements that wait for a second person, by kind (待复核)."""
    found = sorted(morning.store.totals(PENDING, ("kind",)))
    lines = tuple(Line(id=kind, count=count) for kind, count in found)
    total = sum(count for _, count in found)
    return Pile(kind="all-approvals", count=total, lines=first(lines)) if total else None


def all_unanswered(morning: Morning) -> Pile | None:
    """Vouchers to be accepted and offers to be answered (待签收)."""
    deadlines = dict(morning.store.totals(DEADLINES, ("kind",)))
    vouchers = deadlines.get("voucher.expire", 0)
    found = sorted(morning.store.totals(OFFERS, ("purpose",), sums=("amount",)))
    lines = [Line(id="issue", count=vouchers)] if vouchers else []
    lines += [Line(id=purpose, count=n, amount=amount) for purpose, n, amount in found]
    total = vouchers + sum(count for _, count, _ in found)
    return Pile(kind="all-unanswered", count=total, lines=first(lines)) if total else None


def matures_today(morning: Morning) -> Pile | None:
    """What is paid today, how it is funded, and whether its plan is adopted."""
    return _matures(morning, "matures-today", "today")


def matures_soon(morning: Morning) -> Pile | None:
    """What is paid within three days, and how it is funded."""
    return _matures(morning, "matures-soon", "soon")


def _matures(morning: Morning, kind: str, when: str) -> Pile | None:
    """Adds up open vouchers by due date, and by whether their accounts can be debited."""
    days = [day for day, _, _ in morning.live_by_due_date if morning.when(day) == when]
    lines: list[Line] = []
    count = amount = funded = 0
    for day in sorted(days):
        found = morning.store.totals(
            VOUCHERS, ("account", "status"), sums=OWED, field="due_on", value=day
        )
        open_ones = [(a, n, owed(*sums)) for a, s, n, *sums in found if s == VoucherStatus.ACTIVE]
        good = morning.may_be_debited(account for account, _, _ in open_ones)
        due = sum(each for _, _, each in open_ones)
        number = sum(n for _, n, _ in open_ones)
        count += number
        amount += due
        funded += sum(each for account, _, each in open_ones if account in good)
        going = on_the_way(morning, day)
        funded -= sum(amount for account, amount in going.items() if account in good)
        planned = any(morning.store.select(RUNS, field="due_on", value=day))
        lines.append(
            Line(id=day, count=number, amount=due, on=day, note="planned" if planned else "")
        )
    if not count:
        return None
    facts = {"may_be_debited": str(funded)}
    return Pile(kind=kind, count=count, amount=amount, lines=first(lines), facts=dict(facts))


def all_unacknowledged(morning: Morning) -> Pile | None:
    """Lots whose assignment the debtor has not acknowledged (FR-11)."""
    found = morning.store.totals(LOTS, ("acknowledged",), sums=("amount",))
    for acknowledged, count, amount in found:
        if not acknowledged:
            return Pile(kind="all-unacknowledged", count=count, amount=amount)
    return None


def all_tasks(morning: Morning) -> Pile | None:
    """What is to be registered elsewhere, by day (待登记)."""
    found = sorted(morning.store.totals(TASKS, ("due_on", "work", "is_overdue")))
    if not found:
        return None
    lines = first(
        Line(id=work, about=work, count=count, on=day, note="overdue" if late else "")
        for day, work, late, count in found
    )
    late = sum(count for _, _, is_late, count in found if is_late)
    total = sum(count for _, _, _, count in found)
    return Pile(kind="all-tasks", count=total, lines=lines, facts={"overdue": late} if late else {})


def all_overdue(morning: Morning) -> Pile | None:
    """Lots whose pay date is past, by due date (逾期)."""
    found = morning.live_by_due_date
    late = [(day, n, amount) for day, n, amount in found if morning.when(day) == "overdue"]
    if not late:
        return None
    lines = first(Line(id=day, count=n, amount=amount, on=day) for day, n, amount in late)
    total, amount = sum(n for _, n, _ in late), sum(each for _, _, each in late)
    return Pile(kind="all-overdue", count=total, amount=amount, lines=lines)


def all_limits(morning: Morning) -> Pile | None:
    """Debtors that have promised nearly all of their limit, or all of it (FR-06)."""
    lines = []
    for row in morning.rows(DEBTORS):
        used = row.outstanding + row.allocated
        if row.limit is not None and used * 100 >= row.limit * NEAR_PERCENT:
            note = "at-limit" if used >= row.limit else "near-limit"
            lines.append(Line(id=row.party, party=row.party, amount=used, note=note))
    return Pile(kind="all-limits", count=len(lines), lines=first(lines)) if lines else None


def all_stops(morning: Morning) -> Pile | None:
    """Debtors that may issue nothing, by reason (RG-09)."""
    found = sorted(morning.store.totals(STOPS, ("reason",)))
    lines = first(Line(id=reason, count=count) for reason, count in found)
    total = sum(count for _, count in found)
    return Pile(kind="all-stops", count=total, lines=lines) if total else None


# --- The registrar's own ------------------------------------------------------------


def to_admit(morning: Morning) -> Pile | None:
    """Requests to be admitted."""
    asked = list(morning.rows(REGISTRATIONS))
    # Whoever has asked twice is admitted once; the other request can come to nothing any more.
    admitted = morning.named(PARTIES, (row.party for row in asked))
    rows = [row for row in asked if row.party not in admitted]
    lines = first(Line(id=row.statement, about=row.name, party=row.party) for row in rows)
    return Pile(kind="to-admit", count=len(rows), lines=lines) if rows else None


def to_review(morning: Morning) -> Pile | None:
    """Parties whose contact another party introduced, to be looked at again (FR-04)."""
    found = dict(morning.store.totals(PARTIES, ("manual_review",)))
    if not found.get(True):
        return None
    rows = (row for row in morning.rows(PARTIES) if row.manual_review)
    lines = first(Line(id=row.party, about=row.name, party=row.party) for row in rows)
    return Pile(kind="to-review", count=found[True], lines=lines)


def to_stop(morning: Morning) -> Pile | None:
    """Debtors that are overdue and may still issue (RG-09)."""
    days = [day for day, _, _ in morning.live_by_due_date if morning.when(day) == "overdue"]
    owing: dict[str, int] = {}
    for day in sorted(days):
        found = morning.store.totals(
            VOUCHERS, ("debtor", "status"), sums=OWED, field="due_on", value=day
        )
        for debtor, status, _, *sums in found:
            if status == VoucherStatus.ACTIVE:
                owing[debtor] = owing.get(debtor, 0) + owed(*sums)
    stopped = {row.party for row in morning.rows(STOPS)}
    lines = [
        Line(id=debtor, party=debtor, amount=amount)
        for debtor, amount in sorted(owing.items())
        if debtor not in stopped
    ]
    return Pile(kind="to-stop", count=len(lines), lines=first(lines)) if lines else None


def court_orders(morning: Morning) -> Pile | None:
    """Freezes that stand, by how far they have gone (司法冻结)."""
    found = sorted(morning.store.totals(FREEZES, ("status",)))
    standing = [(status, n) for status, n in found if status != FreezeStatus.LIFTED]
    lines = first(Line(id=status, count=count) for status, count in standing)
    total = sum(count for _, count in standing)
    return Pile(kind="court-orders", count=total, lines=lines) if total else None


def all_frozen_accounts(morning: Morning) -> Pile | None:
    """Accounts that courts have frozen."""
    count = dict(morning.store.totals(ACCOUNTS, ("frozen",))).get(True, 0)
    return Pile(kind="all-frozen-accounts", count=count) if count else None
