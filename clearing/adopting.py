"""What an adopted plan leaves in the state: its run, its instructions, and their orders."""

from collections import Counter
from collections.abc import Sequence

from clearing.model import (
    INSTRUCTIONS,
    ORDERS,
    RUNS,
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
    for instruction in instructions:
        kept = Minor(instruction.amount_minor - passed[instruction.n])
        state.add(INSTRUCTIONS, record_of(run.plan, instruction, kept=kept))
        for lot in instruction.lots:
            state.add(ORDERS, Order(lot=lot, plan=run.plan, n=instruction.n))


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
        holder=instruction.holder,
        stage=instruction.stage,
    )
