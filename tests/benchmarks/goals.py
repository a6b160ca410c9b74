"""The goals: what was measured, over what, and whether that is enough."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks import audit, clearing, growth, snapshot
from tests.benchmarks.driving import Figures
from tests.benchmarks.limits import OPENSSL, SODIUM, Limits
from tests.benchmarks.measure import rounded
from tests.benchmarks.write_path import (
    COMPETENT,
    FRONTS,
    FRONTS_ROUTES,
    NAIVE,
    POSTGRESQL,
    ROUTES,
    SLOW,
    SQLITE,
    Results,
)

MEMORY_FLAT = 1.1
"""A long log may take a tenth more memory than a short one and still count as flat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One row of the table, and one object of `bench.json`.

    Attributes:
        goal: Its number; a goal of several parts has several rows.
        value: What was measured.
        unit: Of the value.
        ratio: The value over its denominator.
        of: The denominator, and what the ratio must be.
        reached: Whether it is.
    """

    goal: str
    value: float
    unit: str
    ratio: float
    of: str
    reached: bool


def _at_least(goal: str, value: float, unit: str, *, least: float, over: float, of: str) -> Goal:
    """Returns the row of a ratio that must not be smaller."""
    ratio = value / over
    return Goal(
        goal=goal,
        value=rounded(value),
        unit=unit,
        ratio=rounded(ratio),
        of=f"{of}: {rounded(over):g}; at least {least:g}",
        reached=ratio >= least,
    )


def _at_most(goal: str, value: float, unit: str, *, most: float, over: float, of: str) -> Goal:
    """Returns the row of a ratio that must not be larger."""
    ratio = value / over
    return Goal(
        goal=goal,
        value=rounded(value),
        unit=unit,
        ratio=rounded(ratio),
        of=f"{of}: {rounded(over):g}; at most {most:g}",
        reached=ratio <= most,
    )


def _best(figures: Mapping[str, Figures]) -> float:
    """Returns the best rate of an opponent, with however many clients."""
    return max(each.rate for each in figures.values())


RATE = "statements/s"


def of_write_path(results: Results, limits: Limits) -> list[Goal]:
    """Returns the goals about writing over HTTP.

    G1 to G4 and G9 are those of one process or of two fronts before one that writes, whichever
    is faster with 256 clients; the unit says which.
    """
    alone, other = results[SQLITE], results[POSTGRESQL]
    who, through = max(
        ((SQLITE, ROUTES), (FRONTS, FRONTS_ROUTES)), key=lambda pair: results[pair[0]]["256"].rate
    )
    ours = results[who]
    rate, routes, unit = ours["256"].rate, results[through]["256"].rate, f"{RATE}, {who}"
    openssl = limits.verify_all[OPENSSL]
    of_limit = f"Ed25519 verify/s, {OPENSSL}, all cores"
    naive, competent = _best(results[NAIVE]), _best(results[COMPETENT])
    of_naive, of_competent = "naive, requests/s at its best", "competent, requests/s at its best"
    return [
        _at_least("G1", rate, unit, least=0.5, over=openssl, of=of_limit),
        _at_least("G2", rate, unit, least=30, over=naive, of=of_naive),
        _at_least("G2", rate, unit, least=7, over=competent, of=of_competent),
        _at_least("G3", routes, unit, least=20, over=naive, of=of_naive),
        _at_least("G3", routes, unit, least=0.3, over=openssl, of=of_limit),
        _at_least("G4", ours["bulk"].rate, unit, least=0.75, over=openssl, of=of_limit),
        _at_least(
            "G8",
            results[SLOW]["256"].rate,
            RATE,
            least=0.75,
            over=alone["256"].rate,
            of="the same on the disk as it is",
        ),
        _at_most("G9", ours["1"].p50_ms, f"ms, p50 alone, {who}", most=1, over=1.5, of="ms"),
        _at_most(
            "G9", ours["256"].p99_ms, f"ms, p99 of 256 clients, {who}", most=1, over=100, of="ms"
        ),
        _at_least(
            "G11",
            other["256"].rate,
            RATE,
            least=0.7,
            over=alone["256"].rate,
            of="SQLite, the same",
        ),
    ]


def of_audit(found: audit.Figures, limits: Limits) -> list[Goal]:
    """Returns the goals about the audit."""
    longer = rounded(found.long.entries / found.short.entries)
    return [
        _at_least(
            "G5",
            found.rate,
            "entries/s",
            least=0.75,
            over=limits.verify_all[SODIUM],
            of=f"Ed25519 verify/s, {SODIUM}, all cores",
        ),
        _at_most(
            "G5",
            found.long.peak_bytes / 2**20,
            "MiB at the most",
            most=MEMORY_FLAT,
            over=found.short.peak_bytes / 2**20,
            of=f"MiB for as many lots and a log {longer:g} times shorter",
        ),
    ]


def of_clearing(found: clearing.Figures) -> list[Goal]:
    """Returns the goals about clearing."""
    return [
        _at_least("G6", found.tiered, "postings/s", least=1, over=300_000, of="tiered"),
        _at_least("G6", found.direct, "lots/s", least=1, over=300_000, of="direct"),
    ]


def of_snapshot(found: snapshot.Figures) -> list[Goal]:
    """Returns the goal about snapshots."""
    return [_at_least("G7", found.rate, "rows/s", least=1, over=100_000, of="rows/s")]


def of_growth(short: growth.Side, long: growth.Side) -> list[Goal]:
    """Returns the goals about long logs."""
    longer = long.entries - short.entries
    return [
        _at_least(
            "G10",
            long.figures["256"].rate,
            RATE,
            least=0.9,
            over=short.figures["256"].rate,
            of=f"the same without {longer} entries",
        ),
        _at_most("G10", long.start_s, "s to start", most=1, over=5, of="s"),
        _at_most(
            "G10",
            long.peak_bytes / 2**20,
            "MiB at the most",
            most=MEMORY_FLAT,
            over=short.peak_bytes / 2**20,
            of=f"MiB without {longer} entries",
        ),
    ]


def in_order(goals: Sequence[Goal]) -> list[Goal]:
    """Returns goals by number."""
    return sorted(goals, key=lambda goal: int(goal.goal[1:]))


def write(goals: Sequence[Goal], file: Path) -> None:
    """Writes `bench.json`."""
    lines = ",\n".join(json.dumps(asdict(goal)) for goal in goals)
    file.write_text(f"[\n{lines}\n]\n")


def render(goals: Sequence[Goal]) -> str:
    """Returns the table."""
    rows = [("goal", "value", "unit", "ratio", "of", "reached")]
    rows += [
        (g.goal, f"{g.value:g}", g.unit, f"{g.ratio:g}", g.of, "yes" if g.reached else "no")
        for g in goals
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
