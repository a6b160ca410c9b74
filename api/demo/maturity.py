"""Maturity: the clock runs through all due dates, and every voucher is cleared."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from api.client import Client
from api.demo.cast import AUDITOR, OPERATOR
from api.demo.desk import Desk
from api.demo.processes import BankProcess
from registry.calendars import start_of
from registry.ids import Sid
from registry.model import Route
from registry.packs import packed_calendar

OFFSET = 480
OPENS = 9 * 3_600_000
"""Plans are adopted from nine in the morning of their pay date."""

ROUNDS_MAX = 12
"""Banks are asked in turn; a chain that passes from bank to bank takes as many rounds."""


@dataclass(slots=True, kw_only=True)
class Cleared:
    """What the clearing of all due dates came to.

    Attributes:
        plans: The adopted plans' bodies, with the statement's id.
        instructions: Number of instructions by route.
        vouchers: Number of vouchers.
        total: What the debtors owed, in fen.
        gross: What was moved, in fen.
    """

    plans: list[dict[str, Any]] = field(default_factory=list)
    instructions: Counter[str] = field(default_factory=Counter)
    vouchers: int = 0
    total: int = 0
    gross: int = 0


@dataclass(slots=True, kw_only=True)
class Maturity:
    """Clears due dates one after another."""

    desk: Desk
    client: Client
    banks: Sequence[BankProcess]
    cleared: Cleared = field(default_factory=Cleared)

    def move_clock(self, day: date, *, after: int = OPENS) -> None:
        """Moves the manual clock to a time of a day, or a minute on if that is past."""
        time = start_of(day, offset_minutes=OFFSET) + after
        time = max(time, self.desk.now + 60_000)
        self.desk.say(OPERATOR, "clock.set", {"time": time})
        self.desk.flush()
        self.desk.now = time

    def clear(self, due_on: date) -> list[dict[str, Any]]:
        """Clears one due date; returns its instructions.

        The operator asks the registry for the plan that follows from the state and signs
        it; the registry computes it again when it decides, and the auditor when it replays.
        """
        self.move_clock(packed_calendar("CN-LEGAL").next_working_day(due_on))
        operator = self.desk.cast[OPERATOR].party
        body = self.client.get(f"/v1/clearing/proposals/{due_on.isoformat()}", by=operator)
        plan = self.desk.say(OPERATOR, "clearing.plan", body)
        self.desk.flush()
        posted = 0
        for _ in range(ROUNDS_MAX):
            for bank in self.banks:
                more, statements = bank.report(plan, now=self.desk.now)
                posted += more
                self.desk.statements += statements
            if posted == body["instructions"]:
                break
        else:
            raise AssertionError(f"{due_on}: {posted} of {body['instructions']} posted")
        return self._count(plan, body)

    def _count(self, plan: Sid, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Adds a cleared plan to the totals."""
        auditor = self.desk.cast[AUDITOR].party
        rows = list(
            self.client.pages("/v1/clearing/instructions", by=auditor, plan=plan, limit=1000)
        )
        by_route = Counter(row["route"] for row in rows)
        self.cleared.plans.append({**body, "plan": plan, **_routes(by_route)})
        self.cleared.instructions.update(by_route)
        self.cleared.vouchers += body["vouchers"]
        self.cleared.total += int(body["total"])
        self.cleared.gross += int(body["gross"])
        return rows

    def clear_all(self, dates: Sequence[date], told: Callable[[], None]) -> None:
        """Clears due dates in order."""
        for due_on in dates:
            self.clear(due_on)
            told()


def _routes(by_route: Counter[str]) -> dict[str, int]:
    """Returns the number of instructions by route, both named."""
    return {route.value: by_route[route.value] for route in Route}
