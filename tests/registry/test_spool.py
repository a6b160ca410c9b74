"""Rows and bytes on disk: they are what memory would hold, however they came there."""

from itertools import count

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import spool
from registry.spool import Records, SortedRuns


class Row(msgspec.Struct, frozen=True):
    """A row with a key of two fields."""

    name: str
    number: int
    told: tuple[str, ...] = ()
    rank: int | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Its key."""
        return self.name, self.number


def key_of(row: Row) -> tuple[str, int]:
    return row.key


def runs(rows_in_memory: int) -> SortedRuns[Row]:
    return SortedRuns(Row, key_of, rows_in_memory=rows_in_memory)


rows = st.builds(
    Row,
    name=st.sampled_from(["a", "a-", "b", "é", "\U0001f600"]),
    number=st.integers(-3, 40),
    told=st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple),
    rank=st.none() | st.integers(-(2**63), 2**63 - 1),
)


@given(st.lists(rows, max_size=60), st.integers(1, 7))
def test_rows_in_runs_are_what_a_dictionary_would_hold(put: list[Row], in_memory: int) -> None:
    kept, plain = runs(in_memory), dict[tuple[str, int], Row]()
    for row in put:
        kept.put(row.key, row)
        plain[row.key] = row
        assert kept.in_memory < in_memory
        assert kept.get(row.key) == row
    assert list(kept) == [plain[key] for key in sorted(plain)]
    for name in ("", "a", "b", "z"):
        for number in range(-4, 42):
            assert kept.get((name, number)) == plain.get((name, number))


@pytest.mark.parametrize("rows_in_memory", [1, 2, 100])
def test_the_newest_row_counts_whichever_run_it_is_in(rows_in_memory: int) -> None:
    kept = runs(rows_in_memory)
    versions = 3 * spool.RUNS_A_LEVEL**2
    for rank in range(versions):
        kept.put(("a", rank % 5), Row("a", rank % 5, rank=rank))
    newest = {row.number: row.rank for row in kept}
    assert newest == {rank % 5: rank for rank in range(versions - 5, versions)}
    for number in newest:
        assert kept.get(("a", number)) == Row("a", number, rank=newest[number])


def test_runs_stay_few_however_many_rows_there_are() -> None:
    kept = runs(2)
    for number in range(2 * spool.RUNS_A_LEVEL**3):
        kept.put(("a", number), Row("a", number))
    assert [len(level) for level in kept._levels] == [0, 0, 0, 1]
    assert len(list(kept)) == 2 * spool.RUNS_A_LEVEL**3


def test_bytes_are_kept_by_number_in_any_order() -> None:
    kept, numbers = Records(), count()
    for number in (5, 0, 70, 3):
        kept.put(number, b"%d" % number * next(numbers))
    assert [kept.get(number) for number in (0, 3, 5, 70)] == [b"0", b"333", b"", b"7070"]
