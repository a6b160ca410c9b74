"""A simulated bank: it posts what it can, and says so; it fails where it is told to.

Four faults can be ordered, each by account: blocked, silent, returned, repeated.

It keeps a mirror of the accounts that its instructions move, and decides what to say of
each; who carries its words to the ledger, and with which key, is decided elsewhere. It may
be asked again at any time: what it has booked it says again, until the ledger shows it as
posted, and never books twice.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from clearing.model import OPEN, InstructionRecord, InstructionStatus
from clearing.postings import payment
from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid

BLOCKED = "AC06"
"""Why a blocked account moves nothing (ISO 20022, ExternalStatusReason1Code)."""
CLOSED = "AC04"
"""Why money comes back (ISO 20022, ExternalReturnReason1Code)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the bank is to say of one instruction of a plan; `is_again`: what it has just said."""

    plan: Sid
    instruction: int
    amount_minor: int
    status: InstructionStatus = InstructionStatus.POSTED
    reason: str | None = None
    is_again: bool = False


@dataclass(slots=True, kw_only=True)
class SimulatedBank:
    """One bank.

    Attributes:
        bank: The party that reports.
        blocked: Accounts out of and into which it moves nothing, as a court has ordered.
        silent: Accounts about which it says nothing, and does nothing.
        returned: Accounts from which it sends back what is booked there and not passed on, later:
            once the ledger shows it as posted.
        repeated: Accounts of whose payments it says everything twice.
        balances: Minor units by account name, as its instructions have moved them.
        booked: Instructions that it has posted, by plan and number.
        back: Those of them that it has sent back.
    """

    bank: PartyId
    blocked: set[Sid] = field(default_factory=set)
    silent: set[Sid] = field(default_factory=set)
    returned: set[Sid] = field(default_factory=set)
    repeated: set[Sid] = field(default_factory=set)
    balances: dict[str, int] = field(default_factory=dict)
    booked: set[tuple[Sid, int]] = field(default_factory=set)
    back: set[tuple[Sid, int]] = field(default_factory=set)

    def answers(
        self,
        records: Iterable[InstructionRecord],
        *,
        posted: Collection[int],
        most: int | None = None,
    ) -> tuple[Answer, ...]:
        """Posts what is funded, and returns what to report now, in this order, then repetitions.

        An instruction is funded once those before it are posted, or stand earlier in the
        same answer. One that is paid from another bank's instruction waits for the next call.

        Args:
            records: Instructions of one plan for this bank; what it has answered is passed
                over, but for what it refused while an account was blocked that is free now.
            posted: Numbers of the plan's instructions that the ledger shows as posted,
                whichever bank reported them.
            most: As many it answers now; all if not given.

        Raises:
            InvariantBrokenError: An instruction is another bank's (caller bug).
        """
        done = set(posted)
        answers: list[Answer] = []
        again: list[Answer] = []
        for record in sorted(records, key=lambda record: (record.plan, record.n)):
            if len(answers) == most:
                break
            if record.bank != self.bank:
                raise InvariantBrokenError(f"{self.bank} does not keep {record.payee_account}")
            accounts = {record.payer_account, record.payee_account}
            is_blocked = not self.blocked.isdisjoint(accounts)
            comes_back = self._comes_back(record) and not is_blocked
            is_new = record.n not in done and self._is_expected(record, is_blocked=is_blocked)
            if not (comes_back or is_new) or accounts & self.silent:
                continue
            if not done.issuperset(map(int, record.after)):
                continue
            answer = Answer(plan=record.plan, instruction=record.n, amount_minor=record.amount)
            if is_blocked:
                rejected = InstructionStatus.REJECTED
                answer = replace(answer, status=rejected, reason=BLOCKED)
            elif comes_back:
                self._send_back(record)
                answer = replace(answer, status=InstructionStatus.RETURNED, reason=CLOSED)
            else:
                self._book(record)
                done.add(record.n)
            answers.append(answer)
            if accounts & self.repeated:
                again.append(replace(answer, is_again=True))
        return (*answers, *again)

    def _comes_back(self, record: InstructionRecord) -> bool:
        """Tells whether money that has come, and is not passed on, is to be sent back."""
        is_there = record.status == InstructionStatus.POSTED and record.kept == record.amount
        return is_there and record.payee_account in self.returned

    def _is_expected(self, record: InstructionRecord, *, is_blocked: bool) -> bool:
        """Tells whether anything is to be said of an instruction."""
        was_refused = record.status == InstructionStatus.REJECTED and record.reason == BLOCKED
        return record.status in OPEN or (was_refused and not is_blocked)

    def _book(self, record: InstructionRecord) -> None:
        """Books an instruction once."""
        if (record.plan, record.n) in self.booked:
            return
        self.booked.add((record.plan, record.n))
        self._move(record, out_of=record.payer_account, into=record.payee_account)

    def _send_back(self, record: InstructionRecord) -> None:
        """Books an instruction's money back once."""
        if (record.plan, record.n) in self.back:
            return
        self.back.add((record.plan, record.n))
        self._move(record, out_of=record.payee_account, into=record.payer_account)

    def _move(self, record: InstructionRecord, *, out_of: Sid, into: Sid) -> None:
        """Moves an instruction's amount from one account to another."""
        entry = payment(record.amount, payer_account=out_of, payee_account=into)
        for posting in entry.postings:
            balance = self.balances.get(posting.account, 0)
            self.balances[posting.account] = balance + posting.amount_minor
