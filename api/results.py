"""What became of a statement, as JSON: its place in the log, what changed, its receipt.

A statement that waited for approvals says how that stands (`approval`): what it changed
stands in another entry, the last approval's.
"""

import json
from collections.abc import Mapping
from typing import Final

from registry.canonical import Json, b64url_encode, parse_object
from registry.checkpoint import parse_checkpoint, split_note
from registry.engine import Sealed
from registry.entries import Entry
from registry.ids import Sid
from registry.logtree import stored_hashes
from registry.merkle import prove_inclusion
from registry.people import KEYS, WAITED
from registry.ports import LedgerStore
from registry.signing import split_jws
from registry.tables import Get

_PENDING: Final = b'"effect":"statement-pending"'
"""Within a text of an entry the quotation marks would be escaped."""


def result_of(
    sealed: Sealed, store: LedgerStore, *, receipt: Mapping[str, Json] | None = None
) -> bytes:
    """Returns the result of a statement that was sealed, as JSON."""
    more = b""
    if _PENDING in sealed.effects_json:
        more += b',"approval":%b' % json.dumps(approval_of(store, sealed.sid)).encode()
    if receipt:
        # A checkpoint has several lines, which canonical JSON cannot hold.
        more += b',"receipt":%b' % json.dumps(receipt).encode()
    # Ids and hashes need no escapes.
    return b'{"sid":"%b","index":%d,"time":%d,"leaf_hash":"%b","effects":%b%b}' % (
        sealed.sid.encode(),
        sealed.index,
        sealed.time,
        b64url_encode(sealed.leaf_hash).encode(),
        sealed.effects_json,
        more,
    )


def approval_of(store: LedgerStore, sid: Sid) -> dict[str, Json]:
    """Returns how the approval of a statement that waited stands: `status` and, once over, where.

    The status is `pending`, `approved`, `disapproved`, `expired` or `cancelled`; the index is
    that of the entry that ended the wait.
    """
    (waited,) = store.fetch([Get(WAITED, ((sid,),))])[0]
    if waited is None:
        return {"status": "pending"}
    return {"status": waited.end, "index": waited.index}


def suspicion_of(store: LedgerStore, entry: Entry) -> dict[str, Json] | None:
    """Returns the flag of a statement whose key was revoked as suspect from its index or before.

    The entry stands: a flag says what its party says of the key, and rewrites nothing.
    """
    header = parse_object(split_jws(entry.statement, what="statement").header, what="header")
    (key,) = store.fetch([Get(KEYS, ((str(header["kid"]),),))])[0]
    if key is None or key.revoked is None or key.suspect_from is None:
        return None
    if not key.suspect_from <= entry.index < key.revoked:
        return None
    return {"kid": key.kid, "suspect_from": key.suspect_from, "revoked": key.revoked}


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
