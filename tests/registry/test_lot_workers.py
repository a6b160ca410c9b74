"""Lots verified by other processes: the same verdicts, and none that nobody has given."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from registry import lot_lines, workers
from registry.errors import ProofFailedError
from registry.lot_lines import verify_lots
from registry.lot_workers import LotWorkers
from registry.proofs import verify_snapshot_files
from tests.builders import ORIGIN
from tests.logs import LOG_KEY
from tests.registry.test_lot_lines import EXPECTED, LINES
from tests.snapshots import lots_of, snapshot, with_lots


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lot_lines, "LINES_AT_ONCE", 1)


def written(tmp_path: Path, lots: list[Any]) -> Path:
    for name, data in with_lots(snapshot("s2"), lots).items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("jobs", [2, 3])
def test_they_say_what_this_process_says(jobs: int, tmp_path: Path) -> None:
    directory = written(tmp_path, lots_of(snapshot("s2")))
    here = verify_snapshot_files(directory, origin=ORIGIN, key=LOG_KEY.public)
    there = verify_snapshot_files(directory, origin=ORIGIN, key=LOG_KEY.public, jobs=jobs)
    assert there == here
    assert here.count == len(LINES) > jobs


def test_one_wrong_lot_is_found_wherever_it_stands(tmp_path: Path) -> None:
    for at in range(len(LINES)):
        lots = lots_of(snapshot("s2"))
        lots[at]["opening"]["facts"]["tier"] += 1
        directory = written(tmp_path, lots)
        with pytest.raises(ProofFailedError, match=f"lot {at + 1}: the opening does not give"):
            verify_snapshot_files(directory, origin=ORIGIN, key=LOG_KEY.public, jobs=2)


def test_a_worker_that_dies_gives_no_verdict() -> None:
    with LotWorkers(2) as lots:
        for worker in lots._workers:
            worker._process.kill()
        with pytest.raises(ChildProcessError, match="ended before its work"):
            verify_lots(BytesIO(b"".join(LINES)), EXPECTED, verify=lots.verify)


def test_a_worker_that_cannot_start_gives_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "START", "raise SystemExit(3)")
    with LotWorkers(2) as lots, pytest.raises(ChildProcessError):
        verify_lots(BytesIO(b"".join(LINES)), EXPECTED, verify=lots.verify)


def test_all_processes_end_with_the_verification() -> None:
    with LotWorkers(2) as lots:
        verify_lots(BytesIO(b"".join(LINES)), EXPECTED, verify=lots.verify)
        processes = [worker._process for worker in lots._workers]
    assert [process.poll() is not None for process in processes] == [True, True]
    with LotWorkers(1) as lots:
        assert not lots._workers
