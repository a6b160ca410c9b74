"""What an adopted plan leaves in the state: its run, its instructions, and their orders.

A plan is of a due date, or of a debtor's money; what is common to both stands here.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from clearing.drawn import debit_lists
from clearing.handed import DEBIT_LISTS
from clearing.model import (
    INSTRUCTIONS,
    ORDERS,
    RUNS,
    InstructionRecord,
    InstructionStatus,
    Order,
    Run,
    RunStatus,
)
from clearing.routes import Instruction
from registry.effects import Effect
from registry.ids import LotId, Sid
from registry.tables import Minor, MutableRows


class Adopted(Effect, frozen=True, kw_only=True):
    """A plan clears something; its instructions follow from the state."""

    derived = frozenset({"decided"})

    plan: Sid
    pay_on: str
    digest: str
    certificate: str
    instructions: int
    vouchers: int
    total: Minor
    gross: Minor
    policy: Sid
    top_up_on: str | None = None
    closes_at: int | None = None

    def adopt(self, state: MutableRows, orders: Sequence[Instruction], **more: Any) -> None:
        """Writes the run, its instructions and lists; binds each lot to what pays it.

        Args:
            state: Where.
            orders: The instructions.
            more: What else the run says: `due_on`, and `withheld` or `fund`.
        """
        run = Run(
            plan=self.plan,
            pay_on=self.pay_on,
            digest=self.digest,
            certificate=self.certificate,
            instructions=self.instructions,
            vouchers=self.vouchers,
            total=self.total,
            gross=self.gross,
            posted=0,
            ended=0,
            status=RunStatus.PLANNED,
            top_up_on=self.top_up_on,
            policy=self.policy,
            closes_at=self.closes_at,
            **more,
        )
        state.add(RUNS, run)
        records = list(records_of(self.plan, orders))
        for row in debit_lists(records):
            state.add(DEBIT_LISTS, row)
        for record in records:
            state.add(INSTRUCTIONS, record)
            for lot in record.lots:
                state.add(ORDERS, Order(lot=LotId(lot), plan=self.plan, n=record.n))


def records_of(plan: Sid, instructions: Sequence[Instruction]) -> Iterator[InstructionRecord]:
    """Yields the rows of a plan's instructions, each with what its payee keeps of the money."""
    passed = Counter[int]()
    for instruction in instructions:
        for n in instruction.after:
            passed[n] += instruction.amount_minor
    for instruction in instructions:
        kept = Minor(instruction.amount_minor - passed[instruction.n])
        yield record_of(plan, instruction, kept=kept)


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
