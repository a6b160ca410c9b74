"""Limits and duties, and every way round maker and checker (3.2, FR-12)."""

import json
from typing import Any

import pytest

from registry.engine import Outcome, Sealed
from registry.entries import open_entry
from registry.errors import IdReusedError, KeyRevokedError
from registry.model import PARTIES
from registry.people import APPROVAL_RULES, APPROVALS, PENDING
from registry.people_refusals import (
    AlreadyApprovedError,
    DutyMissingError,
    MakerIsCheckerError,
    OverLimitError,
    PersonMissingError,
)
from registry.refusals import (
    AnswerMissingError,
    LotLockedError,
)
from registry.signing import split_jws
from tests.people import (
    approve,
    done,
    engage,
    hand_key,
    key_body,
    offer_waits,
    rule,
    rules_body,
    say,
    staffed,
    waiting,
)
from tests.scenario import (
    GOOD,
    Draft,
    cast_world,
    refusal,
    replayed,
    verify_everything,
)


def _changes(outcome: Outcome) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done(outcome).effects_json)["changes"]
    return found


def _names(outcome: Outcome) -> list[str]:
    return [change["effect"] for change in _changes(outcome)]


# --- Limits and duties ----------------------------------------------------------------------


@pytest.mark.parametrize(("amount", "fits"), [(5_000_000, True), (5_000_001, False)])
def test_a_key_signs_up_to_its_limit(amount: int, fits: bool) -> None:
    world = cast_world()
    key = engage(world, "s1", "li", limit="5000000")
    body = world.offer_body(f"{world.issue()}.0", amount, "s2")
    outcome = say(world, "s1", "transfer.offer", body, key=key)
    assert isinstance(outcome, Sealed if fits else OverLimitError)
    verify_everything(world)


AMOUNTS = {
    "voucher.issue": "core", "voucher.accept": "s1", "voucher.accede": "s3",
    "transfer.offer": "s1", "transfer.accept": "s2",
    "pledge.create": "s1", "pledge.register": "factor", "pledge.enforce": "factor",
    "pledge.release": "factor", "dispute.raise": "core", "dispute.resolve": "s1",
    "accessory.attach": "s3", "payee.change": "s1",
    "voucher.void": "core", "voucher.agree-void": "s1",
}  # fmt: skip


@pytest.mark.parametrize("kind", AMOUNTS)
def test_a_limit_holds_for_every_kind_with_an_amount(kind: str) -> None:
    world = cast_world()
    draft = GOOD[kind](world)
    assert draft.by == AMOUNTS[kind]
    draft.key = engage(world, draft.by, "li", limit="1")
    assert isinstance(refusal(world, draft), OverLimitError)


def test_a_checker_makes_nothing_and_a_maker_approves_nothing() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    offer = offer_waits(world)
    body = world.offer_body(f"{world.issue()}.0", 5, "s2")
    for kind, hand in (("transfer.offer", "chen"), ("transfer.offer", "zhou")):
        draft = Draft(by="s1", kind=kind, body=body, key=hand_key("s1", hand))
        assert isinstance(refusal(world, draft), DutyMissingError)
    draft = Draft(by="s1", kind="approve", re=offer, key=hand_key("s1", "ma"))
    assert isinstance(refusal(world, draft), DutyMissingError)
    verify_everything(world)


# --- Attacks --------------------------------------------------------------------------------


def test_attack_maker_approves_with_a_second_key_of_the_same_person() -> None:
    world = cast_world()
    second = engage(world, "s1", "wu", tag=" at home", duty="checker")
    staffed(world, "s1", rule("transfer.offer"))
    offer = offer_waits(world, person="wu")
    for key in (second, hand_key("s1", "wu")):
        found = refusal(world, Draft(by="s1", kind="approve", re=offer, key=key))
        assert isinstance(found, MakerIsCheckerError)


def test_attack_maker_adds_a_key_for_a_person_who_does_not_exist() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    offer = offer_waits(world)
    ghost = key_body(world, "s1", "s1 ghost", hand={"person": "ghost", "duty": "checker"})
    made = done(say(world, "s1", "key.add", ghost, person="ma"))
    assert waiting(world) == sorted([offer, made.sid]), "adding a key waits too"
    draft = Draft(by="s1", kind="approve", re=made.sid, key=hand_key("s1", "ma"))
    assert isinstance(refusal(world, draft), DutyMissingError)


def test_attack_the_first_key_names_nobody_and_makes_alone() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    body = world.offer_body(f"{world.issue()}.0", 5, "s2")
    draft = Draft(by="s1", kind="transfer.offer", body=body)
    assert isinstance(refusal(world, draft), PersonMissingError)


def test_attack_maker_loosens_the_rules_alone() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer", 2, final=True))
    made = done(say(world, "s1", "party.policy", rules_body(), person="ma"))
    (row,) = world.store.select(PENDING)
    assert (row.kind, row.approvals, row.final) == ("party.policy", 2, True)
    done(approve(world, "s1", made.sid, person="chen"))
    assert len(list(world.store.select(APPROVAL_RULES))) == 1
    done(approve(world, "s1", made.sid, person="zhou"))
    assert list(world.store.select(APPROVAL_RULES)) == []
    party = next(row for row in world.store.select(PARTIES) if row.party == world.ids["s1"])
    assert party.policy is None
    verify_everything(world)


def test_attack_an_approval_is_used_for_another_statement() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    first, second = offer_waits(world), offer_waits(world)
    text = world.sign("s1", "approve", {}, re=first, key=hand_key("s1", "chen"))
    (made,) = world.submit(text)
    # The same bytes again tell what they did, and do no more.
    (again,) = world.submit(text)
    assert isinstance(again, Sealed)
    assert again.index == done(made).index
    assert waiting(world) == [second]
    # Under the same id they cannot name another statement.
    payload = json.loads(_payload(text))
    other = world.sign("s1", "approve", {}, re=second, key=hand_key("s1", "chen"), id=payload["id"])
    (reused,) = world.submit(other)
    assert isinstance(reused, IdReusedError)
    # Nor can a statement be approved that never waited.
    for re in (done(made).sid, world.accounts["s1"]):
        draft = Draft(by="s1", kind="approve", re=re, key=hand_key("s1", "chen"))
        assert isinstance(refusal(world, draft), AnswerMissingError)
    verify_everything(world)


def _payload(text: str) -> bytes:
    return split_jws(text, what="statement").payload


def test_attack_an_approval_by_a_key_over_its_limit() -> None:
    world = cast_world()
    engage(world, "s1", "li", duty="checker", limit="5000000")
    staffed(world, "s1", rule("transfer.offer"))
    for amount, fits in ((5_000_001, False), (5_000_000, True)):
        offer = offer_waits(world, amount=amount)
        outcome = approve(world, "s1", offer, person="li")
        assert isinstance(outcome, Sealed if fits else OverLimitError)
    verify_everything(world)


def test_attack_an_approval_by_a_revoked_key() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    offer = offer_waits(world)
    kid = hand_key("s1", "chen").public.kid
    done(say(world, "s1", "key.revoke", {"kid": kid}, person="zhou"))
    draft = Draft(by="s1", kind="approve", re=offer, key=hand_key("s1", "chen"))
    assert isinstance(refusal(world, draft), KeyRevokedError)


def test_attack_an_approval_outlives_its_key() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer", 2))
    offer = offer_waits(world)
    given = done(approve(world, "s1", offer, person="chen"))
    kid = hand_key("s1", "chen").public.kid
    done(say(world, "s1", "key.revoke", {"kid": kid}, person="zhou"))
    world.engine.submit([])
    last = open_entry(world.entries()[-1])
    due: Any = last.effects["due"]
    assert (last.kind, due["id"]) == ("approval.cancel", given.sid)
    assert list(world.store.select(APPROVALS)) == []
    # The other one's approval is the first again, not the last.
    assert _names(approve(world, "s1", offer, person="zhou")) == ["approval-given"]
    assert waiting(world) == [offer]
    verify_everything(world)


def test_attack_a_person_approves_twice_with_two_keys() -> None:
    world = cast_world()
    second = engage(world, "s1", "chen", tag=" at home", duty="final")
    staffed(world, "s1", rule("transfer.offer", 2))
    offer = offer_waits(world)
    done(approve(world, "s1", offer, person="chen"))
    draft = Draft(by="s1", kind="approve", re=offer, key=second)
    assert isinstance(refusal(world, draft), AlreadyApprovedError)


def test_attack_a_lot_is_offered_while_another_offer_of_it_waits() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer", minimum=10_000_000))
    lot = f"{world.issue()}.0"
    body = world.offer_body(lot, 100_000_000, "s2")
    waits = done(say(world, "s1", "transfer.offer", body, person="ma"))
    small = world.offer_body(lot, 9_999_999, "s3")
    done(say(world, "s1", "transfer.offer", small, person="ma"))
    late = Draft(by="s1", kind="approve", re=waits.sid, key=hand_key("s1", "chen"))
    assert refusal(world, late).code in ("lot-not-found", LotLockedError.code)
    verify_everything(world)


def test_the_replay_judges_approvals_as_the_writer_did() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer", 2, final=True))
    offer = offer_waits(world)
    for person in ("chen", "zhou"):
        done(approve(world, "s1", offer, person=person))
    assert replayed(world).digest() == world.digest()
