"""Applications for money for a lot, quotes, the debtor's word, and their end without a contract.

An applicant may ask several financiers about one lot: nothing is reserved until it signs a
contract with one of them. What a quote says in figures is between the two; the log has its
digest, and whoever has the opening computes it again (`registry.pricing`).

Source: SD-06, SD-39, SD-71; docs/explanation/financing.md.
"""

from typing import Annotated, Any

from registry.burdens import require_move
from registry.dealing_refusals import FinancingModeError
from registry.dealings import (
    FINANCING_MOVES,
    FINANCINGS,
    MODES,
    FinancingStatus,
    Mode,
    PaymentForm,
)
from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import MalformedError
from registry.fields import (
    LENIENT,
    Amount,
    BodyAmount,
    BusinessDate,
    Digest,
    FileRef,
    LotField,
    PartyField,
    SidField,
)
from registry.filings import extinct, reads_tasks
from registry.financed import (
    FinancingApplied,
    FinancingConfirmed,
    FinancingQuoted,
    known_financing,
    sides,
)
from registry.financing import EXPIRE, amount_of, ended, require_in_time, require_side
from registry.limits import (
    ask_limits_of_transfer,
    require_before_blackout,
    require_justified,
    require_recourse,
    require_splitting,
)
from registry.model import ACCOUNTS, LOTS, PARTIES, VOUCHERS, Role, Voucher
from registry.policy import rules_in_force
from registry.refusals import (
    AssigneeRefusedError,
    DeadlinePassedError,
    InsufficientHoldingError,
    NotDebtorError,
    VoucherDueError,
)
from registry.rights import (
    CANCEL_FINANCING,
    end_instant,
    known_voucher,
    own_free_lot,
    require_account,
    today_at,
)
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import Minor, ReadPlan, Rows, get, get_many

FINANCIERS = frozenset({Role.FINANCIER})
APPLICANTS = frozenset({Role.PARTICIPANT, Role.FINANCIER})


class FinancingApply(Body):
    """An application for money for part of a lot, to one financier."""

    lot: LotField
    amount: Amount
    financier: PartyField
    vehicle: PartyField | None = None
    mode: Annotated[Mode, LENIENT]
    recourse: bool
    payment: Annotated[PaymentForm, LENIENT]
    account: SidField
    close_by: BusinessDate
    term_justification: Digest | None = None


class FinancingQuote(Body):
    """What the financier offers: figures and contract by digest, and the form of payment.

    `account` is where it wants to be paid at maturity; a vehicle's consent says it for the
    vehicle.
    """

    terms: Digest
    document: FileRef
    payment: Annotated[PaymentForm, LENIENT]
    account: SidField | None = None
    collection_route: bool


class FinancingConfirm(Body):
    """The debtor's word to the financier that it will pay, beside the voucher's own."""

    document: FileRef


class FinancingEnd(Body):
    """The applicant withdraws, or the financier declines."""


def reads_financing_apply(statement: Statement[FinancingApply], now: Now) -> ReadPlan:
    """Asks for the policy, lot, voucher, the account for the price, and who is to give it."""
    body = statement.body
    yield from ask_limits_of_transfer(now)
    lot = yield from get(LOTS, body.lot)
    if lot is not None:
        yield from get(VOUCHERS, lot.voucher)
    yield from get(ACCOUNTS, body.account)
    yield from get_many(PARTIES, (body.financier, body.vehicle or body.financier))


def decide_financing_apply(
    state: Rows, statement: Statement[FinancingApply], now: Now
) -> tuple[Effect, ...]:
    """Asks a financier for money for part of a lot, which stays free.

    Raises:
        LotNotFoundError: There is no such live lot.
        NotHolderError: The signer does not hold it.
        LotLockedError: It is offered or reserved.
        LotBurdenedError: It is pledged or frozen.
        InsufficientHoldingError: The amount is more than it holds.
        MalformedError: A vehicle where the mode has none, or the reverse.
        AssigneeRefusedError: Financier or vehicle is the signer, owes the voucher, or is not
            admitted as one.
        FinancingModeError: The mode wants recourse, or wants none.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The account for the price.
        VoucherDueError: The voucher is due.
        DeadlinePassedError: The last day is past, or not before the due date.
        BlackoutError: The policy allows no transfer on the last day any more.
        RecourseRefusedError: The policy allows no recourse.
        LotTooSmallError, TooManyPartsError, ChainTooLongError: The policy does not let the
            lot be split or passed on like this.
        TermUnjustifiedError: Nobody has justified the voucher's long term.
    """
    body = statement.body
    lot = own_free_lot(state, body.lot, by=statement.by)
    if body.amount > lot.amount:
        raise InsufficientHoldingError(lot=lot.lot, held=lot.amount, requested=body.amount)
    voucher = known_voucher(state, lot.voucher)
    mode = MODES[body.mode]
    if (body.vehicle is not None) != mode.to_vehicle:
        raise MalformedError(what="vehicle", reason="belongs to agency, and only there")
    _require_givers(state, statement, voucher)
    if mode.recourse is not None and body.recourse is not mode.recourse:
        reason = "the applicant answers for the debtor" if mode.recourse else "nobody answers"
        raise FinancingModeError(mode=str(body.mode), reason=reason)
    require_account(state, body.account, owner=statement.by)
    if today_at(now).isoformat() >= lot.due_on:
        raise VoucherDueError(voucher=lot.voucher, due_on=lot.due_on)
    close_by = end_instant(body.close_by, now)
    if close_by <= now.time or body.close_by.isoformat() >= lot.due_on:
        raise DeadlinePassedError(deadline=body.close_by.isoformat())
    rules = rules_in_force(state, now.facts)
    require_before_blackout(state, rules, lot, max(body.close_by, today_at(now)))
    require_recourse(rules, lot, recourse=body.recourse)
    require_splitting(rules, lot, body.amount)
    require_justified(voucher, justified=body.term_justification is not None)

    # Past this line the application must succeed.
    applied = FinancingApplied(
        financing=statement.sid,
        lot=lot.lot,
        voucher=lot.voucher,
        amount=Minor(body.amount),
        applicant=statement.by,
        financier=body.financier,
        vehicle=body.vehicle,
        mode=body.mode,
        recourse=body.recourse,
        payment=body.payment,
        account=body.account,
        close_by=close_by,
        asked=voucher.debtor if mode.debtor_confirms else None,
        policy=now.facts.policy,
        kid=statement.kid,
    )
    return (applied, DeadlineSet(at=close_by, kind=EXPIRE, id=statement.sid))


def _require_givers(state: Rows, statement: Statement[FinancingApply], voucher: Voucher) -> None:
    """Checks who is to give the money, and who is to have the claim.

    Raises:
        AssigneeRefusedError: One of them may not.
    """
    body = statement.body
    asked = [(body.financier, Role.FINANCIER)]
    if body.vehicle is not None:
        asked.append((body.vehicle, Role.VEHICLE))
    for party, role in asked:
        if party == statement.by:
            raise AssigneeRefusedError(assignee=party, reason="is the applicant")
        if party in (voucher.debtor, *voucher.co_debtors):
            raise AssigneeRefusedError(assignee=party, reason="owes the voucher")
        row = state.get(PARTIES, party)
        if row is None or role not in row.roles:
            raise AssigneeRefusedError(assignee=party, reason=f"is not admitted as {role}")


# --- Quote, confirmation, end ---------------------------------------------------------


def reads_financing_quote(statement: Statement[FinancingQuote], _now: Now) -> ReadPlan:
    """Asks for the account, if one is named."""
    if statement.body.account is not None:
        yield from get(ACCOUNTS, statement.body.account)


def decide_financing_quote(
    state: Rows, statement: Statement[FinancingQuote], now: Now
) -> tuple[Effect, ...]:
    """Offers terms; the contract is made when the applicant signs the same ones.

    Raises:
        NotFinancingPartyError: The signer is not the financier that was asked.
        MoveNotAllowedError: There is a contract, or the application has ended.
        DeadlinePassedError: The last day is over.
        MalformedError: An account where a vehicle's consent names it, or none.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The payee account.
    """
    body, row = statement.body, known_financing(state, statement.re or "")
    require_side(row, statement.by, role="financier")
    to = FinancingStatus.QUOTED
    require_move(FINANCING_MOVES, row.financing, status=row.status, to=to)
    require_in_time(row, now)
    if (body.account is None) is not row.rules.to_vehicle:
        raise MalformedError(what="account", reason="is whose the claim will be")
    if body.account is not None:
        require_account(state, body.account, owner=statement.by)
    quoted = FinancingQuoted(
        **sides(row),
        quote=statement.sid,
        terms=body.terms,
        document=body.document.digest,
        payment=body.payment,
        payee=body.account,
        collection_route=body.collection_route,
        kid=statement.kid,
    )
    return (quoted,)


def reads_voucher(statement: Statement[Any], _now: Now) -> ReadPlan:
    """Asks for the voucher."""
    row = yield from get(FINANCINGS, statement.re or "")
    if row is not None:
        yield from get(VOUCHERS, row.voucher)


def decide_financing_confirm(
    state: Rows, statement: Statement[FinancingConfirm], now: Now
) -> tuple[Effect, ...]:
    """Confirms to the financier that the debtor will pay it.

    Raises:
        NotDebtorError: The signer is not the voucher's debtor.
        FinancingModeError: The mode does not ask for its word.
        MoveNotAllowedError: It was given, or there is a contract, or the application has ended.
        DeadlinePassedError: The last day is over.
    """
    row = known_financing(state, statement.re or "")
    debtor = known_voucher(state, row.voucher).debtor
    if statement.by != debtor:
        raise NotDebtorError(voucher=row.voucher, by=statement.by)
    if not row.rules.debtor_confirms:
        raise FinancingModeError(mode=row.mode, reason="the debtor's word is not asked for")
    is_open = row.status in (FinancingStatus.APPLIED, FinancingStatus.QUOTED)
    if not is_open or row.confirmed is not None:
        raise MoveNotAllowedError(of=row.financing, status=row.status, to="confirmed")
    require_in_time(row, now)
    return (FinancingConfirmed(**sides(row), confirmation=statement.sid, debtor=debtor),)


def decide_financing_end(
    state: Rows, statement: Statement[FinancingEnd], _now: Now
) -> tuple[Effect, ...]:
    """Ends an application before there is a contract.

    Raises:
        NotFinancingPartyError: The signer is neither applicant nor financier.
        MoveNotAllowedError: A contract binds both, or it has ended.
    """
    row = known_financing(state, statement.re or "")
    if statement.by == row.applicant:
        return ended(row, FinancingStatus.WITHDRAWN)
    require_side(row, statement.by, role="financier")
    return ended(row, FinancingStatus.DECLINED)


_ANSWERS = {"financing.apply": FINANCINGS}


KINDS = (
    Kind(
        name="financing.apply",
        body=FinancingApply,
        signers=APPLICANTS,
        relation="the lot's holder",
        reads=reads_financing_apply,
        decide=decide_financing_apply,
        amount=BodyAmount("amount"),
    ),
    Kind(
        name="financing.quote",
        body=FinancingQuote,
        signers=FINANCIERS,
        relation="the financier that was asked",
        answers=_ANSWERS,
        reads=reads_financing_quote,
        decide=decide_financing_quote,
        amount=amount_of,
    ),
    Kind(
        name="financing.confirm",
        body=FinancingConfirm,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor",
        answers=_ANSWERS,
        reads=reads_voucher,
        decide=decide_financing_confirm,
        amount=amount_of,
    ),
    Kind(
        name="financing.end",
        body=FinancingEnd,
        signers=APPLICANTS,
        relation="the applicant or the financier",
        answers=_ANSWERS,
        decide=decide_financing_end,
        while_suspended=True,
    ),
)


def reads_financing_end(due: Due, _now: Now) -> ReadPlan:
    """Asks for the financing, its lot, and registrations of the transfer it was to be."""
    row = yield from get(FINANCINGS, due.id)
    if row is None:
        return
    if row.contract is not None:
        yield from reads_tasks(row.contract)
    yield from get(LOTS, row.lot)


def decide_financing_expire(state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
    """Ends a financing whose claim has not passed in time; who registered it deregisters it."""
    return _over(state, due, now, FinancingStatus.EXPIRED)


def decide_financing_cancel(state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
    """Ends a financing that a key just revoked had signed for, before anybody acted on it."""
    met = DeadlineCleared(at=due.at, kind=due.kind, id=due.id)
    return (*_over(state, due, now, FinancingStatus.CANCELLED), met)


def _over(state: Rows, due: Due, now: Now, to: FinancingStatus) -> tuple[Effect, ...]:
    """Returns what follows when time or a revocation ends a financing, with its contract or not."""
    row = known_financing(state, due.id)
    effects = ended(row, to)
    if row.contract is None:
        return effects
    return (*effects, *extinct(state, now, subject=row.contract, ended_by=row.financing))


TIMED = (
    TimedKind(name=EXPIRE, reads=reads_financing_end, decide=decide_financing_expire),
    TimedKind(name=CANCEL_FINANCING, reads=reads_financing_end, decide=decide_financing_cancel),
)
