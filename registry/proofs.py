"""Verifying snapshots and single lots' proofs, offline, from their files alone.

What is verified: the checkpoint is signed by the pinned key; state entry and ordinal
entry are in its log; the bucket record is in the family's tree; the lots shown give
exactly the bucket's root, sum and count. So nothing was left out, added or altered.

Source: docs/formats.md, State tree and Snapshot.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from registry.canonical import (
    Json,
    b64url_decode,
    b64url_encode,
    digest_b64url,
    format_json,
    parse_object,
)
from registry.checkpoint import open_checkpoint
from registry.entries import Entry, open_entry
from registry.errors import MalformedError, ProofFailedError
from registry.ids import Origin
from registry.lot_lines import (
    Expected,
    Show,
    Verify,
    read_object,
    verify_here,
    verify_lot,
    verify_lots,
)
from registry.lot_workers import LotWorkers
from registry.merkle import TreeHead, hash_leaf, verify_inclusion
from registry.signing import PublicKey
from registry.sumtree import SumNode, verify_path

VERSION = 1
LOTS_FILE = "lots.ndjson"
FILES = ("checkpoint", LOTS_FILE, "manifest.json", "proof.json")
SMALL_MAX = 2**20
"""Bytes of the largest file of a snapshot but that of the lots: two entries and some paths."""
_SUM = re.compile("0|[1-9][0-9]{0,18}")
FOUNDING = {
    "holder": {"party-admitted": "party", "founder-admitted": "party"},
    "voucher": {"voucher-activated": "voucher"},
}
"""The effects that give a bucket of a family its ordinal, and the member that names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a verified snapshot says of its bucket.

    Attributes:
        family: `holder` or `voucher`.
        bucket: The party or the voucher.
        at: The snapshot shows the state as of this many entries.
        size: Entries that the checkpoint covers.
        count: Number of lots.
        total: Their sum, in minor units.
        lots: Record and opening of each, in leaf order, if they were asked for.
    """

    family: str
    bucket: str
    at: int
    size: int
    count: int
    total: int
    lots: tuple[Mapping[str, Any], ...]


def committed_state(entry: Entry) -> dict[str, Any]:
    """Returns what a state entry commits to.

    Raises:
        MalformedError: It is no state entry.
    """
    changes = entry.effects.get("changes")
    committed = changes[0] if isinstance(changes, list) and len(changes) == 1 else None
    if not isinstance(committed, dict) or committed.get("effect") != "state-committed":
        raise MalformedError(what="state entry", reason="commits to no state")
    return dict(committed)


@contextmanager
def _members_present(what: str) -> Iterator[None]:
    """Turns the traces of a missing or mistyped member into a typed error."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise MalformedError(what=what, reason=f"lacks a member or mistypes it: {error}") from None


def verify_snapshot(files: Mapping[str, bytes], *, origin: Origin, key: PublicKey) -> Holding:
    """Verifies a snapshot offline, from its files alone.

    Args:
        files: The snapshot's files by name.
        origin: The log's name, pinned.
        key: The log key, pinned.

    Raises:
        MalformedError, NotCanonicalError: A file is missing, superfluous or malformed.
        NoteFailedError: The checkpoint is not signed by the pinned key.
        ProofFailedError: Something does not follow from what is signed; the reason says what.
    """
    shown: list[Mapping[str, Any]] = []
    with _members_present("snapshot"):
        _require_files(files)
        lines = io.BytesIO(files[LOTS_FILE])
        holding = _verify_snapshot(files, lines, origin=origin, key=key, show=shown.append)
    return replace(holding, lots=tuple(shown))


def verify_snapshot_files(
    directory: Path, *, origin: Origin, key: PublicKey, jobs: int = 1
) -> Holding:
    """Verifies the snapshot in a directory, its lots never all in memory.

    Args:
        directory: Where the files are.
        origin: The log's name, pinned.
        key: The log key, pinned.
        jobs: Processes that verify lots; with one, it is this one.

    Returns:
        What it says of its bucket; `lots` is empty.

    Raises:
        MalformedError, NotCanonicalError, NoteFailedError, ProofFailedError: As
            `verify_snapshot`.
        OSError: A file cannot be read, or a process has failed.
    """
    with _members_present("snapshot"):
        _require_files({path.name for path in directory.iterdir()})
        files = {name: _read_small(directory / name) for name in FILES if name != LOTS_FILE}
        with (directory / LOTS_FILE).open("rb") as lines, LotWorkers(jobs) as workers:
            return _verify_snapshot(files, lines, origin=origin, key=key, verify=workers.verify)


def _require_files(names: Iterable[str]) -> None:
    """Checks that exactly the four files are there."""
    if set(names) != set(FILES):
        odd = ", ".join(sorted(set(names) ^ set(FILES)))
        raise MalformedError(what="snapshot", reason=f"missing or superfluous: {odd}")


def _read_small(path: Path) -> bytes:
    """Reads a file that is small in every snapshot."""
    with path.open("rb") as file:
        data = file.read(SMALL_MAX + 1)
    if len(data) > SMALL_MAX:
        raise MalformedError(what=path.name, reason=f"has more than {SMALL_MAX} bytes")
    return data


def _verify_snapshot(
    files: Mapping[str, bytes],
    lines: BinaryIO,
    *,
    origin: Origin,
    key: PublicKey,
    verify: Verify = verify_here,
    show: Show | None = None,
) -> Holding:
    """Verifies a snapshot whose members may still be missing."""
    proof = read_object(files["proof.json"], "proof.json")
    note = files["checkpoint"].decode()
    record, state, size = _verify_bucket(proof, note, origin=origin, key=key)
    root, digest = verify_lots(lines, _expected(record, state), verify=verify, show=show)
    _require_root(root, record, "lots.ndjson: the lots are not all of the bucket's")
    holding = Holding(
        family=record["family"],
        bucket=record["bucket"],
        at=state["at"],
        size=size,
        count=root.count,
        total=root.total,
        lots=(),
    )
    _verify_manifest(files, digest, holding)
    return holding


def verify_lot_proof(data: bytes, *, origin: Origin, key: PublicKey) -> Holding:
    """Verifies the proof of one lot, offline; shows nothing of the holder's other lots.

    Raises:
        MalformedError, NotCanonicalError: It is no proof.
        NoteFailedError: The checkpoint is not signed by the pinned key.
        ProofFailedError: Something does not follow from what is signed.
    """
    with _members_present("proof"):
        return _verify_lot_proof(data, origin=origin, key=key)


def _verify_lot_proof(data: bytes, *, origin: Origin, key: PublicKey) -> Holding:
    """Verifies the proof of one lot whose members may still be missing."""
    proof = read_object(data, "proof")
    note = b64url_decode(proof.pop("checkpoint"), what="checkpoint").decode()
    lot = proof.pop("lot")
    index = _count(lot.pop("index"))
    path = tuple(_node(node) for node in lot.pop("path"))
    record, state, size = _verify_bucket(proof, note, origin=origin, key=key)
    if record["family"] != "holder":
        raise ProofFailedError(reason="one lot is proved among its holder's, not a voucher's")
    leaf = verify_lot(lot, 1, _expected(record, state))
    root = _node({name: record[name] for name in ("count", "sum")} | {"hash": record["root"]})
    verify_path(path, leaf=leaf, index=index, root=root)
    return Holding(
        family=record["family"],
        bucket=record["bucket"],
        at=state["at"],
        size=size,
        count=1,
        total=leaf.total,
        lots=(lot,),
    )


def _expected(record: Mapping[str, Any], state: Mapping[str, Any]) -> Expected:
    """Returns what the lots under a bucket's record are expected to be."""
    return Expected(family=record["family"], bucket=record["bucket"], at=_count(state["at"]))


def _node(node: Mapping[str, Any]) -> SumNode:
    """Returns a node of a sum tree."""
    _require_members(node, "count", "hash", "sum")
    return SumNode(
        hash=b64url_decode(node["hash"], what="path", length=32),
        total=_sum(node["sum"]),
        count=_count(node["count"]),
    )


def _require_members(part: Mapping[str, Any], *names: str) -> None:
    """Checks that a part of a proof has these members and no others."""
    if set(part) != set(names):
        raise MalformedError(what="proof", reason=f"a part has other members than {names}")


def _count(value: Any) -> int:
    """Returns an index, size or count; Python would take `true` for 1."""
    if type(value) is not int:
        raise MalformedError(what="proof", reason=f"{value!r} is no index or count")
    return value


def _sum(value: Any) -> int:
    """Returns a sum of minor units from its one spelling."""
    if not _SUM.fullmatch(value):
        raise MalformedError(what="proof", reason=f"{value!r} is no sum of minor units")
    return int(value)


def _verify_bucket(
    proof: Mapping[str, Any], note: str, *, origin: Origin, key: PublicKey
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Verifies everything above the lots; returns bucket record, state and log size."""
    _require_members(proof, "bucket", "founding", "state", "v")
    if _count(proof["v"]) != VERSION:
        raise MalformedError(what="proof", reason=f"is of version {proof['v']}")
    checkpoint = open_checkpoint(note, origin=origin, key=key)
    state_entry = _verify_entry(proof["state"], checkpoint.head, "state entry")
    if state_entry.kind != "state":
        raise ProofFailedError(reason=f"entry {state_entry.index} is no state entry")
    state = committed_state(state_entry)
    _require_members(proof["bucket"], "path", "record")
    data = b64url_decode(proof["bucket"]["record"], what="bucket record")
    record: dict[str, Any] = dict(parse_object(data, what="bucket record"))
    family = record.get("family")
    if family not in FOUNDING:
        raise ProofFailedError(reason=f"the bucket record is of family {family!r}")
    committed = state[family]
    verify_inclusion(
        _path(proof["bucket"]),
        leaf_hash=hash_leaf(data),
        leaf_index=_count(record["ordinal"]),
        head=TreeHead(
            size=_count(committed["buckets"]),
            root=b64url_decode(committed["root"], what="family root", length=32),
        ),
    )
    founding = _verify_entry(proof["founding"], checkpoint.head, "ordinal entry")
    if founding.index >= state["at"] or not _founds(founding, record):
        raise ProofFailedError(reason="the ordinal entry does not give the bucket its ordinal")
    if family == "voucher":
        parts = sum(_sum(record[name]) for name in ("sum", "discharged", "cancelled"))
        if parts != _sum(record["face"]):
            raise ProofFailedError(reason="sum, discharged and cancelled do not add up to face")
    return record, state, checkpoint.size


def _path(part: Mapping[str, Any]) -> tuple[bytes, ...]:
    """Returns the path member of a part of a proof."""
    return tuple(b64url_decode(node, what="path", length=32) for node in part["path"])


def _verify_entry(part: Mapping[str, Any], head: TreeHead, what: str) -> Entry:
    """Verifies that an entry is in the log."""
    _require_members(part, "entry", "index", "path")
    data = b64url_decode(part["entry"], what=what)
    entry = open_entry(data)
    if _count(part["index"]) != entry.index:
        raise ProofFailedError(reason=f"{what}: its index says {entry.index}")
    verify_inclusion(_path(part), leaf_hash=hash_leaf(data), leaf_index=entry.index, head=head)
    return entry


def _founds(entry: Entry, record: Mapping[str, Any]) -> bool:
    """Tells whether an entry's effects give a bucket its ordinal."""
    changes = entry.effects.get("changes")
    members = FOUNDING[record["family"]]
    return isinstance(changes, list) and any(
        isinstance(change, dict)
        and change.get("ordinal") == record["ordinal"]
        and change.get(members.get(str(change.get("effect")), "")) == record["bucket"]
        for change in changes
    )


def _require_root(root: SumNode, record: Mapping[str, Any], reason: str) -> None:
    """Compares recomputed root, sum and count with the bucket record."""
    if (b64url_encode(root.hash), str(root.total), root.count) != (
        record["root"],
        record["sum"],
        record["count"],
    ):
        raise ProofFailedError(reason=reason)


def _verify_manifest(files: Mapping[str, bytes], lots: bytes, holding: Holding) -> None:
    """Checks the index against what was proved, and the digest of the lots' file."""
    digests: dict[str, Json] = {
        name: digest_b64url(files[name]) for name in ("checkpoint", "proof.json")
    }
    digests[LOTS_FILE] = b64url_encode(lots)
    expected: dict[str, Json] = {
        "at": holding.at,
        "bucket": holding.bucket,
        "count": holding.count,
        "family": holding.family,
        "files": digests,
        "sum": str(holding.total),
        "v": VERSION,
    }
    if files["manifest.json"] != format_json(expected) + b"\n":
        raise ProofFailedError(reason="manifest.json differs from what the files prove")
