"""Processes that verify the lots of a snapshot, each some thousand lines at a time.

A worker is a Python of its own that gets parts of the file on standard input and answers
each on standard output with the roots over its lots. It sees no file. What it does not
vouch for, the verifying process looks at itself.
"""

import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import BinaryIO, Final, cast

from registry.lot_lines import Expected, Part, verify_here, verify_together

PARTS_AHEAD: Final = 2
"""Parts that are read for each worker: the one at hand, and the next."""

# `-P`: nothing is imported from the directory in which the verifier happens to stand, which may
# be the snapshot. The parent's own path comes over the pipe. An interrupt is the parent's affair.
_START: Final = (
    "import pickle, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "sys.path[:] = pickle.load(sys.stdin.buffer)\n"
    "from registry.lot_workers import serve\n"
    "serve()\n"
)


class LotWorkers:
    """Verifies parts in other processes, a few ahead of what is asked for."""

    def __init__(self, jobs: int) -> None:
        """Takes the number of processes; with one, there is none but this."""
        self._jobs = jobs
        self._workers: list[_Worker] = []

    def __enter__(self) -> "LotWorkers":
        """Starts the processes."""
        try:
            for _ in range(self._jobs if self._jobs > 1 else 0):
                self._workers.append(_Worker())
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
        free: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            free.put(worker)

        def ask(data: bytes) -> Part | None:
            worker = free.get()
            try:
                return worker.ask(data, expected)
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


class _Worker:
    """One process and its two pipes; it has one part at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and program)
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._in = cast(BinaryIO, self._process.stdin)
        self._out = cast(BinaryIO, self._process.stdout)
        self._put(sys.path)

    def ask(self, data: bytes, expected: Expected) -> Part | None:
        """Returns what the lots of a part come to.

        Raises:
            ChildProcessError: There is no answer.
        """
        self._put((data, expected))
        try:
            answer: Part | None = pickle.load(self._out)  # noqa: S301 (our own)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._failed() from None
        return answer

    def end(self) -> None:
        """Ends the process and waits for it."""
        self._process.kill()
        self._process.wait()
        self._out.close()
        # What it had not taken yet cannot be flushed.
        with suppress(OSError):
            self._in.close()

    def _put(self, message: object) -> None:
        try:
            pickle.dump(message, self._in, protocol=pickle.HIGHEST_PROTOCOL)
            self._in.flush()
        except OSError:
            raise self._failed() from None

    def _failed(self) -> ChildProcessError:
        self._process.kill()
        status = self._process.wait()
        return ChildProcessError(f"a verifying process ended before its work, status {status}")


def serve() -> None:
    """Verifies parts from standard input until it ends: the program of a worker."""
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    # Whatever is printed by mistake must not stand between answers.
    sys.stdout = sys.stderr
    with suppress(EOFError, BrokenPipeError):
        while True:
            data, expected = pickle.load(incoming)  # noqa: S301 (from the verifier itself)
            pickle.dump(verify_together(data, expected), outgoing)
            outgoing.flush()
