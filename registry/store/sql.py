"""The store over an SQL database: SQLite or PostgreSQL, by its URL.

Writing takes a transaction of the one connection that writes, and costs two statements
per table; reading takes a snapshot of what is committed, and never waits for writing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from registry.batch import Change
from registry.errors import (
    HeadMovedError,
    MalformedError,
    StaleWriterError,
    StorageFailedError,
)
from registry.ids import PartyId, Sid
from registry.model import DEADLINES, Deadline
from registry.ports import Commit, Opening
from registry.store import verify_commit
from registry.store.columns import ColumnReads
from registry.store.database import STREAM_ROWS, Connection, Database
from registry.store.live import LiveReads
from registry.store.migrations import REVISIONS, upgrade, version_of
from registry.store.queries import Bulk, LogSql, Question, Records, RowSql
from registry.store.schema import LIVE, log_tables, row_table
from registry.tables import Key, Read, Record, Table, Value

R = TypeVar("R", bound=Record)

ENGINES: Final = ("sqlite", "postgresql")


def open_database(url: str) -> Database:
    """Opens the database that a URL names; what it holds is not looked at.

    Args:
        url: `sqlite:///path`, or `postgresql://user@host:port/database?schema=name`.

    Raises:
        MalformedError: The URL is none, or of no engine that there is.
        StorageFailedError: The engine is not safe.
    """
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):
        raise MalformedError(what="database", reason="this is no URL") from None
    # Imported here, so that one engine does not need the other one's driver.
    match parsed.drivername:
        case "sqlite":
            from registry.store.sqlite import SqliteDatabase

            return SqliteDatabase(parsed)
        case "postgresql":
            from registry.store.postgresql import PostgresqlDatabase

            return PostgresqlDatabase(parsed)
        case other:
            reason = f"there is no store for {other}, only for {' and '.join(ENGINES)}"
            raise MalformedError(what="database", reason=reason)


def migrate(url: str) -> tuple[str, str]:
    """Brings a database's schema to the newest version; nothing may be using it.

    Returns:
        The version that it had, empty if it had none, and the one that it has now.

    Raises:
        MalformedError: The URL is none.
        StorageFailedError: The database cannot be opened, or was made by a newer program.
    """
    database = open_database(url)
    try:
        with database.defining() as connection:
            before = version_of(connection)
            if before != REVISIONS[-1]:
                database.make_room(connection)
                upgrade(connection)
            return before, version_of(connection)
    finally:
        database.close()


class SqlStore(ColumnReads):
    """Implements `LedgerStore` on an SQL database.

    Any thread may call any method; those that write wait for one another.
    """

    def __init__(self, url: str, tables: Sequence[Table[Any]], *, ledger_id: int = 1) -> None:
        """Opens the database; an empty one is given the schema.

        Args:
            url: See `open_database`.
            tables: Every kind of row that the ledger has.
            ledger_id: Which of the ledgers in the database this is.

        Raises:
            MalformedError: The URL is none.
            StorageFailedError: The database cannot be opened, or not safely; or its schema
                is not the one that this program has.
        """
        self._ledger_id = ledger_id
        self._database = open_database(url)
        forms = self._database.forms
        metadata = sa.MetaData()
        self._log = LogSql(log_tables(metadata), forms=forms)
        self._rows = {
            table.name: RowSql(row_table(table, metadata), forms=forms) for table in tables
        }
        self._live, self._writer_reads = (
            LiveReads(ask, log=self._log, rows=self._rows, ledger_id=ledger_id)
            for ask in (self._database.ask, self._database.ask_as_writer)
        )
        self._due = self._row_sql(DEADLINES.name).first("at")
        try:
            self._prepare(metadata)
        except StorageFailedError:
            self.close()
            raise

    def close(self) -> None:
        """Closes the connections; a stream that is still read keeps its own."""
        self._database.close()

    # --- Writing ------------------------------------------------------------------

    def acquire(self) -> int:
        """Takes the writer's lease and returns its epoch; an older writer is fenced off."""
        ledger = (self._ledger_id,)
        with self._database.writing() as connection:
            cursor = connection.cursor()
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
        with self._database.writing() as connection:
            self._verify_head(connection, expected_size=expected_size, epoch=epoch)
            self._database.run(connection, work)

    def put_openings(self, openings: Sequence[Opening]) -> None:
        """Keeps openings beside the log, all or none; the same again changes nothing."""
        ledger = self._ledger_id
        new = {o.digest: (ledger, o.digest, o.salt, o.terms, o.by) for o in reversed(openings)}
        questions = self._log.digests.questions(ledger, [(digest,) for digest in new])
        with self._database.writing() as connection:
            for part in self._database.told(connection, questions):
                for (digest,) in part:
                    del new[digest]
            self._database.run(connection, [(self._log.insert_opening, list(new.values()))])

    def put_note(self, note: str) -> None:
        """Keeps the newest signed checkpoint."""
        with self._database.writing() as connection:
            cursor = connection.cursor()
            cursor.execute(self._log.delete_note, (self._ledger_id,))
            cursor.execute(self._log.insert_note, (self._ledger_id, note))

    def _verify_head(self, connection: Connection, *, expected_size: int, epoch: int) -> None:
        """Refuses a writer without the lease, and one that has another log in mind."""
        ledger = (self._ledger_id,)
        # In this order: the size is read when the lease's row is locked.
        leases, ((size,),) = self._database.told(
            connection, [(self._log.epoch, ledger), (self._log.size, ledger)]
        )
        current = leases[0][0] if leases else 0
        if current != epoch:
            raise StaleWriterError(epoch=current, held=epoch)
        if size != expected_size:
            raise HeadMovedError(size=size, expected=expected_size)

    def _work(self, commit: Commit) -> list[tuple[Bulk, Records]]:
        """Returns the changes of a commit in order, each with its tuples of values."""
        log, ledger = self._log, self._ledger_id
        entries = [
            (ledger, e.index, e.time, e.kind, e.leaf_hash, e.data, e.sid, e.by, e.id)
            for e in commit.entries
        ]
        work: list[tuple[Bulk, Records]] = [(log.insert_entry, entries)]
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

    def writer_reads(self) -> LiveReads:
        """Returns the reads of whoever writes: over the connection that writes."""
        return self._writer_reads

    def fetch(self, reads: Sequence[Read]) -> list[tuple[Any, ...]]:
        """Answers many reads with one query per table and form; live rows of one moment."""
        return self._live.fetch(reads)

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
        parts = self._database.stream(sql.selection(self._ledger_id, field, value, as_of))
        return chain.from_iterable(map(sql.rows.parse, parts))

    def due(self, *, until: int, limit: int) -> tuple[Deadline, ...]:
        """Returns the first `limit` live deadlines with `at` <= until, by (at, kind, id)."""
        (records,) = self._database.ask([(self._due, (self._ledger_id, until, limit))])
        return tuple(self._row_sql(DEADLINES.name).rows.parse(records))

    def find_statements(self, sids: Sequence[Sid]) -> Mapping[Sid, int]:
        """Returns the entry indexes of those of the statements that are sealed."""
        return self._live.find_statements(sids)

    def find_ids(self, ids: Sequence[tuple[PartyId, str]]) -> Mapping[tuple[PartyId, str], Sid]:
        """Returns the statements in which parties have used ids."""
        return self._live.find_ids(ids)

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Streams the entries `start <= index < stop`, in order."""
        return self._column(self._log.data, start, stop)

    def state_entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Streams the entries of kind `state` among them, in order; the others are not read."""
        return self._column(self._log.state, start, stop)

    def leaf_hashes(self, start: int, stop: int) -> Iterator[bytes]:
        """Streams the stored leaf hashes `start <= index < stop`, in order."""
        return self._column(self._log.leaf_hash, start, stop)

    def tile(self, *, level: int, index: int) -> bytes:
        """Returns a hash tile as far as it is filled; empty if it was never written."""
        return bytes(self._scalar(self._log.tile, self._ledger_id, level, index) or b"")

    def opening(self, digest: str) -> Opening | None:
        """Returns an opening, or None if it never came or was erased."""
        (found,) = self._database.ask([(self._log.opening, (self._ledger_id, digest))])
        if not found:
            return None
        salt, terms, by = found[0]
        return Opening(digest=digest, salt=salt, terms=terms, by=by)

    def note(self) -> str:
        """Returns the newest signed checkpoint; empty before the first."""
        return str(self._scalar(self._log.note, self._ledger_id) or "")

    # --- Steps --------------------------------------------------------------------

    def _row_sql(self, name: str) -> RowSql:
        """Returns the statements of a table."""
        return self._live.row_sql(name)

    def _prepare(self, metadata: sa.MetaData) -> None:
        """Gives an empty database the schema; refuses one that has another.

        Raises:
            StorageFailedError: The schema is older or newer, or lacks a table.
        """
        version, tables = self._schema()
        if not version:
            try:
                with self._database.defining() as connection:
                    self._database.make_room(connection)
                    upgrade(connection)
            except StorageFailedError:
                # Another process may have made it just now; without a lock one of us fails.
                if not self._schema()[0]:
                    raise
            version, tables = self._schema()
        if version != REVISIONS[-1]:
            raise StorageFailedError(
                reason=f"the database has schema {version}, this program needs "
                f"{REVISIONS[-1]}: migrate it"
            )
        missing = metadata.tables.keys() - tables
        if missing:
            raise StorageFailedError(reason=f"no migration makes {', '.join(sorted(missing))}")

    def _schema(self) -> tuple[str, set[str]]:
        """Returns the version of the database's schema, and its tables."""
        with self._database.defining() as connection:
            return version_of(connection), {*sa.inspect(connection).get_table_names()}

    def _scalar(self, sql: str, *parameters: Value) -> Any:
        """Returns the one value that a question finds, or None."""
        (found,) = self._database.ask([(sql, parameters)])
        return found[0][0] if found else None

    def _column(self, sql: str, start: int, stop: int) -> Iterator[bytes]:
        """Streams one column of the entries of a span."""
        question: Question = (sql, (self._ledger_id, start, stop))
        few = stop - start <= STREAM_ROWS
        parts = iter(self._database.ask([question])) if few else self._database.stream(question)
        return (record[0] for part in parts for record in part)


def _row_work(sql: RowSql, changes: Sequence[Change], ledger_id: int) -> list[tuple[Bulk, Records]]:
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
        elif not change.is_new:
            ended.setdefault(key, index)
        if change.row is not None:
            begun[key] = (index, change.row)
    versions += [(ledger_id, *form(row), since, LIVE) for since, row in begun.values()]
    ends = [(index, ledger_id, *key) for key, index in ended.items()]
    return [(sql.close, ends), (sql.insert, versions)]
