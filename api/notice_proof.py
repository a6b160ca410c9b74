"""The proof with a notice: written below the letter, and checked from the paper's file alone.

    log        sandbox.example/tests
    notice     <lot>!0
    entry      41
    leaf hash  …
    path       …
               …
    <blank line>
    the signed checkpoint

A page has it as this text; a PDF prints it so, and has it attached as canonical JSON.

The hash of the entry is in the log: that much everybody can check. What stands in the
entry is shown to whom the registry shows it, the two sides of the transfer and an auditor;
with it the file proves what the notice says, and not only that something arrived then.

Source: docs/formats.md, Proof of a notice.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any, Final

from registry.canonical import Json, b64url_decode, b64url_encode, format_json, parse_object
from registry.checkpoint import open_checkpoint
from registry.entries import open_entry
from registry.errors import MissingFileError, ProofFailedError, RegistryError
from registry.ids import Origin
from registry.merkle import hash_leaf, verify_inclusion
from registry.signing import PublicKey

VERSION: Final = 1
ATTACHMENT_MAX: Final = 2**20
"""Bytes of the largest proof: one entry and one path."""
_INDENT: Final = 11
_PROOF: Final = re.compile(r'<pre id="proof">(.*?)</pre>', re.DOTALL)
_ENTRY: Final = re.compile(r'<pre id="entry">(.*?)</pre>', re.DOTALL)
_EMBEDDED: Final = re.compile(rb"/Type\s*/EmbeddedFile\b")
_STREAM: Final = re.compile(rb"\bstream\r?\n")
_MEMBERS: Final = frozenset({"checkpoint", "index", "leaf_hash", "log", "notice", "path", "v"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What shows that a notice's arrival stands in the log.

    Attributes:
        origin: The log's name.
        notice: The notice.
        index: Of the entry.
        leaf_hash: Of the entry, as b64url.
        path: The inclusion path, as b64url.
        note: A signed checkpoint that covers the entry.
        entry: The entry itself, for whom it is shown to.
    """

    origin: Origin
    notice: str
    index: int
    leaf_hash: str
    path: Sequence[str]
    note: str
    entry: str | None = None

    @property
    def size(self) -> str:
        """Entries of the log that the checkpoint signs, as it says."""
        return self.note.split("\n")[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a proof proves: said by the entry, whatever the letter says.

    Attributes:
        index: Of the entry.
        time: Of the arrival, in milliseconds.
        size: Of the log that the checkpoint signs.
        notice: Everything that the entry says of the notice.
    """

    index: int
    time: int
    size: int
    notice: dict[str, str]


# --- Writing --------------------------------------------------------------------------


def format_proof(proof: Proof) -> str:
    """Writes a proof as text, without the entry."""
    path = [f"{'' if n else 'path':<{_INDENT}}{node}" for n, node in enumerate(proof.path)]
    lines = [
        f"{'log':<{_INDENT}}{proof.origin}",
        f"{'notice':<{_INDENT}}{proof.notice}",
        f"{'entry':<{_INDENT}}{proof.index}",
        f"{'leaf hash':<{_INDENT}}{proof.leaf_hash}",
        *path,
        "",
        proof.note.rstrip("\n"),
    ]
    return "\n".join(lines)


def format_attachment(proof: Proof) -> bytes:
    """Writes a proof as one canonical object and a line end."""
    members: dict[str, Json] = {
        "checkpoint": b64url_encode(proof.note.encode()),
        "index": proof.index,
        "leaf_hash": proof.leaf_hash,
        "log": proof.origin,
        "notice": proof.notice,
        "path": list(proof.path),
        "v": VERSION,
    }
    if proof.entry is not None:
        members["entry"] = b64url_encode(proof.entry.encode())
    return format_json(members) + b"\n"


# --- Reading --------------------------------------------------------------------------


def read_proof(data: bytes) -> Proof:
    """Reads the proof out of a saved page, a PDF, or the file attached to one.

    Raises:
        ProofFailedError: There is none, or it is not in its form.
    """
    if data.startswith(b"%PDF-"):
        return _from_pdf(data)
    if data.startswith(b"{"):
        return _from_attachment(data)
    try:
        return _from_page(data.decode())
    except UnicodeDecodeError:
        raise ProofFailedError(reason="the file is neither a page nor a PDF") from None


def _from_page(page: str) -> Proof:
    """Reads the proof that stands on a page."""
    found, entry = _PROOF.search(page), _ENTRY.search(page)
    if found is None:
        raise ProofFailedError(reason="the page has no proof")
    facts, _, note = unescape(found[1]).partition("\n\n")
    lines = facts.split("\n")
    named = {line[:_INDENT].strip(): line[_INDENT:] for line in lines[:4]}
    if list(named) != ["log", "notice", "entry", "leaf hash"] or not named["entry"].isdecimal():
        raise ProofFailedError(reason="the proof is not in its form")
    return Proof(
        origin=Origin(named["log"]),
        notice=named["notice"],
        index=int(named["entry"]),
        leaf_hash=named["leaf hash"],
        path=[line[_INDENT:] for line in lines[4:]],
        note=f"{note}\n",
        entry=None if entry is None else unescape(entry[1]),
    )


def _from_pdf(data: bytes) -> Proof:
    """Reads the proof that is attached to a PDF, whatever else is."""
    for attached in _attached(data):
        try:
            return _from_attachment(attached)
        except RegistryError:
            continue
    raise ProofFailedError(reason="no proof is attached to the PDF")


def _attached(data: bytes) -> Iterator[bytes]:
    """Yields the files that are embedded in a PDF; of each as much as a proof can have.

    A stream's dictionary always stands in the clear, so no reader of PDF is needed.

    Source: ISO 32000-1, sections 7.3.8 and 7.11.4.
    """
    for mark in _EMBEDDED.finditer(data):
        stream = _STREAM.search(data, mark.end())
        if stream is None:
            return
        dictionary = data[data.rfind(b"obj", 0, mark.start()) : stream.start()]
        if b"/FlateDecode" not in dictionary:
            end = data.find(b"endstream", stream.end(), stream.end() + ATTACHMENT_MAX)
            yield data[stream.end() : end].rstrip(b"\r\n") + b"\n"
            continue
        try:
            yield zlib.decompressobj().decompress(data[stream.end() :], ATTACHMENT_MAX)
        except zlib.error:
            continue


def _from_attachment(data: bytes) -> Proof:
    """Reads a proof as `format_attachment` writes it."""
    members: dict[str, Any] = parse_object(data.removesuffix(b"\n"), what="proof")
    is_right = (
        set(members) - {"entry"} == _MEMBERS
        and members["v"] == VERSION
        and type(members["index"]) is int
        and members["index"] >= 0
        and isinstance(members["path"], list)
    )
    if not is_right or not all(isinstance(text, str) for text in _texts(members)):
        raise ProofFailedError(reason="the proof is not in its form")
    return Proof(
        origin=Origin(members["log"]),
        notice=members["notice"],
        index=members["index"],
        leaf_hash=members["leaf_hash"],
        path=members["path"],
        note=_decode(members["checkpoint"], what="checkpoint"),
        entry=_decode(members["entry"], what="entry") if "entry" in members else None,
    )


def _texts(members: dict[str, Any]) -> Iterator[Json]:
    """Yields everything in a proof that must be a string."""
    for name in ("checkpoint", "leaf_hash", "log", "notice"):
        yield members[name]
    yield members.get("entry", "")
    yield from members["path"]


def _decode(text: str, *, what: str) -> str:
    """Returns the text that a member has as b64url."""
    try:
        return b64url_decode(text, what=what).decode()
    except UnicodeDecodeError:
        raise ProofFailedError(reason=f"{what} is no text") from None


# --- Verifying ------------------------------------------------------------------------


def verify_proof(proof: Proof, *, origin: Origin, key: PublicKey) -> Arrival:
    """Verifies a notice's proof by itself, given the log's name and key.

    Args:
        proof: The proof.
        origin: The log's name, pinned.
        key: The log's key, pinned.

    Raises:
        ProofFailedError: It does not prove.
        NoteFailedError: The checkpoint is not signed by the log's key.
        MissingFileError: All is right, but the entry is not shown.
    """
    if proof.origin != origin:
        raise ProofFailedError(reason=f"the proof is of the log {proof.origin}")
    checkpoint = open_checkpoint(proof.note, origin=origin, key=key)
    leaf = _hash(proof.leaf_hash)
    path = [_hash(node) for node in proof.path]
    verify_inclusion(path, leaf_hash=leaf, leaf_index=proof.index, head=checkpoint.head)
    if proof.entry is None:
        raise MissingFileError(path=f"entry {proof.index}")
    data = proof.entry.encode()
    if hash_leaf(data) != leaf:
        raise ProofFailedError(reason="the entry is another one than the proof is of")
    entry = open_entry(data)
    changes = entry.effects["changes"]
    for change in changes if isinstance(changes, list) else ():
        if not isinstance(change, dict) or change.get("effect") != "notice-arrived":
            continue
        if change["notice"] == proof.notice:
            said = {name: str(value) for name, value in change.items() if name != "effect"}
            return Arrival(index=proof.index, time=entry.time, size=checkpoint.size, notice=said)
    raise ProofFailedError(reason="the entry brings another notice")


def _hash(text: str) -> bytes:
    """Reads a hash of the proof."""
    return b64url_decode(text, what="hash", length=32)
