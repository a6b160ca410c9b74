"""Registrations elsewhere (中登网) of transfers: undertaken, stated, changed, cancelled, expired.

A registration makes no transfer effective, but it orders rights (see `registry.priority`):
so whoever acquired a lot registers it, states number, time and expiry here, and keeps them
up. Pledges are stated by `pledge.register`; what becomes of the statement is the same.
An undertaking to register is a task with a last day, and the log says when that has passed.
Of what a transfer brought any lot will do, and stands for all of it.

Source: SD-16, RG-07, RG-36; art. 66 of the interpretation on security;
docs/explanation/encumbrances.md.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from registry.burdens import FILING_MOVES, FILINGS, TASKS, Filing, FilingStatus, require_move
from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect
from registry.encumbrance_refusals import (
    AheadOfTimeError,
    AlreadyRegisteredError,
    AlreadyUndertakenError,
    NotRegistrantError,
)
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, BusinessDate, FileRef, Instant, LotField, MachineText
from registry.filings import (
    EXPIRE,
    OVERDUE,
    External,
    FilingChanged,
    TaskOverdue,
    calendar_for,
    done,
    ended,
    expiry_of,
    known_filing,
    reads_tasks,
    recorded,
    require_term,
    to_do,
)
from registry.model import HOLDER_ROLES, LOTS, Lot
from registry.refusals import (
    DeadlinePassedError,
    LotNotFoundError,
    NotHolderError,
)
from registry.rights import end_instant
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import ReadPlan, Rows, get, where
from registry.tasks import Term, Work, last_day
from registry.workdays import ask_calendar

DAYS_MAX = 366
"""Of an undertaking."""


class RegistrationUndertake(Body):
    """A word to register the transfer that brought a lot, within so many working days of a day."""

    lot: LotField
    since: BusinessDate
    working_days: Annotated[int, Field(ge=1, le=DAYS_MAX)]
    calendar: MachineText


class RegistrationRecord(External):
    """A registration elsewhere of the transfer that brought a lot, by whoever acquired it."""

    lot: LotField


class Change(StrEnum):
    """What was done about a registration elsewhere: 变更登记, 展期登记."""

    AMENDED = "amended"
    RENEWED = "renewed"


class RegistrationChange(Body):
    """A registration elsewhere was amended, or renewed to stand longer."""

    change: Annotated[Change, LENIENT]
    number: MachineText
    changed_at: Instant
    expires_on: BusinessDate
    certificate: FileRef


class RegistrationCancel(Body):
    """A registration elsewhere was cancelled (注销登记)."""

    number: MachineText
    cancelled_at: Instant
    certificate: FileRef


# --- Undertaking and recording --------------------------------------------------------


def reads_transfer(statement: Statement[Any], _now: Now) -> ReadPlan:
    """Asks for the lot, for registrations and tasks of its transfer, and for the calendar."""
    lot = yield from get(LOTS, statement.body.lot)
    if lot is not None:
        yield from reads_tasks(lot.acquired)
    yield from ask_calendar(statement.body.calendar)


def _acquired(state: Rows, statement: Statement[Any]) -> Lot:
    """Returns the lot, which the signer has acquired by the transfer in question.

    Raises:
        LotNotFoundError: There is none.
        NotHolderError: The signer does not hold it.
    """
    lot = state.get(LOTS, statement.body.lot)
    if lot is None:
        raise LotNotFoundError(lot=statement.body.lot)
    if lot.holder != statement.by:
        raise NotHolderError(lot=lot.lot, by=statement.by)
    return lot


def decide_registration_undertake(
    state: Rows, statement: Statement[RegistrationUndertake], now: Now
) -> tuple[Effect, ...]:
    """Undertakes to register a transfer in time; when the last day is over it is overdue.

    Raises:
        LotNotFoundError: There is no such lot.
        NotHolderError: The signer does not hold it.
        AlreadyUndertakenError: The signer has undertaken this.
        CalendarUnknownError: No calendar of that name is published.
        DeadlinePassedError: The last day is over.
    """
    body = statement.body
    transfer = _acquired(state, statement).acquired
    for task in state.where(TASKS, "subject", transfer):
        if task.party == statement.by and task.work == Work.REGISTER:
            raise AlreadyUndertakenError(party=statement.by, subject=transfer, task=task.task)
    calendar = calendar_for(state, body.calendar)
    term = Term(days=body.working_days, by_working_days=True)
    due_on = last_day(term, since=body.since, calendar=calendar)
    if end_instant(due_on, now) <= now.time:
        raise DeadlinePassedError(deadline=due_on.isoformat())
    return to_do(
        now,
        task=statement.sid,
        work=Work.REGISTER,
        subject=transfer,
        party=statement.by,
        due_on=due_on,
    )


def decide_registration_record(
    state: Rows, statement: Statement[RegistrationRecord], now: Now
) -> tuple[Effect, ...]:
    """States that a transfer is registered elsewhere, as whoever holds what it brought.

    Raises:
        LotNotFoundError: There is no such lot.
        NotHolderError: The signer does not hold it.
        AlreadyRegisteredError: A registration of the signer's stands.
        AheadOfTimeError: It would have been registered later than now.
        RegistrationTermError: It would stand for less than a month or more than 30 years.
        DeadlinePassedError: It has expired.
        CalendarUnknownError: No calendar of that name is published.
    """
    body = statement.body
    lot = _acquired(state, statement)
    for filing in state.where(FILINGS, "subject", lot.acquired):
        if filing.party == statement.by and filing.status == FilingStatus.STANDING:
            raise AlreadyRegisteredError(
                subject=lot.acquired, party=statement.by, filing=filing.filing
            )
    require_term(body.registered_at, body.expires_on, now)
    calendar_for(state, body.calendar)

    # Past this line the record must succeed.
    return (
        *recorded(
            body,
            now,
            filing=statement.sid,
            subject=lot.acquired,
            voucher=lot.voucher,
            party=statement.by,
        ),
        *done(state, now, subject=lot.acquired, party=statement.by, work=Work.REGISTER),
    )


# --- Changing and cancelling ----------------------------------------------------------


def reads_filing(statement: Statement[Any], _now: Now) -> ReadPlan:
    """Asks for the registration, and for the tasks about its subject."""
    filing = yield from get(FILINGS, statement.re or "")
    if filing is not None:
        yield from where(TASKS, "subject", filing.subject)


def _own(state: Rows, statement: Statement[Any], to: FilingStatus) -> Filing:
    """Returns the signer's registration, if it may pass to a status.

    Raises:
        NotRegistrantError: It is another party's.
        MoveNotAllowedError: It stands no more.
    """
    filing = known_filing(state, statement.re or "")
    if filing.party != statement.by:
        raise NotRegistrantError(filing=filing.filing, by=statement.by)
    require_move(FILING_MOVES, filing.filing, status=filing.status, to=to)
    return filing


def decide_registration_change(
    state: Rows, statement: Statement[RegistrationChange], now: Now
) -> tuple[Effect, ...]:
    """States that a registration elsewhere was amended or renewed; its rank stays.

    Raises:
        NotRegistrantError: The registration is another party's.
        MoveNotAllowedError: It stands no more.
        AheadOfTimeError: It would have been changed later than now.
        RegistrationTermError: It would stand for less than a month or more than 30 years
            from its first day.
        DeadlinePassedError: It would have expired.
        MalformedError: An amendment moves the expiry, or a renewal does not move it on.
    """
    body = statement.body
    filing = _own(state, statement, FilingStatus.STANDING)
    if body.changed_at > now.time:
        raise AheadOfTimeError(what="changed_at", at=body.changed_at, time=now.time)
    require_term(filing.registered_at, body.expires_on, now)
    expires_on, before = body.expires_on.isoformat(), filing.expires_on
    is_renewed = body.change is Change.RENEWED
    if expires_on < before or (expires_on > before) is not is_renewed:
        raise MalformedError(what="expires_on", reason=f"{body.change}, and it was {before}")

    # Past this line the change must succeed.
    changed = FilingChanged(
        filing=filing.filing,
        voucher=filing.voucher,
        party=filing.party,
        change=body.change,
        number=body.number,
        expires_on=expires_on,
        certificate=body.certificate.digest,
    )
    if not is_renewed:
        return (changed,)
    at = end_instant(body.expires_on, now)
    return (
        changed,
        _expiry_cleared(filing, now),
        DeadlineSet(at=at, kind=EXPIRE, id=filing.filing),
    )


def _expiry_cleared(filing: Filing, now: Now) -> DeadlineCleared:
    """Returns the effect that a registration's expiry is met or moot."""
    return DeadlineCleared(at=expiry_of(filing, now), kind=EXPIRE, id=filing.filing)


def decide_registration_cancel(
    state: Rows, statement: Statement[RegistrationCancel], now: Now
) -> tuple[Effect, ...]:
    """States that a registration elsewhere was cancelled; the task to do so is done.

    Raises:
        NotRegistrantError: The registration is another party's.
        MoveNotAllowedError: It stands no more.
        AheadOfTimeError: It would have been cancelled later than now.
    """
    filing = _own(state, statement, FilingStatus.CANCELLED)
    at = statement.body.cancelled_at
    if at > now.time:
        raise AheadOfTimeError(what="cancelled_at", at=at, time=now.time)
    return (
        ended(filing, FilingStatus.CANCELLED),
        _expiry_cleared(filing, now),
        *done(state, now, subject=filing.subject, party=filing.party, work=Work.DEREGISTER),
    )


# --- Time -----------------------------------------------------------------------------


def reads_registration_expire(due: Due, _now: Now) -> ReadPlan:
    """Asks for the registration."""
    yield from get(FILINGS, due.id)


def decide_registration_expire(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends a registration that was not renewed in time."""
    expired = ended(known_filing(state, due.id), FilingStatus.EXPIRED)
    return (expired, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))


def reads_registration_overdue(due: Due, _now: Now) -> ReadPlan:
    """Asks for the task."""
    yield from get(TASKS, due.id)


def decide_registration_overdue(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Raises the alarm: the last day of a task is over."""
    task = state.get(TASKS, due.id)
    if task is None:
        raise InvariantBrokenError(f"{due.kind} of no task {due.id}")
    overdue = TaskOverdue(task=task.task, work=task.work, subject=task.subject, party=task.party)
    return (overdue, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))


_ANSWERS = {"registration.record": FILINGS, "pledge.register": FILINGS}

KINDS = (
    Kind(
        name="registration.undertake",
        body=RegistrationUndertake,
        signers=HOLDER_ROLES,
        relation="who holds the lot",
        reads=reads_transfer,
        decide=decide_registration_undertake,
    ),
    Kind(
        name="registration.record",
        body=RegistrationRecord,
        signers=HOLDER_ROLES,
        relation="who holds the lot",
        reads=reads_transfer,
        decide=decide_registration_record,
    ),
    Kind(
        name="registration.change",
        body=RegistrationChange,
        signers=HOLDER_ROLES,
        relation="who stated the registration",
        answers=_ANSWERS,
        reads=reads_filing,
        decide=decide_registration_change,
    ),
    Kind(
        name="registration.cancel",
        body=RegistrationCancel,
        signers=HOLDER_ROLES,
        relation="who stated the registration",
        answers=_ANSWERS,
        reads=reads_filing,
        decide=decide_registration_cancel,
        while_suspended=True,
    ),
)

TIMED = (
    TimedKind(name=EXPIRE, reads=reads_registration_expire, decide=decide_registration_expire),
    TimedKind(name=OVERDUE, reads=reads_registration_overdue, decide=decide_registration_overdue),
)
