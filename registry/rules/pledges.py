"""Pledges of lots: pending, registered, enforced, released, lapsed.

A pledge consumes one lot, as an offer does: `<pledge>.0` is the pledged part, still the
pledgor's; `<pledge>.1` the remainder, free at once. It burdens its lot from the first, so
that what is promised to one is not sold to another; it arises when the pledgee registers
it elsewhere, and only then is the lot paid into the account that the pledge names. Who
pledges cannot release.

Source: Civil Code, art. 445; docs/explanation/encumbrances.md.
"""

from typing import Annotated, Any

from pydantic import Field

from registry.burdens import PLEDGE_MOVES, PLEDGES, Pledge, PledgeStatus, require_move
from registry.effects import DeadlineSet, Due, Effect
from registry.encumbrance_refusals import (
    LotBurdenedError,
    NotPledgeeError,
    PledgeeRefusedError,
)
from registry.errors import InvariantBrokenError, KeyRevokedError
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
from registry.filings import (
    External,
    calendar_for,
    extinct,
    reads_tasks,
    recorded,
    require_term,
)
from registry.model import (
    ACCOUNTS,
    HOLDER_ROLES,
    LOTS,
    PARTIES,
    VOUCHERS,
    Lot,
    Role,
    Voucher,
)
from registry.people import KEYS
from registry.pledged import (
    LAPSE,
    LotPledged,
    PledgeEnd,
    PledgeEnded,
    PledgeEnforced,
    PledgeRegistered,
    known_pledge,
    lapse_cleared,
    named,
)
from registry.refusals import (
    DeadlinePassedError,
    InsufficientHoldingError,
    VoucherDueError,
)
from registry.rights import end_instant, known_voucher, own_free_lot, require_account, today_at
from registry.stage_refusals import AlreadyStagedError
from registry.stages import STAGES
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import Minor, ReadPlan, Rows, get, get_many, where
from registry.workdays import ask_calendar

PLEDGEE_ROLES = frozenset({Role.FINANCIER, Role.VEHICLE})
"""Who may take a pledge."""


class PledgeCreate(Body):
    """A pledge of part of a lot, which the pledgee must register by the end of a day.

    `account` is where the proceeds go: the pledgee's, or one of the pledgor's that the
    pledgee watches over. The terms hold the debt that is secured.
    """

    lot: LotField
    amount: Amount
    pledgee: PartyField
    secured: Amount
    account: SidField
    register_by: BusinessDate
    terms: Digest


class PledgeRegister(External):
    """The pledgee's word that the pledge is registered elsewhere: with that it arises."""


class PledgeRelease(Body):
    """The pledgee's release of the lot."""


class PledgeEnforce(Body):
    """The pledgee's claim to the proceeds, because the debt secured was not paid."""

    evidence: Annotated[tuple[FileRef, ...], LENIENT, Field(min_length=1, max_length=16)]


# --- Creating -----------------------------------------------------------------------


def reads_pledge_create(statement: Statement[PledgeCreate], _now: Now) -> ReadPlan:
    """Asks for the lot, its voucher, the account and both sides."""
    body = statement.body
    lot = yield from get(LOTS, body.lot)
    if lot is not None:
        yield from get(VOUCHERS, lot.voucher)
    yield from get(ACCOUNTS, body.account)
    yield from where(STAGES, "account", body.account)
    yield from get_many(PARTIES, (statement.by, body.pledgee))


def decide_pledge_create(
    state: Rows, statement: Statement[PledgeCreate], now: Now
) -> tuple[Effect, ...]:
    """Pledges part of a lot, pending until the pledgee has registered it elsewhere.

    Raises:
        LotNotFoundError: There is no such live lot.
        NotHolderError: The signer does not hold it.
        LotLockedError: It is offered.
        LotBurdenedError: It is pledged or frozen.
        InsufficientHoldingError: The amount is more than it holds.
        PledgeeRefusedError: The pledgee is the signer, owes the voucher, or is not admitted
            in a role that takes pledges.
        VoucherDueError: The voucher is due.
        DeadlinePassedError: The last day for registration is past, or not before the due date.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The account, which is the
            pledgee's or the pledgor's.
        AlreadyStagedError: It is the pledgor's, and reached by way of another: the pledgee
            watches over that account, and not over another.
    """
    body = statement.body
    lot = own_free_lot(state, body.lot, by=statement.by)
    if body.amount > lot.amount:
        raise InsufficientHoldingError(lot=lot.lot, held=lot.amount, requested=body.amount)
    _require_pledgee(state, statement, known_voucher(state, lot.voucher))
    if today_at(now).isoformat() >= lot.due_on:
        raise VoucherDueError(voucher=lot.voucher, due_on=lot.due_on)
    register_by = end_instant(body.register_by, now)
    if register_by <= now.time or body.register_by.isoformat() >= lot.due_on:
        raise DeadlinePassedError(deadline=body.register_by.isoformat())
    account = state.get(ACCOUNTS, body.account)
    is_own = account is not None and account.owner == statement.by
    require_account(state, body.account, owner=statement.by if is_own else body.pledgee)
    for row in state.where(STAGES, "account", body.account) if is_own else ():
        if row.ended is None:
            raise AlreadyStagedError(account=row.account, via=row.via, stage=row.stage)

    # Past this line the pledge must succeed.
    return (
        _pledged(statement, lot, register_by),
        DeadlineSet(at=register_by, kind=LAPSE, id=statement.sid),
    )


def _pledged(statement: Statement[PledgeCreate], lot: Lot, register_by: int) -> LotPledged:
    """Returns the effect of a pledge."""
    body = statement.body
    return LotPledged(
        pledge=statement.sid,
        lot=lot.lot,
        voucher=lot.voucher,
        pledgor=lot.holder,
        pledgee=body.pledgee,
        amount=Minor(body.amount),
        remainder=Minor(lot.amount - body.amount),
        secured=Minor(body.secured),
        account=body.account,
        register_by=register_by,
        kid=statement.kid,
    )


def _require_pledgee(state: Rows, statement: Statement[PledgeCreate], voucher: Voucher) -> None:
    """Checks that the pledgee may take what is pledged.

    Raises:
        PledgeeRefusedError: It may not.
    """
    pledgee = statement.body.pledgee
    party = state.get(PARTIES, pledgee)
    if pledgee == statement.by:
        raise PledgeeRefusedError(pledgee=pledgee, reason="is the pledgor")
    if pledgee in (voucher.debtor, *voucher.co_debtors):
        raise PledgeeRefusedError(pledgee=pledgee, reason="owes the voucher")
    if party is None or not PLEDGEE_ROLES.intersection(party.roles):
        roles = " or ".join(sorted(PLEDGEE_ROLES))
        raise PledgeeRefusedError(pledgee=pledgee, reason=f"is not admitted as {roles}")


# --- Registering, enforcing, releasing ------------------------------------------------


def _answered(state: Rows, statement: Statement[Any], to: PledgeStatus) -> Pledge:
    """Returns the pledge that its pledgee answers, if it may pass to a status.

    Raises:
        NotPledgeeError: The signer is not the pledgee.
        MoveNotAllowedError: The pledge is in another part of its life.
    """
    pledge = known_pledge(state, statement.re or "")
    if pledge.pledgee != statement.by:
        raise NotPledgeeError(pledge=pledge.pledge, by=statement.by)
    require_move(PLEDGE_MOVES, pledge.pledge, status=pledge.status, to=to)
    return pledge


def reads_pledge_register(statement: Statement[PledgeRegister], _now: Now) -> ReadPlan:
    """Asks for the key that signed the pledge, the pledge, its lot and the calendar."""
    pledge = yield from get(PLEDGES, statement.re or "")
    if pledge is not None:
        yield from get(KEYS, pledge.kid)
        yield from get(LOTS, pledge.lot)
    yield from ask_calendar(statement.body.calendar)


def decide_pledge_register(
    state: Rows, statement: Statement[PledgeRegister], now: Now
) -> tuple[Effect, ...]:
    """Registers a pledge: from here on it stands, and its lot is paid into its account.

    Raises:
        NotPledgeeError: The signer is not the pledgee.
        MoveNotAllowedError: The pledge is not pending.
        DeadlinePassedError: The last day for registration is over.
        KeyRevokedError: The key that signed the pledge has been revoked since.
        LotBurdenedError: A freeze has come before the registration.
        AheadOfTimeError: It would have been registered later than now.
        RegistrationTermError: It would stand for less than a month or more than 30 years.
        DeadlinePassedError: It has expired.
        CalendarUnknownError: No calendar of that name is published.
    """
    pledge = _answered(state, statement, PledgeStatus.REGISTERED)
    if now.time >= pledge.register_by:
        raise DeadlinePassedError(deadline=pledge.register_by)
    key = state.get(KEYS, pledge.kid)
    if key is not None and key.revoked is not None:
        raise KeyRevokedError(kid=pledge.kid, revoked=key.revoked)
    lot = state.get(LOTS, pledge.lot)
    if lot is None:
        raise InvariantBrokenError(f"pledge {pledge.pledge} is of no lot")
    for burden in lot.burdens:
        if burden != pledge.pledge:
            raise LotBurdenedError(lot=lot.lot, burden=burden)
    require_term(statement.body.registered_at, statement.body.expires_on, now)
    calendar_for(state, statement.body.calendar)

    # Past this line the registration must succeed.
    return (
        PledgeRegistered(**named(pledge), account=pledge.account),
        *recorded(
            statement.body,
            now,
            filing=statement.sid,
            subject=pledge.pledge,
            voucher=pledge.voucher,
            party=pledge.pledgee,
        ),
        lapse_cleared(pledge),
    )


def decide_pledge_enforce(
    state: Rows, statement: Statement[PledgeEnforce], _now: Now
) -> tuple[Effect, ...]:
    """Claims the proceeds of a registered pledge; nothing is sold, for a claim is paid when due.

    Raises:
        NotPledgeeError: The signer is not the pledgee.
        MoveNotAllowedError: The pledge is not registered.
    """
    pledge = _answered(state, statement, PledgeStatus.ENFORCED)
    return (PledgeEnforced(**named(pledge)),)


def reads_pledge_release(statement: Statement[PledgeRelease], _now: Now) -> ReadPlan:
    """Asks for the pledge, its lot, its registration with its calendar, and tasks about it."""
    pledge = yield from get(PLEDGES, statement.re or "")
    if pledge is not None:
        yield from reads_tasks(pledge.pledge)
        yield from get(LOTS, pledge.lot)


def decide_pledge_release(
    state: Rows, statement: Statement[PledgeRelease], now: Now
) -> tuple[Effect, ...]:
    """Releases a lot; whoever has registered the pledge has to deregister it.

    Raises:
        NotPledgeeError: The signer is not the pledgee.
        MoveNotAllowedError: The pledge has ended.
    """
    pledge = _answered(state, statement, PledgeStatus.RELEASED)
    ended = PledgeEnded(**named(pledge), end=PledgeEnd.RELEASED)
    if pledge.status == PledgeStatus.PENDING:
        return (ended, lapse_cleared(pledge))
    return (ended, *extinct(state, now, subject=pledge.pledge, ended_by=statement.sid))


def reads_pledge_lapse(due: Due, _now: Now) -> ReadPlan:
    """Asks for the pledge and its lot."""
    pledge = yield from get(PLEDGES, due.id)
    if pledge is not None:
        yield from get(LOTS, pledge.lot)


def decide_pledge_lapse(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends a pledge that was not registered in time."""
    pledge = known_pledge(state, due.id)
    return (PledgeEnded(**named(pledge), end=PledgeEnd.LAPSED), lapse_cleared(pledge))


def _amount(state: Rows, statement: Statement[Any]) -> int:
    """Returns what the pledge answered is worth, for limits of keys."""
    return known_pledge(state, statement.re or "").amount


_ANSWERS = {"pledge.create": PLEDGES}

KINDS = (
    Kind(
        name="pledge.create",
        body=PledgeCreate,
        signers=HOLDER_ROLES,
        relation="the lot's holder",
        reads=reads_pledge_create,
        decide=decide_pledge_create,
        amount=BodyAmount("amount"),
    ),
    Kind(
        name="pledge.register",
        body=PledgeRegister,
        signers=PLEDGEE_ROLES,
        relation="the pledgee",
        answers=_ANSWERS,
        reads=reads_pledge_register,
        decide=decide_pledge_register,
        amount=_amount,
    ),
    Kind(
        name="pledge.enforce",
        body=PledgeEnforce,
        signers=PLEDGEE_ROLES,
        relation="the pledgee",
        answers=_ANSWERS,
        decide=decide_pledge_enforce,
        amount=_amount,
    ),
    Kind(
        name="pledge.release",
        body=PledgeRelease,
        signers=PLEDGEE_ROLES,
        relation="the pledgee",
        answers=_ANSWERS,
        reads=reads_pledge_release,
        decide=decide_pledge_release,
        amount=_amount,
        while_suspended=True,
    ),
)

TIMED = (TimedKind(name=LAPSE, reads=reads_pledge_lapse, decide=decide_pledge_lapse),)
