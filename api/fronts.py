"""Several fronts before one writer: processes that are started, watched and ended together.

This process holds the directory, the engine, the writer and the signer. The fronts read
requests, admit statements, and answer what is read from the database; what is to be written
they hand over here. Each has a socket of its own at the same port, among which the system
spreads connections: from a shared one a single process might take them all.

A front that ends unasked ends the server, as a crash ends a server in one process: whoever
supervises it starts it again. When this process ends, however it ends, its fronts do too.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import get_context, resource_tracker
from typing import Any, Final

from uvicorn.loops.auto import auto_loop_factory

from api.link import (
    FromFront,
    Keep,
    Link,
    ReadOnly,
    Serving,
    Stop,
    Submit,
    Wait,
    format_answer,
    format_message,
    from_front,
    open_statements,
)
from api.remote import Start, run_front
from api.service import Service
from api.settings import Settings
from registry.errors import StorageError

END_SECONDS: Final = 3.0
"""How long a front may take to end when its requests have been answered or cancelled."""

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""What tells a server to stop."""

_KEEPING: Final = ThreadPoolExecutor(1, thread_name_prefix="openings")
"""Openings are written off the event loop, in turn."""


class FrontEndedError(OSError):
    """A front has ended, and nobody had told it to."""

    def __init__(self, *, code: int | None) -> None:
        """Tells how it has ended, as a process's `exitcode` does."""
        super().__init__(f"a front has ended with code {code}, and the server with it")


# --- One front ------------------------------------------------------------------------


class Answerer:
    """The end of a link at which questions are answered: here is the writer."""

    def __init__(self, service: Service, *, on_end: Callable[[], None]) -> None:
        """Takes what is asked about, and whom to tell that the front has ended."""
        self.link = Link(self._take, self._end)
        self.serves = asyncio.Event()
        self.has_ended = asyncio.Event()
        self._service = service
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()

    def _take(self, data: bytes) -> None:
        """Takes what the front has said."""
        message: FromFront = from_front(data)
        match message:
            case Submit() | Wait() | Keep():
                try:
                    done = self._begin(message)
                except StorageError as error:
                    self.link.send(format_answer(message.number, error))
                else:
                    done.add_done_callback(partial(self._on_done, message.number))
            case Serving():
                if reason := self._service.writer.failure:
                    self.link.send(format_message(ReadOnly(reason)))
                self.serves.set()

    def _begin(self, message: Submit | Wait | Keep) -> Future[Any]:
        """Begins what is asked for, and returns a future of its result.

        Raises:
            StorageError: As the writer.
        """
        match message:
            case Submit():
                statements = open_statements(message, self._service.rulebook)
                return self._service.writer.submit(statements)
            case Wait():
                return self._service.writer.wait_checkpoint(message.size)
            case Keep():
                return _KEEPING.submit(self._service.store.put_openings, message.openings)

    def _on_done(self, number: int, done: Future[Any]) -> None:
        """Has an answer sent; whichever thread did the work calls this."""
        with suppress(RuntimeError):
            # The loop has been closed: the front has ended.
            self._loop.call_soon_threadsafe(self._answer, number, done)

    def _answer(self, number: int, done: Future[Any]) -> None:
        """Sends what became of a question."""
        self.link.send(format_answer(number, done.exception() or done.result()))

    def _end(self) -> None:
        """Notes that the front has ended."""
        self.has_ended.set()
        self._on_end()


class _Front(Answerer):
    """A front as this process sees it: its process, and what answers its questions."""

    async def start(self, start: Start, listener: socket.socket) -> None:
        """Starts the process, to which the listener belongs from then on."""
        ours, theirs = socket.socketpair()
        with theirs, listener, _signals_blocked():
            self._process = get_context("spawn").Process(
                target=run_front, args=(start, listener, theirs), daemon=True
            )
            self._process.start()
        await self._loop.create_unix_connection(lambda: self.link, sock=ours)

    def end(self) -> int | None:
        """Waits for the end of the process, and returns its exit code; kills what hangs."""
        if self.has_ended.is_set():
            self._process.join(END_SECONDS)
        self._process.kill()
        self._process.join()
        return self._process.exitcode


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Blocks signals for processes that are started meanwhile, for good; here they come after it.

    Ctrl-C at a terminal comes to all processes, also to those that have not begun to run yet.
    """
    # Unblocks the signals when it starts its own process, which must have happened by then.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- All of them ----------------------------------------------------------------------


class Fronts:
    """The fronts of one server."""

    def __init__(self, settings: Settings) -> None:
        """Starts none yet."""
        self._settings = settings
        self._fronts: list[_Front] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(
        self,
        service: Service,
        listeners: Sequence[socket.socket],
        *,
        on_started: Callable[[], None],
    ) -> None:
        """Runs a front for each socket until the process is told to stop.

        Args:
            service: The ledger, which is written to in this process.
            listeners: What the fronts listen at; they are closed here.
            on_started: Is told when all of them serve.

        Raises:
            FrontEndedError: One has ended unasked; the others have been ended, too.
        """
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(self._run(service, listeners, on_started))

    def tell_read_only(self, reason: str) -> None:
        """Tells the fronts, from any thread, that nothing is sealed any more."""
        if self._loop is not None:
            with suppress(RuntimeError):
                # The loop has been closed: there are no fronts any more.
                self._loop.call_soon_threadsafe(self._tell, format_message(ReadOnly(reason)))

    async def _run(
        self,
        service: Service,
        listeners: Sequence[socket.socket],
        on_started: Callable[[], None],
    ) -> None:
        """Starts the fronts, waits for what ends them, and ends them."""
        self._loop = asyncio.get_running_loop()
        told, over = asyncio.Event(), asyncio.Event()

        def stop() -> None:
            told.set()
            over.set()

        for number in SIGNALS:
            self._loop.add_signal_handler(number, stop)
        share = max(self._settings.waiting_max // len(listeners), 1)
        start = Start(settings=self._settings, log_key=service.log_key, waiting_max=share)
        ended: list[_Front] = []
        try:
            for listener in listeners:
                front = _Front(service, on_end=over.set)
                await front.start(start, listener)
                self._fronts.append(front)
            if await self._serve(over):
                on_started()
            await over.wait()
            ended += [front for front in self._fronts if front.has_ended.is_set()]
        finally:
            await self._end()
        if ended and not told.is_set():
            raise FrontEndedError(code=ended[0].end())

    async def _serve(self, over: asyncio.Event) -> bool:
        """Waits until all fronts serve; False if it is over before."""

        async def all_serve() -> None:
            for front in self._fronts:
                await front.serves.wait()

        first: list[asyncio.Task[Any]] = [
            asyncio.create_task(all_serve()),
            asyncio.create_task(over.wait()),
        ]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        for task in first:
            task.cancel()
        return not over.is_set()

    async def _end(self) -> None:
        """Ends all fronts: those that have requests get time for them, but not for ever.

        One that does not serve yet has none; it is killed.
        """
        self._tell(format_message(Stop()))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.stop_seconds + END_SECONDS):
                for front in self._fronts:
                    if front.serves.is_set():
                        await front.has_ended.wait()
        for front in self._fronts:
            front.end()

    def _tell(self, data: bytes) -> None:
        for front in self._fronts:
            front.link.send(data)
