"""What became of a statement, as JSON: its place in the log, what changed, its receipt."""

from typing import Any

from registry.canonical import b64url_encode
from registry.checkpoint import parse_checkpoint, split_note
from registry.engine import Sealed
from registry.logtree import stored_hashes
from registry.merkle import prove_inclusion
from registry.ports import LedgerStore


def result_of(sealed: Sealed) -> dict[str, Any]:
    """Returns the result of a statement that was sealed."""
    return {
        "sid": sealed.sid,
        "index": sealed.index,
        "time": sealed.time,
        "leaf_hash": b64url_encode(sealed.leaf_hash),
        "effects": sealed.effects,
    }


def receipt_of(store: LedgerStore, sealed: Sealed, *, note: str) -> dict[str, Any]:
    """Returns the proof that an entry stands in the log that a checkpoint signs."""
    size = signed_size(note)
    return {
        "checkpoint": note,
        "index": sealed.index,
        "leaf_hash": b64url_encode(sealed.leaf_hash),
        "path": inclusion_path(store, index=sealed.index, size=size),
    }


def inclusion_path(store: LedgerStore, *, index: int, size: int) -> list[str]:
    """Returns an entry's inclusion path as text."""
    hashes = stored_hashes(lambda level, at: store.tile(level=level, index=at), size)
    return [b64url_encode(node) for node in prove_inclusion(hashes, index=index, size=size)]


def signed_size(note: str) -> int:
    """Returns the size that one of our own notes is of; 0 before the first."""
    return parse_checkpoint(split_note(note)[0]).size if note else 0
