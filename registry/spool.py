"""What is too much for memory: bytes by number, in a file that is gone with who made it."""

import os
import tempfile
import weakref
from array import array


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
