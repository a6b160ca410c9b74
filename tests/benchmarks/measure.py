"""What all benchmarks share: a server process, its CPU time, and one JSON line of facts."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import cryptography
import nacl
import pysqlite3

from registry.ids import Origin

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 120.0
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


class Server:
    """A server process that answers at a port of this machine."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, start_seconds: float) -> None:
        """Takes a server that answers."""
        self.process = process
        self.port = port
        self.start_seconds = start_seconds

    def cpu_seconds(self) -> float:
        """Returns the CPU time of the server and of all processes below it so far."""
        return sum(_cpu_seconds(pid) for pid in family(self.process.pid))

    def peak_bytes(self) -> int:
        """Returns the most memory that they have had, added up."""
        return sum(peak_bytes(pid) for pid in family(self.process.pid))


@contextmanager
def server(
    directory: Path,
    database: str,
    *,
    origin: Origin,
    module: str = "api.server",
    options: Sequence[str] = (),
) -> Iterator[Server]:
    """Starts a server process over a ledger, waits until it answers, and stops it."""
    port_file = directory / "port"
    port_file.unlink(missing_ok=True)
    start = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 (our own program)
        [
            *(sys.executable, "-m", module),
            *("--origin", origin),
            *("--database", database),
            *("--dir", str(directory)),
            *("--port-file", str(port_file)),
            *options,
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        while not port_file.exists():
            if process.poll() is not None:
                raise RuntimeError(f"{module} did not start")
            if time.perf_counter() - start > START_SECONDS:
                raise TimeoutError(f"{module} took more than {START_SECONDS} s to start")
            time.sleep(0.005)
        seconds = time.perf_counter() - start
        yield Server(process, int(port_file.read_text()), seconds)
    finally:
        process.terminate()
        process.wait(timeout=60)


def family(pid: int) -> list[int]:
    """Returns a process and all processes below it; without /proc the process alone."""
    found = [pid]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                continue
    return found


def _cpu_seconds(pid: int) -> float:
    """Returns a process's CPU time so far; 0 where the system does not tell."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) * _TICK_S


def peak_bytes(pid: int) -> int:
    """Returns the most memory that a process has had; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0")
    return int(line.split()[1]) * 1024


def median(values: Sequence[float]) -> float:
    """Returns the median."""
    return statistics.median(values)


def rounded(value: float) -> float:
    """Rounds to four significant digits."""
    return float(f"{value:.4g}")


def commit() -> str:
    """Returns the project's commit; with a plus if the files differ from it."""

    def git(*words: str) -> str:
        done = subprocess.run(  # noqa: S603 (our own words)
            ["git", *words],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    name = git("rev-parse", "--short", "HEAD") or "unknown"
    return f"{name}+" if git("status", "--porcelain", "-uno") else name


def machine() -> dict[str, Any]:
    """Returns what figures depend on."""
    return {
        "cores": os.cpu_count(),
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": pysqlite3.sqlite_version,
        "cryptography": cryptography.__version__,
        "pynacl": nacl.__version__,
        "commit": commit(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def tell(**facts: Any) -> None:
    """Prints one JSON line."""
    plain = {name: rounded(v) if isinstance(v, float) else v for name, v in facts.items()}
    print(json.dumps(plain), flush=True)
