"""What lies on stages, read from the store: for the route, and for each one's morning."""

from collections.abc import Iterable, Iterator
from typing import Any

from api.service import Service
from clearing.model import INSTRUCTIONS
from clearing.sweeps import Sweep, sweeps_of
from registry.calendars import date_at, parse_offset
from registry.ids import Sid
from registry.ports import LedgerStore
from registry.stages import Stage
from registry.tables import Get


def sweeps_on(
    store: LedgerStore, stages: Iterable[Stage], *, offset_minutes: int
) -> Iterator[Sweep]:
    """Yields what lies on some stages, ended ones included: what came there is to go on."""
    for stage in stages:
        last = list(store.select(INSTRUCTIONS, field="stage", value=stage.stage))
        keys = tuple(dict.fromkeys((row.plan, int(n)) for row in last for n in row.after))
        rows = store.fetch([Get(INSTRUCTIONS, keys)])[0] if keys else ()
        into = {(Sid(row.plan), row.n): row for row in rows if row is not None}
        yield from sweeps_of(stage, last, into, offset_minutes=offset_minutes)


def shown_sweeps(service: Service, stages: Iterable[Stage]) -> dict[str, Any]:
    """Returns what lies on some stages as JSON, what is due first before the rest."""
    ledger = service.ledger
    offset = parse_offset("+00:00" if ledger is None else ledger.zone)
    today = date_at(service.time, offset_minutes=offset)
    found = sorted(
        sweeps_on(service.store, stages, offset_minutes=offset),
        key=lambda sweep: (sweep.due_on, sweep.plan, sweep.n),
    )
    late = sum(sweep.amount_minor for sweep in found if sweep.is_overdue(today))
    return {
        "data": [
            {
                "plan": sweep.plan,
                "n": sweep.n,
                "stage": sweep.stage,
                "servicer": sweep.servicer,
                "payee": sweep.payee,
                "amount": str(sweep.amount_minor),
                "came_on": sweep.came_on.isoformat(),
                "due_on": sweep.due_on.isoformat(),
                "overdue": sweep.is_overdue(today),
            }
            for sweep in found
        ],
        "amount": str(sum(sweep.amount_minor for sweep in found)),
        "late": str(late),
    }
