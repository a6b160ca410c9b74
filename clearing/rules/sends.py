"""What is handed to banks: which instructions a file orders, and what it pays at once.

Every file that goes out stands in the log by its digest, so that a bank's answer is traced to
what it was told. Nothing moves by it: until a bank says something, an instruction may be sent
again, by choice and with a reason.

One payment may pay several instructions where the payee agreed: of one payer's account into
one account of the payee, on one way. There is no netting. It keeps its number and its
instructions however often it is sent, so no two files pay the same in two ways.

Source: docs/clearing.md, What goes to banks; SD-28; reference notes 5 and 20.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

from pydantic import Field

from clearing.day import is_held
from clearing.errors import (
    InstructionNotFoundError,
    ListNotApprovedError,
    NotAgreedError,
    NotTogetherError,
    OutOfOrderError,
    PlanDiffersError,
    SentBeforeError,
)
from clearing.fields import Number, Sum
from clearing.handed import AGGREGATIONS, DEBIT_LISTS, JOINT_PAYMENTS, JointPayment
from clearing.instructed import known_instruction, known_run
from clearing.model import (
    INSTRUCTION_MOVES,
    INSTRUCTIONS,
    RUNS,
    InstructionRecord,
    InstructionStatus,
)
from registry.burdens import require_move
from registry.effects import Effect, Seal
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, Amount, BodyAmount, Digest, MachineText, PartyField
from registry.ids import PartyId, Sid
from registry.model import ACCOUNTS, POLICIES, Role
from registry.policy import Rules, rules_of
from registry.refusals import NotBankError
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Get, Minor, MutableRows, ReadPlan, Rows, get, get_many, replace

FILE_MAX: Final = 500
"""Instructions of one file, so that the statement of it fits."""

JOINT_PAYMENTS_MAX: Final = 100
"""Payments of several instructions in one file."""

JOINT_MAX: Final = 16
"""Instructions of one payment: what follows from its being posted fits one report."""

JOINT_LOTS_MAX: Final = 128
"""Lots that one payment discharges at the most."""


class SentJointly(Body):
    """One payment of several instructions: its number in the plan, theirs, and its amount."""

    payment: Number
    instructions: Annotated[tuple[Number, ...], LENIENT, Field(min_length=2, max_length=JOINT_MAX)]
    amount: Amount


class ClearingSend(Body):
    """A file for a bank of payers: which instructions it orders, and what they come to.

    `instructions` are paid one by one, `joint` payments pay several; `again` says why something
    is sent that was sent before.
    """

    bank: PartyField
    format: MachineText
    digest: Digest
    message_id: MachineText
    instructions: Annotated[tuple[Number, ...], LENIENT, Field(max_length=FILE_MAX)]
    joint: Annotated[tuple[SentJointly, ...], LENIENT, Field(max_length=JOINT_PAYMENTS_MAX)]
    total: Sum
    again: MachineText | None = None

    def numbers(self) -> tuple[int, ...]:
        """Returns the numbers of all instructions that it orders, in order."""
        jointly = (n for payment in self.joint for n in payment.instructions)
        return tuple(sorted((*self.instructions, *jointly)))


class InstructionsSent(Effect, frozen=True, kw_only=True):
    """Instructions were handed to their payer's bank; `instructions` holds numbers as text."""

    plan: Sid
    sent: Sid
    bank: PartyId
    format: str
    digest: str
    instructions: tuple[str, ...]

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the instructions."""
        for n in self.instructions:
            record = known_instruction(state, self.plan, int(n))
            sent = replace(record, status=InstructionStatus.SENT, sent=self.sent)
            state.put(INSTRUCTIONS, sent)


class PaymentJoined(Effect, frozen=True, kw_only=True):
    """One payment pays several instructions from now on; `instructions` holds numbers as text."""

    plan: Sid
    payment: int
    instructions: tuple[str, ...]
    amount: Minor

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the payment, and marks its instructions."""
        run = known_run(state, self.plan)
        if run.joint != self.payment:
            raise InvariantBrokenError(f"entry {seal.index} joins {self.payment} out of turn")
        state.put(RUNS, replace(run, joint=run.joint + 1))
        row = JointPayment(
            plan=self.plan,
            payment=self.payment,
            instructions=self.instructions,
            amount=self.amount,
        )
        state.add(JOINT_PAYMENTS, row)
        for n in self.instructions:
            record = known_instruction(state, self.plan, int(n))
            state.put(INSTRUCTIONS, replace(record, joint=self.payment))


def reads_send(statement: Statement[ClearingSend], _now: Now) -> ReadPlan:
    """Asks for the run, its policy, the instructions and what their debtors have approved of them.

    And for those before them, accounts, consents and payments.
    """
    plan, body = statement.re or "", statement.body
    run = yield from get(RUNS, plan)
    if run is not None:
        yield from get(POLICIES, run.policy)
    rows = yield Get(INSTRUCTIONS, tuple((plan, n) for n in dict.fromkeys(body.numbers())))
    records = [row for row in rows if row is not None]
    before = sorted({int(n) for record in records for n in record.after})
    if before:
        yield Get(INSTRUCTIONS, tuple((plan, n) for n in before))
    payers = sorted({record.payer_account for record in records})
    yield from get_many(ACCOUNTS, payers)
    yield Get(DEBIT_LISTS, tuple((plan, account) for account in payers))
    yield from get_many(AGGREGATIONS, sorted({record.payee_account for record in records}))
    if body.joint:
        yield Get(JOINT_PAYMENTS, tuple((plan, payment.payment) for payment in body.joint))


def decide_send(state: Rows, statement: Statement[ClearingSend], _now: Now) -> tuple[Effect, ...]:
    """Records that instructions go to the bank of their payers, in a file of this digest.

    Raises:
        MalformedError: The numbers, or those of the payments of several, are not in order or
            come twice, or there is none; a reason is given for what was never sent.
        InstructionNotFoundError: The plan has no such instruction.
        MoveNotAllowedError: A bank has answered it, or it has expired or was replaced.
        NotBankError: The bank does not keep the account that pays it.
        SentBeforeError: It was sent before, and no reason is given.
        ListNotApprovedError: By the plan's policy its debtor has still to approve it.
        OutOfOrderError: What brings its money is neither posted nor in the file.
        NotTogetherError: One payment is of instructions of another account, way or authority, or
            was sent in another way before; or it pays too many lots.
        NotAgreedError: The payee has not agreed to one payment of several.
        PlanDiffersError: Payment, amount or total, in this order, is not what follows.
    """
    plan, body = statement.re or Sid(""), statement.body
    numbers = _numbers(body)
    rules = rules_of(state, known_run(state, plan).policy)
    records = {n: _sendable(state, statement, n, rules) for n in numbers}
    if body.again is not None and not any(record.sent for record in records.values()):
        raise MalformedError(what="again", reason="nothing of it was sent before")
    for record in records.values():
        _require_money(state, record, numbers)
    joined = tuple(_joined(state, plan, body, records))
    total = sum(record.amount for record in records.values())
    if body.total != total:
        raise PlanDiffersError(what="total", stated=str(body.total), computed=str(total))

    # Past this line the file is recorded.
    sent = InstructionsSent(
        plan=plan,
        sent=statement.sid,
        bank=body.bank,
        format=body.format,
        digest=body.digest,
        instructions=_texts(numbers),
    )
    return (*joined, sent)


def _texts(numbers: Iterable[int]) -> tuple[str, ...]:
    """Returns numbers as text."""
    return tuple(map(str, numbers))


def _numbers(body: ClearingSend) -> tuple[int, ...]:
    """Returns the numbers of all that is sent, in order.

    Raises:
        MalformedError: As `decide_send`.
    """
    numbers = body.numbers()
    lists = [body.instructions, *(payment.instructions for payment in body.joint)]
    lists.append(tuple(payment.payment for payment in body.joint))
    is_sorted = all([*each] == sorted({*each}) for each in (*lists, numbers))
    if not numbers or len(numbers) > FILE_MAX or not is_sorted:
        raise MalformedError(what="instructions", reason="not in order, each once, up to 500")
    return numbers


def _sendable(
    state: Rows, statement: Statement[ClearingSend], n: int, rules: Rules
) -> InstructionRecord:
    """Returns an instruction, if it may go to the bank by the rules of its plan's policy.

    Raises:
        InstructionNotFoundError, MoveNotAllowedError, NotBankError, SentBeforeError,
            ListNotApprovedError: As `decide_send`.
    """
    plan, body = statement.re or Sid(""), statement.body
    record = state.get(INSTRUCTIONS, plan, n)
    if record is None:
        raise InstructionNotFoundError(plan=plan, instruction=n)
    sent = InstructionStatus.SENT
    require_move(INSTRUCTION_MOVES, f"{plan}/{n}", status=record.status, to=sent)
    account = state.get(ACCOUNTS, record.payer_account)
    if account is None or account.bank != body.bank:
        raise NotBankError(party=body.bank)
    if record.sent is not None and body.again is None:
        raise SentBeforeError(instruction=n, sent=record.sent)
    drawn = state.get(DEBIT_LISTS, plan, record.payer_account)
    if is_held(record, drawn, rules):
        raise ListNotApprovedError(
            instruction=n,
            debtor=record.payer,
            plan=plan,
            account=record.payer_account,
            waiting=0 if drawn is None else drawn.waiting,
            amount=0 if drawn is None else drawn.waiting_amount,
        )
    return record


def _require_money(state: Rows, record: InstructionRecord, numbers: tuple[int, ...]) -> None:
    """Checks that the money of an instruction is there, or comes by the same file.

    Raises:
        OutOfOrderError: It is not.
    """
    for n in map(int, record.after):
        before = known_instruction(state, record.plan, n)
        if before.status != InstructionStatus.POSTED and n not in numbers:
            raise OutOfOrderError(instruction=record.n, earlier=str(n), status=before.status)


def _joined(
    state: Rows, plan: Sid, body: ClearingSend, records: dict[int, InstructionRecord]
) -> Iterator[PaymentJoined]:
    """Yields the payments of several instructions that were never sent before.

    Raises:
        NotTogetherError, NotAgreedError, PlanDiffersError: As `decide_send`.
    """
    for n in body.instructions:
        if (joint := records[n].joint) is not None:
            raise NotTogetherError(first=n, other=f"payment {joint}", what="how it was sent")
    following = known_run(state, plan).joint
    for payment in body.joint:
        members = [records[n] for n in payment.instructions]
        known = state.get(JOINT_PAYMENTS, plan, payment.payment)
        _require_together(members, payment, known)
        account = members[0].payee_account
        if known is None and state.get(AGGREGATIONS, account) is None:
            raise NotAgreedError(account=account)
        amount = sum(member.amount for member in members)
        number = payment.payment if known is not None else following
        for what, stated, computed in (
            ("payment", payment.payment, number),
            ("amount", payment.amount, amount),
        ):
            if stated != computed:
                raise PlanDiffersError(what=what, stated=str(stated), computed=str(computed))
        if known is None:
            following += 1
            yield PaymentJoined(
                plan=plan,
                payment=number,
                instructions=_texts(payment.instructions),
                amount=Minor(amount),
            )


def together(record: InstructionRecord) -> tuple[tuple[str, Any], ...]:
    """Returns what instructions that one payment pays have in common."""
    return (
        ("payer's account", record.payer_account),
        ("payee's account", record.payee_account),
        ("way", record.route),
        ("authority", record.authority),
    )


def _require_together(
    members: list[InstructionRecord], payment: SentJointly, known: JointPayment | None
) -> None:
    """Checks that one payment may pay some instructions, and pays the same as before.

    Raises:
        NotTogetherError: It may not.
    """
    first = members[0]
    number = None if known is None else payment.payment
    for other in members:
        for (what, one), (_, another) in zip(together(first), together(other), strict=True):
            if one != another:
                raise NotTogetherError(first=first.n, other=other.n, what=what)
        if other.joint != number:
            raise NotTogetherError(first=first.n, other=other.n, what="how it was sent")
    is_same = known is None or known.instructions == _texts(payment.instructions)
    if not is_same or sum(len(member.lots) for member in members) > JOINT_LOTS_MAX:
        what = "the number of lots" if is_same else "what was sent"
        raise NotTogetherError(first=first.n, other=members[-1].n, what=what)


KINDS = (
    Kind(
        name="clearing.send",
        body=ClearingSend,
        signers=frozenset({Role.OPERATOR}),
        relation="the operator",
        answers={"clearing.plan": RUNS, "clearing.apportion": RUNS},
        reads=reads_send,
        decide=decide_send,
        amount=BodyAmount("total"),
    ),
)
