"""How many signed transfers a second does the server take, over HTTP, durably?

One client alone, 32, 256, and bulk requests, against a server process with fsync on; the
load generator runs on the same machine. Estimate: a signed transfer costs one Ed25519
verification (0.05 ms), HTTP (0.06 ms), its decision (0.1 ms) and its rows (0.1 ms), so
3,000 a second on one core; a group commit makes the disk's share small.

Beside the registry on SQLite, in one process and with two fronts before the one that writes,
and on PostgreSQL it measures, in turn, the two opponents (`naive`, `competent`), the registry
on a disk that is 5 ms slower (`slow_disk`), and with all writes through FastAPI's routes
(`plain_routes`). All answers and all that was written are checked when the clock has stopped
(`written`).

    python -m tests.benchmarks.write_path --repeats 3 --who "sqlite; naive; competent"
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.benchmarks import competent, driving, load, naive, workload
from tests.benchmarks.driving import Figures, Run
from tests.benchmarks.measure import machine, tell
from tests.benchmarks.transfers import Scale, single_request
from tests.benchmarks.workload import Built
from tests.postgres import Server as Postgres

SQLITE: Final = "sqlite"
FRONTS: Final = "sqlite, two fronts"
POSTGRESQL: Final = "postgresql"
SLOW: Final = "sqlite, disk 5 ms slower"
ROUTES: Final = "sqlite, through routes"
FRONTS_ROUTES: Final = "sqlite, two fronts, through routes"
NAIVE: Final = "naive"
COMPETENT: Final = "competent"

PHASES: Final = {
    SQLITE: ("1", "32", "256", "bulk"),
    FRONTS: ("1", "32", "256", "bulk"),
    POSTGRESQL: ("1", "32", "256", "bulk"),
    SLOW: ("256",),
    ROUTES: ("256",),
    FRONTS_ROUTES: ("256",),
    NAIVE: ("1", "32", "256"),
    COMPETENT: ("1", "32", "256"),
}
"""Who is measured, and in which phases."""

PROGRAMS: Final = {
    SLOW: "tests.benchmarks.slow_disk",
    ROUTES: "tests.benchmarks.plain_routes",
    FRONTS_ROUTES: "tests.benchmarks.plain_routes",
}
"""What is run instead of the server."""

OPTIONS: Final = {FRONTS: ("--fronts=2",), FRONTS_ROUTES: ("--fronts=2",)}
"""What the server is told."""

SHARES: Final = {NAIVE: 0.2, COMPETENT: 0.5}
"""Who is slower is sent less, so that each phase takes about as long."""

Results = Mapping[str, Mapping[str, Figures]]
"""Medians by who and phase."""


@contextmanager
def on_sqlite(scale: Scale, *, cache: Path) -> Iterator[Built]:
    """Gives a copy of the built ledger in SQLite."""
    built = workload.cached(scale, cache=cache)
    with tempfile.TemporaryDirectory(prefix="run-", dir=cache) as directory:
        yield workload.copy(built, Path(directory))


@contextmanager
def on_postgresql(scale: Scale, *, cache: Path) -> Iterator[Built]:
    """Builds the ledger in a PostgreSQL of its own, with fsync on."""
    cache.mkdir(parents=True, exist_ok=True)
    postgres = Postgres(shared_buffers="1GB").start()
    try:
        with tempfile.TemporaryDirectory(prefix="run-", dir=cache) as directory:
            yield workload.build(postgres.fresh_schema().url, Path(directory), scale)
    finally:
        postgres.remove()


@contextmanager
def running(who: str, scale: Scale, *, cache: Path, options: Sequence[str]) -> Iterator[Run]:
    """Serves somebody to be measured, over facts of its own."""
    with ExitStack() as stack:
        if who in (NAIVE, COMPETENT):
            built = workload.cached(scale, cache=cache)
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=cache))
            which = naive if who == NAIVE else competent
            yield stack.enter_context(driving.opponent(which, built, Path(directory)))
            return
        opened = on_postgresql if who == POSTGRESQL else on_sqlite
        built = stack.enter_context(opened(scale, cache=cache))
        module = PROGRAMS.get(who, "api.server")
        told = (*OPTIONS.get(who, ()), *options)
        yield stack.enter_context(driving.registry(built, module=module, options=told))


def measure(
    everybody: Sequence[str],
    scale: Scale,
    *,
    cache: Path = workload.CACHE,
    repeats: int = 3,
    seconds: float = 1.0,
    only: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Results:
    """Measures everybody in turn, so that what slows the machine slows all of them.

    Args:
        everybody: Who.
        scale: How large the ledgers are before.
        cache: Where built ledgers are kept.
        repeats: How often each phase is measured.
        seconds: About how long each time, at the rate of the estimate.
        only: Phases; all of them if empty.
        options: Handed to the registry's server.

    Raises:
        AssertionError: An answer, or what was written, is wrong.
    """
    phases = {who: driving.phases(seconds * SHARES.get(who, 1.0)) for who in everybody}
    with ExitStack() as stack:
        runs = {
            who: stack.enter_context(running(who, scale, cache=cache, options=options))
            for who in everybody
        }
        for _ in range(repeats):
            for name in only or PHASES[SQLITE]:
                for who, run in runs.items():
                    if name in PHASES[who]:
                        run.take(next(phase for phase in phases[who] if phase.name == name))
    return {who: run.medians() for who, run in runs.items()}


def tell_results(results: Results, *, repeats: int) -> None:
    """Prints a line for each phase of everybody."""
    for who, phases in results.items():
        for name, figures in phases.items():
            tell(
                who=who,
                clients=name,
                rate=figures.rate,
                p50_ms=figures.p50_ms,
                p99_ms=figures.p99_ms,
                server_us=figures.server_us,
                client_us=figures.client_us,
                repeats=repeats,
                fsync=True,
            )


def main() -> None:
    """Measures who is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.write_path")
    workload.add_scale(parser)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="about, for each phase")
    parser.add_argument("--who", default=SQLITE, help=f"with semicolons: {'; '.join(PHASES)}")
    parser.add_argument("--phases", default="", help="with commas; all without it")
    parser.add_argument("--option", action="append", default=[], help="handed to the server")
    parser.add_argument("--keep", type=Path, help="write requests for load.py there, and stop")
    given = parser.parse_args()
    scale = workload.scale_of(given)
    if given.keep:
        transfers = workload.cached(scale, cache=given.cache).book("kept").transfers(scale.lots)
        load.write_requests(given.keep, [*map(single_request, transfers)])
        return
    tell(**machine())
    results = measure(
        [who.strip() for who in given.who.split(";")],
        scale,
        cache=given.cache,
        repeats=given.repeats,
        seconds=given.seconds,
        only=[name for name in given.phases.split(",") if name],
        options=given.option,
    )
    tell_results(results, repeats=given.repeats)


if __name__ == "__main__":
    main()
