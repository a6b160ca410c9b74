"""How many signed transfers a second does a server take, over HTTP, durably?

One client alone, 32, 256, and bulk requests, against a server process with fsync on; the
load generator runs on the same machine. Estimate: a signed transfer costs one Ed25519
verification (0.05 ms), HTTP (0.06 ms), its decision (0.1 ms) and its rows (0.1 ms), so
3,000 a second on one core; a group commit makes the disk's share small.

What was written is checked when the clock has stopped: see `tests.benchmarks.written`.

    python -m tests.benchmarks.write_path --parties 1000 --lots 10000 --repeats 3
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks import load, workload, written
from tests.benchmarks.measure import Server, machine, median, server, tell
from tests.benchmarks.workload import Book, Built, Transfer
from tests.builders import ORIGIN
from tests.postgres import Server as Postgres

BULK_LINES: Final = 1_000
BULK_CLIENTS: Final = 2
WARM_UP: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One way of sending: so many clients, so many statements in all, so many a request."""

    name: str
    clients: int
    statements: int
    lines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one phase came to, once.

    Attributes:
        rate: Statements a second.
        p50_ms: Wait of a request, median.
        p99_ms: Wait of a request, 99th percentile.
        server_us: CPU time of the server's processes a statement, in microseconds.
        client_us: CPU time of the load generator a statement, in microseconds.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    server_us: float
    client_us: float


def phases(seconds: float) -> tuple[Phase, ...]:
    """Returns the phases; at the rates of the estimate each takes about so many seconds."""
    return (
        Phase(name="1", clients=1, statements=max(int(600 * seconds), 20)),
        Phase(name="32", clients=32, statements=max(int(2_500 * seconds), 64)),
        Phase(name="256", clients=256, statements=max(int(3_000 * seconds), 256)),
        Phase(
            name="bulk",
            clients=BULK_CLIENTS,
            statements=max(int(3 * seconds), 2) * BULK_LINES,
            lines=BULK_LINES,
        ),
    )


def measure(running: Server, phase: Phase, transfers: Sequence[Transfer]) -> Figures:
    """Sends transfers as a phase wants it, and checks every answer."""
    if phase.lines:
        parts = [transfers[at : at + phase.lines] for at in range(0, len(transfers), phase.lines)]
        requests = [workload.bulk_request(part) for part in parts]
    else:
        requests = [workload.single_request(each) for each in transfers]
    before = running.cpu_seconds()
    sent = load.run(running.port, requests, clients=phase.clients)
    used = running.cpu_seconds() - before
    if phase.lines:
        for part, answer in zip(parts, sent.answers, strict=True):
            written.verify_bulk_answer(part, answer)
    else:
        for each, answer in zip(transfers, sent.answers, strict=True):
            written.verify_answer(each, answer)
    return Figures(
        rate=len(transfers) / sent.seconds,
        p50_ms=sent.wait_ms(0.5),
        p99_ms=sent.wait_ms(0.99),
        server_us=used / len(transfers) * 1e6,
        client_us=sent.cpu_seconds / len(transfers) * 1e6,
    )


def middle(runs: Sequence[Figures]) -> Figures:
    """Returns the median of each figure."""
    return Figures(
        rate=median([each.rate for each in runs]),
        p50_ms=median([each.p50_ms for each in runs]),
        p99_ms=median([each.p99_ms for each in runs]),
        server_us=median([each.server_us for each in runs]),
        client_us=median([each.client_us for each in runs]),
    )


class Run:
    """A server under measurement, and what was sent to it."""

    def __init__(self, running: Server, book: Book) -> None:
        """Takes a server that answers, and the lots that it holds."""
        self.running = running
        self.sent: list[Transfer] = []
        self.figures: dict[str, list[Figures]] = {}
        self._book = book

    def warm_up(self) -> None:
        """Sends some statements that do not count."""
        self._measure(Phase(name="", clients=32, statements=WARM_UP))

    def take(self, phase: Phase) -> Figures:
        """Measures a phase once more."""
        found = self._measure(phase)
        self.figures.setdefault(phase.name, []).append(found)
        return found

    def _measure(self, phase: Phase) -> Figures:
        transfers = self._book.transfers(phase.statements)
        self.sent += transfers
        return measure(self.running, phase, transfers)

    def medians(self) -> dict[str, Figures]:
        """Returns the medians of all phases."""
        return {name: middle(runs) for name, runs in self.figures.items()}


@contextmanager
def serving(
    built: Built, *, options: Sequence[str] = (), module: str = "api.server"
) -> Iterator[Run]:
    """Serves a built ledger to be measured; when it has stopped, checks what was written."""
    with server(
        built.directory, built.database, origin=ORIGIN, options=options, module=module
    ) as running:
        run = Run(running, built.book("write"))
        run.warm_up()
        yield run
    written.verify_written(built, run.sent)


@contextmanager
def on_sqlite(scale: workload.Scale, *, cache: Path) -> Iterator[Built]:
    """Gives a copy of the built ledger in SQLite."""
    built = workload.cached(scale, cache=cache)
    with tempfile.TemporaryDirectory(prefix="run-", dir=cache) as directory:
        yield workload.copy(built, Path(directory))


@contextmanager
def on_postgresql(scale: workload.Scale, *, cache: Path) -> Iterator[Built]:
    """Builds the ledger in a PostgreSQL of its own, with fsync on."""
    postgres = Postgres(shared_buffers="1GB").start()
    try:
        with tempfile.TemporaryDirectory(prefix="run-", dir=cache) as directory:
            yield workload.build(postgres.fresh_schema().url, Path(directory), scale)
    finally:
        postgres.remove()


STORES: Final = {"sqlite": on_sqlite, "postgresql": on_postgresql}


def main() -> None:
    """Measures the server alone, on the databases that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.write_path")
    workload.add_scale(parser)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="about, for each phase")
    parser.add_argument("--store", choices=[*STORES, "both"], default="sqlite")
    parser.add_argument("--phases", default="1,32,256,bulk", help="which, with commas")
    parser.add_argument("--option", action="append", default=[], help="handed to the server")
    parser.add_argument("--keep", type=Path, help="write requests for load.py there, and stop")
    given = parser.parse_args()
    scale = workload.scale_of(given)
    chosen = [each for each in phases(given.seconds) if each.name in given.phases.split(",")]
    if given.keep:
        built = workload.cached(scale, cache=given.cache)
        transfers = built.book("kept").transfers(chosen[-1].statements)
        load.write_requests(given.keep, [workload.single_request(each) for each in transfers])
        return
    tell(**machine())
    for store in STORES if given.store == "both" else (given.store,):
        with STORES[store](scale, cache=given.cache) as built:
            with serving(built, options=given.option) as run:
                for _ in range(given.repeats):
                    for phase in chosen:
                        run.take(phase)
            for name, figures in run.medians().items():
                tell_figures(store, name, figures, repeats=given.repeats, durable=True)


def tell_figures(who: str, phase: str, figures: Figures, *, repeats: int, durable: bool) -> None:
    """Prints one phase's medians."""
    tell(
        who=who,
        clients=phase,
        rate=figures.rate,
        p50_ms=figures.p50_ms,
        p99_ms=figures.p99_ms,
        server_us=figures.server_us,
        client_us=figures.client_us,
        repeats=repeats,
        fsync=durable,
    )


if __name__ == "__main__":
    main()
