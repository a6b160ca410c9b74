"""How fast does an auditor replay a whole log, and in how much memory?

Two exports of one ledger are audited with the command line, as a stranger would: the
ledger as it was built, and the same after every lot has been passed on whole, again and
again, day after day, so that the log is longer and the live lots are as many. What the
longer one takes more is the rate (so that starting the program does not count), and it
should take no more memory. Estimate: a verification (0.055 ms), and as much for the rest.

    python -m tests.benchmarks.audit --parties 1000 --lots 10000 --passes 4
"""

import argparse
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.service import open_store
from registry.canonical import b64url_encode
from registry.checkpoint import Checkpoint, format_verifier_key, sign_checkpoint
from registry.export import write_export
from registry.logtree import stored_hashes
from registry.merkle import root_at
from registry.ports import LedgerStore
from registry.store.sql import SqlStore
from tests.benchmarks import limits, workload, write_path
from tests.benchmarks.measure import ROOT, family, machine, median, peak_bytes, tell
from tests.benchmarks.transfers import Book, Hand, Scale
from tests.benchmarks.workload import Built, Sealer
from tests.builders import ORIGIN, key_of, uscc
from tests.demonstration import TALLYSTICK

DAYS_A_PASS: Final = 5
DAY_MS: Final = 25 * 3_600_000
"""A little more than a day, so that no statement of the day before can still be sealed."""

OPERATOR: Final = uscc(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What an audit of an export came to."""

    entries: int
    seconds: float
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
    def memory(self) -> float:
        """The longer log's memory as a multiple of the shorter one's."""
        return self.long.peak_bytes / self.short.peak_bytes


def pass_on(store: LedgerStore, built: Built, *, passes: int) -> None:
    """Passes every lot on whole, so many times, over days; live lots stay as many."""
    sealer, book, clock = Sealer(store), built.book("audit"), Hand("clock")
    a_day = -(-len(book.holdings) // DAYS_A_PASS)
    for _ in range(passes):
        left = len(book.holdings)
        while left:
            count = min(a_day, left)
            sealer.seal(each.text for each in book.transfers(count, whole=True))
            left -= count
            _next_day(sealer, book, clock)


def _next_day(sealer: Sealer, book: Book, clock: Hand) -> None:
    """Moves the ledger's clock on."""
    then = clock.time_ms + DAY_MS
    sealer.seal([clock.sign(key_of("operator"), OPERATOR, "clock.set", {"time": then})])
    clock.time_ms = book.hand.time_ms = then


def export(store: LedgerStore, directory: Path, *, size: int) -> str:
    """Exports the log as of a size, signed, and returns its root."""
    hashes = stored_hashes(lambda level, index: store.tile(level=level, index=index), store.size())
    root = root_at(hashes, size)
    note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=size, root=root), key_of("log"))
    write_export(directory, note=note, entries=store.entries(0, size))
    return b64url_encode(root)


def audit(directory: Path, *, vkey: Path, root: str, size: int) -> Audited:
    """Audits an export with the command line, which must verify it.

    Raises:
        AssertionError: The verdict is another one, or of another log.
    """
    start = time.perf_counter()
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
    return Audited(entries=size, seconds=seconds, peak_bytes=sum(peaks.values()))


def measure(
    scale: Scale, *, passes: int, repeats: int = 3, cache: Path = workload.CACHE
) -> Figures:
    """Makes both exports and audits them in turn."""
    with write_path.on_sqlite(scale, cache=cache) as built:
        store = open_store(built.database)
        pass_on(store, built, passes=passes)
        sizes = (built.size, store.size())
        places = [built.directory / name for name in ("short", "long")]
        roots = [export(store, place, size=size) for place, size in zip(places, sizes, strict=True)]
        if isinstance(store, SqlStore):
            store.close()
        vkey = built.directory / "log.vkey"
        vkey.write_text(format_verifier_key(ORIGIN, key_of("log").public) + "\n")
        runs = [
            [
                audit(place, vkey=vkey, root=root, size=size)
                for place, root, size in zip(places, roots, sizes, strict=True)
            ]
            for _ in range(repeats)
        ]
    short, long = (
        Audited(
            entries=run[0].entries,
            seconds=median([each.seconds for each in run]),
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
        of=limits.SODIUM,
        verify_all_cores_per_s=limit,
        ratio=found.rate / limit,
        cores=os.cpu_count(),
    )


if __name__ == "__main__":
    main()
