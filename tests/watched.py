"""A store that counts, keeps and fails, and a day's statements that give an engine all to do."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from typing import Any

from registry.engine import Engine, Outcome
from registry.errors import RegistryError, StorageFailedError
from registry.ids import Sid
from registry.kinds import Rulebook
from registry.ports import Commit
from registry.state import replay_digest
from registry.statements import Statement, admit
from registry.store.memory import MemoryStore
from registry.tables import Read, Table
from tests.builders import ORIGIN, FixedClock, StoredKeys, World, instant


class WatchedStore(MemoryStore):
    """A store that counts calls, keeps commits, and fails when it is told to."""

    def __init__(self, tables: Sequence[Table[Any]]) -> None:
        super().__init__(tables)
        self.commits: list[Commit] = []
        self.calls = 0
        self.fail_at = -1
        self.failure: RegistryError = StorageFailedError(reason="the disk is full")
        self.fails_to_append = False
        self.stores_anyway = False

    def _call(self) -> None:
        self.calls += 1
        if self.calls - 1 == self.fail_at:
            raise self.failure

    def append(self, commit: Commit, *, expected_size: int, epoch: int) -> None:
        if self.stores_anyway:
            super().append(commit, expected_size=expected_size, epoch=epoch)
        self._call()
        if self.fails_to_append:
            raise self.failure
        super().append(commit, expected_size=expected_size, epoch=epoch)
        self.commits.append(commit)

    def fetch(self, reads: Sequence[Read]) -> list[tuple[Any, ...]]:
        self._call()
        return super().fetch(reads)

    def select(self, table: Table[Any], **how: Any) -> Iterator[Any]:
        self._call()
        return super().select(table, **how)

    def due(self, *, until: int, limit: int) -> tuple[Any, ...]:
        self._call()
        return super().due(until=until, limit=limit)

    def find_statements(self, sids: Sequence[Sid]) -> Any:
        self._call()
        return super().find_statements(sids)

    def find_ids(self, ids: Sequence[Any]) -> Any:
        self._call()
        return super().find_ids(ids)

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        self._call()
        return super().entries(start, stop)

    def tile(self, *, level: int, index: int) -> bytes:
        self._call()
        return super().tile(level=level, index=index)

    def copy(self) -> "WatchedStore":
        """Returns a store with the same log, as after a restart of the machine."""
        copied = WatchedStore(RULEBOOK.tables)
        for commit in self.commits:
            epoch = copied.acquire()
            copied.append(commit, expected_size=copied.size(), epoch=epoch)
        copied.calls = 0
        return copied


RULEBOOK = Rulebook()


@cache
def cast() -> World:
    """Opens a ledger with its people; tests work on copies of its store."""
    return World(WatchedStore(RULEBOOK.tables), RULEBOOK).cast()


def store_of(world: World) -> WatchedStore:
    assert isinstance(world.store, WatchedStore)
    return world.store


class Plan:
    """Statements with their ids, signed before the first of them is submitted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.statements: list[Statement[Any]] = []
        self.texts: list[str] = []
        self._keys = StoredKeys(world.store)

    def sign(self, name: str, kind: str, body: Any, *, re: str | None = None) -> Sid:
        text = self.world.sign(name, kind, body, re=re)
        statement = admit(text, kinds=RULEBOOK.kinds, origin=ORIGIN, keys=self._keys)
        self.texts.append(text)
        self.statements.append(statement)
        return statement.sid


@cache
def planned() -> tuple[Statement[Any], ...]:
    """Plans a day with all that an engine does: a state, deadlines, a cut-off, refusals."""
    world = cast()
    before, accounts = world.time, world.accounts
    plan = Plan(world)
    voucher = plan.sign("core", "voucher.issue", world.issue_body(due_on="2025-07-09",
                        accept_by="2025-07-08"))  # fmt: skip
    consent = {"account": accounts["s1"], "collection_route": True}
    plan.sign("s1", "voucher.accept", consent, re=voucher)
    body = world.offer_body(f"{voucher}.0", 40, "s2", accept_by="2025-07-03")
    offer = plan.sign("s1", "transfer.offer", body)
    consent = {"account": accounts["s2"], "collection_route": True}
    plan.sign("s2", "transfer.accept", consent, re=offer)
    plan.sign("trustee#T1", "snapshot.request", {})
    plan.sign("s2", "transfer.accept", consent, re=offer)
    body = world.offer_body(f"{offer}.1", 30, "s3", accept_by="2025-07-04")
    expiring = plan.sign("s1", "transfer.offer", body)
    plan.sign("core", "voucher.issue", world.issue_body(accept_by="2025-07-04"))
    plan.sign("operator", "clock.set", {"time": instant(date(2025, 7, 9))})
    world.time = instant(date(2025, 7, 9))
    plan.sign("s3", "mandate.grant", {"account": accounts["s3"]})
    plan.sign("s1", "transfer.offer", world.offer_body(f"{expiring}.0", 5, "s3"))
    plan.sign("trustee#T1", "snapshot.request", {})
    world.time = before
    return tuple(plan.statements)


def engine_on(store: WatchedStore) -> Engine:
    return Engine(store, RULEBOOK, FixedClock(), origin=ORIGIN)


def entries_of(store: WatchedStore) -> list[bytes]:
    return list(MemoryStore.entries(store, 0, store.size()))


def digest_of(store: WatchedStore) -> str:
    return replay_digest(RULEBOOK.tables, store.select)


@cache
def two_cut_offs() -> tuple[Statement[Any], ...]:
    """Plans a leap of the clock over two due dates, with an offer that ends between them."""
    world = cast()
    before, consent = world.time, {"account": world.accounts["s1"], "collection_route": True}
    plan = Plan(world)
    for due_on in ("2025-07-09", "2025-07-16"):
        body = world.issue_body(due_on=due_on, accept_by="2025-07-08")
        voucher = plan.sign("core", "voucher.issue", body)
        plan.sign("s1", "voucher.accept", consent, re=voucher)
    body = world.offer_body(f"{voucher}.0", 40, "s2", accept_by="2025-07-10")
    plan.sign("s1", "transfer.offer", body)
    plan.sign("operator", "clock.set", {"time": instant(date(2025, 7, 17))})
    world.time = instant(date(2025, 7, 17))
    plan.sign("s3", "mandate.grant", {"account": world.accounts["s3"]})
    world.time = before
    return tuple(plan.statements)


@cache
def uninterrupted(
    statements: tuple[Statement[Any], ...] | None = None,
) -> tuple[tuple[bytes, ...], str]:
    """Runs a plan in one go; returns entries and digest."""
    store = store_of(cast()).copy()
    engine_on(store).submit(planned() if statements is None else statements)
    return tuple(entries_of(store)), digest_of(store)


class SystemWorld(World):
    """A ledger on the system clock."""

    def sign(self, name: str, kind: str, body: Any, **how: Any) -> str:
        if kind == "genesis":
            body = {**body, "clock": "system"}
        return super().sign(name, kind, body, **how)

    def submit(self, *texts: str) -> list[Outcome]:
        outcomes = super().submit(*texts)
        self.time = self.clock.time
        return outcomes


def site_of_append() -> int:
    """Finds which call of a batch without states is its append."""

    class Noting(WatchedStore):
        at = -1

        def append(self, commit: Commit, *, expected_size: int, epoch: int) -> None:
            self.at = self.calls
            super().append(commit, expected_size=expected_size, epoch=epoch)

    store = Noting(RULEBOOK.tables)
    for commit in store_of(cast()).commits:
        store.append(commit, expected_size=store.size(), epoch=store.acquire())
    engine = engine_on(store)
    store.calls = 0
    engine.submit(planned()[:4])
    return store.at
