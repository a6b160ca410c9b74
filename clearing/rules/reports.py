"""What banks say of instructions: accepted, posted, rejected, returned; and what follows.

The bank that keeps the payee's account says what came into it; that, or the payer's, says
what was not carried out. One report says it of many instructions, as one message of the
bank does, whose digest it may name. What a bank says has happened: that it comes late, or
against what was planned, is no reason to refuse it. Refused is what contradicts the plan or
an earlier word, and then the whole report.

Source: docs/clearing.md, Reports; SD-21, SD-23.
"""

from collections import Counter
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from clearing.errors import (
    AmountDiffersError,
    InstructionNotFoundError,
    MoneySpentError,
    OutOfOrderError,
)
from clearing.fields import Number
from clearing.instructed import ask_behind, behind, known_instruction
from clearing.model import (
    BALANCES,
    INSTRUCTION_MOVES,
    INSTRUCTIONS,
    OBLIGATIONS,
    OPEN,
    ORDERS,
    RUNS,
    InstructionRecord,
    InstructionStatus,
    ObligationStatus,
    Sort,
)
from clearing.outcomes import (
    InstructionAccepted,
    InstructionExpired,
    InstructionPosted,
    InstructionRejected,
    InstructionReturned,
    LotDischarged,
    PaymentUndone,
    ReturnMet,
    ReturnOwed,
)
from clearing.postings import bank_account, claims_account, debts_account
from registry.burdens import FREEZES, frozen_lots, require_move
from registry.debts import ExposureChanged, moved, reads_debtor, reads_held
from registry.effects import Effect
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, Amount, BodyAmount, Digest, MachineText
from registry.ids import PartyId, Sid
from registry.model import ACCOUNTS, LOTS, PARTIES, VOUCHERS, Role
from registry.refusals import NotBankError
from registry.rights import known_voucher
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Get, Minor, ReadPlan, Rows, get, get_many, where

ITEMS_MAX = 48
"""Instructions of one report: with a lot each, what follows fits an entry."""


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


class BankMessage(Body):
    """The message that a report was read from, which the registry does not keep."""

    format: MachineText
    digest: Digest


class ClearingReport(Body):
    """What a bank says of instructions of one plan, by number."""

    items: Annotated[tuple[ReportItem, ...], LENIENT, Field(min_length=1, max_length=ITEMS_MAX)]
    message: BankMessage | None = None

    @property
    def total(self) -> int:
        """What it is about, in minor units: the key that signs it has a limit."""
        return sum(item.amount for item in self.items)


# --- Reads --------------------------------------------------------------------------


def reads_report(statement: Statement[ClearingReport], _now: Now) -> ReadPlan:
    """Asks for the run, and for each instruction all that its part of the report changes."""
    plan = statement.re or ""
    yield from get(RUNS, plan)
    for item in statement.body.items:
        record = yield from get(INSTRUCTIONS, plan, item.instruction)
        if record is not None:
            yield from _reads_item(record, item.status)


def _reads_item(record: InstructionRecord, status: Reported) -> ReadPlan:
    """Asks for all that one item of a report changes."""
    if record.after:
        yield Get(INSTRUCTIONS, tuple((record.plan, int(n)) for n in record.after))
    lots = list(record.lots)
    if status in (Reported.REJECTED, Reported.RETURNED):
        later = yield from ask_behind(record)
        lots += [lot for each in later for lot in each.lots]
    rows = yield from get_many(LOTS, record.lots)
    for lot in rows:
        if lot is not None and lot.burdens:
            yield from where(FREEZES, "lot", lot.lot)
    yield from get(ACCOUNTS, record.payer_account)
    voucher = yield from get(VOUCHERS, record.voucher)
    payee = yield from get(PARTIES, record.payee)
    yield from get_many(ORDERS, lots)
    for sort in Sort:
        yield from get(OBLIGATIONS, sort, record.plan, record.n)
    if voucher is not None:
        yield from reads_debtor(voucher.debtor)
        yield from reads_held((payee,), voucher.debtor)
        names = (
            bank_account(record.payer_account),
            bank_account(record.payee_account),
            claims_account(record.payee),
            debts_account(voucher.debtor),
        )
        yield from get_many(BALANCES, names)


# --- Decision -----------------------------------------------------------------------


def decide_report(
    state: Rows, statement: Statement[ClearingReport], _now: Now
) -> tuple[Effect, ...]:
    """Takes a bank's word of instructions, in the order of their numbers.

    What is posted discharges the payee's lots that it pays. Lots that are paid already or
    frozen it does not discharge: so much is owed back. What the debtor's bank does not carry
    out frees its lots, and all that were to be paid from it, for a later plan.

    Raises:
        MalformedError: The numbers are not in order; a reason is missing, or given of what
            was carried out.
        InstructionNotFoundError: The plan has no such instruction.
        NotBankError: The signer does not keep the payee's account, nor, of what is accepted
            or rejected, the payer's.
        MoveNotAllowedError: An earlier word says otherwise, or the same.
        AmountDiffersError: The amount is not the instruction's.
        OutOfOrderError: An instruction that comes before is not posted yet.
        MoneySpentError: It is returned, and an instruction paid from it is posted.
    """
    items = statement.body.items
    numbers = [item.instruction for item in items]
    if numbers != sorted({*numbers}):
        raise MalformedError(what="items", reason="not in the order of their numbers, each once")
    report = _Report(state, statement.re or Sid(""), by=statement.by)
    for item in items:
        report.take(item)

    # Past this line the report must succeed.
    return report.effects()


class _Report:
    """What a report brings about, item by item, each as those before it have left things."""

    def __init__(self, state: Rows, plan: Sid, *, by: PartyId) -> None:
        """Starts with nothing told."""
        self._state, self._plan, self._by = state, plan, by
        self._effects: list[Effect] = []
        self._told: dict[int, InstructionStatus] = {}
        self._gained: Counter[tuple[PartyId, PartyId]] = Counter()
        """Of each holder and debtor: what it holds more, in minor units."""

    def effects(self) -> tuple[Effect, ...]:
        """Returns what follows, and at last what financiers hold then."""
        held: list[ExposureChanged] = []
        for (holder, debtor), amount in self._gained.items():
            held += moved(self._state, debtor, amount, taker=holder)
        return (*self._effects, *held)

    def take(self, item: ReportItem) -> None:
        """Adds what follows from an item.

        Raises:
            RefusalError: As `decide_report`.
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
        posted = InstructionPosted(
            plan=self._plan,
            n=record.n,
            voucher=record.voucher,
            payer_account=record.payer_account,
            payer=record.payer,
            payee_account=record.payee_account,
            payee=record.payee,
            amount=record.amount,
        )
        self._effects.append(posted)
        debtor = known_voucher(self._state, record.voucher).debtor
        paid = self._discharged(record, debtor)
        self._effects += paid
        amount = sum(lot.amount for lot in paid)
        self._gained[record.payee, debtor] -= amount
        if amount < record.kept:
            done = {lot.lot for lot in paid}
            owed = ReturnOwed(
                plan=self._plan,
                n=record.n,
                voucher=record.voucher,
                owed_by=record.payee,
                owed_to=debtor,
                account=record.payee_account,
                amount=Minor(record.kept - amount),
                lots=tuple(lot for lot in record.lots if lot not in done),
            )
            self._effects.append(owed)

    def _discharged(self, record: InstructionRecord, debtor: PartyId) -> list[LotDischarged]:
        """Returns the ends of an instruction's lots, but of those that are gone or frozen."""
        paid: list[LotDischarged] = []
        for name in record.lots:
            lot = self._state.get(LOTS, name)
            if lot is None or (
                lot.burdens and frozen_lots(self._state.where(FREEZES, "lot", name))
            ):
                continue
            if lot.voucher != record.voucher or lot.holder != record.payee:
                raise InvariantBrokenError(f"lot {name} is not {record.payee}'s")
            discharged = LotDischarged(
                lot=lot.lot,
                voucher=lot.voucher,
                debtor=debtor,
                holder=lot.holder,
                amount=lot.amount,
            )
            paid.append(discharged)
        return paid

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
        if record.after:
            return
        for later in behind(self._state, record):
            if self._status(later) in OPEN:
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
        returned = InstructionReturned(
            plan=self._plan,
            n=record.n,
            voucher=record.voucher,
            payer_account=record.payer_account,
            payer=record.payer,
            payee_account=record.payee_account,
            payee=record.payee,
            amount=record.amount,
            reason=reason,
        )
        self._effects.append(returned)
        undone, lots = record.kept, record.lots
        owed = self._state.get(OBLIGATIONS, Sort.RETURN, self._plan, record.n)
        if owed is not None and owed.status == ObligationStatus.DUE:
            self._effects.append(ReturnMet(plan=self._plan, n=record.n))
            undone = Minor(undone - owed.amount)
            lots = tuple(lot for lot in lots if lot not in owed.lots)
        if undone:
            debtor = known_voucher(self._state, record.voucher).debtor
            again = PaymentUndone(
                plan=self._plan,
                n=record.n,
                voucher=record.voucher,
                owed_by=debtor,
                owed_to=record.payee,
                account=record.payee_account,
                amount=undone,
                lots=lots,
            )
            self._effects.append(again)
            self._gained[record.payee, debtor] += undone


KINDS = (
    Kind(
        name="clearing.report",
        body=ClearingReport,
        signers=frozenset({Role.BANK}),
        relation="the payee's bank, or of what is not carried out the payer's",
        answers={"clearing.plan": RUNS},
        reads=reads_report,
        decide=decide_report,
        amount=BodyAmount("total"),
        while_suspended=True,
    ),
)
