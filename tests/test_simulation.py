"""The real registry against a naive second opinion, step by step.

Every step hands a batch of random statements to one world in a single commit, and the
same statements one by one to another. Both must say what the model says, hold what it
holds, and seal the same bytes; at the end the log is judged again from its beginning.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from random import Random

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from registry.canonical import Json
from registry.engine import Sealed
from registry.errors import RegistryError
from registry.model import DEADLINES, LOTS, NOTICES, OFFERS, STATE_REQUESTS, VOUCHERS
from tests.builders import DIGEST, FIRST_DAY, ORIGIN, World, instant, key_of, possession_proof
from tests.model import DAY, FINANCIER, PARTICIPANT, TAKES, VEHICLE, Model
from tests.scenario import cast_world, verify_conservation, verify_everything

ROLES = {
    "core": PARTICIPANT,
    "s1": PARTICIPANT,
    "s2": PARTICIPANT,
    "s3": PARTICIPANT,
    "factor": FINANCIER,
    "trustee#T1": VEHICLE,
}
NAMES = [*ROLES]
SEEDS = st.integers(0, 2**32 - 1)
"""A step's choices come from a seed: spread wide, and shrunk by leaving steps out."""
PURPOSE_FOR = {PARTICIPANT: "settle", FINANCIER: "finance", VEHICLE: "securitise"}

Predict = Callable[[str], bool]
"""Tells what should become of the statement with this id, and does it to the model."""
Made = tuple[str, Predict] | None
"""A signed statement and its prediction; None if there is nothing to make it of."""

ODD = 0.12
"""How often a choice is one that should be refused."""


class Simulation(RuleBasedStateMachine):
    """Two worlds and a model that must not drift apart."""

    def __init__(self) -> None:
        super().__init__()
        self.batched, self.single = cast_world(), cast_world()
        epoch = instant(FIRST_DAY, hour=0)
        self.model = Model(debtor="core", roles=ROLES, epoch=epoch, now=self.batched.time)
        self.names: dict[str, str] = {party: name for name, party in self.batched.ids.items()}
        self.keys_made = 0
        self.chance = Random(0)  # noqa: S311

    # --- choices ------------------------------------------------------------------

    def is_odd(self) -> bool:
        return self.chance.random() < ODD

    def signer(self, right: str) -> str:
        return self.chance.choice(NAMES) if self.is_odd() else right

    def pick(self, usual: Iterable[str], ever: Iterable[str]) -> str | None:
        found = sorted(ever if self.is_odd() else usual)
        return self.chance.choice(found) if found else None

    def free_lots(self) -> list[str]:
        """Returns the lots that can be offered today."""
        model = self.model
        ahead = {voucher for voucher, day in model.due_day.items() if day > model.today() + 1}
        free = model.holder.keys() - model.locked
        return [lot for lot in free if model.voucher_of[lot] in ahead]

    def day(self, number: int) -> str:
        return (FIRST_DAY + timedelta(days=number)).isoformat()

    # --- one statement each -------------------------------------------------------

    def sign(self, by: str, kind: str, body: dict[str, Json], re: str | None = None) -> str:
        self.batched.time = self.model.now
        return self.batched.sign(by, kind, body, re=re)

    def payee(self, name: str) -> dict[str, Json]:
        return {"account": self.batched.accounts[name], "collection_route": True}

    def issue(self) -> Made:
        today, face = self.model.today(), self.chance.randint(1, 1_000)
        creditor = self.chance.choice(["s1", "s2", "s3", "factor"])
        if self.is_odd():
            creditor = self.chance.choice(["core", "bank", "operator"])
        accept_day = today + self.chance.randint(-1 if self.is_odd() else 0, 4)
        due_day = today + self.chance.randint(0 if self.is_odd() else 5, 9)
        body = self.batched.issue_body(
            face=str(face),
            creditor=self.batched.ids[creditor],
            accept_by=self.day(accept_day),
            due_on=self.day(due_day),
        )
        predict = partial(
            self.model.issue,
            face=face,
            creditor=creditor,
            accept_day=accept_day,
            due_day=due_day,
        )
        return self.sign("core", "voucher.issue", body), predict

    def answer_voucher(self) -> Made:
        model = self.model
        kind = self.chance.choice(["accept"] * 8 + ["refuse", "withdraw", "accede", "accede"])
        waiting = [name for name, status in model.status.items() if status == "issued"]
        if kind == "accede":
            waiting += [name for name, status in model.status.items() if status == "active"]
        voucher = self.pick(waiting, model.status)
        if voucher is None:
            return None
        joining = self.chance.choice(["s1", "s2", "s3"])
        right = {"withdraw": "core", "accede": joining}.get(kind, model.creditor[voucher])
        signer = self.signer(right)
        body: dict[str, Json] = {}
        if kind == "accept":
            body = self.payee(signer)
        if kind == "accede":
            file: dict[str, Json] = {"digest": DIGEST, "name": "resolution.pdf"}
            body = {"scope": "full", "addressee": "holders", "resolution": file}
        does = {
            "accept": model.accept,
            "refuse": model.refuse,
            "withdraw": model.withdraw,
            "accede": model.accede,
        }[kind]
        return self.sign(signer, f"voucher.{kind}", body, voucher), lambda _: does(
            voucher, by=signer
        )

    def offer(self) -> Made:
        model = self.model
        lot = self.pick(self.free_lots(), model.lots_seen)
        if lot is None:
            return None
        held = model.amount.get(lot, 1_000)
        amount = self.chance.choice([held, self.chance.randint(1, held)])
        to = self.chance.choice(["s1", "s2", "s3", "s1", "s2", "s3", "factor", "trustee#T1"])
        until = self.chance.randint(-1 if self.is_odd() else 0, 4)
        return self.offer_of(
            lot,
            amount=amount + self.is_odd(),
            by=self.signer(model.holder.get(lot, "s1")),
            to=self.chance.choice(NAMES) if self.is_odd() else to,
            until=until,
            purpose=self.chance.choice([*TAKES]) if self.is_odd() else PURPOSE_FOR[ROLES[to]],
        )

    def offer_of(
        self, lot: str, *, amount: int, by: str, to: str, until: int, purpose: str
    ) -> tuple[str, Predict]:
        day = self.model.today() + until
        body = self.batched.offer_body(lot, amount, to, purpose=purpose, accept_by=self.day(day))
        predict = partial(
            self.model.offer,
            lot=lot,
            amount=amount,
            by=by,
            to=to,
            purpose=purpose,
            day=day,
            key=self.key_name(by),
        )
        return self.sign(by, "transfer.offer", body), predict

    def answer_offer(self) -> Made:
        kind = self.chance.choice(["accept"] * 5 + ["reject", "withdraw"])
        offer = self.pick(self.model.offers, self.model.offers_seen)
        return None if offer is None else self.answer_of(offer, kind)

    def answer_of(self, offer: str, kind: str) -> Made:
        model = self.model
        assignor, assignee, *_ = model.offers.get(offer, ("s1", "s2"))
        signer = self.signer(assignor if kind == "withdraw" else assignee)
        body = self.payee(signer) if kind == "accept" else {}
        does = {"accept": model.take, "reject": model.reject, "withdraw": model.recall}[kind]
        text = self.sign(signer, f"transfer.{kind}", body, offer)
        return text, lambda _: does(offer, by=signer)

    def acknowledge(self) -> Made:
        model = self.model
        notice = self.pick((n for n, (_, is_done) in model.notices.items() if not is_done),
                           model.notices)  # fmt: skip
        if notice is None:
            return None
        signer = self.signer(model.notices[notice][0])
        mine = sorted(name for name, facts in model.notices.items() if facts == (signer, False))
        chosen = mine if mine and self.chance.random() < 0.3 else [notice]
        text = self.sign(signer, "notice.acknowledge", {"notices": [*chosen]})
        return text, lambda _: model.acknowledge(chosen, by=signer)

    def tick(self) -> Made:
        model = self.model
        first = min(model.deadlines(), default=(model.now + DAY, ""))[0]
        time = self.chance.choice(
            [first, first - 1, model.now + self.chance.randint(0, DAY), model.now + DAY]
        )
        if self.chance.random() < 0.04:
            time = model.now + 12 * DAY
        return self.sign("operator", "clock.set", {"time": time}), lambda _: model.tick(time)

    def snapshot(self) -> Made:
        return self.sign("trustee#T1", "snapshot.request", {}), lambda _: True

    # --- steps ----------------------------------------------------------------------

    @initialize(seed=SEEDS)
    def vouchers_to_begin_with(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311
        self.run([self.issue, self.answer_voucher] * 4)

    @rule(seed=SEEDS)
    def a_step(self, seed: int) -> None:
        self.chance = Random(seed)  # noqa: S311
        steps = [self.some_statements] * 9 + [self.a_chain_within_one_batch] * 3
        self.chance.choice([*steps, self.a_key_is_replaced])()

    def some_statements(self) -> None:
        usual = [self.issue, *[self.answer_voucher, self.acknowledge, self.tick] * 2]
        makes = [*usual, *[self.offer] * 6, *[self.answer_offer] * 4]
        if self.chance.random() < 0.2:
            makes.append(self.snapshot)
        self.run(self.chance.choices(makes, k=self.chance.randint(1, 8)))

    def a_chain_within_one_batch(self) -> None:
        """Spends what earlier statements of the same batch make: offer, accept, offer again."""
        model = self.model
        lot = self.pick(self.free_lots(), self.free_lots())
        if lot is None:
            return
        batch: list[tuple[str, Predict]] = []
        held, by = model.amount[lot], model.holder[lot]
        owing = model.owing(model.voucher_of[lot])
        for _ in range(3):
            to = self.chance.choice([name for name in NAMES if name not in {*owing, by}])
            amount = self.chance.randint(1, held)
            made = self.offer_of(
                lot, amount=amount, by=by, to=to, until=1, purpose=PURPOSE_FOR[ROLES[to]]
            )
            offer = self.batched.sid_of(made[0])
            accept = self.sign(to, "transfer.accept", self.payee(to), offer)
            batch += [made, (accept, partial(self.taken, offer=offer, by=to))]
            lot, held, by = f"{offer}.2", amount, to
        # All is signed before any of it is sent, for the ids are known in advance.
        self.submit(batch)

    def taken(self, _: str, *, offer: str, by: str) -> bool:
        return self.model.take(offer, by=by)

    def a_key_is_replaced(self) -> None:
        self.run([self.offer] * 3)
        signers = {assignor.partition("#")[0] for assignor, *_ in self.model.offers.values()}
        name = self.pick(signers, ["s1", "s2", "s3", "trustee"]) or "s1"
        old = self.batched.keys[name]
        self.keys_made += 1
        new = key_of(f"{name}, {self.keys_made}")
        body: dict[str, Json] = {
            "key": dict(new.public.jwk()),
            "use": "sign",
            "proof": possession_proof(new, origin=ORIGIN, party=self.batched.ids[name]),
        }
        self.submit([(self.sign(name, "key.add", body), lambda _: True)])
        self.batched.keys[name] = new
        text = self.sign(name, "key.revoke", {"kid": old.public.kid})
        self.submit([(text, lambda _: self.model.revoke(old.public.kid))])

    def key_name(self, name: str) -> str:
        return self.batched.keys[name.partition("#")[0]].public.kid

    def run(self, makes: Iterable[Callable[[], Made]]) -> None:
        """Makes statements one after another, each after what the earlier ones will do."""
        size = self.batched.store.size()
        texts, predicted = [], []
        for make in makes:
            made = make()
            if made is not None:
                texts.append(made[0])
                predicted.append(made[1](self.batched.sid_of(made[0])))
        assert self.batched.store.size() == size
        self.judge(texts, predicted)

    def submit(self, batch: list[tuple[str, Predict]]) -> None:
        """Submits statements that were made before anything is predicted."""
        predicted = [predict(self.batched.sid_of(text)) for text, predict in batch]
        self.judge([text for text, _ in batch], predicted)

    def judge(self, texts: list[str], predicted: list[bool]) -> None:
        """Submits a batch to one world, and its statements one by one to the other."""
        size = self.batched.store.size()
        together = self.batched.submit(*texts)
        apart = [self.single.submit(text)[0] for text in texts]
        for said, first, second in zip(predicted, together, apart, strict=True):
            assert isinstance(first, Sealed) == said, first
            assert type(first) is type(second)
            if isinstance(first, RegistryError):
                assert str(first) == str(second)
        new = list(self.batched.store.entries(size, self.batched.store.size()))
        assert new == list(self.single.store.entries(size, self.single.store.size()))
        assert self.batched.time == self.single.time == self.model.now

    # --- what must hold after every step ------------------------------------------------

    @invariant()
    def the_model_agrees_and_every_face_is_conserved(self) -> None:
        self.model.verify()
        verify_conservation(self.batched)

    @invariant()
    def every_lot_is_where_the_model_says(self) -> None:
        model, store = self.model, self.batched.store
        held = {
            lot.lot: (
                self.names[lot.holder],
                lot.amount,
                lot.voucher,
                [self.names[party] for party in lot.path],
                lot.status == "offered",
            )
            for lot in store.select(LOTS)
        }
        assert held == {
            lot: (
                name,
                model.amount[lot],
                model.voucher_of[lot],
                model.chain[lot],
                lot in model.locked,
            )
            for lot, name in model.holder.items()
        }

    @invariant()
    def vouchers_offers_and_notices_are_as_the_model_says(self) -> None:
        model, store = self.model, self.batched.store
        assert {row.voucher: row.status for row in store.select(VOUCHERS)} == model.status
        assert {row.offer for row in store.select(OFFERS)} == set(model.offers)
        notices = {
            row.notice: (self.names[row.recipient], row.acknowledged)
            for row in store.select(NOTICES)
        }
        assert notices == model.notices

    @invariant()
    def deadlines_are_kept(self) -> None:
        found = set()
        for row in self.batched.store.select(DEADLINES):
            assert row.at > self.model.now
            number = (row.at - self.model.epoch) // DAY
            is_day = row.kind == "day.cut-off"
            assert not is_day or row.id == self.day(number)
            found.add((row.at, f"day {number}" if is_day else row.id))
        assert found == self.model.deadlines()
        assert list(self.batched.store.select(STATE_REQUESTS)) == []

    def teardown(self) -> None:
        assert self.batched.digest() == self.single.digest()
        verify_everything(self.batched)


TestSimulation = Simulation.TestCase
# Shrinking seeds takes minutes and tells little: a failure ends at its step anyway.
TestSimulation.settings = settings(
    stateful_step_count=20,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


def test_a_world_begins_as_the_model_thinks() -> None:
    world: World = cast_world()
    assert set(ROLES) <= set(world.ids)
    assert world.time == instant(FIRST_DAY)
