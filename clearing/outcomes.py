"""What comes of an instruction: the effects of a bank's word and of the end of a day.

A lot is discharged when its holder is credited, not when the debtor is debited: along
a tiered route the debt stands until the money has arrived. What is booked is a mirror;
the registry never holds a balance of cash. Money that comes for what was paid already
discharges nothing: it is owed back, and credited to nobody twice.

Source: SD-21, SD-23; reference notes 11 and 19.
"""

from collections.abc import Iterable
from typing import Any, Self

from clearing.drawn import draw_more
from clearing.instructed import known_instruction, known_run
from clearing.model import (
    BALANCES,
    INSTRUCTIONS,
    OBLIGATIONS,
    ORDERS,
    RUNS,
    Balance,
    InstructionRecord,
    InstructionStatus,
    ObligationStatus,
    Order,
    RunStatus,
)
from clearing.passing import pass_on
from clearing.postings import JournalEntry, discharge, payment
from registry.burdens import FREEZES, PLEDGES
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.extinction import pay_down
from registry.ids import LotId, PartyId, Sid, parse_lot_id
from registry.model import LOTS, Route
from registry.rights import known_voucher
from registry.tables import Minor, MutableRows, replace


class InstructionAccepted(Effect, frozen=True, kw_only=True):
    """A bank will carry an instruction out."""

    plan: Sid
    n: int
    voucher: Sid

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the instruction."""
        record = known_instruction(state, self.plan, self.n)
        state.put(INSTRUCTIONS, replace(record, status=InstructionStatus.ACCEPTED))


class _OfInstruction(Effect, frozen=True, kw_only=True):
    """Something has come of an instruction."""

    plan: Sid
    n: int
    voucher: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher: every hop of its money is part of its history."""
        return (("voucher", self.voucher),)


class _Movement(_OfInstruction, frozen=True, kw_only=True):
    """Money has moved between two accounts."""

    payer_account: Sid
    payer: PartyId
    payee_account: Sid
    payee: PartyId
    amount: Minor

    @classmethod
    def of(cls, record: InstructionRecord, **more: Any) -> Self:
        """Returns the movement of an instruction's money, with what else is told of it."""
        return cls(
            plan=record.plan,
            n=record.n,
            voucher=record.voucher,
            payer_account=record.payer_account,
            payer=record.payer,
            payee_account=record.payee_account,
            payee=record.payee,
            amount=record.amount,
            **more,
        )


class InstructionPosted(_Movement, frozen=True, kw_only=True):
    """Money has moved from one account to another for a voucher."""

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the instruction, counts it in its run, and books both banks' accounts."""
        record = known_instruction(state, self.plan, self.n)
        if record.amount != self.amount:
            raise InvariantBrokenError(f"entry {seal.index} posts no instruction {self.n}")
        was_over = record.status in (InstructionStatus.EXPIRED, InstructionStatus.REPLACED)
        posted = replace(
            record,
            status=InstructionStatus.POSTED,
            posted_at=seal.time,
            reason=None,
            refused_by=None,
            relayed=None,
        )
        state.put(INSTRUCTIONS, posted)
        _count(state, self.plan, posted=1, ended=-was_over)
        pass_on(state, record, known_voucher(state, record.voucher).debtor)
        entry = payment(
            self.amount, payer_account=self.payer_account, payee_account=self.payee_account
        )
        book(state, entry)


class LotDischarged(Effect, frozen=True, kw_only=True):
    """A lot is consumed: its holder has been paid its face."""

    lot: LotId
    voucher: Sid
    debtor: PartyId
    holder: PartyId
    amount: Minor

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the holder."""
        return (("voucher", self.voucher), ("holder", self.holder))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Ends the lot and its order; a voucher of which nothing is left is settled."""
        lot = state.get(LOTS, self.lot)
        if lot is None or lot.amount != self.amount:
            raise InvariantBrokenError(f"entry {seal.index} discharges no lot {self.lot}")
        _consume(state, self)


class LotPaidInPart(Effect, frozen=True, kw_only=True):
    """A lot is consumed: its holder has been paid some of it, and holds the rest."""

    lot: LotId
    voucher: Sid
    debtor: PartyId
    holder: PartyId
    amount: Minor
    remainder: Minor
    rest: LotId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the holder."""
        return (("voucher", self.voucher), ("holder", self.holder))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Replaces the lot by its rest, which no instruction pays yet."""
        lot = state.get(LOTS, self.lot)
        if lot is None or lot.amount != self.amount + self.remainder:
            raise InvariantBrokenError(f"entry {seal.index} does not conserve lot {self.lot}")
        rest = replace(
            lot,
            lot=self.rest,
            amount=self.remainder,
            born=seal.index,
            salt=seal.lot_salt(parse_lot_id(self.rest)[1]),
            cuts=lot.cuts + 1,
        )
        _consume(state, self)
        state.add(LOTS, rest)
        # What stands on it goes on; and so do freezes, where the court is paid.
        for burden in lot.burdens:
            pledge, freeze = state.get(PLEDGES, burden), state.get(FREEZES, burden)
            if pledge is not None:
                state.put(PLEDGES, replace(pledge, lot=rest.lot))
            elif freeze is not None:
                state.put(FREEZES, replace(freeze, lot=rest.lot))


def _consume(state: MutableRows, paid: LotDischarged | LotPaidInPart) -> None:
    """Ends a lot and its order, and takes what was paid from the debt."""
    state.delete(LOTS, paid.lot)
    if state.get(ORDERS, paid.lot) is not None:
        state.delete(ORDERS, paid.lot)
    pay_down(state, paid.voucher, paid.amount)
    book(state, discharge(paid.amount, debtor=paid.debtor, holder=paid.holder))


class InstructionRejected(_OfInstruction, frozen=True, kw_only=True):
    """A bank does not carry an instruction out: the money stays where it is."""

    bank: PartyId
    reason: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the instruction, and frees its lots if the debtor has not paid for them."""
        record = known_instruction(state, self.plan, self.n)
        marked = replace(
            record,
            status=InstructionStatus.REJECTED,
            reason=self.reason,
            refused_by=self.bank,
            relayed=None,
        )
        state.put(INSTRUCTIONS, marked)
        if not record.after or record.pays is not None:
            free(state, record, record.lots)
            _owe_still(state, record)


class InstructionExpired(_OfInstruction, frozen=True, kw_only=True):
    """What an instruction waits for will not come: its lots may be planned again."""

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Ends the instruction and its orders."""
        expire(state, known_instruction(state, self.plan, self.n))


class InstructionAdded(Effect, frozen=True, kw_only=True):
    """An instruction stands in the place of another one of its plan, and goes direct."""

    plan: Sid
    n: int
    instead: int
    voucher: Sid
    payer_account: Sid
    payer: PartyId
    payee_account: Sid
    payee: PartyId
    bank: PartyId
    amount: Minor
    kept: Minor
    authority: Sid
    lots: tuple[str, ...]
    parts: tuple[str, ...]
    after: tuple[str, ...]
    remittance: str
    holder: PartyId | None = None
    pays: str | None = None

    @classmethod
    def of(cls, record: InstructionRecord) -> Self:
        """Returns the effect that adds an instruction."""
        named = {name: getattr(record, name) for name in cls.__struct_fields__}
        return cls(**named)

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the instruction, binds its lots to it, and adds it to its debtor's list."""
        record = InstructionRecord(
            plan=self.plan,
            n=self.n,
            route=Route.DIRECT,
            voucher=self.voucher,
            payer_account=self.payer_account,
            payer=self.payer,
            payee_account=self.payee_account,
            payee=self.payee,
            bank=self.bank,
            amount=self.amount,
            authority=self.authority,
            lots=self.lots,
            after=self.after,
            remittance=self.remittance,
            status=InstructionStatus.PENDING,
            parts=self.parts,
            kept=self.kept,
            instead=self.instead,
            pays=self.pays,
            holder=self.holder,
        )
        if known_run(state, self.plan).instructions != self.n:
            raise InvariantBrokenError(f"entry {seal.index} adds {self.n} out of turn")
        add_instruction(state, record)


class RunGoesOn(Effect, frozen=True, kw_only=True):
    """What was added to a run may be carried out until the end of a further day."""

    plan: Sid
    closes_at: int

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Moves the end of the run's day."""
        run = known_run(state, self.plan)
        state.put(RUNS, replace(run, closes_at=self.closes_at))


class InstructionReturned(_Movement, frozen=True, kw_only=True):
    """Money that had been credited has come back to the account that it was drawn on."""

    reason: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the instruction, and books both banks' accounts the other way round."""
        record = known_instruction(state, self.plan, self.n)
        marked = replace(
            record,
            status=InstructionStatus.RETURNED,
            reason=self.reason,
            returned_at=seal.time,
            relayed=None,
        )
        state.put(INSTRUCTIONS, marked)
        _count(state, self.plan, posted=-1, ended=1)
        debtor = known_voucher(state, record.voucher).debtor
        pass_on(state, record, debtor, is_back=True)
        entry = payment(
            self.amount, payer_account=self.payee_account, payee_account=self.payer_account
        )
        book(state, entry)


class WordRelayed(Effect, frozen=True, kw_only=True):
    """What was just said of instructions is a bank's word, and the operator's to have relayed.

    `instructions` holds their numbers, as text.
    """

    plan: Sid
    bank: PartyId
    policy: Sid
    instructions: tuple[str, ...]

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the instructions, until the bank signs a word of its own."""
        for n in self.instructions:
            record = known_instruction(state, self.plan, int(n))
            state.put(INSTRUCTIONS, replace(record, relayed=self.bank))


def expire(state: MutableRows, record: InstructionRecord) -> None:
    """Ends an instruction of money that never left the debtor, and its orders."""
    state.put(INSTRUCTIONS, replace(record, status=InstructionStatus.EXPIRED))
    free(state, record, record.lots)
    _owe_still(state, record)
    _count(state, record.plan, ended=1)


def replace_instruction(state: MutableRows, record: InstructionRecord) -> None:
    """Ends an instruction whose money is sent another way, if it had not ended, and its orders."""
    was_there = record.status in (InstructionStatus.RETURNED, InstructionStatus.REPLACED)
    status = InstructionStatus.REDIRECTED if was_there else InstructionStatus.REPLACED
    state.put(INSTRUCTIONS, replace(record, status=status))
    free(state, record, record.lots)
    if not was_there and record.status != InstructionStatus.EXPIRED:
        _count(state, record.plan, ended=1)


def add_instruction(state: MutableRows, record: InstructionRecord) -> None:
    """Writes an instruction that stands in the place of another one, and binds its lots to it."""
    state.add(INSTRUCTIONS, record)
    for lot in record.lots:
        state.put(ORDERS, Order(lot=LotId(lot), plan=record.plan, n=record.n))
    run = known_run(state, record.plan)
    status = RunStatus.PLANNED if run.status == RunStatus.CLEARED else run.status
    run = replace(run, instructions=record.n + 1, added=run.added + 1, status=status)
    state.put(RUNS, run)
    if not record.after:
        draw_more(state, record)


def _owe_still(state: MutableRows, record: InstructionRecord) -> None:
    """Makes due again what an instruction was to pay, and does not."""
    if record.pays is None or record.instead is None:
        return
    owed = state.get(OBLIGATIONS, record.pays, record.plan, record.instead)
    if owed is not None and owed.status == ObligationStatus.ORDERED:
        state.put(OBLIGATIONS, replace(owed, status=ObligationStatus.DUE))


def free(state: MutableRows, record: InstructionRecord, lots: Iterable[str]) -> None:
    """Ends orders of an instruction's lots, but for those that another one has by now."""
    for lot in lots:
        order = state.get(ORDERS, lot)
        if order is not None and (order.plan, order.n) == (record.plan, record.n):
            state.delete(ORDERS, lot)


def _count(state: MutableRows, plan: Sid, *, posted: int = 0, ended: int = 0) -> None:
    """Counts instructions in their run, which is cleared with the last of them."""
    run = known_run(state, plan)
    run = replace(run, posted=run.posted + posted, ended=run.ended + ended)
    if run.status == RunStatus.PLANNED and run.posted == run.instructions:
        run = replace(run, status=RunStatus.CLEARED)
    state.put(RUNS, run)


def book(state: MutableRows, entry: JournalEntry) -> None:
    """Adds an entry's postings to the balances of their accounts."""
    for posting in entry.postings:
        balance = state.get(BALANCES, posting.account)
        if balance is None:
            balance = Balance(account=posting.account, debited=Minor(0), credited=Minor(0))
        debited = Minor(balance.debited + max(posting.amount_minor, 0))
        credited = Minor(balance.credited + max(-posting.amount_minor, 0))
        state.put(BALANCES, replace(balance, debited=debited, credited=credited))
