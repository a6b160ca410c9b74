"""Compiling what is due in several processes, a share of the vouchers each.

Batches of vouchers go round among the processes (`clearing.due.Share`), and so does the
number of the next instruction, from each process to the one that has the next batch:

    process 0:  route batch 0, take 0, pass 812 on, format
    process 1:  route batch 1, take 812, pass 1601 on, format
    process 0:  route batch 2, take 1601, …

Who started them collects the bytes in the same order, so they are those that one process
makes. Each process reads the store for itself; they have read one state if each found the
log's size unchanged, and all found the same.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection, Pipe

from clearing.compiling import Part, Sums, compile_due
from clearing.due import Share, Streams, stream_due
from registry.cycles import seek_cycles_seldom
from registry.errors import HeadMovedError, InvariantBrokenError, RegistryError


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDue:
    """What is due on a date, for several processes to read.

    They are forked, so that they start at once. Who shares out should therefore have a
    single thread and no open store, as has a command that does nothing else.

    Attributes:
        open_store: Opens the ledger's store; each process calls it once.
        due_on: The due date.
        jobs: Number of processes beside the one that writes; at least one.
    """

    open_store: Callable[[], Streams]
    due_on: date
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What a share comes to, and the size of the log that it was read from."""

    sums: Sums
    size: int


_Failed = partial[Exception]
"""Makes the error with which a process ended."""


def compile_shares(due: SharedDue, sums: Sums) -> Iterator[Part]:
    """Yields the bytes of one batch after the other, compiled by several processes.

    Args:
        due: What is due.
        sums: Is added to, at the end.

    Raises:
        InvariantBrokenError: As `clearing.compiling.compile_due`.
        HeadMovedError: The log has grown while it was read.
        StorageError: The store failed.
        ChildProcessError: A process ended before its work.
    """
    crew = _Crew(due)
    try:
        done: list[_Done] = []
        for place in cycle(range(due.jobs)):
            message = crew.receive(place)
            if isinstance(message, Part):
                if done:
                    raise InvariantBrokenError(f"process {place} has a batch after the last")
                yield message
                continue
            # There is no such batch, hence none at the other processes either.
            done.append(message)
            if len(done) == due.jobs:
                break
    finally:
        crew.end()
    for each in done:
        if each.size != done[0].size:
            raise HeadMovedError(size=each.size, expected=done[0].size)
        sums.add(each.sums)


class _Crew:
    """The processes, and the pipe on which each answers."""

    def __init__(self, due: SharedDue) -> None:
        """Starts them."""
        context = get_context("fork")
        # What process n takes its numbers from is written by the one before it.
        relay = [Pipe(duplex=False) for _ in range(due.jobs)]
        relay[0][1].send(0)
        self._answers: list[Connection] = []
        self._processes = []
        for place in range(due.jobs):
            answers, answering = Pipe(duplex=False)
            numbers, onward = relay[place][0], relay[(place + 1) % due.jobs][1]
            mine = (numbers, onward, answering)
            others = [*self._answers, answers, *(end for pipe in relay for end in pipe)]
            share = Share(place=place, of=due.jobs)
            process = context.Process(
                target=_serve,
                args=(due, share, mine, others),
                name=f"clearing-{place}",
                daemon=True,
            )
            process.start()
            answering.close()
            self._answers.append(answers)
            self._processes.append(process)
        for end in (end for pipe in relay for end in pipe):
            end.close()

    def receive(self, place: int) -> Part | _Done:
        """Waits for the next answer of a process.

        Raises:
            Exception: That with which it failed.
            ChildProcessError: There will be none.
        """
        try:
            message: Part | _Done | _Failed = self._answers[place].recv()
        except (EOFError, OSError):
            raise ChildProcessError("a process of clearing ended before its work") from None
        if isinstance(message, partial):
            raise message()
        return message

    def end(self) -> None:
        """Ends the processes, whatever they are doing: they keep nothing."""
        for process, answers in zip(self._processes, self._answers, strict=True):
            process.kill()
            process.join()
            answers.close()


def _serve(
    due: SharedDue,
    share: Share,
    mine: tuple[Connection, Connection, Connection],
    others: list[Connection],
) -> None:
    """Compiles a share: the program of a process."""
    numbers, onward, answering = mine
    # Whoever waits for one that is gone must find the end of its pipe, so nobody else holds it.
    for end in others:
        if end not in mine:
            end.close()
    # An interrupt is the affair of the one that started this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    seek_cycles_seldom()

    def take(count: int) -> int:
        first: int = numbers.recv()
        # After the last batch there is nobody left to take it.
        with suppress(BrokenPipeError):
            onward.send(first + count)
        return first

    try:
        found, sums = stream_due(due.open_store(), due.due_on, share=share), Sums()
        for part in compile_due(found, sums, take):
            answering.send(part)
        answering.send(_Done(sums=sums, size=found.size))
    except RegistryError as error:
        answering.send(partial(type(error), **error.facts))
    except InvariantBrokenError as error:
        answering.send(partial(InvariantBrokenError, *error.args))
    except (EOFError, BrokenPipeError):
        # Another process has failed, and will be asked why; or nobody wants an answer.
        pass
