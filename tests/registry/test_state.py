"""Rows in memory, rows of a batch over a store, and the guard of declared reads."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.batch import Batch
from registry.effects import Due, Effect
from registry.errors import InvariantBrokenError
from registry.kinds import KINDS, TIMED, Rulebook
from registry.model import ACCOUNTS, LOTS, OFFERS, PARTIES, TABLES, Role
from registry.state import MemoryRows
from registry.statements import Body, Kind, Now, Statement, TimedKind, admit
from registry.store.memory import MemoryStore
from registry.tables import Get, ReadPlan, Rows, Where, get, where, where_each
from tests.builders import ORIGIN, StoredKeys, World
from tests.declared import View
from tests.registry.store.parts import ALL, PARTS, TAGS, Part, Tag
from tests.scenario import cast_world, good, replayed

# --- A batch is a state ------------------------------------------------------------------

OWNERS = ["acme", "bolt"]
COLOURS = ["red", "green", "blue"]

parts = st.builds(
    Part,
    owner=st.sampled_from(OWNERS),
    number=st.integers(0, 3),
    colour=st.sampled_from(COLOURS),
    amount=st.integers(0, 9),
)
keys = st.tuples(st.sampled_from(OWNERS), st.integers(0, 3))
lookups = st.one_of(
    st.tuples(st.just("colour"), st.sampled_from(COLOURS)),
    st.tuples(st.just("number"), st.integers(0, 3)),
)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), parts),
        st.tuples(st.just("put"), parts),
        st.tuples(st.just("tag"), st.sampled_from(OWNERS)),
        st.tuples(st.just("delete"), keys),
        st.tuples(st.just("get"), keys),
        st.tuples(st.just("where"), lookups),
        st.tuples(st.just("prefetch"), st.lists(st.one_of(keys, lookups), max_size=4)),
        st.tuples(st.just("commit"), st.none()),
    ),
    max_size=40,
)


def plan(asked: tuple[Any, Any]) -> ReadPlan:
    """Asks for a row by key, or for rows by a field and then for each tag of their owners."""
    if asked[0] in OWNERS:
        yield from get(PARTS, *asked)
        return
    rows = yield from where(PARTS, *asked)
    for row in rows:
        yield from get(TAGS, row.owner)


@given(st.lists(parts, max_size=8), operations)
def test_a_batch_reads_as_a_whole_state_does(
    first: list[Part], steps: list[tuple[str, Any]]
) -> None:
    committed, whole = MemoryRows(ALL), MemoryRows(ALL)
    for part in first:
        committed.put(PARTS, part)
        whole.put(PARTS, part)
    batch = Batch(committed.fetch, ALL, index=0)
    for name, value in [*steps, ("commit", None)]:
        match name:
            case "put":
                batch.put(PARTS, value)
                whole.put(PARTS, value)
            case "tag":
                batch.put(TAGS, Tag(tag=value))
                whole.put(TAGS, Tag(tag=value))
            case "delete":
                batch.delete(PARTS, *value)
                whole.delete(PARTS, *value)
            case "get":
                assert batch.get(PARTS, *value) == whole.get(PARTS, *value)
            case "where":
                assert batch.where(PARTS, *value) == whole.where(PARTS, *value)
            case "prefetch":
                batch.prefetch([plan(asked) for asked in value])
            case _:
                for colour in COLOURS:
                    assert batch.where(PARTS, "colour", colour) == whole.where(
                        PARTS, "colour", colour
                    )
                for change in batch.changes:
                    if change.row is None:
                        committed.delete(change.table, *change.key)
                    else:
                        committed.put(change.table, change.row)
                assert list(committed.select(PARTS)) == list(whole.select(PARTS))
                assert list(committed.select(TAGS)) == list(whole.select(TAGS))
                batch = Batch(committed.fetch, ALL, index=batch.index + 1)


@given(operations, st.lists(st.one_of(keys, lookups), max_size=6))
def test_a_view_answers_the_same_over_both(
    steps: list[tuple[str, Any]], asked: list[tuple[Any, Any]]
) -> None:
    base, whole = MemoryRows(ALL), MemoryRows(ALL)
    batch = Batch(base.fetch, ALL, index=0)
    for name, value in steps:
        for rows in (batch, whole):
            if name == "put":
                rows.put(PARTS, value)
            elif name == "delete":
                rows.delete(PARTS, *value)
    for each in asked:
        first, second = View(batch, plan(each)), View(whole, plan(each))
        if each[0] in OWNERS:
            assert first.get(PARTS, *each) == second.get(PARTS, *each)
        else:
            assert first.where(PARTS, *each) == second.where(PARTS, *each)


def test_prefetching_costs_one_query_per_table_and_round() -> None:
    store = MemoryRows(ALL)
    for number in range(4):
        store.put(PARTS, Part(owner="acme", number=number, colour="red", amount=1))  # type: ignore[arg-type]
    rounds: list[list[Any]] = []

    def fetch(reads: Any) -> list[tuple[Any, ...]]:
        rounds.append(list(reads))
        return store.fetch(reads)

    batch = Batch(fetch, ALL, index=0)
    batch.prefetch([plan(("acme", number)) for number in range(4)] + [plan(("number", 1))])
    assert [len(reads) for reads in rounds] == [2, 1]
    assert isinstance(rounds[0][0], Get)
    assert len(rounds[0][0].keys) == 4
    assert rounds[0][1:] == [Where(PARTS, "number", 1)]
    batch.get(PARTS, "acme", 2)
    assert len(rounds) == 2


def test_sets_of_many_values_cost_one_round() -> None:
    store = MemoryRows(ALL)
    for number in range(4):
        store.put(PARTS, Part(owner="acme", number=number, colour=COLOURS[number % 3], amount=1))  # type: ignore[arg-type]
    rounds: list[list[Any]] = []
    found: list[tuple[Part, ...]] = []

    def fetch(reads: Any) -> list[tuple[Any, ...]]:
        rounds.append(list(reads))
        return store.fetch(reads)

    def plan() -> ReadPlan:
        found.append((yield from where_each(PARTS, "colour", ("red", "blue", "none"))))

    batch = Batch(fetch, ALL, index=0)
    batch.prefetch([plan(), plan()])
    assert [len(reads) for reads in rounds] == [3]
    assert [part.number for part in found[0]] == [0, 3, 2]
    assert found[0] == found[1]
    view = View(store, plan())
    assert [part.number for part in view.where(PARTS, "colour", "red")] == [0, 3]
    assert view.where(PARTS, "colour", "none") == ()
    assert found[2] == found[0]


def test_nobody_looks_rows_up_by_a_field_without_an_index() -> None:
    for rows in (MemoryRows(ALL), Batch(MemoryRows(ALL).fetch, ALL, index=0)):
        with pytest.raises(InvariantBrokenError, match="index"):
            rows.where(PARTS, "amount", 1)


# --- What is not declared is not read ----------------------------------------------------


class Probe(Body):
    """A body without members."""


def _reads_one_account(statement: Statement[Any], _now: Now) -> ReadPlan:
    yield from get(ACCOUNTS, statement.by)
    yield from where(LOTS, "holder", statement.by)


UNDECLARED: dict[str, Callable[[Rows, Statement[Any]], object]] = {
    "another-key": lambda state, _: state.get(ACCOUNTS, "somebody"),
    "another-table": lambda state, statement: state.get(OFFERS, statement.by),
    "a-row-by-lookup": lambda state, statement: state.where(ACCOUNTS, "owner", statement.by),
    "another-value": lambda state, _: state.where(LOTS, "holder", "somebody"),
    "another-field": lambda state, statement: state.where(LOTS, "voucher", statement.by),
    "the-answered-table-by-another-key": lambda state, _: state.get(PARTIES, "somebody"),
}


def probing(read: Callable[[Rows, Statement[Any]], object]) -> Rulebook:
    """Returns a rulebook with a kind that reads what it did not declare."""

    def decide(state: Rows, statement: Statement[Any], _now: Now) -> tuple[Effect, ...]:
        state.get(ACCOUNTS, statement.by)
        state.where(LOTS, "holder", statement.by)
        read(state, statement)
        return ()

    kind = Kind(
        name="probe",
        body=Probe,
        signers=frozenset(Role),
        relation="anyone",
        reads=_reads_one_account,
        decide=decide,
    )
    return Rulebook(kinds=(*KINDS, kind))


def _states(world: World) -> Iterator[Rows]:
    yield replayed(world).rows
    yield Batch(world.store.fetch, TABLES, index=world.store.size())


@pytest.mark.parametrize("name", UNDECLARED)
@pytest.mark.parametrize("state", [0, 1], ids=["memory", "batch"])
def test_an_undeclared_read_raises_in_every_state(name: str, state: int) -> None:
    rulebook, world = probing(UNDECLARED[name]), cast_world()
    keys = StoredKeys(world.store)
    text = world.sign("s1", "probe", {})
    statement = admit(text, kinds=rulebook.kinds, origin=ORIGIN, keys=keys)
    now = Now(index=world.store.size(), time=world.time, ledger=world.engine.ledger)
    rows = list(_states(world))[state]
    view = View(rows, rulebook.reads(statement, now))
    with pytest.raises(InvariantBrokenError, match="undeclared read"):
        rulebook.decide(view, statement, now, root_at=lambda _: b"")


@pytest.mark.parametrize("name", UNDECLARED)
def test_an_undeclared_read_stops_the_engine_before_anything_is_stored(name: str) -> None:
    rulebook = probing(UNDECLARED[name])
    world = World(MemoryStore(rulebook.tables), rulebook).cast()
    before = (world.digest(), world.store.size())
    with pytest.raises(InvariantBrokenError, match="undeclared read"):
        world.submit(world.sign("s1", "probe", {}))
    assert (world.digest(), world.store.size()) == before


def test_a_declared_read_is_enough() -> None:
    rulebook = probing(lambda state, statement: state.get(ACCOUNTS, statement.by))
    world = World(MemoryStore(rulebook.tables), rulebook).cast()
    assert world.do("s1", "probe", {}).index == world.store.size() - 1


def test_a_deadline_reads_what_it_declares_too() -> None:
    def decide(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
        state.get(OFFERS, due.id)
        return ()

    def nothing(_due: Due, _now: Now) -> ReadPlan:
        yield from ()

    timed = [kind for kind in TIMED if kind.name != "transfer.expire"]
    rulebook = Rulebook(
        timed=[*timed, TimedKind(name="transfer.expire", reads=nothing, decide=decide)]
    )
    world = World(MemoryStore(rulebook.tables), rulebook).cast()
    world.offer(f"{world.issue()}.0", 5, by="s1", to="s2")
    with pytest.raises(InvariantBrokenError, match="undeclared read of offer"):
        world.advance(world.time + 365 * 86_400_000)


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_kind_reads_the_same_over_both(kind: str) -> None:
    world, draft = good(kind)
    if kind == "genesis":
        return
    keys = StoredKeys(world.store)
    text = draft.sign(world)
    statement = admit(text, kinds=world.rulebook.kinds, origin=ORIGIN, keys=keys)
    now = Now(index=world.store.size(), time=world.time, ledger=world.engine.ledger)
    effects = [
        world.rulebook.decide(
            View(rows, world.rulebook.reads(statement, now)),
            statement,
            now,
            root_at=lambda _: b"",
        )
        for rows in _states(world)
    ]
    assert effects[0] == effects[1]
    assert effects[0]
