"""Policies and calendars ready to be published: data files, and nothing that decides.

A pack is the body of `policy.publish` or of `calendar.publish`, but for the day with which
a policy takes effect; genesis takes the same. Once it is in the log the file no longer
matters: rules are read from the log alone.
"""

import json
from importlib.resources import files
from typing import Any

from registry.calendars import Calendar
from registry.canonical import Json
from registry.workdays import CalendarBody

POLICY_PACKS = ("cn-2025", "cn-6m", "plain")
CALENDAR_PACKS = ("CN-LEGAL", "CN-PAYMENT", "CN-TRADING")


def policy_pack(name: str) -> dict[str, Json]:
    """Reads a policy: its name, version and rules.

    Raises:
        KeyError: There is no such pack.
    """
    return _read("policies", name, among=POLICY_PACKS)


def calendar_pack(name: str) -> dict[str, Json]:
    """Reads a calendar: its name, first and last day, holidays, and worked days of weekends.

    Raises:
        KeyError: There is no such pack.
    """
    return _read("calendars", name, among=CALENDAR_PACKS)


def packed_calendar(name: str) -> Calendar:
    """Builds the calendar of a pack.

    Raises:
        KeyError: There is no such pack.
    """
    return CalendarBody.model_validate(calendar_pack(name)).calendar()


def _read(folder: str, name: str, *, among: tuple[str, ...]) -> dict[str, Json]:
    """Reads a data file of this package."""
    if name not in among:
        raise KeyError(name)
    path = files(__name__) / folder / f"{name}.json"
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return body
