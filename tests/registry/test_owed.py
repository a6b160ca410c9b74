"""States that are owed: as of their request, whatever has happened since."""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import pytest

from registry.commitments import Commitments, StateCommitted
from registry.model import COMMITTED, HISTORIES, LOTS, STATE_REQUESTS, StateRequest
from registry.owed import OwedStates
from registry.store.memory import MemoryStore
from registry.tables import Read, Table
from tests.logs import story
from tests.registry.test_commitments import histories_at, rows_at

SIZE = len(story().entries)


class Owing(MemoryStore):
    """The story's store, as if no state had been sealed since some were asked for."""

    requests: tuple[int, ...]
    lots_read: list[str]

    def select(self, table: Table[Any], **how: Any) -> Iterator[Any]:
        if table is LOTS:
            self.lots_read.append(how.get("field", ""))
        if table is STATE_REQUESTS:
            return (StateRequest(at=at, time=0) for at in self.requests)
        return iter(()) if table in (COMMITTED, HISTORIES) else super().select(table, **how)

    def fetch(self, reads: Sequence[Read]) -> list[tuple[Any, ...]]:
        return [
            (None,) * len(read.keys) if read.table is HISTORIES else answer  # type: ignore[union-attr]
            for read, answer in zip(reads, super().fetch(reads), strict=True)
        ]


def owing(*requests: int) -> Owing:
    store: Any = copy(story().world.store)
    store.__class__ = Owing
    store.requests, store.lots_read = requests, []
    return store  # type: ignore[no-any-return]


def naive(at: int) -> StateCommitted:
    """Commits to every bucket as of a size, from rows as of it."""
    commitments, histories = Commitments(), histories_at(at)
    commitments.update(rows_at(at).fetch, histories)
    return commitments.roots(at=at, grown=histories)


def test_a_state_owed_since_any_entry_is_as_of_that_entry() -> None:
    for at in range(1, SIZE + 1):
        owed = OwedStates(owing(at))
        owed.restore()
        assert owed.states == [naive(at)], at


@pytest.mark.parametrize("first", range(1, SIZE, 7))
def test_of_two_owed_states_the_second_has_what_has_grown_since_the_first(first: int) -> None:
    for second in range(first + 1, SIZE + 1, 5):
        owed = OwedStates(owing(first, second))
        owed.restore()
        before, after = naive(first), naive(second)
        assert owed.states[0] == before
        assert (owed.states[1].holder, owed.states[1].voucher) == (after.holder, after.voucher)
        known = {(row.family, row.bucket): row for row in before.histories}
        grown = [row for row in after.histories if known.get((row.family, row.bucket)) != row]
        assert list(owed.states[1].histories) == grown


def test_what_is_asked_for_now_is_computed_from_what_is_owed() -> None:
    owed = OwedStates(owing(SIZE // 2))
    owed.restore()
    owed.compute(at=SIZE)
    last = naive(SIZE)
    assert (owed.states[-1].holder, owed.states[-1].voucher) == (last.holder, last.voucher)


def test_the_first_state_after_a_start_reads_the_lots_of_touched_buckets_alone() -> None:
    store: Any = copy(story().world.store)
    store.__class__ = Owing
    store.requests, store.lots_read = (), []
    OwedStates(store).compute(at=SIZE)
    assert store.lots_read == []
