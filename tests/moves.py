"""Statements of chance: each with what should become of it, for the simulations to compare."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from registry.canonical import Json
from tests.builders import DIGEST, FIRST_DAY, instant
from tests.model import DAY, FINANCIER, PARTICIPANT, TAKES, VEHICLE, Model
from tests.scenario import cast_world

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


class Moves(RuleBasedStateMachine):
    """Makes statements that are mostly right, after what the model says of now."""

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

    def key_name(self, name: str) -> str:
        return self.batched.keys[name.partition("#")[0]].public.kid

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

    def consent(self) -> Made:
        model = self.model
        if self.chance.random() < 0.4:
            consent = self.pick(model.consents, model.consents_seen)
            if consent is None:
                return None
            signer = self.signer(model.consents.get(consent, ("s1",))[0])
            text = self.sign(signer, "consent.withdraw", {}, consent)
            return text, lambda _: model.unsay(consent, by=signer)
        by, names = self.chance.choice(NAMES), self.chance.sample(NAMES, self.chance.randint(0, 3))
        right = PURPOSE_FOR[ROLES[by]]
        purpose = self.chance.choice([*TAKES]) if self.is_odd() else right
        minimum = self.chance.choice([1, self.chance.randint(1, 300)])
        body = {**self.payee(by), "purpose": purpose}
        if names:
            body["assignors"] = [*sorted(self.batched.ids[name] for name in names)]
        if minimum > 1:
            body["minimum"] = str(minimum)
        predict = partial(
            model.consent,
            by=by,
            purpose=purpose,
            assignors=tuple(names),
            minimum=minimum,
            key=self.key_name(by),
        )
        return self.sign(by, "consent.grant", body), predict

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
