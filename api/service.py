"""One ledger put together: store, rulebook, engine, writer, signer, key directory.

This is where adapters are named. Everything below takes them as ports.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from api.errors import LogKeyDiffersError
from api.settings import Settings
from api.states import StateIndex
from clearing.rulebook import RULEBOOK
from registry.canonical import b64url_encode
from registry.engine import Engine, Outcome
from registry.ids import Origin
from registry.kinds import Rulebook
from registry.model import LEDGER, Ledger
from registry.ports import Clock, LedgerStore
from registry.signer import CheckpointSigner
from registry.signing import PrivateKey, PublicKey
from registry.statements import Statement, Unverified, read_statement
from registry.store.memory import MemoryStore
from registry.store.sql import SqlStore
from registry.tables import Get
from registry.writer import Statements, StoredKeys, Writer


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Returns milliseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1_000_000


class Sealing(Protocol):
    """Has statements sealed and checkpoints signed: here, or where all writing is done."""

    @property
    def waiting_max(self) -> int:
        """Statements that may wait."""

    @property
    def is_writing(self) -> bool:
        """Tells whether statements are taken in."""

    @property
    def failure(self) -> str:
        """Says why writing has stopped; empty if it has not."""

    @property
    def note(self) -> str:
        """The newest signed checkpoint; empty before the first."""

    @property
    def signed_size(self) -> int:
        """The size that the newest signed checkpoint is of."""

    def submit(self, statements: Statements) -> Future[list[Outcome]]:
        """Hands in admitted statements, to be sealed in order.

        Returns:
            A future of one outcome each. It raises a StorageError where nothing is kept, or the
            outcome is not known: a repetition with the same bytes is safe.

        Raises:
            WriterStoppedError: Nothing is written any more.
            WriterBusyError: Too much is waiting; the future may raise it, too.
        """

    def wait_checkpoint(self, size: int) -> Future[str]:
        """Returns a future of a signed checkpoint of at least a size, which is signed at once."""

    def stop(self) -> None:
        """Ends it, within a bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One ledger as the routes see it.

    Attributes:
        origin: The log's name.
        store: Committed state, for reads.
        rulebook: All kinds and tables.
        writer: Takes admitted statements.
        keys: Finds the keys that admission needs.
        log_key: The public half of the log key.
        states: Finds state entries.
        wall: The machine's clock, which bearer tokens are held against.
    """

    origin: Origin
    store: LedgerStore
    rulebook: Rulebook
    writer: Sealing
    keys: StoredKeys
    log_key: PublicKey
    states: StateIndex
    wall: Clock

    @property
    def ledger(self) -> Ledger | None:
        """The ledger's own facts; None before genesis."""
        found: tuple[Ledger | None, ...] = self.store.fetch([Get(LEDGER, (("ledger",),))])[0]
        return found[0]

    @property
    def time(self) -> int:
        """What the ledger's clock shows, in milliseconds: the manual one's, or the machine's."""
        ledger = self.ledger
        is_manual = ledger is not None and ledger.clock == "manual"
        return ledger.time if ledger is not None and is_manual else self.wall.now()

    def admit(self, text: str) -> Statement[Any]:
        """Admits a statement; see `registry.statements.admit`.

        Raises:
            RegistryError: As `admit`.
            LogKeyDiffersError: As `read`.
        """
        return self.read(text).admit()

    def read(self, text: str) -> Unverified:
        """Reads a statement; see `registry.statements.read_statement`.

        Raises:
            RegistryError: As `read_statement`.
            LogKeyDiffersError: Genesis names a log key that this server does not have: the
                ledger could never be given a checkpoint.
        """
        unverified = read_statement(
            text, kinds=self.rulebook.kinds, origin=self.origin, keys=self.keys
        )
        if unverified.statement.kind == "genesis":
            genesis = unverified.admit().body
            named, held = genesis.log_key.x, b64url_encode(self.log_key.raw)
            if named != held:
                raise LogKeyDiffersError(named=named, held=held)
        return unverified

    def close(self) -> None:
        """Stops the writer, bounded in time, and closes the store."""
        self.writer.stop()
        if isinstance(self.store, SqlStore):
            self.store.close()


def open_service(
    settings: Settings,
    *,
    clock: Clock | None = None,
    on_read_only: Callable[[str], None] = lambda _reason: None,
) -> Service:
    """Opens a ledger and starts its writer.

    Args:
        settings: Where everything is.
        clock: Stands in for the machine's clock in tests.
        on_read_only: Is told once, when statements are sealed no more, why.

    Raises:
        MalformedError: The log key's file is none, or the database's URL.
        StorageFailedError: The database cannot be opened.
        LogKeyDiffersError: The ledger names another log key than the directory holds.
    """
    clock = clock or SystemClock()
    settings.directory.mkdir(parents=True, exist_ok=True)
    key = load_log_key(settings.directory / "log-key.pem")
    store = open_store(settings.database)
    engine = Engine(store, RULEBOOK, clock, origin=settings.origin)
    held = b64url_encode(key.public.raw)
    if engine.ledger is not None and engine.ledger.log_key != held:
        raise LogKeyDiffersError(named=engine.ledger.log_key, held=held)
    memory = settings.directory / "signed.json"
    signer = CheckpointSigner(store, key, origin=settings.origin, memory=memory)
    writer = Writer(engine, signer, waiting_max=settings.waiting_max, on_failure=on_read_only)
    writer.start()
    return service_over(store, writer, origin=settings.origin, log_key=key.public)


def service_over(
    store: LedgerStore, writer: Sealing, *, origin: Origin, log_key: PublicKey
) -> Service:
    """Returns the service over a store and what has statements sealed in it."""
    return Service(
        origin=origin,
        store=store,
        rulebook=RULEBOOK,
        writer=writer,
        keys=StoredKeys(store),
        log_key=log_key,
        states=StateIndex(store),
        wall=SystemClock(),
    )


def open_store(database: str) -> LedgerStore:
    """Opens the store that a setting names."""
    if database == "memory:":
        return MemoryStore(RULEBOOK.tables)
    return SqlStore(database, RULEBOOK.tables)


def load_log_key(path: Path) -> PrivateKey:
    """Reads the log key, or makes one where there is none; only its owner can read the file.

    Raises:
        MalformedError: The file holds no Ed25519 key.
    """
    if path.exists():
        return PrivateKey.from_pem(path.read_bytes())
    key = PrivateKey.generate()
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(key.to_pem())
    return key
