"""A rulebook whose decisions see what their kinds declared to read, and nothing else."""

from typing import Any

from registry.effects import Due, Effect
from registry.kinds import RootAt, Rulebook
from registry.state import View
from registry.statements import Now, Statement
from registry.tables import Rows


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
