"""SQLite: all that is said to this engine and to no other.

The write-ahead log is kept with `synchronous=FULL`: a commit that returned is on disk.
One connection writes, and takes the write lock when its transaction begins, so that
nothing it read can change below it. Readers cannot write, and neither side blocks the
other.

Lists of values are as many parameters, padded to a power of two with the last of them,
so that a few texts serve them all.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from itertools import chain
from typing import Any, Final

import pysqlite3
import sqlalchemy as sa

from registry.errors import MalformedError, StorageFailedError
from registry.store.database import Connection, Database
from registry.store.queries import Bulk, Cursor, Lookup, Question, Records, given
from registry.store.schema import RowTable

BUSY_MS: Final = 10_000
"""How long a connection waits for another process's lock."""

COPIED_ROWS: Final = 8_192
"""Changed rows, some 64 MiB of write-ahead log, after which it is copied beside the commits."""

WAL_PAGES_MAX: Final = 65_536
"""Pages in the write-ahead log (256 MiB) at which a commit copies them itself after all."""

VARIABLES_MAX: Final = 16_384
"""Parameters of one list, a power of two; SQLite allows 32,766 in all."""

STOP_SECONDS: Final = 5.0
"""How long closing waits for a copy that is under way."""

_CACHE_KIB: Final = 65_536
_STATEMENTS_MAX: Final = 1_024
_READERS_KEPT: Final = 8


def is_fixed(version: tuple[int, ...]) -> bool:
    """Tells whether a SQLite is free of the WAL-reset bug, which can corrupt a database.

    It was fixed in 3.51.3, and in two older series with 3.44.6 and 3.50.7.
    """
    back_ported = version[:2] == (3, 44) and version >= (3, 44, 6)
    back_ported |= version[:2] == (3, 50) and version >= (3, 50, 7)
    return back_ported or version >= (3, 51, 3)


class SqliteDatabase(Database):
    """A database in a file."""

    begin_writing = "BEGIN IMMEDIATE"
    begin_reading = "BEGIN"

    def __init__(self, url: sa.URL) -> None:
        """Opens the file, and makes it where there is none.

        Raises:
            StorageFailedError: The library is older than the fixed ones.
            MalformedError: No file is named.
        """
        if not is_fixed(pysqlite3.sqlite_version_info):
            raise StorageFailedError(
                reason=f"SQLite {pysqlite3.sqlite_version} has the WAL-reset bug; "
                "3.51.3 is free of it"
            )
        if url.database in (None, "", ":memory:"):
            raise MalformedError(what="database", reason="a ledger in SQLite needs a file")
        _teach_driver()
        url = url.set(drivername="sqlite+pysqlite")
        writer = _engine(url, pool_size=1, max_overflow=-1)
        sa.event.listen(writer, "connect", _set_up_writer)
        readers = _engine(url, pool_size=_READERS_KEPT, max_overflow=-1)
        sa.event.listen(readers, "connect", _set_up_reader)
        super().__init__(writer=writer, readers=readers, forms=SqliteForms(writer.dialect))
        self._changed = 0
        self._copier = Copier(self.checkpoint)

    def close(self) -> None:
        """Closes the connections, once the write-ahead log is not being copied."""
        self._copier.stop()
        super().close()

    def run(self, connection: Connection, work: Sequence[tuple[Bulk, Records]]) -> None:
        """Makes changes within a transaction, in order."""
        super().run(connection, work)
        self._changed += sum(len(records) for _, records in work)

    def _commit(self, connection: Connection) -> None:
        """Commits; has the write-ahead log copied when it has grown long."""
        super()._commit(connection)
        if self._changed >= COPIED_ROWS:
            self._changed = 0
            self._copier.wake()

    def checkpoint(self) -> None:
        """Copies the write-ahead log into the database file, as far as readers let it.

        Most of it while commits go on; the rest of it, which is little, while none does, so
        that the next one begins the log anew.
        """
        for connected in (self.connected(self.readers), self.holding()):
            with connected as connection:
                cursor = connection.cursor()
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
                cursor.fetchall()


class Copier:
    """Runs one thing in a thread of its own, again after each time it was woken."""

    def __init__(self, copy: Callable[[], None]) -> None:
        """Takes what to run; the thread starts when it is first woken."""
        self._copy = copy
        self._woken = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Has it run once more, soon."""
        self._woken.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="wal-copier", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread, when it has finished what it does."""
        self._stopping = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        """Runs it until told to stop; what fails is tried again the next time."""
        while self._woken.wait() and not self._stopping:
            self._woken.clear()
            with suppress(StorageFailedError):
                self._copy()


# --- Connections ----------------------------------------------------------------


def _engine(url: sa.URL, *, pool_size: int, max_overflow: int) -> sa.Engine:
    """Returns an engine whose transactions begin when told to, and not when the driver thinks."""
    return sa.create_engine(
        url,
        module=pysqlite3,
        poolclass=sa.QueuePool,
        pool_size=pool_size,
        max_overflow=max_overflow,
        hide_parameters=True,
        connect_args={
            "check_same_thread": False,
            "isolation_level": None,
            "cached_statements": _STATEMENTS_MAX,
            "timeout": BUSY_MS // 1000,
        },
    )


def _teach_driver() -> None:
    """Tells the driver how to bind what is not exactly a text or a number.

    Untold, it looks for a way by names that no value has, and formats an error, before it
    binds the value as it is: one to two microseconds each.
    """
    pysqlite3.register_adapter(type(None), {None: None}.__getitem__)
    pysqlite3.register_adapter(bool, int)
    pysqlite3.register_adapter(bytes, bytes)
    # Rows keep words as texts; who has made the row may have named the word by its member.
    for words in StrEnum.__subclasses__():
        pysqlite3.register_adapter(words, str)


def _set_up_writer(connection: Any, _record: object) -> None:
    """Sets the pragmas of the connection that writes."""
    mode = _use_wal(connection)
    if mode != "wal":
        raise StorageFailedError(reason=f"the database stays in journal mode {mode}")
    connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES_MAX}")
    _set_up(connection)


def _use_wal(connection: Any) -> str:
    """Turns the write-ahead log on, and returns the mode that the database is in then.

    While others open a new file too, SQLite does not wait for them, whatever its timeout.
    """
    until = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except pysqlite3.OperationalError as error:
            if error.sqlite_errorcode != pysqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return str(mode)


def _set_up_reader(connection: Any, _record: object) -> None:
    """Sets the pragmas of a connection that reads."""
    connection.execute("PRAGMA query_only=ON")
    _set_up(connection)


def _set_up(connection: Any) -> None:
    """Sets the pragmas of every connection."""
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")


# --- Forms ----------------------------------------------------------------------


class SqliteForms:
    """Implements `Forms`: lists of parameters, and one statement run many times."""

    def __init__(self, dialect: sa.Dialect) -> None:
        """Compiles for this dialect."""
        self._dialect = dialect

    def text(self, statement: Any) -> str:
        """Returns a statement's text, with positional parameters."""
        options = {"render_postcompile": True}
        return str(statement.compile(dialect=self._dialect, compile_kwargs=options))

    def lookup(self, statement: sa.Select[Any], by: Sequence[sa.Column[Any]]) -> Lookup:
        """Returns the lookup by columns; the statement's one parameter is the ledger's id."""
        return ListLookup(statement, by, forms=self)

    def insert(self, table: sa.Table) -> Bulk:
        """Returns the change that adds rows."""
        return self.many(sa.insert(table))

    def close(self, rows: RowTable[Any]) -> Bulk:
        """Returns the change that ends live versions."""
        return self.many(
            sa.update(rows.sql)
            .values(until=given())
            .where(
                rows.sql.c.ledger_id == given(),
                *(column == given() for column in rows.key),
                rows.is_live,
            )
        )

    def many(self, statement: Any) -> "Each":
        """Returns the change that runs a statement as it is."""
        return Each(self.text(statement))


class Each:
    """Runs one text once for each tuple of parameters."""

    def __init__(self, text: str) -> None:
        """Takes the text."""
        self.text = text

    def run(self, cursor: Cursor, records: Records) -> None:
        """Makes the changes."""
        cursor.executemany(self.text, records)


class ListLookup:
    """Asks with a list of parameters in the text."""

    def __init__(
        self, statement: sa.Select[Any], by: Sequence[sa.Column[Any]], *, forms: SqliteForms
    ) -> None:
        """Prepares the form."""
        self._statement = statement
        self._by = by
        self._forms = forms
        self._texts: dict[int, str] = {}
        self._length_max = VARIABLES_MAX >> (len(by) - 1).bit_length()

    def questions(self, ledger_id: int, values: Records) -> list[Question]:
        """Returns one question, or several if the values are too many for one."""
        found = []
        for start in range(0, len(values), self._length_max):
            some = values[start : start + self._length_max]
            length = 1 << (len(some) - 1).bit_length()
            padding = some[-1] * (length - len(some))
            found.append((self.text(length), (ledger_id, *chain.from_iterable(some), *padding)))
        return found

    def text(self, length: int) -> str:
        """Returns the SQL for lists of this length."""
        text = self._texts.get(length)
        if text is None:
            if len(self._by) == 1:
                condition = self._by[0].in_([None] * length)
            else:
                condition = sa.tuple_(*self._by).in_([(None,) * len(self._by)] * length)
            text = self._texts[length] = self._forms.text(self._statement.where(condition))
        return text
