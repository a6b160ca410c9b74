"""How PostgreSQL is told to do one thing with many values: by arrays and by COPY.

A list of values is one parameter, an array, so that one text serves lists of every
length. Rows come in by binary COPY when they are many. The live versions that a commit
ends are ended by one UPDATE, which joins the table with arrays of their keys.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from psycopg.pq import PipelineStatus

from registry.store.queries import Bulk, Cursor, Lookup, Question, Records, given
from registry.store.schema import RowTable


class PostgresqlForms:
    """Implements `Forms`."""

    def __init__(self, dialect: sa.Dialect) -> None:
        """Compiles for this dialect."""
        self.dialect = dialect

    def text(self, statement: Any) -> str:
        """Returns a statement's text, with positional parameters."""
        return str(statement.compile(dialect=self.dialect))

    def lookup(self, statement: sa.Select[Any], by: Sequence[sa.Column[Any]]) -> Lookup:
        """Returns the lookup by columns; the statement's one parameter is the ledger's id."""
        return ArrayLookup(statement, by, forms=self)

    def insert(self, table: sa.Table) -> Bulk:
        """Returns the change that adds rows."""
        return Insert(table, forms=self)

    def close(self, rows: RowTable[Any]) -> Bulk:
        """Returns the change that ends live versions."""
        return Close(rows, forms=self)

    def many(self, statement: Any) -> Bulk:
        """Returns the change that runs a statement as it is."""
        return Each(self.text(statement))


def unnested(columns: Sequence[sa.Column[Any]]) -> Any:
    """Writes a table of arrays, one for each column, to be given in that order."""
    arrays = [sa.bindparam(None, None, sa.ARRAY(_plain(column))) for column in columns]
    names = [sa.column(column.name, _plain(column)) for column in columns]
    return sa.func.unnest(*arrays).table_valued(*names).render_derived(name="wanted")


def _plain(column: sa.Column[Any]) -> Any:
    """Returns a column's type without its collation: comparing takes the column's own."""
    return sa.Text() if isinstance(column.type, sa.Text) else column.type


class Each:
    """Runs one text once for each tuple of parameters."""

    def __init__(self, text: str) -> None:
        """Takes the text."""
        self.text = text

    def run(self, cursor: Cursor, records: Records) -> None:
        """Makes the changes."""
        cursor.executemany(self.text, records)


class Insert:
    """Adds rows: by COPY, or by INSERT where the connection does not wait for answers."""

    def __init__(self, table: sa.Table, *, forms: PostgresqlForms) -> None:
        """Prepares both texts."""
        quote = forms.dialect.identifier_preparer.quote
        names = ", ".join(quote(column.name) for column in table.columns)
        self.table = quote(table.name)
        self.text = forms.text(sa.insert(table))
        self.copy = f"COPY {self.table} ({names}) FROM STDIN (FORMAT BINARY)"
        self.types = [
            column.type.compile(forms.dialect).lower().partition(" ")[0] for column in table.columns
        ]

    def run(self, cursor: Cursor, records: Records) -> None:
        """Adds the rows."""
        if cursor.connection.pgconn.pipeline_status != PipelineStatus.OFF:
            cursor.executemany(self.text, records)
            return
        with cursor.copy(self.copy) as copy:
            copy.set_types(self.types)
            for record in records:
                copy.write_row(record)


class Close:
    """Ends live versions by one UPDATE."""

    def __init__(self, rows: RowTable[Any], *, forms: PostgresqlForms) -> None:
        """Prepares the text; its parameters are the arrays and then the ledger's id."""
        until = rows.sql.c.until
        wanted = unnested([until, *rows.key])
        self.text = forms.text(
            sa.update(rows.sql)
            .values(until=wanted.c.until)
            .where(
                rows.sql.c.ledger_id == given(),
                rows.is_live,
                *(column == wanted.c[column.name] for column in rows.key),
            )
        )

    def run(self, cursor: Cursor, records: Records) -> None:
        """Ends the versions."""
        ends, ledgers, *keys = zip(*records, strict=True)
        cursor.execute(self.text, (list(ends), *map(list, keys), ledgers[0]))


class ArrayLookup:
    """Asks with one array for each column."""

    def __init__(
        self,
        statement: sa.Select[Any],
        by: Sequence[sa.Column[Any]],
        *,
        forms: PostgresqlForms,
    ) -> None:
        """Prepares the text."""
        self._is_joined = len(by) > 1
        if self._is_joined:
            # Written before WHERE, so the arrays are its first parameters.
            wanted = unnested(by)
            found = statement.where(*(column == wanted.c[column.name] for column in by))
        else:
            array = sa.bindparam(None, None, sa.ARRAY(_plain(by[0])))
            found = statement.where(by[0] == sa.any_(array))
        self.text = forms.text(found)

    def questions(self, ledger_id: int, values: Records) -> list[Question]:
        """Returns the one question."""
        if not values:
            return []
        arrays = [list(array) for array in zip(*values, strict=True)]
        parameters = (*arrays, ledger_id) if self._is_joined else (ledger_id, *arrays)
        return [(self.text, parameters)]
