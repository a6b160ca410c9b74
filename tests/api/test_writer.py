import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from clearing.rulebook import RULEBOOK
from registry.canonical import Json
from registry.checkpoint import open_checkpoint
from registry.engine import Engine, Outcome, Sealed
from registry.errors import LogCorruptError, StorageFailedError, StorageUnknownError
from registry.signer import CheckpointSigner
from registry.statements import Statement, admit
from registry.store.memory import MemoryStore
from registry.writer import StoredKeys, Writer, WriterBusyError, WriterStoppedError
from tests.builders import ORIGIN, World, key_of, possession_proof

SECONDS = 10


class GatedEngine(Engine):
    """An engine that commits only while its gate is open, and fails when told to."""

    def __init__(self, engine: Engine, world: World) -> None:
        super().__init__(engine.store, RULEBOOK, world.clock, origin=ORIGIN)
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []
        self.failure: BaseException | None = None

    def submit(self, statements: Sequence[Statement[Any]]) -> list[Outcome]:
        """Waits for the gate, then commits."""
        assert self.gate.wait(SECONDS)
        if statements:
            self.batches.append(len(statements))
            if self.failure is not None:
                raise self.failure
        return super().submit(statements)


class Setting:
    """A writer over a ledger in memory."""

    def __init__(self, path: Path, *, waiting_max: int = 100) -> None:
        store = MemoryStore(RULEBOOK.tables)
        self.world = World(store, RULEBOOK).open()
        self.world.admit("s1", "participant")
        self.engine = GatedEngine(self.world.engine, self.world)
        self.memory = path / "signed.json"
        self.signer = CheckpointSigner(store, key_of("log"), origin=ORIGIN, memory=self.memory)
        self.writer = Writer(
            self.engine, self.signer, waiting_max=waiting_max, tick_seconds=0.05, sign_seconds=0.01
        )

    def registration(self, number: int) -> Statement[Any]:
        """Returns an admitted statement that will be sealed: a further key of s1."""
        key = key_of(f"key {number}")
        body: dict[str, Json] = {
            "key": dict(key.public.jwk()),
            "use": "read",
            "proof": possession_proof(key, origin=ORIGIN, party=self.world.ids["s1"]),
        }
        text = self.world.sign("s1", "key.add", body)
        return admit(text, kinds=RULEBOOK.kinds, origin=ORIGIN, keys=StoredKeys(self.world.store))


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    made = Setting(tmp_path)
    yield made
    made.engine.gate.set()
    made.writer.stop()


def result(future: "Future[list[Outcome]]") -> list[Outcome]:
    return future.result(timeout=SECONDS)


def test_seals_in_order_and_answers_each(setting: Setting) -> None:
    setting.writer.start()
    statements = [setting.registration(number) for number in range(6)]
    futures = [setting.writer.submit(statements[start : start + 2]) for start in (0, 2, 4)]
    sealed = [outcome for future in futures for outcome in result(future)]
    assert [s.sid for s in sealed if isinstance(s, Sealed)] == [s.sid for s in statements]
    assert [s.index for s in sealed if isinstance(s, Sealed)] == sorted(
        s.index for s in sealed if isinstance(s, Sealed)
    )


def test_what_waits_is_one_commit(setting: Setting) -> None:
    setting.writer.start()
    statements = [setting.registration(number) for number in range(9)]
    setting.engine.gate.clear()
    first = setting.writer.submit(statements[:1])
    time.sleep(0.2)
    rest = [setting.writer.submit([statement]) for statement in statements[1:]]
    setting.engine.gate.set()
    for future in (first, *rest):
        result(future)
    assert sum(setting.engine.batches) == 9
    assert len(setting.engine.batches) <= 2


def test_a_full_queue_is_busy(tmp_path: Path) -> None:
    setting = Setting(tmp_path, waiting_max=2)
    statements = [setting.registration(number) for number in range(4)]
    futures = [setting.writer.submit([statement]) for statement in statements[:2]]
    with pytest.raises(WriterBusyError):
        setting.writer.submit([statements[2]])
    setting.writer.start()
    for future in futures:
        result(future)
    result(setting.writer.submit([statements[3]]))
    setting.writer.stop()


def test_a_submission_that_was_given_up_is_not_sealed(setting: Setting) -> None:
    statements = [setting.registration(number) for number in range(2)]
    given_up = setting.writer.submit([statements[0]])
    kept = setting.writer.submit([statements[1]])
    assert given_up.cancel()
    setting.writer.start()
    result(kept)
    assert not setting.world.store.find_statements([statements[0].sid])


def test_a_failed_commit_can_be_tried_again(setting: Setting) -> None:
    setting.writer.start()
    statement = setting.registration(1)
    setting.engine.failure = StorageFailedError(reason="disk full")
    with pytest.raises(StorageFailedError):
        result(setting.writer.submit([statement]))
    setting.engine.failure = None
    assert setting.writer.is_writing
    assert isinstance(result(setting.writer.submit([statement]))[0], Sealed)


@pytest.mark.parametrize(
    "failure", [StorageUnknownError(reason="power"), AssertionError("our bug"), ValueError("bug")]
)
def test_doubt_stops_writing_for_good(setting: Setting, failure: BaseException) -> None:
    setting.writer.start()
    setting.engine.failure = failure
    with pytest.raises(StorageUnknownError):
        result(setting.writer.submit([setting.registration(1)]))
    setting.engine.failure = None
    assert not setting.writer.is_writing
    with pytest.raises(WriterStoppedError):
        setting.writer.submit([setting.registration(2)])


def test_a_checkpoint_covers_the_entry_that_is_waited_for(setting: Setting) -> None:
    setting.writer.start()
    (sealed,) = result(setting.writer.submit([setting.registration(1)]))
    assert isinstance(sealed, Sealed)
    note = setting.writer.wait_checkpoint(sealed.index + 1).result(timeout=SECONDS)
    signed = open_checkpoint(note, origin=ORIGIN, key=key_of("log").public)
    assert signed.size >= sealed.index + 1
    assert setting.writer.signed_size == signed.size


def test_stopping_seals_and_signs_what_waits(setting: Setting) -> None:
    futures = [setting.writer.submit([setting.registration(number)]) for number in range(3)]
    setting.writer.start()
    setting.writer.stop()
    assert all(isinstance(result(future)[0], Sealed) for future in futures)
    assert setting.writer.signed_size == setting.world.store.size()
    with pytest.raises(WriterStoppedError):
        setting.writer.submit([])


def test_whoever_waits_for_a_checkpoint_that_never_comes_is_told(setting: Setting) -> None:
    setting.writer.start()
    waiting = setting.writer.wait_checkpoint(10_000)
    setting.writer.stop()
    with pytest.raises(WriterStoppedError):
        waiting.result(timeout=SECONDS)


def test_a_log_that_was_rolled_back_is_not_written_to(setting: Setting) -> None:
    setting.writer.start()
    (sealed,) = result(setting.writer.submit([setting.registration(1)]))
    assert isinstance(sealed, Sealed)
    setting.writer.wait_checkpoint(sealed.index + 1).result(timeout=SECONDS)
    older = World(MemoryStore(RULEBOOK.tables), RULEBOOK).open()
    signer = CheckpointSigner(older.store, key_of("log"), origin=ORIGIN, memory=setting.memory)
    writer = Writer(older.engine, signer)
    writer.start()
    assert not writer.is_writing
    with pytest.raises(LogCorruptError):
        writer.wait_checkpoint(10_000).result(timeout=SECONDS)
    with pytest.raises(WriterStoppedError):
        writer.submit([setting.registration(2)])
    writer.stop()


def test_a_key_is_found_as_soon_as_its_entry_stands_and_kept() -> None:
    world = World(MemoryStore(RULEBOOK.tables), RULEBOOK).open()
    keys = StoredKeys(world.store, kept=1)
    kid = key_of("s1").public.kid
    assert keys.find(kid) is None
    world.admit("s1", "participant")
    assert keys.find(kid) == key_of("s1").public
    assert keys.find(key_of("operator").public.kid) == key_of("operator").public
    assert keys.find(kid) == key_of("s1").public


def test_keys_that_stand_are_found_at_once_when_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(MemoryStore(RULEBOOK.tables), RULEBOOK).open()
    world.admit("s1", "participant")
    keys = StoredKeys(world.store)
    keys.warm()
    monkeypatch.setattr(MemoryStore, "fetch", None)
    for name in ("s1", "operator", "registrar"):
        assert keys.find(key_of(name).public.kid) == key_of(name).public


def test_no_more_keys_are_found_than_are_kept() -> None:
    world = World(MemoryStore(RULEBOOK.tables), RULEBOOK).open()
    world.admit("s1", "participant")
    keys = StoredKeys(world.store, kept=2)
    keys.warm()
    assert len(keys._found) == 2
