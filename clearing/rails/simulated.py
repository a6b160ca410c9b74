"""A simulated bank: it posts what it can, and says so.

It keeps a mirror of the accounts that its instructions move, and decides which of
them to confirm; who carries its words to the ledger, and with which key, is decided
elsewhere. It may be asked again at any time: what it has booked it confirms again,
until the ledger shows it as posted, and never books twice.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from clearing.model import InstructionRecord, InstructionStatus
from clearing.postings import payment
from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What the bank is to say of one instruction of a plan."""

    plan: Sid
    instruction: int
    amount_minor: int


@dataclass(slots=True, kw_only=True)
class SimulatedBank:
    """One bank.

    Attributes:
        bank: The party that confirms.
        balances: Minor units by account name, as its instructions have moved them.
        booked: Instructions that it has posted, by plan and number.
    """

    bank: PartyId
    balances: dict[str, int] = field(default_factory=dict)
    booked: set[tuple[Sid, int]] = field(default_factory=set)

    def confirmations(
        self, pending: Iterable[InstructionRecord], *, posted: Collection[int]
    ) -> tuple[Confirmation, ...]:
        """Posts what is funded, and returns what to confirm now, in this order.

        An instruction is funded once those before it are posted, or stand earlier in the
        same answer. One that is paid from another bank's instruction waits for the next call.

        Args:
            pending: Instructions of one plan for this bank; posted ones are passed over.
            posted: Numbers of the plan's instructions that the ledger shows as posted,
                whichever bank confirmed them.

        Raises:
            InvariantBrokenError: An instruction is another bank's (caller bug).
        """
        done = set(posted)
        answer: list[Confirmation] = []
        for record in sorted(pending, key=lambda record: (record.plan, record.n)):
            if record.bank != self.bank:
                raise InvariantBrokenError(f"{self.bank} does not keep {record.payee_account}")
            if record.status == InstructionStatus.POSTED or record.n in done:
                continue
            if not done.issuperset(map(int, record.after)):
                continue
            self._book(record)
            done.add(record.n)
            confirmation = Confirmation(
                plan=record.plan, instruction=record.n, amount_minor=record.amount
            )
            answer.append(confirmation)
        return tuple(answer)

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
