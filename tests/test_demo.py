"""The demonstration's claims, checked from what it leaves behind."""

import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pysqlite3
import pytest

from api.cli.common import pinned
from api.files import read_entries, size_of
from clearing.rulebook import RULEBOOK
from registry.audit import audit_export
from registry.checkpoint import Checkpoint, format_verifier_key, sign_checkpoint
from registry.export import DirectoryFiles, write_export
from registry.ids import Origin
from registry.merkle import hash_leaf, root_of
from registry.signing import PrivateKey
from registry.state import replay_digest
from registry.store.sql import SqlStore
from registry.verdicts import Verdict
from tests.api.cli.terminal import invoke
from tests.builders import ORIGIN as SMALL_ORIGIN
from tests.demonstration import Demo, run_demo
from tests.logs import LOG_KEY, note_of, story
from tests.postgres import NEWEST, Server
from tests.snapshots import indexed, lots_of, with_lots

README = Path(__file__).resolve().parent.parent / "README.md"
ORIGIN = Origin("sandbox.tallystick.example/jc144-144")
SEED = 7


def tallystick(*arguments: str | Path, exits: int = 0) -> str:
    """Runs a command, which must exit so; returns what it printed."""
    done = invoke([str(each) for each in arguments], {})
    assert done.code == exits, done.stdout + done.stderr
    return done.stdout


class TestReport:
    def test_the_pool_is_the_published_one(self, demo: Demo) -> None:
        pool = demo.report["pool"]
        assert pool["claims"] == 584
        assert pool["principal_fen"] == "100015170000"
        assert pool["face_fen"] == pool["pooled_face_fen"] == "100960432718"
        tables = {"sizes": True, "terms": True, "rates": True, "means": True}
        assert pool["published_tables"] == tables

    def test_holders_of_every_tier_were_financed(self, demo: Demo) -> None:
        financed = demo.report["pool"]["financed_fen_by_tier"]
        assert set(financed) == {"1", "2", "3"}
        assert sum(map(int, financed.values())) == 100_015_170_000

    def test_both_routes_pay_the_same_gv01(self, demo: Demo) -> None:
        direct, tiered = demo.report["gv01"]["direct"], demo.report["gv01"]["tiered"]
        assert (direct["instructions"], direct["gross_fen"]) == (4, "100000000")
        assert (tiered["instructions"], tiered["gross_fen"]) == (5, "225000000")
        assert direct["paid"] == tiered["paid"]
        amounts = sorted(map(int, direct["paid"].values()))
        assert amounts == [15_000_000, 20_000_000, 25_000_000, 40_000_000]

    def test_the_counts_agree_with_one_another(self, demo: Demo) -> None:
        counts, clearing = demo.report["counts"], demo.report["clearing"]
        # Two more are cleared apart, in the chapter in which money does not come.
        assert counts["vouchers"] - 2 == clearing["vouchers"] == 584 + 48 + 2 + 1
        assert clearing["plans"] == len(clearing["by_due_date"])
        instructions = sum(each["instructions"] for each in clearing["by_due_date"])
        assert sum(clearing["instructions"].values()) == instructions
        total = sum(int(each["total"]) for each in clearing["by_due_date"])
        assert int(clearing["total_fen"]) == total
        assert counts["notices"] > counts["vouchers"]
        assert counts["entries"] > counts["statements"] > 10_000

    def test_what_must_be_refused_in_the_scenes_was(self, demo: Demo) -> None:
        refused = list(demo.report["scenes"]["refused"].values())
        assert refused == ["lot-burdened", "lot-burdened", "answer-missing", "duty-missing"]

    def test_the_morning_is_read_by_role(self, demo: Demo) -> None:
        morning = demo.report["morning"]
        assert set(morning["operator"]) == {
            *("matures-today", "matures-soon", "all-approvals", "all-unanswered"),
            *("all-unacknowledged", "all-tasks", "all-limits"),
        }
        assert set(morning["core"]) == {"notices-to-acknowledge", "near-limit"}
        assert morning["S1"] == {"approvals": 1}

    def test_the_plan_holds_its_pool_and_then_what_a_debtor_lacked(self, demo: Demo) -> None:
        before, after = demo.report["snapshots"]["before"], demo.report["snapshots"]["after"]
        assert before["sum_fen"] == demo.report["pool"]["pooled_face_fen"]
        assert (after["lots"], after["sum_fen"]) == (1, "6000000")

    def test_gv_03_and_gv_02_are_told_to_the_fen(self, demo: Demo) -> None:
        told = demo.report["broken"]["gv03"]
        assert (told["others_fen_days"], told["gross_fen_days"]) == ("405000000", "540000000")
        assert told["obligations"] == [["return", "20000000", "due"], ["top-up", "20000000", "met"]]
        less = demo.report["broken"]["gv02"]
        paid = sorted(map(int, less["paid"].values()))
        assert paid == [10_500_000, 14_000_000, 17_500_000, 28_000_001]
        assert less["reconciled"]["short"] == "29999999"

    def test_the_readme_counts_what_this_run_counts(self, demo: Demo) -> None:
        text = README.read_text(encoding="utf-8")
        counts = demo.report["counts"]
        assert f"{counts['entries']} entries, {counts['statements']} statements" in text
        assert text.count(demo.report["root"]) == 2


class TestFiles:
    def test_everything_is_kept(self, demo: Demo) -> None:
        kept = {path.name for path in demo.directory.iterdir()}
        assert {
            *("registry.db", "keys", "log.vkey", "export", "snapshot"),
            *("journal.hledger", "report.json", "server", "tampered"),
        } == kept - {"registry.db-wal", "registry.db-shm"}

    def test_private_keys_are_their_owners_alone(self, demo: Demo) -> None:
        keys = list(demo.directory.rglob("*.pem"))
        assert len(keys) > 600
        assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}

    def test_the_report_is_also_a_file(self, demo: Demo) -> None:
        assert '"principal_fen": "100015170000"' in (demo.directory / "report.json").read_text()

    def test_no_terms_and_no_account_numbers_stand_in_the_log(self, demo: Demo) -> None:
        for path in (demo.directory / "export/tile/entries").rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert b"account_no" not in data
                assert b"rate_bp" not in data

    def test_a_second_run_in_the_same_place_is_refused(self, demo: Demo) -> None:
        before = (demo.directory / "report.json").read_bytes()
        done = invoke(["demo", "--dir", str(demo.directory)], {})
        assert (done.code, done.stdout) == (2, "")
        assert "begins with an empty ledger" in done.stderr
        assert (demo.directory / "report.json").read_bytes() == before


AUDIT_ALONE = """
import sys
from api.cli import main
try:
    main()
finally:
    print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def test_the_audit_agrees_and_needs_neither_server_nor_database(demo: Demo) -> None:
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-c", AUDIT_ALONE, "audit", str(demo.directory / "export"),
         "--log-key", demo.vkey],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines() == [
        "0 VERIFIED",
        f"  {demo.report['counts']['entries']} entries, "
        f"{demo.report['counts']['statements']} statements, witnesses: none",
        f"  root {demo.report['root']}",
        f"  replay digest {demo.report['audit']['digest']}",
    ]
    imported = {name.partition(".")[0] for name in done.stderr.split()}
    assert "registry" in imported
    assert imported.isdisjoint({"fastapi", "sqlalchemy", "pysqlite3", "sqlite3", "uvicorn"})


# --- Attacks on the export --------------------------------------------------------------


class Overlaid(DirectoryFiles):
    """An export of which one file was changed, and nothing copied."""

    def __init__(self, directory: Path, path: str, data: bytes) -> None:
        super().__init__(directory)
        self._path, self._data = path, data

    def read(self, path: str) -> bytes:
        return self._data if path == self._path else super().read(path)


def flipped(path: Path, at: int, bit: int) -> bytes:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    return bytes(data)


def export_files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["checkpoint", "tile/0/", "tile/1/", "tile/entries/"])
def test_any_changed_bit_of_the_export_is_found(demo: Demo, kind: str) -> None:
    rng = random.Random(f"{SEED} {kind}")  # noqa: S311 (a test's choice)
    root = demo.directory / "export"
    files = [p for p in export_files(root) if str(p.relative_to(root)).startswith(kind)]
    path = rng.choice(files)
    at, bit = rng.randrange(path.stat().st_size), rng.randrange(8)
    name = str(path.relative_to(root))
    origin, key = pinned(ORIGIN, Path(demo.vkey))
    found = audit_export(
        Overlaid(root, name, flipped(path, at, bit)), origin=origin, key=key, rulebook=RULEBOOK
    )
    assert found.verdict is Verdict.INVALID, (name, at, bit)
    where = found.findings[0].where
    assert where.startswith((name, "entry ")) or ", entry " in where, where


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small export with entries of nearly every kind, and its log's key."""
    directory = tmp_path_factory.mktemp("small")
    write_export(directory / "export", note=note_of(story().entries), entries=story().entries)
    vkey = directory / "log.vkey"
    vkey.write_text(format_verifier_key(SMALL_ORIGIN, LOG_KEY.public) + "\n")
    return directory / "export", vkey


@pytest.mark.parametrize("number", range(40))
def test_any_changed_bit_of_a_small_export_is_found(
    small: tuple[Path, Path], tmp_path: Path, number: int
) -> None:
    export, vkey = small
    rng = random.Random(f"{SEED} {number}")  # noqa: S311 (a test's choice)
    copy = tmp_path / "export"
    shutil.copytree(export, copy)
    files = export_files(copy)
    path = files[number % len(files)]
    at, bit = rng.randrange(path.stat().st_size), rng.randrange(8)
    path.write_bytes(flipped(path, at, bit))
    done = invoke(["audit", str(copy), "--log-key", str(vkey)], {})
    name = str(path.relative_to(copy))
    assert done.code in (10, 12, 13), (name, at, bit)
    assert name in done.stdout or "entry " in done.stdout, done.stdout


def beginning(demo: Demo, target: Path, size: int) -> None:
    """Writes the export of a log that lost its end, signed again with the stolen log key."""
    files = DirectoryFiles(demo.directory / "export")
    entries: Sequence[bytes] = [
        entry for entry, _ in zip(read_entries(files.read, size), range(size), strict=True)
    ]
    key = PrivateKey.from_pem((demo.directory / "server/log-key.pem").read_bytes())
    root = root_of(map(hash_leaf, entries))
    note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=size, root=root), key)
    write_export(target, note=note, entries=entries)


def test_a_cut_off_tail_is_found_with_the_longer_checkpoint(demo: Demo, tmp_path: Path) -> None:
    beginning(demo, tmp_path / "export", 512)
    audit = ("audit", tmp_path / "export", "--log-key", demo.vkey)
    # Nothing in the files themselves shows that there was more.
    assert tallystick(*audit).startswith("0 VERIFIED")
    held = demo.directory / "export/checkpoint"
    said = tallystick(*audit, "--held", held, exits=13)
    assert f"512 entries, and the held checkpoint has {size_of(held.read_text())}" in said


# --- The trustee's snapshot -----------------------------------------------------------


def snapshot_of(demo: Demo) -> dict[str, bytes]:
    where = demo.directory / "snapshot" / "before"
    return {path.name: path.read_bytes() for path in where.iterdir()}


@pytest.mark.parametrize("name", ["before", "after"])
def test_a_snapshot_verifies_offline(demo: Demo, name: str) -> None:
    where = demo.directory / "snapshot" / name
    said = tallystick("snapshot", "verify", where, "--log-key", demo.vkey)
    assert said.startswith("0 VERIFIED\n")
    assert f"{demo.report['snapshots'][name]['lots']} lots" in said


def test_one_lots_proof_verifies_offline(demo: Demo) -> None:
    proof = demo.directory / "snapshot" / "lot-proof.json"
    assert tallystick("verify", proof, "--log-key", demo.vkey).startswith("0 VERIFIED\n")


@pytest.mark.parametrize("change", ["removed", "added", "altered", "swapped"])
@pytest.mark.parametrize("manifest", ["as it was", "made to match"])
def test_a_changed_snapshot_is_invalid(
    demo: Demo, tmp_path: Path, change: str, manifest: str
) -> None:
    files = snapshot_of(demo)
    lots = lots_of(files)
    match change:
        case "removed":
            del lots[len(lots) // 2]
        case "added":
            lots.insert(1, lots[0])
        case "altered":
            amount = int(lots[5]["record"]["amount"])
            lots[5]["record"]["amount"] = str(amount + 1)
        case _:
            lots[7], lots[8] = lots[8], lots[7]
    changed = with_lots(files, lots)
    if manifest == "as it was":
        changed = {**changed, "manifest.json": files["manifest.json"]}
    else:
        changed = indexed(changed)
    for name, data in changed.items():
        (tmp_path / name).write_bytes(data)
    said = tallystick("snapshot", "verify", tmp_path, "--log-key", demo.vkey, exits=10)
    assert said.startswith("10 INVALID\n")


# --- The database follows from its log ---------------------------------------------------


def live_digest(database: Path) -> str:
    store = SqlStore(f"sqlite:///{database}", RULEBOOK.tables)
    try:
        return replay_digest(RULEBOOK.tables, store.select)
    finally:
        store.close()


def empty_tables(database: Path) -> None:
    """Deletes every row that follows from the entries."""
    connection = pysqlite3.connect(database)
    with connection:
        for table in RULEBOOK.tables:
            connection.execute(f'DELETE FROM "{table.name}"')  # noqa: S608 (our own names)
    connection.close()


def test_the_state_can_be_deleted_and_follows_from_the_log_again(
    demo: Demo, tmp_path: Path
) -> None:
    copy, rebuilt = tmp_path / "registry.db", tmp_path / "rebuilt.db"
    shutil.copy(demo.directory / "registry.db", copy)
    digest = demo.report["audit"]["digest"]
    assert live_digest(copy) == digest
    empty_tables(copy)
    assert live_digest(copy) != digest
    where = ("--database", f"sqlite:///{copy}", "--origin", ORIGIN)
    said = tallystick("db", "rebuild", *where, "--into", f"sqlite:///{rebuilt}")
    assert f"replay digest {digest}" in said
    assert f"root {demo.report['root']}" in said
    assert history(rebuilt) == history(demo.directory / "registry.db")


def history(database: Path) -> dict[str, list[str]]:
    """Returns every row ever, with the entries between which it was live."""
    connection = pysqlite3.connect(f"file:{database}?mode=ro", uri=True)
    found = {
        table.name: sorted(map(repr, connection.execute(f'SELECT * FROM "{table.name}"')))  # noqa: S608
        for table in RULEBOOK.tables
    }
    connection.close()
    return found


# --- One story, one root ------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A PostgreSQL of the story's own."""
    server = Server(NEWEST).start()
    yield server
    server.remove()


def files_of(directory: Path) -> dict[str, bytes]:
    """Returns what a run gives to others: export, snapshots, journal and the log's key."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for name in ("export", "snapshot", "journal.hledger", "log.vkey")
        for path in [directory / name, *(directory / name).rglob("*")]
        if path.is_file()
    }


@pytest.mark.slow
def test_one_story_has_one_root_on_every_database(
    demo: Demo, postgres: Server, tmp_path: Path
) -> None:
    """The same seed again, on PostgreSQL: the same files to the byte, and told the same."""
    told = run_demo(tmp_path / "again", "--database", postgres.url())
    here, there = files_of(demo.directory), files_of(tmp_path / "again")
    assert here.keys() == there.keys() > {"export/checkpoint", "log.vkey"}
    assert [name for name in here if here[name] != there[name]] == []
    assert not (tmp_path / "again" / "registry.db").exists()
    checked = tallystick("db", "check", "--database", postgres.url(), "--origin", ORIGIN)
    for words in (f"root {demo.report['root']}", demo.report["audit"]["digest"], "0 VERIFIED"):
        assert words in checked
    assert demo.report["root"] in told
    for words in ("应收账款债权转让通知书", "digit for digit", "0 VERIFIED", "10 INVALID"):
        assert words in told
    assert "differs" not in told
    assert "\x1b" not in told
