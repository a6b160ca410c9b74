"""What became of a statement, as JSON: its place in the log, what changed, its receipt."""

import json
from collections.abc import Mapping

from registry.canonical import Json, b64url_encode
from registry.checkpoint import parse_checkpoint, split_note
from registry.engine import Sealed
from registry.logtree import stored_hashes
from registry.merkle import prove_inclusion
from registry.ports import LedgerStore


def result_of(sealed: Sealed, *, receipt: Mapping[str, Json] | None = None) -> bytes:
    """Returns the result of a statement that was sealed, as JSON."""
    # A checkpoint has several lines, which canonical JSON cannot hold.
    proof = b',"receipt":%b' % json.dumps(receipt).encode() if receipt else b""
    # Ids and hashes need no escapes.
    return b'{"sid":"%b","index":%d,"time":%d,"leaf_hash":"%b","effects":%b%b}' % (
        sealed.sid.encode(),
        sealed.index,
        sealed.time,
        b64url_encode(sealed.leaf_hash).encode(),
        sealed.effects_json,
        proof,
    )


def receipt_of(store: LedgerStore, sealed: Sealed, *, note: str) -> dict[str, Json]:
    """Returns the proof that an entry stands in the log that a checkpoint signs."""
    size = signed_size(note)
    return {
        "checkpoint": note,
        "index": sealed.index,
        "leaf_hash": b64url_encode(sealed.leaf_hash),
        "path": [*inclusion_path(store, index=sealed.index, size=size)],
    }


def inclusion_path(store: LedgerStore, *, index: int, size: int) -> list[str]:
    """Returns an entry's inclusion path as text."""
    hashes = stored_hashes(lambda level, at: store.tile(level=level, index=at), size)
    return [b64url_encode(node) for node in prove_inclusion(hashes, index=index, size=size)]


def signed_size(note: str) -> int:
    """Returns the size that one of our own notes is of; 0 before the first."""
    return parse_checkpoint(split_note(note)[0]).size if note else 0
