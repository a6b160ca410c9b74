"""Piles of what lies on stages: to be swept by a servicer, to come to an account (SD-29)."""

from collections.abc import Iterable

from api.morning.piles import Line, Morning, Pile, first
from api.staged import sweeps_on
from registry.stages import STAGES, Stage


def to_sweep(morning: Morning) -> Pile | None:
    """What lies on the reader's stages, by when it is to go on (归集划转)."""
    stages = [row for party in morning.holders for row in morning.rows(STAGES, "via_owner", party)]
    return _pile(morning, "sweeps", stages)


def to_be_swept(morning: Morning) -> Pile | None:
    """What is to come to the reader from others' stages, by when."""
    mine = frozenset(morning.holders)
    stages = [row for party in morning.holders for row in morning.rows(STAGES, "owner", party)]
    return _pile(morning, "sweeps-to-receive", (row for row in stages if row.via_owner not in mine))


def within_cycle(morning: Morning) -> int:
    """Returns what lies on stages before the reader's accounts no longer than it may, in fen."""
    stages = (row for party in morning.holders for row in morning.rows(STAGES, "owner", party))
    found = sweeps_on(morning.store, stages, offset_minutes=morning.offset)
    return sum(sweep.amount_minor for sweep in found if not sweep.is_overdue(morning.today))


def all_to_sweep(morning: Morning) -> Pile | None:
    """What lies on all stages, by when it is to go on."""
    return _pile(morning, "all-sweeps", morning.rows(STAGES))


def _pile(morning: Morning, kind: str, stages: Iterable[Stage]) -> Pile | None:
    """Returns what lies on some stages, what is due first before the rest."""
    found = sorted(
        sweeps_on(morning.store, stages, offset_minutes=morning.offset),
        key=lambda sweep: (sweep.due_on, sweep.plan, sweep.n),
    )
    if not found:
        return None
    lines = first(
        Line(
            id=sweep.plan,
            party=sweep.payee if kind == "sweeps" else sweep.servicer,
            amount=sweep.amount_minor,
            on=sweep.due_on.isoformat(),
            note="overdue" if sweep.is_overdue(morning.today) else "",
        )
        for sweep in found
    )
    late = sum(sweep.amount_minor for sweep in found if sweep.is_overdue(morning.today))
    return Pile(
        kind=kind,
        count=len(found),
        amount=sum(sweep.amount_minor for sweep in found),
        lines=lines,
        facts={"overdue": str(late)},
    )
