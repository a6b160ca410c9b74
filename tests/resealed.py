"""A log that its operator has changed, chained again and signed anew; and what an audit says."""

import tempfile
from pathlib import Path
from typing import Any

from clearing.rulebook import RULEBOOK
from registry.audit import Audit, audit_export
from registry.canonical import format_json
from registry.checkpoint import Checkpoint, format_verifier_key, sign_checkpoint
from registry.entries import Entry, open_entry, seal_entry
from registry.export import DirectoryFiles, write_export
from registry.merkle import hash_leaf, root_of
from tests.builders import ORIGIN, key_of


def resealed(entries: list[bytes], at: int, effects: dict[str, Any]) -> list[bytes]:
    """Changes one entry's effects and chains all later entries to it again."""
    changed: list[bytes] = []
    for index, data in enumerate(entries):
        entry = open_entry(data)
        previous = hash_leaf(changed[-1]) if changed else entry.previous
        made = Entry(
            index=index,
            time=entry.time,
            kind=entry.kind,
            origin=entry.origin,
            previous=previous,
            statement=entry.statement,
            effects_json=format_json(effects) if index == at else entry.effects_json,
        )
        changed.append(seal_entry(made))
    return changed


def signed_log(entries: list[bytes]) -> dict[str, Any]:
    """Returns a log as a vector's input, with a checkpoint over it."""
    root = root_of(map(hash_leaf, entries))
    checkpoint = Checkpoint(origin=ORIGIN, size=len(entries), root=root)
    return {
        "origin": ORIGIN,
        "verifier_key": format_verifier_key(ORIGIN, key_of("log").public),
        "checkpoint": sign_checkpoint(checkpoint, key_of("log")),
        "entries": [entry.decode() for entry in entries],
    }


def audit_log(log: dict[str, Any]) -> tuple[int, str]:
    """Audits a vector's log: verdict and replay digest."""
    audit = audit_of(log)
    return int(audit.verdict), audit.digest


def audit_of(log: dict[str, Any]) -> Audit:
    """Audits a vector's log."""
    with tempfile.TemporaryDirectory() as directory:
        export = Path(directory) / "export"
        write_export(
            export, note=log["checkpoint"], entries=[entry.encode() for entry in log["entries"]]
        )
        return audit_export(
            DirectoryFiles(export), origin=ORIGIN, key=key_of("log").public, rulebook=RULEBOOK
        )
