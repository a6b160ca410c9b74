"""Where does the server's time go, with 256 clients?

A sampling profiler (py-spy, which is no dependency: name its program) watches the server's
busy threads, native code included, while transfers are sent; each sample counts for the
innermost part of the program on its stack.

    python -m tests.benchmarks.where --py-spy /path/to/py-spy
"""

import argparse
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Final

from tests.benchmarks import driving, workload, write_path
from tests.benchmarks.measure import machine, tell
from tests.benchmarks.transfers import Scale

DECIDING: Final = (
    "rules/", "assignment.py", "checks.py", "debts.py", "kinds.py", "limits.py", "notifying.py",
    "policy.py", "rights.py", "standing.py",
)  # fmt: skip
PARTS: Final = (
    ("signatures", ("registry/signing.py",)),
    ("reading statements", ("registry/statements.py", "registry/fields.py")),
    ("database", ("registry/store/",)),
    ("rows of a batch", ("registry/batch.py", "registry/tables.py")),
    ("decisions", tuple(f"registry/{name}" for name in DECIDING)),
    ("effects and their folds", ("registry/effects.py",)),
    ("entries and the tree", ("registry/entries.py", "registry/logtree.py", "registry/merkle.py")),
    ("engine and writer", ("registry/engine.py", "registry/writer.py")),
    ("answers and intake", ("api/",)),
    ("HTTP and framework", ("uvicorn/", "starlette/", "fastapi/", "asyncio/")),
)
CHECKPOINTS: Final = "signing checkpoints"


def part_of(stack: str) -> str:
    """Returns the part of the program to which a sample belongs."""
    frames = stack.split(";")
    if any("registry/signer.py" in frame for frame in frames):
        return CHECKPOINTS
    for frame in reversed(frames):
        for part, places in PARTS:
            if any(place in frame for place in places):
                return part
    return "else"


def measure(scale: Scale, *, py_spy: Path, seconds: float, cache: Path) -> dict[str, float]:
    """Returns each part's share of the server's busy time."""
    with write_path.on_sqlite(scale, cache=cache) as built, driving.registry(built) as run:
        phase = next(each for each in driving.phases(seconds) if each.name == "256")
        run.take(phase)
        found = built.directory / "stacks"
        words = ("record", "--format", "raw", "--rate", "200", "--duration", "3600")
        pid = str(run.running.process.pid)
        profiler = subprocess.Popen(  # noqa: S603 (the program that was named)
            [py_spy, *words, "--subprocesses", "--pid", pid, "--output", found],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        run.take(phase)
        profiler.send_signal(signal.SIGINT)
        profiler.wait()
        samples: Counter[str] = Counter()
        for line in found.read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            samples[part_of(stack)] += int(count)
    return {part: count / samples.total() for part, count in samples.most_common()}


def main() -> None:
    """Prints each part's share."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.where")
    workload.add_scale(parser)
    parser.add_argument("--py-spy", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args()
    tell(**machine())
    shares = measure(
        workload.scale_of(given), py_spy=given.py_spy, seconds=given.seconds, cache=given.cache
    )
    for part, share in shares.items():
        print(f"{share:6.1%}  {part}")


if __name__ == "__main__":
    main()
