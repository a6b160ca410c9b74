"""Piles of what is being agreed about a lot: financings, and payments before the due date."""

from collections.abc import Callable, Iterable

from api.morning.piles import Line, Morning, Pile, first
from registry.dealings import (
    EARLY_PAYMENTS,
    FINANCINGS,
    Early,
    EarlyStatus,
    Financing,
    FinancingStatus,
)
from registry.words import Step


def to_quote(morning: Morning) -> Pile | None:
    """Applications for money that the reader has not quoted (待报价)."""
    rows = _financings(morning, "financier", lambda row: row.status == FinancingStatus.APPLIED)
    return _pile(morning, "financings-to-quote", rows, party=lambda row: row.applicant)


def to_sign(morning: Morning) -> Pile | None:
    """Quotes for the reader's applications that it has not signed (待签约)."""
    rows = _financings(morning, "applicant", lambda row: row.status == FinancingStatus.QUOTED)
    return _pile(morning, "financings-to-sign", rows, party=lambda row: row.financier)


def to_fulfil(morning: Morning) -> Pile | None:
    """Contracts under which the reader is to register, or to pay (待登记、待放款)."""
    rows = _financings(morning, "financier", lambda row: _turn(row) in ("register", "pay"))
    return _pile(morning, "financings-to-fulfil", rows, party=lambda row: row.applicant)


def to_receive(morning: Morning) -> Pile | None:
    """Payments that are stated to have been made to the reader (待确认到账)."""
    rows = _financings(morning, "applicant", lambda row: _turn(row) == "receive")
    return _pile(morning, "financings-to-receive", rows, party=lambda row: row.financier)


def early_to_answer(morning: Morning) -> Pile | None:
    """Debtors that would pay the reader early, and payments that are agreed (提前兑付)."""
    waiting = (EarlyStatus.OFFERED, EarlyStatus.AGREED)
    found = (
        row for party in morning.holders for row in morning.rows(EARLY_PAYMENTS, "holder", party)
    )
    rows = sorted(
        (row for row in found if row.status in waiting), key=lambda row: (row.pay_by, row.early)
    )
    if not rows:
        return None
    lines = first(
        Line(
            id=row.early,
            party=row.debtor,
            amount=row.amount,
            on=morning.last_day(row.pay_by),
            note="agreed" if row.status == EarlyStatus.AGREED else "",
        )
        for row in rows
    )
    return Pile(kind="early-to-answer", count=len(rows), amount=_sum(rows), lines=lines)


def _turn(row: Financing) -> str:
    """Tells what is to be done next under a contract, by its order; nothing without one."""
    if row.status not in (FinancingStatus.CONTRACTED, FinancingStatus.TRANSFERRED):
        return ""
    step = next((step for step in row.order if step != Step.TITLE and step not in row.done), "")
    return "receive" if step == Step.PAY and row.payer is not None else str(step)


def _financings(morning: Morning, side: str, waits: Callable[[Financing], bool]) -> list[Financing]:
    """Returns the financings of the reader's that wait, the most urgent first."""
    found = (row for party in morning.holders for row in morning.rows(FINANCINGS, side, party))
    return sorted(filter(waits, found), key=lambda row: (row.close_by, row.financing))


def _pile(
    morning: Morning, kind: str, rows: list[Financing], *, party: Callable[[Financing], str]
) -> Pile | None:
    """Returns a pile of financings; none without any."""
    if not rows:
        return None
    lines = first(
        Line(
            id=row.financing,
            about=row.mode,
            party=party(row),
            amount=row.amount,
            on=morning.last_day(row.close_by),
        )
        for row in rows
    )
    return Pile(kind=kind, count=len(rows), amount=_sum(rows), lines=lines)


def _sum(rows: Iterable[Financing | Early]) -> int:
    """Adds amounts up."""
    return sum(row.amount for row in rows)
