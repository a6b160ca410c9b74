"""The story of GV-01 through the real engine, exported and audited."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from registry.audit import audit_export
from registry.checkpoint import Checkpoint, sign_checkpoint
from registry.export import DirectoryFiles, write_export
from registry.kinds import Rulebook
from registry.model import LOTS
from registry.store.memory import MemoryStore
from registry.verdicts import Verdict
from tests.builders import ORIGIN, World, instant, key_of


@pytest.fixture
def world() -> World:
    rulebook = Rulebook()
    return World(MemoryStore(rulebook.tables), rulebook).cast()


def tell(world: World) -> str:
    voucher = world.issue()
    to_s2 = world.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    to_s3 = world.transfer(f"{to_s2}.2", 25_000_000, by="s2", to="s3")
    to_factor = world.transfer(f"{to_s3}.1", 20_000_000, by="s2", to="factor", purpose="finance")
    world.transfer(f"{to_factor}.2", 20_000_000, by="factor", to="trustee#T1", purpose="securitise")
    return voucher


def test_gv01_holdings(world: World) -> None:
    voucher = tell(world)
    held: Counter[str] = Counter()
    for lot in world.store.select(LOTS, field="voucher", value=voucher):
        held[lot.holder] += lot.amount
    names = {str(party): name for name, party in world.ids.items()}
    assert {names[p]: amount for p, amount in held.items()} == {
        "s1": 40_000_000,
        "s2": 15_000_000,
        "s3": 25_000_000,
        "trustee#T1": 20_000_000,
    }


def test_an_export_of_the_story_audits(world: World, tmp_path: Path) -> None:
    tell(world)
    world.advance(instant(date(2025, 12, 19)))
    world.engine.submit([])
    head = world.engine.head
    note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=head.size, root=head.root), key_of("log"))
    write_export(tmp_path / "export", note=note, entries=world.store.entries(0, head.size))
    audit = audit_export(
        DirectoryFiles(tmp_path / "export"),
        origin=ORIGIN,
        key=key_of("log").public,
        rulebook=world.rulebook,
    )
    assert audit.findings == []
    assert audit.verdict is Verdict.VERIFIED
    assert audit.digest == world.digest()
