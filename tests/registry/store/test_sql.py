"""What the SQL store promises beyond the contract: durability, fencing, the schema."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pysqlite3
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from registry.canonical import format_json
from registry.errors import (
    InvariantBrokenError,
    StaleWriterError,
    StorageFailedError,
    StorageUnknownError,
)
from registry.ids import PartyId, Sid
from registry.model import DEADLINES, PARTIES, TABLES, Deadline, Party
from registry.ports import Commit, NewEntry, Opening
from registry.state import Change
from registry.store import sqlite as settings
from registry.store.queries import RowSql, compiler
from registry.store.schema import log_tables, row_table
from registry.store.sql import SqlStore
from registry.tables import Get, Minor, Table, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    part: str
    amount: Minor
    colour: str = "red"


PARTS = Table(name="part", row=Part, key=("part",), indexes=("colour",))
ALL = (PARTS, DEADLINES)
REGISTRY: Sequence[Table[Any]] = TABLES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    opened = SqlStore(f"sqlite:///{path}", ALL)
    yield opened
    opened.close()


def reopened(path: Path, **options: Any) -> SqlStore:
    return SqlStore(f"sqlite:///{path}", ALL, **options)


def commit(start: int, *parts: Part) -> Commit:
    new = NewEntry(
        index=start, time=1, kind="k", leaf_hash=bytes(32), data=b"d%d" % start,
        sid=None, by=None, id=None,
    )  # fmt: skip
    changes = [Change(index=start, table=PARTS, key=(row.part,), row=row) for row in parts]
    return Commit(entries=[new], changes=changes, tiles=[])


def part(name: str, amount: int = 1) -> Part:
    return Part(part=name, amount=Minor(amount))


def raw(path: Path) -> Any:
    return pysqlite3.connect(str(path), isolation_level=None)


class TestFile:
    def test_reopening_gives_the_same(self, store: SqlStore, path: Path) -> None:
        store.append(commit(0, part("a"), part("b")), expected_size=0, epoch=store.acquire())
        store.put_note("note")
        opening = Opening(digest="d", salt=bytes(16), terms=b"{}", by=PartyId("acme"))
        store.put_openings([opening])
        store.close()
        again = reopened(path)
        assert again.size() == 1
        assert list(again.entries(0, 1)) == [b"d0"]
        assert list(again.select(PARTS)) == [part("a"), part("b")]
        assert again.note() == "note"
        assert again.opening("d") == opening
        assert again.acquire() == 2
        again.close()

    def test_second_writer_fences_the_first(self, store: SqlStore, path: Path) -> None:
        old = store.acquire()
        store.append(commit(0), expected_size=0, epoch=old)
        second = reopened(path)
        new = second.acquire()
        with pytest.raises(StaleWriterError):
            store.append(commit(1), expected_size=1, epoch=old)
        second.append(commit(1), expected_size=1, epoch=new)
        assert store.size() == 2
        second.close()

    def test_ledgers_in_one_file_do_not_meet(self, store: SqlStore, path: Path) -> None:
        other = reopened(path, ledger_id=2)
        store.append(commit(0, part("a")), expected_size=0, epoch=store.acquire())
        other.append(commit(0, part("a", 7)), expected_size=0, epoch=other.acquire())
        store.put_note("one")
        assert list(other.select(PARTS)) == [part("a", 7)]
        assert list(store.select(PARTS, as_of=1)) == [part("a")]
        assert other.note() == ""
        other.close()

    def test_settings_are_the_durable_ones(self, store: SqlStore) -> None:
        def ask(engine: sa.Engine, pragma: str) -> Any:
            with engine.connect() as connection:
                return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()

        writer, readers = store._writer, store._readers
        assert ask(writer, "journal_mode") == ask(readers, "journal_mode") == "wal"
        assert ask(writer, "synchronous") == 2
        assert ask(writer, "foreign_keys") == ask(readers, "foreign_keys") == 1
        assert ask(writer, "busy_timeout") == settings.BUSY_MS
        assert ask(writer, "wal_autocheckpoint") == settings.WAL_PAGES_MAX
        assert ask(readers, "query_only") == 1

    def test_write_ahead_log_is_copied_on_demand(self, store: SqlStore, path: Path) -> None:
        epoch = store.acquire()
        store.checkpoint_wal()
        before = path.stat().st_size
        many = [part(f"p{n}") for n in range(2_000)]
        store.append(commit(0, *many), expected_size=0, epoch=epoch)
        assert path.stat().st_size == before
        store.checkpoint_wal()
        assert path.stat().st_size > before
        assert len(list(store.select(PARTS))) == 2_000

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name"])
    def test_refuses_what_is_not_durable(self, url: str) -> None:
        with pytest.raises(StorageFailedError):
            SqlStore(url, ALL)

    def test_refuses_a_path_that_cannot_be_opened(self, tmp_path: Path) -> None:
        with pytest.raises(StorageFailedError):
            SqlStore(f"sqlite:///{tmp_path}/none/ledger.db", ALL)

    @pytest.mark.parametrize(
        ("version", "fixed"),
        [
            ((3, 44, 5), False),
            ((3, 44, 6), True),
            ((3, 45, 3), False),
            ((3, 50, 6), False),
            ((3, 50, 7), True),
            ((3, 51, 2), False),
            ((3, 51, 3), True),
            ((3, 53, 0), True),
            ((4, 0, 0), True),
        ],
    )
    def test_fixed_versions(self, version: tuple[int, ...], fixed: bool) -> None:
        assert settings.is_fixed(version) is fixed

    def test_refuses_an_older_sqlite(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pysqlite3, "sqlite_version_info", (3, 51, 2))
        with pytest.raises(StorageFailedError, match="WAL-reset"):
            reopened(path)


class BreaksOff:
    """A pooled connection whose COMMIT fails."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        raise pysqlite3.OperationalError("disk I/O error")


class TestTransactions:
    def test_open_write_is_neither_seen_nor_blocked(self, store: SqlStore, path: Path) -> None:
        epoch = store.acquire()
        store.append(commit(0, part("a")), expected_size=0, epoch=epoch)
        writer = raw(path)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE part SET amount = 5")
        seen: list[object] = []

        def read() -> None:
            seen.append(list(store.select(PARTS)))
            seen.extend(store.fetch([Get(PARTS, (("a",),)), Where(PARTS, "colour", "red")]))

        reader = threading.Thread(target=read)
        reader.start()
        reader.join(timeout=5)
        writer.execute("COMMIT")
        writer.close()
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

    def test_locked_database_is_a_failure_that_keeps_nothing(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "BUSY_MS", 1)
        store = reopened(path)
        epoch = store.acquire()
        other = raw(path)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageFailedError, match="locked"):
            store.append(commit(0), expected_size=0, epoch=epoch)
        other.execute("ROLLBACK")
        other.close()
        store.append(commit(0), expected_size=0, epoch=epoch)
        store.close()

    def test_failed_commit_leaves_the_outcome_unknown(
        self, store: SqlStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        epoch = store.acquire()
        connect = store._writer.raw_connection
        monkeypatch.setattr(store._writer, "raw_connection", lambda: BreaksOff(connect()))
        with pytest.raises(StorageUnknownError, match="disk I/O error"):
            store.append(commit(0, part("a")), expected_size=0, epoch=epoch)
        monkeypatch.undo()
        assert store.size() == 0
        store.append(commit(0, part("a")), expected_size=0, epoch=epoch)
        assert list(store.select(PARTS)) == [part("a")]

    def test_readers_cannot_write(self, store: SqlStore) -> None:
        with pytest.raises(StorageFailedError, match="readonly"), store._reading() as cursor:
            cursor.execute("DELETE FROM entry")

    def test_messages_show_no_values(self, store: SqlStore) -> None:
        with pytest.raises(StorageFailedError) as caught:
            store.append(commit(0, part("secret", -1)), expected_size=0, epoch=store.acquire())
        assert "secret" not in f"{caught.value} {caught.value.__cause__}"


class TestSchema:
    def test_database_refuses_two_live_versions(self, store: SqlStore, path: Path) -> None:
        store.append(commit(0, part("a")), expected_size=0, epoch=store.acquire())
        connection = raw(path)
        insert = (
            "INSERT INTO part SELECT ledger_id, part, amount, colour, since + 1, until FROM part"
        )
        with pytest.raises(pysqlite3.IntegrityError, match="UNIQUE"):
            connection.execute(insert)
        connection.close()

    def test_database_refuses_an_empty_life(self, store: SqlStore, path: Path) -> None:
        store.append(commit(0, part("a")), expected_size=0, epoch=store.acquire())
        connection = raw(path)
        with pytest.raises(pysqlite3.IntegrityError, match="part_life"):
            connection.execute("UPDATE part SET until = since")
        connection.close()

    def test_hot_questions_go_through_an_index(self, store: SqlStore, path: Path) -> None:
        connection = raw(path)

        def plan(sql: str, parameters: tuple[Any, ...]) -> str:
            rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
            return " / ".join(row[3] for row in rows)

        parts, deadlines = store._rows["part"], store._rows["deadline"]
        key = "(ledger_id=? AND until=? AND part=?)"
        colour = "part_by_colour (ledger_id=? AND until=? AND colour=?)"
        assert key in plan(parts._get.text(2), (1, "a", "b"))
        assert key in plan(parts.close, (5, 1, "a"))
        assert colour in plan(parts._where["colour"].text(2), (1, "red", "blue"))
        by_three = plan(deadlines._get.text(2), (1, 1, "k", "a", 2, "k", "b"))
        assert "(ledger_id=? AND until=? AND at=? AND kind=? AND id=?)" in by_three
        due = plan(store._due, (1, 5, 10))
        assert "(ledger_id=? AND until=? AND at<?)" in due
        assert "TEMP B-TREE" not in due
        assert "TEMP B-TREE" not in plan(*parts.selection(1, "", "", None))
        assert "(ledger_id=? AND until>?)" in plan(*parts.selection(1, "", "", 7))
        assert colour in plan(*parts.selection(1, "colour", "red", None))
        then = plan(*parts.selection(1, "colour", "red", 7))
        assert colour in then
        assert "(ledger_id=? AND until>?)" in then
        assert "USING INDEX" in plan(store._log.ids.text(1), (1, "acme", "id"))
        connection.close()

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

    def test_schema_and_queries_speak_postgresql_too(self) -> None:
        options: dict[str, Any] = {"paramstyle": "format"}
        dialect = sa.make_url("postgresql+psycopg://").get_dialect()(**options)
        metadata = sa.MetaData()
        for kind in REGISTRY:
            rows = row_table(kind, metadata)
            assert "SERIAL" not in str(CreateTable(rows.sql).compile(dialect=dialect))
            assert "%s" in RowSql(rows, compile_sql=compiler(dialect)).insert

    def test_refuses_names_that_are_taken(self) -> None:
        metadata = sa.MetaData()
        log_tables(metadata)
        with pytest.raises(InvariantBrokenError):
            row_table(Table(name="entry", row=Part, key=("part",)), metadata)

    def test_refuses_a_type_that_rows_do_not_have(self) -> None:
        @dataclass(frozen=True)
        class Loose:
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
        compile_sql = compiler(sqlite.dialect())
        assert RowSql(rows, compile_sql=compile_sql).insert.count("?") == 6
