"""Clearing against a naive second opinion, step by step, from the issue to the last payment.

The simulation of the registry goes on with the whole rulebook: vouchers of both routes,
holders with and without consent and mandates, plans and confirmations right and wrong,
among statements on other vouchers. At the end everything is paid, and every account has
what its owner's lots came to, whichever way it went.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from random import Random

from hypothesis import Phase, settings
from hypothesis.stateful import initialize, invariant, rule

from clearing.due import stream_due
from clearing.model import BALANCES, INSTRUCTIONS, RUNS
from clearing.package import write_package
from clearing.shares import SharedDue
from registry.canonical import Json
from registry.entries import open_entry
from registry.model import LOTS, VOUCHERS
from tests.builders import DIGEST, FIRST_DAY, instant
from tests.clearing_cast import BANKS, cast_world
from tests.clearing_model import ClearingModel, Figures
from tests.model import DAY
from tests.moves import NAMES, ROLES, SEEDS, Made
from tests.test_simulation import Simulation

LAST_DAY = 60
"""No day is begun by chance from here on: holidays come soon, which the model does not know."""


class ClearingSimulation(Simulation):
    """Two worlds and a model that must not drift apart, until everything is paid."""

    model: ClearingModel

    def __init__(self) -> None:
        super().__init__()
        self.batched, self.single = (cast_world((*ROLES.items(),)) for _ in range(2))
        self.names = {party: name for name, party in self.batched.ids.items()}
        accounts = self.batched.accounts
        self.model = ClearingModel(
            debtor="core",
            roles=ROLES,
            epoch=instant(FIRST_DAY, hour=0),
            now=self.batched.time,
            ids={name: str(party) for name, party in self.batched.ids.items()},
            bank_of={accounts[f"{name} at {bank}"]: bank for name in ROLES for bank in BANKS},
            debtor_account=accounts["core"],
            debtor_mandate=self.batched.mandates["core"],
            weekday=FIRST_DAY.weekday(),
        )
        self.stated: list[tuple[int, Figures]] = []
        """Due days and figures that were right when they were signed."""

    # --- what the base leaves open ------------------------------------------------------

    def sign(self, by: str, kind: str, body: dict[str, Json], re: str | None = None) -> str:
        """Signs a statement; chooses a voucher's route, and tells the model what it says."""
        if kind == "voucher.issue":
            body = {**body, "route": self.chance.choice(["tiered", "tiered", "direct"])}
        text = super().sign(by, kind, body, re=re)
        if kind == "voucher.issue":
            voucher = self.batched.sid_of(text)
            self.model.route[voucher] = str(body["route"])
            self.model.voucher_no[voucher] = str(body["voucher_no"])
        if kind in ("voucher.accept", "transfer.accept"):
            self.model.stated[re or ""] = (str(body["account"]), bool(body["collection_route"]))
        if kind == "consent.grant":
            consent = self.batched.sid_of(text)
            self.model.stated[consent] = (str(body["account"]), bool(body["collection_route"]))
        return text

    def account(self, name: str) -> str:
        return self.batched.accounts[f"{name} at {self.chance.choice(BANKS)}"]

    def payee(self, name: str) -> dict[str, Json]:
        return {"account": self.account(name), "collection_route": self.chance.random() < 0.85}

    def tick(self) -> Made:
        return super().tick() if self.model.today() < LAST_DAY else None

    # --- one statement each -------------------------------------------------------------

    def grant(self) -> Made:
        name = self.chance.choice(NAMES[1:])
        owner = self.chance.choice(NAMES) if self.is_odd() else name
        account = self.account(owner)
        text = self.sign(name, "mandate.grant", {"account": account})
        return text, partial(self.model.grant, by=name, account=account, is_owner=owner == name)

    def tick_to(self, time: int) -> Made:
        if time <= self.model.now:
            return None
        return self.sign("operator", "clock.set", {"time": time}), lambda _: self.model.tick(time)

    def tick_to_pay_day(self) -> Made:
        model = self.model
        if model.today() >= LAST_DAY or not model.unplanned():
            return None
        day = model.unplanned()[0]
        begins = (
            model.epoch + self.chance.choice([day, model.pay_day(day), model.pay_day(day)]) * DAY
        )
        return self.tick_to(begins + self.chance.choice([-1, 0, 0, DAY // 2]))

    def figures(self, day: int) -> Figures:
        pay_on = self.day(self.model.pay_day(day))
        return self.model.figures(day, due_on=self.day(day), pay_on=pay_on)

    def plan(self) -> Made:
        model = self.model
        # Of these some are not paid yet, on a weekend.
        begun = [day for day in model.unplanned() if day <= model.today()]
        ever = sorted({*model.due_day.values(), model.today()})
        if self.chance.random() < 0.2:
            begun = ever
        if not begun:
            return None
        day = self.chance.choice(begun)
        stated = self.figures(day)
        self.stated.append((day, stated))
        if self.is_odd():
            # What was right some time ago, or is no longer needed.
            day, stated = self.chance.choice(self.stated)
        if self.chance.random() < 0.5:
            stated = self.wrong(stated)
        return self.plan_of(day, stated, by=self.signer("operator"))

    def wrong(self, stated: Figures) -> Figures:
        name = self.chance.choice([each for each in stated if each != "due_on"])
        value = stated[name]
        if name == "pay_on":
            return {**stated, name: self.day(self.model.today() + 11)}
        if name in ("digest", "certificate"):
            return {**stated, name: DIGEST}
        return {**stated, name: value + 1 if isinstance(value, int) else str(int(value) + 1)}

    def plan_right(self, day: int) -> Made:
        return self.plan_of(day, self.figures(day), by="operator")

    def plan_of(self, day: int, stated: Figures, *, by: str) -> Made:
        predict = partial(self.model.plan, by=by, day=day, stated=stated, right=self.figures(day))
        return self.sign(by, "clearing.plan", {**stated}), predict

    def confirm(self) -> Made:
        model = self.model
        found = model.pending()
        if self.is_odd():
            found = [(plan, hop) for plan, facts in model.plans.items() for hop in facts.hops]
        elif self.chance.random() < 0.7:
            found = [
                (plan, hop)
                for plan, hop in found
                if all(model.plans[plan].hops[n].is_posted for n in hop.after)
            ]
        if not found:
            return None
        plan, hop = self.chance.choice(found)
        by = model.bank_of[hop.payee_account]
        if self.is_odd():
            by = self.chance.choice([*BANKS, "operator", hop.payee])
        return self.confirm_of(
            self.chance.choice([*model.plans, *model.face])
            if self.chance.random() < 0.02
            else plan,
            hop.n + (1000 if self.chance.random() < 0.02 else 0),
            by=by,
            amount=max(1, hop.amount + (self.chance.choice([-1, 1]) if self.is_odd() else 0)),
        )

    def confirm_of(self, plan: str, n: int, *, by: str, amount: int) -> Made:
        item: dict[str, Json] = {"instruction": n, "amount": str(amount), "status": "posted"}
        text = self.sign(by, "clearing.report", {"items": [item]}, re=plan)
        return text, lambda _: self.model.confirm(plan, n, by=by, amount=amount)

    # --- steps ----------------------------------------------------------------------------

    @initialize(seed=SEEDS)
    def vouchers_to_begin_with(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311
        self.run([self.grant] * self.chance.choice([0, 5, 12, 12]))
        self.run([self.issue, self.answer_voucher] * 4)
        for _ in range(4):
            self.a_chain_within_one_batch()

    @rule(seed=SEEDS)
    def a_step(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311
        steps = [self.some_statements] * 2 + [self.a_chain_within_one_batch] * 2
        steps += [self.clearing_among_others] * 7 + [self.a_pay_day] * 4
        self.chance.choice([*steps, self.a_key_is_replaced])()

    def clearing_among_others(self) -> None:
        makes: list[Callable[[], Made]] = [self.plan, self.plan, *[self.confirm] * 14]
        makes += [self.grant, self.issue, self.answer_voucher, self.acknowledge, self.tick]
        makes += [self.offer, self.offer, self.answer_offer, self.answer_offer, self.consent]
        self.run(self.chance.choices(makes, k=self.chance.randint(1, 14)))

    def a_pay_day(self) -> None:
        """Brings a pay date, its plan and the first confirmations within one batch."""
        self.run([self.plan, self.tick_to_pay_day, *[self.plan] * 5, *[self.confirm] * 5])

    # --- what must hold after every step ----------------------------------------------------

    @invariant()
    def vouchers_are_paid_as_far_as_the_model_says(self) -> None:
        found = {row.voucher: row.discharged for row in self.batched.store.select(VOUCHERS)}
        assert found == {voucher: self.model.discharged[voucher] for voucher in self.model.face}

    @invariant()
    def plans_and_instructions_are_as_the_model_says(self) -> None:
        model, store = self.model, self.batched.store
        found = {(str(row.plan), row.n): row for row in store.select(INSTRUCTIONS)}
        wanted = {(plan, hop.n): hop for plan, facts in model.plans.items() for hop in facts.hops}
        assert found.keys() == wanted.keys()
        for place, hop in wanted.items():
            row = found[place]
            assert (row.status == "posted", row.amount) == (hop.is_posted, hop.amount)
            assert (row.payer_account, row.payee_account) == (hop.payer_account, hop.payee_account)
            assert [*row.lots] == hop.lots
        assert {
            row.plan: (row.instructions, str(row.total), row.posted, row.status)
            for row in store.select(RUNS)
        } == {
            plan: (
                len(facts.hops),
                facts.figures["total"],
                sum(hop.is_posted for hop in facts.hops),
                "cleared" if all(hop.is_posted for hop in facts.hops) else "planned",
            )
            for plan, facts in model.plans.items()
        }

    @invariant()
    def the_books_balance_and_nobody_is_short_of_what_is_discharged(self) -> None:
        model = self.model
        rows = list(self.batched.store.select(BALANCES))
        assert {row.account: (row.debited, row.credited) for row in rows} == {
            name: (model.debits[name], model.credits[name])
            for name in model.debits.keys() | model.credits.keys()
        }
        assert sum(row.debited for row in rows) == sum(row.credited for row in rows)
        for name, amount in self.banked().items():
            assert name == model.debtor_account or amount >= model.paid[name]

    def banked(self) -> dict[str, int]:
        """Returns what has moved into each bank account, less what has moved out of it."""
        rows = self.batched.store.select(BALANCES)
        found = {row.account.partition(":"): row.debited - row.credited for row in rows}
        return {name: amount for (kind, _, name), amount in found.items() if kind == "bank"}

    # --- the end ------------------------------------------------------------------------------

    def pay_everything(self) -> None:
        """Plans what is due, and confirms it in an order that comes by chance."""
        model = self.model
        days = model.unplanned()
        last = max(map(model.pay_day, days), default=0)
        self.run([partial(self.tick_to, model.epoch + last * DAY)])
        for day in days:
            self.verify_package_of(day)
        self.run([partial(self.plan_right, day) for day in days])
        while model.pending():
            ready = [
                (plan, hop)
                for plan, hop in model.pending()
                if all(model.plans[plan].hops[n].is_posted for n in hop.after)
            ]
            self.chance.shuffle(ready)
            self.run(
                [
                    partial(
                        self.confirm_of,
                        plan,
                        hop.n,
                        by=model.bank_of[hop.payee_account],
                        amount=hop.amount,
                    )
                    for plan, hop in ready
                ]
            )

    def verify_package_of(self, day: int) -> None:
        """Checks that a day's package comes to what the model says, by however many made."""
        store, figures = self.batched.store, self.figures(day)
        due_on, pay_on = (date.fromisoformat(str(figures[name])) for name in ("due_on", "pay_on"))
        shared = SharedDue(open_store=lambda: store, due_on=due_on, jobs=2)
        for due in (stream_due(store, due_on), shared):
            with tempfile.TemporaryDirectory() as name:
                made = write_package(Path(name) / "p", due, due_on=due_on, pay_on=pay_on)
            totals = made.totals
            assert made.digest == figures["digest"]
            assert totals.instructions == figures["instructions"]
            assert totals.vouchers == figures["vouchers"]
            assert str(totals.total_minor) == figures["total"]
            assert str(totals.gross_minor) == figures["gross"]

    def verify_paid(self) -> None:
        """Checks that every account has its owner's lots, and whoever passed money on no more."""
        model = self.model
        assert model.holder == {}
        owed: Counter[str] = Counter()
        for facts in model.plans.values():
            owed += facts.owed
        banked = self.banked()
        assert -banked.pop(model.debtor_account, 0) == owed.total()
        assert {name: amount for name, amount in banked.items() if amount} == dict(owed)
        bound = {voucher for voucher, status in model.status.items() if status == "settled"}
        assert owed.total() == sum(model.face[each] - model.confused[each] for each in bound)

    def verify_log(self) -> None:
        """Checks the days of cut-offs, transfers and plans, and discharges, as the log has them."""
        model = self.model
        cut_offs: Counter[str] = Counter()
        gone: Counter[str] = Counter()
        states_owed: set[int] = set()
        for data in self.batched.entries():
            entry = open_entry(data)
            today = self.day((entry.time - model.epoch) // DAY)
            effects = json.loads(data)["effects"]
            if entry.kind == "day.cut-off":
                cut_offs[effects["due"]["id"]] += 1
                states_owed.add(entry.index + 1)
                assert effects["due"]["id"] <= today
            for change in effects["changes"]:
                match change["effect"]:
                    case "lot-offered" | "lot-assigned":
                        assert today < self.day(model.due_day[change["voucher"]])
                    case "plan-adopted":
                        assert change["due_on"] <= change["pay_on"] <= today
                        assert cut_offs[change["due_on"]] == 1
                    case "state-committed":
                        states_owed.discard(change["at"])
                    case "lot-discharged":
                        gone[change["lot"]] += 1
                    case _:
                        pass
        bound = {voucher for voucher, status in model.status.items() if status == "settled"}
        assert cut_offs == {self.day(model.due_day[voucher]): 1 for voucher in bound}
        assert states_owed == set()
        assert gone.total() == len(gone)

    def verify_every_confirmation(self) -> None:
        """Checks books and vouchers as they stood after each single confirmation."""
        store = self.batched.store
        for data in self.batched.entries():
            entry = open_entry(data)
            if entry.kind != "clearing.report":
                continue
            size = entry.index + 1
            books = list(store.select(BALANCES, as_of=size))
            assert sum(row.debited - row.credited for row in books) == 0
            left: Counter[str] = Counter()
            for lot in store.select(LOTS, as_of=size):
                left[lot.voucher] += lot.amount
            for row in store.select(VOUCHERS, as_of=size):
                if row.status in ("active", "settled"):
                    assert left[row.voucher] + row.discharged + row.cancelled == row.face

    def teardown(self) -> None:
        self.pay_everything()
        for check in (
            self.the_model_agrees_and_every_face_is_conserved,
            self.every_lot_is_where_the_model_says,
            self.vouchers_offers_and_notices_are_as_the_model_says,
            self.deadlines_are_kept,
            self.vouchers_are_paid_as_far_as_the_model_says,
            self.plans_and_instructions_are_as_the_model_says,
            self.the_books_balance_and_nobody_is_short_of_what_is_discharged,
        ):
            check()
        self.verify_paid()
        self.verify_log()
        self.verify_every_confirmation()
        super().teardown()


TestClearingSimulation = ClearingSimulation.TestCase
# As in the simulation of the registry: shrinking seeds takes minutes and tells little.
TestClearingSimulation.settings = settings(
    stateful_step_count=9,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
