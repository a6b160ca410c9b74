"""Every text of SQL, compiled once.

A text is made with SQLAlchemy Core for the engine's dialect when the store opens, or
when a list of that length is first asked for, and run as it stands after that.
Parameters have no names: they are given in the order of the text. How many values are
best told at once differs from engine to engine: that is its `Forms`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from registry.errors import InvariantBrokenError
from registry.store.schema import LIVE, LogTables, RowTable, is_state
from registry.tables import Key, Value

Records = Sequence[tuple[Any, ...]]
Question = tuple[str, tuple[Any, ...]]
"""A text of SQL and its parameters."""
Cursor = Any
"""A cursor of the driver (PEP 249), under SQLAlchemy's pool: drivers have no common type."""


class Lookup(Protocol):
    """One form of question, asked with a list of values or of tuples of values."""

    def questions(self, ledger_id: int, values: Records) -> list[Question]:
        """Returns what to ask; the rows of all answers together, in any order, are found."""


class Bulk(Protocol):
    """One change, made once for each of many tuples of values."""

    def run(self, cursor: Cursor, records: Records) -> None:
        """Makes the changes; there is at least one."""


class Forms(Protocol):
    """How an engine is told to do one thing with many values."""

    def text(self, statement: Any) -> str:
        """Returns a statement's text, with positional parameters."""

    def lookup(self, statement: sa.Select[Any], by: Sequence[sa.Column[Any]]) -> Lookup:
        """Returns the lookup by columns; the statement's one parameter is the ledger's id."""

    def insert(self, table: sa.Table) -> Bulk:
        """Returns the change that adds rows, each given by all columns in order."""

    def close(self, rows: RowTable[Any]) -> Bulk:
        """Returns the change that ends live versions.

        Each is given by the index at which it ends, the ledger's id and its key; one
        that is not there changes nothing.
        """

    def many(self, statement: Any) -> Bulk:
        """Returns the change that runs a statement as it is."""


def given() -> sa.BindParameter[Any]:
    """Writes the next parameter."""
    return sa.bindparam(None, None)


class RowSql:
    """The statements of one table of rows."""

    def __init__(self, rows: RowTable[Any], *, forms: Forms) -> None:
        """Compiles them."""
        sql, self.rows, self._text = rows.sql, rows, forms.text
        self.insert = forms.insert(sql)
        self.close = forms.close(rows)
        live = sa.select(*rows.columns).where(sql.c.ledger_id == given(), rows.is_live)
        # The empty name stands for the key.
        self._forms = forms
        self._gatherings: dict[tuple[tuple[str, ...], str], Lookup] = {}
        self._lookups = {"": forms.lookup(live, rows.key)} | {
            name: forms.lookup(live, (sql.c[name],)) for name in rows.table.indexes
        }

    def questions(
        self, ledger_id: int, field: str, values: Sequence[Key] | Sequence[Value]
    ) -> list[Question]:
        """Returns what to ask for live rows by key, or by the value of a field."""
        self.check_field(field)
        records: Any = [(value,) for value in values] if field else values
        return self._lookups[field].questions(ledger_id, records)

    def answer(
        self, field: str, values: Iterable[Any], records: Iterable[Sequence[Any]]
    ) -> dict[Any, Any]:
        """Returns the row of each key, or for each value of a field its rows in key order."""
        key_of = self.rows.table.key_of
        if not field:
            return {key_of(row): row for row in self.rows.parse(records)}
        found: dict[Any, list[Any]] = {value: [] for value in values}
        # Sorted here: told of an order, SQLite takes the index that has it, and reads all rows.
        for row in sorted(self.rows.parse(records), key=key_of):
            found[getattr(row, field)].append(row)
        return found

    def check_field(self, field: str) -> None:
        """Refuses a field that rows are not found by."""
        if field not in self._lookups:
            raise InvariantBrokenError(f"{self.rows.table.name} is not indexed by {field}")

    def first(self, field: str) -> str:
        """Returns the SQL for the first live rows by key whose field is at most a value.

        Its parameters are the ledger's id, the value and the number of rows.
        """
        columns = self.rows.sql.c
        return self._text(
            sa.select(*self.rows.columns)
            .where(columns.ledger_id == given(), columns[field] <= given(), self.rows.is_live)
            .order_by(*self.rows.key)
            .limit(sa.bindparam(None, None, sa.BigInteger))
            # SQLite's dialect would add a parameter for it.
            .offset(sa.literal_column("0"))
        )

    def selection(self, ledger_id: int, field: str, value: Value, as_of: int | None) -> Question:
        """Returns the question for a stream of rows."""
        found, parameters = self._found(self.rows.columns, ledger_id, field, value, as_of)
        if not field:
            order = (found.selected_columns[name] for name in self.rows.table.key)
            return self._text(found.order_by(*order)), parameters
        # Found first and sorted then, lest SQLite takes the index that has the order.
        rest = found.cte("found").prefix_with("MATERIALIZED")
        order = (rest.c[name] for name in self.rows.table.key)
        return self._text(sa.select(rest).order_by(*order)), parameters

    def columns(
        self,
        ledger_id: int,
        names: Sequence[str],
        order: Sequence[str],
        field: str,
        value: Value,
        as_of: int | None,
    ) -> Question:
        """Returns the question for a stream of some columns, sorted as told."""
        chosen = [self.rows.sql.c[name] for name in names]
        found, parameters = self._found(chosen, ledger_id, field, value, as_of)
        if not order:
            return self._text(found), parameters
        rest = found.cte("found").prefix_with("MATERIALIZED")
        by = (rest.c[name] for name in order)
        return self._text(sa.select(rest).order_by(*by)), parameters

    def totals(
        self,
        ledger_id: int,
        by: Sequence[str],
        sums: Sequence[str],
        field: str,
        value: Value,
        as_of: int | None,
    ) -> Question:
        """Returns the question for counts and sums by the values of some columns."""
        chosen = [self.rows.sql.c[name] for name in dict.fromkeys((*by, *sums))]
        found, parameters = self._found(chosen, ledger_id, field, value, as_of)
        rows = found.subquery("found")
        told_by = [rows.c[name] for name in by]
        zero: sa.ColumnElement[int] = sa.literal_column("0")
        added = [sa.func.coalesce(sa.func.sum(rows.c[name]), zero) for name in sums]
        text = self._text(sa.select(*told_by, sa.func.count(), *added).group_by(*told_by))
        return text, parameters

    def gathering(
        self, ledger_id: int, names: tuple[str, ...], field: str, values: Sequence[Value]
    ) -> list[Question]:
        """Returns what to ask for some columns of live rows by the values of a field."""
        self.check_field(field)
        if (names, field) not in self._gatherings:
            columns = self.rows.sql.c
            live = sa.select(*(columns[name] for name in names)).where(
                columns.ledger_id == given(), self.rows.is_live
            )
            self._gatherings[names, field] = self._forms.lookup(live, (columns[field],))
        return self._gatherings[names, field].questions(ledger_id, [(value,) for value in values])

    def _found(
        self,
        chosen: Sequence[sa.Column[Any]],
        ledger_id: int,
        field: str,
        value: Value,
        as_of: int | None,
    ) -> tuple[Any, tuple[Value, ...]]:
        """Returns the query for columns of rows, live or as of a size, and its parameters."""
        columns, is_live = self.rows.sql.c, self.rows.is_live
        rows: sa.Select[Any] = sa.select(*chosen).where(columns.ledger_id == given())
        parameters: tuple[Value, ...] = (ledger_id,)
        if field:
            self.check_field(field)
            rows = rows.where(columns[field] == given())
            parameters += (value,)
        if as_of is None:
            return rows.where(is_live), parameters
        # A log of size n ends with entry n - 1. Live and ended are asked for apart,
        # so that each part is found by all that is known of it.
        since, until = columns.since < given(), columns.until >= given()
        ended = columns.until < sa.literal_column(str(LIVE), sa.BigInteger)
        found = sa.union_all(rows.where(since, is_live), rows.where(since, until, ended))
        return found, (*parameters, as_of, *parameters, as_of, as_of)


class LogSql:
    """The statements of the log's tables."""

    def __init__(self, log: LogTables, *, forms: Forms) -> None:
        """Compiles them."""

        def here(table: sa.Table, *columns: sa.Column[Any]) -> sa.ColumnElement[bool]:
            return sa.and_(*(column == given() for column in (table.c.ledger_id, *columns)))

        entry, tile, opening, text = log.entry, log.tile, log.opening, forms.text
        one = sa.literal_column("1", sa.BigInteger)
        self.size = text(
            sa.select(
                sa.func.coalesce(sa.func.max(entry.c.idx) + one, sa.literal_column("0"))
            ).where(here(entry))
        )
        # SQLite has no word for the lock: there, beginning to write locks the database.
        epoch = sa.select(log.lease.c.epoch).where(here(log.lease))
        self.epoch = text(epoch.with_for_update())
        self.next_epoch = text(
            sa.update(log.lease).values(epoch=log.lease.c.epoch + one).where(here(log.lease))
        )
        self.insert_lease = text(sa.insert(log.lease))
        self.insert_entry = forms.insert(entry)
        at = here(tile, tile.c.level, tile.c.idx)
        self.tile = text(sa.select(tile.c.data).where(at))
        self.delete_tile = forms.many(sa.delete(tile).where(at))
        self.insert_tile = forms.insert(tile)
        self.note = text(sa.select(log.note.c.note).where(here(log.note)))
        self.delete_note = text(sa.delete(log.note).where(here(log.note)))
        self.insert_note = text(sa.insert(log.note))
        self.opening = text(
            sa.select(opening.c.salt, opening.c.terms, opening.c.by_party).where(
                here(opening, opening.c.digest)
            )
        )
        self.digests = forms.lookup(
            sa.select(opening.c.digest).where(here(opening)), (opening.c.digest,)
        )
        self.insert_opening = forms.insert(opening)
        span = (here(entry), entry.c.idx >= given(), entry.c.idx < given())
        self.data = text(sa.select(entry.c.data).where(*span).order_by(entry.c.idx))
        # An index of these entries alone serves it, where the text is the index's own.
        states = sa.select(entry.c.data).where(*span, is_state(entry.c.kind))
        self.state = text(states.order_by(entry.c.idx))
        self.leaf_hash = text(sa.select(entry.c.leaf_hash).where(*span).order_by(entry.c.idx))
        self.sids = forms.lookup(
            sa.select(entry.c.sid, entry.c.idx).where(here(entry)), (entry.c.sid,)
        )
        self.ids = forms.lookup(
            sa.select(entry.c.by_party, entry.c.id, entry.c.sid).where(here(entry)),
            (entry.c.by_party, entry.c.id),
        )
