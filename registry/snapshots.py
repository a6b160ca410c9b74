"""Snapshots: what a trustee keeps, and one holder's proof of one lot.

A snapshot shows every live lot of one bucket as of a state entry, with its openings,
and lets anyone who pins the log key recompute root, sum and count: nothing left out,
nothing added, the sum conserved. It proves what the operator committed to; that the
commitment follows from the log is what an audit proves.

Files of a snapshot:

    checkpoint      a signed note that covers the state entry
    proof.json      state entry, ordinal entry and bucket record with their paths
    lots.ndjson     every lot's record and opening, in leaf order
    manifest.json   digests and counts of the files; an index that proves nothing
"""

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from registry.canonical import Json, b64url_encode, format_json, parse_object
from registry.checkpoint import parse_checkpoint, split_note
from registry.commitments import FAMILIES, family_root, place_record
from registry.entries import open_entry
from registry.errors import InvariantBrokenError
from registry.familytree import FamilyTree
from registry.leaves import (
    FIELDS,
    LotColumns,
    columns_of,
    hash_records,
    parts_in_order,
    write_records,
)
from registry.logtree import stored_hashes
from registry.lot_lines import write_lines
from registry.merkle import prove_inclusion
from registry.model import ACCOUNTS, BUCKETS, HISTORIES, LOTS, Bucket
from registry.ports import LedgerStore
from registry.proofs import VERSION, committed_state
from registry.refusals import LotNotFoundError, SnapshotUnknownError
from registry.spool import Records
from registry.sumtree import SumNode, SumRange, SumTree
from registry.tables import Get, to_json
from registry.tiles import TileHashes

LOTS_AT_ONCE: Final = 1_000
"""Lots that are written together."""

_ACCOUNT: Final = FIELDS.index("account")


class Prover:
    """Proves what a state entry says of one family: made once, asked often, from any thread.

    Making it reads the record of every bucket as of the entry, once, and no lot. What stays
    is the tree over the buckets, 72 bytes for each, and their records in a file without a name.
    """

    def __init__(self, store: LedgerStore, *, state_index: int, family: str = "holder") -> None:
        """Computes anew what the entry commits to.

        Args:
            store: Where the ledger is kept.
            state_index: The state entry's index.
            family: `holder` or `voucher`.

        Raises:
            SnapshotUnknownError: No state entry stands there, or there is no such family.
            InvariantBrokenError: The buckets do not give what the entry commits to.
        """
        self._store = store
        if not 0 <= state_index < store.size():
            raise SnapshotUnknownError(index=state_index)
        state = open_entry(next(iter(store.entries(state_index, state_index + 1))))
        if state.kind != "state" or family not in FAMILIES:
            raise SnapshotUnknownError(index=state_index)
        committed = committed_state(state)
        self.state_index = state_index
        self.family = family
        self.at = int(committed["at"])
        self._records = Records()
        self._tree = FamilyTree()
        # The state entry has written the records that it commits to.
        columns = store.columns(HISTORIES, ("family", "record"), as_of=state_index + 1)
        for record in (row[1].encode() for row in columns if row[0] == family and row[1]):
            self._records.put(place_record(self._tree, record), record)
        self._tree.verify_whole()
        computed = to_json(family_root(self._tree))
        if computed != committed[family]:
            raise InvariantBrokenError(f"state entry {state_index}: {family} is {computed}")
        self._lock = threading.Lock()
        self._hashes = TileHashes(_no_file, 0)
        self._size = 0
        self._held = _Held(holder="", places={}, lines=(), tree=SumTree((), ()))

    def over(self, store: LedgerStore) -> "Prover":
        """Returns this prover over another connection, for another process to ask."""
        other = object.__new__(Prover)
        other.__dict__ |= {**self.__dict__, "_store": store, "_lock": threading.Lock(), "_size": 0}
        return other

    # --- Snapshots ------------------------------------------------------------------

    def snapshot(self, note: str, bucket: str) -> dict[str, bytes]:
        """Takes the snapshot of one bucket.

        Args:
            note: A signed checkpoint that covers the state entry.
            bucket: The party or the voucher.

        Returns:
            The files by name; the same input gives the same bytes.

        Raises:
            NoteFailedError: The note is no checkpoint.
            SnapshotUnknownError: It does not cover the state entry, or that knows no such
                bucket.
        """
        found = self._bucket(bucket)
        files = {
            "checkpoint": note.encode(),
            "proof.json": format_json(self._proof(note, found)) + b"\n",
            "lots.ndjson": b"".join(self._lines(found)),
        }
        digests = {name: hashlib.sha256(data).digest() for name, data in files.items()}
        return {**files, "manifest.json": self._manifest(found, digests)}

    def write_snapshot(self, directory: Path, note: str, bucket: str) -> int:
        """Takes the snapshot of one bucket as files, its lots never all in memory.

        Args:
            directory: Where they go; it must not exist yet.
            note: A signed checkpoint that covers the state entry.
            bucket: The party or the voucher.

        Returns:
            Number of lots.

        Raises:
            NoteFailedError, SnapshotUnknownError: As `snapshot`.
            FileExistsError: The directory exists.
            OSError: The files cannot be written.
        """
        found = self._bucket(bucket)
        files = {
            "checkpoint": note.encode(),
            "proof.json": format_json(self._proof(note, found)) + b"\n",
        }
        if directory.exists():
            raise FileExistsError(f"{directory} exists")
        # A sibling, so that renaming stays within one file system.
        temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
        try:
            digests = {name: hashlib.sha256(data).digest() for name, data in files.items()}
            digest = hashlib.sha256()
            with (temporary / "lots.ndjson").open("wb") as file:
                for lines in self._lines(found):
                    digest.update(lines)
                    file.write(lines)
            digests["lots.ndjson"] = digest.digest()
            files["manifest.json"] = self._manifest(found, digests)
            for name, data in files.items():
                (temporary / name).write_bytes(data)
            temporary.chmod(0o755)
            temporary.rename(directory)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return int(self._record(found)["count"])

    def _lines(self, bucket: Bucket) -> Iterator[bytes]:
        """Yields the lines of a bucket's lots in leaf order, many at a time.

        Raises:
            InvariantBrokenError: In the end, if the lots do not give the bucket's record.
        """
        tree = SumRange()
        for lots in self._lots(bucket.bucket):
            records = write_records(lots)
            tree.extend(hash_records(records), lots.amount)
            yield write_lines(lots, records).encode()
        self._require_root(bucket, tree.root())

    def _lots(self, bucket: str) -> Iterator[LotColumns]:
        """Yields a bucket's lots in leaf order, many at a time."""
        rows = self._store.columns(
            LOTS, FIELDS, order=("born",), field=self.family, value=bucket, as_of=self.at
        )
        payees: dict[str, str] = {}
        for lots in parts_in_order(rows, LOTS_AT_ONCE):
            accounts = {lot[_ACCOUNT] for lot in lots} - payees.keys()
            asked = [Get(ACCOUNTS, tuple((account,) for account in accounts))]
            # A payee account's digest never changes.
            payees |= {row.account: row.digest for row in self._store.fetch(asked)[0]}
            yield columns_of(lots, payees)

    def _require_root(self, bucket: Bucket, root: SumNode) -> None:
        """Compares the root over a bucket's lots with what the state entry commits to."""
        record = self._record(bucket)
        found = b64url_encode(root.hash), str(root.total), root.count
        if found != (record["root"], record["sum"], record["count"]):
            raise InvariantBrokenError(
                f"state entry {self.state_index}: the lots of {bucket.bucket} give {found}"
            )

    def _manifest(self, bucket: Bucket, digests: dict[str, bytes]) -> bytes:
        """Returns the index of a snapshot's files."""
        record = self._record(bucket)
        manifest: dict[str, Json] = {
            "at": self.at,
            "bucket": bucket.bucket,
            "count": record["count"],
            "family": bucket.family,
            "files": {name: b64url_encode(digest) for name, digest in digests.items()},
            "sum": record["sum"],
            "v": VERSION,
        }
        return format_json(manifest) + b"\n"

    # --- One lot --------------------------------------------------------------------

    def lot_proof(self, note: str, *, lot: str, holder: str) -> bytes:
        """Proves one lot to its holder, or to whom the holder shows it; shows no other holder.

        It is proved among its holder's: of family `voucher` there is no such proof.

        Args:
            note: A signed checkpoint that covers the state entry.
            lot: The lot.
            holder: Who held it then.

        Raises:
            NoteFailedError: The note is no checkpoint.
            SnapshotUnknownError: It does not cover the state entry, or that knows no such
                holder.
            LotNotFoundError: The holder did not hold the lot then.
        """
        bucket = self._bucket(holder)
        held = self._holding(bucket)
        if lot not in held.places:
            raise LotNotFoundError(lot=lot)
        index = held.places[lot]
        path: list[Json] = [
            {"count": node.count, "hash": b64url_encode(node.hash), "sum": str(node.total)}
            for node in held.tree.path(index)
        ]
        shown = parse_object(held.lines[index].encode(), what="lot")
        proof = self._proof(note, bucket)
        proof |= {
            # The JSON profile has no line breaks in strings, so the note goes as b64url.
            "checkpoint": b64url_encode(note.encode()),
            "lot": {**shown, "index": index, "path": path},
        }
        return format_json(proof) + b"\n"

    def _holding(self, bucket: Bucket) -> "_Held":
        """Returns the tree of a holder's lots; that of the last one asked for is kept."""
        if self._held.holder != bucket.bucket:
            names: list[str] = []
            lines: list[str] = []
            hashes: list[bytes] = []
            amounts: list[int] = []
            for lots in self._lots(bucket.bucket):
                records = write_records(lots)
                names += lots.lot
                lines += write_lines(lots, records).splitlines()
                hashes += hash_records(records)
                amounts += lots.amount
            tree = SumTree(hashes, amounts)
            self._require_root(bucket, tree.root)
            places = {lot: place for place, lot in enumerate(names)}
            self._held = _Held(holder=bucket.bucket, places=places, lines=lines, tree=tree)
        return self._held

    # --- Parts of both --------------------------------------------------------------

    def _record(self, bucket: Bucket) -> dict[str, Any]:
        """Returns a bucket's record."""
        return dict(parse_object(self._records.get(_ordinal(bucket)), what="bucket record"))

    def _bucket(self, name: str) -> Bucket:
        """Returns a bucket that the state entry commits to.

        Its ordinal and its founding entry never change; nothing else is read of it here.
        """
        bucket: Bucket | None
        ((bucket,),) = self._store.fetch([Get(BUCKETS, ((self.family, name),))])
        if bucket is None or bucket.ordinal is None:
            raise SnapshotUnknownError(index=self.state_index)
        if bucket.ordinal >= self._tree.size:
            raise SnapshotUnknownError(index=self.state_index)
        return bucket

    def _proof(self, note: str, bucket: Bucket) -> dict[str, Json]:
        """Returns the state entry, the ordinal entry and the bucket record, with paths."""
        size = parse_checkpoint(split_note(note)[0]).size
        if not self.state_index < min(size, self._store.size()):
            raise SnapshotUnknownError(index=self.state_index)
        tree = self._tree
        path = prove_inclusion(tree, index=_ordinal(bucket), size=tree.size)
        record = self._records.get(_ordinal(bucket))
        return {
            "bucket": {"path": _texts(path), "record": b64url_encode(record)},
            "founding": self._entry(bucket.founded or 0, size),
            "state": self._entry(self.state_index, size),
            "v": VERSION,
        }

    def _entry(self, index: int, size: int) -> dict[str, Json]:
        """Returns an entry with its inclusion proof."""
        with self._lock:
            if self._size != size:
                self._hashes = stored_hashes(
                    lambda level, at: self._store.tile(level=level, index=at), size
                )
                self._size = size
            path = prove_inclusion(self._hashes, index=index, size=size)
        data = next(iter(self._store.entries(index, index + 1)))
        return {"entry": b64url_encode(data), "index": index, "path": _texts(path)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What a holder held: its lots with their indexes, and the tree over them."""

    holder: str
    places: dict[str, int]
    lines: Sequence[str]
    tree: SumTree


def _ordinal(bucket: Bucket) -> int:
    """Returns the ordinal of a bucket that has one."""
    if bucket.ordinal is None:
        raise InvariantBrokenError(f"bucket {bucket.bucket} has no ordinal")
    return bucket.ordinal


def _texts(path: Sequence[bytes]) -> list[Json]:
    """Returns hashes as text."""
    return [b64url_encode(node) for node in path]


def _no_file(path: str) -> Any:
    """Stands in for the tiles until the log's size is told."""
    raise InvariantBrokenError(f"{path} is read before the log's size is known")


# --- Once -------------------------------------------------------------------------


def take_snapshot(
    store: LedgerStore, *, note: str, state_index: int, family: str, bucket: str
) -> dict[str, bytes]:
    """Takes the snapshot of one bucket; who takes several keeps the `Prover`.

    Raises:
        NoteFailedError: The note is no checkpoint.
        SnapshotUnknownError: No state entry stands there, or it knows no such bucket.
    """
    _require_covered(note, state_index)
    return Prover(store, state_index=state_index, family=family).snapshot(note, bucket)


def take_lot_proof(store: LedgerStore, *, note: str, state_index: int, lot: str) -> bytes:
    """Proves one lot; who proves several keeps the `Prover`.

    Raises:
        NoteFailedError: The note is no checkpoint.
        SnapshotUnknownError: No state entry stands there.
        LotNotFoundError: The lot was not live then.
    """
    _require_covered(note, state_index)
    prover = Prover(store, state_index=state_index)
    for row in store.select(LOTS, as_of=prover.at):
        if row.lot == lot:
            return prover.lot_proof(note, lot=lot, holder=row.holder)
    raise LotNotFoundError(lot=lot)


def _require_covered(note: str, state_index: int) -> None:
    """Refuses a note that does not cover the state entry, before the state is read."""
    if not 0 <= state_index < parse_checkpoint(split_note(note)[0]).size:
        raise SnapshotUnknownError(index=state_index)
