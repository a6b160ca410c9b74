"""What every store promises: the same tests over memory, SQLite and PostgreSQL."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from registry.errors import (
    HeadMovedError,
    InvariantBrokenError,
    StaleWriterError,
    StorageFailedError,
)
from registry.ids import PartyId, Sid
from registry.logtree import TileWrite
from registry.model import DEADLINES, TABLES, Deadline
from registry.ports import Commit, LedgerStore, Opening
from registry.store.memory import MemoryStore
from registry.tables import Get, Minor, Table, Where
from tests.postgres import ENGINES
from tests.registry.store.databases import sql_store
from tests.registry.store.parts import ALL, PARTS, TAGS, Part, Tag, commit, end, entry, part, put

REGISTRY: Sequence[Table[Any]] = TABLES


@pytest.fixture(params=["memory", *ENGINES])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerStore]:
    if request.param == "memory":
        yield MemoryStore(ALL)
        return
    with sql_store(request.param, tmp_path, ALL) as sql:
        yield sql


def parts_as_of(store: LedgerStore, size: int | None) -> list[Part]:
    return list(store.select(PARTS, as_of=size))


class TestLog:
    def test_new_store_is_empty(self, store: LedgerStore) -> None:
        assert store.size() == 0
        assert store.note() == ""
        assert store.tile(level=0, index=0) == b""
        assert list(store.entries(0, 10)) == []
        assert list(store.select(PARTS)) == []
        assert store.due(until=2**53, limit=10) == ()

    def test_state_entries_are_found_among_the_others(self, store: LedgerStore) -> None:
        kinds = {index: {"kind": "state"} for index in (2, 3, 7)}
        entries = [structs.replace(entry(at), **kinds.get(at, {})) for at in range(9)]
        made = Commit(entries=entries, changes=[], tiles=[])
        store.append(made, expected_size=0, epoch=store.acquire())
        assert list(store.state_entries(0, 9)) == [entries[index].data for index in (2, 3, 7)]
        assert list(store.state_entries(3, 7)) == [entries[3].data]
        assert list(store.state_entries(4, 99)) == [entries[7].data]
        assert list(store.state_entries(8, 9)) == []

    def test_entries_come_back_byte_for_byte(self, store: LedgerStore) -> None:
        epoch = store.acquire()
        store.append(commit(0, 3), expected_size=0, epoch=epoch)
        store.append(commit(3, 2), expected_size=3, epoch=epoch)
        assert store.size() == 5
        assert list(store.entries(0, 5)) == [entry(index).data for index in range(5)]
        assert list(store.entries(1, 3)) == [entry(1).data, entry(2).data]
        assert list(store.entries(4, 99)) == [entry(4).data]
        assert list(store.leaf_hashes(2, 4)) == [entry(2).leaf_hash, entry(3).leaf_hash]

    def test_statements_and_ids_are_found(self, store: LedgerStore) -> None:
        store.append(commit(0, 3), expected_size=0, epoch=store.acquire())
        asked = [Sid("sid2"), Sid("none"), Sid("sid0"), Sid("sid2")]
        assert store.find_statements(asked) == {"sid2": 2, "sid0": 0}
        acme, bolt = PartyId("acme"), PartyId("bolt")
        ids = [(acme, "id1"), (bolt, "id1"), (acme, "id9"), (acme, "id2")]
        assert store.find_ids(ids) == {(acme, "id1"): "sid1", (acme, "id2"): "sid2"}
        assert store.find_statements([]) == {}
        assert store.find_ids([]) == {}

    def test_entries_without_a_statement_do_not_clash(self, store: LedgerStore) -> None:
        bare = [entry(index, sid=None, by=None, id=None) for index in range(3)]
        whole = Commit(entries=bare, changes=[], tiles=[])
        store.append(whole, expected_size=0, epoch=store.acquire())
        assert store.size() == 3

    def test_tiles_are_replaced_whole(self, store: LedgerStore) -> None:
        epoch = store.acquire()
        first = [TileWrite(level=0, index=0, data=b"a" * 32)]
        store.append(commit(0, 1, tiles=first), expected_size=0, epoch=epoch)
        then = [
            TileWrite(level=0, index=0, data=b"a" * 64),
            TileWrite(level=1, index=0, data=b"b" * 32),
        ]
        store.append(commit(1, 1, tiles=then), expected_size=1, epoch=epoch)
        assert store.tile(level=0, index=0) == b"a" * 64
        assert store.tile(level=1, index=0) == b"b" * 32
        assert store.tile(level=1, index=1) == b""

    def test_notes_and_openings_are_kept(self, store: LedgerStore) -> None:
        store.put_note("one")
        store.put_note("two")
        assert store.note() == "two"
        opening = Opening(digest="d", salt=b"s" * 16, terms=b"{}", by=PartyId("acme"))
        store.put_openings([opening])
        again = replace(opening, by=PartyId("bolt"))
        other = replace(opening, digest="e")
        store.put_openings([again, other, replace(other, salt=b"t" * 16)])
        store.put_openings([])
        assert store.opening("d") == opening
        assert store.opening("e") == other
        assert store.opening("f") is None


class TestRefusals:
    def test_refuses_another_head(self, store: LedgerStore) -> None:
        epoch = store.acquire()
        store.append(commit(0, 1), expected_size=0, epoch=epoch)
        with pytest.raises(HeadMovedError) as caught:
            store.append(commit(0, 1), expected_size=0, epoch=epoch)
        assert caught.value.facts == {"size": 1, "expected": 0}
        with pytest.raises(HeadMovedError):
            store.append(commit(2, 1), expected_size=2, epoch=epoch)
        assert store.size() == 1

    def test_refuses_a_writer_without_the_lease(self, store: LedgerStore) -> None:
        with pytest.raises(StaleWriterError):
            store.append(commit(0, 1), expected_size=0, epoch=1)

    def test_refuses_a_stale_writer_before_it_looks_at_the_head(self, store: LedgerStore) -> None:
        old = store.acquire()
        new = store.acquire()
        assert new == old + 1
        with pytest.raises(StaleWriterError) as caught:
            store.append(commit(7, 1), expected_size=7, epoch=old)
        assert caught.value.facts == {"epoch": new, "held": old}
        store.append(commit(0, 1), expected_size=0, epoch=new)

    @pytest.mark.parametrize(
        "again",
        [{"sid": Sid("sid0")}, {"id": "id0"}],
        ids=["statement-sealed-twice", "id-used-twice"],
    )
    @pytest.mark.parametrize("first", [1, 2], ids=["other-commit", "same-commit"])
    def test_refuses(self, store: LedgerStore, again: dict[str, Any], first: int) -> None:
        epoch = store.acquire()
        if first == 1:
            store.append(commit(0, 1), expected_size=0, epoch=epoch)
            bad, size = [entry(1, **again)], 1
        else:
            bad, size = [entry(0), entry(1, **again)], 0
        rows = [put(size, PARTS, part())]
        with pytest.raises(StorageFailedError):
            store.append(
                Commit(entries=bad, changes=rows, tiles=[]), expected_size=size, epoch=epoch
            )
        assert store.size() == size
        assert list(store.select(PARTS)) == []

    def test_other_party_may_use_the_id(self, store: LedgerStore) -> None:
        entries = [entry(0), entry(1, by=PartyId("bolt"), id="id0")]
        whole = Commit(entries=entries, changes=[], tiles=[])
        store.append(whole, expected_size=0, epoch=store.acquire())
        assert store.size() == 2

    @pytest.mark.parametrize("money", [{"amount": Minor(-1)}, {"price": Minor(-1)}])
    def test_refuses_negative_money_and_keeps_nothing(
        self, store: LedgerStore, money: dict[str, Any]
    ) -> None:
        epoch = store.acquire()
        store.append(commit(0, 1, put(0, PARTS, part())), expected_size=0, epoch=epoch)
        bad = commit(
            1,
            1,
            end(1, PARTS, "acme", 1),
            put(1, TAGS, Tag(tag="t")),
            put(1, PARTS, part(number=2, **money)),
            tiles=[TileWrite(level=0, index=0, data=b"x" * 32)],
        )
        with pytest.raises(StorageFailedError):
            store.append(bad, expected_size=1, epoch=epoch)
        assert store.size() == 1
        assert list(store.select(PARTS)) == [part()]
        assert list(store.select(TAGS)) == []
        assert store.tile(level=0, index=0) == b""
        assert store.find_statements([Sid("sid1")]) == {}
        store.append(commit(1, 1), expected_size=1, epoch=epoch)

    @pytest.mark.parametrize(
        "bad",
        [
            commit(1, 1),
            commit(0, 1, put(1, PARTS, part())),
            commit(0, 2, put(1, PARTS, part()), put(0, TAGS, Tag(tag="t"))),
        ],
        ids=["index-plus-1", "change-of-a-later-entry", "changes-go-back"],
    )
    def test_stops_at_a_commit_that_contradicts_itself(
        self, store: LedgerStore, bad: Commit
    ) -> None:
        with pytest.raises(InvariantBrokenError):
            store.append(bad, expected_size=0, epoch=store.acquire())
        assert store.size() == 0

    def test_stops_at_unknown_tables_and_fields(self, store: LedgerStore) -> None:
        other = Table(name="other", row=Tag, key=("tag",))
        asks: list[Callable[[], object]] = [
            lambda: store.fetch([Get(other, (("a",),))]),
            lambda: store.fetch([Where(PARTS, "amount", 1)]),
            lambda: list(store.select(PARTS, field="amount", value=1)),
            lambda: list(store.select(other)),
        ]
        for ask in asks:
            with pytest.raises(InvariantBrokenError):
                ask()


class TestRows:
    def test_every_type_comes_back(self, store: LedgerStore) -> None:
        rows = [
            part(number=1),
            part(
                number=2,
                amount=Minor(2**62),
                names=("甲", 'b"\\', ""),
                is_open=True,
                note="",
                rank=0,
                price=Minor(0),
                checked=False,
                marks=(),
            ),
        ]
        changes = [put(0, PARTS, row) for row in rows]
        store.append(commit(0, 1, *changes), expected_size=0, epoch=store.acquire())
        back = list(store.select(PARTS))
        assert back == rows
        assert [type(row.is_open) for row in back] == [bool, bool]
        assert back[1].checked is False

    def test_numbers_of_every_size_are_keys(self, store: LedgerStore) -> None:
        epoch = store.acquire()
        numbers = (1, 2**15, 2**31, 2**62)
        for index, number in enumerate(numbers):
            changes = [put(index, PARTS, part(number=number)), end(index, PARTS, "none", number)]
            store.append(commit(index, 1, *changes), expected_size=index, epoch=epoch)
        reads = [Where(PARTS, "number", number) for number in numbers]
        assert store.fetch(reads) == [(part(number=number),) for number in numbers]
        for number in numbers:
            assert store.fetch([Get(PARTS, (("acme", number),))]) == [(part(number=number),)]

    def test_fetch_answers_in_the_order_asked(self, store: LedgerStore) -> None:
        rows = [part("b", 2), part("a", 10), part("a", 9, colour="blue"), part("a", 2)]
        changes = [put(0, PARTS, row) for row in rows] + [put(0, TAGS, Tag(tag="t"))]
        store.append(commit(0, 1, *changes), expected_size=0, epoch=store.acquire())
        b2, a10, a9, a2 = rows
        assert store.fetch(
            [
                Get(PARTS, (("b", 2), ("c", 1), ("a", 10), ("b", 2))),
                Where(PARTS, "colour", "red"),
                Get(TAGS, (("t",), ("u",))),
                Where(PARTS, "number", 9),
                Where(PARTS, "colour", "green"),
                Get(PARTS, ()),
                Get(PARTS, (("a", 9),)),
            ]
        ) == [(b2, None, a10, b2), (a2, a10, b2), (Tag(tag="t"), None), (a9,), (), (), (a9,)]
        assert store.fetch([]) == []

    def test_fetch_has_no_limit_of_keys(self, store: LedgerStore) -> None:
        count = 20_000
        changes = [put(0, PARTS, part(number=n, colour=f"c{n}")) for n in range(count)]
        store.append(commit(0, 1, *changes), expected_size=0, epoch=store.acquire())
        keys = tuple(("acme", n) for n in range(count, -1, -1))
        wheres = [Where(PARTS, "colour", f"c{n}") for n in range(count)]
        got, *found = store.fetch([Get(PARTS, keys), *wheres])
        assert got[0] is None
        assert [row.number for row in got[1:]] == list(range(count - 1, -1, -1))
        assert [row.number for (row,) in found] == list(range(count))

    def test_select_goes_in_key_order(self, store: LedgerStore) -> None:
        keys = [
            ("b", 1),
            ("a", 10),
            ("Z", 3),
            ("a", 9),
            ("é", 0),
            ("a b", 1),
            ("𠀀", 1),
            ("\uff5e", 1),
        ]
        changes = [put(0, PARTS, part(owner, number)) for owner, number in keys]
        store.append(commit(0, 1, *changes), expected_size=0, epoch=store.acquire())
        assert [(row.owner, row.number) for row in store.select(PARTS)] == sorted(keys)
        found = store.select(PARTS, field="colour", value="red")
        assert [(row.owner, row.number) for row in found] == sorted(keys)

    def test_state_can_be_read_as_of_any_size(self, store: LedgerStore) -> None:
        epoch = store.acquire()
        red, blue, green = part(), part(colour="blue"), part(colour="green")
        store.append(commit(0, 2, put(1, PARTS, red)), expected_size=0, epoch=epoch)
        store.append(commit(2, 1, put(2, PARTS, blue)), expected_size=2, epoch=epoch)
        store.append(commit(3, 2, end(4, PARTS, "acme", 1)), expected_size=3, epoch=epoch)
        store.append(commit(5, 1, put(5, PARTS, green)), expected_size=5, epoch=epoch)
        assert [parts_as_of(store, size) for size in (0, 1, 2, 3, 4, 5, 6, 99, None)] == [
            [], [], [red], [blue], [blue], [], [green], [green], [green],
        ]  # fmt: skip
        assert list(store.select(PARTS, field="colour", value="blue", as_of=3)) == [blue]
        assert list(store.select(PARTS, field="colour", value="blue")) == []
        assert list(store.select(PARTS, field="colour", value="blue", as_of=2)) == []

    def test_versions_within_one_commit_are_told_apart(self, store: LedgerStore) -> None:
        epoch = store.acquire()
        one, two, three = (part(rank=rank) for rank in (1, 2, 3))
        store.append(commit(0, 1, put(0, PARTS, part())), expected_size=0, epoch=epoch)
        changes = [
            put(1, PARTS, one),
            put(3, PARTS, two),
            end(4, PARTS, "acme", 1),
            put(5, PARTS, three),
        ]
        store.append(commit(1, 5, *changes), expected_size=1, epoch=epoch)
        assert [parts_as_of(store, size) for size in range(7)] == [
            [], [part()], [one], [one], [two], [], [three],
        ]  # fmt: skip

    @pytest.mark.parametrize("before", [True, False], ids=["replacing", "new"])
    def test_only_the_last_version_within_an_entry_counts(
        self, store: LedgerStore, before: bool
    ) -> None:
        epoch = store.acquire()
        first = [put(0, PARTS, part())] if before else []
        store.append(commit(0, 1, *first), expected_size=0, epoch=epoch)
        changes = [
            put(1, PARTS, part(rank=1)),
            end(1, PARTS, "acme", 1),
            put(1, PARTS, part(rank=2)),
            put(1, TAGS, Tag(tag="brief")),
            end(1, TAGS, "brief"),
        ]
        store.append(commit(1, 1, *changes), expected_size=1, epoch=epoch)
        assert parts_as_of(store, 1) == ([part()] if before else [])
        assert parts_as_of(store, 2) == [part(rank=2)]
        assert list(store.select(TAGS, as_of=2)) == list(store.select(TAGS)) == []

    def test_ending_a_row_that_is_not_there_changes_nothing(self, store: LedgerStore) -> None:
        end_it = end(0, PARTS, "acme", 1)
        store.append(commit(0, 1, end_it), expected_size=0, epoch=store.acquire())
        assert parts_as_of(store, None) == parts_as_of(store, 1) == []

    def test_deadlines_are_due_by_time_kind_and_id(self, store: LedgerStore) -> None:
        epoch = store.acquire()
        deadlines = [
            Deadline(at=at, kind=kind, id=name)
            for at, kind, name in [(20, "b", "x"), (9, "z", "x"), (20, "a", "y"), (20, "a", "x")]
        ]
        changes = [put(0, DEADLINES, row) for row in deadlines]
        store.append(commit(0, 1, *changes), expected_size=0, epoch=epoch)
        by_time = tuple(sorted(deadlines, key=DEADLINES.key_of))
        assert store.due(until=20, limit=10) == by_time
        assert store.due(until=19, limit=10) == by_time[:1]
        assert store.due(until=8, limit=10) == ()
        assert store.due(until=20, limit=2) == by_time[:2]
        store.append(commit(1, 1, end(1, DEADLINES, 9, "z", "x")), expected_size=1, epoch=epoch)
        assert store.due(until=20, limit=10) == by_time[1:]

    @pytest.mark.parametrize("engine", ENGINES)
    def test_registry_tables_can_be_kept(self, engine: str, tmp_path: Path) -> None:
        with sql_store(engine, tmp_path, TABLES) as sql:
            stores: list[LedgerStore] = [MemoryStore(TABLES), sql]
            for store in stores:
                for table in REGISTRY:
                    assert list(store.select(table)) == []

    def test_readers_in_other_threads_see_each_commit_whole(self, store: LedgerStore) -> None:
        epoch = store.acquire()
        torn: list[object] = []
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                asked = [Get(PARTS, (("a", 1), ("b", 1))), Get(TAGS, (("none",),))]
                pair, tags = store.fetch(asked)
                if len({None if row is None else row.rank for row in pair}) > 1:
                    torn.append(pair)
                if tags != (None,):
                    torn.append(tags)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for index in range(50):
            pair = [put(index, PARTS, part(owner, 1, rank=index)) for owner in "ab"]
            store.append(commit(index, 1, *pair), expected_size=index, epoch=epoch)
        stop.set()
        for reader in readers:
            reader.join()
        assert torn == []
