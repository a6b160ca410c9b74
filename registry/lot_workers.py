"""Processes that verify the lots of a snapshot, each some thousand lines at a time.

A worker gets parts of the file and answers each with the roots over its lots. It sees no
file. What it does not vouch for, the verifying process looks at itself.
"""

import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Final

from registry.lot_lines import Expected, Part, verify_here, verify_together
from registry.workers import Worker, take_pipes

PARTS_AHEAD: Final = 2
"""Parts that are read for each worker: the one at hand, and the next."""


class LotWorkers:
    """Verifies parts in other processes, a few ahead of what is asked for."""

    def __init__(self, jobs: int) -> None:
        """Takes the number of processes; with one, there is none but this."""
        self._jobs = jobs
        self._workers: list[Worker] = []

    def __enter__(self) -> "LotWorkers":
        """Starts the processes."""
        try:
            for _ in range(self._jobs if self._jobs > 1 else 0):
                worker = Worker(__name__, what="a verifying process")
                self._workers.append(worker)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the processes, whatever they are doing: they keep nothing."""
        for worker in self._workers:
            worker.end()

    def verify(
        self, parts: Iterable[bytes], expected: Expected
    ) -> Iterator[tuple[bytes, Part | None]]:
        """Yields each part with what its lots come to, in order.

        Raises:
            ChildProcessError: A worker ended before it answered.
        """
        if not self._workers:
            yield from verify_here(parts, expected)
            return
        free: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            free.put(worker)

        def ask(data: bytes) -> Part | None:
            worker = free.get()
            try:
                worker.put(pickle.dumps((data, expected), protocol=pickle.HIGHEST_PROTOCOL))
                answer: Part | None = worker.get()
                return answer
            finally:
                free.put(worker)

        ahead: deque[tuple[bytes, Future[Part | None]]] = deque()
        with ThreadPoolExecutor(len(self._workers)) as threads:
            for data in parts:
                if len(ahead) == len(self._workers) * PARTS_AHEAD:
                    yield ahead[0][0], ahead[0][1].result()
                    ahead.popleft()
                ahead.append((data, threads.submit(ask, data)))
            for data, answer in ahead:
                yield data, answer.result()


def serve() -> None:
    """Verifies parts, one after the other, until there are no more: the program of a worker."""
    incoming, outgoing = take_pipes()
    with suppress(EOFError, BrokenPipeError):
        while True:
            data, expected = pickle.load(incoming)  # noqa: S301 (from the verifier itself)
            pickle.dump(verify_together(data, expected), outgoing)
            outgoing.flush()
