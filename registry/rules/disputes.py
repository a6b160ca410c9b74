"""Disputes between a debtor and the original creditor of its voucher.

A voucher's debtor has waived its defences, so a dispute about goods or services is a claim
of its own against the original creditor. It stops no transfer and reduces no payment to
an assignee; it is shown to whoever holds or is offered a lot. Each side can give way on
its own: the debtor withdraws, or the creditor resolves it by admitting what it owes.

Source: Civil Code, art. 548; SD-45, FR-21; docs/explanation/encumbrances.md.
"""

from typing import Any

from registry.burdens import (
    DISPUTE_MOVES,
    DISPUTES,
    Dispute,
    DisputeStatus,
    require_move,
)
from registry.effects import Effect, Seal, Touch
from registry.encumbrance_refusals import (
    AmountTooLargeError,
)
from registry.errors import InvariantBrokenError
from registry.fields import Amount, BodyAmount, Digest
from registry.ids import PartyId, Sid
from registry.model import HOLDER_ROLES, VOUCHERS, Role, VoucherStatus
from registry.refusals import (
    NotCreditorError,
    NotDebtorError,
    VoucherStatusError,
)
from registry.rights import known_voucher
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, Rows, replace


class DisputeRaise(Body):
    """A debtor's claim against the original creditor, about what the voucher paid for."""

    amount: Amount
    terms: Digest


class DisputeAnswer(Body):
    """The original creditor's answer; the terms hold what it says."""

    terms: Digest


class DisputeResolve(Body):
    """The original creditor's admission: it owes the debtor so much, apart from the voucher."""

    owed: Amount
    terms: Digest


class DisputeWithdraw(Body):
    """The debtor's withdrawal of its claim."""


class DisputeRaised(Effect, frozen=True, kw_only=True):
    """A debtor claims something of the original creditor; no lot changes."""

    dispute: Sid
    voucher: Sid
    debtor: PartyId
    creditor: PartyId
    amount: Minor
    reason: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the dispute."""
        row = Dispute(
            dispute=self.dispute,
            voucher=self.voucher,
            debtor=self.debtor,
            creditor=self.creditor,
            amount=self.amount,
            reason=self.reason,
            status=DisputeStatus.RAISED,
        )
        state.add(DISPUTES, row)


class DisputeMoved(Effect, frozen=True, kw_only=True):
    """A dispute was answered, resolved or withdrawn."""

    dispute: Sid
    voucher: Sid
    debtor: PartyId
    creditor: PartyId
    status: str
    owed: Minor | None = None

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Sets the status, and what was admitted."""
        row = _known(state, self.dispute)
        state.put(DISPUTES, replace(row, status=self.status, owed=self.owed))


def _known(state: Rows, dispute: str) -> Dispute:
    """Returns a dispute that an earlier entry has made."""
    row = state.get(DISPUTES, dispute)
    if row is None:
        raise InvariantBrokenError(f"no dispute {dispute}")
    return row


def decide_dispute_raise(
    state: Rows, statement: Statement[DisputeRaise], _now: Now
) -> tuple[Effect, ...]:
    """Raises a dispute about an active or settled voucher, against its original creditor.

    Raises:
        NotDebtorError: The signer is not its debtor.
        VoucherStatusError: The voucher never became effective.
        AmountTooLargeError: More is claimed than its face.
    """
    voucher = known_voucher(state, Sid(statement.re or ""))
    if statement.by != voucher.debtor:
        raise NotDebtorError(voucher=voucher.voucher, by=statement.by)
    if voucher.status not in (VoucherStatus.ACTIVE, VoucherStatus.SETTLED):
        raise VoucherStatusError(
            voucher=voucher.voucher, status=voucher.status, kind=statement.kind
        )
    if statement.body.amount > voucher.face:
        raise AmountTooLargeError(amount=statement.body.amount, limit=voucher.face)
    raised = DisputeRaised(
        dispute=statement.sid,
        voucher=voucher.voucher,
        debtor=voucher.debtor,
        creditor=voucher.creditor,
        amount=Minor(statement.body.amount),
        reason=statement.body.terms,
    )
    return (raised,)


def _moved(dispute: Dispute, to: DisputeStatus, *, owed: Minor | None = None) -> DisputeMoved:
    """Returns the effect of a dispute's next status.

    Raises:
        MoveNotAllowedError: The dispute is in another part of its life.
    """
    require_move(DISPUTE_MOVES, dispute.dispute, status=dispute.status, to=to)
    return DisputeMoved(
        dispute=dispute.dispute,
        voucher=dispute.voucher,
        debtor=dispute.debtor,
        creditor=dispute.creditor,
        status=to,
        owed=owed,
    )


def _of_creditor(state: Rows, statement: Statement[Any]) -> Dispute:
    """Returns the dispute that the original creditor answers.

    Raises:
        NotCreditorError: The signer is not the original creditor.
    """
    dispute = _known(state, statement.re or "")
    if statement.by != dispute.creditor:
        raise NotCreditorError(voucher=dispute.voucher, by=statement.by)
    return dispute


def decide_dispute_answer(
    state: Rows, statement: Statement[DisputeAnswer], _now: Now
) -> tuple[Effect, ...]:
    """Answers a dispute as the original creditor, without admitting anything.

    Raises:
        NotCreditorError: The signer is not the original creditor.
        MoveNotAllowedError: The dispute was answered or has ended.
    """
    return (_moved(_of_creditor(state, statement), DisputeStatus.ANSWERED),)


def decide_dispute_resolve(
    state: Rows, statement: Statement[DisputeResolve], _now: Now
) -> tuple[Effect, ...]:
    """Resolves a dispute: the original creditor admits a debt of its own.

    Raises:
        NotCreditorError: The signer is not the original creditor.
        MoveNotAllowedError: The dispute has ended.
        AmountTooLargeError: More is admitted than was claimed.
    """
    dispute = _of_creditor(state, statement)
    owed = Minor(statement.body.owed)
    moved = _moved(dispute, DisputeStatus.RESOLVED, owed=owed)
    if owed > dispute.amount:
        raise AmountTooLargeError(amount=owed, limit=dispute.amount)
    return (moved,)


def decide_dispute_withdraw(
    state: Rows, statement: Statement[DisputeWithdraw], _now: Now
) -> tuple[Effect, ...]:
    """Withdraws a dispute as the debtor that raised it.

    Raises:
        NotDebtorError: The signer did not raise it.
        MoveNotAllowedError: The dispute has ended.
    """
    dispute = _known(state, statement.re or "")
    if statement.by != dispute.debtor:
        raise NotDebtorError(voucher=dispute.voucher, by=statement.by)
    return (_moved(dispute, DisputeStatus.WITHDRAWN),)


_ANSWERS = {"dispute.raise": DISPUTES}

KINDS = (
    Kind(
        name="dispute.raise",
        body=DisputeRaise,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor",
        answers={"voucher.issue": VOUCHERS},
        decide=decide_dispute_raise,
        amount=BodyAmount("amount"),
    ),
    Kind(
        name="dispute.answer",
        body=DisputeAnswer,
        signers=HOLDER_ROLES,
        relation="the original creditor",
        answers=_ANSWERS,
        decide=decide_dispute_answer,
    ),
    Kind(
        name="dispute.resolve",
        body=DisputeResolve,
        signers=HOLDER_ROLES,
        relation="the original creditor",
        answers=_ANSWERS,
        decide=decide_dispute_resolve,
        amount=BodyAmount("owed"),
    ),
    Kind(
        name="dispute.withdraw",
        body=DisputeWithdraw,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor that raised it",
        answers=_ANSWERS,
        decide=decide_dispute_withdraw,
        while_suspended=True,
    ),
)
