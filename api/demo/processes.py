"""The demonstration's other processes: a registry server, and a bank each.

They are the same programs that an operator would run, started with the same commands,
and spoken to over HTTP; a bank is told on its standard input which plan to look at.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from api.demo.cast import Actor
from registry.ids import Origin, Sid


class ProcessFailedError(OSError):
    """A process of the demonstration did not start, or ended early."""

    def __init__(self, *, log: str) -> None:
        """Says where more is written."""
        super().__init__(f"the process did not answer; see {log}")


START_SECONDS = 30
STOP_SECONDS = 10


@dataclass(slots=True, kw_only=True)
class ServerProcess:
    """A registry server on a free port."""

    directory: Path
    origin: Origin
    database: str
    _process: subprocess.Popen[bytes] | None = None
    port: int = 0

    def __enter__(self) -> "ServerProcess":
        """Starts it and waits until it answers."""
        port_file = self.directory / "server" / "port"
        port_file.parent.mkdir(parents=True, exist_ok=True)
        port_file.unlink(missing_ok=True)
        log = (self.directory / "server" / "server.log").open("ab")
        command = [
            *(sys.executable, "-m", "api.server", "--origin", self.origin),
            *("--database", self.database, "--dir", str(port_file.parent)),
            *("--port", "0", "--port-file", str(port_file)),
        ]
        try:
            with log, _signals_held():
                self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
            self.port = _await_port(self._process, port_file)
        except BaseException:
            # Nobody calls `__exit__` of what was not entered: Ctrl-C must leave nothing behind.
            if self._process is not None:
                _stop(self._process)
            raise
        return self

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid if self._process else 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops it."""
        if self._process is not None:
            _stop(self._process)


class BankProcess:
    """A simulated bank with its own key, which posts what a plan tells it to."""

    def __init__(self, actor: Actor, *, url: str, origin: Origin, keys: Path, seed: int) -> None:
        """Starts it.

        Args:
            actor: The bank.
            url: The registry.
            origin: The log's name.
            keys: Where its keys are: `<short>.pem` to sign, `<short>.read.pem` to read.
            seed: Its statements' ids follow from it.
        """
        command = [
            *(sys.executable, "-m", "api.rail", "--url", url, "--origin", origin),
            *("--bank", actor.party, "--seed", f"{seed}/{actor.short}"),
            *("--key", str(keys / f"{actor.short}.pem")),
            *("--read-key", str(keys / f"{actor.short}.read.pem")),
            *("--log-key", str(keys.parent / "log.vkey")),
        ]
        # In a group of its own: Ctrl-C at a terminal is for the demonstration, which ends it.
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
        )

    def __enter__(self) -> "BankProcess":
        """Is running."""
        return self

    def report(self, plan: Sid, *, now: int, **faults: Any) -> tuple[int, int]:
        """Has the bank post what it can of a plan; returns how many, and its statements.

        Args:
            plan: The plan.
            now: The time of its statements.
            faults: What it is to do wrong: see `api.rail`.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("started without pipes")
        try:
            self._process.stdin.write(json.dumps({"now": now, "plan": plan, **faults}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise ProcessFailedError(log="the bank's standard error")
        told = json.loads(answer)
        return int(told["posted"]), int(told["statements"])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends it."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        _stop(self._process)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Holds signals back while a process is started: in between nobody knows it who could end it.

    They are not blocked, for the process would be born so, and could not be ended by them.
    """
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _frame: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
        # Who ignores one is to start processes that ignore it.
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


def _await_port(process: subprocess.Popen[bytes], port_file: Path) -> int:
    """Waits until a server tells its port.

    Raises:
        ProcessFailedError: It ended, or took too long.
    """
    waited_until = time.monotonic() + START_SECONDS
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > waited_until:
            raise ProcessFailedError(log=str(port_file.parent / "server.log"))
        time.sleep(0.02)
    return int(port_file.read_text())


def _stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Ends a process, and makes sure of it, even if told again to hurry."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        process.kill()
        process.wait()
