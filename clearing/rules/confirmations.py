"""A bank's word that an instruction is posted, and what that discharges.

The bank that keeps the payee's account confirms. A lot is discharged when its holder
is credited, not when the debtor is debited: along a tiered route the debt stands until
the money has arrived. What the state books is a mirror; the registry never holds
a balance of cash.
"""

from clearing.errors import (
    AlreadyPostedError,
    AmountDiffersError,
    InstructionNotFoundError,
    LotWithheldError,
    OutOfOrderError,
)
from clearing.fields import Number
from clearing.model import (
    BALANCES,
    INSTRUCTIONS,
    RUNS,
    Balance,
    InstructionRecord,
    InstructionStatus,
    RunStatus,
)
from clearing.postings import (
    JournalEntry,
    bank_account,
    claims_account,
    debts_account,
    discharge,
    payment,
)
from registry.burdens import FREEZES
from registry.debts import moved, reads_debtor, reads_held
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.extinction import pay_down
from registry.fields import Amount, BodyAmount
from registry.ids import LotId, PartyId, Sid
from registry.model import LOTS, PARTIES, VOUCHERS, Lot, Role, Voucher
from registry.refusals import NotBankError
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Get, Minor, MutableRows, ReadPlan, Rows, get, get_many, replace, where


class ClearingConfirm(Body):
    """The bank's word that an instruction of the plan is posted to the payee's account."""

    instruction: Number
    amount: Amount


class InstructionPosted(Effect, frozen=True, kw_only=True):
    """Money has moved from one account to another for a voucher."""

    plan: Sid
    n: int
    voucher: Sid
    payer_account: Sid
    payer: PartyId
    payee_account: Sid
    payee: PartyId
    amount: Minor

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher: every hop of its money is part of its history."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the instruction, counts it in its run, and books both banks' accounts."""
        record = state.get(INSTRUCTIONS, self.plan, self.n)
        run = state.get(RUNS, self.plan)
        if record is None or run is None or record.amount != self.amount:
            raise InvariantBrokenError(f"entry {seal.index} posts no instruction {self.n}")
        state.put(INSTRUCTIONS, replace(record, status=InstructionStatus.POSTED))
        posted = run.posted + 1
        status = RunStatus.CLEARED if posted == run.instructions else RunStatus.PLANNED
        state.put(RUNS, replace(run, posted=posted, status=status))
        entry = payment(
            self.amount, payer_account=self.payer_account, payee_account=self.payee_account
        )
        _book(state, entry)


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
        """Ends the lot, and as much of the debt."""
        lot = state.get(LOTS, self.lot)
        if lot is None or lot.amount != self.amount:
            raise InvariantBrokenError(f"entry {seal.index} discharges no lot {self.lot}")
        state.delete(LOTS, self.lot)
        pay_down(state, self.voucher, self.amount)
        _book(state, discharge(self.amount, debtor=self.debtor, holder=self.holder))


def _book(state: MutableRows, entry: JournalEntry) -> None:
    """Adds an entry's postings to the balances of their accounts."""
    for posting in entry.postings:
        balance = state.get(BALANCES, posting.account)
        if balance is None:
            balance = Balance(account=posting.account, debited=Minor(0), credited=Minor(0))
        debited = Minor(balance.debited + max(posting.amount_minor, 0))
        credited = Minor(balance.credited + max(-posting.amount_minor, 0))
        state.put(BALANCES, replace(balance, debited=debited, credited=credited))


def reads_clearing_confirm(statement: Statement[ClearingConfirm], _now: Now) -> ReadPlan:
    """Asks for the instruction, those before it, its lots, voucher, both sides, balances."""
    record = yield from get(INSTRUCTIONS, statement.re or "", statement.body.instruction)
    if record is None:
        return
    if record.after:
        yield Get(INSTRUCTIONS, tuple((record.plan, int(n)) for n in record.after))
    if record.lots:
        lots = yield from get_many(LOTS, record.lots)
        for lot in lots:
            if lot is not None and lot.burdens:
                yield from where(FREEZES, "lot", lot.lot)
    voucher = yield from get(VOUCHERS, record.voucher)
    payee = yield from get(PARTIES, record.payee)
    if voucher is not None:
        yield from reads_debtor(voucher.debtor)
        yield from reads_held((payee,), voucher.debtor)
        yield from get_many(BALANCES, _balances_of(record, voucher))


def _balances_of(record: InstructionRecord, voucher: Voucher) -> tuple[str, ...]:
    """Names the accounts on which an instruction is booked."""
    return (
        bank_account(record.payer_account),
        bank_account(record.payee_account),
        claims_account(record.payee),
        debts_account(voucher.debtor),
    )


def decide_clearing_confirm(
    state: Rows, statement: Statement[ClearingConfirm], _now: Now
) -> tuple[Effect, ...]:
    """Confirms that an instruction is posted: the payee's lots that it pays are discharged.

    Raises:
        InstructionNotFoundError: The plan has no such instruction.
        NotBankError: The signer does not keep the payee's account.
        AlreadyPostedError: An earlier statement has confirmed it.
        AmountDiffersError: The amount is not the instruction's.
        OutOfOrderError: An instruction that comes before is not posted yet.
        LotWithheldError: A lot that it pays was frozen after the plan was adopted.
    """
    body = statement.body
    plan = statement.re or Sid("")
    record = state.get(INSTRUCTIONS, plan, body.instruction)
    if record is None:
        raise InstructionNotFoundError(plan=plan, instruction=body.instruction)
    if record.bank != statement.by:
        raise NotBankError(party=statement.by)
    if record.status == InstructionStatus.POSTED:
        raise AlreadyPostedError(plan=plan, instruction=record.n)
    if record.amount != body.amount:
        raise AmountDiffersError(
            instruction=record.n, instructed=str(record.amount), confirmed=str(body.amount)
        )
    _require_funded(state, record)
    _require_free(state, record)
    voucher = state.get(VOUCHERS, record.voucher)
    if voucher is None:
        raise InvariantBrokenError(f"instruction {record.n} of plan {plan} pays no voucher")

    # Past this line the confirmation must succeed.
    posted = InstructionPosted(
        plan=plan,
        n=record.n,
        voucher=record.voucher,
        payer_account=record.payer_account,
        payer=record.payer,
        payee_account=record.payee_account,
        payee=record.payee,
        amount=record.amount,
    )
    paid = tuple(_discharged(state, LotId(lot), voucher) for lot in record.lots)
    amount = sum(lot.amount for lot in paid)
    held = moved(state, voucher.debtor, amount, giver=record.payee) if paid else ()
    return (posted, *paid, *held)


def _require_funded(state: Rows, record: InstructionRecord) -> None:
    """Checks that the money which an instruction passes on has come.

    Raises:
        OutOfOrderError: It has not.
    """
    for n in record.after:
        before = state.get(INSTRUCTIONS, record.plan, int(n))
        if before is None:
            raise InvariantBrokenError(f"instruction {record.n} comes after no instruction {n}")
        if before.status != InstructionStatus.POSTED:
            raise OutOfOrderError(instruction=record.n, earlier=n, status=before.status)


def _require_free(state: Rows, record: InstructionRecord) -> None:
    """Checks that nothing that is frozen is paid.

    Raises:
        LotWithheldError: A lot of the instruction is.
    """
    for name in record.lots:
        lot = state.get(LOTS, name)
        if lot is None or not lot.burdens:
            continue
        standing = {row.freeze for row in state.where(FREEZES, "lot", name)}
        for burden in lot.burdens:
            if burden in standing:
                raise LotWithheldError(lot=name, freeze=burden)


def _discharged(state: Rows, lot: LotId, voucher: Voucher) -> LotDischarged:
    """Returns the discharge of a lot, which nothing but its instruction can end."""
    row: Lot | None = state.get(LOTS, lot)
    if row is None or row.voucher != voucher.voucher:
        raise InvariantBrokenError(f"lot {lot} of voucher {voucher.voucher} is not live")
    return LotDischarged(
        lot=row.lot,
        voucher=row.voucher,
        debtor=voucher.debtor,
        holder=row.holder,
        amount=row.amount,
    )


KINDS = (
    Kind(
        name="clearing.confirm",
        body=ClearingConfirm,
        signers=frozenset({Role.BANK}),
        relation="the bank that keeps the payee's account",
        answers={"clearing.plan": RUNS},
        reads=reads_clearing_confirm,
        decide=decide_clearing_confirm,
        amount=BodyAmount("amount"),
        while_suspended=True,
    ),
)
