"""What holds on SQLite alone: its settings, its file, its plans."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pysqlite3
import pytest
import sqlalchemy as sa

from registry.errors import StorageFailedError
from registry.inboxes import Capacity
from registry.model import LotStatus
from registry.store import sqlite as settings
from registry.store.sql import SqlStore
from tests.registry.store.databases import sqlite_url
from tests.registry.store.pieces import ALL, PARTS, commit, part


@pytest.fixture
def path(tmp_path: Path) -> Path:
    sqlite_url(tmp_path, ALL)
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    opened = SqlStore(f"sqlite:///{path}", ALL)
    yield opened
    opened.close()


def raw(path: Path) -> Any:
    return pysqlite3.connect(str(path), isolation_level=None, check_same_thread=False)


class TestFile:
    def test_settings_are_the_durable_ones(self, store: SqlStore) -> None:
        def ask(engine: sa.Engine, pragma: str) -> Any:
            with engine.connect() as connection:
                return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()

        writer, readers = store._database.writer, store._database.readers
        assert ask(writer, "journal_mode") == ask(readers, "journal_mode") == "wal"
        assert ask(writer, "synchronous") == 2
        assert ask(writer, "foreign_keys") == ask(readers, "foreign_keys") == 1
        assert ask(writer, "busy_timeout") == settings.BUSY_MS
        assert ask(writer, "wal_autocheckpoint") == settings.WAL_PAGES_MAX
        assert ask(readers, "query_only") == 1

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize("value", [None, True, b"\0", LotStatus.FREE, Capacity.DEBTOR])
    def test_driver_knows_how_to_bind_whatever_rows_hold(self, value: object) -> None:
        # Unknown values are bound too, but each raises an error within the driver first.
        known = pysqlite3.adapt(value)
        assert known == value
        assert type(known) in (int, str, bytes, type(None))

    def test_write_ahead_log_is_copied_on_demand(self, store: SqlStore, path: Path) -> None:
        epoch = store.acquire()
        store._database.checkpoint()
        before = path.stat().st_size
        many = [part(f"p{n}") for n in range(2_000)]
        store.append(commit(0, *many), expected_size=0, epoch=epoch)
        assert path.stat().st_size == before
        store._database.checkpoint()
        assert path.stat().st_size > before
        assert len(list(store.select(PARTS))) == 2_000

    def test_write_ahead_log_is_copied_when_it_has_grown_long(
        self, store: SqlStore, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        epoch = store.acquire()
        store._database.checkpoint()
        before = path.stat().st_size
        monkeypatch.setattr(settings, "COPIED_ROWS", 2_000)
        for index in range(2):
            many = [part(f"p{n}", index) for n in range(900)]
            store.append(commit(index, *many), expected_size=index, epoch=epoch)
            if not index:
                time.sleep(0.05)
                assert path.stat().st_size == before
        until = time.monotonic() + 30
        while path.stat().st_size == before:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert len(list(store.select(PARTS))) == 900

    def test_copy_that_fails_is_tried_again(self) -> None:
        done = threading.Semaphore(0)

        def copy() -> None:
            done.release()
            raise StorageFailedError(reason="the disk is full")

        copier = settings.Copier(copy)
        for _ in range(3):
            copier.wake()
            assert done.acquire(timeout=30)
        copier.stop()
        copier.wake()
        assert not done.acquire(timeout=0.05)

    def test_locked_database_is_a_failure_that_keeps_nothing(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "BUSY_MS", 1)
        store = SqlStore(f"sqlite:///{path}", ALL)
        epoch = store.acquire()
        other = raw(path)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageFailedError, match="locked"):
            store.append(commit(0), expected_size=0, epoch=epoch)
        other.execute("ROLLBACK")
        other.close()
        store.append(commit(0), expected_size=0, epoch=epoch)
        store.close()

    def test_new_file_that_another_is_opening_is_waited_for(self, tmp_path: Path) -> None:
        other = raw(tmp_path / "new.db")
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE other (a)")
        closer = threading.Timer(0.3, other.close)
        closer.start()
        SqlStore(f"sqlite:///{tmp_path}/new.db", ALL[1:]).close()
        closer.join()

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
            SqlStore(f"sqlite:///{path}", ALL)


def test_hot_questions_go_through_an_index(store: SqlStore, path: Path) -> None:
    connection = raw(path)

    def plan(sql: str, parameters: tuple[Any, ...]) -> str:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
        return " / ".join(row[3] for row in rows)

    def asked(table: str, field: str, *values: Any) -> str:
        (question,) = store._rows[table].questions(1, field, values)
        return plan(*question)

    parts: Any = store._rows["part"]
    key = "(ledger_id=? AND until=? AND part=?)"
    colour = "part_by_colour (ledger_id=? AND until=? AND colour=?)"
    assert key in asked("part", "", ("a",), ("b",))
    assert key in plan(parts.close.text, (5, 1, "a"))
    assert colour in asked("part", "colour", "red", "blue")
    by_three = asked("deadline", "", (1, "k", "a"), (2, "k", "b"))
    assert "(ledger_id=? AND until=? AND at=? AND kind=? AND id=?)" in by_three
    due = plan(store._due, (1, 5, 10))
    assert "(ledger_id=? AND until=? AND at<?)" in due
    assert "TEMP B-TREE" not in due
    assert "TEMP B-TREE" not in plan(*parts.selection(1, "", "", None))
    assert "(ledger_id=? AND until>? AND until<?)" in plan(*parts.selection(1, "", "", 7))
    assert colour in plan(*parts.selection(1, "colour", "red", None))
    then = plan(*parts.selection(1, "colour", "red", 7))
    assert colour in then
    assert "(ledger_id=? AND until>? AND until<?)" in then
    assert "USING INDEX entry_of_state (ledger_id=? AND idx>? AND idx<?)" in plan(
        store._log.state, (1, 0, 9)
    )
    (ids,) = store._log.ids.questions(1, [("acme", "id")])
    assert "USING INDEX" in plan(*ids)
    connection.close()
