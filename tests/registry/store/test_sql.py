"""What the SQL store promises beyond the contract, on every engine: fencing, the schema."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateTable

from registry.canonical import format_json
from registry.errors import (
    InvariantBrokenError,
    MalformedError,
    StaleWriterError,
    StorageFailedError,
    StorageUnknownError,
)
from registry.ids import PartyId, Sid
from registry.model import DEADLINES, PARTIES, TABLES, Deadline, Party
from registry.ports import Opening
from registry.store.database import Connection
from registry.store.postgresql_forms import PostgresqlForms
from registry.store.queries import RowSql
from registry.store.schema import log_tables, row_table
from registry.store.sql import SqlStore
from registry.store.sqlite import SqliteForms
from registry.tables import Get, Record, Table, Where
from tests.postgres import ENGINES
from tests.registry.store.databases import fresh_ledger, ledger_url
from tests.registry.store.pieces import ALL, PARTS, Part, commit, part

REGISTRY: Sequence[Table[Any]] = TABLES


@dataclass(slots=True)
class Place:
    """A database, and a ledger in it that is this test's alone."""

    url: str
    ledger_id: int = field(default_factory=fresh_ledger)
    opened: list[SqlStore] = field(default_factory=list)

    def open(self, **options: Any) -> SqlStore:
        store = SqlStore(self.url, ALL, **{"ledger_id": self.ledger_id, **options})
        self.opened.append(store)
        return store


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(ledger_url(request.param, tmp_path, ALL))
    yield made
    for store in made.opened:
        store.close()


@pytest.fixture
def store(place: Place) -> SqlStore:
    return place.open()


class TestLedgers:
    def test_reopening_gives_the_same(self, store: SqlStore, place: Place) -> None:
        store.append(commit(0, part("a"), part("b")), expected_size=0, epoch=store.acquire())
        store.put_note("note")
        opening = Opening(digest="d", salt=bytes(16), terms=b"{}", by=PartyId("acme"))
        store.put_openings([opening])
        store.close()
        again = place.open()
        assert again.size() == 1
        assert list(again.entries(0, 1)) == [b"d0"]
        assert list(again.select(PARTS)) == [part("a"), part("b")]
        assert again.note() == "note"
        assert again.opening("d") == opening
        assert again.acquire() == 2

    def test_second_writer_fences_the_first(self, store: SqlStore, place: Place) -> None:
        old = store.acquire()
        store.append(commit(0), expected_size=0, epoch=old)
        second = place.open()
        new = second.acquire()
        with pytest.raises(StaleWriterError):
            store.append(commit(1), expected_size=1, epoch=old)
        second.append(commit(1), expected_size=1, epoch=new)
        assert store.size() == 2

    def test_writers_that_take_turns_get_epochs_of_their_own(self, place: Place) -> None:
        epochs: list[int] = []

        def take(store: SqlStore) -> None:
            epochs.extend(store.acquire() for _ in range(10))

        place.open().acquire()
        takers = [threading.Thread(target=take, args=(place.open(),)) for _ in range(3)]
        for taker in takers:
            taker.start()
        for taker in takers:
            taker.join()
        assert sorted(epochs) == list(range(2, 32))

    def test_ledgers_in_one_database_do_not_meet(self, store: SqlStore, place: Place) -> None:
        other = place.open(ledger_id=fresh_ledger())
        store.append(commit(0, part("a")), expected_size=0, epoch=store.acquire())
        other.append(commit(0, part("a", 7)), expected_size=0, epoch=other.acquire())
        store.put_note("one")
        assert list(other.select(PARTS)) == [part("a", 7)]
        assert list(store.select(PARTS, as_of=1)) == [part("a")]
        assert other.note() == ""

    @pytest.mark.parametrize("count", [1, 5_000], ids=["few", "many"])
    def test_commits_of_every_size_are_stored(self, store: SqlStore, count: int) -> None:
        epoch = store.acquire()
        first = [part(f"p{n:04}") for n in range(count)]
        store.append(commit(0, *first), expected_size=0, epoch=epoch)
        second = [part(row.part, 2) for row in first]
        store.append(commit(1, *second), expected_size=1, epoch=epoch)
        assert list(store.select(PARTS)) == second
        assert list(store.select(PARTS, as_of=1)) == first
        keys = tuple((row.part,) for row in second)
        assert store.fetch([Get(PARTS, keys)]) == [tuple(second)]


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "mysql://host/name",
            "no url",
            "",
            "postgres://host/name",
            "postgresql+psycopg://host/name",
            "postgresql://host:5432x/name",
            "sqlite://",
            "sqlite:///:memory:",
            "postgresql://host/name?schema=a;b",
        ],
    )
    def test_refuses_what_names_no_durable_database(self, url: str) -> None:
        with pytest.raises(MalformedError):
            SqlStore(url, ALL)

    @pytest.mark.parametrize("url", ["sqlite:///{}/none/x.db", "postgresql://a@/b?host={}/none"])
    def test_refuses_what_cannot_be_opened(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(StorageFailedError):
            SqlStore(url.format(tmp_path), ALL)


class TestTransactions:
    def test_open_write_is_neither_seen_nor_blocked(self, store: SqlStore, place: Place) -> None:
        epoch = store.acquire()
        store.append(commit(0, part("a")), expected_size=0, epoch=epoch)
        seen: list[object] = []

        def read() -> None:
            seen.append(list(store.select(PARTS)))
            seen.extend(store.fetch([Get(PARTS, (("a",),)), Where(PARTS, "colour", "red")]))

        with place.open()._database.writing() as connection:
            change = "UPDATE part SET amount = 5 WHERE ledger_id = {}"
            connection.cursor().execute(change.format(place.ledger_id))
            reader = threading.Thread(target=read)
            reader.start()
            reader.join(timeout=5)
        assert seen == [[part("a")], (part("a"),), (part("a"),)]
        assert list(store.select(PARTS)) == [part("a", 5)]

    def test_stream_keeps_its_moment_and_blocks_nobody(self, store: SqlStore) -> None:
        epoch = store.acquire()
        rows = [part(f"p{n:04}") for n in range(3_000)]
        store.append(commit(0, *rows), expected_size=0, epoch=epoch)
        stream = store.select(PARTS)
        first = next(stream)
        changed = [part(row.part, 2) for row in rows]
        store.append(commit(1, *changed), expected_size=1, epoch=epoch)
        assert [first, *stream] == rows
        assert list(store.select(PARTS)) == changed

    def test_stream_that_is_dropped_gives_its_connection_back(self, store: SqlStore) -> None:
        rows = [part(f"p{n:04}") for n in range(3_000)]
        store.append(commit(0, *rows), expected_size=0, epoch=store.acquire())
        for _ in range(50):
            stream = store.select(PARTS)
            assert next(stream) == rows[0]
            del stream
        pool = store._database.readers.pool
        assert isinstance(pool, sa.QueuePool)
        assert pool.checkedout() == 0

    def test_failed_commit_leaves_the_outcome_unknown(
        self, store: SqlStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        epoch = store.acquire()

        def fail(_connection: Connection) -> None:
            raise OperationalError("COMMIT", None, Exception("disk I/O error"))

        monkeypatch.setattr(store._database, "_commit", fail)
        with pytest.raises(StorageUnknownError, match="disk I/O error"):
            store.append(commit(0, part("a")), expected_size=0, epoch=epoch)
        monkeypatch.undo()
        assert store.size() == 0
        store.append(commit(0, part("a")), expected_size=0, epoch=epoch)
        assert list(store.select(PARTS)) == [part("a")]

    def test_readers_cannot_write(self, store: SqlStore) -> None:
        with (
            pytest.raises(StorageFailedError, match=r"read-?only"),
            store._database.connected(store._database.readers) as connection,
        ):
            connection.cursor().execute("DELETE FROM entry")

    @pytest.mark.parametrize("amount", [2**63, 2**64, -(2**63) - 1, 2**200])
    @pytest.mark.parametrize("count", [1, 500], ids=["few", "many"])
    def test_number_of_more_than_64_bits_is_a_failure_that_keeps_nothing(
        self, store: SqlStore, amount: int, count: int
    ) -> None:
        epoch = store.acquire()
        parts = [part(f"p{n}") for n in range(count)]
        with pytest.raises(StorageFailedError) as caught:
            store.append(commit(0, *parts, part("big", amount)), expected_size=0, epoch=epoch)
        assert str(amount) not in str(caught.value)
        assert (store.size(), list(store.select(PARTS))) == (0, [])
        store.append(commit(0, *parts), expected_size=0, epoch=epoch)
        assert len(list(store.select(PARTS))) == count

    @pytest.mark.parametrize("count", [1, 500], ids=["few", "many"])
    def test_messages_show_no_values(self, store: SqlStore, count: int) -> None:
        parts = [part(f"secret{n}", -1) for n in range(count)]
        with pytest.raises(StorageFailedError) as caught:
            store.append(commit(0, *parts), expected_size=0, epoch=store.acquire())
        assert "part_amount" in str(caught.value)
        assert "secret" not in f"{caught.value} {caught.value.__cause__}"


class TestSchema:
    @pytest.mark.parametrize(
        ("change", "refusal"),
        [
            (
                "INSERT INTO part SELECT ledger_id, part, amount, colour, since + 1, until"
                " FROM part WHERE ledger_id = {}",
                "UNIQUE|duplicate key",
            ),
            ("UPDATE part SET until = since WHERE ledger_id = {}", "part_life"),
            ("UPDATE part SET amount = -1 WHERE ledger_id = {}", "part_amount"),
            ("UPDATE entry SET leaf_hash = data WHERE ledger_id = {}", "entry_leaf_hash"),
        ],
        ids=["two-live-versions", "empty-life", "negative-money", "short-hash"],
    )
    def test_database_refuses(self, store: SqlStore, change: str, refusal: str) -> None:
        store.append(commit(0, part("a")), expected_size=0, epoch=store.acquire())
        database = store._database
        with (
            pytest.raises(StorageFailedError, match=refusal),
            database.connected(database.writer) as connection,
        ):
            connection.cursor().execute(change.format(store._ledger_id))

    def test_ledger_leads_every_key_and_index(self) -> None:
        metadata = sa.MetaData()
        log_tables(metadata)
        for kind in REGISTRY:
            row_table(kind, metadata)
        for table in metadata.tables.values():
            groups = [list(table.primary_key.columns)]
            groups += [list(index.columns) for index in table.indexes]
            groups += [
                list(constraint.columns)
                for constraint in table.constraints
                if isinstance(constraint, sa.UniqueConstraint)
            ]
            assert {group[0].name for group in groups} == {"ledger_id"}

    def test_postgresql_has_no_sequences(self) -> None:
        dialect = sa.make_url("postgresql+psycopg://").get_dialect()()
        for kind in REGISTRY:
            rows = row_table(kind, sa.MetaData())
            assert "SERIAL" not in str(CreateTable(rows.sql).compile(dialect=dialect))

    def test_refuses_names_that_are_taken(self) -> None:
        metadata = sa.MetaData()
        log_tables(metadata)
        with pytest.raises(InvariantBrokenError):
            row_table(Table(name="entry", row=Part, key=("part",)), metadata)

    def test_refuses_a_type_that_rows_do_not_have(self) -> None:
        class Loose(Record, frozen=True, kw_only=True):
            weight: float

        with pytest.raises(InvariantBrokenError):
            row_table(Table(name="loose", row=Loose, key=("weight",)), sa.MetaData())

    def test_texts_are_kept_in_canonical_form(self) -> None:
        party = Party(
            party=PartyId("p"), name="甲", roles=("a", 'b"\\', "乙"), statement=Sid("s"), ordinal=1
        )
        rows = row_table(PARTIES, sa.MetaData())
        assert format_json(list(party.roles)).decode() in rows.format(party)

    def test_deadlines_are_known_by_position(self) -> None:
        rows = row_table(DEADLINES, sa.MetaData())
        deadline = Deadline(at=1, kind="k", id="i")
        assert rows.format(deadline) == (1, "k", "i")
        assert rows.parse([(1, "k", "i")]) == [deadline]

    def test_every_text_can_be_made_without_a_database(self) -> None:
        dialect: Any = sa.make_url("postgresql+psycopg://").get_dialect()
        makers: list[Callable[[], Any]] = [
            lambda: SqliteForms(sqlite.dialect()),
            lambda: PostgresqlForms(dialect(paramstyle="format")),
        ]
        for make in makers:
            for kind in REGISTRY:
                sql = RowSql(row_table(kind, sa.MetaData()), forms=make())
                assert sql.questions(1, "", [("a",) * len(kind.key)])
