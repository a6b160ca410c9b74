"""Judicial freezes of lots, and a court's order to be paid.

A frozen lot is not transferred, and at maturity it is withheld: a freeze keeps the claim
where it is, and gives the court nothing yet. Payment to the court is an order of its own,
of the freeze that comes first; against a notice to perform a due debt the debtor can
object for 15 days, a deduction needs no such time. What identifies a case or a person
stands here by salted digest. A frozen bank account is something else: see
`registry.rules.accounts`.

Source: FR-19; docs/explanation/encumbrances.md.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

from registry.burdens import BURDENS_MAX, FREEZE_MOVES, FREEZES, FreezeStatus, require_move
from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect
from registry.encumbrance_refusals import (
    FreezeNotFirstError,
    TooManyBurdensError,
)
from registry.fields import LENIENT, Digest, FileRef, LotField, PartyField, PlainText
from registry.frozen import (
    FINAL,
    CourtPaymentFinal,
    CourtPaymentObjected,
    CourtPaymentOrdered,
    LotFrozen,
    LotUnfrozen,
    final_cleared,
    known_freeze,
    named,
)
from registry.model import LOTS, PARTIES, VOUCHERS, Role
from registry.refusals import (
    LotNotFoundError,
    NotBankError,
    NotDebtorError,
)
from registry.rights import end_instant, known_voucher, today_at
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import ReadPlan, Rows, get, where

OBJECTION_DAYS: Final = 15
"""In which the debtor can object to a notice to perform a due debt."""


class Ruling(Body):
    """A court's document: who gave it, its file, and its case number as a salted digest."""

    authority: PlainText
    number: Digest
    order: FileRef


class LotFreeze(Ruling):
    """The registrar's record that a court has frozen a lot."""

    lot: LotField


class LotUnfreeze(Ruling):
    """The registrar's record that the court has lifted the freeze."""


class Basis(StrEnum):
    """On what the court demands to be paid: 履行到期债务通知书 or 扣划."""

    DUE_DEBT_NOTICE = "due-debt-notice"
    DEDUCTION = "deduction"


class LotPayToCourt(Ruling):
    """The registrar's record that the court demands payment of a frozen lot.

    `account` is the digest of the court account's terms: 户名, 账号, 开户行, 联行号.
    """

    basis: Annotated[Basis, LENIENT]
    bank: PartyField
    account: Digest


class LotObject(Body):
    """The debtor's objection to a notice to perform a due debt; the terms say why."""

    terms: Digest


def _ruling(ruling: Ruling) -> dict[str, Any]:
    """Returns what effects say of a court's document."""
    return {
        "authority": ruling.authority,
        "number": ruling.number,
        "order": ruling.order.digest,
    }


# --- Freezing and unfreezing ----------------------------------------------------------


def reads_lot_freeze(statement: Statement[LotFreeze], _now: Now) -> ReadPlan:
    """Asks for the lot."""
    yield from get(LOTS, statement.body.lot)


def decide_lot_freeze(
    state: Rows, statement: Statement[LotFreeze], _now: Now
) -> tuple[Effect, ...]:
    """Freezes a lot on a court's order; an open offer of it can no longer be accepted.

    Raises:
        LotNotFoundError: There is no such live lot.
        TooManyBurdensError: It bears 16 burdens.
    """
    lot = state.get(LOTS, statement.body.lot)
    if lot is None:
        raise LotNotFoundError(lot=statement.body.lot)
    if len(lot.burdens) >= BURDENS_MAX:
        raise TooManyBurdensError(lot=lot.lot, limit=BURDENS_MAX)
    frozen = LotFrozen(
        freeze=statement.sid,
        lot=lot.lot,
        voucher=lot.voucher,
        holder=lot.holder,
        **_ruling(statement.body),
    )
    return (frozen,)


def reads_lot_unfreeze(statement: Statement[Any], _now: Now) -> ReadPlan:
    """Asks for the freeze and its lot."""
    freeze = yield from get(FREEZES, statement.re or "")
    if freeze is not None:
        yield from get(LOTS, freeze.lot)


def decide_lot_unfreeze(
    state: Rows, statement: Statement[LotUnfreeze], _now: Now
) -> tuple[Effect, ...]:
    """Lifts a freeze, whatever the court had ordered under it.

    Raises:
        MoveNotAllowedError: The freeze has been lifted.
    """
    freeze = known_freeze(state, statement.re or "")
    require_move(FREEZE_MOVES, freeze.freeze, status=freeze.status, to=FreezeStatus.LIFTED)
    unfrozen = LotUnfrozen(**named(freeze), **_ruling(statement.body))
    return (unfrozen, *final_cleared(freeze))


# --- Paying the court -----------------------------------------------------------------


def reads_lot_pay_to_court(statement: Statement[LotPayToCourt], _now: Now) -> ReadPlan:
    """Asks for the freeze, all freezes of its lot, the lot, its voucher and the bank."""
    freeze = yield from get(FREEZES, statement.re or "")
    if freeze is not None:
        yield from where(FREEZES, "lot", freeze.lot)
        yield from get(LOTS, freeze.lot)
        yield from get(VOUCHERS, freeze.voucher)
    yield from get(PARTIES, statement.body.bank)


def decide_lot_pay_to_court(
    state: Rows, statement: Statement[LotPayToCourt], now: Now
) -> tuple[Effect, ...]:
    """Orders payment of a frozen lot to the court, at once or when nobody objects in time.

    Raises:
        MoveNotAllowedError: The freeze has been lifted, or bears such an order.
        LotNotFoundError: The lot lives no more.
        FreezeNotFirstError: An earlier freeze of the lot stands.
        NotBankError: The court's bank is not admitted as one.
    """
    body = statement.body
    freeze = known_freeze(state, statement.re or "")
    is_notice = body.basis is Basis.DUE_DEBT_NOTICE
    to = FreezeStatus.ORDERED if is_notice else FreezeStatus.PAYABLE
    require_move(FREEZE_MOVES, freeze.freeze, status=freeze.status, to=to)
    lot = state.get(LOTS, freeze.lot)
    if lot is None:
        raise LotNotFoundError(lot=freeze.lot)
    freezes = {row.freeze for row in state.where(FREEZES, "lot", freeze.lot)}
    first = next(burden for burden in lot.burdens if burden in freezes)
    if first != freeze.freeze:
        raise FreezeNotFirstError(freeze=freeze.freeze, lot=lot.lot, first=first)
    bank = state.get(PARTIES, body.bank)
    if bank is None or Role.BANK not in bank.roles:
        raise NotBankError(party=body.bank)

    # Past this line the order must succeed.
    last = today_at(now) + timedelta(days=OBJECTION_DAYS)
    objection_ends = end_instant(last, now) if is_notice else None
    ordered = CourtPaymentOrdered(
        **named(freeze),
        **_ruling(body),
        debtor=known_voucher(state, freeze.voucher).debtor,
        basis=body.basis,
        bank=body.bank,
        account=body.account,
        payee_account=statement.sid,
        registrar=statement.by,
        objection_ends=objection_ends,
    )
    if objection_ends is None:
        return (ordered, *final_cleared(freeze))
    return (ordered, DeadlineSet(at=objection_ends, kind=FINAL, id=freeze.freeze))


def reads_lot_object(statement: Statement[LotObject], _now: Now) -> ReadPlan:
    """Asks for the freeze and its voucher."""
    freeze = yield from get(FREEZES, statement.re or "")
    if freeze is not None:
        yield from get(VOUCHERS, freeze.voucher)


def decide_lot_object(
    state: Rows, statement: Statement[LotObject], _now: Now
) -> tuple[Effect, ...]:
    """Objects to a notice to perform a due debt, as the debtor and in time.

    Raises:
        NotDebtorError: The signer does not owe the voucher.
        MoveNotAllowedError: No such notice waits for an objection.
    """
    freeze = known_freeze(state, statement.re or "")
    voucher = known_voucher(state, freeze.voucher)
    if statement.by not in (voucher.debtor, *voucher.co_debtors):
        raise NotDebtorError(voucher=voucher.voucher, by=statement.by)
    require_move(FREEZE_MOVES, freeze.freeze, status=freeze.status, to=FreezeStatus.FROZEN)
    objected = CourtPaymentObjected(**named(freeze), debtor=statement.by)
    return (objected, *final_cleared(freeze))


def reads_court_final(due: Due, _now: Now) -> ReadPlan:
    """Asks for the freeze."""
    yield from get(FREEZES, due.id)


def decide_court_final(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends the time to object: the lot is to be paid to the court."""
    final = CourtPaymentFinal(**named(known_freeze(state, due.id)))
    return (final, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))


_ANSWERS = {"lot.freeze": FREEZES}
_REGISTRAR = frozenset({Role.REGISTRAR})

KINDS = (
    Kind(
        name="lot.freeze",
        body=LotFreeze,
        signers=_REGISTRAR,
        relation="the registrar",
        reads=reads_lot_freeze,
        decide=decide_lot_freeze,
    ),
    Kind(
        name="lot.unfreeze",
        body=LotUnfreeze,
        signers=_REGISTRAR,
        relation="the registrar",
        answers=_ANSWERS,
        reads=reads_lot_unfreeze,
        decide=decide_lot_unfreeze,
    ),
    Kind(
        name="lot.pay-to-court",
        body=LotPayToCourt,
        signers=_REGISTRAR,
        relation="the registrar",
        answers=_ANSWERS,
        reads=reads_lot_pay_to_court,
        decide=decide_lot_pay_to_court,
    ),
    Kind(
        name="lot.object",
        body=LotObject,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor or a co-debtor",
        answers=_ANSWERS,
        reads=reads_lot_object,
        decide=decide_lot_object,
        while_suspended=True,
    ),
)

TIMED = (TimedKind(name=FINAL, reads=reads_court_final, decide=decide_court_final),)
