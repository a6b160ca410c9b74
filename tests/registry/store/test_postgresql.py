"""What holds on PostgreSQL alone: durable settings, fencing, lost connections, plans."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from registry.errors import StaleWriterError, StorageFailedError, StorageUnknownError
from registry.model import DEADLINES, TABLES
from registry.store import postgresql as settings
from registry.store.sql import SqlStore
from registry.tables import Get
from tests.postgres import VERSIONS, Server
from tests.registry.store.databases import fresh_ledger, postgres_url
from tests.registry.store.pieces import ALL, PARTS, commit, part

Open = Callable[[], SqlStore]
BARE = (DEADLINES,)


@pytest.fixture
def reopen(postgres: Server) -> Iterator[Open]:
    ledger, opened = fresh_ledger(), []

    def open_it() -> SqlStore:
        opened.append(SqlStore(postgres_url(postgres, ALL), ALL, ledger_id=ledger))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Open) -> SqlStore:
    return reopen()


@pytest.fixture(scope="module", params=VERSIONS)
def own(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A second server of each version, to be crashed and misconfigured."""
    server = Server(request.param).start()
    yield server
    server.remove()


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("synchronous_commit", "off"),
            ("synchronous_commit", "local"),
            ("synchronous_commit", "remote_write"),
        ],
    )
    def test_refuses_a_server_that_would_lose_a_commit(
        self, own: Server, name: str, value: str
    ) -> None:
        own.stop()
        own.start(**{name: value})
        with pytest.raises(StorageFailedError, match=f"the server has {name} = {value}"):
            SqlStore(own.url(), ALL)
        own.stop()
        own.start()

    def test_refuses_a_database_whose_default_would_lose_a_commit(self, own: Server) -> None:
        with own.connect() as connection:
            connection.execute("ALTER DATABASE postgres SET synchronous_commit = off")
        with pytest.raises(StorageFailedError, match="synchronous_commit = off"):
            SqlStore(own.url(), ALL)
        with own.connect() as connection:
            connection.execute("ALTER DATABASE postgres RESET synchronous_commit")

    def test_refuses_another_encoding(self, own: Server) -> None:
        with own.connect() as connection:
            connection.execute(
                "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
            )
        with pytest.raises(StorageFailedError, match="server_encoding = LATIN1"):
            SqlStore(own.url().replace("/postgres?", "/latin?"), ALL)

    def test_refuses_an_older_server(
        self, postgres: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "VERSION_MIN", 990_000)
        with pytest.raises(StorageFailedError, match="99 is the oldest"):
            SqlStore(postgres.url(), ALL)

    def test_sessions_are_what_the_docs_say(self, store: SqlStore) -> None:
        def ask(engine: Any, name: str) -> Any:
            with engine.connect() as connection:
                return connection.exec_driver_sql(f"SHOW {name}").scalar()

        writer, readers = store._database.writer, store._database.readers
        assert ask(writer, "fsync") == ask(writer, "synchronous_commit") == "on"
        assert ask(writer, "lock_timeout") == "10s"
        assert ask(writer, "idle_in_transaction_session_timeout") == "20s"
        assert ask(readers, "default_transaction_read_only") == "on"
        assert ask(readers, "search_path") == ask(writer, "search_path")
        assert "public" not in ask(writer, "search_path")

    def test_nothing_outside_the_tables_is_used(self, postgres: Server) -> None:
        url = postgres.fresh_schema()
        SqlStore(url.url, TABLES).close()
        with postgres.connect() as connection:
            kinds = connection.execute(
                "SELECT DISTINCT relkind::text FROM pg_class"
                " JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %s",
                [url.name],
            ).fetchall()
        assert {kind for (kind,) in kinds} == {"r", "i"}


class TestFencing:
    def test_stale_writer_that_waited_for_the_lock_is_refused(
        self, store: SqlStore, reopen: Open
    ) -> None:
        """The second writer takes over while the first one's commit waits for the row."""
        old = store.acquire()
        refused: list[Exception] = []

        def append() -> None:
            try:
                store.append(commit(0), expected_size=0, epoch=old)
            except StaleWriterError as error:
                refused.append(error)

        second = reopen()
        late = threading.Thread(target=append)
        with second._database.writing() as connection:
            connection.cursor().execute(second._log.next_epoch, (second._ledger_id,))
            late.start()
            time.sleep(0.3)
            assert late.is_alive()
        late.join(timeout=10)
        assert [str(error) for error in refused] == [
            f"the lease is at epoch {old + 1}, this writer has {old}"
        ]
        assert store.size() == 0

    def test_lock_that_nobody_gives_back_is_a_failure_that_keeps_nothing(
        self, reopen: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "LOCK_MS", 50)
        store, other = reopen(), reopen()
        epoch = store.acquire()
        with other._database.writing() as connection:
            connection.cursor().execute(other._log.epoch, (other._ledger_id,))
            with pytest.raises(StorageFailedError, match="lock timeout"):
                store.append(commit(0), expected_size=0, epoch=epoch)
        store.append(commit(0), expected_size=0, epoch=epoch)

    def test_writer_that_falls_silent_is_ended_by_the_server(
        self, reopen: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "IDLE_MS", 100)
        silent, second = reopen(), reopen()
        epoch = silent.acquire()

        def fall_silent() -> None:
            with silent._database.writing() as connection:
                connection.cursor().execute(silent._log.epoch, (silent._ledger_id,))
                assert second.acquire() == epoch + 1

        with pytest.raises((StorageFailedError, StorageUnknownError)):
            fall_silent()


class TestFailures:
    def test_acknowledged_commits_survive_a_crash_and_work_goes_on(self, own: Server) -> None:
        store = SqlStore(own.url(schema="crash"), BARE)
        epoch = store.acquire()
        for index in range(20):
            store.append(commit(index), expected_size=index, epoch=epoch)
        # Two connections of readers wait in the pool, and both die.
        streams = [store.entries(0, 5_000) for _ in range(2)]
        assert [len(list(part)) for part in zip(*streams, strict=True)] == [2] * 20
        own.crash()
        with pytest.raises(StorageFailedError):
            store.append(commit(20), expected_size=20, epoch=epoch)
        with pytest.raises(StorageFailedError):
            store.size()
        own.start()
        assert store.size() == 20
        store.append(commit(20), expected_size=20, epoch=epoch)
        assert list(store.entries(0, 21)) == [b"d%d" % index for index in range(21)]
        store.close()

    def test_connection_that_dies_in_a_commit_leaves_the_outcome_unknown(
        self, store: SqlStore, postgres: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        epoch = store.acquire()
        commit_it = store._database._commit

        def die(connection: Any) -> None:
            with postgres.connect() as other:
                pid = connection.driver_connection.info.backend_pid
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            commit_it(connection)

        monkeypatch.setattr(store._database, "_commit", die)
        with pytest.raises(StorageUnknownError):
            store.append(commit(0, part("a")), expected_size=0, epoch=epoch)
        monkeypatch.undo()
        assert store.size() == 0
        store.append(commit(0, part("a")), expected_size=0, epoch=epoch)

    def test_commit_that_no_standby_confirmed_is_not_acknowledged(self, own: Server) -> None:
        """Cancelling the wait makes PostgreSQL say COMMIT, with a warning."""
        store = SqlStore(own.url(schema="standby"), BARE)
        epoch = store.acquire()
        with store._database.holding() as connection:
            writer = connection.driver_connection.info.backend_pid
        with own.connect() as other:
            other.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            other.execute("SELECT pg_reload_conf()")
            waiting = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'"

            def cancel() -> None:
                with own.connect() as another:
                    while another.execute(waiting, [writer]).fetchone() is None:
                        time.sleep(0.01)
                    another.execute("SELECT pg_cancel_backend(%s)", [writer])

            canceller = threading.Thread(target=cancel)
            canceller.start()
            with pytest.raises(StorageUnknownError, match="synchronous replication"):
                store.append(commit(0), expected_size=0, epoch=epoch)
            canceller.join()
            other.execute("ALTER SYSTEM RESET synchronous_standby_names")
            other.execute("SELECT pg_reload_conf()")
        store.close()

    def test_text_that_no_statement_can_hold_is_refused_whole(self, store: SqlStore) -> None:
        with pytest.raises((StorageFailedError, ValueError, psycopg.DataError)):
            store.append(commit(0, part("a\0b")), expected_size=0, epoch=store.acquire())
        assert store.size() == 0


def test_hot_questions_go_through_an_index(store: SqlStore) -> None:
    epoch = store.acquire()
    rows = [part(f"p{n:05}") for n in range(10_000)]
    store.append(commit(0, *rows), expected_size=0, epoch=epoch)
    database, ledger = store._database, store._ledger_id
    parts: Any = store._rows["part"]

    def plan(engine: Any, sql: str, parameters: Any) -> str:
        with database.connected(engine) as connection:
            cursor = connection.cursor()
            cursor.execute(f"EXPLAIN {sql}", parameters)
            return "\n".join(line for (line,) in cursor.fetchall())

    def asked(table: str, field: str, *values: Any) -> str:
        (question,) = store._rows[table].questions(ledger, field, values)
        return plan(database.readers, *question)

    assert "part_pkey" in asked("part", "", ("p00001",), ("p00002",))
    assert "part_by_colour" in asked("part", "colour", "green")
    assert "deadline_pkey" in asked("deadline", "", (1, "k", "a"), (2, "k", "b"))
    many = [f"p{n:05}" for n in range(500)]
    closing = plan(database.writer, parts.close.text, ([1] * 500, many, ledger))
    assert "part_pkey" in closing
    assert "Seq Scan" not in closing
    assert "deadline_pkey" in plan(database.readers, store._due, (ledger, 5, 10))
    states = plan(database.readers, store._log.state, (ledger, 0, 2**40))
    assert "entry_of_state" in states
    (ids,) = store._log.ids.questions(ledger, [("acme", "id")])
    assert "entry_by_id" in plan(database.readers, *ids)
    assert store.fetch([Get(PARTS, (("p00007",),))]) == [(part("p00007"),)]


def test_tables_are_analyzed_as_often_as_they_double() -> None:
    growth, analyzed = settings.Growth(), []
    for at in range(100):
        growth.note("lot", 100)
        growth.note("small", 1)
        analyzed += [(at, table) for table in growth.due()]
    assert analyzed == [(4, "lot"), (9, "lot"), (19, "lot"), (39, "lot"), (79, "lot")]
