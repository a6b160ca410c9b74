"""SQLite's settings: all that is said to this engine and to no other.

The write-ahead log is kept with `synchronous=FULL`: a commit that returned is on disk.
One connection writes, and takes the write lock when its transaction begins, so that
nothing it read can change below it. Readers cannot write, and neither side blocks the
other.
"""

from typing import Any, Final

import pysqlite3
import sqlalchemy as sa

from registry.errors import StorageFailedError

BUSY_MS: Final = 10_000
"""How long a connection waits for another process's lock."""

WAL_PAGES_MAX: Final = 16_384
"""Pages in the write-ahead log (64 MiB) at which a commit copies them itself."""

BEGIN_WRITING: Final = "BEGIN IMMEDIATE"
BEGIN_READING: Final = "BEGIN"

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


def open_sqlite(url: sa.URL) -> tuple[sa.Engine, sa.Engine]:
    """Returns the engine of the one connection that writes, and that of the readers.

    Raises:
        StorageFailedError: The library is older than the fixed ones, or there is no file.
    """
    if not is_fixed(pysqlite3.sqlite_version_info):
        raise StorageFailedError(
            reason=f"SQLite {pysqlite3.sqlite_version} has the WAL-reset bug; 3.51.3 is free of it"
        )
    if url.database in (None, "", ":memory:"):
        raise StorageFailedError(reason="a ledger in SQLite needs a file")
    url = url.set(drivername="sqlite+pysqlite")
    # One connection is the whole pool: threads that write wait for one another here.
    writer = _engine(url, pool_size=1, max_overflow=0)
    sa.event.listen(writer, "connect", _set_up_writer)
    readers = _engine(url, pool_size=_READERS_KEPT, max_overflow=-1)
    sa.event.listen(readers, "connect", _set_up_reader)
    return writer, readers


def copy_wal(cursor: Any) -> None:
    """Copies the write-ahead log into the database file, as far as readers let it."""
    cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
    cursor.fetchall()


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


def _set_up_writer(connection: Any, _record: object) -> None:
    """Sets the pragmas of the connection that writes."""
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise StorageFailedError(reason=f"the database stays in journal mode {mode}")
    connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES_MAX}")
    _set_up(connection)


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
