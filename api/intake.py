"""Intake: statements that come one by one are verified and handed to the writer in groups.

A statement is read where it arrives. Its signature is verified by a thread of its own, or in
the event loop's next turn, which takes whatever waits, hands to the writer at once what has
proved genuine, and never waits for more. One call wakes the event loop for a whole group.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final

from api.bulk import LINES_MAX
from api.service import Service
from registry.engine import Outcome
from registry.errors import RegistryError, StorageError
from registry.statements import Unverified
from registry.writer import WriterBusyError

GROUP_MAX: Final = 50
"""Signatures of one turn: enough that handing them over does not count."""

Answer = asyncio.Future[Outcome]
Entrant = tuple[Unverified, Answer]


class Intake:
    """Seals statements one by one, as many at a time as have come."""

    def __init__(self, service: Service, *, verifiers: int = 1) -> None:
        """Takes nothing in yet.

        Args:
            service: Reads statements and seals them.
            verifiers: Threads that verify signatures; with 0 the event loop does, which costs less
                where other processes have the other cores.
        """
        self._service = service
        self._threads = ThreadPoolExecutor(verifiers, "verify") if verifiers else None
        self._workers = max(verifiers, 1)
        self._waiting: deque[Entrant] = deque()
        self._pending = 0
        self._bulk = 0
        self._working = 0
        self._lock = threading.Lock()

    def verify_room(self) -> None:
        """Refuses at once what could not be sealed soon, before anything is read.

        Raises:
            WriterBusyError: As much as the writer takes in has not been answered yet.
        """
        limit = self._service.writer.waiting_max
        if self._pending >= limit:
            raise WriterBusyError(waiting=self._pending, limit=limit)

    @contextmanager
    def bulk_room(self) -> Iterator[None]:
        """Makes room for a bulk request, from its first byte to its answer.

        Raises:
            WriterBusyError: There are as many as the writer could take in together.
        """
        limit = self._service.writer.waiting_max
        if self._bulk and (self._bulk + 1) * LINES_MAX > limit:
            raise WriterBusyError(waiting=self._bulk * LINES_MAX, limit=limit)
        self._bulk += 1
        try:
            yield
        finally:
            self._bulk -= 1

    def seal(self, unverified: Unverified) -> Answer:
        """Returns a future of what becomes of a statement; it raises nothing but bugs."""
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        with self._lock:
            self._pending += 1
            self._waiting.append((unverified, answer))
            is_needed = self._working < self._workers
            self._working += is_needed
        if is_needed:
            # Behind what else has come in this turn of the loop.
            loop.call_soon(self._begin)
        return answer

    def _begin(self) -> None:
        """Begins to verify what waits."""
        if self._threads is not None:
            self._threads.submit(self._work)
        else:
            self._work()

    def close(self) -> None:
        """Ends the threads; what waits is still handed over."""
        if self._threads is not None:
            self._threads.shutdown()

    # --- Verifying --------------------------------------------------------------------

    def _work(self) -> None:
        """Verifies and hands over group after group, while anything waits."""
        while group := self._take():
            try:
                self._hand_over(group)
            except Exception as error:
                # The thread's outermost border: a bug is an answer too.
                self._tell([(answer, error) for _, answer in group])

    def _take(self) -> list[Entrant]:
        """Takes what waits; nothing ends the work."""
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(GROUP_MAX, len(self._waiting)))]
            self._working -= not group
        return group

    def _hand_over(self, group: Sequence[Entrant]) -> None:
        """Gives the writer what is genuine, in order, and answers the others."""
        genuine: list[Entrant] = []
        refused: list[tuple[Answer, Outcome | Exception]] = []
        for unverified, answer in group:
            try:
                unverified.admit()
            except RegistryError as error:
                refused.append((answer, error))
            else:
                genuine.append((unverified, answer))
        if refused:
            self._tell(refused)
        if not genuine:
            return
        answers = [answer for _, answer in genuine]
        try:
            sealed = self._service.writer.submit([each.statement for each, _ in genuine])
        except StorageError as error:
            self._tell([(answer, error) for answer in answers])
        else:
            sealed.add_done_callback(lambda future: self._on_sealed(answers, future))

    def _on_sealed(self, answers: Sequence[Answer], sealed: Future[list[Outcome]]) -> None:
        """Passes on what became of a group; the writer's thread calls this."""
        if (error := sealed.exception()) is not None:
            self._tell([(answer, error) for answer in answers])
        else:
            self._tell(list(zip(answers, sealed.result(), strict=True)))

    def _tell(self, outcomes: Sequence[tuple[Answer, Outcome | BaseException]]) -> None:
        """Wakes each event loop once (a server has one), to answer all that wait there."""
        with self._lock:
            self._pending -= len(outcomes)
        loops: dict[asyncio.AbstractEventLoop, list[tuple[Answer, Outcome | BaseException]]] = {}
        for answer, outcome in outcomes:
            loops.setdefault(answer.get_loop(), []).append((answer, outcome))
        for loop, told in loops.items():
            with suppress(RuntimeError):
                # The loop has been closed: nobody waits any more.
                loop.call_soon_threadsafe(_answer, told)


def _answer(outcomes: Sequence[tuple[Answer, Outcome | BaseException]]) -> None:
    """Answers on the event loop; whoever has gone away is passed over."""
    for answer, outcome in outcomes:
        if answer.done():
            continue
        if isinstance(outcome, BaseException) and not isinstance(outcome, RegistryError):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
