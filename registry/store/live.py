"""Live rows and statements of the log, found by what they are known by: many in one round."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid
from registry.store.queries import LogSql, Question, Records, RowSql
from registry.tables import Get, Read, Where

Ask = Callable[[Sequence[Question]], list[Records]]
"""Answers questions over some connection."""


class LiveReads:
    """Implements `registry.ports.LiveReads` on an SQL database."""

    def __init__(
        self, ask: Ask, *, log: LogSql, rows: Mapping[str, RowSql], ledger_id: int
    ) -> None:
        """Takes the statements, and whom to ask."""
        self._ask = ask
        self._log = log
        self._rows = rows
        self._ledger_id = ledger_id

    def fetch(self, reads: Sequence[Read]) -> list[tuple[Any, ...]]:
        """Answers many reads with one query per table and form; live rows of one moment."""
        wanted: dict[tuple[str, str], dict[Any, None]] = defaultdict(dict)
        for read in reads:
            match read:
                case Get(table, keys):
                    wanted[table.name, ""].update(dict.fromkeys(keys))
                case Where(table, field, value):
                    wanted[table.name, field][value] = None
        questions = {
            (name, field): self.row_sql(name).questions(self._ledger_id, field, list(values))
            for (name, field), values in wanted.items()
        }
        answers = iter(self._ask(list(chain.from_iterable(questions.values()))))
        found = {
            (name, field): self.row_sql(name).answer(
                field,
                wanted[name, field],
                chain.from_iterable(islice(answers, len(asked))),
            )
            for (name, field), asked in questions.items()
        }
        return [_answer(read, found) for read in reads]

    def find_statements(self, sids: Sequence[Sid]) -> Mapping[Sid, int]:
        """Returns the entry indexes of those of the statements that are sealed."""
        values = [(sid,) for sid in dict.fromkeys(sids)]
        questions = self._log.sids.questions(self._ledger_id, values)
        return {sid: index for part in self._ask(questions) for sid, index in part}

    def find_ids(self, ids: Sequence[tuple[PartyId, str]]) -> Mapping[tuple[PartyId, str], Sid]:
        """Returns the statements in which parties have used ids."""
        questions = self._log.ids.questions(self._ledger_id, list(dict.fromkeys(ids)))
        return {(by, name): sid for part in self._ask(questions) for by, name, sid in part}

    def row_sql(self, name: str) -> RowSql:
        """Returns the statements of a table."""
        if name not in self._rows:
            raise InvariantBrokenError(f"the store has no table {name}")
        return self._rows[name]


def _answer(read: Read, found: Mapping[tuple[str, str], Mapping[Any, Any]]) -> tuple[Any, ...]:
    """Picks one read's answer out of what was found."""
    match read:
        case Get(table, keys):
            return tuple(map(found[table.name, ""].get, keys))
        case Where(table, field, value):
            return tuple(found[table.name, field][value])
