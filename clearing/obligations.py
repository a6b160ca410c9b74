"""What is owed because of an instruction, and not on a voucher's live lots.

Money that comes for what was paid already, or for what is frozen, is owed back, and credited
to nobody twice. What had discharged lots and came back is owed again. What has not come to a
plan or trust in time the debtor owes it by a promise of its own (补付): whatever comes
after that is owed back.

Source: SD-23; reference notes 11 and 17; GV-03.
"""

from clearing.instructed import known_instruction
from clearing.model import OBLIGATIONS, Obligation, ObligationStatus, Sort
from clearing.outcomes import book, free
from clearing.postings import discharge
from registry.debts import owe
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid
from registry.rights import known_voucher
from registry.tables import Minor, MutableRows, Rows, replace


class _Owed(Effect, frozen=True, kw_only=True):
    """Something is owed because of an instruction."""

    plan: Sid
    n: int
    voucher: Sid
    owed_by: PartyId
    owed_to: PartyId
    account: Sid
    amount: Minor
    lots: tuple[str, ...]

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and both sides."""
        return (("voucher", self.voucher), ("holder", self.owed_by), ("holder", self.owed_to))

    def oblige(self, state: MutableRows, sort: Sort, *, due_on: str | None = None) -> None:
        """Writes what is owed."""
        row = Obligation(
            sort=sort,
            plan=self.plan,
            n=self.n,
            voucher=self.voucher,
            owed_by=self.owed_by,
            owed_to=self.owed_to,
            account=self.account,
            amount=self.amount,
            lots=self.lots,
            status=ObligationStatus.DUE,
            due_on=due_on,
        )
        state.add(OBLIGATIONS, row)


class ReturnOwed(_Owed, frozen=True, kw_only=True):
    """Money has come for lots that are paid already, or frozen: the payee owes it back.

    Of what is not frozen the debtor has paid twice; a payment against a court's freeze
    discharges nobody.
    """

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes what is owed back, and frees the lots that live: nothing more pays them."""
        self.oblige(state, Sort.RETURN)
        free(state, known_instruction(state, self.plan, self.n), self.lots)


class PaymentUndone(_Owed, frozen=True, kw_only=True):
    """What had discharged lots has come back: their holder is owed that much again.

    By the debtor; or by who has the money, where the debt travels with it, which a further
    effect says.
    """

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes what is owed again; the lots stay consumed."""
        self.oblige(state, Sort.AGAIN)
        debtor = known_voucher(state, self.voucher).debtor
        owe(state, debtor, self.amount)
        undone = discharge(self.amount, debtor=debtor, holder=self.owed_to)
        book(state, undone.reversed())


class TopUpOwed(_Owed, frozen=True, kw_only=True):
    """What has not come to a plan or trust in time its debtor owes it directly."""

    due_on: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes what is to be topped up; the lots live until it has come."""
        self.oblige(state, Sort.TOP_UP, due_on=self.due_on)


class ObligationMoved(Effect, frozen=True, kw_only=True):
    """What is owed because of an instruction is on its way, or met."""

    sort: str
    plan: Sid
    n: int
    status: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks it."""
        row = known_obligation(state, Sort(self.sort), self.plan, self.n)
        state.put(OBLIGATIONS, replace(row, status=self.status))


class PaidAgain(Effect, frozen=True, kw_only=True):
    """What was owed again has been paid."""

    plan: Sid
    n: int
    voucher: Sid
    debtor: PartyId
    holder: PartyId
    amount: Minor

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the holder."""
        return (("voucher", self.voucher), ("holder", self.holder))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks it, and takes it from the debt."""
        row = known_obligation(state, Sort.AGAIN, self.plan, self.n)
        state.put(OBLIGATIONS, replace(row, status=ObligationStatus.MET))
        owe(state, self.debtor, -self.amount)
        book(state, discharge(self.amount, debtor=self.debtor, holder=self.holder))


def known_obligation(state: Rows, sort: Sort, plan: Sid, n: int) -> Obligation:
    """Returns what is owed because of an instruction."""
    row = state.get(OBLIGATIONS, sort, plan, n)
    if row is None:
        raise InvariantBrokenError(f"nothing is owed because of instruction {n} of {plan}")
    return row
