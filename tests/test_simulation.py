"""The real registry against a naive second opinion, step by step.

Every step hands a batch of random statements to one world in a single commit, and the
same statements one by one to another. Both must say what the model says, hold what it
holds, and seal the same bytes; at the end the log is judged again from its beginning.
"""

from collections.abc import Callable, Iterable
from functools import partial
from random import Random

from hypothesis import Phase, settings
from hypothesis.stateful import initialize, invariant, rule

from registry.canonical import Json
from registry.engine import Sealed
from registry.errors import RegistryError
from registry.inboxes import NOTICES
from registry.model import CONSENTS, DEADLINES, GRANTS, LOTS, OFFERS, STATE_REQUESTS, VOUCHERS
from tests.builders import FIRST_DAY, ORIGIN, World, instant, key_of, possession_proof
from tests.model import DAY
from tests.moves import NAMES, PURPOSE_FOR, ROLES, SEEDS, Made, Moves, Predict
from tests.scenario import cast_world, verify_conservation, verify_everything


class Simulation(Moves):
    """Two worlds and a model that must not drift apart."""

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
        makes = [*usual, *[self.offer] * 6, *[self.answer_offer] * 4, *[self.consent] * 2]
        if self.chance.random() < 0.2:
            makes.append(self.snapshot)
        self.run(self.chance.choices(makes, k=self.chance.randint(1, 8)))

    def a_chain_within_one_batch(self) -> None:
        """Spends what earlier statements of the same batch make: offer, accept, offer again.

        Where the assignee has consented in advance, there is nothing left to accept.
        """
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
        self.run([self.offer, self.consent] * 3)
        signed = [*self.model.offers.values(), *self.model.consents.values()]
        signers = {name.partition("#")[0] for name, *_ in signed}
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
        standing = {row.consent for row in store.select(CONSENTS)}
        assert standing == {row.consent for row in store.select(GRANTS)} == set(model.consents)
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
