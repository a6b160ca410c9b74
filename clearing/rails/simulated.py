"""A simulated bank: it posts what it can, and says so; it fails where it is told to.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the bank is to say of one instruction of a plan."""

    plan: Sid
    instruction: int
    amount_minor: int
    status: InstructionStatus = InstructionStatus.POSTED
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class SimulatedBank:
    """One bank.

    Attributes:
        bank: The party that reports.
        blocked: Accounts out of and into which it moves nothing, as a court has ordered.
        silent: Accounts about which it says nothing, and does nothing.
        balances: Minor units by account name, as its instructions have moved them.
        booked: Instructions that it has posted, by plan and number.
    """

    bank: PartyId
    blocked: set[Sid] = field(default_factory=set)
    silent: set[Sid] = field(default_factory=set)
    balances: dict[str, int] = field(default_factory=dict)
    booked: set[tuple[Sid, int]] = field(default_factory=set)

    def answers(
        self,
        records: Iterable[InstructionRecord],
        *,
        posted: Collection[int],
        most: int | None = None,
    ) -> tuple[Answer, ...]:
        """Posts what is funded, and returns what to report now, in this order.

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
        for record in sorted(records, key=lambda record: (record.plan, record.n)):
            if len(answers) == most:
                break
            if record.bank != self.bank:
                raise InvariantBrokenError(f"{self.bank} does not keep {record.payee_account}")
            accounts = {record.payer_account, record.payee_account}
            is_blocked = not self.blocked.isdisjoint(accounts)
            if record.n in done or not self._is_expected(record, is_blocked=is_blocked):
                continue
            if not done.issuperset(map(int, record.after)) or accounts & self.silent:
                continue
            answer = Answer(plan=record.plan, instruction=record.n, amount_minor=record.amount)
            if is_blocked:
                rejected = InstructionStatus.REJECTED
                answer = replace(answer, status=rejected, reason=BLOCKED)
            else:
                self._book(record)
                done.add(record.n)
            answers.append(answer)
        return tuple(answers)

    def _is_expected(self, record: InstructionRecord, *, is_blocked: bool) -> bool:
        """Tells whether anything is to be said of an instruction."""
        was_refused = record.status == InstructionStatus.REJECTED and record.reason == BLOCKED
        return record.status in OPEN or (was_refused and not is_blocked)

    def _book(self, record: InstructionRecord) -> None:
        """Books an instruction once."""
        if (record.plan, record.n) in self.booked:
            return
        self.booked.add((record.plan, record.n))
        entry = payment(
            record.amount,
            payer_account=record.payer_account,
            payee_account=record.payee_account,
        )
        for posting in entry.postings:
            balance = self.balances.get(posting.account, 0)
            self.balances[posting.account] = balance + posting.amount_minor
