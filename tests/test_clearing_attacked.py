"""Whatever anybody does about money on its way, the engine writes what a replay reads (I9)."""

import random
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from clearing.model import (
    BALANCES,
    FUNDS,
    INSTRUCTIONS,
    LAPSING,
    OBLIGATIONS,
    ORDERS,
    RUNS,
)
from clearing.rules.closings import find_left
from clearing.rules.funds import apportion_body, find_divided
from clearing.rules.plans import body_of, plan_due
from registry.batch import Batch
from registry.burdens import FREEZES, PLEDGES, FreezeStatus
from registry.canonical import Json
from registry.engine import Engine
from registry.errors import RefusalError
from registry.model import LOTS, VOUCHERS
from registry.statements import Now
from registry.store.memory import MemoryStore
from tests.builders import DIGEST, ORIGIN, World, instant
from tests.declared import Declared
from tests.golden import rulebook
from tests.scenario import verify_everything

DUE_ON = date(2025, 12, 19)
COURT: dict[str, Json] = {
    "authority": "court", "number": DIGEST, "order": {"digest": DIGEST, "name": "order.pdf"}
}  # fmt: skip


WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tiered", {"top_up": True}),
    ("direct", {}),
    ("tiered", {"hop_risk": "holder"}),
)
"""The route of each voucher, and what its issue says besides."""


class Town:
    """GV-01 on either route, a pledge, a second debtor and a second bank, all due."""

    def __init__(self, chance: random.Random) -> None:
        rules = rulebook()
        self.chance, self.day = chance, DUE_ON
        self.world = world = World(MemoryStore(rules.tables), rules).cast()
        world.enforce(top_up={"due_after": 2, "unpaid_after": 1})
        world.admit("other", "bank")
        for name in ("s2", "core"):
            world.bank_account(name, bank="other")
        for route, terms in WAYS:
            first = world.issue(route=route, **terms)
            world.bank_account("core")
            to_s2 = world.transfer(f"{first}.0", 60_000_000, by="s1", to="s2")
            to_s3 = world.transfer(f"{to_s2}.2", 25_000_000, by="s2", to="s3")
            sold = world.transfer(f"{to_s3}.1", 20_000_000, by="s2", to="factor", purpose="finance")
            world.transfer(f"{sold}.2", 20_000_000, by="factor", to="trustee#T1",
                           purpose="securitise")  # fmt: skip
            self.pledge(f"{to_s3}.2")
        world.advance(instant(DUE_ON))

    def pledge(self, lot: str) -> None:
        world = self.world
        body: dict[str, Json] = {
            "lot": lot, "amount": "10000000", "pledgee": world.ids["factor"], "secured": "1",
            "account": world.accounts["factor"], "register_by": "2025-07-31", "terms": DIGEST,
        }  # fmt: skip
        self.pledged = world.do("s3", "pledge.create", body).sid

    # --- what may happen ------------------------------------------------------------------

    def rows(self) -> Batch:
        return Batch(self.world.store.fetch, self.world.rulebook.tables, index=0)

    def propose(self) -> None:
        plan = plan_due(self.rows(), due_on=DUE_ON, pay_on=DUE_ON)
        if plan.instructions:
            body = body_of(plan).model_dump(mode="json")
            self.world.do("operator", "clearing.plan", body)

    def report(self) -> None:
        word = self.chance.choice(["posted"] * 6 + ["rejected", "returned", "accepted"])
        run = self.chance.choice(list(self.world.store.select(RUNS)))
        rows = list(self.world.store.select(INSTRUCTIONS, field="plan", value=run.plan))
        chosen = self.chance.sample(rows, min(len(rows), self.chance.choice([1, 1, 2, 4])))
        banks = {self.world.ids[name]: name for name in ("bank", "other")}
        by = self.chance.choice([*banks]) if self.chance.random() < 0.1 else chosen[0].bank
        reason: dict[str, Json] = {"reason": "X"} if word in ("rejected", "returned") else {}
        items: list[Json] = [
            {"instruction": row.n, "amount": str(row.amount), "status": word, **reason}
            for row in sorted(chosen, key=lambda row: row.n)
            if row.bank == by or len(chosen) == 1
        ]
        if not items:
            return
        self.world.do(banks[by], "clearing.report", {"items": items}, re=run.plan)

    def answer(self, kind: str) -> None:
        run = self.chance.choice(list(self.world.store.select(RUNS)))
        body: dict[str, Json] = {"instruction": self.chance.randrange(run.instructions)}
        plan = run.plan
        if kind == "clearing.top-up":
            owed = self.chance.choice(list(self.world.store.select(OBLIGATIONS)))
            plan, body = owed.plan, {"instruction": owed.n, "sort": owed.sort}
        else:
            body["ground"] = "silent"
        self.world.do("operator", kind, body, re=plan)

    def close(self) -> None:
        run = self.chance.choice(list(self.world.store.select(RUNS)))
        left = find_left(self.rows(), run)
        body: dict[str, Json] = {"expired": len(left.expired), "stuck": len(left.stuck)}
        self.world.do("operator", "clearing.close", body, re=run.plan)

    def fund(self) -> None:
        voucher = self.chance.choice(list(self.world.store.select(VOUCHERS)))
        body: dict[str, Json] = {
            "account": voucher.account, "amount": str(self.chance.randint(0, 10**8))
        }  # fmt: skip
        self.world.do(self.chance.choice(["bank", "other"]), "clearing.fund", body)

    def divide(self) -> None:
        for fund in list(self.world.store.select(FUNDS)):
            ledger = self.world.engine.ledger
            assert ledger is not None
            now = Now(index=self.world.store.size(), time=self.world.time, ledger=ledger)
            plan = find_divided(self.rows(), fund, now)
            if plan.instructions:
                body = apportion_body(plan).model_dump(mode="json")
                self.world.do("operator", "clearing.apportion", body, re=fund.fund)

    def freeze(self) -> None:
        lot = self.chance.choice(list(self.world.store.select(LOTS)))
        self.world.do("registrar", "lot.freeze", {**COURT, "lot": lot.lot})

    def unfreeze(self) -> None:
        for row in list(self.world.store.select(FREEZES)):
            if row.status != FreezeStatus.LIFTED:
                self.world.do("registrar", "lot.unfreeze", COURT, re=row.freeze)

    def pay_to_court(self) -> None:
        freeze = self.chance.choice(list(self.world.store.select(FREEZES)))
        body: dict[str, Json] = {
            **COURT, "basis": self.chance.choice(["deduction", "due-debt-notice"]),
            "bank": self.world.ids["bank"], "account": DIGEST,
        }  # fmt: skip
        self.world.do("registrar", "lot.pay-to-court", body, re=freeze.freeze)

    def release(self) -> None:
        pledge = self.chance.choice(list(self.world.store.select(PLEDGES)))
        self.world.do("factor", "pledge.release", {}, re=pledge.pledge)

    def grant(self) -> None:
        name = self.chance.choice(["s1", "s2", "s3", "factor"])
        self.world.do(name, "mandate.grant", {"account": self.world.accounts[name]})

    def wait(self) -> None:
        self.day += timedelta(days=1)
        self.world.advance(instant(self.day))
        self.world.engine.submit([])

    def restart(self) -> None:
        """Begins again with what is stored, and nothing else."""
        world = self.world
        world.engine = Engine(world.store, Declared.of(world.rulebook), world.clock, origin=ORIGIN)

    def step(self) -> None:
        if not list(self.world.store.select(RUNS)):
            self.propose()
            return
        what = [self.report] * 18 + [self.propose] * 2 + [self.freeze, self.unfreeze, self.grant]
        what += [self.close, self.fund, self.divide, self.pay_to_court, self.release, self.wait]
        what += [self.restart]
        kinds = ["clearing.reroute", "clearing.top-up"]
        what += [lambda: self.answer(self.chance.choice(kinds))] * 5
        self.chance.choice(what)()

    # --- what must hold ---------------------------------------------------------------------

    def verify(self) -> None:
        store = self.world.store
        assert sum(row.debited - row.credited for row in store.select(BALANCES)) == 0
        left: Counter[str] = Counter()
        for lot in store.select(LOTS):
            left[lot.voucher] += lot.amount
        for voucher in store.select(VOUCHERS):
            gone = voucher.discharged + voucher.cancelled
            assert left[voucher.voucher] + gone == voucher.face
        rows = {(row.plan, row.n): row for row in store.select(INSTRUCTIONS)}
        for order in store.select(ORDERS):
            assert order.lot in rows[order.plan, order.n].lots
            assert rows[order.plan, order.n].status in LAPSING
        paid: Counter[str] = Counter()
        for row in rows.values():
            if row.status == "posted" and row.pays != "again":
                paid.update(row.lots)
        owed = [each for each in store.select(OBLIGATIONS) if each.sort == "return"]
        back = {lot for each in owed for lot in each.lots}
        assert {lot for lot, count in paid.items() if count > 1} <= back


@pytest.mark.parametrize("seed", range(12))
def test_the_engine_writes_what_a_replay_reads(seed: int) -> None:
    town = Town(random.Random(seed))  # noqa: S311
    for _ in range(90):
        try:
            town.step()
        except IndexError:
            continue
        except RefusalError:
            pass
        town.verify()
    verify_everything(town.world)
