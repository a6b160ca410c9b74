"""A rulebook whose decisions see what their kinds declared to read, and nothing else."""

from typing import Any, TypeVar

from registry.checks import RootAt
from registry.effects import Due, Effect
from registry.errors import InvariantBrokenError
from registry.kinds import Rulebook
from registry.state import answer
from registry.statements import Now, Statement
from registry.tables import Asked, Get, Key, ReadPlan, Record, Rows, Table, Value, WhereEach

R = TypeVar("R", bound=Record)


class View:
    """The rows that a plan asked for, and no others."""

    def __init__(self, rows: Rows, plan: ReadPlan) -> None:
        """Runs the plan against rows and keeps every answer."""
        self._rows: dict[tuple[str, Key], Any] = {}
        self._sets: dict[tuple[str, str, Value], tuple[Any, ...]] = {}
        read = next(plan, None)
        while read is not None:
            found = answer(rows, read)
            self._keep(read, found)
            try:
                read = plan.send(found)
            except StopIteration:
                return

    def _keep(self, read: Asked, found: tuple[Any, ...]) -> None:
        """Remembers an answer."""
        if isinstance(read, Get):
            for key, row in zip(read.keys, found, strict=True):
                self._rows[read.table.name, key] = row
        elif isinstance(read, WhereEach):
            for where, rows in zip(read.wheres, found, strict=True):
                self._keep(where, rows)
        else:
            self._sets[read.table.name, read.field, read.value] = found

    def get(self, table: Table[R], *key: Value) -> R | None:
        """Returns a row that was asked for."""
        try:
            row: R | None = self._rows[table.name, key]
        except KeyError:
            raise InvariantBrokenError(f"undeclared read of {table.name} {key}") from None
        return row

    def where(self, table: Table[R], field: str, value: Value) -> tuple[R, ...]:
        """Returns rows that were asked for."""
        try:
            rows: tuple[R, ...] = self._sets[table.name, field, value]
        except KeyError:
            raise InvariantBrokenError(f"undeclared read of {table.name} by {field}") from None
        return rows


class Declared(Rulebook):
    """Raises where a decision reads a row that its kind did not ask for."""

    @classmethod
    def of(cls, rulebook: Rulebook) -> "Declared":
        """Guards the kinds of a rulebook."""
        return cls(rulebook.kinds.values(), rulebook.timed.values(), rulebook.tables)

    def decide(
        self, state: Rows, statement: Statement[Any], now: Now, *, root_at: RootAt
    ) -> tuple[Effect, ...]:
        """Decides over exactly what the kind asked for."""
        view = View(state, self.reads(statement, now))
        return super().decide(view, statement, now, root_at=root_at)

    def decide_due(self, state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
        """Decides over exactly what the kind asked for."""
        return super().decide_due(View(state, self.reads_due(due, now)), due, now)
