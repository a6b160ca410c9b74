"""Piles of the clearing day: money to have there, lists to approve, debits to make, what is late.

On the days that the policy's `clearing_day` names a debtor is reminded of what falls due, by
account; on the pay date it stays there until it is paid. What the registry knows of the money
is what the debtor's bank has said (`clearing.fund`), and whether the account can be debited.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from api.clearing_days import is_asked, rules_of_plans
from api.morning.banks import open_runs
from api.morning.piles import LOOKED_MAX, OWED, Line, Morning, Pile, first, owed
from clearing.day import Timetable, hour_of, timetable
from clearing.delays import delays_of, hops_of
from clearing.handed import DEBIT_LISTS, DebitList
from clearing.model import FUNDS, INSTRUCTIONS, OPEN, RUNS, InstructionStatus, Run
from registry.batch import Batch
from registry.calendars import parse_date
from registry.ids import PartyId, Sid
from registry.model import ACCOUNTS, VOUCHERS, VoucherStatus
from registry.policy import rules_in_force
from registry.tables import Minor, replace


class Need(NamedTuple):
    """What an account has to have there on a pay date."""

    pay_on: str
    account: str
    debtor: str
    amount: int


def money_to_have(morning: Morning) -> Pile | None:
    """What the reader has to have on its accounts, on the days of reminding (备款提醒)."""
    return _money(morning, "money-to-have", debtor=morning.caller.party)


def all_money_to_have(morning: Morning) -> Pile | None:
    """What debtors have to have on their accounts, on the days of reminding (备款核对)."""
    return _money(morning, "all-money-to-have", debtor="")


def _money(morning: Morning, kind: str, *, debtor: str) -> Pile | None:
    """Adds up what is due by account, and holds it against what banks have said."""
    needs = [need for need in _needs(morning) if debtor in ("", need.debtor)]
    if not needs:
        return None
    stated: dict[str, int] = {row.account: row.amount for row in morning.rows(FUNDS)}
    good = morning.may_be_debited(need.account for need in needs)
    lines = (
        Line(
            id=need.account,
            party="" if debtor else need.debtor,
            amount=need.amount,
            on=need.pay_on,
            note=_note(need, stated, is_good=need.account in good),
        )
        for need in needs
    )
    accounts = {need.account for need in needs}
    told = sum(amount for account, amount in stated.items() if account in accounts)
    return Pile(
        kind=kind,
        count=len(needs),
        amount=sum(need.amount for need in needs),
        lines=first(lines),
        facts={"stated": str(told)} if accounts & stated.keys() else {},
    )


def _note(need: Need, stated: dict[str, int], *, is_good: bool) -> str:
    """Returns what is to be said of whether there is money."""
    if not is_good:
        return "no-debit"
    if need.account not in stated:
        return ""
    if not stated[need.account]:
        return "nothing-there"
    return "short" if stated[need.account] < need.amount else "stated"


def _needs(morning: Morning) -> list[Need]:
    """Returns what accounts have to have of the due dates that today is a reminder of."""
    table = _timetable(morning)
    if table is None:
        return []
    found: Counter[tuple[str, str, str]] = Counter()
    for due_on, _, _ in morning.live_by_due_date:
        if not _is_reminded(morning, table, due_on):
            continue
        for account, debtor, status, _, *sums in morning.store.totals(
            VOUCHERS, ("account", "debtor", "status"), sums=OWED, field="due_on", value=due_on
        ):
            if status == VoucherStatus.ACTIVE:
                pay_on = morning.pays_on(due_on).isoformat()
                found[pay_on, debtor, account] += owed(*sums)
        for account, amount in on_the_way(morning, due_on).items():
            for key in [key for key in found if key[2] == account]:
                found[key] -= amount
    return [
        Need(pay_on=pay_on, account=account, debtor=debtor, amount=amount)
        for (pay_on, debtor, account), amount in sorted(found.items())
        if amount > 0
    ]


def on_the_way(morning: Morning, due_on: str) -> Counter[str]:
    """Adds up what has left debtors for a due date and has not come to a holder, by account."""
    found: Counter[str] = Counter()
    # What divides an account's money may pay vouchers of several due dates.
    divided = (run for run in _under_way(morning).values() if run.due_on is None)
    for run in (*morning.rows(RUNS, "due_on", due_on), *divided):
        if run.instructions > LOOKED_MAX:
            continue
        records = list(morning.rows(INSTRUCTIONS, "plan", run.plan))
        if run.due_on is None:
            vouchers = morning.named(VOUCHERS, (row.voucher for row in records))
            records = [row for row in records if vouchers[row.voucher].due_on == due_on]
        from_account = {row.voucher: row.payer_account for row in records if not row.after}
        for row in records:
            account = from_account[row.voucher]
            is_own = not row.after and (row.lots or not row.pays)
            if row.status == InstructionStatus.POSTED and is_own:
                found[account] += row.amount
            if row.status in (InstructionStatus.POSTED, InstructionStatus.RETURNED) and row.lots:
                found[account] -= row.kept
            elif row.status == InstructionStatus.POSTED and row.payee_account == account:
                found[account] -= row.amount
    return found


def _is_reminded(morning: Morning, table: Timetable, due_on: str) -> bool:
    """Tells whether today is a day on which a due date is reminded of, or its pay date."""
    day = parse_date(due_on)
    # Few working days before are many calendar days where there are holidays.
    if day - morning.today > timedelta(days=90):
        return False
    return morning.pays_on(due_on) == morning.today or morning.today in table.reminded_on(day)


def _timetable(morning: Morning) -> Timetable | None:
    """Returns the clearing day of the policy in force, if it has one."""
    rows = Batch(morning.store.fetch, morning.service.rulebook.tables, index=0)
    return timetable(rows, rules_in_force(rows, morning.ledger), morning.ledger)


# --- Lists ----------------------------------------------------------------------------


def lists_to_approve(morning: Morning) -> Pile | None:
    """Lists of what is drawn on the reader that are sent once it approves them (兑付清单确认)."""
    return _lists(morning, "lists-to-approve", debtor=morning.caller.party)


def all_lists_to_approve(morning: Morning) -> Pile | None:
    """Lists that debtors have still to approve, by debtor."""
    return _lists(morning, "all-lists-to-approve", debtor="")


def _lists(morning: Morning, kind: str, *, debtor: str) -> Pile | None:
    """Shows lists of runs under way that wait for an approval, of one debtor if it is named."""
    runs = _under_way(morning)
    rules = rules_of_plans(morning.store, runs)
    rows = [
        row
        for row in _drawn(morning, runs)
        if row.waiting and is_asked(rules[row.plan]) and debtor in ("", row.debtor)
    ]
    if not rows:
        return None
    lines = first(
        Line(
            id=row.plan,
            party="" if debtor else row.debtor,
            count=row.waiting,
            amount=row.waiting_amount,
            on=runs[row.plan].pay_on,
        )
        for row in rows
    )
    total = sum(row.waiting_amount for row in rows)
    return Pile(kind=kind, count=len(rows), amount=total, lines=lines)


def debits(morning: Morning) -> Pile | None:
    """What open runs draw on accounts with the bank, and whether it is approved (待扣款)."""
    runs = {run.plan: run for run in open_runs(morning)}
    rules = rules_of_plans(morning.store, runs)
    rows = [left for row in _drawn(morning, runs) if (left := _to_debit(morning, runs, row))]
    accounts = morning.named(ACCOUNTS, (row.account for row in rows))
    mine = [row for row in rows if accounts[row.account].bank == morning.caller.party]
    if not mine:
        return None
    lines = first(
        Line(
            id=row.plan,
            party=row.debtor,
            count=row.instructions,
            amount=row.amount,
            on=runs[row.plan].pay_on,
            note="not-approved" if row.waiting and is_asked(rules[row.plan]) else "",
        )
        for row in mine
    )
    count, total = sum(row.instructions for row in mine), sum(row.amount for row in mine)
    return Pile(kind="debits", count=count, amount=total, lines=lines)


def _to_debit(morning: Morning, runs: Mapping[Sid, Run], row: DebitList) -> DebitList | None:
    """Returns of a list what no bank has carried out yet, and nothing has ended."""
    if runs[row.plan].instructions > LOOKED_MAX:
        return row
    left = [
        record.amount
        for record in morning.rows(INSTRUCTIONS, "plan", row.plan)
        if record.payer_account == row.account and not record.after and record.status in OPEN
    ]
    return replace(row, instructions=len(left), amount=Minor(sum(left))) if left else None


def _under_way(morning: Morning) -> dict[str, Run]:
    """Returns runs of which something may still come, closed ones too, by plan."""
    runs = morning.rows(RUNS)
    return {run.plan: run for run in runs if run.posted + run.ended < run.instructions}


def _drawn(morning: Morning, runs: Iterable[str]) -> Iterator[DebitList]:
    """Yields what runs draw on debtors, by plan and account."""
    for plan in runs:
        yield from sorted(morning.rows(DEBIT_LISTS, "plan", plan), key=lambda row: row.account)


# --- Late -----------------------------------------------------------------------------


def late(morning: Morning) -> Pile | None:
    """Payments to the bank's accounts that are on their way for longer than they may (SD-22)."""
    return _late(morning, "payments-late", bank=morning.caller.party)


def all_late(morning: Morning) -> Pile | None:
    """Payments that are on their way for longer than they may, by bank (SD-22)."""
    return _late(morning, "all-late", bank="")


def _late(morning: Morning, kind: str, *, bank: str) -> Pile | None:
    """Adds up what is late of open runs, by run, bank, and whether chain or hop is."""
    lines: list[Line] = []
    for run in open_runs(morning):
        counts: Counter[tuple[str, str]] = Counter()
        amounts: defaultdict[tuple[str, str], int] = defaultdict(int)
        for record_bank, amount, note in _late_of(morning, run):
            if bank in ("", record_bank):
                counts[record_bank, note] += 1
                amounts[record_bank, note] += amount
        lines += (
            Line(
                id=run.plan,
                party="" if bank else each,
                count=count,
                amount=amounts[each, note],
                on=run.pay_on,
                note=note,
            )
            for (each, note), count in sorted(counts.items())
        )
    if not lines:
        return None
    total = sum(line.amount or 0 for line in lines)
    return Pile(
        kind=kind, count=sum(line.count or 0 for line in lines), amount=total, lines=first(lines)
    )


def _late_of(morning: Morning, run: Run) -> Iterator[tuple[PartyId, int, str]]:
    """Yields bank and amount of what has not come of a run, and what of it is late."""
    if not run.posted or run.instructions > LOOKED_MAX:
        return
    records = list(morning.rows(INSTRUCTIONS, "plan", run.plan))
    chain_ms, hop_ms = hour_of(rules_of_plans(morning.store, (run.plan,))[run.plan])
    by_number = {record.n: record for record in records}
    late_chains = {
        each.n
        for each in delays_of(records)
        if each.until is None and each.is_late(morning.time, within_ms=chain_ms)
    }
    late_hops = {
        each.n
        for each in (hops_of(records) if hop_ms is not None else ())
        if each.until is None and each.is_late(morning.time, within_ms=hop_ms or 0)
    }
    for n in sorted(late_chains | late_hops):
        record = by_number[n]
        note = "late-chain" if n in late_chains else "late-hop"
        yield record.bank, record.amount, note
