"""PostgreSQL: all that is said to this engine and to no other.

A server that would lose a commit is refused: `fsync`, `full_page_writes` and
`synchronous_commit` must be on. The transaction that writes is `READ COMMITTED` and
trusts no isolation: it locks the lease's row before it looks at anything, so that
whoever waited for the lock sees what was committed meanwhile. Readers are
`REPEATABLE READ`, which is one snapshot, and blocks nobody.
"""

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg.types.array import ListBinaryDumper
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from registry.errors import MalformedError, StorageFailedError, StorageUnknownError
from registry.store.database import Connection, Database
from registry.store.postgresql_forms import Insert, PostgresqlForms
from registry.store.queries import Bulk, Cursor, Question, Records

VERSION_MIN: Final = 150_000
"""The oldest server that this is tested with, as `server_version_num`."""

LOCK_MS: Final = 10_000
"""How long a writer waits for another writer's lock."""

IDLE_MS: Final = 20_000
"""How long the server waits for a writer that fell silent within a transaction."""

PIPELINED_MAX: Final = 256
"""Rows up to which a commit is sent as INSERTs without waiting for answers, not by COPY."""

ANALYZED_ROWS: Final = 500
"""Rows that a table has got when its statistics are first made; then twice as many, and so on."""

_SETTINGS: Final = (
    ("fsync", ("on",)),
    ("full_page_writes", ("on",)),
    ("synchronous_commit", ("on", "remote_apply")),
    ("server_encoding", ("UTF8",)),
)
"""What the server must say, and what it may answer."""

_READERS_KEPT: Final = 8
_READERS_MORE: Final = 24
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class PostgresqlDatabase(Database):
    """A schema of a database of a server."""

    begin_writing = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
    begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: sa.URL) -> None:
        """Opens the database; `?schema=` names the schema, which is `public` otherwise.

        Raises:
            MalformedError: The name of the schema is not a plain one.
        """
        schema = url.query.get("schema", "public")
        if not isinstance(schema, str) or _SCHEMA.fullmatch(schema) is None:
            raise MalformedError(what="schema", reason="one name of a-z, 0-9 and _, please")
        self.schema = schema
        url = url.set(drivername="postgresql+psycopg").difference_update_query(["schema"])
        # The writer joins tables with the keys that a commit names: by an index, whatever
        # the server thinks of their sizes.
        common = {"search_path": schema, "client_encoding": "UTF8", "jit": "off"}
        writing = {
            "lock_timeout": f"{LOCK_MS}",
            "idle_in_transaction_session_timeout": f"{IDLE_MS}",
            "enable_seqscan": "off",
            "enable_hashjoin": "off",
            "enable_mergejoin": "off",
        }
        reading = {"default_transaction_read_only": "on"}
        writer = _engine(url, {**common, **writing}, pool_size=1, max_overflow=-1)
        sa.event.listen(writer, "connect", _set_up_writer)
        readers = _engine(
            url, {**common, **reading}, pool_size=_READERS_KEPT, max_overflow=_READERS_MORE
        )
        sa.event.listen(readers, "connect", _set_up)
        super().__init__(writer=writer, readers=readers, forms=PostgresqlForms(writer.dialect))
        self._growth = Growth()

    def ask(self, questions: Sequence[Question]) -> list[Records]:
        """Answers all questions as of one moment, in one exchange with the server."""
        if not questions:
            return []
        with self.connected(self.readers) as connection:
            if len(questions) == 1:
                # One statement is one snapshot, and the session cannot write.
                return self.told(connection, questions)
            with connection.driver_connection.pipeline():
                connection.cursor().execute(self.begin_reading)
                answers = self.told(connection, questions)
                connection.commit()
            return answers

    def told(self, connection: Connection, questions: Sequence[Question]) -> list[Records]:
        """Answers questions within a transaction, in one exchange with the server."""
        if len(questions) == 1:
            return super().told(connection, questions)
        driver = connection.driver_connection
        with driver.pipeline():
            cursors = [driver.execute(*question, binary=True) for question in questions]
            return [cursor.fetchall() for cursor in cursors]

    def run(self, connection: Connection, work: Sequence[tuple[Bulk, Records]]) -> None:
        """Makes changes within a transaction, in order."""
        for bulk, records in work:
            if isinstance(bulk, Insert):
                self._growth.note(bulk.table, len(records))
        if sum(len(records) for _, records in work) > PIPELINED_MAX:
            super().run(connection, work)
            return
        with connection.driver_connection.pipeline():
            super().run(connection, work)

    def make_room(self, connection: sa.Connection) -> None:
        """Makes the schema if it is not there; to look needs no right that making needs."""
        query = sa.text("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :name")
        if connection.execute(query, {"name": self.schema}).scalar() is None:
            connection.execute(sa.schema.CreateSchema(self.schema))

    def checkpoint(self) -> None:
        """Does nothing: the server writes its own checkpoints."""

    def _streaming_cursor(self, connection: Connection) -> Cursor:
        """Returns a cursor of the server's, which keeps the rest of the answer there."""
        return connection.driver_connection.cursor(name="stream", binary=True)

    def _commit(self, connection: Connection) -> None:
        """Commits: when this returns, everything of the transaction survives a crash."""
        warnings: list[str] = connection.info["warnings"]
        warnings.clear()
        connection.commit()
        if warnings:
            # Waiting for a standby was cut short: committed here, and perhaps only here.
            connection.invalidate()
            raise StorageUnknownError(reason=warnings[0])
        for table in self._growth.due():
            self._analyze(connection, table)

    def _analyze(self, connection: Connection, table: str) -> None:
        """Lets the server count a table anew: its plans are wrong until it has.

        All indexes of a table of rows begin alike. Without statistics they look the same to
        the planner, and it may read all live rows to find one. The commit has been made, so
        a failure changes nothing but speed.
        """
        with suppress(psycopg.Error):
            connection.cursor().execute(f"ANALYZE {table}")
        if self._is_lost(connection):
            connection.invalidate()

    def _is_lost(self, connection: Connection) -> bool:
        """Tells whether a connection that failed cannot be used again."""
        return bool(connection.driver_connection.closed)

    def _reason(self, error: Exception) -> str:
        """Returns the server's first line: its details show values of rows."""
        original = getattr(error, "orig", error)
        if isinstance(original, psycopg.Error) and original.diag.message_primary:
            return f"{original.diag.message_primary} ({original.sqlstate})"
        return str(original).partition("\n")[0]

    def _cause(self, _error: Exception) -> None:
        """Chains nothing: the text of the driver's error has the details."""


class Growth:
    """Counts the rows that tables have got, and tells when they are to be analyzed."""

    def __init__(self) -> None:
        """Starts at nothing: what was there before is analyzed again soon."""
        self._rows: Counter[str] = Counter()
        self._due: dict[str, int] = {}

    def note(self, table: str, rows: int) -> None:
        """Adds rows to a table."""
        self._rows[table] += rows

    def due(self) -> list[str]:
        """Returns the tables that have doubled, and takes them as done."""
        due = [t for t, rows in self._rows.items() if rows >= self._due.get(t, ANALYZED_ROWS)]
        self._due |= {table: 2 * self._rows[table] for table in due}
        return due


def _engine(
    url: sa.URL, settings: dict[str, str], *, pool_size: int, max_overflow: int
) -> sa.Engine:
    """Returns an engine whose transactions begin when told to, with a session's settings."""
    given = url.query.get("options", "")
    options = [given if isinstance(given, str) else " ".join(given)]
    options += [f"-c {name}={value}" for name, value in settings.items()]
    return sa.create_engine(
        url.difference_update_query(["options"]),
        paramstyle="format",
        poolclass=sa.QueuePool,
        pool_size=pool_size,
        max_overflow=max_overflow,
        hide_parameters=True,
        connect_args={"autocommit": True, "options": " ".join(options).strip()},
    )


def _set_up_writer(connection: Any, record: Any) -> None:
    """Refuses a server that would lose a commit; listens for its warnings."""
    _set_up(connection, record)
    warnings: list[str] = []
    record.info["warnings"] = warnings
    connection.add_notice_handler(
        lambda notice: (
            warnings.append(str(notice.message_primary))
            if notice.severity_nonlocalized == "WARNING"
            else None
        )
    )
    if connection.info.server_version < VERSION_MIN:
        raise StorageFailedError(
            reason=f"PostgreSQL {connection.info.server_version // 10_000} is too old: "
            f"{VERSION_MIN // 10_000} is the oldest"
        )
    for name, accepted in _SETTINGS:
        (value,) = connection.execute(f"SHOW {name}").fetchone()
        if value not in accepted:
            raise StorageFailedError(
                reason=f"the server has {name} = {value}; a ledger needs {' or '.join(accepted)}"
            )


def _set_up(connection: Any, _record: object) -> None:
    """Lets every integer be a BIGINT, whatever its value: one text has one plan.

    Arrays go in binary form, which costs half as much to write.
    """
    adapters = connection.adapters
    for dumper in (Int8Dumper, Int8BinaryDumper):
        adapters.register_dumper(int, dumper)
    adapters.register_dumper(list, ListBinaryDumper)
