"""Finds what stands where in the log: state entries, and the size at a date."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from registry.calendars import parse_offset, start_of
from registry.entries import open_entry
from registry.ports import LedgerStore
from registry.proofs import committed_state

_STATE = b'"kind":"state"'


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEntry:
    """Where a commitment to the whole state stands, and as of which size it is told."""

    index: int
    at: int
    time: int


class StateIndex:
    """The log's state entries; reads each entry once, and only when somebody asks."""

    def __init__(self, store: LedgerStore) -> None:
        """Starts with nothing read."""
        self._store = store
        self._read = 0
        self._found: list[StateEntry] = []
        self._lock = threading.Lock()

    def entries(self) -> Sequence[StateEntry]:
        """Returns all state entries of the log, in order."""
        with self._lock:
            size = self._store.size()
            for index, data in enumerate(self._store.entries(self._read, size), self._read):
                # Only a top-level member can look like this: text in statements is encoded,
                # and quotation marks in strings are escaped.
                if _STATE in data and (entry := open_entry(data)).kind == "state":
                    at = int(committed_state(entry)["at"])
                    self._found.append(StateEntry(index=index, at=at, time=entry.time))
            self._read = size
            return tuple(self._found)


def size_at(store: LedgerStore, day: date, *, zone: str) -> int:
    """Returns the log's size when a day began in the ledger's zone."""
    instant = start_of(day, offset_minutes=parse_offset(zone))
    low, high = 0, store.size()
    while low < high:
        middle = (low + high) // 2
        if open_entry(next(iter(store.entries(middle, middle + 1)))).time < instant:
            low = middle + 1
        else:
            high = middle
    return low
