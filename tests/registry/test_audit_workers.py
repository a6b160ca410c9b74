"""Workers: they say what this process would say, and one that fails is never an audit passed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from registry import audit_workers
from registry.audit import Audit, audit_export
from registry.audit_workers import Bundle, LocalReaders, WorkerReaders, make_bundle
from registry.errors import InvariantBrokenError
from registry.tiles import format_bundle
from tests.builders import ORIGIN
from tests.lies import LIES
from tests.logs import LOG_KEY, Forger, MemoryFiles, audit, export, story
from tests.watched import RULEBOOK

KINDS = RULEBOOK.kinds
WIDTH = 8


def bundles(entries: Iterable[bytes]) -> Iterator[Bundle]:
    """Makes small bundles, so that a short log has many."""
    data = list(entries)
    for index, at in enumerate(range(0, len(data), WIDTH)):
        members = tuple(data[at : at + WIDTH])
        yield make_bundle(index, format_bundle(members), members)


@pytest.fixture
def fresh() -> Iterator[WorkerReaders]:
    with WorkerReaders(KINDS, ORIGIN, jobs=2) as readers:
        yield readers


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerReaders]:
    with WorkerReaders(KINDS, ORIGIN, jobs=2) as readers:
        yield readers


def parallel(files: MemoryFiles, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """Audits a short log as if it were a long one."""
    monkeypatch.setattr("registry.audit.PARALLEL_FROM", 0)
    return audit_export(files, origin=ORIGIN, key=LOG_KEY.public, rulebook=RULEBOOK, jobs=2)


class TestAnswers:
    def test_they_are_in_order_and_what_this_process_says(self, workers: WorkerReaders) -> None:
        here = list(LocalReaders(KINDS, ORIGIN).read(bundles(story().entries)))
        assert len(here) > 4
        assert list(workers.read(bundles(story().entries))) == here

    def test_a_key_claimed_in_one_bundle_is_known_to_all_workers(
        self, workers: WorkerReaders
    ) -> None:
        for _bundle, reading in workers.read(bundles(story().entries)):
            assert None not in reading.readings

    def test_no_more_is_read_ahead_than_the_workers_hold(self, workers: WorkerReaders) -> None:
        taken: list[int] = []

        def told() -> Iterator[Bundle]:
            for bundle in bundles(story().entries):
                taken.append(bundle.index)
                yield bundle

        for done, _ in enumerate(workers.read(told())):
            assert len(taken) <= done + 1 + 2 * audit_workers.BUNDLES_AHEAD

    def test_answers_larger_than_a_pipe_do_not_stop_both_sides(
        self, workers: WorkerReaders
    ) -> None:
        large = max(story().entries, key=len)
        many = [make_bundle(n, format_bundle([large] * 200), (large,) * 200) for n in range(12)]
        assert sum(1 for _ in workers.read(many)) == 12

    @pytest.mark.parametrize("lie", [None, "another debtor", "a state of another total"])
    def test_a_verdict_does_not_depend_on_who_reads(
        self, lie: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entries = list(story().entries)
        if lie is not None:
            kind, number, change = LIES[lie]
            at = story().index(kind, number)
            forger = Forger(RULEBOOK)
            entries = forger.rewrite(entries, at=at, lie=lambda _f, draft: [change(draft)])
        found, here = parallel(export(entries), monkeypatch), audit(export(entries))
        assert replace(found, state=None) == replace(here, state=None)
        assert (found.findings == []) == (lie is None)

    def test_few_entries_are_read_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(audit_workers, "_START")
        files = export(story().entries)
        found = audit_export(files, origin=ORIGIN, key=LOG_KEY.public, rulebook=RULEBOOK, jobs=64)
        assert found.findings == []


class TestFailures:
    @pytest.mark.parametrize("when", [0, 1, 3])
    def test_a_worker_that_is_killed_ends_the_audit(self, fresh: WorkerReaders, when: int) -> None:
        answers = fresh.read(bundles(story().entries))
        for _ in range(when + 1):
            next(answers)
        fresh._workers[1]._process.kill()
        fresh._workers[1]._process.wait()
        with pytest.raises(ChildProcessError, match="status -9"):
            list(answers)

    def test_an_answer_that_does_not_come_is_not_taken_for_one(self, fresh: WorkerReaders) -> None:
        for worker in fresh._workers:
            worker._process.kill()
            worker._process.wait()
        silent, full = fresh._workers
        with pytest.raises(ChildProcessError, match="status -9"):
            silent.receive()
        with pytest.raises(ChildProcessError, match="status -9"):
            full.send(next(bundles(story().entries)))

    def test_an_audit_whose_workers_fail_has_no_verdict(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(audit_workers, "_START", "raise SystemExit(7)")
        files = export(story().entries)
        with pytest.raises(ChildProcessError, match="status 7"):
            parallel(files, monkeypatch)

    def test_an_answer_for_another_bundle_is_refused(self, fresh: WorkerReaders) -> None:
        answers = fresh.read(bundles(story().entries))
        next(answers)
        one, other = fresh._workers
        one._out, other._out = other._out, one._out
        with pytest.raises(InvariantBrokenError, match="was answered with"):
            list(answers)

    def test_they_end_with_the_audit_whatever_ends_it(self) -> None:
        readers = WorkerReaders(KINDS, ORIGIN, jobs=2)
        with suppress(KeyboardInterrupt), readers:
            next(readers.read(bundles(story().entries)))
            raise KeyboardInterrupt
        assert all(worker._process.poll() is not None for worker in readers._workers)

    def test_an_interrupt_from_the_terminal_is_the_audits_affair(
        self, fresh: WorkerReaders
    ) -> None:
        read = fresh.read(bundles(story().entries))
        next(read)
        for worker in fresh._workers:
            worker._process.send_signal(signal.SIGINT)
        assert len(list(read)) == len(list(bundles(story().entries))) - 1

    def test_a_worker_ends_when_its_audit_is_gone(self) -> None:
        program = (
            "import os, registry.audit_workers as w, clearing.rulebook as c\n"
            "readers = w.WorkerReaders(c.RULEBOOK.kinds, 'sandbox.example/tests', jobs=2)\n"
            "readers.__enter__()\n"
            "print(*(each._process.pid for each in readers._workers), flush=True)\n"
            "os._exit(0)\n"
        )
        done = subprocess.run(  # noqa: S603 (our own program)
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
        )
        pids = [int(pid) for pid in done.stdout.split()]
        end = time.monotonic() + 30
        while any(_is_running(pid) for pid in pids):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert len(pids) == 2

    def test_a_module_planted_where_the_auditor_stands_is_not_run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        planted = f"open({str(tmp_path / 'ran')!r}, 'w').close()\nraise SystemExit(3)\n"
        for name in ("pickle.py", "signal.py", "registry.py", "queue.py", "sitecustomize.py"):
            (tmp_path / name).write_text(planted)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
        with WorkerReaders(KINDS, ORIGIN, jobs=1) as readers:
            assert list(readers.read(bundles(story().entries[:8])))
        assert not (tmp_path / "ran").exists()


def _is_running(pid: int) -> bool:
    """Tells whether a process is there and not only waited for."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    except OSError:
        return os.getpgid(pid) > 0
