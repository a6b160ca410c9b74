"""Clearing days, stages, joint payments, many debtors: whatever anybody does, nothing breaks (I9).

The town of `tests.test_clearing_attacked`, with all that came after it: files that go to banks,
payments of several instructions, accounts by way of others, mandates that end, lists that debtors
approve, words that are relayed, closes that go on in further entries.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from api.reconciling import reconciled
from clearing.handed import AGGREGATIONS, DEBIT_LISTS, JOINT_PAYMENTS
from clearing.hops import is_carried, owing
from clearing.model import (
    HOPS,
    INSTRUCTIONS,
    LAPSING,
    OBLIGATIONS,
    ORDERS,
    PASSINGS,
    RUNS,
    UNANSWERED,
    InstructionRecord,
)
from clearing.passing import flows_of
from clearing.reconciliation import Differs
from clearing.rules import closings
from clearing.rules.closings import find_left
from clearing.rules.lists import approve_body
from clearing.rules.sends import JOINT_LOTS_MAX, JOINT_MAX, together
from registry.burdens import FREEZES
from registry.canonical import Json
from registry.credit import DEBTORS
from registry.engine import Sealed
from registry.errors import RefusalError
from registry.model import ACCOUNTS, LOTS, MANDATES, VOUCHERS
from registry.stages import STAGES
from tests.builders import DIGEST, instant
from tests.scenario import verify_everything
from tests.test_clearing_attacked import COURT, DUE_ON, Town

DAY_RULE: dict[str, Json] = {
    "approve": True, "calendar": "CN-LEGAL", "cut_off": "16:30", "day_end": "17:00",
    "rounds": ["10:00", "15:00"],
}  # fmt: skip
HOUR = 3_600_000
BLAMELESS = suppress(RefusalError, IndexError)
"""Around what may be refused, or may find nothing to do."""
PAYEES = ("s1", "s2", "s3", "factor", "trustee#T1")


class City(Town):
    """The town, with further debtors, a trustee's own account, and a day of clearing."""

    def __init__(self, chance: random.Random, *, has_day: bool) -> None:
        self.has_day, self.late = has_day, 0
        super().__init__(chance)

    def settle(self) -> None:
        """Prepares what comes before the due date; the town issues its vouchers first."""
        world = self.world
        world.bank_account("trustee")
        for name in ("d1", "d2", "d3"):
            world.admit(name, "participant")
            world.bank_account(name)
            world.designate(name)
            issued = world.issue_body(
                account=world.accounts[name], mandate=world.mandates[name], face="30000000"
            )
            voucher = world.do(name, "voucher.issue", issued).sid
            body: dict[str, Json] = {"account": world.accounts["s1"], "collection_route": False}
            world.do("s1", "voucher.accept", body, re=voucher)
        rules: dict[str, Any] = {"hop_limit": "50000000", "relayed_evidence": True}
        world.enforce(**rules, **({"clearing_day": DAY_RULE} if self.has_day else {}))
        for _ in range(4):
            for what in (self.name_stage, self.aggregate):
                with BLAMELESS:
                    what()

    def pledge(self, lot: str) -> None:
        super().pledge(lot)
        if self.world.accounts["core"] and len(list(self.world.store.select(VOUCHERS))) == 3:
            self.settle()

    # --- what may happen besides ------------------------------------------------------------

    def name_of(self, party: str) -> str:
        (name,) = (name for name, known in self.world.ids.items() if known == party)
        return name

    def name_stage(self) -> None:
        world = self.world
        via = self.chance.choice(["trustee", "factor", "s1", "s2", "core", "d1"])
        onto = self.chance.choice(PAYEES)
        grant: dict[str, Json] = {"account": world.accounts[via], "onto": world.accounts[onto]}
        made = world.do(via, "mandate.grant", grant).sid
        body: dict[str, Json] = {"cycle_days": 7} if "#" in onto else {}
        world.do(onto, "account.stage", self.chance.choice([body, {}]), re=made)

    def unstage(self) -> None:
        row = self.chance.choice(list(self.world.store.select(STAGES)))
        self.world.do(self.name_of(row.owner), "account.unstage", {}, re=row.stage)

    def revoke(self) -> None:
        row = self.chance.choice(list(self.world.store.select(MANDATES)))
        self.world.do(self.name_of(row.owner), "mandate.revoke", {}, re=row.mandate)

    def aggregate(self) -> None:
        name = self.chance.choice(PAYEES)
        body: dict[str, Json] = {
            "account": self.world.accounts[name], "agreed": self.chance.random() < 0.8
        }  # fmt: skip
        self.world.do(name, "payee.aggregate", body)

    def freeze_account(self) -> None:
        row = self.chance.choice(list(self.world.store.select(ACCOUNTS)))
        kind = "account.unfreeze" if row.frozen else "account.freeze"
        self.world.do(self.name_of(row.bank), kind, COURT, re=row.account)

    def approve(self) -> None:
        waiting = [row for row in self.world.store.select(DEBIT_LISTS) if row.waiting]
        row = self.chance.choice(waiting)
        body = approve_body(row).model_dump(mode="json")
        self.world.do(self.name_of(row.debtor), "clearing.approve", body, re=row.plan)

    def send(self) -> None:
        run = self.chance.choice(list(self.world.store.select(RUNS)))
        banks = {row.account: row.bank for row in self.world.store.select(ACCOUNTS)}
        rows = [
            row
            for row in self.world.store.select(INSTRUCTIONS, field="plan", value=run.plan)
            if row.status in UNANSWERED
        ]
        bank = banks[self.chance.choice(rows).payer_account]
        mine = [row for row in rows if banks[row.payer_account] == bank]
        some = self.chance.sample(mine, self.chance.randint(1, len(mine)))
        some += [row for row in mine if {str(row.n) for row in some} & {*row.after}]
        chosen = {row.n: row for row in some}
        joint = self.joined(chosen, run.joint) if self.chance.random() < 0.6 else []
        singly = sorted(chosen)
        again: dict[str, Json] = {"again": "x"} if any(row.sent for row in some) else {}
        body: dict[str, Json] = {
            "bank": bank, "format": "pain.001", "digest": DIGEST, "message_id": "M",
            "instructions": [*singly], "joint": [*joint], **again,
            "total": str(sum({row.n: row.amount for row in some}.values())),
        }  # fmt: skip
        self.world.do("operator", "clearing.send", body, re=run.plan)

    def joined(self, chosen: dict[int, InstructionRecord], first: int) -> list[Json]:
        """Takes out of the chosen what can be paid at once."""
        groups: dict[Any, list[InstructionRecord]] = defaultdict(list)
        agreed = {row.account for row in self.world.store.select(AGGREGATIONS)}
        for row in chosen.values():
            if row.joint is not None or row.payee_account in agreed:
                groups[row.joint, together(row)].append(row)
        made: list[tuple[int, Json]] = []
        for (joint, _), rows in sorted(groups.items(), key=str):
            rows = sorted(rows, key=lambda row: row.n)[:JOINT_MAX]
            if len(rows) < 2 or sum(len(row.lots) for row in rows) > JOINT_LOTS_MAX:
                continue
            number = first if joint is None else joint
            first += joint is None
            payment: dict[str, Json] = {
                "payment": number, "instructions": [row.n for row in rows],
                "amount": str(sum(row.amount for row in rows)),
            }  # fmt: skip
            made.append((number, payment))
            for row in rows:
                del chosen[row.n]
        return [payment for _, payment in sorted(made, key=lambda each: each[0])]

    def relay(self) -> None:
        """Has the operator say what a bank would, of what came last or of anything."""
        run = self.chance.choice(list(self.world.store.select(RUNS)))
        rows = list(self.world.store.select(INSTRUCTIONS, field="plan", value=run.plan))
        row = self.chance.choice(rows)
        word = self.chance.choice(["posted", "posted", "rejected", "returned", "accepted"])
        reason: dict[str, Json] = {"reason": "X"} if word in ("rejected", "returned") else {}
        of_joint = [
            each for each in rows if each.n == row.n or (row.joint == each.joint is not None)
        ]
        items: list[Json] = [
            {"instruction": each.n, "amount": str(each.amount), "status": word, **reason}
            for each in sorted(of_joint, key=lambda each: each.n)
        ]
        body: dict[str, Json] = {
            "items": items, "bank": row.bank, "message": {"format": "camt.054", "digest": DIGEST}
        }  # fmt: skip
        self.world.do("operator", "clearing.report", body, re=run.plan)

    def nothing_there(self) -> None:
        voucher = self.chance.choice(list(self.world.store.select(VOUCHERS)))
        body: dict[str, Json] = {"account": voucher.account, "amount": "0"}
        self.world.do(self.chance.choice(["bank", "other"]), "clearing.fund", body)

    def close_and_go_on(self) -> None:
        """Closes a run together with other statements of the same batch."""
        world = self.world
        run = self.chance.choice(list(world.store.select(RUNS)))
        left = find_left(self.rows(), run)
        body: dict[str, Json] = {"expired": len(left.expired), "stuck": len(left.stuck)}
        texts = [world.sign("operator", "clearing.close", body, re=run.plan)]
        for row in [*left.expired, *left.stuck][:2]:
            item: dict[str, Json] = {
                "instruction": row.n, "amount": str(row.amount), "status": "posted"
            }  # fmt: skip
            texts.append(
                world.sign(
                    self.name_of(row.bank), "clearing.report", {"items": [item]}, re=run.plan
                )
            )
        world.submit(*texts)

    def wait(self) -> None:
        """Lets hours go by, so that cut-offs and ends of days pass too."""
        self.late += self.chance.choice([1, 3, 7, 8, 24]) * HOUR
        self.world.advance(instant(DUE_ON) + self.late)
        self.world.engine.submit([])

    def step(self) -> None:
        if self.chance.random() < 0.6 or not list(self.world.store.select(RUNS)):
            super().step()
            return
        what = [self.send] * 4 + [self.approve] * 2 + [self.relay] * 3 + [self.wait] * 3
        what += [self.name_stage, self.unstage, self.revoke, self.aggregate, self.freeze_account]
        what += [self.nothing_there, self.close_and_go_on]
        self.chance.choice(what)()

    # --- what must hold ---------------------------------------------------------------------

    def verify(self) -> None:
        super().verify()
        store = self.world.store
        rows = {(row.plan, row.n): row for row in store.select(INSTRUCTIONS)}
        self.verify_runs(rows.values())
        debtors = {row.voucher: row.debtor for row in store.select(VOUCHERS)}
        others: Counter[str] = Counter()
        for row in rows.values():
            if row.status == "posted":
                for account, _, amount in flows_of(row, debtors[row.voucher]):
                    others[account] += amount
        kept = {row.account: row.came - row.went for row in store.select(PASSINGS)}
        assert {k: v for k, v in kept.items() if v} == {k: v for k, v in others.items() if v}
        self.verify_hops()
        for payment in store.select(JOINT_PAYMENTS):
            members = [rows[payment.plan, int(n)] for n in payment.instructions]
            assert {row.joint for row in members} == {payment.payment}
            assert sum(row.amount for row in members) == payment.amount
        for order in store.select(ORDERS):
            assert self.rows().get(LOTS, order.lot) is not None

    def verify_runs(self, rows: Iterable[InstructionRecord]) -> None:
        counted = Counter((row.plan, row.status) for row in rows)
        over = ("expired", "replaced", "returned", "redirected")
        for run in self.world.store.select(RUNS):
            assert run.posted == counted[run.plan, "posted"]
            assert run.ended == sum(counted[run.plan, status] for status in over)
            assert run.instructions == sum(n for (of, _), n in counted.items() if of == run.plan)

    def verify_hops(self) -> None:
        rows = self.rows()
        store = self.world.store
        vouchers = {row.voucher: row for row in store.select(VOUCHERS)}
        wanted: Counter[tuple[str, str]] = Counter()
        owed: Counter[str] = Counter()
        for lot in store.select(LOTS):
            voucher = vouchers[lot.voucher]
            owed[voucher.debtor] += lot.amount
            if is_carried(voucher):
                party, amount = owing(rows, lot, voucher.debtor, lambda row: row.status)
                if party != voucher.debtor:
                    wanted[voucher.voucher, party] += amount
                    owed[voucher.debtor] -= amount
        for each in store.select(OBLIGATIONS):
            if each.sort == "again" and each.status != "met":
                debtor = vouchers[each.voucher].debtor
                if each.owed_by == debtor:
                    owed[debtor] += each.amount
                else:
                    wanted[each.voucher, each.owed_by] += each.amount
        hops = {(row.voucher, row.party): int(row.amount) for row in store.select(HOPS)}
        assert hops == dict(wanted)
        for known in store.select(DEBTORS):
            assert known.outstanding == owed[known.party], known

    def reconcile(self) -> None:
        _, found = reconciled(self.world.store, DUE_ON.isoformat())
        # A bank that carries out what was replaced too draws twice on who passed money on.
        assert {each.what for each in found.differences} <= {Differs.ACCOUNT}, found.differences

    def finish(self) -> None:
        """Everybody does what is theirs; then nobody's money or lot may be blocked."""
        for row in list(self.world.store.select(ACCOUNTS)):
            if row.frozen:
                self.world.do(self.name_of(row.bank), "account.unfreeze", COURT, re=row.account)
        for freeze in list(self.world.store.select(FREEZES)):
            with BLAMELESS:
                self.world.do("registrar", "lot.unfreeze", COURT, re=freeze.freeze)
        for _ in range(6):
            self.late += 48 * HOUR
            self.world.advance(instant(DUE_ON) + self.late)
            self.world.engine.submit([])
            for voucher in list(self.world.store.select(VOUCHERS)):
                body: dict[str, Json] = {"account": voucher.account, "amount": "0"}
                for bank in ("bank", "other"):
                    with BLAMELESS:
                        self.world.do(bank, "clearing.fund", body)
            for run in list(self.world.store.select(RUNS)):
                self.carry_out(run.plan)
                with BLAMELESS:
                    self.end(run.plan)
            with BLAMELESS:
                self.propose()
        assert not list(self.world.store.select(LOTS)), "something is blocked for ever"

    def end(self, plan: str) -> None:
        (run,) = (row for row in self.world.store.select(RUNS) if row.plan == plan)
        left = find_left(self.rows(), run)
        body: dict[str, Json] = {"expired": len(left.expired), "stuck": len(left.stuck)}
        self.world.do("operator", "clearing.close", body, re=plan)

    def carry_out(self, plan: str) -> None:
        for word in ("clearing.reroute", "posted", "clearing.top-up", "posted"):
            rows = list(self.world.store.select(INSTRUCTIONS, field="plan", value=plan))
            for row in sorted(rows, key=lambda row: row.n):
                body: dict[str, Json] = {"instruction": row.n}
                with BLAMELESS:
                    if word == "posted" and row.status in LAPSING:
                        self.post(row)
                    elif word == "clearing.reroute" and row.status in ("rejected", "returned"):
                        self.tell(word, {**body, "ground": "silent"}, plan)
                    elif word == "clearing.top-up":
                        self.tell(word, {**body, "sort": "again"}, plan)

    def tell(self, kind: str, body: dict[str, Json], plan: str) -> None:
        self.world.do("operator", kind, body, re=plan)

    def post(self, row: InstructionRecord) -> None:
        item: dict[str, Json] = {
            "instruction": row.n, "amount": str(row.amount), "status": "posted"
        }  # fmt: skip
        body: dict[str, Json] = {"items": [item]}
        self.world.do(self.name_of(row.bank), "clearing.report", body, re=row.plan)


class Hasty(City):
    """The city, where several statements come at once, each decided on what those before left."""

    def __init__(self, chance: random.Random, *, has_day: bool) -> None:
        self.waiting: list[str] | None = None
        super().__init__(chance, has_day=has_day)
        self.seal_now = self.world.do
        self.world.do = self.queue  # type: ignore[method-assign]

    def queue(
        self, name: str, kind: str, body: Mapping[str, Json], *, re: str | None = None
    ) -> Sealed:
        """Signs a statement that waits for the others, unless it is the clock's or none wait."""
        if self.waiting is None or kind == "clock.set":
            return self.seal_now(name, kind, body, re=re)
        text = self.world.sign(name, kind, body, re=re)
        self.waiting.append(text)
        sid = self.world.sid_of(text)
        return Sealed(sid=sid, index=0, time=0, leaf_hash=b"", effects_json=b"", replayed=False)

    def step(self) -> None:
        self.waiting = []
        for _ in range(self.chance.choice([1, 2, 4, 8])):
            with BLAMELESS:
                super().step()
        texts, self.waiting = self.waiting, None
        self.world.submit(*texts)


def walk(city: City, *, steps: int) -> None:
    """Has anybody do anything; then everybody does what is theirs, and all is paid."""
    for _ in range(steps):
        with BLAMELESS:
            city.step()
        city.verify()
    city.reconcile()
    city.finish()
    city.verify()
    city.reconcile()
    verify_everything(city.world)


@pytest.mark.parametrize("of", [City, Hasty])
@pytest.mark.parametrize("seed", range(4))
def test_a_city_under_attack_is_what_a_replay_reads(
    of: type[City], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closings, "AT_ONCE", 1)
    chance = random.Random(seed)  # noqa: S311
    walk(of(chance, has_day=seed % 2 == 0), steps=90 if of is City else 40)
