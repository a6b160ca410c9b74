"""A whole state whose lasting rows are on disk: a replay's, whose memory follows live lots.

Most rows end with what they tell of. Those of a *lasting* table never do: a notice may be
acknowledged long after its lot was passed on. They are added with every transfer and hardly
ever asked for again, so they wait in a file.
"""

from collections.abc import Iterator
from typing import Any

from registry.errors import InvariantBrokenError
from registry.spool import SortedRuns
from registry.state import MemoryRows, Shelf
from registry.tables import Key, Table, Value


class _LastingShelf:
    """One table's rows on disk; none of them ends, and none is looked up but by its key."""

    def __init__(self, table: Table[Any]) -> None:
        self._table = table
        self._rows: SortedRuns[Any] = SortedRuns(table.row, table.key_of)
        self.get, self.put = self._rows.get, self._rows.put
        # Keys are not made twice (they are ids, or a decision has asked); a look at what is on
        # disk before each of many rows would cost more than all the rest.
        self.has = self._rows.is_new

    @property
    def in_memory(self) -> int:
        """Number of rows in memory."""
        return self._rows.in_memory

    def delete(self, key: Key) -> bool:
        """Refuses: no row ends."""
        raise InvariantBrokenError(f"{self._table.name} {key} cannot end: its table is lasting")

    def where(self, field: str, value: Value) -> tuple[Any, ...]:  # noqa: ARG002 (any other)
        """Refuses: no decision and no fold looks them up so."""
        raise InvariantBrokenError(f"{self._table.name} is not looked up by {field} in a replay")

    def select(self) -> Iterator[Any]:
        """Streams the rows in key order."""
        return iter(self._rows)


class ReplayedRows(MemoryRows):
    """A whole state, lasting tables on disk; the memory that it takes follows live rows."""

    def shelf(self, table: Table[Any]) -> Shelf:
        """Makes the shelf of a table."""
        return _LastingShelf(table) if table.lasting else super().shelf(table)
