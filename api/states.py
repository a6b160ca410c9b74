"""Finds what stands where in the log: state entries and what proves them; the size at a date."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from registry.calendars import parse_offset, start_of
from registry.entries import open_entry
from registry.ports import LedgerStore
from registry.proofs import committed_state
from registry.snapshots import Prover


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEntry:
    """Where a commitment to the whole state stands, and as of which size it is told."""

    index: int
    at: int
    time: int


PROVERS_KEPT = 2
"""State entries whose trees are kept: who asks for many proofs asks against the newest."""


class StateIndex:
    """The log's state entries; reads each once, and only when somebody asks."""

    def __init__(self, store: LedgerStore) -> None:
        """Starts with nothing read."""
        self._store = store
        self._read = 0
        self._found: list[StateEntry] = []
        self._lock = threading.Lock()
        self._provers: OrderedDict[tuple[int, str], Prover] = OrderedDict()
        self._proving = threading.Lock()

    def prover(self, index: int, family: str) -> Prover:
        """Returns what proves a family against a state entry; making it reads the whole state.

        Raises:
            SnapshotUnknownError: No state entry stands there.
        """
        # One at a time: who waits here mostly waits for the one that is being made.
        with self._proving:
            prover = self._provers.get((index, family))
            if prover is None:
                prover = Prover(self._store, state_index=index, family=family)
                self._provers[index, family] = prover
                if len(self._provers) > PROVERS_KEPT:
                    self._provers.popitem(last=False)
            self._provers.move_to_end((index, family))
            return prover

    def entries(self) -> Sequence[StateEntry]:
        """Returns all state entries of the log, in order."""
        with self._lock:
            size = self._store.size()
            for entry in map(open_entry, self._store.state_entries(self._read, size)):
                at = int(committed_state(entry)["at"])
                self._found.append(StateEntry(index=entry.index, at=at, time=entry.time))
            self._read = size
            return tuple(self._found)


def size_at(store: LedgerStore, day: date, *, zone: str) -> int:
    """Returns the log's size when a day began in the ledger's zone."""
    return size_before(store, start_of(day, offset_minutes=parse_offset(zone)))


def size_before(store: LedgerStore, instant: int) -> int:
    """Returns how many entries are older than an instant."""
    low, high = 0, store.size()
    while low < high:
        middle = (low + high) // 2
        if open_entry(next(iter(store.entries(middle, middle + 1)))).time < instant:
            low = middle + 1
        else:
            high = middle
    return low
