"""An open database: its connections, its transactions, and what its failures mean.

One connection writes; readers have their own. What an engine does in its own way is
overridden in `sqlite` and `postgresql`, and is nowhere else.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from registry.errors import StorageFailedError, StorageUnknownError
from registry.store.queries import Bulk, Cursor, Forms, Question, Records

STREAM_ROWS: Final = 1_000
"""Rows of one part of a stream."""

Connection = Any
"""A pooled connection of the driver (PEP 249): drivers have no common type."""


class Database(ABC):
    """Runs questions and changes on one engine."""

    begin_writing: str
    """What begins a transaction that writes."""
    begin_reading: str
    """What begins a transaction that reads, all of one moment."""

    def __init__(self, *, writer: sa.Engine, readers: sa.Engine, forms: Forms) -> None:
        """Takes the engine of the one connection that writes, and that of the readers."""
        self.writer = writer
        self.readers = readers
        self.forms = forms
        # Threads that write wait for one another, and keep the connection for the next.
        self._turn = threading.Lock()
        self._held: Connection | None = None
        driver = writer.dialect.loaded_dbapi
        # SQLite's driver finds by itself that an integer has more than 64 bits.
        self._errors: tuple[type[Exception], ...] = (driver.Error, SQLAlchemyError, OverflowError)

    def close(self) -> None:
        """Closes the connections; who still reads a stream, or writes, keeps its own."""
        self.readers.dispose()
        if self._turn.acquire(blocking=False):
            if self._held is not None:
                self._held.close()
                self._held = None
            self._turn.release()
        self.writer.dispose()

    # --- Reading ------------------------------------------------------------------

    def ask(self, questions: Sequence[Question]) -> list[Records]:
        """Answers all questions as of one moment."""
        with self.connected(self.readers) as connection:
            connection.cursor().execute(self.begin_reading)
            return self.told(connection, questions)

    def ask_as_writer(self, questions: Sequence[Question]) -> list[Records]:
        """Answers the only process that writes, which need not ask for one moment.

        What its connection has in memory is true until it writes again.
        """
        if not questions:
            return []
        with self.holding() as connection:
            return self.told(connection, questions)

    def told(self, connection: Connection, questions: Sequence[Question]) -> list[Records]:
        """Answers questions within a transaction."""
        cursor = connection.cursor()
        answers = []
        for sql, parameters in questions:
            cursor.execute(sql, parameters)
            answers.append(cursor.fetchall())
        return answers

    def stream(self, question: Question) -> Iterator[Records]:
        """Yields an answer in parts, all of one moment."""
        with self.connected(self.readers) as connection:
            connection.cursor().execute(self.begin_reading)
            with closing(self._streaming_cursor(connection)) as cursor:
                cursor.execute(*question)
                while part := cursor.fetchmany(STREAM_ROWS):
                    yield part

    def _streaming_cursor(self, connection: Connection) -> Cursor:
        """Returns a cursor that does not fetch more than it is asked for."""
        return connection.cursor()

    # --- Writing ------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Gives a transaction of the one connection that writes, and commits it.

        Raises:
            StorageUnknownError: COMMIT failed, so the outcome is not known.
            StorageFailedError: Something failed before; nothing was stored.
        """
        with self.holding() as connection:
            connection.cursor().execute(self.begin_writing)
            yield connection
            # The commit point: from here until it returns, the outcome is not known.
            try:
                self._commit(connection)
            except self._errors as error:
                connection.invalidate()
                raise StorageUnknownError(reason=self._reason(error)) from self._cause(error)

    def run(self, connection: Connection, work: Sequence[tuple[Bulk, Records]]) -> None:
        """Makes changes within a transaction, in order."""
        cursor = connection.cursor()
        for bulk, records in work:
            if records:
                bulk.run(cursor, records)

    def _commit(self, connection: Connection) -> None:
        """Commits: when this returns, everything of the transaction survives a crash."""
        connection.commit()

    @abstractmethod
    def checkpoint(self) -> None:
        """Does what keeps later commits short, if the engine does not do it by itself."""

    # --- Connections --------------------------------------------------------------

    @contextmanager
    def connected(self, engine: sa.Engine) -> Iterator[Connection]:
        """Gives a connection; what is not committed in the end is rolled back.

        Raises:
            StorageFailedError: The database refused or failed.
        """
        try:
            with closing(engine.raw_connection()) as connection:
                try:
                    yield connection
                except self._errors:
                    if self._is_lost(connection):
                        connection.invalidate()
                        # What waits in the pool has died with it.
                        engine.dispose()
                    raise
        except self._errors as error:
            raise StorageFailedError(reason=self._reason(error)) from self._cause(error)

    @contextmanager
    def holding(self) -> Iterator[Connection]:
        """Gives the one connection that writes; what is not committed in the end is rolled back.

        It is kept until it fails: to fetch it from a pool for each commit costs more than
        a small commit itself.

        Raises:
            StorageFailedError: The database refused or failed.
        """
        with self._turn:
            try:
                if self._held is None:
                    self._held = self.writer.raw_connection()
                try:
                    yield self._held
                finally:
                    self._settle(self._held)
            except self._errors as error:
                raise StorageFailedError(reason=self._reason(error)) from self._cause(error)

    def _settle(self, connection: Connection) -> None:
        """Ends what is open on the connection that writes, and lets go of a broken one."""
        try:
            if connection.is_valid:
                connection.rollback()
        except self._errors:
            connection.invalidate()
        if not connection.is_valid:
            self._held = None

    @contextmanager
    def defining(self) -> Iterator[sa.Connection]:
        """Gives a transaction that changes the schema, all or nothing, and commits it.

        Raises:
            StorageFailedError: The database refused or failed.
        """
        try:
            with self.writer.connect() as connection:
                connection.exec_driver_sql(self.begin_writing)
                yield connection
                connection.commit()
        except self._errors as error:
            raise StorageFailedError(reason=self._reason(error)) from self._cause(error)

    def make_room(self, connection: sa.Connection) -> None:  # noqa: B027 (most need none)
        """Makes what the tables are to stand in, where an engine needs more than a database."""

    def _is_lost(self, _connection: Connection) -> bool:
        """Tells whether a connection that failed cannot be used again."""
        return False

    def _reason(self, error: Exception) -> str:
        """Returns what to say of a failure: never a value of a row."""
        return str(getattr(error, "orig", error))

    def _cause(self, error: Exception) -> Exception | None:
        """Returns what to chain to a failure: None where its text may show values."""
        return error
