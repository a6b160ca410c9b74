"""The schema has one description in the code and one in the migrations; they are the same.

`python -m tests.registry.store.test_migrations --write` writes the tables of revision 0001
from the code. That is for as long as 0001 was not released; after that a change of a
table takes a revision of its own.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent, indent, wrap

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from clearing.model import BALANCES
from clearing.rulebook import RULEBOOK
from registry.errors import StorageFailedError
from registry.model import DEADLINES
from registry.store import migrations
from registry.store.database import Database
from registry.store.migrations import REVISIONS, VERSION_TABLE
from registry.store.migrations.versions import rev_0001_first
from registry.store.schema import log_tables, row_table
from registry.store.sql import SqlStore, migrate, open_database
from tests.postgres import ENGINES, Server
from tests.registry.store.databases import empty_url, sqlite_url

LAST = 2**63 - 1
"""Until when a row that is live is so."""

BALANCE = row_table(BALANCES, sa.MetaData()).sql
MARK = "# --- Tables of rows, in the order in which batches read them"
HERE = Path(migrations.__file__).parent


def described() -> sa.MetaData:
    """The schema that the code describes."""
    metadata = sa.MetaData()
    log_tables(metadata)
    for table in RULEBOOK.tables:
        row_table(table, metadata)
    return metadata


def written() -> str:
    """The rows' part of revision 0001, as the code has it."""
    calls = []
    metadata = sa.MetaData()
    for kind in RULEBOOK.tables:
        table = row_table(kind, metadata).sql
        checks = {c.name for c in table.constraints if isinstance(c, sa.CheckConstraint)}
        words = []
        for column in list(table.columns)[1:-2]:
            word = {"BIGINT": "int", "BOOLEAN": "bool", "TEXT": "text"}[str(column.type)]
            money = f"{table.name}_{column.name}" in checks
            words.append(
                f"{column.name} {'money' if money else word}{'?' if column.nullable else ''}"
            )
        lines = wrap(", ".join(words), width=86)
        columns = "".join(f'        "{line} "\n' for line in lines[:-1])
        calls.append(
            f'    rows(\n        "{kind.name}",\n{columns}        "{lines[-1]}",\n'
            f'        key="{" ".join(kind.key)}",\n'
            + (f'        indexes="{" ".join(kind.indexes)}",\n' if kind.indexes else "")
            + "    )\n"
        )
    head = '\n\n\ndef make_rows() -> None:\n    """Makes the tables of rows."""\n'
    return MARK + head + "".join(calls)


def split_0001() -> tuple[Path, str, str]:
    path = Path(rev_0001_first.__file__)
    text = path.read_text()
    place = text.index(MARK)
    return path, text[:place], text[place:]


def test_first_revision_is_what_the_code_describes() -> None:
    _, _, rows = split_0001()
    assert rows == written(), "a table has changed: see the head of this file"


def test_every_revision_is_known_and_follows_the_one_before() -> None:
    scripts = ScriptDirectory(str(HERE))
    found = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS
    assert scripts.get_heads() == [REVISIONS[-1]]


def sqlite_schema(database: Database) -> list[str]:
    with database.writer.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
        ).scalars()
        return sorted(" ".join(sql.split()) for sql in rows if VERSION_TABLE not in sql)


def create_as_described(database: Database) -> None:
    with database.defining() as connection:
        database.make_room(connection)
        described().create_all(connection)


def test_migrating_sqlite_gives_the_schema_that_the_code_describes(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/migrated.db")
    one = open_database(f"sqlite:///{tmp_path}/migrated.db")
    two = open_database(f"sqlite:///{tmp_path}/described.db")
    create_as_described(two)
    assert sqlite_schema(one) == sqlite_schema(two) != []
    one.close()
    two.close()


def test_migrating_postgresql_gives_the_schema_that_the_code_describes(postgres: Server) -> None:
    one, two = postgres.fresh_schema(), postgres.fresh_schema()
    migrate(one.url)
    database = open_database(two.url)
    create_as_described(database)
    database.close()

    def dump(name: str) -> list[str]:
        text = postgres.dump_schema(name).replace(name, "schema")
        # A dump has a random word in its first and last commands.
        parts = [part for part in text.split("\n\n") if "restrict" not in part]
        # What is of no table is the migration's alone.
        return sorted(
            part for part in parts if VERSION_TABLE not in part and "balance_" not in part
        )

    assert dump(one.name) == dump(two.name)
    assert any('COLLATE pg_catalog."C"' in part for part in dump(one.name))


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Names a database that nobody has opened."""
    return empty_url(request.param, tmp_path)


def execute(url: str, *texts: str) -> None:
    database = open_database(url)
    with database.defining() as connection:
        for text in texts:
            connection.exec_driver_sql(text)
    database.close()


class TestOpening:
    def test_empty_database_is_given_the_newest_schema(self, url: str) -> None:
        SqlStore(url, RULEBOOK.tables).close()
        assert migrate(url) == (REVISIONS[-1], REVISIONS[-1])

    def test_migrating_an_empty_database_says_so(self, url: str) -> None:
        assert migrate(url) == ("", REVISIONS[-1])
        SqlStore(url, RULEBOOK.tables).close()

    def test_refuses_a_newer_schema(self, url: str) -> None:
        migrate(url)
        execute(url, "UPDATE schema_version SET version_num = '9999'")
        with pytest.raises(StorageFailedError, match="9999, made by a newer program"):
            SqlStore(url, (DEADLINES,))
        with pytest.raises(StorageFailedError, match="newer"):
            migrate(url)

    def test_refuses_an_older_schema_until_it_is_migrated(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        migrate(url)
        for module in ("registry.store.sql", "registry.store.migrations"):
            monkeypatch.setattr(f"{module}.REVISIONS", (*REVISIONS, "0002"))
        with pytest.raises(StorageFailedError, match="needs 0002: migrate it"):
            SqlStore(url, (DEADLINES,))

    def test_refuses_tables_without_a_version(self, url: str) -> None:
        migrate(url)
        execute(url, f"DROP TABLE {VERSION_TABLE}")
        with pytest.raises(StorageFailedError, match="no schema version"):
            SqlStore(url, (DEADLINES,))

    def test_refuses_rows_that_no_migration_knows(self, url: str) -> None:
        migrate(url)
        execute(url, "DROP TABLE lot")
        with pytest.raises(StorageFailedError, match="no migration makes lot"):
            SqlStore(url, RULEBOOK.tables)

    def test_failed_migration_leaves_nothing(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def break_off(connection: sa.Connection) -> None:
            migrations.upgrade(connection)
            connection.exec_driver_sql("SELECT wrong")

        monkeypatch.setattr("registry.store.sql.upgrade", break_off)
        with pytest.raises(StorageFailedError, match="wrong"):
            SqlStore(url, (DEADLINES,))
        monkeypatch.undo()
        assert migrate(url) == ("", REVISIONS[-1])

    def test_many_may_open_an_empty_database_at_once(self, url: str) -> None:
        with ThreadPoolExecutor(4) as pool:
            stores = list(pool.map(lambda _: SqlStore(url, RULEBOOK.tables), range(4)))
        for store in stores:
            store.close()
        assert migrate(url) == (REVISIONS[-1], REVISIONS[-1])


def test_template_of_the_tests_is_a_migrated_database(tmp_path: Path) -> None:
    assert migrate(sqlite_url(tmp_path, (DEADLINES,))) == (REVISIONS[-1], REVISIONS[-1])


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        raise SystemExit(indent(dedent(__doc__ or ""), ""))
    path, head, _ = split_0001()
    path.write_text(head + written())


class TestEvenBooks:
    """PostgreSQL refuses to commit books of which debits and credits differ."""

    @pytest.fixture
    def database(self, postgres: Server) -> Iterator[Database]:
        """A migrated schema, with a ledger whose books are even."""
        schema = postgres.fresh_schema()
        migrate(schema.url)
        opened = open_database(schema.url)
        self.write(opened, ("bank:a", 5, 0), ("bank:b", 0, 5))
        yield opened
        opened.close()

    def write(
        self, database: Database, *rows: tuple[str, int, int], since: int = 0, ledger: int = 1
    ) -> None:
        """Writes versions of balances, each in the place of the one before, and commits."""
        with database.defining() as connection:
            for account, debited, credited in rows:
                row = {"account": account, "debited": debited, "credited": credited}
                row |= {"since": since, "until": LAST, "ledger_id": ledger}
                live = (BALANCE.c.account == account) & (BALANCE.c.until == LAST)
                connection.execute(BALANCE.update().where(live).values(until=since))
                connection.execute(BALANCE.insert().values(row))

    def test_both_sides_of_a_payment_are_committed_together(self, database: Database) -> None:
        """It is not even between the two, and need not be."""
        self.write(database, ("bank:a", 8, 0), ("bank:b", 0, 8), since=1)

    @pytest.mark.parametrize(
        "rows",
        [
            [("bank:a", 6, 0)],
            [("bank:a", 8, 0), ("bank:b", 0, 7)],
            [("bank:c", 1, 0)],
        ],
        ids=["one side", "a fen too few", "an account out of nothing"],
    )
    def test_one_side_alone_is_not(
        self, database: Database, rows: list[tuple[str, int, int]]
    ) -> None:
        with pytest.raises(StorageFailedError, match="debits and credits of ledger 1 differ"):
            self.write(database, *rows, since=1)
        with database.writer.connect() as connection:
            live = sa.select(BALANCE.c.account).where(BALANCE.c.until == LAST)
            assert len(connection.execute(live).all()) == 2

    def test_another_ledger_has_books_of_its_own(self, database: Database) -> None:
        with pytest.raises(StorageFailedError, match="ledger 2"):
            self.write(database, ("bank:z", 3, 0), ledger=2)
