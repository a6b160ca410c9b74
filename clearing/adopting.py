"""What an adopted plan leaves in the state: its run, its instructions, and their orders."""

from collections import Counter
from collections.abc import Sequence

from clearing.model import (
    DEBIT_LISTS,
    INSTRUCTIONS,
    ORDERS,
    RUNS,
    DebitList,
    InstructionRecord,
    InstructionStatus,
    Order,
    Run,
)
from clearing.routes import Instruction
from registry.ids import Sid
from registry.tables import Minor, MutableRows


def adopt(state: MutableRows, run: Run, instructions: Sequence[Instruction]) -> None:
    """Writes a run and its instructions; binds each lot to the one that pays it."""
    state.add(RUNS, run)
    passed = Counter[int]()
    for instruction in instructions:
        for n in instruction.after:
            passed[n] += instruction.amount_minor
    for row in debit_lists(run.plan, instructions):
        state.add(DEBIT_LISTS, row)
    for instruction in instructions:
        kept = Minor(instruction.amount_minor - passed[instruction.n])
        state.add(INSTRUCTIONS, record_of(run.plan, instruction, kept=kept))
        for lot in instruction.lots:
            state.add(ORDERS, Order(lot=lot, plan=run.plan, n=instruction.n))


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


def record_of(plan: Sid, instruction: Instruction, *, kept: Minor) -> InstructionRecord:
    """Returns the row of an instruction that waits for its bank."""
    return InstructionRecord(
        plan=plan,
        n=instruction.n,
        route=instruction.route,
        voucher=instruction.voucher,
        payer_account=instruction.payer_account,
        payer=instruction.payer,
        payee_account=instruction.payee_account,
        payee=instruction.payee,
        bank=instruction.bank,
        amount=Minor(instruction.amount_minor),
        authority=instruction.authority,
        lots=instruction.lots,
        after=tuple(str(n) for n in instruction.after),
        remittance=instruction.remittance,
        status=InstructionStatus.PENDING,
        parts=instruction.parts,
        kept=kept,
    )
