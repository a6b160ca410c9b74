"""How seldom a process that keeps many rows looks for cycles among its objects.

Python frees an object when nothing names it any more, whatever is set here. What it looks
for besides are objects that name one another and that nobody else names: rows and batches
have next to none, and are so many that looking takes a tenth of a writer's time.
"""

import gc
from typing import Final

OBJECTS_BETWEEN_SEARCHES: Final = 100_000
"""As many more objects than before, and Python looks for cycles among them."""


def seek_cycles_seldom() -> None:
    """Has this process look for cycles seldom, and never among the objects that it has now."""
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_SEARCHES)
