"""Another way for money that is stuck, and the debtor's own payment of what has not come.

A hop breaks: a bank rejects it, a court freezes an account on the way, nothing is heard
within the hour, an intermediary is insolvent. What has not been carried out is then sent
direct from the account where the money is, to the holders of exactly the lots behind the
broken hop; each of these stays bound to one instruction. What is there for lots that were
paid otherwise meanwhile goes back to the debtor.

Where the money itself is stuck, that helps nobody. What a plan or trust has not received
then by the end of the first day after the pay date becomes, if the debtor has promised so,
its own debt by the end of the second, paid directly.

Source: docs/clearing.md, A hop that breaks; SD-21, SD-23; reference note 17; GV-03.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from clearing.errors import (
    InstructionNotFoundError,
    NothingOwedError,
    OutOfOrderError,
)
from clearing.fields import Number
from clearing.instructed import ask_behind, behind, known_instruction, known_run
from clearing.model import (
    INSTRUCTION_MOVES,
    INSTRUCTIONS,
    LAPSING,
    OBLIGATION_MOVES,
    OBLIGATIONS,
    ORDERS,
    RUNS,
    InstructionRecord,
    InstructionStatus,
    Obligation,
    ObligationStatus,
    Sort,
)
from clearing.obligations import ObligationMoved
from clearing.outcomes import InstructionAdded, InstructionReplaced
from clearing.routes import LOTS_MAX, Claim, paid_apart, part_of
from registry.burdens import FREEZES, court_accounts, frozen_lots, require_move
from registry.effects import Effect
from registry.errors import InvariantBrokenError
from registry.fields import LENIENT, FileRef
from registry.ids import PartyId, Sid
from registry.model import ACCOUNTS, LOTS, VOUCHERS, Lot, Role, Voucher
from registry.rights import known_voucher
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Get, Minor, ReadPlan, Rows, get, get_many, where_each


class Ground(StrEnum):
    """Why money takes another way."""

    REJECTED = "rejected"
    FROZEN = "frozen"
    SILENT = "silent"
    INSOLVENT = "insolvent"


class ClearingReroute(Body):
    """An instruction whose money takes another way, why, and what shows it."""

    instruction: Number
    ground: Annotated[Ground, LENIENT]
    evidence: FileRef | None = None


class ClearingTopUp(Body):
    """An instruction because of which the debtor owes something, and pays it now."""

    instruction: Number
    sort: Annotated[Sort, LENIENT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What is paid to one account in the place of a broken instruction.

    Attributes:
        payee: Who is paid: the holder, whosever the account is.
        account: Into which account.
        amount_minor: Minor units.
        lots: What it pays; none of what goes back to the debtor.
    """

    payee: PartyId
    account: Sid
    amount_minor: int
    lots: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


def payments_of(
    lots: Sequence[Claim], *, held_minor: int, voucher: Voucher, in_parts: bool
) -> tuple[Payment, ...]:
    """Returns what replaces a broken instruction.

    Args:
        lots: What is still to be paid of the lots behind it.
        in_parts: Lots may be paid in part.
        held_minor: The money that it would have moved, in minor units.
        voucher: Theirs; what is left goes back into its account.

    Returns:
        One payment for each holder and account, in this order, or several of as many lots as
        an instruction may have; and last the debtor's.
    """
    into: dict[tuple[PartyId, Sid], list[Claim]] = {}
    for lot in sorted(lots, key=lambda lot: lot.lot):
        into.setdefault((lot.holder, lot.account), []).append(lot)
    payments = [
        Payment(
            payee=payee,
            account=account,
            amount_minor=sum(lot.amount for lot in some),
            lots=tuple(lot.lot for lot in some),
            parts=tuple(str(lot.amount) for lot in some) if in_parts else (),
        )
        for (payee, account), held in sorted(into.items())
        for some in (held[start : start + LOTS_MAX] for start in range(0, len(held), LOTS_MAX))
    ]
    rest = held_minor - sum(payment.amount_minor for payment in payments)
    if rest < 0:
        raise InvariantBrokenError("more is to be paid than there is money for")
    if rest:
        payments.append(Payment(payee=voucher.debtor, account=voucher.account, amount_minor=rest))
    return tuple(payments)


# --- Another way --------------------------------------------------------------------


def reads_reroute(statement: Statement[ClearingReroute], _now: Now) -> ReadPlan:
    """Asks for the instruction, those before and behind it, their lots, orders, accounts."""
    run = yield from get(RUNS, statement.re or "")
    record = yield from get(INSTRUCTIONS, statement.re or "", statement.body.instruction)
    if run is None or record is None:
        return
    if record.after:
        yield Get(INSTRUCTIONS, tuple((record.plan, int(n)) for n in record.after))
    suffix = [record, *(yield from ask_behind(record, run))]
    names = [lot for each in suffix for lot in each.lots]
    lots = yield from get_many(LOTS, names)
    live = [lot for lot in lots if lot is not None]
    freezes = yield from where_each(FREEZES, "lot", [lot.lot for lot in live if lot.burdens])
    voucher = yield from get(VOUCHERS, record.voucher)
    named = {lot.account for lot in live} | ({voucher.account} if voucher else set())
    named.update(court_accounts(freezes).values())
    yield from get_many(ACCOUNTS, sorted(named))
    yield from get_many(ORDERS, names)


def decide_reroute(
    state: Rows, statement: Statement[ClearingReroute], _now: Now
) -> tuple[Effect, ...]:
    """Sends the money of a broken hop direct to the holders behind it.

    Raises:
        InstructionNotFoundError: The plan has no such instruction.
        MoveNotAllowedError: It is posted, or replaced already.
        OutOfOrderError: Its money is not there: one before it is not posted, or it is the
            debtor's own payment, which a further plan makes.
    """
    plan = statement.re or Sid("")
    record = state.get(INSTRUCTIONS, plan, statement.body.instruction)
    if record is None:
        raise InstructionNotFoundError(plan=plan, instruction=statement.body.instruction)
    has_returned = record.status == InstructionStatus.RETURNED
    require_move(
        INSTRUCTION_MOVES,
        f"{plan}/{record.n}",
        status=record.status,
        to=InstructionStatus.REDIRECTED if has_returned else InstructionStatus.REPLACED,
    )
    _require_money(state, record)
    # Behind it, what has expired is over, and its lots are another plan's.
    later = (each for each in behind(state, record) if each.status in LAPSING)
    suffix = [record, *later]
    payments = payments_of(
        [lot for each in suffix for lot in _still_paid(state, each)],
        held_minor=record.amount,
        voucher=known_voucher(state, record.voucher),
        in_parts=bool(record.parts) or any(each.parts for each in suffix),
    )

    # Past this line the change of route must succeed.
    replaced = (InstructionReplaced(plan=plan, n=each.n, voucher=each.voucher) for each in suffix)
    first = known_run(state, plan).instructions
    added = (
        _added(state, record, payment, n=n, payer=record.payer, account=record.payer_account)
        for n, payment in enumerate(payments, first)
    )
    return (*replaced, *added)


def _still_paid(state: Rows, record: InstructionRecord) -> Iterator[Claim]:
    """Yields what an instruction is to pay of the lots that are bound to it, unless frozen."""
    parts = record.parts or ("",) * len(record.lots)
    for name, part in zip(record.lots, parts, strict=True):
        lot, order = state.get(LOTS, name), state.get(ORDERS, name)
        if lot is None or order is None or (order.plan, order.n) != (record.plan, record.n):
            continue
        paid = part_of(lot, int(part) if part else lot.amount)
        if not _is_frozen(state, lot):
            yield paid
        elif court := court_accounts(state.where(FREEZES, "lot", name)).get(lot.lot):
            yield paid_apart(paid, court)


def _is_frozen(state: Rows, lot: Lot) -> bool:
    """Tells whether a freeze stands on a lot."""
    return bool(lot.burdens and frozen_lots(state.where(FREEZES, "lot", lot.lot)))


def _require_money(state: Rows, record: InstructionRecord) -> None:
    """Checks that the money of an instruction lies with its payer, and is not the debtor's.

    Raises:
        OutOfOrderError: It does not.
    """
    if not record.after:
        raise OutOfOrderError(instruction=record.n, earlier="none", status="the debtor's own")
    for n in record.after:
        before = known_instruction(state, record.plan, int(n))
        if before.status != InstructionStatus.POSTED:
            raise OutOfOrderError(instruction=record.n, earlier=n, status=before.status)


def _added(
    state: Rows,
    record: InstructionRecord,
    payment: Payment,
    *,
    n: int,
    payer: PartyId,
    account: Sid,
    authority: Sid | None = None,
    pays: Sort | None = None,
) -> InstructionAdded:
    """Returns the instruction of a payment in the place of another one."""
    into = state.get(ACCOUNTS, payment.account)
    if into is None:
        raise InvariantBrokenError(f"there is no account {payment.account}")
    is_own = pays is not None
    holder = None if into.owner == payment.payee else payment.payee
    return InstructionAdded(
        plan=record.plan,
        n=n,
        instead=record.n,
        voucher=record.voucher,
        payer_account=account,
        payer=payer,
        payee_account=payment.account,
        payee=into.owner,
        holder=holder,
        # What a stage could not pay on waits there still, and is to be swept as before.
        stage=record.stage if payment.lots and not is_own else None,
        bank=into.bank,
        amount=Minor(payment.amount_minor),
        kept=Minor(payment.amount_minor if payment.lots or is_own else 0),
        authority=authority or record.authority,
        lots=payment.lots,
        parts=payment.parts,
        after=() if is_own else record.after,
        remittance=record.remittance,
        pays=pays,
    )


# --- The debtor's own payment ---------------------------------------------------------


def reads_top_up(statement: Statement[ClearingTopUp], _now: Now) -> ReadPlan:
    """Asks for what is owed, the instruction, its voucher, and the account to be paid into."""
    plan, body = statement.re or "", statement.body
    yield from get(RUNS, plan)
    record = yield from get(INSTRUCTIONS, plan, body.instruction)
    owed = yield from get(OBLIGATIONS, body.sort.value, plan, body.instruction)
    if record is None or owed is None:
        return
    yield from get(VOUCHERS, record.voucher)
    yield from get(ACCOUNTS, owed.account)
    lots = yield from get_many(LOTS, owed.lots)
    burdened = [lot.lot for lot in lots if lot is not None and lot.burdens]
    yield from where_each(FREEZES, "lot", burdened)
    orders = yield from get_many(ORDERS, owed.lots)
    ordered = sorted({(order.plan, order.n) for order in orders if order is not None})
    yield Get(INSTRUCTIONS, tuple(ordered))


def decide_top_up(
    state: Rows, statement: Statement[ClearingTopUp], _now: Now
) -> tuple[Effect, ...]:
    """Has the debtor pay directly what it owes because of an instruction.

    Raises:
        InstructionNotFoundError: The plan has no such instruction.
        NothingOwedError: The debtor owes nothing of that sort because of it; or of what is to
            be topped up all lots are paid, frozen, or to be paid by another plan or by a
            payment of the debtor's own.
        MoveNotAllowedError: It is on its way, or met.
    """
    plan, body = statement.re or Sid(""), statement.body
    record = state.get(INSTRUCTIONS, plan, body.instruction)
    if record is None:
        raise InstructionNotFoundError(plan=plan, instruction=body.instruction)
    owed = state.get(OBLIGATIONS, body.sort, plan, record.n)
    if owed is None or body.sort is Sort.RETURN:
        raise NothingOwedError(plan=plan, instruction=record.n, sort=body.sort)
    require_move(
        OBLIGATION_MOVES,
        f"{plan}/{record.n}",
        status=owed.status,
        to=ObligationStatus.ORDERED,
    )
    voucher = known_voucher(state, record.voucher)
    payment = Payment(payee=owed.owed_to, account=owed.account, amount_minor=owed.amount)
    if body.sort is Sort.TOP_UP:
        payment = _missing(state, record, owed)
    if not payment.amount_minor:
        raise NothingOwedError(plan=plan, instruction=record.n, sort=body.sort)

    # Past this line the payment must be ordered.
    added = _added(
        state,
        record,
        payment,
        n=known_run(state, plan).instructions,
        payer=voucher.debtor,
        account=voucher.account,
        authority=voucher.mandate,
        pays=body.sort,
    )
    ordered = ObligationMoved(
        sort=body.sort, plan=plan, n=record.n, status=ObligationStatus.ORDERED
    )
    return (added, ordered)


def _missing(state: Rows, record: InstructionRecord, owed: Obligation) -> Payment:
    """Returns the payment of what is still missing of what is to be topped up."""
    lots = [lot for name in owed.lots if (lot := _not_paid_directly(state, record, name))]
    part_of_lot = dict(zip(record.lots, record.parts, strict=False))
    return Payment(
        payee=owed.owed_to,
        account=owed.account,
        amount_minor=sum(int(part_of_lot.get(lot.lot, lot.amount)) for lot in lots),
        lots=tuple(lot.lot for lot in lots),
        parts=tuple(part_of_lot[lot.lot] for lot in lots) if part_of_lot else (),
    )


def _not_paid_directly(state: Rows, record: InstructionRecord, name: str) -> Lot | None:
    """Returns a lot that lives, is not frozen, and that no payment of the debtor's is to pay."""
    lot, order = state.get(LOTS, name), state.get(ORDERS, name)
    if lot is None or _is_frozen(state, lot):
        return None
    if order is not None:
        ordered = known_instruction(state, order.plan, order.n)
        if order.plan != record.plan or not ordered.after:
            return None
    return lot


_OPERATOR = frozenset({Role.OPERATOR})

KINDS = (
    Kind(
        name="clearing.reroute",
        body=ClearingReroute,
        signers=_OPERATOR,
        relation="the operator",
        answers={"clearing.plan": RUNS, "clearing.apportion": RUNS},
        reads=reads_reroute,
        decide=decide_reroute,
    ),
    Kind(
        name="clearing.top-up",
        body=ClearingTopUp,
        signers=_OPERATOR,
        relation="the operator",
        answers={"clearing.plan": RUNS, "clearing.apportion": RUNS},
        reads=reads_top_up,
        decide=decide_top_up,
    ),
)
