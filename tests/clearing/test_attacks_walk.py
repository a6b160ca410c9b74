"""A random walk through all that may become of money on its way: whatever happens, all is paid."""

import random
from contextlib import suppress

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from clearing.model import FUNDS as FUND_ROWS
from clearing.model import (
    INSTRUCTIONS,
    LAPSING,
    OBLIGATIONS,
    ORDERS,
    RUNS,
    InstructionRecord,
)
from clearing.reconciliation import Differs
from clearing.rules.closings import find_left
from registry.burdens import FREEZES, Freeze, FreezeStatus
from registry.canonical import Json
from registry.errors import RefusalError
from registry.ids import Sid
from registry.model import LOTS, VOUCHERS
from registry.tables import replace
from tests.clearing.carried import hold_risk, verify_carried
from tests.clearing.reconciled import Reconciled
from tests.clearing.strategies import worlds
from tests.clearing.test_broken_hops import (
    DAY,
    pass_time,
    promise,
    reroute,
    top_up,
    verify_everything,
)
from tests.clearing.test_funds import APPORTION, figures, say
from tests.clearing.test_reports import close
from tests.clearing.test_rules import PLAN, REPORT, instructions, run_of, said, stated
from tests.clearing.world import PAY_TIME, World, gv01, sid

WORDS = ["posted"] * 6 + ["rejected", "returned", "accepted"]


class Walk:
    """A world in which anybody does anything."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.chance, self.days = world, chance, 0
        self.faces = sum(voucher.face for voucher in world.rows.select(VOUCHERS))
        self.books = Reconciled(world)

    def plans(self) -> list[Sid]:
        return [run.plan for run in self.world.rows.select(RUNS)]

    def some(self, count: int) -> tuple[Sid, list[InstructionRecord]]:
        plan = self.chance.choice(self.plans())
        rows = instructions(self.world, plan)
        return plan, sorted(self.chance.sample(rows, min(count, len(rows))), key=lambda row: row.n)

    def report(self, plan: Sid, rows: list[InstructionRecord], word: str) -> None:
        items: list[Json] = [said(self.world, plan, row.n, status=word) for row in rows]
        name = f"{word} {self.world.index}"
        self.world.enter(REPORT, {"items": items}, by="bank", re=plan, name=name)

    def end_day(self, plan: Sid) -> None:
        left = find_left(self.world.rows, run_of(self.world, plan))
        close(self.world, plan, expired=len(left.expired), stuck=len(left.stuck))

    def plan_more(self) -> None:
        with suppress(ValueError):
            self.books.note()
            body = stated(self.world)
            self.world.enter(PLAN, body, by="operator", name=f"plan {self.world.index}")

    def freeze(self) -> None:
        if not (lots := self.world.lots()):
            return
        lot = self.chance.choice(lots)
        made = sid(f"freeze {self.world.index} {lot.lot}")
        if self.world.rows.get(FREEZES, made):
            return
        row = Freeze(
            freeze=made, lot=lot.lot, voucher=lot.voucher, holder=lot.holder, authority="court",
            number="x", order="x", status=FreezeStatus.FROZEN,
        )  # fmt: skip
        self.world.rows.put(FREEZES, row)
        self.world.rows.put(LOTS, replace(lot, burdens=(*lot.burdens, made)))

    def lift(self) -> None:
        for row in list(self.world.rows.select(FREEZES)):
            self.world.rows.put(FREEZES, replace(row, status=FreezeStatus.LIFTED))
            if (lot := self.world.rows.get(LOTS, row.lot)) is not None:
                self.world.rows.put(LOTS, replace(lot, burdens=()))

    def fund(self) -> None:
        say(self.world, self.chance.randint(0, self.faces))

    def divide(self) -> None:
        for fund in list(self.world.rows.select(FUND_ROWS)):
            with suppress(ValueError):
                self.books.note()
                body = figures(self.world, fund.fund)
                name = f"divide {self.world.index}"
                self.world.enter(APPORTION, body, by="operator", re=fund.fund, name=name)

    def step(self) -> None:
        if not self.plans():
            self.plan_more()
            return
        what = (
            ["say"] * 12
            + ["come"] * 2
            + ["reroute", "top-up", "again", "end", "plan", "freeze", "lift"]
        )
        match self.chance.choice(what):
            case "say":
                plan, rows = self.some(self.chance.choice([1, 1, 2, 3]))
                self.report(plan, rows, self.chance.choice(WORDS))
            case "come":
                plan, rows = self.some(20)
                self.try_all(rows, "posted")
            case "reroute":
                plan, rows = self.some(6)
                self.try_all(rows, "reroute", once=True)
            case "top-up" | "again" as sort:
                plan, rows = self.some(12)
                self.try_all(rows, sort, once=True)
            case "end":
                self.end_day(self.chance.choice(self.plans()))
            case "plan":
                self.plan_more()
            case "day":
                self.days += 1
                pass_time(self.world, PAY_TIME + self.days * DAY)
            case name:
                getattr(self, name)()

    def verify(self) -> None:
        world = self.world
        verify_everything(world, self.faces)
        # A bank that carries out what was replaced too draws twice on who passed money on.
        assert {each.what for each in self.books.now().differences} <= {Differs.ACCOUNT}
        for order in world.rows.select(ORDERS):
            row = world.rows.get(INSTRUCTIONS, order.plan, order.n)
            assert row is not None
            assert world.rows.get(LOTS, order.lot) is not None
            assert order.lot in row.lots
            assert row.status in LAPSING, row.status
            assert row.after or row.status != "rejected"
        verify_carried(world)

    def try_all(self, of: list[InstructionRecord], word: str, *, once: bool = False) -> None:
        for row in of:
            with suppress(RefusalError):
                match word:
                    case "reroute":
                        reroute(self.world, row.plan, row.n)
                    case "again" | "top-up":
                        top_up(self.world, row.plan, row.n, sort=word)
                    case _:
                        self.report(row.plan, [row], word)
                if once:
                    return

    def finish(self) -> None:
        """Has everybody do what is theirs to do; then everything must be paid."""
        self.lift()
        say(self.world, 10 * self.faces)
        for _ in range(4):
            for plan in self.plans():
                rows = list(instructions(self.world, plan))
                broken = [row for row in rows if row.status in ("rejected", "returned")]
                self.try_all(broken, "reroute")
                rows = list(instructions(self.world, plan))
                self.try_all([row for row in rows if row.status in LAPSING], "posted")
                self.try_all(rows, "again")
                rows = list(instructions(self.world, plan))
                self.try_all([row for row in rows if row.status in LAPSING], "posted")
                with suppress(RefusalError):
                    self.end_day(plan)
            with suppress(RefusalError):
                self.divide()
            with suppress(RefusalError):
                self.plan_more()
        self.verify()
        assert self.world.lots() == ()
        assert all(line.received_minor == line.scheduled_minor for line in self.books.now().lines)
        assert not [row for row in self.world.rows.select(OBLIGATIONS)
                    if row.sort != "return" and row.status != "met"]  # fmt: skip


@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(worlds(), st.integers(0, 2**32), st.booleans())
def test_whatever_anybody_does_everything_is_paid_in_the_end(
    world: World, seed: int, carried: bool
) -> None:
    """Whoever bears the risk of the way, the debtor or the holders."""
    gv01(world)
    promise(world)
    if carried:
        hold_risk(world)
    walk = Walk(world, random.Random(seed))  # noqa: S311
    for _ in range(80):
        with suppress(RefusalError):
            walk.step()
        walk.verify()
    walk.finish()
