"""The checkpoint signer: the first witness of its own log.

It keeps what it has signed apart from the database, reads the stored bytes again
before it signs, and computes the root by a second path. A database that was rolled
back, or of which a bit flipped between hash and disk, gets no signature.
"""

import json
import os
from pathlib import Path

from registry.canonical import b64url_decode, b64url_encode
from registry.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from registry.errors import InputError, LogCorruptError, VerificationError
from registry.ids import Origin
from registry.logtree import stored_hashes
from registry.merkle import CompactRange, hash_leaf, root_at
from registry.ports import LedgerStore
from registry.signing import PrivateKey


class CheckpointSigner:
    """Signs checkpoints of one log, each consistent with all it signed before."""

    def __init__(
        self, store: LedgerStore, key: PrivateKey, *, origin: Origin, memory: Path
    ) -> None:
        """Recalls what was signed.

        Args:
            store: Where the log is kept.
            key: The log key.
            origin: The log's name.
            memory: The file in which (size, frontier, note) of the newest checkpoint stand.

        Raises:
            LogCorruptError: The file is not what a signer of this log wrote.
        """
        self._store = store
        self._key = key
        self._origin = origin
        self._memory = memory
        self._range = CompactRange()
        self._published = ""
        self.note = ""
        if memory.exists():
            self._recall()

    def _recall(self) -> None:
        """Reads the memory and checks it against the note in it."""
        try:
            kept = json.loads(self._memory.read_text())
            frontier = [
                b64url_decode(node, what="frontier", length=32) for node in kept["frontier"]
            ]
            self._range = CompactRange(kept["size"], frontier)
            self.note = kept["note"]
            signed = open_checkpoint(self.note, origin=self._origin, key=self._key.public)
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
            raise LogCorruptError(reason=f"the signer's memory cannot be read: {error}") from None
        except (InputError, VerificationError) as error:
            raise LogCorruptError(
                reason=f"the signer's memory is of another log: {error}"
            ) from None
        if signed.head != self._range.head():
            raise LogCorruptError(reason="the signer's memory contradicts its own note")

    def sign(self) -> str:
        """Signs the log as it is stored now, and returns the note.

        Raises:
            LogCorruptError: The stored log contradicts what was signed, or itself.
            StorageError: The store failed; nothing is lost.
        """
        size = self._store.size()
        if size < self._range.size:
            raise LogCorruptError(
                reason=f"the log has {size} entries, {self._range.size} were signed"
            )
        grown = self._range.copy()
        for data in self._store.entries(self._range.size, size):
            grown.append(hash_leaf(data))
        if grown.size != size or self._stored_root(size) != grown.root():
            raise LogCorruptError(reason=f"stored entries and tiles differ at size {size}")
        if size > self._range.size:
            checkpoint = Checkpoint(origin=self._origin, size=size, root=grown.root())
            note = sign_checkpoint(checkpoint, self._key)
            self._remember(grown, note)
            self._range, self.note = grown, note
        if self._published != self.note:
            # Also what was signed before a crash and is not in the store yet.
            self._store.put_note(self.note)
            self._published = self.note
        return self.note

    def _stored_root(self, size: int) -> bytes:
        """Computes the root from stored tiles, which the entries' hashes do not pass through."""
        hashes = stored_hashes(
            lambda level, index: self._store.tile(level=level, index=index), size
        )
        try:
            return root_at(hashes, size)
        except VerificationError as error:
            raise LogCorruptError(reason=str(error)) from None

    def _remember(self, grown: CompactRange, note: str) -> None:
        """Writes what is about to be published, durably, before anybody sees it."""
        kept = {
            "frontier": [b64url_encode(node) for node in grown.frontier],
            "note": note,
            "size": grown.size,
        }
        fresh = self._memory.with_suffix(".new")
        with fresh.open("w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._memory)
        # The new name, too, must survive a power cut.
        directory = os.open(self._memory.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
