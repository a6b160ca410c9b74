"""The evidence: snapshots, an export, its audit, a tampered copy, and the journal.

Everything here works on files. What is fetched over HTTP is exactly what anybody with
the right to it could fetch; what is concluded needs nothing from the server.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from api.client import Client
from api.demo.cast import Actor
from api.files import read_entries, size_of, unpack_zip, write_journal
from clearing.rulebook import RULEBOOK
from registry.audit import Audit, audit_export
from registry.export import DirectoryFiles, write_export
from registry.ids import Origin
from registry.proofs import Holding, verify_lot_proof, verify_snapshot
from registry.signing import PublicKey
from registry.tiles import TILE_WIDTH, entries_path

OFFSET = 480
_AMOUNT = b'"amount":"'


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Collects and checks evidence.

    Attributes:
        directory: Where it is kept.
        origin: The log's name, pinned.
        key: The log key, pinned.
        client: Reads as the auditor or as the trustee.
        auditor: Who may read everything.
        plan: The vehicle, for which its trustee reads.
    """

    directory: Path
    origin: Origin
    key: PublicKey
    client: Client
    auditor: Actor
    plan: Actor

    def snapshot(self, name: str, state_index: int) -> Holding:
        """Takes the plan's snapshot as of a state entry, and verifies the files kept."""
        party = quote(self.plan.party, safe="")
        path = f"/v1/snapshots/holder/{party}/{state_index}"
        files = unpack_zip(self.client.get_bytes(path, by=self.plan.party))
        where = self.directory / "snapshot" / name
        where.mkdir(parents=True, exist_ok=True)
        for path, data in files.items():
            (where / path).write_bytes(data)
        kept = {path.name: path.read_bytes() for path in where.iterdir()}
        return verify_snapshot(kept, origin=self.origin, key=self.key)

    def lot_proof(self, lot: str, state_index: int) -> Holding:
        """Takes and verifies the proof of one lot."""
        path = f"/v1/lots/{lot}/proof/{state_index}"
        data = self.client.get_bytes(path, by=self.plan.party)
        where = self.directory / "snapshot" / "lot-proof.json"
        where.write_bytes(data)
        return verify_lot_proof(where.read_bytes(), origin=self.origin, key=self.key)

    def newest_state(self) -> int:
        """Returns the index of the newest state entry."""
        states = list(self.client.pages("/v1/states", by=self.auditor.party))
        return max(int(state["index"]) for state in states)

    def export(self) -> int:
        """Downloads the log and writes it as an export; returns its number of entries."""
        note = self.client.get_bytes("/log/checkpoint").decode()
        target = self.directory / "export"
        shutil.rmtree(target, ignore_errors=True)
        entries = read_entries(
            lambda path: self.client.get_bytes(f"/log/{path}", by=self.auditor.party),
            size_of(note),
        )
        return write_export(target, note=note, entries=entries)

    def audit(self, name: str, told: Callable[[int, int], None]) -> Audit:
        """Audits an export that stands in the directory."""
        return audit_export(
            DirectoryFiles(self.directory / name),
            origin=self.origin,
            key=self.key,
            rulebook=RULEBOOK,
            progress=told,
        )

    def tamper(self) -> Audit:
        """Audits a copy of the export in which one digit of one amount was changed."""
        copy = self.directory / "tampered"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.directory / "export", copy)
        size = size_of((copy / "checkpoint").read_text())
        path = copy / entries_path(size // TILE_WIDTH // 2, TILE_WIDTH)
        data = bytearray(path.read_bytes())
        at = data.index(_AMOUNT, len(data) // 2) + len(_AMOUNT)
        data[at] = ord("1") if data[at] != ord("1") else ord("2")
        path.write_bytes(data)
        return self.audit("tampered", lambda _done, _all: None)

    def journal(self) -> Path:
        """Writes the journal of every claim and every posting."""
        files = DirectoryFiles(self.directory / "export")
        path = self.directory / "journal.hledger"
        path.write_text(write_journal(files.read, offset_minutes=OFFSET), encoding="utf-8")
        return path
