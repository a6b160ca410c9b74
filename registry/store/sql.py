"""The store over an SQL database: SQLite for now.

Writing takes a transaction of the one connection that writes, and costs two statements
per table; reading takes a snapshot of what is committed, and never waits for writing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from registry.errors import (
    HeadMovedError,
    InvariantBrokenError,
    StaleWriterError,
    StorageFailedError,
    StorageUnknownError,
)
from registry.ids import PartyId, Sid
from registry.model import DEADLINES, Deadline
from registry.ports import Commit, Opening
from registry.state import Change
from registry.store import verify_commit
from registry.store.queries import Cursor, LogSql, Records, RowSql, compiler
from registry.store.schema import LIVE, log_tables, row_table
from registry.store.sqlite import BEGIN_READING, BEGIN_WRITING, copy_wal, open_sqlite
from registry.tables import Get, Key, Read, Table, Value, Where

R = TypeVar("R")

_STREAM_ROWS: Final = 1_000


class SqlStore:
    """Implements `LedgerStore` on an SQL database.

    Any thread may call any method; those that write wait for one another.
    """

    def __init__(self, url: str, tables: Sequence[Table[Any]], *, ledger_id: int = 1) -> None:
        """Opens the database, and makes the schema where it is missing.

        Args:
            url: `sqlite:///path`.
            tables: Every kind of row that the ledger has.
            ledger_id: Which of the ledgers in the database this is.

        Raises:
            StorageFailedError: The database cannot be opened, or not safely.
        """
        parsed = sa.make_url(url)
        if parsed.get_backend_name() != "sqlite":
            raise StorageFailedError(reason=f"no store for {parsed.get_backend_name()}")
        self._ledger_id = ledger_id
        self._writer, self._readers = open_sqlite(parsed)
        driver = self._writer.dialect.loaded_dbapi
        self._errors: tuple[type[Exception], ...] = (driver.Error, SQLAlchemyError)
        compile_sql = compiler(self._writer.dialect)
        metadata = sa.MetaData()
        self._log = LogSql(log_tables(metadata), compile_sql=compile_sql)
        self._rows = {
            table.name: RowSql(row_table(table, metadata), compile_sql=compile_sql)
            for table in tables
        }
        self._due = self._row_sql(DEADLINES.name).first("at")
        self._create(metadata)

    def close(self) -> None:
        """Closes the connections; a stream that is still read keeps its own."""
        self._readers.dispose()
        self._writer.dispose()

    # --- Writing ------------------------------------------------------------------

    def acquire(self) -> int:
        """Takes the writer's lease and returns its epoch; an older writer is fenced off."""
        ledger = (self._ledger_id,)
        with self._writing() as cursor:
            # Counting up comes first: on every engine that locks the row.
            cursor.execute(self._log.next_epoch, ledger)
            if cursor.rowcount == 0:
                cursor.execute(self._log.insert_lease, (*ledger, 1))
            cursor.execute(self._log.epoch, ledger)
            return int(cursor.fetchone()[0])

    def append(self, commit: Commit, *, expected_size: int, epoch: int) -> None:
        """Stores all of a commit or nothing; see `LedgerStore`.

        Raises:
            InvariantBrokenError: The commit contradicts itself (caller bug).
            StaleWriterError: Another writer has taken the lease.
            HeadMovedError: The log does not have `expected_size` entries.
            StorageUnknownError: The outcome is not known.
            StorageFailedError: Nothing was stored; a retry is safe.
        """
        verify_commit(commit, expected_size=expected_size)
        work = self._work(commit)
        with self._writing() as cursor:
            self._verify_head(cursor, expected_size=expected_size, epoch=epoch)
            for sql, parameters in work:
                if parameters:
                    cursor.executemany(sql, parameters)

    def put_openings(self, openings: Sequence[Opening]) -> None:
        """Keeps openings beside the log, all or none; the same again changes nothing."""
        with self._writing() as cursor:
            for opening in openings:
                where = (self._ledger_id, opening.digest)
                cursor.execute(self._log.opening, where)
                if cursor.fetchone() is None:
                    values = (*where, opening.salt, opening.terms, opening.by)
                    cursor.execute(self._log.insert_opening, values)

    def put_note(self, note: str) -> None:
        """Keeps the newest signed checkpoint."""
        with self._writing() as cursor:
            cursor.execute(self._log.delete_note, (self._ledger_id,))
            cursor.execute(self._log.insert_note, (self._ledger_id, note))

    def checkpoint_wal(self) -> None:
        """Copies the write-ahead log into the database; to be called between commits."""
        with self._cursor(self._writer) as (_, cursor):
            copy_wal(cursor)

    def _verify_head(self, cursor: Cursor, *, expected_size: int, epoch: int) -> None:
        """Refuses a writer without the lease, and one that has another log in mind."""
        ledger = (self._ledger_id,)
        cursor.execute(self._log.epoch, ledger)
        (current,) = cursor.fetchone() or (0,)
        if current != epoch:
            raise StaleWriterError(epoch=current, held=epoch)
        cursor.execute(self._log.size, ledger)
        (size,) = cursor.fetchone()
        if size != expected_size:
            raise HeadMovedError(size=size, expected=expected_size)

    def _work(self, commit: Commit) -> list[tuple[str, Records]]:
        """Returns the statements of a commit in order, each with its parameter lists."""
        log, ledger = self._log, self._ledger_id
        entries = [
            (ledger, e.index, e.time, e.kind, e.leaf_hash, e.data, e.sid, e.by, e.id)
            for e in commit.entries
        ]
        work: list[tuple[str, Records]] = [(log.insert_entry, entries)]
        changes = defaultdict(list)
        for change in commit.changes:
            changes[change.table.name].append(change)
        for name, of_table in changes.items():
            work += _row_work(self._row_sql(name), of_table, ledger)
        # The last content of a tile counts.
        tiles = {(t.level, t.index): t.data for t in commit.tiles}
        work.append((log.delete_tile, [(ledger, *place) for place in tiles]))
        work.append((log.insert_tile, [(ledger, *place, data) for place, data in tiles.items()]))
        return work

    # --- Reading ------------------------------------------------------------------

    def size(self) -> int:
        """Returns the number of entries."""
        return int(self._scalar(self._log.size, self._ledger_id))

    def fetch(self, reads: Sequence[Read]) -> list[tuple[Any, ...]]:
        """Answers many reads with one query per table and form; live rows of one moment."""
        wanted: dict[tuple[str, str], dict[Any, None]] = defaultdict(dict)
        for read in reads:
            match read:
                case Get(table, keys):
                    wanted[table.name, ""].update(dict.fromkeys(keys))
                case Where(table, field, value):
                    wanted[table.name, field][value] = None
        found: dict[tuple[str, str], dict[Any, Any]] = {}
        with self._reading() as cursor:
            for (name, field), values in wanted.items():
                sql = self._row_sql(name)
                found[name, field] = (
                    sql.where(cursor, self._ledger_id, field, list(values))
                    if field
                    else sql.get(cursor, self._ledger_id, list(values))
                )
        return [_answer(read, found) for read in reads]

    def select(
        self,
        table: Table[R],
        *,
        field: str = "",
        value: Value = "",
        as_of: int | None = None,
    ) -> Iterator[R]:
        """Streams rows in key order: all, or those whose field has the value, as of a size."""
        sql = self._row_sql(table.name)
        text, parameters = sql.selection(self._ledger_id, field, value, as_of)
        return chain.from_iterable(map(sql.rows.parse, self._stream(text, parameters)))

    def due(self, *, until: int, limit: int) -> tuple[Deadline, ...]:
        """Returns the first `limit` live deadlines with `at` <= until, by (at, kind, id)."""
        with self._reading() as cursor:
            cursor.execute(self._due, (self._ledger_id, until, limit))
            return tuple(self._row_sql(DEADLINES.name).rows.parse(cursor.fetchall()))

    def find_statements(self, sids: Sequence[Sid]) -> Mapping[Sid, int]:
        """Returns the entry indexes of those of the statements that are sealed."""
        with self._reading() as cursor:
            values = [(sid,) for sid in dict.fromkeys(sids)]
            return dict(self._log.sids.ask(cursor, self._ledger_id, values))

    def find_ids(self, ids: Sequence[tuple[PartyId, str]]) -> Mapping[tuple[PartyId, str], Sid]:
        """Returns the statements in which parties have used ids."""
        with self._reading() as cursor:
            values = list(dict.fromkeys(ids))
            found = self._log.ids.ask(cursor, self._ledger_id, values)
            return {(by, name): sid for by, name, sid in found}

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Streams the entries `start <= index < stop`, in order."""
        return self._column(self._log.data, start, stop)

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """Streams the stored leaf hashes `start <= index < stop`, in order."""
        return self._column(self._log.leaf_hash, start, stop)

    def tile(self, *, level: int, index: int) -> bytes:
        """Returns a hash tile as far as it is filled; empty if it was never written."""
        return bytes(self._scalar(self._log.tile, self._ledger_id, level, index) or b"")

    def opening(self, digest: str) -> Opening | None:
        """Returns an opening, or None if it never came or was erased."""
        with self._reading() as cursor:
            cursor.execute(self._log.opening, (self._ledger_id, digest))
            found = cursor.fetchone()
        if found is None:
            return None
        salt, terms, by = found
        return Opening(digest=digest, salt=salt, terms=terms, by=by)

    def note(self) -> str:
        """Returns the newest signed checkpoint; empty before the first."""
        return str(self._scalar(self._log.note, self._ledger_id) or "")

    # --- Connections --------------------------------------------------------------

    def _row_sql(self, name: str) -> RowSql:
        """Returns the statements of a table."""
        if name not in self._rows:
            raise InvariantBrokenError(f"the store has no table {name}")
        return self._rows[name]

    def _create(self, metadata: sa.MetaData) -> None:
        """Makes the tables that are missing, all or none."""
        try:
            with self._writer.connect() as connection:
                connection.exec_driver_sql(BEGIN_WRITING)
                metadata.create_all(connection)
                connection.commit()
        except self._errors as error:
            raise StorageFailedError(reason=str(getattr(error, "orig", error))) from error

    @contextmanager
    def _cursor(self, engine: sa.Engine) -> Iterator[tuple[sa.PoolProxiedConnection, Cursor]]:
        """Gives a connection and its cursor; what is not committed in the end is rolled back.

        Raises:
            StorageFailedError: The database refused or failed.
        """
        try:
            with closing(engine.raw_connection()) as connection:
                yield connection, connection.cursor()
        except self._errors as error:
            raise StorageFailedError(reason=str(error)) from error

    @contextmanager
    def _writing(self) -> Iterator[Cursor]:
        """Gives a transaction of the one connection that writes, and commits it.

        Raises:
            StorageUnknownError: COMMIT failed, so the outcome is not known.
            StorageFailedError: Something failed before; nothing was stored.
        """
        with self._cursor(self._writer) as (connection, cursor):
            cursor.execute(BEGIN_WRITING)
            yield cursor
            # The commit point: from here until it returns, the outcome is not known.
            try:
                connection.commit()
            except self._errors as error:
                connection.invalidate()
                raise StorageUnknownError(reason=str(error)) from error

    @contextmanager
    def _reading(self) -> Iterator[Cursor]:
        """Gives a transaction that reads what was committed when it began to."""
        with self._cursor(self._readers) as (_, cursor):
            cursor.execute(BEGIN_READING)
            yield cursor

    def _scalar(self, sql: str, *parameters: Value) -> Any:
        """Returns the one value that a statement gives, or None."""
        with self._reading() as cursor:
            cursor.execute(sql, parameters)
            return (cursor.fetchone() or (None,))[0]

    def _stream(self, sql: str, parameters: tuple[Value, ...]) -> Iterator[Records]:
        """Yields a result in parts, all of one moment."""
        with self._reading() as cursor:
            cursor.execute(sql, parameters)
            while part := cursor.fetchmany(_STREAM_ROWS):
                yield part

    def _column(self, sql: str, start: int, stop: int) -> Iterator[bytes]:
        """Streams one column of the entries of a span."""
        parts = self._stream(sql, (self._ledger_id, start, stop))
        return (record[0] for part in parts for record in part)


def _row_work(sql: RowSql, changes: Sequence[Change], ledger_id: int) -> list[tuple[str, Records]]:
    """Returns the statements that bring a table's changes about.

    Each key's stored version ends with its first change. A version that begins in this
    commit is inserted once, with its end if it has one; one that ends in the entry in
    which it begins was never seen and leaves nothing.
    """
    form = sql.rows.format
    ended: dict[Key, int] = {}
    begun: dict[Key, tuple[int, Any]] = {}
    versions: list[tuple[Any, ...]] = []
    for change in changes:
        key, index = change.key, change.index
        if key in begun:
            since, row = begun.pop(key)
            if since < index:
                versions.append((ledger_id, *form(row), since, index))
        else:
            ended.setdefault(key, index)
        if change.row is not None:
            begun[key] = (index, change.row)
    versions += [(ledger_id, *form(row), since, LIVE) for since, row in begun.values()]
    ends = [(index, ledger_id, *key) for key, index in ended.items()]
    return [(sql.close, ends), (sql.insert, versions)]


def _answer(read: Read, found: Mapping[tuple[str, str], Mapping[Any, Any]]) -> tuple[Any, ...]:
    """Picks one read's answer out of what was found."""
    match read:
        case Get(table, keys):
            return tuple(map(found[table.name, ""].get, keys))
        case Where(table, field, value):
            return tuple(found[table.name, field][value])
