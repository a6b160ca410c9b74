"""Piles of payments that went wrong: refused, sent back, stuck, owed because of it, not divided.

What a bank's file says and nobody can place is in no pile: it is no fact of the ledger, and
whoever reads the file in is told of it there.
"""

from collections import Counter
from collections.abc import Iterable

from api.morning.piles import Line, Morning, Pile, first
from clearing.model import (
    FUNDS,
    INSTRUCTIONS,
    OBLIGATIONS,
    OPEN,
    PASSINGS,
    RUNS,
    InstructionRecord,
    InstructionStatus,
    Obligation,
    ObligationStatus,
    RunStatus,
)
from registry.batch import Batch
from registry.policy import rules_in_force

_REFUSED = frozenset({InstructionStatus.REJECTED, InstructionStatus.RETURNED})
_STUCK = OPEN | {InstructionStatus.REJECTED}


def refused(morning: Morning) -> Pile | None:
    """Instructions to the bank that were refused or came back, of runs that are open."""
    return _refused(morning, "payments-refused", bank=morning.caller.party)


def all_refused(morning: Morning) -> Pile | None:
    """Instructions that were refused or came back, of runs that are open, by bank."""
    return _refused(morning, "all-refused", bank="")


def _refused(morning: Morning, kind: str, *, bank: str) -> Pile | None:
    """Adds them up by run, bank and status; one bank's if it is named."""
    lines: list[Line] = []
    for run in morning.rows(RUNS):
        if run.status != RunStatus.PLANNED:
            continue
        found = morning.store.totals(
            INSTRUCTIONS, ("bank", "status"), sums=("amount",), field="plan", value=run.plan
        )
        lines += (
            _line(run.plan, run.pay_on, (other, status), bank, count, amount)
            for other, status, count, amount in found
            if status in _REFUSED and bank in ("", other)
        )
    return _pile(kind, lines)


def stuck(morning: Morning) -> Pile | None:
    """Instructions to the bank whose money has left the debtor and not arrived by day's end."""
    return _stuck(morning, "payments-stuck", bank=morning.caller.party)


def all_stuck(morning: Morning) -> Pile | None:
    """Instructions whose money has left the debtor and not arrived by day's end, by bank."""
    return _stuck(morning, "all-stuck", bank="")


def _stuck(morning: Morning, kind: str, *, bank: str) -> Pile | None:
    """Adds them up by run, bank and status; one bank's if it is named."""
    lines: list[Line] = []
    for run in morning.rows(RUNS):
        if run.status != RunStatus.CLOSED or run.posted + run.ended == run.instructions:
            continue
        counts: Counter[tuple[str, str]] = Counter()
        amounts: Counter[tuple[str, str]] = Counter()
        for row in morning.rows(INSTRUCTIONS, "plan", run.plan):
            if _is_stuck(row) and bank in ("", row.bank):
                counts[row.bank, row.status] += 1
                amounts[row.bank, row.status] += row.amount
        lines += (
            _line(run.plan, run.pay_on, of, bank, count, amounts[of])
            for of, count in sorted(counts.items())
        )
    return _pile(kind, lines)


def _is_stuck(row: InstructionRecord) -> bool:
    """Tells whether an instruction of a closed run may still come, its money being on its way.

    What the debtor itself did not pay is paid by a further plan.
    """
    return row.status in _STUCK and (row.status in OPEN or bool(row.after))


def _line(plan: str, day: str, of: tuple[str, str], bank: str, count: int, amount: int) -> Line:
    """Returns a line; the reader's own bank is not named to it."""
    other, status = of
    party = "" if bank else other
    return Line(id=plan, party=party, count=count, amount=amount, on=day, note=status)


def _pile(kind: str, lines: list[Line]) -> Pile | None:
    """Returns a pile of lines that stand for several instructions each."""
    if not lines:
        return None
    lines.sort(key=lambda line: (line.on, line.id, line.party, line.note))
    count = sum(line.count or 0 for line in lines)
    amount = sum(line.amount or 0 for line in lines)
    return Pile(kind=kind, count=count, amount=amount, lines=first(lines))


def over_hop_limit(morning: Morning) -> Pile | None:
    """Accounts on which there is more of other people's money than the policy wants."""
    rows = Batch(morning.store.fetch, morning.service.rulebook.tables, index=0)
    limit = rules_in_force(rows, morning.ledger).hop_limit
    if limit is None:
        return None
    over = [row for row in morning.rows(PASSINGS) if row.others > limit]
    lines = [
        Line(id=row.account, party=row.party, amount=row.others)
        for row in sorted(over, key=lambda row: (-row.others, row.account))
    ]
    total = sum(row.others for row in over)
    return (
        Pile(kind="hops-over-limit", count=len(lines), amount=total, lines=first(lines))
        if lines
        else None
    )


# --- What is owed because of it -------------------------------------------------------


def obligations_to_pay(morning: Morning) -> Pile | None:
    """What the reader owes because of instructions: to top up, to return, to pay again."""
    rows = [row for party in morning.holders for row in morning.rows(OBLIGATIONS, "owed_by", party)]
    return _owed("obligations-to-pay", rows, is_payer=True)


def obligations_to_receive(morning: Morning) -> Pile | None:
    """What the reader is owed because of instructions."""
    rows = [row for party in morning.holders for row in morning.rows(OBLIGATIONS, "owed_to", party)]
    return _owed("obligations-to-receive", rows, is_payer=False)


def all_obligations(morning: Morning) -> Pile | None:
    """What is owed because of instructions, by why and by when: no holder's name."""
    found = morning.store.totals(OBLIGATIONS, ("sort", "due_on", "status"), sums=("amount",))
    lines = [
        Line(id=sort, about=sort, count=count, amount=amount, on=due_on or "", note=_note(status))
        for sort, due_on, status, count, amount in found
        if status != ObligationStatus.MET
    ]
    return _pile("all-obligations", lines)


def _owed(kind: str, found: Iterable[Obligation], *, is_payer: bool) -> Pile | None:
    """Shows what is not met yet, what is due first before the rest."""
    rows = sorted(
        (row for row in found if row.status != ObligationStatus.MET),
        key=lambda row: (row.due_on or "", row.plan, row.n, row.sort),
    )
    if not rows:
        return None
    lines = first(
        Line(
            id=row.plan,
            about=row.sort,
            party=row.owed_to if is_payer else row.owed_by,
            amount=row.amount,
            on=row.due_on or "",
            note=_note(row.status),
        )
        for row in rows
    )
    return Pile(kind=kind, count=len(rows), amount=sum(row.amount for row in rows), lines=lines)


def _note(status: str) -> str:
    """Returns what is to be said of how far something owed is."""
    return "instructed" if status == ObligationStatus.ORDERED else ""


def funds_to_divide(morning: Morning) -> Pile | None:
    """What banks have said there is to pay with, and nobody has divided yet."""
    rows = sorted((row for row in morning.rows(FUNDS) if row.amount), key=lambda row: row.fund)
    if not rows:
        return None
    lines = first(Line(id=row.fund, party=row.debtor, amount=row.amount) for row in rows)
    total = sum(row.amount for row in rows)
    return Pile(kind="funds-to-divide", count=len(rows), amount=total, lines=lines)
