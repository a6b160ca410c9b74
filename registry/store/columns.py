"""Reads of the SQL store for who reads very many: tuples and totals, and no row made of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from registry.store.database import Database
from registry.store.queries import RowSql
from registry.tables import Table, Value


class ColumnReads(ABC):
    """The part of `SqlStore` that gives tuples."""

    _database: Database
    _ledger_id: int

    @abstractmethod
    def _row_sql(self, name: str) -> RowSql:
        """Returns the statements of a table."""

    def columns(
        self,
        table: Table[Any],
        names: Sequence[str],
        *,
        order: Sequence[str] = (),
        field: str = "",
        value: Value = "",
        as_of: int | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        """Streams fields of rows as tuples, ordered by some of them."""
        sql = self._row_sql(table.name)
        question = sql.columns(self._ledger_id, names, order, field, value, as_of)
        parts = self._database.stream(question)
        return chain.from_iterable(map(sql.rows.decoder(names), parts))

    def gather(
        self, table: Table[Any], names: Sequence[str], *, field: str, values: Sequence[Value]
    ) -> list[tuple[Any, ...]]:
        """Returns fields of the live rows whose field has one of the values, in any order."""
        sql = self._row_sql(table.name)
        decode = sql.rows.decoder(names)
        questions = sql.gathering(self._ledger_id, tuple(names), field, values)
        return [row for part in self._database.ask(questions) if part for row in decode(part)]

    def totals(
        self,
        table: Table[Any],
        by: Sequence[str],
        *,
        sums: Sequence[str] = (),
        field: str = "",
        value: Value = "",
        as_of: int | None = None,
    ) -> list[tuple[Any, ...]]:
        """Counts rows and adds up their money by the values of some fields."""
        sql = self._row_sql(table.name)
        (found,) = self._database.ask([sql.totals(self._ledger_id, by, sums, field, value, as_of)])
        if not found:
            return []
        values = sql.rows.decoder(by)([record[: len(by)] for record in found])
        # A database may add whole numbers up to decimals.
        added = (map(int, record[len(by) :]) for record in found)
        return [(*told, *total) for told, total in zip(values, added, strict=True)]
