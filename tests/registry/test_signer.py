"""The signer: signs what is stored, remembers before it publishes, refuses what contradicts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from registry.errors import LogCorruptError, StorageFailedError
from registry.ids import Origin
from registry.logtree import LogTree
from registry.merkle import TreeHead, hash_leaf, root_of
from registry.ports import Commit, NewEntry
from registry.signer import CheckpointSigner
from registry.store.memory import MemoryStore
from registry.tables import replace
from tests.builders import ORIGIN, key_of
from tests.logs import LOG_KEY


class LogOnly(MemoryStore):
    """A store of entries without rows, whose bytes can be spoiled."""

    def __init__(self, memory: Path) -> None:
        super().__init__([])
        self.memory = memory
        self.put: list[tuple[str, bool]] = []
        self.failing = False

    def grow(self, *entries: bytes) -> None:
        """Appends entries with their tiles, as an engine does."""
        size = self.size()
        tree = LogTree(lambda level, index: self.tile(level=level, index=index), size).fork()
        new = []
        for index, data in enumerate(entries, size):
            tree.append(hash_leaf(data))
            new.append(
                NewEntry(index=index, time=0, kind="x", leaf_hash=hash_leaf(data), data=data,
                         sid=None, by=None, id=None)
            )  # fmt: skip
        commit = Commit(entries=new, changes=(), tiles=tree.tiles())
        self.append(commit, expected_size=size, epoch=self.acquire())

    def put_note(self, note: str) -> None:
        if self.failing:
            raise StorageFailedError(reason="the disk is full")
        remembered = self.memory.exists() and json.loads(self.memory.read_text())["note"] == note
        self.put.append((note, remembered))
        super().put_note(note)


def numbered(start: int, stop: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(start, stop)]


@pytest.fixture
def store(tmp_path: Path) -> LogOnly:
    store = LogOnly(tmp_path / "memory.json")
    store.grow(*numbered(0, 300))
    return store


def signer_of(store: LogOnly) -> CheckpointSigner:
    return CheckpointSigner(store, LOG_KEY, origin=ORIGIN, memory=store.memory)


def assert_signed(note: str, entries: list[bytes]) -> None:
    checkpoint = open_checkpoint(note, origin=ORIGIN, key=LOG_KEY.public)
    assert checkpoint.head == TreeHead(len(entries), root_of(map(hash_leaf, entries)))


class TestSigning:
    def test_signs_the_root_of_the_stored_entries(self, store: LogOnly) -> None:
        signer = signer_of(store)
        assert_signed(signer.sign(), numbered(0, 300))
        store.grow(*numbered(300, 513))
        assert_signed(signer.sign(), numbered(0, 513))
        assert store.note() == signer.note

    def test_an_empty_log_gets_no_note(self, tmp_path: Path) -> None:
        store = LogOnly(tmp_path / "memory.json")
        assert signer_of(store).sign() == ""
        assert store.put == []
        assert not store.memory.exists()

    def test_signs_a_size_once(self, store: LogOnly) -> None:
        signer = signer_of(store)
        assert signer.sign() == signer.sign() == signer_of(store).sign()

    def test_remembers_before_it_publishes(self, store: LogOnly) -> None:
        signer = signer_of(store)
        signer.sign()
        store.grow(b"one more")
        signer.sign()
        assert [remembered for _, remembered in store.put] == [True, True]

    def test_remembers_across_restarts(self, store: LogOnly) -> None:
        note = signer_of(store).sign()
        assert signer_of(store).note == note
        store.grow(b"one more")
        assert_signed(signer_of(store).sign(), [*numbered(0, 300), b"one more"])

    def test_publishes_after_a_crash_what_it_signed_before(self, store: LogOnly) -> None:
        store.failing = True
        signer = signer_of(store)
        with pytest.raises(StorageFailedError):
            signer.sign()
        assert store.note() == ""
        store.failing = False
        assert signer_of(store).sign() == store.note() != ""

    def test_publishes_at_the_next_call_what_the_store_did_not_take(self, store: LogOnly) -> None:
        signer = signer_of(store)
        store.failing = True
        with pytest.raises(StorageFailedError):
            signer.sign()
        store.failing = False
        assert signer.sign() == store.note() != ""

    def test_leaves_no_other_file_behind(self, store: LogOnly) -> None:
        signer_of(store).sign()
        assert list(store.memory.parent.iterdir()) == [store.memory]


class TestRefusals:
    @pytest.mark.parametrize("kept", [0, 1, 256, 299])
    def test_a_store_that_was_rolled_back(self, store: LogOnly, kept: int) -> None:
        signer_of(store).sign()
        older = LogOnly(store.memory)
        older.grow(*numbered(0, kept))
        with pytest.raises(LogCorruptError, match="300 were signed"):
            signer_of(older).sign()

    @pytest.mark.parametrize("size", [300, 301, 600])
    def test_a_store_that_was_rolled_back_and_grew_in_another_way(
        self, store: LogOnly, size: int
    ) -> None:
        signer_of(store).sign()
        other = LogOnly(store.memory)
        other.grow(*numbered(0, 299), *numbered(1_000, 1_000 + size - 299))
        with pytest.raises(LogCorruptError, match="entries and tiles differ"):
            signer_of(other).sign()
        assert other.put == []

    def spoil(self, store: LogOnly, what: str) -> None:
        """Changes one byte of what the store keeps."""
        spoil: dict[str, Callable[[], None]] = {
            "the last entry": lambda: _flip_entry(store, 299),
            "the first entry": lambda: _flip_entry(store, 0),
            "a leaf hash in the tile": lambda: _flip_tile(store, (0, 1), 40),
            "a hash above full tiles": lambda: _flip_tile(store, (1, 0), 0),
        }
        spoil[what]()

    @pytest.mark.parametrize(
        "what",
        ["the last entry", "the first entry", "a leaf hash in the tile", "a hash above full tiles"],
    )
    def test_a_byte_that_flipped_on_its_way_to_the_disk(self, store: LogOnly, what: str) -> None:
        self.spoil(store, what)
        with pytest.raises(LogCorruptError, match="entries and tiles differ"):
            signer_of(store).sign()
        assert not store.memory.exists()
        assert store.put == []

    def test_any_bit_of_the_newest_entries(self, store: LogOnly) -> None:
        signer = signer_of(store)
        note = signer.sign()
        store.grow(b"new")
        for place in range(3):
            for bit in range(8):
                _flip_entry(store, 300, place=place, bit=bit)
                with pytest.raises(LogCorruptError):
                    signer.sign()
                _flip_entry(store, 300, place=place, bit=bit)
        assert signer.note == note
        assert_signed(signer.sign(), [*numbered(0, 300), b"new"])

    def test_a_tile_that_is_gone(self, store: LogOnly) -> None:
        del store._tiles[0, 1]
        with pytest.raises(LogCorruptError, match="is missing"):
            signer_of(store).sign()

    def test_a_spoiled_tile_though_nothing_is_new(self, store: LogOnly) -> None:
        signer = signer_of(store)
        signer.sign()
        _flip_tile(store, (1, 0), 0)
        with pytest.raises(LogCorruptError):
            signer.sign()


class TestMemory:
    @pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"size":1}', "null", '"x"',
                                      '{"frontier":[],"note":"","size":0}',
                                      '{"frontier":["A"],"note":"","size":1}',
                                      '{"frontier":[],"note":"","size":"1"}'])  # fmt: skip
    def test_one_that_cannot_be_read_is_refused(self, store: LogOnly, text: str) -> None:
        store.memory.write_text(text)
        with pytest.raises(LogCorruptError, match="memory"):
            signer_of(store)

    def test_any_changed_byte_is_refused_or_changes_nothing(self, store: LogOnly) -> None:
        signer_of(store).sign()
        data = store.memory.read_bytes()
        for place in range(0, len(data), 3):
            flipped = bytearray(data)
            flipped[place] ^= 1
            store.memory.write_bytes(flipped)
            with pytest.raises(LogCorruptError):
                signer_of(store)

    @pytest.mark.parametrize("other", ["key", "log"])
    def test_one_of_another_key_or_log_is_refused(self, store: LogOnly, other: str) -> None:
        signer_of(store).sign()
        kept = json.loads(store.memory.read_text())
        key = key_of("other") if other == "key" else LOG_KEY
        origin = ORIGIN if other == "key" else Origin("sandbox.example/other")
        root = root_of(map(hash_leaf, numbered(0, 300)))
        kept["note"] = sign_checkpoint(Checkpoint(origin, 300, root), key)
        store.memory.write_text(json.dumps(kept))
        with pytest.raises(LogCorruptError, match="of another log"):
            signer_of(store)


def _flip_entry(store: LogOnly, index: int, *, place: int = 0, bit: int = 0) -> None:
    entry = store._entries[index]
    data = bytearray(entry.data)
    data[place] ^= 1 << bit
    store._entries[index] = replace(entry, data=bytes(data))


def _flip_tile(store: LogOnly, tile: tuple[int, int], place: int) -> None:
    data = bytearray(store._tiles[tile])
    data[place] ^= 1
    store._tiles[tile] = bytes(data)
