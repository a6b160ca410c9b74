"""Piles of banks and trustees: batches of instructions, accounts; due, received, missing."""

from collections import Counter
from collections.abc import Iterator

from api.morning.piles import Line, Morning, Pile, first
from clearing.model import INSTRUCTIONS, OPEN, RUNS, UNANSWERED, Run, RunStatus
from registry.ids import is_vehicle
from registry.model import ACCOUNTS


def open_runs(morning: Morning) -> Iterator[Run]:
    """Yields the clearing runs with instructions that no bank has confirmed yet."""
    return (row for row in morning.rows(RUNS) if row.status == RunStatus.PLANNED)


def batches(morning: Morning) -> Pile | None:
    """Instructions to the bank by due date: what it has confirmed, and what not."""
    lines: list[Line] = []
    waiting = amount = 0
    for run in open_runs(morning):
        found = morning.store.totals(
            INSTRUCTIONS, ("bank", "status"), sums=("amount",), field="plan", value=run.plan
        )
        for bank, status, count, total in found:
            if bank != morning.caller.party:
                continue
            is_pending = status in UNANSWERED
            lines.append(Line(id=run.plan, count=count, amount=total, on=run.pay_on, note=status))
            waiting += count if is_pending else 0
            amount += total if is_pending else 0
    if not waiting:
        return None
    lines.sort(key=lambda line: (line.on, line.id, line.note))
    return Pile(kind="batches", count=waiting, amount=amount, lines=first(lines))


def accounts_to_verify(morning: Morning) -> Pile | None:
    """Accounts with the bank that it has not verified."""
    me = morning.caller.party
    found = morning.store.totals(ACCOUNTS, ("verified",), field="bank", value=me)
    count = sum(n for verified, n in found if not verified)
    if not count:
        return None
    lines = first(
        Line(id=row.account, about=row.account_kind, party=row.owner)
        for row in morning.rows(ACCOUNTS, "bank", me)
        if not row.verified
    )
    return Pile(kind="accounts-to-verify", count=count, lines=lines)


def frozen_accounts(morning: Morning) -> Pile | None:
    """Accounts with the bank that a court has frozen."""
    me = morning.caller.party
    rows = [row for row in morning.rows(ACCOUNTS, "bank", me) if row.frozen]
    lines = first(Line(id=row.account, about=row.account_kind, party=row.owner) for row in rows)
    return Pile(kind="frozen-accounts", count=len(rows), lines=lines) if rows else None


def received(morning: Morning) -> Pile | None:
    """Of a trustee's vehicles: due by open runs, received, missing (应收、已收、未收)."""
    sums: Counter[tuple[str, str, str]] = Counter()
    vehicles = frozenset(morning.holders)
    for run in open_runs(morning):
        found = morning.store.totals(
            INSTRUCTIONS, ("payee", "status"), sums=("amount",), field="plan", value=run.plan
        )
        for payee, status, _, total in found:
            # Not what has come to the trustee's own account, as a stage, and is to go on.
            if payee in vehicles and is_vehicle(payee):
                sums[run.pay_on, payee, status] += total
    if not sums:
        return None
    lines = first(
        Line(id=party, party=party, amount=total, on=day, note=status)
        for (day, party, status), total in sorted(sums.items())
    )
    due = sum(sums.values())
    missing = sum(t for (_, _, s), t in sums.items() if s in OPEN)
    facts = {"received": str(due - missing), "missing": str(missing)}
    return Pile(kind="received", count=len(sums), amount=due, lines=lines, facts=dict(facts))
