"""Early payment (提前兑付): the debtor offers, the holder consents, and its receipt discharges.

The debtor names a lot, how much of it, and by its digest a price: the face less what is
given back for the days until the due date. The holder's consent reserves the lot. Money
moves outside; only the holder's own receipt discharges, so that nobody who paid somebody
else, or says that it paid, owes less (FR-17). The due date stays as it was for the rest.

Source: reference note 15; FR-17; SD-44, for which every early payment stays on record.
"""

from typing import Any

from registry.burdens import require_move
from registry.dealings import EARLY_MOVES, EARLY_PAYMENTS, Early, EarlyStatus
from registry.debts import moved, reads_debtor, reads_held
from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect, Seal, Touch
from registry.encumbrance_refusals import LotBurdenedError
from registry.errors import InvariantBrokenError
from registry.extinction import Ground, LotExtinguished
from registry.fields import Amount, BodyAmount, BusinessDate, Digest, FileRef, LotField
from registry.ids import Kid, LotId, PartyId, Sid
from registry.model import HOLDER_ROLES, LOTS, PARTIES, VOUCHERS, Lot, LotStatus, Role
from registry.refusals import (
    DeadlinePassedError,
    InsufficientHoldingError,
    LotLockedError,
    LotNotFoundError,
    NotDebtorError,
    NotHolderError,
    VoucherDueError,
)
from registry.rights import CANCEL_EARLY, end_instant, known_voucher, today_at
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, replace

EXPIRE = "early.expire"


class EarlyOffer(Body):
    """The debtor's offer to pay so much of a lot by the end of a day, at a confidential price."""

    lot: LotField
    amount: Amount
    terms: Digest
    pay_by: BusinessDate


class EarlyConsent(Body):
    """The holder's consent to be paid early."""


class EarlyReceive(Body):
    """The holder's receipt: the price has come."""

    receipt: FileRef


class EarlyOffered(Effect, frozen=True, kw_only=True):
    """A debtor would pay a lot before it is due."""

    early: Sid
    lot: LotId
    voucher: Sid
    debtor: PartyId
    holder: PartyId
    amount: Minor
    terms: str
    pay_by: int
    kid: Kid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the holder."""
        return (("voucher", self.voucher), ("holder", self.holder))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the offer."""
        row = Early(
            early=self.early,
            lot=self.lot,
            voucher=self.voucher,
            debtor=self.debtor,
            holder=self.holder,
            amount=self.amount,
            terms=self.terms,
            pay_by=self.pay_by,
            status=EarlyStatus.OFFERED,
            kid=self.kid,
        )
        state.add(EARLY_PAYMENTS, row)


class EarlyMoved(Effect, frozen=True, kw_only=True):
    """An early payment is agreed, paid or lapsed; the lot is reserved while it is agreed."""

    early: Sid
    lot: LotId
    voucher: Sid
    debtor: PartyId
    holder: PartyId
    status: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the holder."""
        return (("voucher", self.voucher), ("holder", self.holder))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Sets the status, and reserves the lot or frees it."""
        row = _known(state, self.early)
        # Answered or over: it ends with no key any more.
        state.put(EARLY_PAYMENTS, replace(row, status=self.status, kid=None))
        lot = state.get(LOTS, self.lot)
        if self.status == EarlyStatus.AGREED and lot is not None:
            state.put(LOTS, replace(lot, status=LotStatus.RESERVED))
        elif row.status == EarlyStatus.AGREED and lot is not None:
            state.put(LOTS, replace(lot, status=LotStatus.FREE))


def _known(state: Rows, early: str) -> Early:
    """Returns an early payment that an earlier entry has begun."""
    row = state.get(EARLY_PAYMENTS, early)
    if row is None:
        raise InvariantBrokenError(f"no early payment {early}")
    return row


def _moved(row: Early, to: EarlyStatus) -> EarlyMoved:
    """Returns the effect that an early payment has another status."""
    names = ("early", "lot", "voucher", "debtor", "holder")
    return EarlyMoved(**{name: getattr(row, name) for name in names}, status=to)


def _require_free(lot: Lot) -> None:
    """Checks that nothing else is agreed or ordered about a lot.

    Raises:
        LotLockedError: It is not free.
        LotBurdenedError: It is pledged or frozen.
    """
    if lot.status != LotStatus.FREE:
        raise LotLockedError(lot=lot.lot, status=lot.status)
    if lot.burdens:
        raise LotBurdenedError(lot=lot.lot, burden=lot.burdens[0])


def reads_early_offer(statement: Statement[EarlyOffer], _now: Now) -> ReadPlan:
    """Asks for the lot and its voucher."""
    lot = yield from get(LOTS, statement.body.lot)
    if lot is not None:
        yield from get(VOUCHERS, lot.voucher)


def decide_early_offer(
    state: Rows, statement: Statement[EarlyOffer], now: Now
) -> tuple[Effect, ...]:
    """Offers to pay a lot before it is due; nothing is bound until its holder consents.

    Raises:
        LotNotFoundError: There is no such live lot.
        NotDebtorError: The signer is not its voucher's debtor.
        LotLockedError: It is offered or reserved.
        LotBurdenedError: It is pledged or frozen.
        InsufficientHoldingError: The amount is more than it holds.
        VoucherDueError: The voucher is due.
        DeadlinePassedError: The last day for payment is past, or not before the due date.
    """
    body = statement.body
    lot = state.get(LOTS, body.lot)
    if lot is None:
        raise LotNotFoundError(lot=body.lot)
    voucher = known_voucher(state, lot.voucher)
    if voucher.debtor != statement.by:
        raise NotDebtorError(voucher=voucher.voucher, by=statement.by)
    _require_free(lot)
    if body.amount > lot.amount:
        raise InsufficientHoldingError(lot=lot.lot, held=lot.amount, requested=body.amount)
    if today_at(now).isoformat() >= lot.due_on:
        raise VoucherDueError(voucher=lot.voucher, due_on=lot.due_on)
    pay_by = end_instant(body.pay_by, now)
    if pay_by <= now.time or body.pay_by.isoformat() >= lot.due_on:
        raise DeadlinePassedError(deadline=body.pay_by.isoformat())
    offered = EarlyOffered(
        early=statement.sid,
        lot=lot.lot,
        voucher=lot.voucher,
        debtor=voucher.debtor,
        holder=lot.holder,
        amount=Minor(body.amount),
        terms=body.terms,
        pay_by=pay_by,
        kid=statement.kid,
    )
    return (offered, DeadlineSet(at=pay_by, kind=EXPIRE, id=statement.sid))


def reads_early(statement: Statement[Any], _now: Now) -> ReadPlan:
    """Asks for the lot."""
    row = yield from get(EARLY_PAYMENTS, statement.re or "")
    if row is not None:
        yield from get(LOTS, row.lot)


def decide_early_consent(
    state: Rows, statement: Statement[EarlyConsent], now: Now
) -> tuple[Effect, ...]:
    """Consents to be paid early: the lot is reserved until it is paid, or time is over.

    Raises:
        NotHolderError: The lot is not the signer's, nor was when the debtor offered.
        MoveNotAllowedError: The offer is agreed to already, or over.
        LotNotFoundError: The lot has gone since.
        LotLockedError: It is offered or reserved.
        LotBurdenedError: It is pledged or frozen.
        DeadlinePassedError: The last day for payment is over.
    """
    row = _known(state, statement.re or "")
    if row.holder != statement.by:
        raise NotHolderError(lot=row.lot, by=statement.by)
    require_move(EARLY_MOVES, row.early, status=row.status, to=EarlyStatus.AGREED)
    lot = state.get(LOTS, row.lot)
    if lot is None:
        raise LotNotFoundError(lot=row.lot)
    _require_free(lot)
    if now.time >= row.pay_by:
        raise DeadlinePassedError(deadline=row.pay_by)
    return (_moved(row, EarlyStatus.AGREED),)


def reads_early_receive(statement: Statement[EarlyReceive], _now: Now) -> ReadPlan:
    """Asks for the lot, its voucher, and what counts who owes and holds."""
    row = yield from get(EARLY_PAYMENTS, statement.re or "")
    if row is None:
        return
    yield from get(LOTS, row.lot)
    yield from get(VOUCHERS, row.voucher)
    holder = yield from get(PARTIES, row.holder)
    yield from reads_debtor(row.debtor)
    yield from reads_held((holder,), row.debtor)


def decide_early_receive(
    state: Rows, statement: Statement[EarlyReceive], now: Now
) -> tuple[Effect, ...]:
    """Confirms that an early payment has come: so much of the debt is discharged.

    Raises:
        NotHolderError: The lot is not the signer's.
        MoveNotAllowedError: The payment was never agreed to, has been received, or lapsed.
        LotBurdenedError: The lot was frozen since: nothing is paid on it.
        DeadlinePassedError: The last day for payment is over.
    """
    row = _known(state, statement.re or "")
    if row.holder != statement.by:
        raise NotHolderError(lot=row.lot, by=statement.by)
    require_move(EARLY_MOVES, row.early, status=row.status, to=EarlyStatus.PAID)
    lot = state.get(LOTS, row.lot)
    if lot is None:
        raise InvariantBrokenError(f"early payment {row.early} has reserved no lot")
    if lot.burdens:
        raise LotBurdenedError(lot=lot.lot, burden=lot.burdens[0])
    if now.time >= row.pay_by:
        raise DeadlinePassedError(deadline=row.pay_by)
    ended = LotExtinguished(
        statement=statement.sid,
        lot=lot.lot,
        voucher=lot.voucher,
        debtor=row.debtor,
        holder=lot.holder,
        amount=row.amount,
        remainder=Minor(lot.amount - row.amount),
        ground=Ground.EARLY_PAYMENT,
    )
    return (
        _moved(row, EarlyStatus.PAID),
        ended,
        *moved(state, row.debtor, row.amount, giver=row.holder),
        DeadlineCleared(at=row.pay_by, kind=EXPIRE, id=row.early),
    )


def reads_early_end(due: Due, _now: Now) -> ReadPlan:
    """Asks for the early payment and its lot."""
    row = yield from get(EARLY_PAYMENTS, due.id)
    if row is not None:
        yield from get(LOTS, row.lot)


def decide_early_expire(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends an early payment that did not come; a lot that waited for it is free again."""
    met = DeadlineCleared(at=due.at, kind=due.kind, id=due.id)
    return (_moved(_known(state, due.id), EarlyStatus.LAPSED), met)


def decide_early_cancel(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends an offer that nobody has answered, signed with a key that was just revoked."""
    row = _known(state, due.id)
    return (
        _moved(row, EarlyStatus.LAPSED),
        DeadlineCleared(at=row.pay_by, kind=EXPIRE, id=row.early),
        DeadlineCleared(at=due.at, kind=due.kind, id=due.id),
    )


def _amount(state: Rows, statement: Statement[Any]) -> int:
    """Returns what an answer is about: the offer's amount."""
    return _known(state, statement.re or "").amount


_ANSWERS = {"early.offer": EARLY_PAYMENTS}

KINDS = (
    Kind(
        name="early.offer",
        body=EarlyOffer,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor",
        reads=reads_early_offer,
        decide=decide_early_offer,
        amount=BodyAmount("amount"),
    ),
    Kind(
        name="early.consent",
        body=EarlyConsent,
        signers=HOLDER_ROLES,
        relation="the lot's holder",
        answers=_ANSWERS,
        reads=reads_early,
        decide=decide_early_consent,
        amount=_amount,
    ),
    Kind(
        name="early.receive",
        body=EarlyReceive,
        signers=HOLDER_ROLES,
        relation="the lot's holder",
        answers=_ANSWERS,
        reads=reads_early_receive,
        decide=decide_early_receive,
        amount=_amount,
        while_suspended=True,
    ),
)
TIMED = (
    TimedKind(name=EXPIRE, reads=reads_early_end, decide=decide_early_expire),
    TimedKind(name=CANCEL_EARLY, reads=reads_early_end, decide=decide_early_cancel),
)
