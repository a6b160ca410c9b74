"""What a bank's word brings about, instruction by instruction.

Each item of a report is judged as those before it have left things, so that one report can
tell of a whole cascade. Kinds that take a bank's word bring the items here.
"""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

from clearing.errors import (
    AmountDiffersError,
    InstructionNotFoundError,
    MoneySpentError,
    OutOfOrderError,
)
from clearing.fields import Number
from clearing.hops import Carrying, bearer_of, is_carried, passed
from clearing.instructed import behind, known_instruction
from clearing.model import (
    INSTRUCTION_MOVES,
    INSTRUCTIONS,
    LAPSING,
    OBLIGATIONS,
    InstructionRecord,
    InstructionStatus,
    Obligation,
    ObligationStatus,
    Sort,
)
from clearing.obligations import (
    ObligationMoved,
    PaidAgain,
    PaymentUndone,
    ReturnOwed,
    known_obligation,
)
from clearing.outcomes import (
    InstructionAccepted,
    InstructionExpired,
    InstructionPosted,
    InstructionRejected,
    InstructionReturned,
    LotDischarged,
    LotPaidInPart,
)
from clearing.passing import Flow, flows_of
from registry.burdens import FREEZES, court_accounts, frozen_lots, require_move
from registry.debts import ExposureChanged, moved
from registry.effects import Effect
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, Amount, MachineText
from registry.ids import PartyId, Sid, lot_id
from registry.model import ACCOUNTS, LOTS, Lot
from registry.refusals import NotBankError
from registry.rights import known_voucher
from registry.statements import Body
from registry.tables import Minor, Rows

EXPIRED_MAX: Final = 128
"""Instructions that one report has expire, so that it fits an entry; a close does the others."""


MET_MAX: Final = 64
"""Top-ups that one report tells to be met; the next one for the voucher tells of the others."""


class Reported(StrEnum):
    """What a bank says of an instruction."""

    ACCEPTED = InstructionStatus.ACCEPTED
    POSTED = InstructionStatus.POSTED
    REJECTED = InstructionStatus.REJECTED
    RETURNED = InstructionStatus.RETURNED


class ReportItem(Body):
    """What a bank says of one instruction; what was not carried out has a reason."""

    instruction: Number
    status: Annotated[Reported, LENIENT]
    amount: Amount
    reason: MachineText | None = None


class Report:
    """What a report brings about, item by item, each as those before it have left things."""

    def __init__(self, state: Rows, plan: Sid, *, sid: Sid, by: PartyId) -> None:
        """Starts with nothing told.

        Args:
            state: What the report was read for.
            plan: The plan whose instructions it tells of.
            sid: The report's id, which numbers what is left of lots that are paid in part.
            by: The bank.
        """
        self._state, self._plan, self._sid, self._by = state, plan, sid, by
        self._rests = 0
        """How many lots it has cut so far."""
        self._effects: list[Effect] = []
        self._told: dict[int, InstructionStatus] = {}
        self._expired = 0
        """How many instructions have expired by it."""
        self._met = 0
        """How many top-ups it has found to be met."""
        self._gone: set[str] = set()
        """The lots that it has paid so far."""
        self._debts = Carrying(state)
        self._moved: dict[tuple[str, Sid, int], str] = {}
        """Where it has brought what is owed, by its key."""
        self._gained: Counter[tuple[PartyId, PartyId]] = Counter()
        """Of each holder and debtor: what it holds more, in minor units."""

    def effects(self) -> tuple[Effect, ...]:
        """Returns what follows, and at last what financiers hold then."""
        held: list[ExposureChanged] = []
        for (holder, debtor), amount in self._gained.items():
            held += moved(self._state, debtor, amount, taker=holder)
        return (*self._effects, *held)

    def flows(self) -> Iterator[Flow]:
        """Yields what has come to accounts of other people's money, and gone from them."""
        for n, status in self._told.items():
            record = known_instruction(self._state, self._plan, n)
            debtor = known_voucher(self._state, record.voucher).debtor
            if status in (InstructionStatus.POSTED, InstructionStatus.RETURNED):
                sign = 1 if status == InstructionStatus.POSTED else -1
                for account, party, amount in flows_of(record, debtor):
                    yield account, party, sign * amount

    def take(self, item: ReportItem) -> None:
        """Adds what follows from an item.

        Raises:
            RefusalError: As `clearing.rules.reports.decide_report`.
        """
        if (item.reason is None) == (item.status in (Reported.REJECTED, Reported.RETURNED)):
            raise MalformedError(what="reason", reason="belongs to what is rejected or returned")
        record = self._state.get(INSTRUCTIONS, self._plan, item.instruction)
        if record is None:
            raise InstructionNotFoundError(plan=self._plan, instruction=item.instruction)
        self._require_bank(record, item.status)
        to = InstructionStatus(item.status)
        require_move(
            INSTRUCTION_MOVES, f"{self._plan}/{record.n}", status=self._status(record), to=to
        )
        if record.amount != item.amount:
            raise AmountDiffersError(
                instruction=record.n, instructed=str(record.amount), reported=str(item.amount)
            )
        match item.status:
            case Reported.ACCEPTED:
                accepted = InstructionAccepted(plan=self._plan, n=record.n, voucher=record.voucher)
                self._effects.append(accepted)
            case Reported.POSTED:
                self._post(record)
            case Reported.REJECTED:
                self._reject(record, item.reason or "")
            case Reported.RETURNED:
                self._return(record, item.reason or "")
        self._told[record.n] = to

    def _status(self, record: InstructionRecord) -> InstructionStatus:
        """Returns where an instruction is, this report's earlier items included."""
        if record.plan != self._plan:
            return InstructionStatus(record.status)
        return self._told.get(record.n, InstructionStatus(record.status))

    def _require_bank(self, record: InstructionRecord, status: Reported) -> None:
        """Checks that the signer is the bank to say so.

        Raises:
            NotBankError: It is another's to say.
        """
        banks = {record.bank}
        if status in (Reported.ACCEPTED, Reported.REJECTED):
            payer = self._state.get(ACCOUNTS, record.payer_account)
            banks |= {payer.bank} if payer is not None else set()
        if self._by not in banks:
            raise NotBankError(party=self._by)

    def _post(self, record: InstructionRecord) -> None:
        """Adds what a payment brings about.

        Raises:
            OutOfOrderError: The money that it passes on has not come.
        """
        for n in record.after:
            before = known_instruction(self._state, self._plan, int(n))
            if self._status(before) != InstructionStatus.POSTED:
                status = self._status(before)
                raise OutOfOrderError(instruction=record.n, earlier=n, status=status)
        self._effects.append(InstructionPosted.of(record))
        voucher = known_voucher(self._state, record.voucher)
        debtor = voucher.debtor
        if self._pay_again(record, debtor):
            return
        paid = self._discharged(record, debtor)
        if is_carried(voucher):
            names = {lot.lot for lot in paid}
            self._effects += self._debts.carried_on(record, debtor, names, self._status)
        self._effects += paid
        amount = sum(lot.amount for lot in paid)
        self._gained[record.creditor, debtor] -= amount
        if amount < record.kept:
            done = {lot.lot for lot in paid}
            owed = ReturnOwed(
                plan=self._plan,
                n=record.n,
                voucher=record.voucher,
                owed_by=record.payee,
                owed_to=record.payer if record.pays == Sort.AGAIN else debtor,
                account=record.payee_account,
                amount=Minor(record.kept - amount),
                lots=tuple(lot for lot in record.lots if lot not in done),
            )
            self._effects.append(owed)
        self._meet_top_ups(record)

    def _pay_again(self, record: InstructionRecord, debtor: PartyId) -> bool:
        """Adds the payment of what had come back, if the instruction is that."""
        n = record.instead
        if n is None or record.pays != Sort.AGAIN:
            return False
        owed = known_obligation(self._state, Sort.AGAIN, self._plan, n)
        if self._status_of(owed) == ObligationStatus.MET:
            return False
        self._moved[Sort.AGAIN, self._plan, n] = ObligationStatus.MET
        self._effects += passed(
            record, debtor=debtor, before=owed.owed_by, now=debtor, amount=record.amount
        )
        again = PaidAgain(
            plan=self._plan,
            n=n,
            voucher=record.voucher,
            debtor=debtor,
            holder=record.creditor,
            amount=record.amount,
        )
        self._effects.append(again)
        if owed.owed_by == debtor:
            self._gained[record.creditor, debtor] -= record.amount
        return True

    def _meet_top_ups(self, record: InstructionRecord) -> None:
        """Adds that what was to be topped up has come, by whichever instruction."""
        for owed in self._state.where(OBLIGATIONS, "voucher", record.voucher):
            if owed.sort != Sort.TOP_UP or self._status_of(owed) == ObligationStatus.MET:
                continue
            if all(self._is_gone(lot) for lot in owed.lots):
                self._meet(owed)
            elif record.pays == Sort.TOP_UP and record.instead == owed.n:
                # The debtor's own payment has come for what is frozen by now.
                self._move(owed, ObligationStatus.DUE)

    def _meet(self, owed: Obligation) -> None:
        """Adds that what was to be topped up has come, if the report may still tell of that."""
        if self._met < MET_MAX:
            self._met += 1
            self._move(owed, ObligationStatus.MET)

    def _is_gone(self, lot: str) -> bool:
        """Tells whether a lot lives no more, this report's earlier items included."""
        return lot in self._gone or self._state.get(LOTS, lot) is None

    def _status_of(self, owed: Obligation) -> str:
        """Returns where something owed is, this report's earlier items included."""
        return self._moved.get((owed.sort, owed.plan, owed.n), owed.status)

    def _move(self, owed: Obligation, status: ObligationStatus) -> None:
        """Adds where something owed is now, if it is elsewhere."""
        if self._status_of(owed) == status:
            return
        self._moved[owed.sort, owed.plan, owed.n] = status
        moved = ObligationMoved(sort=owed.sort, plan=owed.plan, n=owed.n, status=status)
        self._effects.append(moved)

    def _discharged(
        self, record: InstructionRecord, debtor: PartyId
    ) -> list[LotDischarged | LotPaidInPart]:
        """Returns the ends of an instruction's lots, but of those that are gone or frozen."""
        paid: list[LotDischarged | LotPaidInPart] = []
        parts = record.parts or ("",) * len(record.lots)
        for name, part in zip(record.lots, parts, strict=True):
            lot = self._state.get(LOTS, name)
            if lot is None or name in self._gone:
                continue
            if lot.burdens and self._is_kept_from(record, lot):
                continue
            self._gone.add(name)
            if lot.voucher != record.voucher or lot.holder != record.creditor:
                raise InvariantBrokenError(f"lot {name} is not {record.creditor}'s")
            if part and int(part) != lot.amount:
                paid.append(self._cut(lot, debtor, int(part)))
                continue
            discharged = LotDischarged(
                lot=lot.lot,
                voucher=lot.voucher,
                debtor=debtor,
                holder=lot.holder,
                amount=lot.amount,
            )
            paid.append(discharged)
        return paid

    def _is_kept_from(self, record: InstructionRecord, lot: Lot) -> bool:
        """Tells whether a court keeps a lot from who is paid, unless it is the court itself."""
        freezes = self._state.where(FREEZES, "lot", lot.lot)
        is_courts = court_accounts(freezes).get(lot.lot) == record.payee_account
        return bool(frozen_lots(freezes)) and not is_courts

    def _cut(self, lot: Lot, debtor: PartyId, part: int) -> LotPaidInPart:
        """Returns the payment of some of a lot; the report numbers what is left."""
        n = self._rests
        self._rests += 1
        return LotPaidInPart(
            lot=lot.lot,
            voucher=lot.voucher,
            debtor=debtor,
            holder=lot.holder,
            amount=Minor(part),
            remainder=Minor(lot.amount - part),
            rest=lot_id(self._sid, n),
        )

    def _reject(self, record: InstructionRecord, reason: str) -> None:
        """Adds what follows where money stays: with the debtor, all behind it expires."""
        rejected = InstructionRejected(
            plan=self._plan,
            n=record.n,
            voucher=record.voucher,
            bank=self._by,
            reason=reason,
        )
        self._effects.append(rejected)
        self._expire_behind(record)

    def _expire_behind(self, record: InstructionRecord) -> None:
        """Adds the end of all that was to be paid from the debtor's own payment."""
        for later in () if record.after else behind(self._state, record):
            if self._status(later) in LAPSING and self._expired < EXPIRED_MAX:
                self._expired += 1
                self._told[later.n] = InstructionStatus.EXPIRED
                expired = InstructionExpired(plan=self._plan, n=later.n, voucher=later.voucher)
                self._effects.append(expired)

    def _return(self, record: InstructionRecord, reason: str) -> None:
        """Adds what follows where money has come back.

        Raises:
            MoneySpentError: Some of it has gone on.
        """
        for later in behind(self._state, record):
            if self._status(later) == InstructionStatus.POSTED and str(record.n) in later.after:
                raise MoneySpentError(instruction=record.n, later=later.n)
        self._effects.append(InstructionReturned.of(record, reason=reason))
        voucher = known_voucher(self._state, record.voucher)
        debtor = voucher.debtor
        owes = bearer_of(record, debtor) if is_carried(voucher) else debtor
        if is_carried(voucher):
            back, due = self._debts.carried_back(record, debtor, self._status_of)
            self._effects += back
            self._moved |= dict.fromkeys(due, ObligationStatus.DUE)
        undone, lots = record.kept, record.lots
        owed = self._state.get(OBLIGATIONS, Sort.RETURN, self._plan, record.n)
        if owed is not None and owed.status == ObligationStatus.DUE:
            self._move(owed, ObligationStatus.MET)
            undone = Minor(undone - owed.amount)
            lots = tuple(lot for lot in lots if lot not in owed.lots)
        if undone:
            again = PaymentUndone(
                plan=self._plan,
                n=record.n,
                voucher=record.voucher,
                owed_by=owes,
                owed_to=record.creditor,
                account=record.payee_account,
                amount=undone,
                lots=lots,
            )
            self._effects.append(again)
            self._effects += passed(record, debtor=debtor, before=debtor, now=owes, amount=undone)
            if owes == debtor:
                self._gained[record.creditor, debtor] += undone
        self._expire_behind(record)
