"""Good snapshots of the story, and the tools of whoever wants to pass off a bad one."""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from registry.canonical import Json, b64url_decode, b64url_encode, format_json, sha256
from registry.entries import open_entry
from registry.errors import MalformedError, NotCanonicalError, NoteFailedError, ProofFailedError
from registry.merkle import MemoryHashes, hash_leaf, prove_inclusion
from registry.model import LOTS
from registry.proofs import (
    Holding,
    committed_state,
    verify_lot_proof,
    verify_snapshot,
    verify_snapshot_files,
)
from registry.snapshots import take_lot_proof, take_snapshot
from tests.builders import ORIGIN
from tests.logs import LOG_KEY, note_of, story

Files = dict[str, bytes]
TYPED = (MalformedError, NotCanonicalError, NoteFailedError, ProofFailedError)
"""All that verification may raise, whatever it is given."""


@cache
def snapshot(name: str = "s2", state: int = 1) -> Mapping[str, bytes]:
    """Takes the snapshot of a party, or of a voucher of the story."""
    world, names = story().world, story().names
    family, bucket = ("voucher", names[name]) if name in names else ("holder", world.ids[name])
    return take_snapshot(
        world.store,
        note=note_of(story().entries),
        state_index=story().index("state", state),
        family=family,
        bucket=bucket,
    )


@cache
def lot_proof(state: int = 1) -> bytes:
    """Takes the proof of one of s2's lots that is neither the first nor the last."""
    world = story().world
    at = committed_state(open_entry(story().entries[story().index("state", state)]))["at"]
    lots = list(world.store.select(LOTS, field="holder", value=world.ids["s2"], as_of=at))
    return take_lot_proof(
        world.store,
        note=note_of(story().entries),
        state_index=story().index("state", state),
        lot=lots[len(lots) // 2].lot,
    )


def verified(files: Mapping[str, bytes]) -> Holding:
    """Verifies a snapshot from memory and from a directory, which must come to the same."""
    streamed, whole = _streamed(files), _whole(files)
    if isinstance(whole, Holding):
        assert streamed == replace(whole, lots=())
        return whole
    assert (type(streamed), str(streamed)) == (type(whole), str(whole))
    raise whole


def _whole(files: Mapping[str, bytes]) -> Holding | Exception:
    """Verifies a snapshot in memory; returns what it raises."""
    try:
        return verify_snapshot(files, origin=ORIGIN, key=LOG_KEY.public)
    except TYPED as error:
        return error


def _streamed(files: Mapping[str, bytes]) -> Holding | Exception:
    """Verifies a snapshot that lies in a directory; returns what it raises."""
    with tempfile.TemporaryDirectory() as directory:
        for name, data in files.items():
            (Path(directory) / name).write_bytes(data)
        try:
            return verify_snapshot_files(Path(directory), origin=ORIGIN, key=LOG_KEY.public)
        except TYPED as error:
            return error


def verified_lot(data: bytes) -> Holding:
    return verify_lot_proof(data, origin=ORIGIN, key=LOG_KEY.public)


def lots_of(files: Mapping[str, bytes]) -> list[Any]:
    return [json.loads(line) for line in files["lots.ndjson"].splitlines()]


def indexed(files: Mapping[str, bytes]) -> Files:
    """Writes the manifest anew for what the files say, as whoever changed them would."""
    proof = json.loads(files["proof.json"])
    manifest = json.loads(files["manifest.json"])
    lots = lots_of(files)
    digests = {n: b64url_encode(sha256(d)) for n, d in files.items() if n != "manifest.json"}
    state = open_entry(b64url_decode(proof["state"]["entry"], what="state"))
    if state.kind == "state":
        manifest["at"] = committed_state(state)["at"]
    manifest |= {
        "files": digests,
        "count": len(lots),
        "sum": str(sum(int(lot["record"]["amount"]) for lot in lots)),
    }
    return {**files, "manifest.json": format_json(manifest) + b"\n"}


def with_lots(files: Mapping[str, bytes], lots: list[Any]) -> Files:
    data = b"".join(format_json(lot) + b"\n" for lot in lots)
    return indexed({**files, "lots.ndjson": data})


def with_proof(files: Mapping[str, bytes], change: Callable[[Any], Any]) -> Files:
    proof = json.loads(files["proof.json"])
    change(proof)
    return indexed({**files, "proof.json": format_json(proof) + b"\n"})


def with_record(files: Mapping[str, bytes], **changes: Json) -> Files:
    """Changes the bucket record, which the family's root then no longer covers."""

    def change(proof: Any) -> None:
        record = json.loads(b64url_decode(proof["bucket"]["record"], what="record"))
        proof["bucket"]["record"] = b64url_encode(format_json({**record, **changes}))

    return with_proof(files, change)


def other_entry(index: int) -> Any:
    """Returns any entry with its true inclusion proof."""
    entries = story().entries
    hashes = MemoryHashes(map(hash_leaf, entries))
    path = prove_inclusion(hashes, index=index, size=len(entries))
    return {
        "entry": b64url_encode(entries[index]),
        "index": index,
        "path": [b64url_encode(node) for node in path],
    }
