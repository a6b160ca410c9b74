"""A database against its own log: what was changed is found, and named."""

import json
from collections.abc import Iterator
from pathlib import Path

import pysqlite3
import pytest

from api.rebuild import rebuild_store
from clearing.rulebook import RULEBOOK
from registry.errors import HeadMovedError
from registry.store.migrations import REVISIONS
from registry.store.sql import SqlStore, open_database
from tests.api.cli.terminal import Terminal, invoke
from tests.builders import ORIGIN
from tests.logs import story
from tests.postgres import NEWEST, Server

NEWEST_SCHEMA = REVISIONS[-1]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal beside a database of the story."""
    t = Terminal(directory=tmp_path)
    store = SqlStore(url(t), RULEBOOK.tables)
    rebuild_store(story().world.store, store, RULEBOOK, origin=ORIGIN)
    store.close()
    return t


def url(t: Terminal, name: str = "registry.db") -> str:
    return f"sqlite:///{t.path(name)}"


def change(t: Terminal, sql: str) -> None:
    """Does what nobody should."""
    connection = pysqlite3.connect(t.path("registry.db"))
    with connection:
        assert connection.execute(sql).rowcount
    connection.close()


def test_an_untouched_database_is_as_its_entries_say(terminal: Terminal) -> None:
    said = terminal.run("db check --database", url(terminal))
    assert said.startswith("0 VERIFIED\n")
    found = terminal.json("db check --json --database", url(terminal))
    assert (found["size"], found["findings"]) == (len(story().entries), [])


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("DELETE FROM lot", "table lot: "),
        ("DELETE FROM party WHERE ordinal = 3", "table party: 1 rows missing"),
        ("UPDATE voucher SET face = face + 1", "other than the entries say"),
        ("UPDATE party SET until = 60 WHERE ordinal = 3", "table party: 1 rows missing"),
        ("UPDATE key_record SET revoked = 3", "table key_record: "),
        ("DELETE FROM entry WHERE idx = 40", "entry 40: its index says 41"),
        ("UPDATE entry SET leaf_hash = zeroblob(32) WHERE idx = 9", "entry 9: another leaf"),
        ("UPDATE entry SET sid = NULL WHERE idx = 5", "is found at None"),
        ("UPDATE tile SET data = zeroblob(length(data))", "tile 0/0: is not what"),
    ],
)
def test_what_was_changed_is_named(terminal: Terminal, sql: str, names: str) -> None:
    change(terminal, sql)
    said = terminal.run("db check --database", url(terminal), exits=10)
    assert said.startswith("10 INVALID\n")
    assert names in said


def test_a_database_is_written_again_from_its_entries_alone(terminal: Terminal) -> None:
    for table in RULEBOOK.tables:
        if table.name in {"lot", "voucher", "party", "ledger", "bucket"}:
            change(terminal, f'DELETE FROM "{table.name}"')  # noqa: S608 (our own names)
    before = terminal.path("registry.db").read_bytes()
    where = ("--database", url(terminal), "--into", url(terminal, "new.db"))
    assert terminal.run("db rebuild", *where).startswith("0 VERIFIED\n")
    assert terminal.path("registry.db").read_bytes() == before
    assert "exists" in terminal.run("db rebuild", *where, exits=2)
    assert terminal.run("db check --database", url(terminal, "new.db")).startswith("0 VERIFIED")


def test_an_entry_that_should_not_be_there_stops_the_rebuilding(terminal: Terminal) -> None:
    change(terminal, "DELETE FROM entry WHERE idx = 40")
    said = terminal.run(
        "db rebuild --database", url(terminal), "--into", url(terminal, "new.db"), exits=1
    )
    assert "entry-invalid" in said


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    server = Server(NEWEST).start()
    yield server
    server.remove()


def test_a_database_is_written_again_on_another_engine_and_never_over_entries(
    terminal: Terminal, postgres: Server
) -> None:
    there = postgres.url(schema="again")
    where = ("--database", url(terminal), "--into", there)
    said = terminal.run("db rebuild", *where)
    assert said.startswith("0 VERIFIED\n")
    assert terminal.run("db check --database", there) == said
    live = SqlStore(there, RULEBOOK.tables)
    epoch = live.acquire()
    assert "has entries" in terminal.run("db rebuild", *where, exits=2)
    with pytest.raises(HeadMovedError):
        rebuild_store(story().world.store, live, RULEBOOK, origin=ORIGIN)
    assert live.acquire() == epoch + 1, "the attempt has fenced off whoever writes there"
    live.close()


class TestMigrate:
    @pytest.fixture(params=["sqlite", "postgresql"])
    def empty(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path}/empty.db"
        server: Server = request.getfixturevalue("postgres")
        return server.fresh_schema().url

    def test_an_empty_database_is_given_the_schema_and_then_left_alone(self, empty: str) -> None:
        first = invoke(["db", "migrate", "--database", empty], {})
        assert (first.code, first.stdout) == (0, f"the schema was none and is {NEWEST_SCHEMA}\n")
        again = invoke(["db", "migrate", "--database", empty], {})
        assert (again.code, again.stdout) == (0, f"the schema is {NEWEST_SCHEMA} already\n")
        told = invoke(["db", "migrate", "--json"], {"TALLYSTICK_DATABASE": empty})
        assert json.loads(told.stdout) == {"before": NEWEST_SCHEMA, "now": NEWEST_SCHEMA}
        SqlStore(empty, RULEBOOK.tables).close()

    def test_a_newer_program_s_database_is_refused_by_every_command(
        self, empty: str, tmp_path: Path
    ) -> None:
        invoke(["db", "migrate", "--database", empty], {})
        database = open_database(empty)
        with database.defining() as connection:
            connection.exec_driver_sql("UPDATE schema_version SET version_num = '9999'")
        database.close()
        for command in (
            ["db", "migrate"],
            ["db", "check", "--origin", ORIGIN],
            ["demo", "--dir", str(tmp_path / "demo")],
        ):
            done = invoke([*command, "--database", empty], {})
            assert (done.code, done.stdout) == (1, "")
            assert "has schema 9999, made by a newer program" in done.stderr
            assert done.stderr.count("\n") == 1

    def test_what_is_no_database_is_a_mistake_and_what_is_not_there_a_failure(self) -> None:
        assert invoke(["db", "migrate", "--database", "registry.db"], {}).code == 2
        absent = invoke(["db", "migrate", "--database", "postgresql://a@127.0.0.1:1/b"], {})
        assert absent.code == 1
        assert absent.stderr.startswith("storage-failed: connection failed")
        assert absent.stderr.count("\n") == 1
