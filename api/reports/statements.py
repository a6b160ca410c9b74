"""A party's statement of account: what it owes and what it holds, as of a size (FR-04).

A debtor gets it every night: a voucher in its name that it never signed shows here. What is
held can be compared with the party's own snapshot, lot by lot, and what is owed on a
voucher with the snapshot of that voucher; see `api.comparing`.
"""

from collections.abc import Iterator, Mapping

from api.reports.report import OPEN, OWED, Cell, Check, Column, Report, View, owed
from registry.credit import DEBTORS
from registry.model import LOTS, VOUCHERS


def statement(view: View) -> Report:
    """What the caller owes, voucher by voucher, and what it holds, lot by lot (FR-04)."""
    me = view.caller.party
    outstanding = sum(
        owed(*sums)
        for status, _, *sums in view.store.totals(
            VOUCHERS, ("status",), sums=OWED, field="debtor", value=me, as_of=view.size
        )
        if status in OPEN
    )
    held = view.store.totals(
        LOTS, ("holder",), sums=("amount",), field="holder", value=me, as_of=view.size
    )
    booked = next(
        (row.outstanding for row in view.store.select(DEBTORS, as_of=view.size) if row.party == me),
        0,
    )
    return Report(
        columns=(
            Column(name="side", words=("方向", "side")),
            Column(name="id", words=("标识", "id"), form="id"),
            Column(name="voucher_no", words=("凭证编号", "voucher")),
            Column(name="due_on", words=("到期日", "due"), form="date"),
            Column(name="status", words=("状态", "status")),
            Column(name="amount", words=("金额", "amount"), form="money"),
        ),
        rows=_rows(view),
        totals={
            "owed": str(outstanding),
            "held": str(sum(amount for _, _, amount in held)),
            "lots": sum(count for _, count, _ in held),
        },
        checks=(
            Check(
                what="what is open of your vouchers is what the ledger has booked as your debt",
                here=outstanding,
                there=booked,
            ),
        ),
    )


def _rows(view: View) -> Iterator[Mapping[str, Cell]]:
    """Yields open vouchers, then lots, by their ids."""
    me, size = view.caller.party, view.size
    for row in view.store.select(VOUCHERS, field="debtor", value=me, as_of=size):
        if row.status in OPEN:
            yield {
                "side": "owed",
                "id": row.voucher,
                "voucher_no": row.voucher_no,
                "due_on": row.due_on,
                "status": row.status,
                "amount": owed(row.face, row.discharged, row.cancelled),
            }
    for lot in view.store.select(LOTS, field="holder", value=me, as_of=size):
        yield {
            "side": "held",
            "id": lot.lot,
            "due_on": lot.due_on,
            "status": "burdened" if lot.burdens else lot.status,
            "amount": lot.amount,
        }
