"""Stores: adapters of `registry.ports.LedgerStore`, named only where a program is put together.

`memory` needs nothing installed; `sql` keeps a ledger in an SQL database. Both are told
which tables there are and know no rule.
"""

from registry.errors import InvariantBrokenError
from registry.ports import Commit


def verify_commit(commit: Commit, *, expected_size: int) -> None:
    """Checks what every store takes for granted of a commit.

    Raises:
        InvariantBrokenError: The entries do not follow one another from `expected_size`;
            or a change is not of one of them; or the changes go back in the log.
    """
    stop = expected_size + len(commit.entries)
    if [entry.index for entry in commit.entries] != list(range(expected_size, stop)):
        raise InvariantBrokenError(f"entries do not follow one another from {expected_size}")
    last = expected_size
    for change in commit.changes:
        if not last <= change.index < stop:
            raise InvariantBrokenError(f"a change of {change.table.name} at {change.index}")
        last = change.index
