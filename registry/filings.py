"""Registrations elsewhere (中登网): what is stated of them, and the tasks that come with them.

The public registry of security in movables examines nothing, and neither do we: a right-
holder states number, instant, expiry and the certificate's digest of what it registered
there, and answers for it. What we add is when that was said, and what is due.
"""

from collections.abc import Iterator

from registry.burdens import (
    FILING_MOVES,
    FILINGS,
    TASKS,
    Filing,
    FilingStatus,
    Task,
    require_move,
)
from registry.calendars import Calendar, add_months, date_at, parse_date, parse_offset
from registry.effects import DeadlineCleared, DeadlineSet, Effect, Seal, Touch
from registry.encumbrance_refusals import (
    AheadOfTimeError,
    RegistrationTermError,
)
from registry.errors import InvariantBrokenError
from registry.fields import BusinessDate, FileRef, Instant, MachineText
from registry.ids import PartyId, Sid
from registry.model import CALENDARS
from registry.refusals import (
    CalendarUnknownError,
    DeadlinePassedError,
)
from registry.rights import end_instant, today_at
from registry.statements import Body, Now
from registry.tables import MutableRows, ReadPlan, Rows, replace, where
from registry.tasks import DEREGISTER, Work, last_day
from registry.workdays import ask_calendar, calendar_of

MONTHS_MIN, MONTHS_MAX = 1, 360
"""How long a registration may stand (RG-36)."""

EXPIRE, OVERDUE = "registration.expire", "registration.overdue"


class External(Body):
    """A registration elsewhere, as its certificate has it.

    `calendar` names the working days by which tasks about it are counted.
    """

    number: MachineText
    registered_at: Instant
    expires_on: BusinessDate
    certificate: FileRef
    calendar: MachineText


class FilingRecorded(Effect, frozen=True, kw_only=True):
    """A party has registered its right elsewhere."""

    filing: Sid
    subject: Sid
    voucher: Sid
    party: PartyId
    number: str
    registered_at: int
    expires_on: str
    certificate: str
    calendar: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the party."""
        return (("voucher", self.voucher), ("holder", self.party))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the registration."""
        row = Filing(
            filing=self.filing,
            subject=self.subject,
            voucher=self.voucher,
            party=self.party,
            number=self.number,
            registered_at=self.registered_at,
            expires_on=self.expires_on,
            certificate=self.certificate,
            calendar=self.calendar,
            status=FilingStatus.STANDING,
        )
        state.add(FILINGS, row)


class FilingEnded(Effect, frozen=True, kw_only=True):
    """A registration elsewhere stands no more."""

    filing: Sid
    voucher: Sid
    party: PartyId
    status: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the party."""
        return (("voucher", self.voucher), ("holder", self.party))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Sets the registration's status."""
        state.put(FILINGS, replace(known_filing(state, self.filing), status=self.status))


class FilingChanged(Effect, frozen=True, kw_only=True):
    """A registration elsewhere stands by another certificate, and perhaps longer."""

    filing: Sid
    voucher: Sid
    party: PartyId
    change: str
    number: str
    expires_on: str
    certificate: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the party."""
        return (("voucher", self.voucher), ("holder", self.party))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Sets expiry and certificate; number and instant stay those of the first one."""
        row = known_filing(state, self.filing)
        changed = replace(row, expires_on=self.expires_on, certificate=self.certificate)
        state.put(FILINGS, changed)


class TaskSet(Effect, frozen=True, kw_only=True):
    """A party has something to do elsewhere, by the end of a day."""

    task: Sid
    work: str
    subject: Sid
    party: PartyId
    due_on: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the task."""
        row = Task(
            task=self.task,
            work=self.work,
            subject=self.subject,
            party=self.party,
            due_on=self.due_on,
        )
        state.add(TASKS, row)


class TaskDone(Effect, frozen=True, kw_only=True):
    """A party has done, in time or late, what it had to do."""

    task: Sid

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Deletes the task."""
        state.delete(TASKS, self.task)


class TaskOverdue(Effect, frozen=True, kw_only=True):
    """The last day of a task is over, and it is not done."""

    task: Sid
    work: str
    subject: Sid
    party: PartyId

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the task."""
        row = state.get(TASKS, self.task)
        if row is None:
            raise InvariantBrokenError(f"no task {self.task}")
        state.put(TASKS, replace(row, is_overdue=True))


def require_term(registered_at: int, expires_on: BusinessDate, now: Now) -> None:
    """Checks the instant and the expiry of a registration elsewhere.

    Raises:
        AheadOfTimeError: It would have been registered later than now.
        RegistrationTermError: It would stand for less than a month or more than 30 years.
        DeadlinePassedError: It has expired.
    """
    if registered_at > now.time:
        raise AheadOfTimeError(what="registered_at", at=registered_at, time=now.time)
    first = date_at(registered_at, offset_minutes=parse_offset(now.facts.zone))
    if not add_months(first, MONTHS_MIN) <= expires_on <= add_months(first, MONTHS_MAX):
        raise RegistrationTermError(first=first.isoformat(), expires_on=expires_on.isoformat())
    if end_instant(expires_on, now) <= now.time:
        raise DeadlinePassedError(deadline=expires_on.isoformat())


def expiry_of(filing: Filing, now: Now) -> int:
    """Returns the instant at which a registration stands no more."""
    return end_instant(parse_date(filing.expires_on), now)


def recorded(
    external: External, now: Now, *, filing: Sid, subject: Sid, voucher: Sid, party: PartyId
) -> tuple[Effect, ...]:
    """Returns what follows when a registration elsewhere is stated."""
    made = FilingRecorded(
        filing=filing,
        subject=subject,
        voucher=voucher,
        party=party,
        number=external.number,
        registered_at=external.registered_at,
        expires_on=external.expires_on.isoformat(),
        certificate=external.certificate.digest,
        calendar=external.calendar,
    )
    at = end_instant(external.expires_on, now)
    return (made, DeadlineSet(at=at, kind=EXPIRE, id=filing))


def known_filing(state: Rows, filing: str) -> Filing:
    """Returns a registration that an earlier entry has recorded."""
    row = state.get(FILINGS, filing)
    if row is None:
        raise InvariantBrokenError(f"no registration {filing}")
    return row


def ended(filing: Filing, to: FilingStatus) -> FilingEnded:
    """Returns the effect that a registration stands no more.

    Raises:
        MoveNotAllowedError: It does not stand.
    """
    require_move(FILING_MOVES, filing.filing, status=filing.status, to=to)
    return FilingEnded(filing=filing.filing, voucher=filing.voucher, party=filing.party, status=to)


# --- Tasks ------------------------------------------------------------------------


def reads_tasks(subject: str) -> ReadPlan:
    """Asks for the registrations of a right with their calendars, and for the tasks about it."""
    filings = yield from where(FILINGS, "subject", subject)
    yield from where(TASKS, "subject", subject)
    for filing in filings:
        yield from ask_calendar(filing.calendar)


def calendar_for(state: Rows, name: str) -> Calendar:
    """Returns a published calendar.

    Raises:
        CalendarUnknownError: None of that name is.
    """
    row = state.get(CALENDARS, name)
    if row is None:
        raise CalendarUnknownError(calendar=name)
    return calendar_of(row)


def done(state: Rows, now: Now, *, subject: Sid, party: PartyId, work: Work) -> Iterator[Effect]:
    """Yields the effects of work that a party has done on a right, if it was its task."""
    for task in state.where(TASKS, "subject", subject):
        if task.party == party and task.work == work:
            yield TaskDone(task=task.task)
            if not task.is_overdue:
                at = end_instant(parse_date(task.due_on), now)
                yield DeadlineCleared(at=at, kind=OVERDUE, id=task.task)


def to_do(
    now: Now, *, task: Sid, work: Work, subject: Sid, party: PartyId, due_on: BusinessDate
) -> tuple[Effect, ...]:
    """Returns the effects of a new task: it is overdue when its last day is over."""
    made = TaskSet(task=task, work=work, subject=subject, party=party, due_on=due_on.isoformat())
    return (made, DeadlineSet(at=end_instant(due_on, now), kind=OVERDUE, id=task))


def extinct(state: Rows, now: Now, *, subject: Sid, ended_by: Sid) -> Iterator[Effect]:
    """Yields the tasks that the end of a right brings: whoever registered it deregisters it."""
    for filing in state.where(FILINGS, "subject", subject):
        if filing.status == FilingStatus.STANDING:
            calendar = calendar_for(state, filing.calendar)
            due_on = last_day(DEREGISTER, since=today_at(now), calendar=calendar)
            yield from to_do(
                now,
                task=ended_by,
                work=Work.DEREGISTER,
                subject=subject,
                party=filing.party,
                due_on=due_on,
            )
