"""The registry's server, unchanged but for its disk: each commit takes 5 ms longer.

How it is done: `SqlStore.append`, which returns when its transaction is on disk, sleeps
5 ms before it returns. Like a slow `fdatasync` that holds the thread that commits, and no
other. Nobody but the benchmarks runs this program.
"""

import time
from typing import Final

from api import server
from registry.ports import Commit
from registry.store.sql import SqlStore

DELAY_S: Final = 0.005

_append = SqlStore.append


def _slowly(store: SqlStore, commit: Commit, *, expected_size: int, epoch: int) -> None:
    """Appends, and waits."""
    _append(store, commit, expected_size=expected_size, epoch=epoch)
    time.sleep(DELAY_S)


# On import, so that processes which this one may start do it too.
SqlStore.append = _slowly  # type: ignore[method-assign, assignment]

if __name__ == "__main__":
    server.main()
