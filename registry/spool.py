"""What is too much for memory: bytes by number, and rows by key, in files without a name.

They are gone with who made them.
"""

import heapq
import os
import tempfile
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import msgspec

ROWS_IN_MEMORY: Final = 8_192
"""Rows of one table that wait to be written together."""
ROWS_A_BLOCK: Final = 64
RUNS_A_LEVEL: Final = 16
"""Runs of about one length, which are merged into one when there are so many."""

R = TypeVar("R", bound=msgspec.Struct)
Key = tuple[Any, ...]


class _File:
    """A file without a name, written at its end."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the object)
        weakref.finalize(self, self._file.close)
        self.end = 0

    def append(self, data: bytes) -> None:
        """Writes bytes."""
        self._file.write(data)
        self.end += len(data)

    def read(self, start: int, length: int) -> bytes:
        """Reads bytes; any thread may ask once nothing is written any more."""
        self._file.flush()
        return os.pread(self._file.fileno(), length, start)


class Records:
    """Bytes by number; 16 bytes of memory for each."""

    def __init__(self) -> None:
        """Makes the file."""
        self._file = _File()
        self._spans = array("Q")

    def put(self, number: int, data: bytes) -> None:
        """Keeps bytes."""
        if 2 * number >= len(self._spans):
            self._spans.extend([0] * (2 * number + 2 - len(self._spans)))
        self._spans[2 * number], self._spans[2 * number + 1] = self._file.end, len(data)
        self._file.append(data)

    def get(self, number: int) -> bytes:
        """Returns what was kept; any thread may ask once nothing is put any more."""
        start, length = self._spans[2 * number : 2 * number + 2]
        return self._file.read(start, length)


class _Run(Generic[R]):
    """Rows in the order of their keys, at least one, written once, in blocks.

    Of each block its first key is in memory, and where it stands.
    """

    def __init__(
        self, rows: Iterable[R], *, key_of: Callable[[R], Key], decode: Callable[[bytes], list[R]]
    ) -> None:
        self._file = _File()
        self._firsts: list[Key] = []
        self._places = array("Q", [0])
        self._key_of = key_of
        self._decode = decode
        left, encode = iter(rows), msgspec.msgpack.Encoder().encode
        while block := list(islice(left, ROWS_A_BLOCK)):
            self._file.append(encode(block))
            self._firsts.append(key_of(block[0]))
            self._places.append(self._file.end)
            self._last = key_of(block[-1])

    def __iter__(self) -> Iterator[R]:
        """Yields the rows in the order of their keys."""
        for number in range(len(self._firsts)):
            yield from self._block(number)

    def get(self, key: Key) -> R | None:
        """Returns the row with this key."""
        if not self._firsts[0] <= key <= self._last:
            return None
        rows = self._block(bisect_right(self._firsts, key) - 1)
        return next((row for row in rows if self._key_of(row) == key), None)

    def _block(self, number: int) -> list[R]:
        start, end = self._places[number : number + 2]
        return self._decode(self._file.read(start, end - start))


class SortedRuns(Generic[R]):
    """Rows by key, more than memory holds: many are put, and few are asked for again.

    Rows are sorted in memory, some thousand at a time, and written as a run; runs of one
    length are merged. So writing costs a few microseconds a row, whatever there is already,
    and finding an old one some reads of a block. Memory holds one key of a block's 64.
    """

    def __init__(
        self,
        row: type[R],
        key_of: Callable[[R], Key],
        *,
        rows_in_memory: int | None = None,
    ) -> None:
        """Starts empty.

        Args:
            row: The rows' class.
            key_of: Returns a row's key.
            rows_in_memory: Rows that wait to be written together; None for `ROWS_IN_MEMORY`.
        """
        self._key_of = key_of
        self._decode = msgspec.msgpack.Decoder(list[row]).decode  # type: ignore[valid-type]
        self._rows_in_memory = rows_in_memory or ROWS_IN_MEMORY
        self._newest: dict[Key, R] = {}
        # The shortest runs first, which are the newest; of one length, the oldest first.
        self._levels: list[list[_Run[R]]] = []

    @property
    def in_memory(self) -> int:
        """Number of rows in memory."""
        return len(self._newest)

    def put(self, key: Key, row: R) -> None:
        """Keeps a row under its key, instead of an older one."""
        self._newest[key] = row
        if len(self._newest) >= self._rows_in_memory:
            self._push(0, [self._newest[key] for key in sorted(self._newest)])
            self._newest = {}

    def is_new(self, key: Key) -> bool:
        """Tells whether the row with this key is in memory still."""
        return key in self._newest

    def get(self, key: Key) -> R | None:
        """Returns the newest row with this key."""
        row = self._newest.get(key)
        if row is not None:
            return row
        found = (run.get(key) for run in self._runs())
        return next((row for row in found if row is not None), None)

    def __iter__(self) -> Iterator[R]:
        """Yields the newest row of every key, in the order of the keys."""
        return self._merged([sorted(self._newest.values(), key=self._key_of), *self._runs()])

    def _runs(self) -> Iterator[_Run[R]]:
        """Yields the runs, the newest first."""
        return (run for runs in self._levels for run in reversed(runs))

    def _push(self, level: int, rows: Iterable[R]) -> None:
        """Writes a run; what is one too many on its level goes to the next."""
        if level == len(self._levels):
            self._levels.append([])
        runs = self._levels[level]
        runs.append(_Run(rows, key_of=self._key_of, decode=self._decode))
        if len(runs) == RUNS_A_LEVEL:
            self._levels[level] = []
            self._push(level + 1, self._merged(runs[::-1]))

    def _merged(self, newest_first: Iterable[Iterable[R]]) -> Iterator[R]:
        """Merges rows in the order of their keys; of several with one key, the newest counts."""
        last: Key = ()
        # Merging is stable: of equals, those of the first come first.
        for row in heapq.merge(*newest_first, key=self._key_of):
            key = self._key_of(row)
            if key != last:
                yield row
                last = key
