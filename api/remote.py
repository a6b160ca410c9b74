"""What a front of several has in place of the writer: the way to the process that has it.

Statements, and openings, go there and are kept there; everything else a front reads for
itself, from the same database. When that process has gone, whoever waits is told that the
outcome is not known, nothing is taken in any more, and the front ends.
"""

import asyncio
import itertools
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.loops.auto import auto_loop_factory

from api.front import Front, config_of
from api.link import (
    Decided,
    Done,
    Failed,
    FromFront,
    FromServer,
    Keep,
    Link,
    ReadOnly,
    Serving,
    Stop,
    Submit,
    Wait,
    format_message,
    from_server,
    open_failure,
    open_outcomes,
)
from api.results import signed_size
from api.service import service_over
from api.settings import Settings
from clearing.rulebook import RULEBOOK
from registry.cycles import seek_cycles_seldom
from registry.engine import Outcome
from registry.errors import RegistryError, StorageUnknownError
from registry.ports import LedgerStore, Opening
from registry.signing import PublicKey
from registry.store.sql import SqlStore
from registry.writer import Statements, WriterStoppedError

ENDED = "the process that writes has ended"


class Calls:
    """Asks the process that writes, from any thread; its answers come on the event loop.

    Attributes:
        link: This end of the link, to be connected.
        failure: Why nothing is sealed any more; empty as long as something is.
        must_stop: Whether the front must end.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Takes the event loop of the link."""
        self.link = Link(self._take, self._end)
        self.failure = ""
        self.must_stop = False
        self._loop = loop
        self._has_ended = False
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[Any]] = {}

    def ask(self, question: Callable[[int], FromFront]) -> Future[Any]:
        """Asks what is made with a number, and returns a future of the answer.

        Raises:
            WriterStoppedError: The front has ended.
        """
        number = next(self._numbers)
        data = format_message(question(number))
        answer: Future[Any] = Future()
        # What was asked cannot be taken back.
        answer.set_running_or_notify_cancel()
        try:
            self._loop.call_soon_threadsafe(self._send, number, data, answer)
        except RuntimeError:
            raise WriterStoppedError(reason="the server is shutting down") from None
        return answer

    def _send(self, number: int, data: bytes, answer: Future[Any]) -> None:
        """Sends a question, if there is anybody to answer it."""
        if self._has_ended:
            answer.set_exception(WriterStoppedError(reason=ENDED))
            return
        self._waiting[number] = answer
        self.link.send(data)

    def _take(self, data: bytes) -> None:
        """Takes what the process that writes has said."""
        message: FromServer = from_server(data)
        match message:
            # What cannot be read ends the link, and whoever waits for it is told so.
            case Decided():
                outcomes = open_outcomes(message)
                self._waiting.pop(message.number).set_result(outcomes)
            case Done():
                self._waiting.pop(message.number).set_result(message.note)
            case Failed():
                failure = open_failure(message)
                self._waiting.pop(message.number).set_exception(failure)
            case ReadOnly():
                self.failure = message.reason
            case Stop():
                self.must_stop = True

    def _end(self) -> None:
        """Tells whoever waits that no answer will come: the same bytes may be sent again."""
        self._has_ended = self.must_stop = True
        self.failure = self.failure or ENDED
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            answer.set_exception(StorageUnknownError(reason=f"{ENDED} before it could answer"))


class RemoteWriter:
    """Has statements sealed by the process that writes."""

    def __init__(self, calls: Calls, store: LedgerStore, *, waiting_max: int) -> None:
        """Takes the way there.

        Args:
            calls: Asks the process that writes.
            store: The ledger's, where the newest checkpoint stands.
            waiting_max: Statements that may wait of this front's.
        """
        self.waiting_max = waiting_max
        self._calls = calls
        self._store = store

    @property
    def is_writing(self) -> bool:
        """Tells whether statements are taken in."""
        return not self._calls.failure

    @property
    def failure(self) -> str:
        """Says why writing has stopped; empty if it has not."""
        return self._calls.failure

    @property
    def note(self) -> str:
        """The newest signed checkpoint, which the signer puts there first; empty before it."""
        return self._store.note()

    @property
    def signed_size(self) -> int:
        """The size that the newest signed checkpoint is of."""
        return signed_size(self.note)

    def submit(self, statements: Statements) -> Future[list[Outcome]]:
        """Hands in admitted statements, to be sealed in order.

        Returns:
            A future of one outcome each; it raises what the writer has raised.

        Raises:
            WriterStoppedError: Nothing is written any more.
        """
        self._verify_writing()
        return self._calls.ask(lambda number: Submit(number, statements))

    def wait_checkpoint(self, size: int) -> Future[str]:
        """Returns a future of a signed checkpoint of at least a size, which is signed at once."""
        return self._calls.ask(lambda number: Wait(number, size))

    def stop(self) -> None:
        """Ends the link: this front has nothing more to say."""
        self._calls.link.close()

    def _verify_writing(self) -> None:
        if self._calls.failure:
            raise WriterStoppedError(reason=self._calls.failure)


class RemoteStore(SqlStore):
    """The database as a front has it: read here, and written to where all writing is done."""

    def __init__(self, database: str, calls: Calls) -> None:
        """Opens the database to read."""
        super().__init__(database, RULEBOOK.tables)
        self._calls = calls

    def put_openings(self, openings: Sequence[Opening]) -> None:
        """Keeps openings beside the log, all or none; not to be called on the event loop."""
        self._calls.ask(lambda number: Keep(number, openings)).result()


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a front is started with; it comes from the process that writes.

    Attributes:
        settings: The server's settings.
        log_key: The public half of the log key, which alone a front needs.
        waiting_max: Statements that may wait of this front's.
    """

    settings: Settings
    log_key: PublicKey
    waiting_max: int


class _OfSeveral(Front):
    """A front that is told when to stop by the process that writes, and by nobody else."""

    def __init__(self, config: uvicorn.Config, calls: Calls) -> None:
        """Takes the way to that process."""
        super().__init__(config, on_started=self._tell)
        self._calls = calls

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone: they are blocked here, for they come to all processes."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Looks whether it must stop, ten times a second."""
        return await super().on_tick(counter) or self._calls.must_stop

    def _tell(self) -> None:
        self._calls.link.send(format_message(Serving()))


def run_front(start: Start, listener: socket.socket, link: socket.socket) -> None:
    """Runs a front in a process of its own, until it is told to stop or left alone.

    Args:
        start: What it is started with.
        listener: The socket to serve at, which listens.
        link: The socket that leads to the process that writes.
    """
    seek_cycles_seldom()
    try:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(_run(start, listener, link))
    except (RegistryError, OSError) as error:
        print(f"front: {error}", file=sys.stderr, flush=True)
        sys.exit(1)


async def _run(start: Start, listener: socket.socket, link: socket.socket) -> None:
    """Serves until the process that writes says that it is enough, or has gone."""
    settings = start.settings
    loop = asyncio.get_running_loop()
    calls = Calls(loop)
    await loop.create_unix_connection(lambda: calls.link, sock=link)
    store = RemoteStore(settings.database, calls)
    writer = RemoteWriter(calls, store, waiting_max=start.waiting_max)
    service = service_over(store, writer, origin=settings.origin, log_key=start.log_key)
    await _OfSeveral(config_of(service, settings), calls).serve(sockets=[listener])
