"""All reports by name, who may ask for each, and a page of one as JSON."""

from collections.abc import Mapping
from datetime import date
from itertools import islice
from typing import Final

from api.auth import Caller
from api.errors import NotFoundError
from api.reports import alerts, daily, debts, lots, statements
from api.reports.report import Cell, Maker, View, time_at
from api.service import Service
from api.words import REPORTS as REPORT_WORDS
from registry.calendars import date_at, parse_offset
from registry.canonical import Json
from registry.model import LEDGER, Ledger

ROWS_DEFAULT: Final = 1_000
ROWS_MAX: Final = 10_000
"""Rows of one page; further ones by `after`."""


REPORTS: Final[Mapping[str, Maker]] = {
    "outstanding": debts.outstanding,
    "overdue": debts.overdue,
    "splitting": lots.splitting,
    "unacknowledged": lots.unacknowledged,
    "daily": daily.daily,
    "statement": statements.statement,
    "alerts": alerts.alerts,
}


def report_of(
    service: Service,
    caller: Caller,
    name: str,
    *,
    as_of: int | None,
    day: date | None,
    limit: int,
    after: int,
) -> dict[str, Json]:
    """Returns a page of a report.

    Args:
        service: The ledger.
        caller: Who asks, in a role that may.
        name: Of the report.
        as_of: A size of the log; now without it.
        day: The business day; that of the size without it.
        limit: Rows of a page.
        after: Rows that earlier pages have told.

    Raises:
        NotFoundError: There is no ledger yet, or was none as of that size.
    """
    view = _view(service, caller, as_of=as_of, day=day)
    report = REPORTS[name](view)
    rows = list(islice(report.rows, after, after + limit + 1))
    page: dict[str, Json] = {
        "report": name,
        "title": [*REPORT_WORDS[name]],
        "as_of": view.size,
        "day": view.day.isoformat(),
        "columns": [{"name": c.name, "words": [*c.words], "form": c.form} for c in report.columns],
        "data": [_told(row, {c.name: c.form for c in report.columns}) for row in rows[:limit]],
        "has_more": len(rows) > limit,
        "totals": dict(report.totals),
        "checks": [check.json() for check in report.checks],
    }
    if page["has_more"]:
        page["next"] = after + limit
    return page


def _view(service: Service, caller: Caller, *, as_of: int | None, day: date | None) -> View:
    """Pins what is told to one size of the log."""
    size = service.store.size() if as_of is None else as_of
    ledger: Ledger | None = next(iter(service.store.select(LEDGER, as_of=size)), None)
    if ledger is None:
        raise NotFoundError(what="ledger", name="before genesis")
    if as_of is not None:
        time = time_at(service.store, size)
    else:
        time = ledger.time if ledger.clock == "manual" else service.wall.now()
    today = date_at(time, offset_minutes=parse_offset(ledger.zone))
    return View(
        service=service,
        caller=caller,
        size=size,
        ledger=ledger,
        time=time,
        day=today if day is None else day,
    )


def _told(row: Mapping[str, Cell], forms: Mapping[str, str]) -> dict[str, Json]:
    """Returns a row as JSON: money as text, and nothing for what it does not have."""
    return {
        name: str(value) if forms[name] == "money" else value
        for name, value in row.items()
        if value is not None
    }
