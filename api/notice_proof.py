"""The proof on a notice's page: written below the letter, and checked from the page alone.

    log        sandbox.example/tests
    notice     <lot>!0
    entry      41
    leaf hash  …
    path       …
               …
    <blank line>
    the signed checkpoint

The hash of the entry is in the log: that much everybody can check. What stands in the
entry is shown to whom the registry shows it, the two sides of the transfer and an auditor;
with it the page proves what the notice says, and not only that something arrived then.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape, unescape
from typing import Final

from registry.canonical import b64url_decode
from registry.checkpoint import open_checkpoint
from registry.entries import open_entry
from registry.errors import MissingFileError, ProofFailedError
from registry.ids import Origin
from registry.merkle import hash_leaf, verify_inclusion
from registry.signing import PublicKey

_INDENT: Final = 11
_PROOF: Final = re.compile(r'<pre id="proof">(.*?)</pre>', re.DOTALL)
_ENTRY: Final = re.compile(r'<pre id="entry">(.*?)</pre>', re.DOTALL)


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
        size: Of the log that the note signs.
        entry: The entry itself, for whom it is shown to.
    """

    origin: Origin
    notice: str
    index: int
    leaf_hash: str
    path: Sequence[str]
    note: str
    size: int
    entry: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a page proves: said by the entry, whatever the letter above it says.

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


def format_proof(proof: Proof) -> str:
    """Writes a proof as HTML."""
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
    text = f'<pre id="proof">{escape(chr(10).join(lines))}</pre>'
    if proof.entry is None:
        return text
    return f'{text}\n<pre id="entry">{escape(proof.entry)}</pre>'


def verify_page(page: str, *, origin: Origin, key: PublicKey) -> Arrival:
    """Verifies a notice's page by itself, given the log's name and key.

    Args:
        page: The HTML as it was saved.
        origin: The log's name, pinned.
        key: The log's key, pinned.

    Raises:
        ProofFailedError: The page has no proof, or it does not prove.
        NoteFailedError: The checkpoint is not signed by the log's key.
        MissingFileError: All is right, but the entry is not on the page.
    """
    found = _PROOF.search(page)
    if found is None:
        raise ProofFailedError(reason="the page has no proof")
    facts, _, note = unescape(found[1]).partition("\n\n")
    checkpoint = open_checkpoint(f"{note}\n", origin=origin, key=key)
    lines = facts.split("\n")
    named = {line[:_INDENT].strip(): line[_INDENT:] for line in lines[:4]}
    if list(named) != ["log", "notice", "entry", "leaf hash"] or not named["entry"].isdecimal():
        raise ProofFailedError(reason="the proof is not in its form")
    index, leaf = int(named["entry"]), _hash(named["leaf hash"])
    path = [_hash(line[_INDENT:]) for line in lines[4:]]
    verify_inclusion(path, leaf_hash=leaf, leaf_index=index, head=checkpoint.head)
    shown = _ENTRY.search(page)
    if shown is None:
        raise MissingFileError(path=f"entry {index}")
    data = unescape(shown[1]).encode()
    if hash_leaf(data) != leaf:
        raise ProofFailedError(reason="the entry is another one than the proof is of")
    entry = open_entry(data)
    changes = entry.effects["changes"]
    for change in changes if isinstance(changes, list) else ():
        if not isinstance(change, dict) or change.get("effect") != "notice-arrived":
            continue
        if change["notice"] == named["notice"]:
            said = {name: str(value) for name, value in change.items() if name != "effect"}
            return Arrival(index=index, time=entry.time, size=checkpoint.size, notice=said)
    raise ProofFailedError(reason="the entry brings another notice")


def _hash(text: str) -> bytes:
    """Reads a hash of the proof."""
    return b64url_decode(text, what="hash", length=32)
