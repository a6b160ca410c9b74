"""Processes that read bundles ahead of an audit, and an audit that reads them itself.

A worker is a Python of its own that gets bundles on standard input and answers, in the
same order, on standard output. It sees no file and no state, it ends when its input ends,
and with it ends the audit: what a worker did not say was not read by anybody.
"""

import gc
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, BinaryIO, Final, cast

from registry.errors import InvariantBrokenError
from registry.ids import Origin
from registry.readings import BundleReader, BundleReading, Claim, find_claims
from registry.statements import Kind

BUNDLES_AHEAD: Final = 2
"""Bundles that a worker has at a time: the one at hand, and the next."""

OBJECTS_BETWEEN_COLLECTIONS: Final = 100_000

# `-P`: nothing is imported from the directory in which the auditor happens to stand, which may
# be the export. The parent's own path comes over the pipe. An interrupt is the parent's affair.
_START: Final = (
    "import pickle, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "sys.path[:] = pickle.load(sys.stdin.buffer)\n"
    "from registry.audit_workers import serve\n"
    "serve()\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle of an export, taken apart.

    Attributes:
        index: Its place in the row of bundles.
        entries: Its entries.
        claims: The keys that its entries claim to add.
    """

    index: int
    entries: tuple[bytes, ...]
    claims: tuple[Claim, ...]


def make_bundle(index: int, data: bytes, entries: tuple[bytes, ...]) -> Bundle:
    """Makes a bundle of a file that was taken apart."""
    return Bundle(index=index, entries=entries, claims=find_claims(data))


class LocalReaders:
    """Reads bundles in this process, when they are asked for."""

    def __init__(self, kinds: Mapping[str, Kind[Any]], origin: Origin) -> None:
        """Takes what readings depend on."""
        self._reader = BundleReader(kinds, origin)

    def __enter__(self) -> "LocalReaders":
        """Has nothing to start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Has nothing to end."""

    def read(self, bundles: Iterable[Bundle]) -> Iterator[tuple[Bundle, BundleReading]]:
        """Yields each bundle with its reading."""
        for bundle in bundles:
            yield bundle, self._reader.read(bundle.entries, bundle.claims)


class WorkerReaders:
    """Reads bundles in other processes, a few ahead of what is asked for."""

    def __init__(self, kinds: Mapping[str, Kind[Any]], origin: Origin, *, jobs: int) -> None:
        """Takes what readings depend on, and the number of processes."""
        self._kinds = kinds
        self._origin = origin
        self._jobs = jobs
        self._workers: list[_Worker] = []

    def __enter__(self) -> "WorkerReaders":
        """Starts the processes."""
        try:
            for _ in range(self._jobs):
                self._workers.append(_Worker(self._kinds, self._origin))
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

    def read(self, bundles: Iterable[Bundle]) -> Iterator[tuple[Bundle, BundleReading]]:
        """Yields each bundle with its reading, in order.

        Raises:
            ChildProcessError: A worker ended before it answered.
        """
        ahead: deque[tuple[Bundle, _Worker]] = deque()
        for number, bundle in enumerate(bundles):
            if len(ahead) == len(self._workers) * BUNDLES_AHEAD:
                yield _answer(ahead)
            # Whoever comes next reads this bundle; all others may need its claims.
            for worker in self._workers:
                worker.claims += bundle.claims
            worker = self._workers[number % len(self._workers)]
            worker.send(bundle)
            ahead.append((bundle, worker))
        while ahead:
            yield _answer(ahead)


def _answer(ahead: "deque[tuple[Bundle, _Worker]]") -> tuple[Bundle, BundleReading]:
    """Waits for the oldest answer that is owed."""
    bundle, worker = ahead.popleft()
    index, reading = worker.receive()
    if index != bundle.index:
        raise InvariantBrokenError(f"bundle {bundle.index} was answered with {index}")
    return bundle, reading


class _Worker:
    """One process and its two pipes.

    It never holds more than `BUNDLES_AHEAD`, and reads on while it works and while it
    answers; so neither side waits for the other with both pipes full.
    """

    def __init__(self, kinds: Mapping[str, Kind[Any]], origin: Origin) -> None:
        self.claims: list[Claim] = []
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and program)
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._in = cast(BinaryIO, self._process.stdin)
        self._out = cast(BinaryIO, self._process.stdout)
        self._put(sys.path)
        self._put((dict(kinds), origin))

    def send(self, bundle: Bundle) -> None:
        """Hands over a bundle, with the claims since the last one."""
        self._put((bundle.index, bundle.entries, self.claims))
        self.claims = []

    def receive(self) -> tuple[int, BundleReading]:
        """Returns the next answer.

        Raises:
            ChildProcessError: There will be none.
        """
        try:
            answer: tuple[int, BundleReading] = pickle.load(self._out)  # noqa: S301 (our own)
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
        return ChildProcessError(f"a process of the audit ended before its work, status {status}")


def serve() -> None:
    """Reads bundles from standard input until it ends: the program of a worker."""
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    # Whatever is printed by mistake must not stand between answers.
    sys.stdout = sys.stderr
    reader = BundleReader(*pickle.load(incoming))  # noqa: S301 (from the audit itself)
    # A bundle's objects are many and go together; looking for cycles among them takes time.
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    tasks: SimpleQueue[Any] = SimpleQueue()
    answers: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_take_tasks, args=(incoming, tasks), daemon=True).start()
    sender = Thread(target=_give_answers, args=(outgoing, answers), daemon=True)
    sender.start()
    while (task := tasks.get()) is not None:
        index, entries, claims = task
        reading = reader.read(entries, claims)
        answers.put(pickle.dumps((index, reading), protocol=pickle.HIGHEST_PROTOCOL))
    answers.put(b"")
    sender.join()


def _take_tasks(incoming: BinaryIO, tasks: "SimpleQueue[Any]") -> None:
    """Takes bundles while others are being read; at the end, whatever ends it, None."""
    try:
        while True:
            tasks.put(pickle.load(incoming))  # noqa: S301 (from the audit itself)
    except EOFError:
        pass
    finally:
        tasks.put(None)


def _give_answers(outgoing: BinaryIO, answers: "SimpleQueue[bytes]") -> None:
    """Writes answers until an empty one; an audit that is gone wants none."""
    with suppress(OSError), outgoing:
        while answer := answers.get():
            outgoing.write(answer)
            outgoing.flush()
