"""What a report is, and what the functions that make one are given."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Final, Literal

from api.auth import Caller
from api.service import Service
from api.words import Words
from clearing.plan import pay_date
from registry.calendars import Calendar, date_at, parse_date, parse_offset
from registry.canonical import Json
from registry.entries import open_entry
from registry.model import CALENDARS, LOTS, PARTIES, POLICIES, VOUCHERS, Ledger, VoucherStatus
from registry.policy import Rules, parse_rules
from registry.ports import LedgerStore
from registry.refusals import BeyondCalendarError
from registry.tables import Get, Value
from registry.workdays import calendar_of

OWED: Final = ("face", "discharged", "cancelled")
OPEN: Final = frozenset({VoucherStatus.ISSUED, VoucherStatus.ACTIVE})
"""Statuses that count as a debtor's outstanding: from the issue on, accepted or not."""

Form = Literal["text", "id", "money", "count", "date", "percent"]
Cell = str | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its name in JSON and CSV, its words, and the form of its cells."""

    name: str
    words: Words
    form: Form = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Two ways to the same figure.

    Attributes:
        what: What should be equal, in words.
        here: As the report has it.
        there: As the ledger says otherwise.
        form: Of the figure.
    """

    what: str
    here: int
    there: int
    form: Form = "money"

    def json(self) -> dict[str, Json]:
        """Returns the check as JSON."""
        return {
            "what": self.what,
            "form": self.form,
            "here": str(self.here),
            "there": str(self.there),
            "agrees": self.here == self.there,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report.

    Attributes:
        columns: In the order in which they are read.
        rows: By column name; read once.
        totals: Figures over all rows, whatever part of them is asked for; money as text.
        checks: By which it reconciles to the ledger.
    """

    columns: tuple[Column, ...]
    rows: Iterable[Mapping[str, Cell]]
    totals: Mapping[str, Json] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, kw_only=True)
class View:
    """Who asks for a report, and as of what.

    Attributes:
        service: The ledger.
        caller: Who asks.
        size: Of the log, as of which everything is told.
        ledger: The ledger's facts as of then.
        time: Of the last entry, or the ledger's clock where the report is of now.
        day: The business day that the report is of.
    """

    service: Service
    caller: Caller
    size: int
    ledger: Ledger
    time: int
    day: date

    @property
    def store(self) -> LedgerStore:
        """Where committed state is read."""
        return self.service.store

    @cached_property
    def offset(self) -> int:
        """The zone's offset in minutes."""
        return parse_offset(self.ledger.zone)

    @cached_property
    def rules(self) -> Rules:
        """The rules in force then."""
        rows = self.store.select(POLICIES, as_of=self.size)
        return next((parse_rules(r.rules) for r in rows if r.policy == self.ledger.policy), Rules())

    @cached_property
    def calendar(self) -> Calendar | None:
        """The calendar by which pay dates rolled on then, if they did."""
        rule = self.rules.pay_day
        rows = self.store.select(CALENDARS, as_of=self.size)
        return next((calendar_of(r) for r in rows if rule and r.name == rule.calendar), None)

    def pays_on(self, due_on: str) -> date:
        """Returns the day on which what is due on a date is paid; provisional as it is due."""
        due = parse_date(due_on)
        try:
            return pay_date(due, self.calendar)
        except BeyondCalendarError:
            return due

    def days_late(self, due_on: str) -> int:
        """Returns how many days past its pay date something is; 0 or less if it is not."""
        return (self.day - self.pays_on(due_on)).days

    def day_of(self, time: int) -> str:
        """Returns the day of an instant."""
        return date_at(time, offset_minutes=self.offset).isoformat()

    def names(self, parties: Iterable[Value]) -> dict[str, str]:
        """Returns the names of parties."""
        wanted = tuple((party,) for party in dict.fromkeys(parties))
        found = self.store.fetch([Get(PARTIES, wanted)])[0] if wanted else ()
        return {row.party: row.name for row in found if row is not None}

    def live_lots(self) -> int:
        """Returns the sum of all live lots."""
        found = self.store.totals(LOTS, ("recourse",), sums=("amount",), as_of=self.size)
        return sum(amount for _, _, amount in found)

    def open_by_debtor(self, *, size: int | None = None) -> Iterator[tuple[str, str, int, int]]:
        """Yields debtor, status, number and open sum of its open vouchers, as of a size."""
        as_of = self.size if size is None else size
        found = self.store.totals(VOUCHERS, ("debtor", "status"), sums=OWED, as_of=as_of)
        for debtor, status, count, *sums in found:
            if status in OPEN:
                yield debtor, status, count, owed(*sums)


Maker = Callable[[View], Report]


def owed(face: int, discharged: int, cancelled: int) -> int:
    """Returns what is open of a face."""
    return face - discharged - cancelled


def percent(part: int, whole: int) -> str:
    """Returns a share as a percentage with two places, cut off: 89.99 is not yet 90."""
    hundredths = part * 10_000 // whole if whole else 0
    return f"{hundredths // 100}.{hundredths % 100:02}"


def time_at(store: LedgerStore, size: int) -> int:
    """Returns the time of the last entry of a log of a size."""
    return open_entry(next(iter(store.entries(size - 1, size)))).time
