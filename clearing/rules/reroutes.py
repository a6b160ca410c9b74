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

from collections.abc import Generator
from enum import StrEnum
from typing import Annotated, Any

from clearing.day import ask_day, closing_instant
from clearing.errors import (
    InstructionNotFoundError,
    NothingOwedError,
    OutOfOrderError,
)
from clearing.fields import Number
from clearing.handed import DEBIT_LISTS
from clearing.hops import ask_carried, freed, is_carried, paying_from
from clearing.instructed import ask_behind, known_instruction, known_run
from clearing.model import (
    INSTRUCTION_MOVES,
    INSTRUCTIONS,
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
from clearing.outcomes import InstructionAdded, RunGoesOn
from clearing.rerouting import (
    MoneyRerouted,
    Payment,
    ask_for_freezes,
    find_rerouting,
    instead_of,
    is_frozen,
    is_turned,
)
from registry.burdens import FREEZES, court_accounts, require_move
from registry.effects import Effect
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.fields import LENIENT, FileRef
from registry.ids import Sid
from registry.model import ACCOUNTS, LOTS, VOUCHERS, Lot, Role
from registry.policy import ask_rules, rules_in_force
from registry.rights import known_voucher
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Asked, Get, ReadPlan, Rows, get, get_many, replace, where_each


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


# --- Another way --------------------------------------------------------------------


def reads_reroute(statement: Statement[ClearingReroute], now: Now) -> ReadPlan:
    """Asks for the policy, the instruction, those before and behind it, and what they pay."""
    yield from ask_day((yield from ask_rules(now)))
    run = yield from get(RUNS, statement.re or "")
    record = yield from get(INSTRUCTIONS, statement.re or "", statement.body.instruction)
    if run is None or record is None:
        return
    way = [record, *(yield from _ask_before(record))]
    suffix = [record, *(yield from ask_behind(record, run))]
    names = [lot for each in suffix for lot in each.lots]
    lots = yield from get_many(LOTS, names)
    freezes = yield from where_each(FREEZES, "lot", ask_for_freezes(lots))
    voucher = yield from get(VOUCHERS, record.voucher)
    named = {lot.account for lot in lots if lot is not None}
    named.update(court_accounts(freezes).values())
    named |= {each.payer_account for each in way}
    named |= {voucher.account} if voucher else set()
    yield from get_many(ACCOUNTS, sorted(named))
    yield from get_many(ORDERS, names)
    if voucher is not None and is_carried(voucher):
        yield from ask_carried(suffix, voucher)


def _ask_before(record: InstructionRecord) -> Generator[Asked, Any, list[InstructionRecord]]:
    """Asks for the instructions along which an instruction's money comes, back to the debtor's."""
    before: list[InstructionRecord] = []
    waiting = record.after
    while waiting:
        rows = yield Get(INSTRUCTIONS, tuple((record.plan, int(n)) for n in waiting))
        before += (row for row in rows if row is not None)
        waiting = rows[0].after if rows[0] is not None else ()
    return before


def decide_reroute(
    state: Rows, statement: Statement[ClearingReroute], now: Now
) -> tuple[Effect, ...]:
    """Sends the money of a broken hop direct to the holders behind it.

    Raises:
        InstructionNotFoundError: The plan has no such instruction.
        MoveNotAllowedError: It is posted; or its money was sent another way already.
        OutOfOrderError: Its money is not there: one before it is not posted, or it is the
            payer's own payment: the debtor's, which a further plan makes, or of what is owed again.
    """
    plan = statement.re or Sid("")
    record = known_turn(state, plan, statement.body.instruction)

    # Past this line the change of route must succeed.
    found = find_rerouting(state, record)
    passed = freed(state, record, found.replaced, kept=found.added)
    return (*passed, MoneyRerouted.of(record, found), *_goes_on(state, plan, now))


def known_turn(state: Rows, plan: Sid, n: int) -> InstructionRecord:
    """Returns an instruction whose money can be sent another way.

    Raises:
        InstructionNotFoundError: The plan has no such instruction.
        MoveNotAllowedError: It is posted; or its money was sent another way already.
        OutOfOrderError: Its money is not there, or is its payer's own.
    """
    record = state.get(INSTRUCTIONS, plan, n)
    if record is None:
        raise InstructionNotFoundError(plan=plan, instruction=n)
    was_there = record.status in (InstructionStatus.RETURNED, InstructionStatus.REPLACED)
    name, to = f"{plan}/{record.n}", InstructionStatus.REPLACED
    if was_there:
        to = InstructionStatus.REDIRECTED
    require_move(INSTRUCTION_MOVES, name, status=record.status, to=to)
    if record.status == InstructionStatus.REPLACED and is_turned(state, record):
        raise MoveNotAllowedError(of=name, status=record.status, to=to)
    _require_money(state, record)
    return record


def ground_of(state: Rows, record: InstructionRecord) -> Ground:
    """Returns the ground that the state shows; of an insolvency it knows nothing."""
    if record.status in (InstructionStatus.REJECTED, InstructionStatus.RETURNED):
        return Ground.REJECTED
    into = state.get(ACCOUNTS, record.payee_account)
    return Ground.FROZEN if into is not None and into.frozen else Ground.SILENT


def _goes_on(state: Rows, plan: Sid, now: Now) -> tuple[RunGoesOn, ...]:
    """Returns that a run's day ends later for what is added to it now, if it does."""
    closes_at = closing_instant(state, rules_in_force(state, now.facts), now)
    before = known_run(state, plan).closes_at
    if closes_at is None or (before is not None and before >= closes_at):
        return ()
    return (RunGoesOn(plan=plan, closes_at=closes_at),)


def _require_money(state: Rows, record: InstructionRecord) -> None:
    """Checks that the money of an instruction lies with its payer, and is not the debtor's.

    Raises:
        OutOfOrderError: It does not.
    """
    if not record.after or record.pays is not None:
        own = "the payer's own payment, and made again by a further plan or top-up"
        raise OutOfOrderError(instruction=record.n, earlier="no other", status=own)
    for n in record.after:
        before = known_instruction(state, record.plan, int(n))
        if before.status != InstructionStatus.POSTED:
            raise OutOfOrderError(instruction=record.n, earlier=n, status=before.status)


# --- The debtor's own payment ---------------------------------------------------------


def reads_top_up(statement: Statement[ClearingTopUp], now: Now) -> ReadPlan:
    """Asks for the policy, what is owed, the instruction, its voucher, the accounts' rows."""
    plan, body = statement.re or "", statement.body
    yield from ask_day((yield from ask_rules(now)))
    yield from get(RUNS, plan)
    record = yield from get(INSTRUCTIONS, plan, body.instruction)
    owed = yield from get(OBLIGATIONS, body.sort.value, plan, body.instruction)
    if record is None or owed is None:
        return
    voucher = yield from get(VOUCHERS, record.voucher)
    if voucher is not None:
        yield from get(DEBIT_LISTS, plan, voucher.account)
    if voucher is not None and owed.owed_by != voucher.debtor:
        yield from _ask_before(record)
    yield from get(ACCOUNTS, owed.account)
    lots = yield from get_many(LOTS, owed.lots)
    yield from where_each(FREEZES, "lot", ask_for_freezes(lots))
    orders = yield from get_many(ORDERS, owed.lots)
    ordered = sorted({(order.plan, order.n) for order in orders if order is not None})
    yield Get(INSTRUCTIONS, tuple(ordered))


def decide_top_up(state: Rows, statement: Statement[ClearingTopUp], now: Now) -> tuple[Effect, ...]:
    """Has who owes something because of an instruction, mostly the debtor, pay it directly.

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
        payment = missing_of(state, record, owed)
    if not payment.amount_minor:
        raise NothingOwedError(plan=plan, instruction=record.n, sort=body.sort)

    # Past this line the payment must be ordered.
    n = known_run(state, plan).instructions
    if owed.owed_by == voucher.debtor:
        added = instead_of(state, record, payment, n=n, own=voucher, pays=body.sort)
    else:
        money = paying_from(state, record)
        added = instead_of(state, money, payment, n=n, pays=body.sort)
        added = replace(added, instead=record.n)
    ordered = ObligationMoved(
        sort=body.sort, plan=plan, n=record.n, status=ObligationStatus.ORDERED
    )
    return (InstructionAdded.of(added), ordered, *_goes_on(state, plan, now))


def missing_of(state: Rows, record: InstructionRecord, owed: Obligation) -> Payment:
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
    if lot is None or is_frozen(state, lot):
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
