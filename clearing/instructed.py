"""Finding instructions: one by its number, those that its money goes on to, all of a run."""

from collections.abc import Generator, Iterator
from typing import Any, Final

from clearing.model import INSTRUCTIONS, RUNS, InstructionRecord, Run
from registry.errors import InvariantBrokenError
from registry.ids import Sid
from registry.state import run_reads
from registry.tables import Get, Rows

BEHIND_AT_ONCE: Final = 32
"""Instructions that are asked for at once on the way to a voucher's last one."""

RUN_AT_ONCE: Final = 1_000
"""Instructions of a run that are asked for at once."""


def known_instruction(state: Rows, plan: Sid, n: int) -> InstructionRecord:
    """Returns an instruction of an adopted plan."""
    record = state.get(INSTRUCTIONS, plan, n)
    if record is None:
        raise InvariantBrokenError(f"plan {plan} has no instruction {n}")
    return record


def known_run(state: Rows, plan: Sid) -> Run:
    """Returns the run of an adopted plan."""
    run = state.get(RUNS, plan)
    if run is None:
        raise InvariantBrokenError(f"no run of plan {plan}")
    return run


def ask_behind(record: InstructionRecord, run: Run) -> Generator[Any, Any, list[InstructionRecord]]:
    """Asks for the instructions that an instruction's money goes on to, all of its voucher.

    They stand behind it in the plan, before those of the next voucher; or among those that
    were added in the place of others.
    """
    behind: list[InstructionRecord] = []
    fed = {str(record.n)}
    planned = run.instructions - run.added
    waiting = range(record.n + 1, planned)
    while waiting:
        numbers, waiting = waiting[:BEHIND_AT_ONCE], waiting[BEHIND_AT_ONCE:]
        for row in (yield Get(INSTRUCTIONS, tuple((run.plan, n) for n in numbers))):
            if row is None or row.voucher != record.voucher:
                waiting = range(0)
                break
            if fed.intersection(row.after):
                fed.add(str(row.n))
                behind.append(row)
    added = range(planned, run.instructions)
    for row in (yield Get(INSTRUCTIONS, tuple((run.plan, n) for n in added))) if added else ():
        if row is not None and fed.intersection(row.after):
            behind.append(row)
    return behind


def behind(state: Rows, record: InstructionRecord) -> list[InstructionRecord]:
    """Returns the instructions that an instruction's money goes on to, by number."""
    found: list[InstructionRecord] = run_reads(
        state, ask_behind(record, known_run(state, record.plan))
    )
    return found


def ask_instructions(run: Run) -> Generator[Any, Any, Iterator[InstructionRecord]]:
    """Asks for all instructions of a run."""
    found: list[InstructionRecord] = []
    for first in range(0, run.instructions, RUN_AT_ONCE):
        numbers = range(first, min(first + RUN_AT_ONCE, run.instructions))
        rows = yield Get(INSTRUCTIONS, tuple((run.plan, n) for n in numbers))
        found += (row for row in rows if row is not None)
    if len(found) != run.instructions:
        raise InvariantBrokenError(f"run {run.plan} has lost instructions")
    return iter(found)
