"""Columns are what the rows say, in every store."""

import operator
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.errors import InvariantBrokenError
from registry.ports import LedgerStore
from registry.store.memory import MemoryStore
from registry.tables import Minor
from tests.postgres import ENGINES
from tests.registry.store.databases import sql_store
from tests.registry.store.parts import ALL, PARTS, Part, commit, end, part, put


@pytest.fixture(params=["memory", *ENGINES])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerStore]:
    if request.param == "memory":
        yield MemoryStore(ALL)
        return
    with sql_store(request.param, tmp_path, ALL) as sql:
        yield sql


def test_columns_are_those_of_the_rows_as_of_any_size(store: LedgerStore) -> None:
    epoch = store.acquire()
    one, two = part(), part(number=2, colour="blue")
    store.append(commit(0, 2, put(0, PARTS, one), put(1, PARTS, two)), expected_size=0,
                 epoch=epoch)  # fmt: skip
    store.append(commit(2, 1, end(2, PARTS, "acme", 1)), expected_size=2, epoch=epoch)
    names = Part.__struct_fields__
    for size in (0, 1, 2, 3, None):
        rows = list(store.select(PARTS, as_of=size))
        for order in (("number",), ("colour", "number"), ("number", "owner")):
            for name in reversed(order):
                rows.sort(key=operator.attrgetter(name))
            found = store.columns(PARTS, names, order=order, as_of=size)
            assert list(found) == [tuple(getattr(row, n) for n in names) for row in rows]
    assert store.gather(PARTS, ("number",), field="colour", values=("red",)) == []
    gathered = store.gather(PARTS, names, field="colour", values=("blue", "red", "none"))
    assert gathered == [tuple(getattr(two, name) for name in names)]
    by_colour = store.columns(PARTS, ("number",), field="colour", value="red", as_of=2)
    assert list(by_colour) == [(1,)]
    assert list(store.columns(PARTS, ("number",), field="colour", value="red")) == []


def test_totals_are_those_of_the_rows_as_of_any_size(store: LedgerStore) -> None:
    epoch = store.acquire()
    rows = [
        part(number=1, price=Minor(2**53), is_open=True),
        part(number=2, colour="blue", note="n"),
        part(number=3, price=Minor(5)),
        part("bolt", number=1, colour="blue", amount=Minor(2**53)),
    ]
    puts = [put(at, PARTS, row) for at, row in enumerate(rows)]
    store.append(commit(0, 4, *puts), expected_size=0, epoch=epoch)
    store.append(commit(4, 1, end(4, PARTS, "acme", 1)), expected_size=4, epoch=epoch)
    for size in (0, 1, 3, 4, 5, None):
        for by in (("colour",), ("owner", "is_open"), ("note",), ("checked", "amount")):
            expected: dict[tuple[object, ...], list[int]] = {}
            for row in store.select(PARTS, as_of=size):
                total = expected.setdefault(tuple(getattr(row, n) for n in by), [0, 0, 0])
                total[0] += 1
                total[1] += row.amount
                total[2] += row.price or 0
            found = store.totals(PARTS, by, sums=("amount", "price"), as_of=size)
            assert {each[: len(by)]: [*each[len(by) :]] for each in found} == expected
            assert len(found) == len(expected)
    assert store.totals(PARTS, ("owner",), field="colour", value="red") == [("acme", 1)]
    assert store.totals(PARTS, ("owner",), field="colour", value="red", as_of=4) == [("acme", 2)]
    with pytest.raises(InvariantBrokenError):
        store.totals(PARTS, ("owner",), field="note", value="n")
