"""What a run draws on each account of a debtor, which that debtor may be asked to approve.

The list is written with the plan, and grows by what the debtor is to pay itself later.
"""

from collections.abc import Sequence

from clearing.handed import DEBIT_LISTS, DebitList
from clearing.model import (
    InstructionRecord,
)
from clearing.routes import Instruction
from registry.ids import Sid
from registry.tables import Minor, MutableRows, replace


def debit_lists(plan: Sid, instructions: Sequence[Instruction]) -> list[DebitList]:
    """Returns what a plan draws on each account of a debtor, by account."""
    lists: dict[Sid, DebitList] = {}
    for each in instructions:
        if each.after:
            continue
        row = lists.get(each.payer_account)
        lists[each.payer_account] = DebitList(
            plan=plan,
            account=each.payer_account,
            debtor=each.payer,
            instructions=1 if row is None else row.instructions + 1,
            amount=Minor(each.amount_minor + (0 if row is None else row.amount)),
        )
    return [lists[account] for account in sorted(lists)]


def draw_more(state: MutableRows, record: InstructionRecord) -> None:
    """Adds what a debtor pays itself to what its run draws on the account."""
    drawn = state.get(DEBIT_LISTS, record.plan, record.payer_account)
    if drawn is None:
        drawn = DebitList(
            plan=record.plan,
            account=record.payer_account,
            debtor=record.payer,
            instructions=0,
            amount=Minor(0),
        )
    more = replace(
        drawn,
        instructions=drawn.instructions + 1,
        amount=Minor(drawn.amount + record.amount),
    )
    state.put(DEBIT_LISTS, more)
