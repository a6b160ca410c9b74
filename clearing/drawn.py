"""What a run draws on each account of a debtor, which that debtor may be asked to approve.

The list is written with the plan, and grows by what the debtor is to pay itself later. What
of it waits for an approval waits until the run is closed, for it is over then.
"""

from collections.abc import Iterable

from clearing.handed import DEBIT_LISTS, DebitList
from clearing.model import InstructionRecord
from registry.ids import Sid
from registry.tables import Minor, MutableRows, replace


def debit_lists(records: Iterable[InstructionRecord]) -> list[DebitList]:
    """Returns what a plan's instructions draw on each account of a debtor, by account."""
    lists: dict[Sid, DebitList] = {}
    for record in records:
        if not record.after:
            lists[record.payer_account] = _with(lists.get(record.payer_account), record)
    return [lists[account] for account in sorted(lists)]


def draw_more(state: MutableRows, record: InstructionRecord) -> None:
    """Adds what a debtor pays itself to what its run draws on the account."""
    drawn = state.get(DEBIT_LISTS, record.plan, record.payer_account)
    state.put(DEBIT_LISTS, _with(drawn, record))


def end_waiting(state: MutableRows, plan: Sid) -> None:
    """Ends the wait for approvals of a run: what was not approved has expired."""
    for row in state.where(DEBIT_LISTS, "plan", plan):
        if row.waiting:
            state.put(DEBIT_LISTS, replace(row, waiting=0, waiting_amount=Minor(0)))


def _with(drawn: DebitList | None, record: InstructionRecord) -> DebitList:
    """Returns a list with one payment more, a new one if there is none."""
    if drawn is None:
        return DebitList(
            plan=record.plan,
            account=record.payer_account,
            debtor=record.payer,
            instructions=1,
            amount=record.amount,
            waiting=1,
            waiting_amount=record.amount,
        )
    return replace(
        drawn,
        instructions=drawn.instructions + 1,
        amount=Minor(drawn.amount + record.amount),
        waiting=drawn.waiting + 1,
        waiting_amount=Minor(drawn.waiting_amount + record.amount),
    )
