"""How fast does an auditor replay a whole log, and in how much memory?

Two exports of one ledger are audited with the command line, as a stranger would: the
ledger as it was built, and the same after lots have been passed on whole, again and again,
day after day (see `growth`), so that the log is longer and the live lots are as many. What
the longer one takes more is the rate (so that starting the program does not count), and it
should take no more memory. Estimate: a verification (0.055 ms), and as much for the rest.

    python -m tests.benchmarks.audit --parties 1000 --lots 10000 --passes 4
"""

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from api.service import open_store
from registry.canonical import b64url_encode
from registry.checkpoint import format_verifier_key, open_checkpoint
from registry.export import write_export
from registry.store.sql import SqlStore
from tests.benchmarks import growth, limits, workload
from tests.benchmarks.measure import ROOT, family, machine, median, peak_bytes, tell
from tests.benchmarks.transfers import Scale
from tests.benchmarks.workload import Built
from tests.builders import ORIGIN, key_of
from tests.demonstration import TALLYSTICK


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What an audit of an export came to."""

    entries: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured.

    Attributes:
        short: The ledger as it was built.
        long: The same ledger after some passes.
    """

    short: Audited
    long: Audited

    @property
    def rate(self) -> float:
        """Entries a second, by what the longer log takes more, if that can be told at all."""
        longer = self.long.seconds - self.short.seconds
        if longer <= 0:
            return self.long.entries / self.long.seconds
        return (self.long.entries - self.short.entries) / longer

    @property
    def cpu_us(self) -> float:
        """CPU time of all processes an entry, in microseconds, told in the same way."""
        longer = self.long.cpu_seconds - self.short.cpu_seconds
        return longer / (self.long.entries - self.short.entries) * 1e6

    @property
    def memory(self) -> float:
        """The longer log's memory as a multiple of the shorter one's."""
        return self.long.peak_bytes / self.short.peak_bytes


def export(built: Built, directory: Path) -> str:
    """Exports a ledger as it was signed last, and returns its root."""
    store = open_store(built.database)
    note = store.note()
    write_export(directory, note=note, entries=store.entries(0, built.size))
    if isinstance(store, SqlStore):
        store.close()
    checkpoint = open_checkpoint(note, origin=ORIGIN, key=key_of("log").public)
    assert checkpoint.size == built.size
    return b64url_encode(checkpoint.root)


def audit(directory: Path, *, vkey: Path, root: str, size: int) -> Audited:
    """Audits an export with the command line, which must verify it.

    Raises:
        AssertionError: The verdict is another one, or of another log.
    """
    start, before = time.perf_counter(), _children_seconds()
    process = subprocess.Popen(  # noqa: S603 (our own program)
        [*TALLYSTICK, "audit", str(directory), "--log-key", str(vkey), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    peaks: dict[int, int] = {}
    while process.poll() is None:
        for pid in family(process.pid):
            peaks[pid] = max(peaks.get(pid, 0), peak_bytes(pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    found = json.loads(process.communicate()[0])
    assert process.returncode == 0, found
    assert (found["name"], found["size"], found["root"]) == ("VERIFIED", size, root), found
    return Audited(
        entries=size,
        seconds=seconds,
        cpu_seconds=_children_seconds() - before,
        peak_bytes=sum(peaks.values()),
    )


def _children_seconds() -> float:
    """Returns the CPU time of the processes that have ended below this one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(
    scale: Scale, *, passes: int, repeats: int = 3, cache: Path = workload.CACHE
) -> Figures:
    """Makes both exports and audits them in turn."""
    both = (
        workload.cached(scale, cache=cache),
        growth.cached(scale, entries=passes * scale.lots, cache=cache),
    )
    with tempfile.TemporaryDirectory(prefix="run-", dir=cache) as name:
        directory = Path(name)
        vkey = directory / "log.vkey"
        vkey.write_text(format_verifier_key(ORIGIN, key_of("log").public) + "\n")
        places = [directory / log for log in ("short", "long")]
        roots = [export(built, place) for built, place in zip(both, places, strict=True)]
        runs = [
            [
                audit(place, vkey=vkey, root=root, size=built.size)
                for built, place, root in zip(both, places, roots, strict=True)
            ]
            for _ in range(repeats)
        ]
    short, long = (
        Audited(
            entries=run[0].entries,
            seconds=median([each.seconds for each in run]),
            cpu_seconds=median([each.cpu_seconds for each in run]),
            peak_bytes=max(each.peak_bytes for each in run),
        )
        for run in zip(*runs, strict=True)
    )
    return Figures(short=short, long=long)


def main() -> None:
    """Measures and prints the audit."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.audit")
    workload.add_scale(parser)
    parser.add_argument("--passes", type=int, default=4, help="times that every lot moves on")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    tell(**machine())
    found = measure(
        workload.scale_of(given), passes=given.passes, repeats=given.repeats, cache=given.cache
    )
    limit = limits.rate_on_all_cores(limits.SODIUM, seconds=1.0)
    for name, each in (("short", found.short), ("long", found.long)):
        tell(
            log=name,
            entries=each.entries,
            seconds=each.seconds,
            peak_mib=each.peak_bytes / 2**20,
            lots=given.lots,
        )
    tell(
        entries_per_s=found.rate,
        cpu_us_per_entry=found.cpu_us,
        of=limits.SODIUM,
        verify_all_cores_per_s=limit,
        ratio=found.rate / limit,
        cores=os.cpu_count(),
    )


if __name__ == "__main__":
    main()
