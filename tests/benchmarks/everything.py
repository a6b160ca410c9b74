"""Runs all benchmarks, prints the table of goals and writes `bench.json`.

python -m tests.benchmarks --scale quick
python -m tests.benchmarks --scale full
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks import (
    audit,
    clearing,
    goals,
    growth,
    limits,
    snapshot,
    workload,
    write_path,
)
from tests.benchmarks.limits import Limits
from tests.benchmarks.measure import machine, tell
from tests.benchmarks.transfers import Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    Attributes:
        scale: How large the ledgers are before.
        repeats: How often everything is measured.
        seconds: About how long each phase takes each time.
        passes: Times that every lot moves on before the audit.
        entries: Entries that the long log has more.
        lots: Lots that are cleared.
    """

    scale: Scale
    repeats: int
    seconds: float
    passes: int
    entries: int
    lots: int


PLANS: Final = {
    "tiny": Plan(
        scale=Scale(parties=40, lots=100), repeats=1, seconds=0.05, passes=1, entries=200, lots=500
    ),
    "quick": Plan(
        scale=workload.QUICK, repeats=3, seconds=1.0, passes=3, entries=50_000, lots=100_000
    ),
    "full": Plan(
        scale=workload.FULL, repeats=5, seconds=4.0, passes=4, entries=1_000_000, lots=1_000_000
    ),
}


def measure(
    plan: Plan, *, cache: Path = workload.CACHE, options: Sequence[str] = ()
) -> list[goals.Goal]:
    """Measures everything; the limits before and after what is compared with them.

    Args:
        plan: How much.
        cache: Where built ledgers are kept.
        options: Handed to the registry's server.

    Raises:
        AssertionError: An answer, or what was written, is wrong.
    """
    scale, repeats, seconds = plan.scale, plan.repeats, plan.seconds
    found: list[goals.Goal] = []

    def add(some: Sequence[goals.Goal]) -> None:
        for goal in some:
            tell(**asdict(goal))
        found.extend(some)

    add(goals.of_clearing(clearing.measure(lots=plan.lots, repeats=repeats, cache=cache)))
    add(goals.of_snapshot(snapshot.measure(scale, repeats=repeats, cache=cache)))
    before = limits.measure(seconds=seconds / 2, repeats=repeats)
    results = write_path.measure(
        [*write_path.PHASES],
        scale,
        cache=cache,
        repeats=repeats,
        seconds=seconds,
        options=options,
    )
    write_path.tell_results(results, repeats=repeats)
    audited = audit.measure(scale, passes=plan.passes, repeats=repeats, cache=cache)
    limit = mean(before, limits.measure(seconds=seconds / 2, repeats=repeats))
    tell(limits=limit.verify_all)
    add(goals.of_write_path(results, limit))
    add(goals.of_audit(audited, limit))
    short, long = growth.measure(
        scale,
        entries=plan.entries,
        repeats=repeats,
        seconds=seconds,
        cache=cache,
        options=options,
    )
    add(goals.of_growth(short, long))
    return goals.in_order(found)


def mean(one: Limits, other: Limits) -> Limits:
    """Returns the mean of two measurements of the limits."""
    return Limits(
        verify_core={k: (v + other.verify_core[k]) / 2 for k, v in one.verify_core.items()},
        verify_all={k: (v + other.verify_all[k]) / 2 for k, v in one.verify_all.items()},
    )


def main() -> None:
    """Runs all, prints the table, writes the file."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--scale", choices=PLANS, default="quick")
    parser.add_argument("--cache", type=Path, default=workload.CACHE)
    parser.add_argument("--to", type=Path, default=Path("bench.json"), help="where the rows go")
    parser.add_argument("--option", action="append", default=[], help="handed to the server")
    given = parser.parse_args()
    tell(**machine(), scale=given.scale, options=given.option)
    found = measure(PLANS[given.scale], cache=given.cache, options=given.option)
    print(goals.render(found))
    goals.write(found, given.to)
