"""Every command: help, usage errors, errors of the machine; and verdicts as exit codes."""

import io
import json
import socket
import stat
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

from api.cli import shield_ids
from api.cli.snapshot import unpack
from clearing.rulebook import RULEBOOK
from registry.export import write_export
from registry.signing import PrivateKey
from tests.api.cli.terminal import Terminal, commands, invoke
from tests.builders import key_of, uscc
from tests.logs import Forger, note_of, story
from tests.snapshots import lot_proof, snapshot


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yields every command and group, by its words."""
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, (*path, name))


EVERY = sorted(walk(commands()))
LEAVES = [path for path in EVERY if not any(other[:-1] == path for other in EVERY if other)]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    t = Terminal(directory=tmp_path, url=f"http://127.0.0.1:{free_port()}")
    t.ids["s1"] = str(uscc(3))
    for name in ("s1.pem", "s1.read.pem"):
        t.path(name).write_bytes(key_of(name).to_pem())
    return t


def free_port() -> int:
    """Returns a port at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def export(terminal: Terminal) -> Path:
    """An export of the story."""
    where = terminal.path("export")
    write_export(where, note=note_of(story().entries), entries=story().entries)
    return where


class TestHelp:
    @pytest.mark.parametrize("path", EVERY, ids=lambda path: " ".join(path) or "tallystick")
    def test_every_command_explains_itself(self, path: tuple[str, ...]) -> None:
        done = invoke([*path, "--help"], {})
        assert done.code == 0
        assert "Usage: tallystick" in done.stdout
        assert done.stderr == ""

    def test_the_program_tells_its_version(self) -> None:
        done = invoke(["--version"], {})
        assert (done.code, done.stdout) == (0, f"tallystick {version('tallystick')}\n")

    def test_every_kind_has_a_command(self) -> None:
        kinds = {tuple(name.split(".")) for name in RULEBOOK.kinds}
        assert kinds <= set(LEAVES)

    def test_every_group_says_what_it_is_about(self) -> None:
        assert [name for name, command in commands().commands.items() if not command.help] == []


class TestUsage:
    @pytest.mark.parametrize("path", LEAVES, ids=" ".join)
    def test_an_unknown_option_is_a_usage_error(self, path: tuple[str, ...]) -> None:
        done = invoke([*path, "--no-such-option"], {})
        assert (done.code, done.stdout) == (2, "")
        assert "No such option" in done.stderr

    def test_an_unknown_command_is_a_usage_error(self) -> None:
        assert invoke(["voucher", "cash"], {}).code == 2

    def test_what_is_not_said_is_asked_for(self) -> None:
        done = invoke(["audit", "export"], {})
        assert done.code == 2
        assert "--log-key" in done.stderr

    @pytest.mark.parametrize("body", ["{", "[]", "1"])
    def test_a_body_that_is_no_object_is_a_usage_error(self, terminal: Terminal, body: str) -> None:
        said = terminal.run("mandate grant --body", body, by="s1", exits=2)
        assert "JSON" in said

    def test_a_log_key_that_is_none_is_a_usage_error(self, terminal: Terminal) -> None:
        terminal.path("log.vkey").write_text("sandbox.example/tests+00000000+AAAA\n")
        assert "no verifier key" in terminal.run("log checkpoint", exits=2)

    def test_the_key_of_another_log_is_a_usage_error(
        self, terminal: Terminal, export: Path
    ) -> None:
        said = terminal.run("audit", export, "--origin", "sandbox.example/other", exits=2)
        assert "is the key of" in said


class TestKeys:
    def test_a_new_key_is_its_owners_alone(self, terminal: Terminal) -> None:
        made = terminal.json("key new", terminal.path("new.pem"))
        assert stat.S_IMODE(terminal.path("new.pem").stat().st_mode) == 0o600
        kept = PrivateKey.from_pem(terminal.path("new.pem").read_bytes())
        assert made == {"kid": kept.public.kid, "key": dict(kept.public.jwk())}

    def test_a_key_is_never_overwritten(self, terminal: Terminal) -> None:
        before = terminal.path("s1.pem").read_bytes()
        assert "never overwritten" in terminal.run("key new", terminal.path("s1.pem"), exits=2)
        assert terminal.path("s1.pem").read_bytes() == before

    def test_a_dangling_link_is_not_followed(self, terminal: Terminal) -> None:
        terminal.path("link.pem").symlink_to(terminal.path("elsewhere.pem"))
        assert invoke(["key", "new", str(terminal.path("link.pem"))], {}).code in (1, 2)
        assert not terminal.path("elsewhere.pem").exists()


class TestTheMachine:
    def test_nobody_listens(self, terminal: Terminal) -> None:
        assert "no answer after" in terminal.run("log checkpoint", exits=1)

    def test_a_key_that_is_not_there(self, terminal: Terminal) -> None:
        terminal.path("s1.pem").unlink()
        said = terminal.run("mandate grant", by="s1", exits=1)
        assert f"no key in {terminal.path('s1.pem')} (--key): No such file" in said
        assert "`tallystick key new FILE` makes one" in said
        terminal.path("s1.pem").write_text("no key\n")
        said = terminal.run("mandate grant", by="s1", exits=1)
        assert "(--key): private key: not an open PKCS#8 file" in said

    def test_a_log_key_that_is_not_there(self, terminal: Terminal, export: Path) -> None:
        terminal.path("log.vkey").unlink()
        assert "cannot read the log key" in terminal.run("audit", export, exits=1)

    @pytest.mark.parametrize("command", ["audit", "snapshot verify", "verify", "log journal"])
    def test_files_that_are_not_there(self, terminal: Terminal, command: str) -> None:
        terminal.run(command, terminal.path("nothing"), exits=1)

    def test_a_held_checkpoint_that_is_not_there(self, terminal: Terminal, export: Path) -> None:
        terminal.run("audit", export, "--held", terminal.path("nothing"), exits=1)

    @pytest.mark.parametrize("command", ["db check", "db rebuild --into sqlite:///new.db"])
    def test_a_database_that_is_not_there_is_not_made(
        self, terminal: Terminal, command: str
    ) -> None:
        terminal.run(command, "--database", f"sqlite:///{terminal.path('no.db')}", exits=1)
        assert not terminal.path("no.db").exists()

    def test_a_terms_file_that_is_not_there(self, terminal: Terminal) -> None:
        assert "No such file" in terminal.run("mandate grant --body @no.json", by="s1", exits=1)


class TestAuditVerdicts:
    def test_verified_is_0(self, terminal: Terminal, export: Path) -> None:
        assert terminal.run("audit", export).startswith("0 VERIFIED\n")
        found = terminal.json("audit --json", export)
        assert (found["verdict"], found["size"]) == (0, len(story().entries))
        assert found["witnesses"] == "none"

    def test_invalid_is_10_and_names_the_place(self, terminal: Terminal, export: Path) -> None:
        (path,) = (export / "tile/entries/000.p").iterdir()
        data = path.read_bytes()
        path.write_bytes(data.replace(b'"index":3', b'"index":4'))
        said = terminal.run("audit", export, exits=10)
        assert said.startswith("10 INVALID\n")
        assert "entry 3" in said

    def test_diverged_is_12_and_both_notes_are_printed(
        self, terminal: Terminal, export: Path
    ) -> None:
        held = note_of(Forger(RULEBOOK).rewrite(story().entries, at=49, lie=lambda _f, _d: []))
        terminal.path("held").write_text(held)
        said = terminal.run("audit", export, "--held", terminal.path("held"), exits=12)
        assert said.startswith("12 DIVERGED\n")
        assert held in said
        assert (export / "checkpoint").read_text() in said

    def test_incomplete_is_13(self, terminal: Terminal, export: Path) -> None:
        (path,) = (export / "tile/entries/000.p").iterdir()
        path.unlink()
        assert terminal.run("audit", export, exits=13).startswith("13 INCOMPLETE\n")

    def test_json_has_findings_and_notes(self, terminal: Terminal, export: Path) -> None:
        (export / "README").write_text("extra")
        found = json.loads(terminal.run("audit --json", export, exits=10))
        assert [finding["where"] for finding in found["findings"]] == ["export"]
        assert found["notes"] == []


class TestProofVerdicts:
    def test_a_snapshot_is_verified(self, terminal: Terminal) -> None:
        where = terminal.path("snapshot")
        where.mkdir()
        for name, data in snapshot().items():
            (where / name).write_bytes(data)
        assert terminal.run("snapshot verify", where).startswith("0 VERIFIED\n")
        assert terminal.json("snapshot verify --json", where)["verdict"] == 0
        (where / "lots.ndjson").write_bytes(b"")
        assert terminal.run("snapshot verify", where, exits=10).startswith("10 INVALID\n")
        (where / "lots.ndjson").unlink()
        assert terminal.run("snapshot verify", where, exits=13).startswith("13 INCOMPLETE\n")

    def test_a_snapshot_may_be_larger_than_any_file_of_an_export(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("registry.export.FILE_SIZE_MAX", 100)
        monkeypatch.setattr("api.cli.verify.BYTES_A_JOB", 1_000)
        where = terminal.path("snapshot")
        where.mkdir()
        for name, data in snapshot().items():
            (where / name).write_bytes(data)
        for jobs in ("", "--jobs 1", "--jobs 2"):
            assert terminal.run(f"snapshot verify {jobs}", where).startswith("0 VERIFIED\n")

    def test_a_snapshot_does_not_lead_elsewhere(self, terminal: Terminal) -> None:
        elsewhere, where = terminal.path("lots.ndjson"), terminal.path("snapshot")
        where.mkdir()
        for name, data in snapshot().items():
            (where / name).write_bytes(data)
        (where / "lots.ndjson").rename(elsewhere)
        (where / "lots.ndjson").symlink_to(elsewhere)
        assert terminal.run("snapshot verify", where, exits=10).startswith("10 INVALID\n")

    @pytest.mark.parametrize(
        "names",
        [
            ("checkpoint", "lots.ndjson", "manifest.json", "../proof.json"),
            ("checkpoint", "lots.ndjson", "manifest.json", "/proof.json"),
            ("checkpoint", "lots.ndjson", "manifest.json"),
            ("checkpoint", "lots.ndjson", "manifest.json", "proof.json", "more"),
        ],
    )
    def test_an_archive_of_other_files_is_not_unpacked(
        self, names: tuple[str, ...], tmp_path: Path
    ) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")
        with pytest.raises(typer.Exit):
            unpack(packed.getvalue(), tmp_path / "snapshot")
        assert list(tmp_path.iterdir()) == []

    def test_a_lots_proof_is_verified(self, terminal: Terminal) -> None:
        proof = terminal.path("lot-proof.json")
        proof.write_bytes(lot_proof())
        assert terminal.run("verify", proof).startswith("0 VERIFIED\n")
        proof.write_bytes(lot_proof().replace(b'"count":', b'"count":1', 1))
        assert terminal.run("verify", proof, exits=10).startswith("10 INVALID\n")


def test_data_goes_to_stdout_and_talk_to_stderr(terminal: Terminal) -> None:
    done = invoke(["key", "new", str(terminal.path("s1.pem"))], {})
    assert done.stdout == ""
    assert done.stderr.startswith(str(terminal.path("s1.pem"))[:20])


def test_the_table_of_kinds_is_data(terminal: Terminal) -> None:
    kinds = terminal.json("kind list")
    assert kinds.keys() == RULEBOOK.kinds.keys()
    assert all(kind["body"]["type"] == "object" for kind in kinds.values())


def test_a_salt_is_fresh(terminal: Terminal) -> None:
    assert terminal.run("terms salt") != terminal.run("terms salt")


def test_an_id_that_begins_with_a_dash_is_no_option() -> None:
    sid = "-" + "A" * 42
    assert shield_ids(["lot", "show", f"{sid}.0", "--json"]) == [
        *("lot", "show", "--json", "--", f"{sid}.0")
    ]
    assert shield_ids(["lot", "show", "--json", sid]) == ["lot", "show", "--json", "--", sid]
    assert shield_ids(["voucher", "accept", "--re", sid]) == ["voucher", "accept", "--re", sid]
    assert shield_ids(["audit", "--no-such-option"]) == ["audit", "--no-such-option"]
