"""A clearing that is killed at every step and goes on: the same end, whatever the bank is like.

GV-01 clears tier by tier out of a file. A process has everybody do what is theirs to do next,
which it finds in the ledger alone; SIGKILL comes before or after each of its commits in turn,
and another process goes on. However often that happens, each holder is paid once, what is
owed because of it is met, and the end is the one of the day on which nothing was killed.

`EVERY=1` kills before and after each commit; otherwise it is one of the two, in turn.
"""

import multiprocessing
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from clearing.model import (
    BALANCES,
    INSTRUCTIONS,
    OBLIGATIONS,
    OPEN,
    RUNS,
    InstructionRecord,
    InstructionStatus,
    Obligation,
    Run,
    RunStatus,
    Sort,
)
from clearing.rules.closings import find_left
from clearing.rules.plans import body_of, plan_due
from registry.batch import Batch
from registry.calendars import date_at
from registry.canonical import Json
from registry.errors import RefusalError, RegistryError
from registry.model import LOTS, VOUCHERS
from registry.ports import Commit
from registry.store.sql import SqlStore
from tests.builders import OFFSET, World, instant
from tests.golden import rulebook
from tests.scenario import verify_everything

EVERY = bool(os.environ.get("EVERY"))
DUE_ON: Final = date(2025, 12, 19)
DAYS_MAX: Final = 12
"""After which all must have come to an end."""

FORK = multiprocessing.get_context("fork")

Statement = tuple[str, str, dict[str, Json], str]
"""Who says it, its kind, its body, and what it answers."""


@dataclass(kw_only=True)
class Bank:
    """What a bank is like; it knows nothing but what the ledger says and what day it is."""

    habit: str

    def word(self, row: InstructionRecord, *, day: int, is_ready: bool) -> tuple[str, str] | None:
        """Returns what it says of an instruction now, and why."""
        if row.status == InstructionStatus.POSTED:
            is_first = row.n == 2 and row.posted_at is not None and row.returned_at is None
            return ("returned", "AC04") if self._comes_back(day) and is_first else None
        if not is_ready or not self._is_expected(row, day=day):
            return None
        if self.habit == "rejects" and row.n == 1:
            return None if row.status == InstructionStatus.REJECTED else ("rejected", "AC06")
        return ("posted", "")

    def _comes_back(self, day: int) -> bool:
        """Whether this is the day on which it sends money back."""
        return self.habit == "returns late" and day >= 3

    def _is_expected(self, row: InstructionRecord, *, day: int) -> bool:
        """Tells whether it carries an instruction out by now."""
        if self.habit == "is silent" and row.n in (2, 3, 4):
            return day >= 9 and row.status in (*OPEN, InstructionStatus.EXPIRED)
        return row.status in (*OPEN, InstructionStatus.REJECTED)


HABITS: Final = ("rejects", "returns late", "repeats", "is silent")


class Day(World):
    """A ledger in a file, and everybody who has to do with its clearing."""

    habit: str
    file: SqlStore

    def rows(self) -> Batch:
        return Batch(self.store.fetch, self.rulebook.tables, index=0)

    def run_through(self) -> None:
        """Has everybody do what is theirs, until nothing is left to be done on any day."""
        while True:
            for statement in self.next_steps():
                self.say(statement)
                break
            else:
                today = date_at(self.time, offset_minutes=OFFSET)
                if (today - DUE_ON).days >= DAYS_MAX:
                    return
                self.advance(instant(today + timedelta(days=1)))

    def say(self, statement: Statement) -> None:
        """Says something; a bank that repeats itself says it twice more."""
        name, kind, body, re = statement
        # What was said before is not known to whoever goes on: ids follow from the log's size.
        self._count = 1_000 * self.store.size()
        text = self.sign(name, kind, body, re=re or None)
        (outcome,) = self.submit(text)
        if isinstance(outcome, RefusalError):
            raise outcome
        if self.habit == "repeats" and kind == "clearing.report":
            (again,) = self.submit(text)
            assert not isinstance(again, RegistryError)
            assert again.replayed
            assert isinstance(self.submit(self.sign(name, kind, body, re=re))[0], RefusalError)

    def next_steps(self) -> Iterator[Statement]:
        """Yields what somebody can do now, the first of which is done."""
        runs = list(self.store.select(RUNS))
        for run in runs:
            yield from self._bank_says(run)
            yield from self._operator_says(run)
        if all(run.status != RunStatus.PLANNED for run in runs):
            plan = plan_due(self.rows(), due_on=DUE_ON, pay_on=DUE_ON)
            if plan.instructions:
                yield "operator", "clearing.plan", body_of(plan).model_dump(mode="json"), ""

    def _of(self, run: Run) -> list[InstructionRecord]:
        rows = self.store.select(INSTRUCTIONS, field="plan", value=run.plan)
        return sorted(rows, key=lambda row: row.n)

    def _bank_says(self, run: Run) -> Iterator[Statement]:
        bank, rows = Bank(habit=self.habit), self._of(run)
        posted = {str(row.n) for row in rows if row.status == InstructionStatus.POSTED}
        day = (date_at(self.time, offset_minutes=OFFSET) - DUE_ON).days
        owed = {
            (each.plan, each.n)
            for each in self.store.select(OBLIGATIONS)
            if each.sort == Sort.RETURN and each.status == "due"
        }
        for row in rows:
            word = bank.word(row, day=day, is_ready=posted.issuperset(row.after))
            if (row.plan, row.n) in owed and day >= 10:
                word = ("returned", "owed")
            if word is not None:
                item: dict[str, Json] = {
                    "instruction": row.n, "amount": str(row.amount), "status": word[0]
                }  # fmt: skip
                reason: dict[str, Json] = {"reason": word[1]} if word[1] else {}
                yield "bank", "clearing.report", {"items": [{**item, **reason}]}, run.plan

    def _operator_says(self, run: Run) -> Iterator[Statement]:
        rows = self._of(run)
        posted = {str(row.n) for row in rows if row.status == InstructionStatus.POSTED}
        for row in rows:
            is_there = bool(row.after) and posted.issuperset(row.after)
            if row.status in (InstructionStatus.REJECTED, InstructionStatus.RETURNED) and is_there:
                body: dict[str, Json] = {"instruction": row.n, "ground": "rejected"}
                yield "operator", "clearing.reroute", body, run.plan
        for owed in self.store.select(OBLIGATIONS):
            if owed.sort != Sort.RETURN and owed.status == "due" and owed.plan == run.plan:
                again: dict[str, Json] = {"instruction": owed.n, "sort": owed.sort}
                yield "operator", "clearing.top-up", again, run.plan
        if run.status == RunStatus.PLANNED:
            left = find_left(self.rows(), run)
            close: dict[str, Json] = {"expired": len(left.expired), "stuck": len(left.stuck)}
            yield "operator", "clearing.close", close, run.plan


# --- A ledger at its due date, in a file --------------------------------------------


@dataclass(kw_only=True)
class Ledger:
    """A ledger's file and who is who in it."""

    path: Path
    members: dict[str, Any] = field(default_factory=dict)

    def open(self, habit: str, *, path: Path | None = None) -> Day:
        """Opens a ledger as a process does that has just begun."""
        rules = rulebook()
        file = SqlStore(f"sqlite:///{path or self.path}", rules.tables)
        day = Day(file, rules)
        for name, value in self.members.items():
            setattr(day, name, value)
        day.habit, day.file = habit, file
        if (ledger := day.engine.ledger) is not None:
            day.time = ledger.time
        return day


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Gives a ledger in which GV-01 is due, its trust promised a payment after all."""
    made = Ledger(path=tmp_path_factory.mktemp("due") / "ledger.db")
    world = made.open("plain")
    world.cast()
    world.enforce(top_up={"due_after": 2, "unpaid_after": 1})
    first = world.issue(route="tiered", top_up=True)
    to_s2 = world.transfer(f"{first}.0", 60_000_000, by="s1", to="s2")
    to_s3 = world.transfer(f"{to_s2}.2", 25_000_000, by="s2", to="s3")
    sold = world.transfer(f"{to_s3}.1", 20_000_000, by="s2", to="factor", purpose="finance")
    world.transfer(f"{sold}.2", 20_000_000, by="factor", to="trustee#T1", purpose="securitise")
    world.advance(instant(DUE_ON))
    names = ("keys", "ids", "accounts", "mandates")
    made.members = {name: getattr(world, name) for name in names}
    world.file.close()
    return made


# --- Killing ------------------------------------------------------------------------


def kill_at(place: int, *, is_after: bool, store: SqlStore) -> Callable[..., None]:
    """Returns an `append` that ends its process at a commit, before or after it."""
    append, count = store.append, iter(range(1_000_000))

    def dying(commit: Commit, *, expected_size: int, epoch: int) -> None:
        is_now = next(count) == place
        if is_now and not is_after:
            os.kill(os.getpid(), signal.SIGKILL)
        append(commit, expected_size=expected_size, epoch=epoch)
        if is_now:
            os.kill(os.getpid(), signal.SIGKILL)

    return dying


def clear_and_die(ledger: Ledger, path: Path, habit: str, place: int, is_after: bool) -> None:
    """Clears what is due, as far as it comes."""
    day = ledger.open(habit, path=path)
    day.file.append = kill_at(place, is_after=is_after, store=day.file)  # type: ignore[method-assign]
    day.run_through()


def outcome(day: Day) -> dict[str, Any]:
    """Returns where everybody is in the end, by names that no statement's id is part of."""
    day_of_lot = Counter[str]()
    for lot in day.store.select(LOTS):
        day_of_lot[lot.holder] += lot.amount

    def owed(each: Obligation) -> tuple[str, int, int, str]:
        return each.sort, each.n, each.amount, each.status

    rows: Sequence[InstructionRecord] = sorted(day.store.select(INSTRUCTIONS), key=lambda r: r.n)
    return {
        "instructions": [(row.n, row.payee, row.amount, row.status, row.reason) for row in rows],
        "lots": dict(day_of_lot),
        "owed": sorted(map(owed, day.store.select(OBLIGATIONS))),
        "runs": [(run.posted, run.ended, run.status) for run in day.store.select(RUNS)],
        "balances": sorted(
            (row.account, row.debited, row.credited) for row in day.store.select(BALANCES)
        ),
    }


def verify_paid_once(day: Day) -> None:
    """Checks that each holder has its money once, and that nobody on the way keeps any."""
    net = {row.account: row.amount for row in day.store.select(BALANCES)}
    held = {"s1": 40_000_000, "s2": 15_000_000, "s3": 25_000_000, "trustee#T1": 20_000_000}
    for name, amount in held.items():
        assert net[f"bank:{day.accounts[name]}"] == amount, name
    assert net.get(f"bank:{day.accounts['factor']}", 0) == 0
    assert net[f"bank:{day.accounts['core']}"] == -100_000_000
    assert not list(day.store.select(LOTS))
    assert {each.status for each in day.store.select(OBLIGATIONS)} <= {"met"}
    (voucher,) = day.store.select(VOUCHERS)
    assert voucher.discharged == voucher.face


@pytest.mark.slow
@pytest.mark.parametrize("habit", HABITS)
def test_killed_at_every_step_it_comes_to_the_same_end(
    habit: str, ledger: Ledger, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.db"
    shutil.copy(ledger.path, plain)
    undisturbed = ledger.open(habit, path=plain)
    before = undisturbed.store.size()
    commits = Counter[str]()
    append = undisturbed.store.append

    def counted(commit: Commit, *, expected_size: int, epoch: int) -> None:
        commits["all"] += 1
        append(commit, expected_size=expected_size, epoch=epoch)

    undisturbed.file.append = counted  # type: ignore[method-assign]
    undisturbed.run_through()
    verify_paid_once(undisturbed)
    verify_everything(undisturbed)
    expected = outcome(undisturbed)
    assert undisturbed.store.size() > before + 5
    undisturbed.file.close()
    for place in range(commits["all"]):
        for is_after in (False, True) if EVERY else (place % 2 == 1,):
            path = tmp_path / f"{place}-{is_after}.db"
            shutil.copy(ledger.path, path)
            dying = FORK.Process(target=clear_and_die, args=(ledger, path, habit, place, is_after))
            dying.start()
            dying.join(60)
            assert dying.exitcode == -signal.SIGKILL, "it was not killed"
            again = ledger.open(habit, path=path)
            again.run_through()
            assert outcome(again) == expected, (place, is_after)
            verify_paid_once(again)
            again.file.close()
            path.unlink()
