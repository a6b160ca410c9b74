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

from collections.abc import Sequence

from registry.canonical import Json, b64url_encode, format_json, parse_object, sha256
from registry.checkpoint import parse_checkpoint, split_note
from registry.commitments import (
    Commitments,
    bucket_record,
    committed_rows,
    in_order,
    lot_facts,
    lot_leaf,
    lot_record,
)
from registry.entries import open_entry
from registry.logtree import stored_hashes
from registry.merkle import MemoryHashes, prove_inclusion
from registry.model import ACCOUNTS, BUCKETS, LOTS, VOUCHERS, Bucket, Lot
from registry.ports import LedgerStore
from registry.proofs import VERSION, committed_state
from registry.refusals import LotNotFoundError, SnapshotUnknownError
from registry.state import MemoryRows
from registry.sumtree import prove, root_of_records


class _Prover:
    """Builds the parts of a proof from a store, as of one state entry."""

    def __init__(self, store: LedgerStore, *, note: str, state_index: int) -> None:
        self.store = store
        self.note = note
        self.size = parse_checkpoint(split_note(note)[0]).size
        if not 0 <= state_index < min(self.size, store.size()):
            raise SnapshotUnknownError(index=state_index)
        self.state_index = state_index
        state = open_entry(next(store.entries(state_index, state_index + 1)))
        if state.kind != "state":
            raise SnapshotUnknownError(index=state_index)
        self.at = committed_state(state)["at"]
        self.rows = committed_rows(store.select, as_of=self.at)
        self.commitments = Commitments()
        self.commitments.update(
            self.rows.fetch, [(row.family, row.bucket) for row in self.rows.select(BUCKETS)]
        )

    def entry(self, index: int) -> dict[str, Json]:
        """Returns an entry with its inclusion proof."""
        hashes = stored_hashes(lambda level, at: self.store.tile(level=level, index=at), self.size)
        path = prove_inclusion(hashes, index=index, size=self.size)
        data = next(self.store.entries(index, index + 1))
        return {"entry": b64url_encode(data), "index": index, "path": _texts(path)}

    def bucket(self, family: str, name: str) -> Bucket:
        """Returns a bucket that the state entry commits to."""
        bucket = self.rows.get(BUCKETS, family, name)
        if bucket is None or bucket.ordinal is None:
            raise SnapshotUnknownError(index=self.state_index)
        return bucket

    def lots(self, bucket: Bucket) -> list[Lot]:
        """Returns a bucket's lots in leaf order."""
        return in_order(self.rows.where(LOTS, bucket.family, bucket.bucket))

    def proof(self, bucket: Bucket) -> dict[str, Json]:
        """Returns the state entry, the ordinal entry and the bucket record, with paths."""
        leaves = [lot_leaf(lot, payee(self.rows, lot)) for lot in self.lots(bucket)]
        record = bucket_record(
            bucket,
            root_of_records(leaves),
            voucher=self.rows.get(VOUCHERS, bucket.bucket),
        )
        level2 = self.commitments.leaves[bucket.family]
        path = prove_inclusion(
            MemoryHashes(level2), index=int(bucket.ordinal or 0), size=len(level2)
        )
        return {
            "bucket": {"path": _texts(path), "record": b64url_encode(record)},
            "founding": self.entry(bucket.founded or 0),
            "state": self.entry(self.state_index),
            "v": VERSION,
        }


def payee(rows: MemoryRows, lot: Lot) -> str:
    """Returns the digest of a lot's payee account."""
    account = rows.get(ACCOUNTS, lot.account)
    return account.digest if account else ""


def _opening(lot: Lot, digest: str) -> dict[str, Json]:
    """Returns a lot's record and what it hides."""
    facts = lot_facts(lot, payee=digest)
    record = lot_record(
        lot=lot.lot,
        voucher=lot.voucher,
        amount=lot.amount,
        born=lot.born,
        holder=lot.holder,
        salt=lot.salt,
        facts=facts,
    )
    opening: dict[str, Json] = {"facts": facts, "holder": lot.holder, "salt": lot.salt}
    return {"opening": opening, "record": parse_object(record, what="record")}


def take_snapshot(
    store: LedgerStore, *, note: str, state_index: int, family: str, bucket: str
) -> dict[str, bytes]:
    """Takes the snapshot of one bucket against a state entry.

    Args:
        store: Where the ledger is kept.
        note: A signed checkpoint that covers the state entry.
        state_index: The state entry's index.
        family: `holder` or `voucher`.
        bucket: The party or the voucher.

    Returns:
        The files by name; the same input gives the same bytes.

    Raises:
        NoteFailedError: The note is no checkpoint.
        SnapshotUnknownError: No state entry stands there, or it knows no such bucket.
    """
    prover = _Prover(store, note=note, state_index=state_index)
    found = prover.bucket(family, bucket)
    lots = prover.lots(found)
    lines = [format_json(_opening(lot, payee(prover.rows, lot))) + b"\n" for lot in lots]
    files = {
        "checkpoint": note.encode(),
        "lots.ndjson": b"".join(lines),
        "proof.json": format_json(prover.proof(found)) + b"\n",
    }
    manifest: dict[str, Json] = {
        "at": prover.at,
        "bucket": bucket,
        "count": len(lots),
        "family": family,
        "files": {name: b64url_encode(sha256(data)) for name, data in files.items()},
        "sum": str(sum(lot.amount for lot in lots)),
        "v": VERSION,
    }
    return {**files, "manifest.json": format_json(manifest) + b"\n"}


def take_lot_proof(store: LedgerStore, *, note: str, state_index: int, lot: str) -> bytes:
    """Proves one lot to its holder, or to whom the holder shows it, and shows no other holder.

    Raises:
        NoteFailedError: The note is no checkpoint.
        SnapshotUnknownError: No state entry stands there.
        LotNotFoundError: The lot was not live then.
    """
    prover = _Prover(store, note=note, state_index=state_index)
    row = prover.rows.get(LOTS, lot)
    if row is None:
        raise LotNotFoundError(lot=lot)
    bucket = prover.bucket("holder", row.holder)
    lots = prover.lots(bucket)
    leaves = [lot_leaf(each, payee(prover.rows, each)) for each in lots]
    index = [each.lot for each in lots].index(row.lot)
    path: list[Json] = [
        {"count": node.count, "hash": b64url_encode(node.hash), "sum": str(node.total)}
        for node in prove(leaves, index)
    ]
    proof = prover.proof(bucket)
    proof |= {
        # The JSON profile has no line breaks in strings, so the note goes as b64url.
        "checkpoint": b64url_encode(note.encode()),
        "lot": {**_opening(row, payee(prover.rows, row)), "index": index, "path": path},
    }
    return format_json(proof) + b"\n"


def _texts(path: Sequence[bytes]) -> list[Json]:
    """Returns hashes as text."""
    return [b64url_encode(node) for node in path]
