"""Packages that several processes compile: the same bytes, of one state, or none."""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.compiling import Sums
from clearing.due import Share, Streams, stream_due
from clearing.package import FILES, Package, verify_package, write_package
from clearing.plan import Due
from clearing.rulebook import RULEBOOK
from clearing.shares import SharedDue, compile_shares
from registry.errors import HeadMovedError, InvariantBrokenError, ProofFailedError
from registry.model import LOTS
from registry.ports import LedgerStore
from registry.store.sql import SqlStore
from tests.clearing.strategies import worlds
from tests.clearing.test_package import grow, stored, verified, written
from tests.clearing.world import DUE_ON, PAY_ON, World
from tests.clearing_scale import Scale, build


@pytest.fixture(autouse=True)
def _many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes each voucher a batch, so that few are shared too."""
    monkeypatch.setattr("clearing.due.VOUCHERS_AT_ONCE", 1)


def shared(directory: Path, open_store: Callable[[], Streams], *, jobs: int) -> Package:
    due = SharedDue(open_store=open_store, due_on=DUE_ON, jobs=jobs)
    return write_package(directory, due, due_on=DUE_ON, pay_on=PAY_ON)


@pytest.fixture
def world() -> World:
    """Seven vouchers in seven hands each."""
    world = World()
    for number in range(7):
        lot = world.issue(f"v{number}", face=700, to="S1")
        for _ in range(6):
            _, rest = world.assign(lot, to="S2", amount=100)
            assert rest is not None
            lot = rest
    world.mandate("S1")
    return world


@given(worlds(), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_any_number_of_processes_writes_the_files_that_one_does(world: World, jobs: int) -> None:
    """Forked processes have the store as it was, so one in memory serves."""
    store = stored(world)
    with tempfile.TemporaryDirectory() as name:
        alone, together = Path(name) / "alone", Path(name) / "together"
        assert written(alone, store) == shared(together, lambda: store, jobs=jobs)
        for file in FILES:
            assert (alone / file).read_bytes() == (together / file).read_bytes()
        assert verified(together, store) == verified(alone, store)


@pytest.mark.parametrize("jobs", [2, 3])
def test_processes_that_open_a_database_write_and_verify_the_same(
    jobs: int, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store = SqlStore(url, RULEBOOK.tables)
    build(store, Scale(lots=600, lots_a_voucher=30, parties=40))
    made = written(tmp_path / "alone", store)
    store.close()
    open_store = partial(SqlStore, url, RULEBOOK.tables)
    assert shared(tmp_path / "together", open_store, jobs=jobs) == made
    due = SharedDue(open_store=open_store, due_on=DUE_ON, jobs=jobs)
    assert verify_package(tmp_path / "alone", due, due_on=DUE_ON, pay_on=PAY_ON) == made
    (tmp_path / "alone" / "postings.ndjson").write_bytes(b"")
    with pytest.raises(ProofFailedError):
        verify_package(tmp_path / "alone", due, due_on=DUE_ON, pay_on=PAY_ON)


def test_nothing_due_is_an_empty_package(tmp_path: Path) -> None:
    made = shared(tmp_path / "p", lambda: stored(World()), jobs=3)
    assert made.totals.instructions == made.postings == 0
    assert made == written(tmp_path / "alone", stored(World()))


class TestFailing:
    """Whatever goes wrong in a process is told as if it had happened here, and leaves nothing."""

    def test_a_bug_is_told(self, world: World, tmp_path: Path) -> None:
        world.rows.delete(LOTS, world.lots()[-1].lot)
        store = stored(world)
        with pytest.raises(InvariantBrokenError, match="600 held of 700"):
            shared(tmp_path / "p", lambda: store, jobs=2)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("place", [0, 1])
    def test_processes_that_read_different_states_are_refused(
        self, world: World, tmp_path: Path, place: int
    ) -> None:
        """One of them begins after somebody else has written."""
        store = stored(world)

        def open_store() -> LedgerStore:
            if taken_by(place):
                grow(store)
            return store

        with pytest.raises(HeadMovedError):
            shared(tmp_path / "p", open_store, jobs=2)
        assert list(tmp_path.iterdir()) == []

    def test_a_log_that_grows_while_a_process_reads_is_refused(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = stored(world)
        monkeypatch.setattr("clearing.shares.stream_due", partial(_and_grow, store))
        with pytest.raises(HeadMovedError, match="has 2 entries, expected 1"):
            shared(tmp_path / "p", lambda: store, jobs=2)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_a_process_that_is_killed_is_noticed(
        self, world: World, tmp_path: Path, place: int
    ) -> None:
        store = stored(world)

        def open_store() -> LedgerStore:
            if taken_by(place):
                os.kill(os.getpid(), signal.SIGKILL)
            return store

        with pytest.raises(ChildProcessError):
            shared(tmp_path / "p", open_store, jobs=3)
        assert list(tmp_path.iterdir()) == []

    def test_processes_end_with_the_one_that_started_them(self) -> None:
        """They have more to say than fits into a pipe, and nobody listens any more."""
        world = World()
        world.mandate("S1")
        for number in range(60):
            lot = world.issue(f"v{number}", face=700, to="S1")
            for _ in range(10):
                _, lot = world.split(lot, 1)
        store = stored(world)
        living, alive = multiprocessing.Pipe(duplex=False)

        def start_and_die() -> None:
            due = SharedDue(open_store=lambda: store, due_on=DUE_ON, jobs=2)
            parts = compile_shares(due, Sums())
            next(parts)
            os.kill(os.getpid(), signal.SIGKILL)

        starter = multiprocessing.get_context("fork").Process(target=start_and_die)
        starter.start()
        alive.close()
        starter.join()
        assert living.poll(30)
        with pytest.raises(EOFError):
            living.recv()


def taken_by(place: int) -> bool:
    """Tells whether this is the process at a place."""
    return multiprocessing.current_process().name == f"clearing-{place}"


def _and_grow(store: LedgerStore, _opened: Streams, _day: date, *, share: Share) -> Due:
    """Reads what is due, and lets the log grow before its lots are read."""
    due = stream_due(store, DUE_ON, share=share)
    if share.place == 1:
        grow(store)
    return due
