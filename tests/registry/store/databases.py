"""Databases for tests: one that is migrated already, for each set of tables.

To migrate takes longer than most tests. A SQLite database is copied from a template; a
PostgreSQL schema is shared by tests, each with a ledger of its own in it.
"""

import atexit
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from registry.store.schema import log_tables, row_table
from registry.store.sql import SqlStore, migrate, open_database
from registry.tables import Table
from tests.postgres import Server, require, shared_server, version_of

Tables = tuple[Table[Any], ...]

_ledgers = itertools.count(1)


def add_tables(url: str, tables: Sequence[Table[Any]]) -> None:
    """Migrates a database, and makes those tables too that no migration knows."""
    migrate(url)
    database = open_database(url)
    with database.defining() as connection:
        metadata = sa.MetaData()
        log_tables(metadata)
        for table in tables:
            row_table(table, metadata)
        metadata.create_all(connection)
    database.close()


@cache
def _sqlite_template(tables: Tables) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tallystick-template-"))
    atexit.register(shutil.rmtree, folder)
    add_tables(f"sqlite:///{folder}/ledger.db", tables)
    return folder / "ledger.db"


def sqlite_url(folder: Path, tables: Sequence[Table[Any]]) -> str:
    """Returns the URL of an empty ledger in a folder."""
    shutil.copy(_sqlite_template(tuple(tables)), folder / "ledger.db")
    return f"sqlite:///{folder}/ledger.db"


@cache
def postgres_url(server: Server, tables: Tables) -> str:
    """Returns the URL of a schema with these tables."""
    url = server.fresh_schema().url
    add_tables(url, tables)
    return url


def fresh_ledger() -> int:
    """Returns the id of a ledger that nobody has used."""
    return next(_ledgers)


def ledger_url(engine: str, folder: Path, tables: Sequence[Table[Any]]) -> str:
    """Returns the URL of a database with these tables on an engine; skips if it is not there."""
    if engine == "sqlite":
        return sqlite_url(folder, tables)
    require(version_of(engine))
    return postgres_url(shared_server(version_of(engine)), tuple(tables))


def empty_url(engine: str, folder: Path) -> str:
    """Returns the URL of a database that nobody has opened; skips if its engine is not there."""
    if engine == "sqlite":
        return f"sqlite:///{folder}/ledger.db"
    require(version_of(engine))
    return shared_server(version_of(engine)).fresh_schema().url


@contextmanager
def sql_store(engine: str, folder: Path, tables: Sequence[Table[Any]]) -> Iterator[SqlStore]:
    """Gives an empty ledger on an engine."""
    store = SqlStore(ledger_url(engine, folder, tables), tables, ledger_id=fresh_ledger())
    yield store
    store.close()
