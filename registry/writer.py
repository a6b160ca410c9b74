"""The writer thread: takes whatever waits, commits it as one batch, never waits for more.

One thread owns the engine. Whoever wants something sealed hands in admitted statements
and gets a future; what came in while a batch was being committed is the next batch
(group commit). A second thread signs checkpoints, off the commit path.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Any, Final

from registry.canonical import b64url_decode
from registry.checkpoint import parse_checkpoint, split_note
from registry.engine import Engine, Outcome
from registry.errors import (
    CorruptionError,
    HeadMovedError,
    RegistryError,
    StaleWriterError,
    StorageError,
    StorageUnknownError,
)
from registry.ids import Kid
from registry.people import KEYS
from registry.ports import LedgerStore
from registry.signer import CheckpointSigner
from registry.signing import PublicKey
from registry.statements import Statement
from registry.tables import Get

BATCH_STATEMENTS: Final = 1_000
"""Statements of one commit, unless a single submission brings more."""

WAITING_MAX: Final = 8_192
"""Statements that may wait; whoever brings more is told to come again."""

TICK_SECONDS: Final = 0.5
"""How often an idle writer looks whether time has brought something about."""

SIGN_SECONDS: Final = 0.2
"""Least time between two checkpoints, unless somebody waits for one."""

KEYS_KEPT: Final = 100_000
KEYS_WARM: Final = 20_000
"""Keys that are found when a server starts, in half a second."""

Statements = Sequence[Statement[Any]]


class WriterBusyError(StorageError):
    """More is waiting to be sealed than the writer takes in; come again soon."""

    template = "{waiting} statements are waiting, the limit is {limit}"


class WriterStoppedError(StorageError):
    """The ledger is read-only: its writer has stopped, and says why."""

    template = "the writer has stopped: {reason}"


class StoredKeys:
    """A key directory over a store; a key once found is kept, for it never changes.

    Revoked keys are found too: that is for the decision to refuse, in log order. What
    is not found is asked for again, so a key can be used as soon as its entry stands.
    """

    def __init__(self, store: LedgerStore, *, kept: int = KEYS_KEPT) -> None:
        """Starts with nothing found."""
        self._store = store
        self._kept = kept
        self._found: OrderedDict[Kid, PublicKey] = OrderedDict()
        self._lock = threading.Lock()

    def warm(self, most: int = KEYS_WARM) -> None:
        """Finds many keys at once, before they are asked for one by one."""
        for row in islice(self._store.select(KEYS), min(most, self._kept)):
            self._found[row.kid] = PublicKey(row.suite, b64url_decode(row.x, what="key x"))

    def find(self, kid: Kid) -> PublicKey | None:
        """Returns the key with this thumbprint, or None."""
        with self._lock:
            key = self._found.get(kid)
            if key is not None:
                self._found.move_to_end(kid)
                return key
        ((row,),) = self._store.fetch([Get(KEYS, ((kid,),))])
        if row is None:
            return None
        key = PublicKey(row.suite, b64url_decode(row.x, what="key x"))
        with self._lock:
            self._found[kid] = key
            if len(self._found) > self._kept:
                self._found.popitem(last=False)
        return key


class Writer:
    """Seals what it is handed, in order, with one thread; signs with another."""

    def __init__(
        self,
        engine: Engine,
        signer: CheckpointSigner,
        *,
        waiting_max: int = WAITING_MAX,
        tick_seconds: float = TICK_SECONDS,
        sign_seconds: float = SIGN_SECONDS,
        on_failure: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        """Takes the engine over; nothing runs before `start`.

        Args:
            engine: The engine, which nobody else may use from now on.
            signer: Signs the log's checkpoints.
            waiting_max: Statements that may wait.
            tick_seconds: How often an idle writer does what is due.
            sign_seconds: Least time between two checkpoints that nobody waits for.
            on_failure: Is told once, when writing stops for good, why.
        """
        self._engine = engine
        self.waiting_max = waiting_max
        self._tick_seconds = tick_seconds
        self._queue: deque[tuple[Statements, Future[list[Outcome]]]] = deque()
        self._waiting = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._failure = ""
        self._on_failure = on_failure
        self._signing = _Signing(engine, signer, sign_seconds, on_doubt=self._fail)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Compares the log with what was signed, then starts both threads."""
        self._signing.start()
        self._thread.start()

    def stop(self, *, timeout_seconds: float = 5.0) -> None:
        """Seals what waits, signs it, and ends both threads; gives up after the time-out."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        self._signing.stop(timeout_seconds=timeout_seconds)
        self._refuse_waiting(WriterStoppedError(reason="the server is shutting down"))

    @property
    def is_writing(self) -> bool:
        """Tells whether statements are taken in."""
        return self._thread.is_alive() and not self._stopping and not self._failure

    @property
    def failure(self) -> str:
        """Says why writing has stopped; empty if it has not."""
        return self._failure

    @property
    def note(self) -> str:
        """The newest signed checkpoint; empty before the first."""
        return self._signing.note

    @property
    def signed_size(self) -> int:
        """The size that the newest signed checkpoint is of."""
        return self._signing.size

    def submit(self, statements: Statements) -> Future[list[Outcome]]:
        """Hands in admitted statements, to be sealed in order.

        Returns:
            A future of one outcome each. It raises what the engine raised for the whole batch: a
            StorageError says that a repetition with the same bytes is safe.

        Raises:
            WriterStoppedError: Nothing is written any more.
            WriterBusyError: Too much is waiting.
        """
        future: Future[list[Outcome]] = Future()
        with self._wake:
            if self._stopping or self._failure:
                reason = self._failure or "the server is shutting down"
                raise WriterStoppedError(reason=reason)
            if self._waiting and self._waiting + len(statements) > self.waiting_max:
                raise WriterBusyError(waiting=self._waiting, limit=self.waiting_max)
            self._queue.append((statements, future))
            self._waiting += len(statements)
            self._wake.notify()
        return future

    def wait_checkpoint(self, size: int) -> "Future[str]":
        """Returns a future of a signed checkpoint of at least a size, which is signed at once."""
        return self._signing.wait(size)

    # --- The thread -----------------------------------------------------------------

    def _run(self) -> None:
        """Commits batches until it is told to stop, or must not go on."""
        batch: list[tuple[Statements, Future[list[Outcome]]]] = []
        try:
            self._engine.submit([])
            while not self._failure and (taken := self._take()) is not None:
                batch = taken
                self._commit(batch)
        except Exception as error:
            # The thread's outermost border. What is not known to be safe stops the writer.
            self._fail(f"{type(error).__name__}: {error}")
            unknown = StorageUnknownError(reason="the writer stopped before it could answer")
            for _, future in batch:
                if not future.done():
                    future.set_exception(unknown)
        self._refuse_waiting(WriterStoppedError(reason=self._failure or "shut down"))

    def _take(self) -> list[tuple[Statements, Future[list[Outcome]]]] | None:
        """Takes what waits, as one batch; nothing after a tick; None when it is over."""
        with self._wake:
            if not self._queue and not self._stopping:
                self._wake.wait(self._tick_seconds)
            if self._stopping and not self._queue:
                return None
            batch: list[tuple[Statements, Future[list[Outcome]]]] = []
            count = 0
            while self._queue and (not count or count + len(self._queue[0][0]) <= BATCH_STATEMENTS):
                statements, future = self._queue.popleft()
                self._waiting -= len(statements)
                # Somebody who went away before this point has asked for nothing.
                if future.set_running_or_notify_cancel():
                    batch.append((statements, future))
                    count += len(statements)
            return batch

    def _commit(self, batch: list[tuple[Statements, Future[list[Outcome]]]]) -> None:
        """Commits a batch and answers; without one it does what is due.

        Raises:
            Exception: Writing must stop.
        """
        statements = [statement for part, _ in batch for statement in part]
        try:
            outcomes = self._engine.submit(statements)
        except (StorageUnknownError, StaleWriterError, HeadMovedError):
            raise
        except StorageError as error:
            for _, future in batch:
                future.set_exception(error)
            return
        at = 0
        for part, future in batch:
            future.set_result(outcomes[at : at + len(part)])
            at += len(part)
        self._signing.notice_growth()

    def _fail(self, reason: str) -> None:
        """Stops writing for good; reads go on."""
        with self._wake:
            is_first, self._failure = not self._failure, self._failure or reason
            self._wake.notify_all()
        if is_first:
            self._on_failure(reason)

    def _refuse_waiting(self, error: RegistryError) -> None:
        """Answers those who wait that nothing will come."""
        with self._wake:
            waiting = [future for _, future in self._queue]
            self._queue.clear()
            self._waiting = 0
        for future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)


class _Signing:
    """Signs checkpoints with a thread of its own, as the log grows."""

    def __init__(
        self,
        engine: Engine,
        signer: CheckpointSigner,
        seconds: float,
        *,
        on_doubt: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._signer = signer
        self._seconds = seconds
        self._on_doubt = on_doubt
        self._wake = threading.Condition()
        self._waiters: list[tuple[int, Future[str]]] = []
        self._stopping = False
        self._failure: RegistryError | None = None
        self.note = signer.note
        self.size = _size_of(signer.note)
        self._thread = threading.Thread(target=self._run, name="checkpoint-signer", daemon=True)

    def start(self) -> None:
        """Starts the thread, unless the log is not the one that was signed."""
        if self._sign_safely():
            self._thread.start()

    def stop(self, *, timeout_seconds: float) -> None:
        """Signs what is not signed yet and ends the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        self._refuse(WriterStoppedError(reason="the server is shutting down"))

    def notice_growth(self) -> None:
        """Tells the thread that there may be more to sign."""
        with self._wake:
            self._wake.notify()

    def wait(self, size: int) -> Future[str]:
        """Returns a future of a note of at least a size."""
        future: Future[str] = Future()
        with self._wake:
            if size <= self.size:
                future.set_result(self.note)
            elif self._failure is not None:
                future.set_exception(self._failure)
            elif self._stopping:
                future.set_exception(WriterStoppedError(reason="the server is shutting down"))
            else:
                self._waiters.append((size, future))
                self._wake.notify()
        return future

    def _run(self) -> None:
        """Signs until it is told to stop, or must not go on."""
        while self._wait_for_growth():
            if not self._sign_safely():
                return
        self._sign_safely()

    def _sign_safely(self) -> bool:
        """Signs; returns False if that must not go on."""
        try:
            self._sign()
        except Exception as error:
            # The thread's outermost border. A log that cannot be signed is not written to.
            self._on_doubt(f"{type(error).__name__}: {error}")
            failure: RegistryError = WriterStoppedError(reason="the log cannot be signed")
            if isinstance(error, CorruptionError):
                failure = error
            self._failure = failure
            self._refuse(failure)
            return False
        return True

    def _wait_for_growth(self) -> bool:
        """Waits until there is something to sign: at once for whoever waits, else in a while."""
        with self._wake:
            while not self._stopping and self._engine.head.size <= self.size:
                self._wake.wait()
            if not self._is_awaited():
                self._wake.wait_for(lambda: self._stopping or self._is_awaited(), self._seconds)
            return not self._stopping

    def _is_awaited(self) -> bool:
        """Tells whether somebody waits for what could be signed now."""
        return any(size <= self._engine.head.size for size, _ in self._waiters)

    def _sign(self) -> None:
        """Signs the stored log, and answers those whose entries it covers.

        Raises:
            CorruptionError: The log contradicts what was signed before.
        """
        try:
            note = self._signer.sign()
        except StorageError:
            # Nothing is signed and nothing is lost: the next round tries again.
            return
        with self._wake:
            self.note, self.size = note, _size_of(note)
            answered = [future for size, future in self._waiters if size <= self.size]
            self._waiters = [waiter for waiter in self._waiters if waiter[0] > self.size]
        for future in answered:
            if future.set_running_or_notify_cancel():
                future.set_result(note)

    def _refuse(self, error: RegistryError) -> None:
        """Answers those who wait that nothing will come."""
        with self._wake:
            waiters, self._waiters = self._waiters, []
        for _, future in waiters:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)


def _size_of(note: str) -> int:
    """Returns the size that one of our own notes is of; 0 before the first."""
    return parse_checkpoint(split_note(note)[0]).size if note else 0
