"""Random histories: all stores answer as a replay of all changes does."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ports import Commit, LedgerStore
from registry.store.memory import MemoryStore
from registry.store.sql import SqlStore
from registry.tables import Get, Minor, Read, Where
from tests.postgres import VERSIONS, is_there
from tests.registry.store.databases import fresh_ledger, sql_store
from tests.registry.store.parts import ALL, PARTS, Part, commit, end, part, put

_CHANGES = st.tuples(
    st.integers(0, 3),  # entry within the commit
    st.sampled_from("ab"),
    st.integers(1, 2),
    st.sampled_from(["red", "blue", None]),  # None ends the row
    st.integers(0, 9),
)
_COMMITS = st.lists(st.lists(_CHANGES, max_size=8), min_size=1, max_size=4)
_PER_COMMIT = 4


def history(commits: Sequence[Sequence[tuple[int, str, int, str | None, int]]]) -> list[Commit]:
    made = []
    for number, changes in enumerate(commits):
        start = number * _PER_COMMIT
        made.append(
            commit(
                start,
                _PER_COMMIT,
                *(
                    put(start + at, PARTS, part(owner, key, colour=colour, amount=Minor(amount)))
                    if colour is not None
                    else end(start + at, PARTS, owner, key)
                    for at, owner, key, colour, amount in sorted(changes, key=lambda c: c[0])
                ),
            )
        )
    return made


def replayed(commits: Sequence[Commit], size: int) -> list[Part]:
    """The naive answer: a dictionary, and every change up to the size."""
    rows: dict[Any, Any] = {}
    for change in (change for made in commits for change in made.changes):
        if change.index < size:
            rows[change.key] = change.row
    return [rows[key] for key in sorted(rows) if rows[key] is not None]


@pytest.fixture(scope="module")
def sql_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[SqlStore]]:
    folder = tmp_path_factory.mktemp("agreement")
    engines = ["sqlite", *(f"postgresql-{version}" for version in filter(is_there, VERSIONS))]
    with ExitStack() as stack:
        yield [stack.enter_context(sql_store(engine, folder, ALL)) for engine in engines]


@given(changes=_COMMITS)
def test_all_stores_answer_as_a_replay_does(
    sql_stores: list[SqlStore],
    changes: list[list[tuple[int, str, int, str | None, int]]],
) -> None:
    commits = history(changes)
    size = len(commits) * _PER_COMMIT
    for sql in sql_stores:
        # To open a store takes longer than an example; another ledger is as empty.
        sql._ledger_id = sql._live._ledger_id = sql._writer_reads._ledger_id = fresh_ledger()
    stores: list[LedgerStore] = [MemoryStore(ALL), *sql_stores]
    for store in stores:
        epoch = store.acquire()
        for number, made in enumerate(commits):
            store.append(made, expected_size=number * _PER_COMMIT, epoch=epoch)
    for as_of in [*range(size + 2), None]:
        want = replayed(commits, size if as_of is None else as_of)
        reds = [row for row in want if row.colour == "red"]
        for store in stores:
            assert list(store.select(PARTS, as_of=as_of)) == want
            red = store.select(PARTS, field="colour", value="red", as_of=as_of)
            assert list(red) == reds
    live = replayed(commits, size)
    keys = tuple((owner, number) for owner in "bca" for number in (2, 1))
    by_key = {PARTS.key_of(row): row for row in live}
    reads: list[Read] = [
        Get(PARTS, keys),
        Where(PARTS, "colour", "blue"),
        Where(PARTS, "number", 2),
    ]
    for each in (*stores, *(store.writer_reads() for store in stores)):
        assert each.fetch(reads) == [
            tuple(map(by_key.get, keys)),
            tuple(row for row in live if row.colour == "blue"),
            tuple(row for row in live if row.number == 2),
        ]
