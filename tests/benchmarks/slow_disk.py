"""The registry's server, unchanged but for its disk: each commit takes 5 ms longer.

How it is done: `SqlStore.append`, which returns when its transaction is on disk, sleeps
5 ms before it returns. Like a slow `fdatasync` that holds the thread that commits, and no
other. Nobody but this benchmark runs this program.
"""

import time
from typing import Final

from api import server
from registry.ports import Commit
from registry.store.sql import SqlStore

DELAY_S: Final = 0.005


def slow_down() -> None:
    """Makes every commit of this process slower."""
    append = SqlStore.append

    def slowly(store: SqlStore, commit: Commit, *, expected_size: int, epoch: int) -> None:
        append(store, commit, expected_size=expected_size, epoch=epoch)
        time.sleep(DELAY_S)

    SqlStore.append = slowly  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    slow_down()
    server.main()
