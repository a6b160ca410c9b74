"""What banks say of instructions: accepted, posted, rejected, returned; and what follows.

The bank that keeps the payee's account says what came into it; that, or the payer's, says
what was not carried out. Where the policy allows it the operator relays what a bank's file
says, and the rows tell so. One report says it of many instructions, as one message of the
bank does, whose digest it may name. What a bank says has happened: that it comes late, or
against what was planned, is no reason to refuse it. Refused is what contradicts the plan or
an earlier word, and then the whole report.

Source: docs/clearing.md, Reports; SD-21, SD-23; reference note 20.
"""

from typing import Annotated

from pydantic import Field

from clearing.errors import OwnWordError, RelayNotAllowedError
from clearing.hops import is_carried, reads_behind
from clearing.instructed import ask_behind
from clearing.model import (
    BALANCES,
    INSTRUCTIONS,
    OBLIGATIONS,
    ORDERS,
    PASSINGS,
    RUNS,
    InstructionRecord,
    InstructionStatus,
    ObligationStatus,
    Run,
    Sort,
)
from clearing.outcomes import WordRelayed
from clearing.passing import limits_passed
from clearing.postings import bank_account, claims_account, debts_account
from clearing.reporting import Report, Reported, ReportItem
from registry.burdens import FREEZES, PLEDGES
from registry.debts import reads_debtor, reads_held
from registry.effects import Effect
from registry.errors import MalformedError
from registry.fields import LENIENT, BodyAmount, Digest, MachineText, PartyField
from registry.ids import PartyId, Sid
from registry.model import ACCOUNTS, LOTS, PARTIES, VOUCHERS, Role
from registry.policy import ask_rules, rules_in_force
from registry.refusals import NotBankError
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Get, ReadPlan, Rows, get, get_many, where

_MOVING = frozenset({Reported.POSTED, Reported.RETURNED})
"""Words of money that has moved."""

ITEMS_MAX = 48
"""Instructions of one report: with a lot each, what follows fits an entry."""


class BankMessage(Body):
    """The message that a report was read from, which the registry does not keep."""

    format: MachineText
    digest: Digest


class ClearingReport(Body):
    """What a bank says of instructions of one plan, by number.

    `bank` stands where the operator relays the bank's message, which is named then.
    """

    items: Annotated[tuple[ReportItem, ...], LENIENT, Field(min_length=1, max_length=ITEMS_MAX)]
    message: BankMessage | None = None
    bank: PartyField | None = None

    @property
    def total(self) -> int:
        """What it is about, in minor units: the key that signs it has a limit."""
        return sum(item.amount for item in self.items)


# --- Reads --------------------------------------------------------------------------


def reads_report(statement: Statement[ClearingReport], now: Now) -> ReadPlan:
    """Asks for the run, and for each instruction all that its part of the report changes."""
    yield from ask_rules(now)
    plan = statement.re or ""
    run = yield from get(RUNS, plan)
    for item in statement.body.items:
        record = yield from get(INSTRUCTIONS, plan, item.instruction)
        if run is not None and record is not None:
            yield from _reads_item(record, item.status, run)


def _reads_item(record: InstructionRecord, status: Reported, run: Run) -> ReadPlan:
    """Asks for all that one item of a report changes."""
    if record.after:
        yield Get(INSTRUCTIONS, tuple((record.plan, int(n)) for n in record.after))
    lots = list(record.lots)
    if status in (Reported.REJECTED, Reported.RETURNED):
        later = yield from ask_behind(record, run)
        lots += [lot for each in later for lot in each.lots]
    rows = yield from get_many(LOTS, record.lots)
    for lot in rows:
        if lot is not None and lot.burdens:
            yield from where(FREEZES, "lot", lot.lot)
            yield from get_many(PLEDGES, lot.burdens)
            yield from get_many(FREEZES, lot.burdens)
    yield from get(ACCOUNTS, record.payer_account)
    yield Get(PASSINGS, ((record.payer_account,), (record.payee_account,)))
    voucher = yield from get(VOUCHERS, record.voucher)
    creditor = yield from get(PARTIES, record.creditor)
    yield from get_many(ORDERS, lots)
    for sort in Sort:
        numbers = {record.n} if record.instead is None else {record.n, record.instead}
        yield Get(OBLIGATIONS, tuple((sort, record.plan, n) for n in sorted(numbers)))
    owed = yield from where(OBLIGATIONS, "voucher", record.voucher)
    unmet = (row for row in owed if row.sort == Sort.TOP_UP and row.status != ObligationStatus.MET)
    yield from get_many(LOTS, [lot for row in unmet for lot in row.lots])
    if voucher is not None and is_carried(voucher) and status in _MOVING:
        yield from reads_behind(record, run, voucher)
    if voucher is not None:
        yield from reads_debtor(voucher.debtor)
        yield from reads_held((creditor,), voucher.debtor)
        names = (
            bank_account(record.payer_account),
            bank_account(record.payee_account),
            claims_account(record.creditor),
            debts_account(voucher.debtor),
        )
        yield from get_many(BALANCES, names)


# --- Decision -----------------------------------------------------------------------


def decide_report(
    state: Rows, statement: Statement[ClearingReport], now: Now
) -> tuple[Effect, ...]:
    """Takes a bank's word of instructions, in the order of their numbers.

    What is posted discharges the payee's lots that it pays. Lots that are paid already or
    frozen it does not discharge: so much is owed back. What the debtor's bank does not carry
    out frees its lots, and all that were to be paid from it, for a later plan.

    Raises:
        MalformedError: The numbers are not in order; what is relayed names no message; a
            reason is missing, or given of what was carried out.
        NotBankError: Who relays is not the operator.
        RelayNotAllowedError: The policy in force lets nobody relay.
        OwnWordError: What is relayed of an instruction comes after the bank's own word.
        InstructionNotFoundError: The plan has no such instruction.
        NotBankError: The bank does not keep the payee's account, nor, of what is accepted
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
    plan, bank = statement.re or Sid(""), statement.body.bank
    if bank is not None:
        _require_relay(state, statement, now, bank)
    report = Report(state, plan, sid=statement.sid, by=bank or statement.by)
    for item in items:
        if bank is not None:
            _require_no_own_word(state.get(INSTRUCTIONS, plan, item.instruction), bank)
        report.take(item)

    rules = rules_in_force(state, now.facts)
    over: tuple[Effect, ...] = ()
    if rules.hop_limit is not None:
        limit, policy = rules.hop_limit, now.facts.policy
        over = tuple(limits_passed(state, report.flows(), limit=limit, policy=policy))

    # Past this line the report must succeed.
    if bank is None:
        return (*report.effects(), *over)
    relayed = WordRelayed(
        plan=plan, bank=bank, policy=now.facts.policy, instructions=tuple(map(str, numbers))
    )
    return (*report.effects(), *over, relayed)


def _require_relay(
    state: Rows, statement: Statement[ClearingReport], now: Now, bank: PartyId
) -> None:
    """Checks that a bank's word may be relayed, and that the message can be asked for.

    Raises:
        MalformedError, NotBankError, RelayNotAllowedError: As `decide_report`.
    """
    if statement.body.message is None:
        raise MalformedError(what="message", reason="is missing of what is relayed")
    if statement.by != now.facts.operator:
        raise NotBankError(party=statement.by)
    if rules_in_force(state, now.facts).relayed_evidence is None:
        raise RelayNotAllowedError(bank=bank)


def _require_no_own_word(record: InstructionRecord | None, bank: PartyId) -> None:
    """Checks that a bank has not itself signed how an instruction ended.

    That it was accepted has moved nothing, and either bank may have said so.

    Raises:
        OwnWordError: It has.
    """
    if record is None or record.relayed is not None:
        return
    match record.status:
        case InstructionStatus.REJECTED:
            said_by = record.refused_by
        case InstructionStatus.POSTED | InstructionStatus.RETURNED:
            said_by = record.bank
        case _:
            return
    if said_by == bank:
        raise OwnWordError(bank=bank, instruction=record.n)


KINDS = (
    Kind(
        name="clearing.report",
        body=ClearingReport,
        signers=frozenset({Role.BANK, Role.OPERATOR}),
        relation="the payee's bank, or of what is not carried out the payer's; or the operator, "
        "who relays what one of them says, where the policy allows it",
        answers={"clearing.plan": RUNS, "clearing.apportion": RUNS},
        reads=reads_report,
        decide=decide_report,
        amount=BodyAmount("total"),
        while_suspended=True,
    ),
)
