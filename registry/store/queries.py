"""Every text of SQL, compiled once.

A text is made with SQLAlchemy Core for the engine's dialect when the store opens, or
when a list of that length is first asked for, and run as it stands after that.
Parameters have no names: they are given in the order of the text. Lists are padded to
a power of two with their last value, so that a few texts serve them all.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import sqlalchemy as sa

from registry.errors import InvariantBrokenError
from registry.store.schema import LogTables, RowTable
from registry.tables import Key, Value

VARIABLES_MAX: Final = 16_384
"""Parameters of one list, a power of two; SQLite allows 32,766, PostgreSQL 65,535."""

Records = Sequence[tuple[Any, ...]]
Compile = Callable[[Any], str]
Cursor = Any
"""A cursor of the driver (PEP 249), under SQLAlchemy's pool: drivers have no common type."""


def compiler(dialect: sa.Dialect) -> Compile:
    """Returns a function from a statement to its text, with positional parameters."""

    def compile_sql(statement: Any) -> str:
        options = {"render_postcompile": True}
        return str(statement.compile(dialect=dialect, compile_kwargs=options))

    return compile_sql


def given() -> sa.BindParameter[Any]:
    """Writes the next parameter."""
    return sa.bindparam(None, None)


class Lookup:
    """One form of question, asked with a list of values or of tuples of values."""

    def __init__(
        self,
        statement: sa.Select[Any],
        by: Sequence[sa.Column[Any]],
        *,
        compile_sql: Compile,
    ) -> None:
        """Prepares the form; the only parameter of `statement` is the ledger's id."""
        self._statement = statement
        self._by = by
        self._compile = compile_sql
        self._texts: dict[int, str] = {}
        self._length_max = VARIABLES_MAX >> (len(by) - 1).bit_length()

    def ask(self, cursor: Cursor, ledger_id: int, values: Records) -> Iterator[tuple[Any, ...]]:
        """Yields the rows of the answers, in any order."""
        for start in range(0, len(values), self._length_max):
            some = values[start : start + self._length_max]
            length = 1 << (len(some) - 1).bit_length()
            parameters = (
                ledger_id,
                *chain.from_iterable(some),
                *(some[-1] * (length - len(some))),
            )
            cursor.execute(self.text(length), parameters)
            yield from cursor.fetchall()

    def text(self, length: int) -> str:
        """Returns the SQL for lists of this length."""
        text = self._texts.get(length)
        if text is None:
            if len(self._by) == 1:
                condition = self._by[0].in_([None] * length)
            else:
                condition = sa.tuple_(*self._by).in_([(None,) * len(self._by)] * length)
            text = self._texts[length] = self._compile(self._statement.where(condition))
        return text


class RowSql:
    """The statements of one table of rows."""

    def __init__(self, rows: RowTable[Any], *, compile_sql: Compile) -> None:
        """Compiles them."""
        sql, self.rows, self._compile = rows.sql, rows, compile_sql
        self.insert = compile_sql(sa.insert(sql))
        self.close = compile_sql(
            sa.update(sql)
            .values(until=given())
            .where(
                sql.c.ledger_id == given(),
                *(column == given() for column in rows.key),
                rows.is_live,
            )
        )
        live = sa.select(*rows.columns).where(sql.c.ledger_id == given(), rows.is_live)
        self._get = Lookup(live, rows.key, compile_sql=compile_sql)
        self._where = {
            name: Lookup(live, (sql.c[name],), compile_sql=compile_sql)
            for name in rows.table.indexes
        }

    def get(self, cursor: Cursor, ledger_id: int, keys: Sequence[Key]) -> dict[Any, Any]:
        """Returns the live rows by key."""
        records = self._get.ask(cursor, ledger_id, keys)
        return {self.rows.table.key_of(row): row for row in self.rows.parse(records)}

    def where(
        self, cursor: Cursor, ledger_id: int, field: str, values: Sequence[Value]
    ) -> dict[Any, list[Any]]:
        """Returns the live rows by the value of a field, each list in key order."""
        self.check_field(field)
        found: dict[Any, list[Any]] = {value: [] for value in values}
        records = self._where[field].ask(cursor, ledger_id, [(value,) for value in values])
        # Sorted here: told of an order, SQLite takes the index that has it, and reads all rows.
        for row in sorted(self.rows.parse(records), key=self.rows.table.key_of):
            found[getattr(row, field)].append(row)
        return found

    def check_field(self, field: str) -> None:
        """Refuses a field that rows are not found by."""
        if field not in self._where:
            raise InvariantBrokenError(f"{self.rows.table.name} is not indexed by {field}")

    def first(self, field: str) -> str:
        """Returns the SQL for the first live rows by key whose field is at most a value.

        Its parameters are the ledger's id, the value and the number of rows.
        """
        columns = self.rows.sql.c
        return self._compile(
            sa.select(*self.rows.columns)
            .where(columns.ledger_id == given(), columns[field] <= given(), self.rows.is_live)
            .order_by(*self.rows.key)
            .limit(sa.bindparam(None, None, sa.BigInteger))
            # SQLite's dialect would add a parameter for it.
            .offset(sa.literal_column("0"))
        )

    def selection(
        self, ledger_id: int, field: str, value: Value, as_of: int | None
    ) -> tuple[str, tuple[Value, ...]]:
        """Returns the SQL for a stream of rows, and its parameters."""
        columns, is_live = self.rows.sql.c, self.rows.is_live
        rows: sa.Select[Any] = sa.select(*self.rows.columns).where(columns.ledger_id == given())
        parameters: tuple[Value, ...] = (ledger_id,)
        if field:
            self.check_field(field)
            rows = rows.where(columns[field] == given())
            parameters += (value,)
        if as_of is None:
            found: Any = rows.where(is_live)
        else:
            # A log of size n ends with entry n - 1. Live and ended are asked for apart,
            # so that each part is found by all that is known of it.
            since, until = columns.since < given(), columns.until >= given()
            found = sa.union_all(
                rows.where(since, is_live), rows.where(since, until, sa.not_(is_live))
            )
            parameters = (*parameters, as_of, *parameters, as_of, as_of)
        if not field:
            order = (found.selected_columns[name] for name in self.rows.table.key)
            return self._compile(found.order_by(*order)), parameters
        # Found first and sorted then, lest SQLite takes the index that has the order.
        rest = found.cte("found").prefix_with("MATERIALIZED")
        order = (rest.c[name] for name in self.rows.table.key)
        return self._compile(sa.select(rest).order_by(*order)), parameters


class LogSql:
    """The statements of the log's tables."""

    def __init__(self, log: LogTables, *, compile_sql: Compile) -> None:
        """Compiles them."""

        def here(table: sa.Table, *columns: sa.Column[Any]) -> sa.ColumnElement[bool]:
            return sa.and_(*(column == given() for column in (table.c.ledger_id, *columns)))

        entry, tile, opening = log.entry, log.tile, log.opening
        one = sa.literal_column("1", sa.BigInteger)
        self.size = compile_sql(
            sa.select(
                sa.func.coalesce(sa.func.max(entry.c.idx) + one, sa.literal_column("0"))
            ).where(here(entry))
        )
        # SQLite has no word for the lock: there, beginning to write locks the database.
        epoch = sa.select(log.lease.c.epoch).where(here(log.lease))
        self.epoch = compile_sql(epoch.with_for_update())
        self.next_epoch = compile_sql(
            sa.update(log.lease).values(epoch=log.lease.c.epoch + one).where(here(log.lease))
        )
        self.insert_lease = compile_sql(sa.insert(log.lease))
        self.insert_entry = compile_sql(sa.insert(entry))
        at = here(tile, tile.c.level, tile.c.idx)
        self.tile = compile_sql(sa.select(tile.c.data).where(at))
        self.delete_tile = compile_sql(sa.delete(tile).where(at))
        self.insert_tile = compile_sql(sa.insert(tile))
        self.note = compile_sql(sa.select(log.note.c.note).where(here(log.note)))
        self.delete_note = compile_sql(sa.delete(log.note).where(here(log.note)))
        self.insert_note = compile_sql(sa.insert(log.note))
        self.opening = compile_sql(
            sa.select(opening.c.salt, opening.c.terms, opening.c.by_party).where(
                here(opening, opening.c.digest)
            )
        )
        self.insert_opening = compile_sql(sa.insert(opening))
        span = (here(entry), entry.c.idx >= given(), entry.c.idx < given())
        self.data = compile_sql(sa.select(entry.c.data).where(*span).order_by(entry.c.idx))
        self.leaf_hash = compile_sql(
            sa.select(entry.c.leaf_hash).where(*span).order_by(entry.c.idx)
        )
        self.sids = Lookup(
            sa.select(entry.c.sid, entry.c.idx).where(here(entry)),
            (entry.c.sid,),
            compile_sql=compile_sql,
        )
        self.ids = Lookup(
            sa.select(entry.c.by_party, entry.c.id, entry.c.sid).where(here(entry)),
            (entry.c.by_party, entry.c.id),
            compile_sql=compile_sql,
        )
