"""`tallystick audit` that keeps its state, goes on from one, and reads with several processes."""

import hashlib
from pathlib import Path

import pytest

from registry import workers
from registry.export import write_export
from tests.api.cli.terminal import Terminal
from tests.logs import note_of, story


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(directory=tmp_path)


@pytest.fixture
def beginning(terminal: Terminal) -> Path:
    """An export of the story's first entries."""
    entries = story().entries[:50]
    write_export(terminal.path("beginning"), note=note_of(entries), entries=entries)
    return terminal.path("beginning")


@pytest.fixture
def whole(terminal: Terminal) -> Path:
    """An export of the whole story."""
    write_export(terminal.path("whole"), note=note_of(story().entries), entries=story().entries)
    return terminal.path("whole")


class TestStates:
    def test_an_audit_goes_on_from_the_state_of_an_earlier_one(
        self, terminal: Terminal, beginning: Path, whole: Path
    ) -> None:
        state = terminal.path("state")
        kept = terminal.json("audit --json --keep-state", state, beginning)["state_digest"]
        assert kept == hashlib.sha256(state.read_bytes()).hexdigest()
        found = terminal.json("audit --json --state", state, "--state-digest", kept, whole)
        assert (found["resumed"], found["size"]) == (50, len(story().entries))
        whole_audit = terminal.json("audit --json", whole)
        assert found["replay_digest"] == whole_audit["replay_digest"]
        said = terminal.run("audit --state", state, "--state-digest", kept, whole)
        assert "the first 50 entries as an earlier audit found them" in said

    def test_the_digest_is_printed_for_people_too(self, terminal: Terminal, whole: Path) -> None:
        state = terminal.path("state")
        said = terminal.run("audit --keep-state", state, whole)
        assert f"state digest {hashlib.sha256(state.read_bytes()).hexdigest()}" in said

    def test_a_state_without_its_digest_is_a_usage_error(
        self, terminal: Terminal, whole: Path
    ) -> None:
        state = terminal.path("state")
        terminal.run("audit --keep-state", state, whole)
        assert "go together" in terminal.run("audit --state", state, whole, exits=2)
        assert "go together" in terminal.run("audit --state-digest 00", whole, exits=2)

    def test_a_state_that_cannot_be_trusted_is_no_verdict_on_the_log(
        self, terminal: Terminal, whole: Path
    ) -> None:
        state = terminal.path("state")
        terminal.run("audit --keep-state", state, whole)
        said = terminal.run("audit --state", state, "--state-digest", "00" * 32, whole, exits=1)
        assert "the one that you trust is" in said
        nothing = terminal.path("nothing")
        terminal.run("audit --state", nothing, "--state-digest", "00" * 32, whole, exits=1)

    def test_no_state_is_kept_of_a_log_that_is_not_verified(
        self, terminal: Terminal, whole: Path
    ) -> None:
        (whole / "README").write_text("extra")
        terminal.run("audit --keep-state", terminal.path("state"), whole, exits=10)
        assert not terminal.path("state").exists()

    def test_a_state_that_cannot_be_kept_is_told(self, terminal: Terminal, whole: Path) -> None:
        state = terminal.path("no-directory") / "state"
        assert "cannot keep" in terminal.run("audit --keep-state", state, whole, exits=1)


class TestJobs:
    def test_one_process_or_two_say_the_same(
        self, terminal: Terminal, whole: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("registry.audit.PARALLEL_FROM", 0)
        assert terminal.run("audit --jobs 2", whole) == terminal.run("audit --jobs 1", whole)

    def test_processes_that_fail_are_no_verdict(
        self, terminal: Terminal, whole: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("registry.audit.PARALLEL_FROM", 0)
        monkeypatch.setattr(workers, "START", "raise SystemExit(7)")
        said = terminal.run("audit --jobs 2", whole, exits=1)
        assert "has not ended" in said
        assert "VERIFIED" not in said

    def test_no_jobs_is_a_usage_error(self, terminal: Terminal, whole: Path) -> None:
        terminal.run("audit --jobs 0", whole, exits=2)
