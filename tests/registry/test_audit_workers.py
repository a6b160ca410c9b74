"""Judges elsewhere: they find what is found here, and one that fails is no audit passed."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from clearing.rulebook import RULEBOOK as WHOLE
from registry import audit_workers, workers
from registry.audit import Audit, audit_export
from registry.audit_state import SavedState
from registry.audit_workers import Answer, Elsewhere, Fault, Share, Task, perform
from registry.verdicts import Verdict
from tests.builders import ORIGIN
from tests.lies import LIES
from tests.logs import LOG_KEY, Forger, MemoryFiles, audit, export, story
from tests.watched import RULEBOOK

BOTH = Share(0, 2, 3)


def task(share: Share = BOTH) -> Task:
    """Asks for the judgement of the story."""
    return Task(
        files=export(story().entries),
        origin=ORIGIN,
        key=LOG_KEY.public,
        rulebook=RULEBOOK,
        size=len(story().entries),
        share=share,
    )


class EndlessFiles(MemoryFiles):
    """Files that nobody comes to an end with."""

    def read(self, path: str) -> bytes:
        time.sleep(600)
        return super().read(path)


def endless_task() -> Task:
    """Asks for a judgement that never comes."""
    return replace(task(), files=EndlessFiles({}))


@pytest.fixture
def others() -> Iterator[Elsewhere]:
    """Has the judge of the other share at work."""
    with Elsewhere() as others:
        others.start(task(), None)
        yield others


def parallel(
    files: MemoryFiles, monkeypatch: pytest.MonkeyPatch, *, saved: SavedState | None = None
) -> Audit:
    """Audits a short log as if it were a long one, three entries to each process in turn."""
    monkeypatch.setattr("registry.audit.PARALLEL_FROM", 0)
    monkeypatch.setattr("registry.audit.BLOCK", 3)
    return audit_export(
        files, origin=ORIGIN, key=LOG_KEY.public, rulebook=RULEBOOK, jobs=2, saved=saved
    )


def lied(name: str) -> list[bytes]:
    """Seals the story again with a lie in it."""
    kind, number, change = LIES[name]
    at = story().index(kind, number)
    return Forger(RULEBOOK).rewrite(story().entries, at=at, lie=lambda _f, d: [change(d)])


class TestVerdicts:
    @pytest.mark.parametrize(
        "lie", [None, "another debtor", "a state of another total", "a notice twice"]
    )
    def test_a_verdict_does_not_depend_on_how_many_judge(
        self, lie: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entries = list(story().entries) if lie is None else lied(lie)
        found, here = parallel(export(entries), monkeypatch), audit(export(entries))
        assert replace(found, state=None) == replace(here, state=None)
        assert (found.findings == []) == (lie is None)

    @pytest.mark.parametrize("lie", ["another kind", "a state with a bucket less"])
    def test_all_go_on_from_a_state_that_was_kept(
        self, lie: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind, number, _change = LIES[lie]
        at = story().index(kind, number)
        for entries in (list(story().entries), lied(lie)):
            saved = audit(export(entries[: at - 1]), rulebook=RULEBOOK).state
            found, here = (
                parallel(export(entries), monkeypatch, saved=saved),
                audit(export(entries)),
            )
            assert found.resumed == at - 1
            assert found.findings == here.findings
            assert found.digest == here.digest

    def test_one_elsewhere_says_what_it_would_say_here(self, others: Elsewhere) -> None:
        assert others.answers() == [perform(task(BOTH._replace(number=1)))]

    def test_a_fault_found_elsewhere_is_a_finding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        files = export(story().entries)
        answer = Answer(task_root(), Fault(7, "because"), None)
        monkeypatch.setattr(Elsewhere, "answers", lambda _self: [answer])
        found = parallel(files, monkeypatch)
        assert [(each.where, each.reason) for each in found.findings] == [("entry 7", "because")]
        assert (found.digest, found.state) == ("", None)

    def test_files_that_change_under_the_auditors_hands_are_no_audit_passed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for root in (b"", bytes(32)):
            answer = Answer(root, None, None)
            monkeypatch.setattr(Elsewhere, "answers", lambda _self, answer=answer: [answer])
            found = parallel(export(story().entries), monkeypatch)
            assert found.verdict is Verdict.INVALID
            assert "changed while they were read" in found.findings[0].reason
            assert found.digest == ""

    def test_one_that_cannot_read_an_entry_says_so_by_its_root(self) -> None:
        asked = task()
        (name,) = (name for name in asked.files.names() if "entries" in name)
        assert isinstance(asked.files, MemoryFiles)
        for data in (b"", asked.files.read(name)[:-1]):
            changed = replace(asked, files=asked.files.changed(name, data))
            assert perform(changed) == Answer(b"", None, None)

    def test_few_entries_are_judged_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(workers, "START")
        files = export(story().entries)
        found = audit_export(files, origin=ORIGIN, key=LOG_KEY.public, rulebook=RULEBOOK, jobs=64)
        assert found.findings == []

    def test_a_table_that_travels_arrives_as_itself(self) -> None:
        message = audit_workers.pickled(WHOLE)
        assert pickle.loads(message).tables == WHOLE.tables  # noqa: S301 (our own)


def task_root() -> bytes:
    """Returns the root of the story."""
    return perform(task(audit_workers.ALL)).root


class TestFailures:
    def test_one_that_is_killed_ends_the_audit(self, others: Elsewhere) -> None:
        others._workers[0]._process.kill()
        others._workers[0]._process.wait()
        with pytest.raises(ChildProcessError, match="status -9"):
            others.answers()
        with pytest.raises(ChildProcessError, match="status -9"):
            others._workers[0].put(audit_workers.pickled(task()))

    def test_an_audit_whose_processes_fail_has_no_verdict(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(workers, "START", "raise SystemExit(7)")
        with pytest.raises(ChildProcessError, match="status 7"):
            parallel(export(story().entries), monkeypatch)

    def test_they_end_with_the_audit_whatever_ends_it(self) -> None:
        others = Elsewhere()
        with suppress(KeyboardInterrupt), others:
            others.start(task(Share(0, 3)), None)
            raise KeyboardInterrupt
        assert len(others._workers) == 2
        assert all(worker._process.poll() is not None for worker in others._workers)

    def test_an_interrupt_from_the_terminal_is_the_audits_affair(self, others: Elsewhere) -> None:
        # It ignores it once it runs at all.
        time.sleep(0.3)
        others._workers[0]._process.send_signal(signal.SIGINT)
        assert len(others.answers()) == 1

    def test_a_process_ends_when_its_audit_is_gone(self) -> None:
        program = (
            "import os, tests.registry.test_audit_workers as t\n"
            "others = t.Elsewhere()\n"
            "others.start(t.endless_task(), None)\n"
            "print(others._workers[0]._process.pid, flush=True)\n"
            "os._exit(0)\n"
        )
        done = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
        end = time.monotonic() + 30
        while _is_running(int(done.stdout)):
            assert time.monotonic() < end
            time.sleep(0.05)

    def test_a_module_planted_where_the_auditor_stands_is_not_run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        planted = f"open({str(tmp_path / 'ran')!r}, 'w').close()\nraise SystemExit(3)\n"
        for name in ("pickle.py", "signal.py", "registry.py", "queue.py", "sitecustomize.py"):
            (tmp_path / name).write_text(planted)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
        with Elsewhere() as others:
            others.start(task(), None)
            assert len(others.answers()) == 1
        assert not (tmp_path / "ran").exists()


def _is_running(pid: int) -> bool:
    """Tells whether a process is there and not only waited for."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    except OSError:
        return os.getpgid(pid) > 0
