"""The demonstration leaves no process behind, however it ends."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.demo.processes import ServerProcess
from registry.ids import Origin
from tests.demonstration import TALLYSTICK

WAIT_SECONDS = 60.0
PROC = Path("/proc")

pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="looks for processes in /proc")


def children(directory: Path, module: str = "") -> list[int]:
    """Finds the demonstration's other processes: their command lines name its directory."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            ours = any(word.startswith(f"{directory}/") for word in words)
            if ours and (not module or module in words):
                found.append(int(entry.name))
    return found


def wait_until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited too long until {what}"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def _interrupted_as_at_a_terminal() -> Iterator[None]:
    """A shell has what it starts in the background ignore SIGINT, and so all that that starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def start(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 (our own program)
        [*TALLYSTICK, "demo", "--dir", str(directory), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def banks_run(directory: Path) -> bool:
    return len(children(directory, "api.rail")) == 2


def server_runs(directory: Path) -> bool:
    return bool(children(directory, "api.server"))


@pytest.mark.parametrize(
    ("reached", "number", "to_group"),
    [
        (server_runs, signal.SIGINT, False),
        (server_runs, signal.SIGTERM, False),
        (banks_run, signal.SIGINT, True),
    ],
    ids=["interrupted while the server starts", "told to end", "Ctrl-C at the terminal"],
)
def test_nothing_is_left_running(
    directory: Path, reached: Callable[[Path], bool], number: int, *, to_group: bool
) -> None:
    with start(directory) as demo:
        try:
            wait_until(lambda: reached(directory), "the demonstration had got so far")
            if to_group:
                os.killpg(demo.pid, number)
            else:
                demo.send_signal(number)
            printed, said = demo.communicate(timeout=WAIT_SECONDS)
        finally:
            demo.kill()
    assert demo.returncode != 0
    assert printed == ""
    assert "Traceback" not in said, said
    assert children(directory) == []


def test_a_server_that_runs_when_nobody_knows_it_yet_is_ended_too(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes when the process has begun, and before there is a name for it."""
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    directory.mkdir()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    server = ServerProcess(
        directory=directory, origin=Origin("sandbox.example/tests"), database="memory:"
    )
    try:
        with pytest.raises(KeyboardInterrupt):
            server.__enter__()
        assert [each.poll() for each in started] == [-signal.SIGTERM]
    finally:
        for each in started:
            each.kill()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_bank_that_dies_ends_the_demonstration_with_a_word(directory: Path) -> None:
    with start(directory) as demo:
        try:
            wait_until(lambda: banks_run(directory), "the banks were running")
            os.kill(children(directory, "api.rail")[0], signal.SIGKILL)
            _, said = demo.communicate(timeout=WAIT_SECONDS)
        finally:
            demo.kill()
    assert demo.returncode == 1
    assert "the process did not answer" in said
    assert "Traceback" not in said, said
    assert children(directory) == []
