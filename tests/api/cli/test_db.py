"""A database against its own log: what was changed is found, and named."""

from pathlib import Path

import pysqlite3
import pytest

from api.rebuild import rebuild_store
from clearing.rulebook import RULEBOOK
from registry.store.sql import SqlStore
from tests.api.cli.terminal import Terminal
from tests.builders import ORIGIN
from tests.logs import story


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
