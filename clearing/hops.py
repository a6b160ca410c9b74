"""Who owes what of a debtor's payment that is on its way, where holders bear that risk.

By the issue's term `hop_risk` a debtor is free once its own payment is posted: the debt
travels with the money. Of each lot that an instruction is still to pay, the party owes it
on whose account the money of the last posted instruction on the way there lies; the debtor,
as long as there is none. So it follows from the lot's order and from the instructions. Lots
live until their holder is credited, whoever owes them.

What is kept as rows are sums, by voucher and party. They change with an instruction, not
with each lot: what was behind it is owed by the next one, what it paid is owed by nobody, and
what is freed, for its money goes back to the debtor, is the debtor's again.

Source: reference note 19; docs/clearing.md, Who bears the way.
"""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from clearing.instructed import ask_behind, behind, known_instruction
from clearing.model import (
    BALANCES,
    HOPS,
    INSTRUCTIONS,
    OBLIGATIONS,
    ORDERS,
    Hop,
    InstructionRecord,
    InstructionStatus,
    Obligation,
    ObligationStatus,
    Run,
    Sort,
)
from clearing.outcomes import book
from clearing.postings import debts_account, hops_account, move
from registry.debts import owe, reads_debtor
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid
from registry.model import LOTS, HopRisk, Lot, Voucher
from registry.rights import known_voucher
from registry.tables import Asked, Get, Minor, MutableRows, ReadPlan, Rows, get_many, replace

StatusOf = Callable[[InstructionRecord], str]
"""Tells where an instruction is, what a report has told so far included."""


class DebtPassed(Effect, frozen=True, kw_only=True):
    """Another party owes what of a debtor's payment is on its way, for it has the money."""

    plan: Sid
    n: int
    voucher: Sid
    debtor: PartyId
    owed_before: PartyId
    owed_by: PartyId
    amount: Minor

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher, who owed, and who owes now."""
        parties = (("holder", self.owed_before), ("holder", self.owed_by))
        return (("voucher", self.voucher), *parties)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Moves the debt, in the rows and in the books."""
        for party, amount in ((self.owed_by, self.amount), (self.owed_before, -self.amount)):
            if party == self.debtor:
                owe(state, party, amount)
            else:
                _carry(state, self, party, amount)
        before, after = self._account(self.owed_before), self._account(self.owed_by)
        book(state, move(self.amount, out_of=after, into=before))

    def _account(self, party: PartyId) -> str:
        """Returns where a party's debt stands in the books."""
        return debts_account(party) if party == self.debtor else hops_account(party)


def _carry(state: MutableRows, passed: DebtPassed, party: PartyId, amount: int) -> None:
    """Adds to what a party owes of a voucher because it has the money; nothing is no row."""
    row = state.get(HOPS, passed.voucher, party)
    carried = amount + (0 if row is None else row.amount)
    if carried < 0:
        raise InvariantBrokenError(f"{party} owes less than nothing of {passed.voucher}")
    if not carried:
        state.delete(HOPS, passed.voucher, party)
    elif row is None:
        made = Hop(voucher=passed.voucher, party=party, debtor=passed.debtor, amount=Minor(carried))
        state.put(HOPS, made)
    else:
        state.put(HOPS, replace(row, amount=Minor(carried)))


def is_carried(voucher: Voucher) -> bool:
    """Tells whether the debt of a voucher travels with its money."""
    return voucher.hop_risk == HopRisk.HOLDER


def passed(
    record: InstructionRecord, *, debtor: PartyId, before: PartyId, now: PartyId, amount: int
) -> Iterator[DebtPassed]:
    """Yields that a party owes so much instead of another; nothing if that is no change."""
    if amount and before != now:
        yield DebtPassed(
            plan=record.plan,
            n=record.n,
            voucher=record.voucher,
            debtor=debtor,
            owed_before=before,
            owed_by=now,
            amount=Minor(amount),
        )


def bearer_of(record: InstructionRecord, debtor: PartyId) -> PartyId:
    """Returns who has an instruction's money before it is posted."""
    return record.payer if record.after else debtor


def owing(state: Rows, lot: Lot, debtor: PartyId, status_of: StatusOf) -> tuple[PartyId, int]:
    """Returns who owes a lot, and how much of it: who has its money, or the debtor.

    Args:
        state: Shows the lot's order, and the instructions on the way to it.
        lot: The lot.
        debtor: Its debtor.
        status_of: Where an instruction is.
    """
    order = state.get(ORDERS, lot.lot)
    if order is None:
        return debtor, lot.amount
    record = known_instruction(state, order.plan, order.n)
    part = record.parts[record.lots.index(lot.lot)] if record.parts else ""
    while record.after:
        record = known_instruction(state, record.plan, int(record.after[0]))
        if status_of(record) == InstructionStatus.POSTED:
            return record.payee, int(part) if part else lot.amount
    return debtor, lot.amount


def bound_lots(state: Rows, record: InstructionRecord) -> Iterator[tuple[Lot, int]]:
    """Yields the lots that are bound to an instruction, with what it is to pay of each."""
    for name, part in zip(record.lots, record.parts or ("",) * len(record.lots), strict=True):
        lot, order = state.get(LOTS, name), state.get(ORDERS, name)
        if lot and order and (order.plan, order.n) == (record.plan, record.n):
            yield lot, int(part) if part else lot.amount


def bound_minor(
    state: Rows, records: Iterable[InstructionRecord], *, ended: Collection[str] = ()
) -> int:
    """Returns what instructions are still to pay of the lots that are bound to them.

    Args:
        state: Shows lots and orders.
        records: The instructions.
        ended: Lots whose orders have ended meanwhile.
    """
    bound = (each for record in records for each in bound_lots(state, record))
    return sum(amount for lot, amount in bound if lot.lot not in ended)


def given_back(
    state: Rows,
    record: InstructionRecord,
    lots: Iterable[Lot],
    *,
    debtor: PartyId,
    status_of: StatusOf,
) -> Iterator[DebtPassed]:
    """Yields that the debtor owes lots that others owed, by whom they were owed.

    So it is, for a moment, of what is discharged; and for good of what is freed.
    """
    sums = Counter[PartyId]()
    for lot in lots:
        party, amount = owing(state, lot, debtor, status_of)
        sums[party] += amount
    for party, amount in sorted(sums.items()):
        yield from passed(record, debtor=debtor, before=party, now=debtor, amount=amount)


def freed(
    state: Rows,
    record: InstructionRecord,
    replaced: Iterable[InstructionRecord],
    *,
    kept: Iterable[InstructionRecord],
) -> Iterator[DebtPassed]:
    """Yields that the debtor owes again what is freed as money takes another way.

    Args:
        state: Shows voucher, lots and orders.
        record: The instruction that is broken.
        replaced: It, and all that was to be paid from it.
        kept: What stands in their place.
    """
    voucher = known_voucher(state, record.voucher)
    if is_carried(voucher):
        still = {lot for each in kept for lot in each.lots}
        bound = (lot for each in replaced for lot, _ in bound_lots(state, each))
        yield from given_back(
            state,
            record,
            [lot for lot in bound if lot.lot not in still],
            debtor=voucher.debtor,
            status_of=attrgetter("status"),
        )


def to_pay_again(
    state: Rows, records: Iterable[InstructionRecord], *, party: PartyId, debtor: PartyId
) -> list[Obligation]:
    """Returns what a party that is not the debtor owes once more because of instructions."""
    if party == debtor:
        return []
    rows = (state.get(OBLIGATIONS, Sort.AGAIN, each.plan, each.n) for each in records)
    return [row for row in rows if row is not None and row.owed_by == party]


def paying_from(state: Rows, record: InstructionRecord) -> InstructionRecord:
    """Returns the instruction, it or one before it, whose payer has the money."""
    while record.after:
        before = known_instruction(state, record.plan, int(record.after[0]))
        if before.status == InstructionStatus.POSTED:
            break
        record = before
    return record


class ObligationsPassed(Effect, frozen=True, kw_only=True):
    """What a party was to pay once more of an instruction's money who has that now owes.

    However many they are, they are those that follow from the state.
    """

    plan: Sid
    n: int
    owed_before: PartyId
    owed_by: PartyId
    obligations: int

    def touched(self) -> tuple[Touch, ...]:
        """Touches who owes them now."""
        return (("holder", self.owed_by),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks them, due again: what was to pay them has no money any more."""
        record = known_instruction(state, self.plan, self.n)
        debtor = known_voucher(state, record.voucher).debtor
        onward = behind(state, record)
        rows = [
            row
            for row in to_pay_again(state, onward, party=self.owed_before, debtor=debtor)
            if row.status != ObligationStatus.MET
        ]
        if len(rows) != self.obligations:
            raise InvariantBrokenError(f"entry {seal.index}: not what {self.owed_before} owes")
        for row in rows:
            passed = replace(row, owed_by=self.owed_by, status=ObligationStatus.DUE)
            state.put(OBLIGATIONS, passed)


class Carrying:
    """What a report brings about of debts that travel, each item as those before it left things."""

    def __init__(self, state: Rows) -> None:
        """Starts with nothing moved."""
        self._state = state
        self._unbound: set[str] = set()
        """The lots whose orders have ended so far."""

    def carried_on(
        self,
        record: InstructionRecord,
        debtor: PartyId,
        paid: Iterable[str],
        status_of: StatusOf,
    ) -> Iterator[DebtPassed]:
        """Yields who owes what an instruction's money was for, now that it has come.

        What is paid, and what is owed back for it is frozen, is the debtor's; what is behind
        the instruction is owed by its payee.

        Args:
            record: The instruction.
            debtor: The voucher's.
            paid: The lots that it ends.
            status_of: Where an instruction is.
        """
        state = self._state
        lots = {name: lot for name in paid if (lot := state.get(LOTS, name)) is not None}
        lots |= {lot.lot: lot for lot, _ in bound_lots(state, record)}
        ended = [lot for name, lot in sorted(lots.items()) if name not in self._unbound]
        yield from given_back(state, record, ended, debtor=debtor, status_of=status_of)
        self._unbound.update(lots)
        yield from passed(
            record,
            debtor=debtor,
            before=bearer_of(record, debtor),
            now=record.payee,
            amount=bound_minor(state, behind(state, record), ended=self._unbound),
        )

    def carried_back(
        self, record: InstructionRecord, debtor: PartyId, stands: Callable[[Obligation], str]
    ) -> tuple[list[Effect], list[tuple[str, Sid, int]]]:
        """Returns who owes what was to go on from an instruction's money, now that it is back.

        Args:
            record: The instruction.
            debtor: The voucher's.
            stands: Where something owed is.

        Returns:
            What follows; and what of it is due once more, by its key.
        """
        owes, onward = bearer_of(record, debtor), behind(self._state, record)
        amount = bound_minor(self._state, onward, ended=self._unbound)
        rows = [
            row
            for row in to_pay_again(self._state, onward, party=record.payee, debtor=debtor)
            if stands(row) != ObligationStatus.MET
        ]
        found: list[Effect] = []
        if rows:
            amount += sum(row.amount for row in rows)
            again = ObligationsPassed(
                plan=record.plan,
                n=record.n,
                owed_before=record.payee,
                owed_by=owes,
                obligations=len(rows),
            )
            found.append(again)
        due = [(row.sort, row.plan, row.n) for row in rows]
        found += passed(record, debtor=debtor, before=record.payee, now=owes, amount=amount)
        return found, due


# --- Reads --------------------------------------------------------------------------


def ask_carried(
    records: Sequence[InstructionRecord], voucher: Voucher
) -> Generator[Asked, Any, None]:
    """Asks for who owes the lots of instructions, and for all that changes with that."""
    names = [lot for record in records for lot in record.lots]
    yield from get_many(LOTS, names)
    parties = {party for record in records for party in (record.payer, record.payee)}
    waiting = {
        (order.plan, order.n) for order in (yield from get_many(ORDERS, names)) if order is not None
    }
    known: set[tuple[Sid, int]] = set()
    while waiting := waiting - known:
        known |= waiting
        rows = yield Get(INSTRUCTIONS, tuple(sorted(waiting)))
        found = [row for row in rows if row is not None]
        parties |= {party for row in found for party in (row.payer, row.payee)}
        waiting = {(row.plan, int(n)) for row in found for n in row.after}
    yield Get(OBLIGATIONS, tuple((Sort.AGAIN, record.plan, record.n) for record in records))
    yield from reads_debtor(voucher.debtor)
    some = sorted(parties)
    yield Get(HOPS, tuple((voucher.voucher, party) for party in some))
    accounts = [hops_account(party) for party in some]
    yield from get_many(BALANCES, [debts_account(voucher.debtor), *accounts])


def reads_behind(record: InstructionRecord, run: Run, voucher: Voucher) -> ReadPlan:
    """Asks for the lots of an instruction and of all that its money goes on to."""
    later = yield from ask_behind(record, run)
    yield from ask_carried([record, *later], voucher)
