"""Piles: what a worklist is made of, and what the functions that make them are given."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import islice
from typing import Final, TypeVar

from api.auth import Caller
from api.service import Service
from clearing.plan import pay_date
from clearing.rules.plans import pay_calendar
from registry.batch import Batch
from registry.calendars import Calendar, date_at, parse_date, parse_offset, start_of
from registry.canonical import Json
from registry.errors import InvariantBrokenError
from registry.ids import PartyId
from registry.model import ACCOUNTS, LOTS, PARTIES, VOUCHERS, Ledger, Party, Role
from registry.ports import LedgerStore
from registry.refusals import BeyondCalendarError
from registry.tables import Get, Record, Table, Value

R = TypeVar("R", bound=Record)

SHOWN_MAX: Final = 10
"""Lines of a pile that are shown; the lists have all of them."""

LOOKED_MAX: Final = 20_000
"""Rows that are looked at to find them."""

NEAR_PERCENT: Final = 90
"""Of a limit: from here on somebody should know."""

SOON_DAYS: Final = 3
"""How far a morning looks ahead: T+3, all days counted."""

OWED: Final = ("face", "discharged", "cancelled")
"""What it takes to say what is open of a voucher; see `owed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing of a pile.

    Attributes:
        id: Of what the reader will name when it acts.
        about: A voucher's number, or what a statement is.
        party: The other side.
        count: How many it stands for, where that is not one.
        amount: In minor units.
        on: The day by which, or on which.
        note: Something to know about it, as a word of `api.words`.
    """

    id: str
    about: str = ""
    party: str = ""
    count: int | None = None
    amount: int | None = None
    on: str = ""
    note: str = ""

    def json(self) -> dict[str, Json]:
        """Returns the line as JSON, without what it does not have."""
        told: dict[str, Json] = {"id": self.id}
        texts = {"about": self.about, "party": self.party, "on": self.on, "note": self.note}
        told |= {name: text for name, text in texts.items() if text}
        if self.count is not None:
            told["count"] = self.count
        return told if self.amount is None else {**told, "amount": str(self.amount)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pile:
    """What waits of one kind.

    Attributes:
        kind: Its name, of `api.words.PILES`.
        count: How many there are in all.
        amount: What they come to, where that is money.
        lines: The first of them; none where the reader may know how many, and no more.
        facts: Further figures by name; money as text.
    """

    kind: str
    count: int
    amount: int | None = None
    lines: tuple[Line, ...] = ()
    facts: Mapping[str, Json] = field(default_factory=dict)

    def json(self) -> dict[str, Json]:
        """Returns the pile as JSON."""
        told: dict[str, Json] = {
            "kind": self.kind,
            "count": self.count,
            "lines": [line.json() for line in self.lines],
        }
        if self.amount is not None:
            told["amount"] = str(self.amount)
        return {**told, **self.facts}


@dataclass(frozen=True, kw_only=True)
class Morning:
    """Who reads, for whom, and on which day.

    Attributes:
        service: The ledger.
        caller: Who reads.
        ledger: The ledger's facts.
        time: Now, by the ledger's clock, in milliseconds.
    """

    service: Service
    caller: Caller
    ledger: Ledger
    time: int

    @property
    def store(self) -> LedgerStore:
        """Where committed state is read."""
        return self.service.store

    @cached_property
    def offset(self) -> int:
        """The zone's offset in minutes."""
        return parse_offset(self.ledger.zone)

    @cached_property
    def today(self) -> date:
        """The business day."""
        return date_at(self.time, offset_minutes=self.offset)

    @cached_property
    def party(self) -> Party:
        """The caller's own row."""
        row = self.named(PARTIES, (self.caller.party,)).get(self.caller.party)
        if row is None:
            raise InvariantBrokenError(f"no party {self.caller.party}")
        return row

    @cached_property
    def holders(self) -> tuple[PartyId, ...]:
        """The caller, and the vehicles for which it signs."""
        mine = f"{self.caller.party}#"
        if Role.TRUSTEE not in self.caller.roles:
            return (self.caller.party,)
        found = (PartyId(str(party)) for (party,) in self.store.columns(PARTIES, ("party",)))
        return (self.caller.party, *sorted(party for party in found if party.startswith(mine)))

    @cached_property
    def _when(self) -> dict[str, str]:
        """What was told of due dates."""
        return {}

    @cached_property
    def live_by_due_date(self) -> list[tuple[str, int, int]]:
        """Due date, number and sum of all live lots, by date."""
        return sorted(self.store.totals(LOTS, ("due_on",), sums=("amount",)))

    @cached_property
    def calendar(self) -> Calendar | None:
        """The calendar by which pay dates roll on, if they do."""
        rows = Batch(self.store.fetch, self.service.rulebook.tables, index=0)
        return pay_calendar(rows, self.ledger)

    # --- days ---------------------------------------------------------------------

    def pays_on(self, due_on: str) -> date:
        """Returns the day on which what is due on a date is paid; provisional as it is due."""
        due = parse_date(due_on)
        try:
            return pay_date(due, self.calendar)
        except BeyondCalendarError:
            return due

    def when(self, due_on: str) -> str:
        """Tells whether something due on a date is `overdue`, paid `today`, `soon`, or `later`."""
        if due_on not in self._when:
            self._when[due_on] = self._tell_when(due_on)
        return self._when[due_on]

    def _tell_when(self, due_on: str) -> str:
        """Tells when something due on a date is paid."""
        day = self.pays_on(due_on)
        if day < self.today:
            return "overdue"
        if day == self.today:
            return "today"
        return "soon" if day <= self.today + timedelta(days=SOON_DAYS) else "later"

    def day_of(self, time: int) -> str:
        """Returns the day of an instant."""
        return date_at(time, offset_minutes=self.offset).isoformat()

    def last_day(self, time: int) -> str:
        """Returns the last day before an instant, which ends something."""
        return self.day_of(time - 1)

    def working_days_ago(self, n: int) -> int:
        """Returns the instant at which the n-th working day before today began."""
        day = self.today
        if self.calendar is None:
            day -= timedelta(days=n)
        else:
            day = self.calendar.add_worked_days(day, -n)
        return start_of(day, offset_minutes=self.offset)

    # --- rows ---------------------------------------------------------------------

    def rows(self, table: Table[R], name: str = "", value: Value = "") -> Iterator[R]:
        """Yields live rows, no more than anybody looks at in a morning."""
        return islice(self.store.select(table, field=name, value=value), LOOKED_MAX)

    def named(self, table: Table[R], keys: Iterable[Value]) -> dict[Value, R]:
        """Returns rows by their one-field keys."""
        wanted = tuple((key,) for key in dict.fromkeys(keys))
        found = self.store.fetch([Get(table, wanted)])[0] if wanted else ()
        return {key: row for (key,), row in zip(wanted, found, strict=True) if row is not None}

    def numbers(self, vouchers: Iterable[Value]) -> dict[Value, str]:
        """Returns vouchers' numbers."""
        return {key: row.voucher_no for key, row in self.named(VOUCHERS, vouchers).items()}

    def may_be_debited(self, accounts: Iterable[Value]) -> frozenset[Value]:
        """Returns those of the accounts that are verified and not frozen.

        The registry knows no bank's balances: that a mandate stands on an account that can be
        debited is all that it can say of how something due is funded.
        """
        rows = self.named(ACCOUNTS, accounts)
        return frozenset(key for key, row in rows.items() if row.verified and not row.frozen)


Finder = Callable[[Morning], Pile | None]


def first(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Returns the lines that are shown."""
    return tuple(islice(lines, SHOWN_MAX))


def owed(face: int, discharged: int, cancelled: int) -> int:
    """Returns what is open of a face."""
    return face - discharged - cancelled
