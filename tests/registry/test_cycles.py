"""How seldom a process looks for cycles; in a process of its own, for it is a setting of all."""

import subprocess
import sys

from registry.cycles import OBJECTS_BETWEEN_SEARCHES

CHILD = """
import gc
from registry.cycles import seek_cycles_seldom
seek_cycles_seldom()
kept = [[] for _ in range({made})]
searches = gc.get_stats()[0]["collections"]
more = [[] for _ in range({made})]
print(gc.get_stats()[0]["collections"] - searches, gc.get_freeze_count() > 1_000)
"""


def searches(made: int) -> list[str]:
    told = subprocess.run(  # noqa: S603 (our own interpreter and program)
        [sys.executable, "-c", CHILD.format(made=made)], capture_output=True, text=True, check=True
    )
    return told.stdout.split()


def test_batch_is_made_without_a_search_and_what_was_there_is_left_out() -> None:
    assert searches(OBJECTS_BETWEEN_SEARCHES // 3) == ["0", "True"]


def test_cycles_are_still_looked_for() -> None:
    assert searches(OBJECTS_BETWEEN_SEARCHES + 1)[0] != "0"
