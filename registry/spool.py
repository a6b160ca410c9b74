"""What is too much for memory for a while: bytes by number, and lines to be sorted.

Both wait in a temporary file that has no name, and is gone with whoever made it.
"""

import mmap
import os
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator

Place = tuple[int, int]
"""What lines are sorted by."""


class Records:
    """Bytes by number; 16 bytes of memory for each."""

    def __init__(self) -> None:
        """Makes the file."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the object)
        weakref.finalize(self, self._file.close)
        self._end = 0
        self._spans = array("Q")

    def put(self, number: int, data: bytes) -> None:
        """Keeps bytes."""
        if 2 * number >= len(self._spans):
            self._spans.extend([0] * (2 * number + 2 - len(self._spans)))
        self._spans[2 * number], self._spans[2 * number + 1] = self._end, len(data)
        self._file.write(data)
        self._end += len(data)

    def get(self, number: int) -> bytes:
        """Returns what was kept; any thread may ask once nothing is put any more."""
        self._file.flush()
        start, length = self._spans[2 * number : 2 * number + 2]
        return os.pread(self._file.fileno(), length, start)


def sorted_lines(lines: Iterable[tuple[Place, bytes]]) -> Iterator[bytes]:
    """Yields lines by their places; about 100 bytes of memory for each."""
    firsts, seconds, ends = array("Q"), array("Q"), array("Q", [0])
    with tempfile.TemporaryFile() as file:
        for (first, second), line in lines:
            firsts.append(first)
            seconds.append(second)
            ends.append(ends[-1] + file.write(line))
        if not ends[-1]:
            return
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for at in sorted(range(len(firsts)), key=lambda at: (firsts[at], seconds[at])):
                yield data[ends[at] : ends[at + 1]]
