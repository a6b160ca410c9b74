"""What lies on stages, and by when it is to go on (归集划转).

A servicer may keep what it collects for a plan or trust for a cycle of days; what lies on any
other stage goes on the day it came. A sweep is one instruction from a stage whose money is
there: due on the day with which the cycle ends, overdue from the next day on. It follows from
the instructions and the stage that they name, which keeps its row when it has ended.

Source: SD-29; reference note 18.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from clearing.model import LAPSING, InstructionRecord, InstructionStatus
from registry.calendars import date_at
from registry.ids import PartyId, Sid
from registry.stages import Stage

_WAITING = LAPSING | {InstructionStatus.EXPIRED, InstructionStatus.RETURNED}
"""Of instructions whose money has not gone on, if it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Money on a stage that is to go on.

    Attributes:
        plan: The plan of the instruction.
        n: Its number.
        stage: The statement that names the stage.
        servicer: On whose account the money lies.
        payee: Whose account it is to come into.
        amount_minor: Minor units.
        came_on: The day on which it came.
        due_on: The last day on which it is to go on.
    """

    plan: Sid
    n: int
    stage: Sid
    servicer: PartyId
    payee: PartyId
    amount_minor: int
    came_on: date
    due_on: date

    def is_overdue(self, today: date) -> bool:
        """Tells whether it has stayed longer than it may."""
        return today > self.due_on


def sweeps_of(
    stage: Stage,
    last: Iterable[InstructionRecord],
    into: Mapping[tuple[Sid, int], InstructionRecord],
    *,
    offset_minutes: int,
) -> Iterator[Sweep]:
    """Yields what lies on a stage.

    Args:
        stage: The stage.
        last: The instructions that name it.
        into: By plan and number those that bring their money.
        offset_minutes: The ledger's zone, in which days begin.
    """
    for record in last:
        since = _since(record, into)
        if since is None:
            continue
        came_on = date_at(since, offset_minutes=offset_minutes)
        yield Sweep(
            plan=record.plan,
            n=record.n,
            stage=stage.stage,
            servicer=record.payer,
            payee=record.payee,
            amount_minor=record.amount,
            came_on=came_on,
            due_on=came_on + timedelta(days=stage.cycle_days or 0),
        )


def _since(
    record: InstructionRecord, into: Mapping[tuple[Sid, int], InstructionRecord]
) -> int | None:
    """Returns since when an instruction's money lies on the stage; None if it does not."""
    if record.status not in _WAITING:
        return None
    if record.status == InstructionStatus.RETURNED:
        return record.returned_at
    before = into[record.plan, int(record.after[0])]
    return before.posted_at if before.status == InstructionStatus.POSTED else None
