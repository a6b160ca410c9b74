"""Maker and checker (3.2): rules, approvals, and every way round them that fails."""

import json
from typing import Any

import pytest

from registry.canonical import Json
from registry.effects import SALT_LOT, derive_salt
from registry.engine import Outcome, Sealed
from registry.entries import open_entry
from registry.errors import MalformedError
from registry.model import LOTS
from registry.people import APPROVAL_RULES, APPROVALS, PENDING, WAITED
from registry.people_refusals import (
    AlreadyApprovedError,
    DutyMissingError,
    FinalReviewMissingError,
    MakerIsCheckerError,
    OtherPartyError,
    PersonMissingError,
    TooFewPeopleError,
)
from registry.refusals import (
    AnswerMissingError,
    DeadlinePassedError,
    InsufficientHoldingError,
)
from registry.rules import approvals, controls
from tests.builders import World
from tests.faults import become, cases, fault, setting, verify_refused, verify_rows
from tests.people import (
    approve,
    done,
    engage,
    hand_key,
    mandate_waits,
    offer_waits,
    rule,
    say,
    staffed,
    waiting,
)
from tests.scenario import (
    Draft,
    cast_world,
    lots_of,
    refusal,
    verify_everything,
)

HOUR = 3_600_000


def _by_the_vehicle(_world: World, draft: Draft) -> None:
    draft.by = "trustee#T1"


def _by_somebody_of_s2(world: World, draft: Draft) -> None:
    draft.by, draft.key = "s2", engage(world, "s2", "chen")


def _with_a_key_of_nobody(world: World, draft: Draft) -> None:
    draft.key = world.keys["s1"]


def _of_its_own_maker(world: World, draft: Draft) -> None:
    draft.re, draft.key = mandate_waits(world, person="wu"), hand_key("s1", "wu")


def _again(world: World, draft: Draft) -> None:
    become(world, staffed(cast_world(), "s1", rule("mandate.grant", 2)))
    draft.re = mandate_waits(world)
    done(approve(world, "s1", draft.re, person="chen"))


def _without_the_final_reviewer(world: World, draft: Draft) -> None:
    become(world, staffed(cast_world(), "s1", rule("mandate.grant", final=True)))
    draft.re = mandate_waits(world)


def _too_late(world: World, draft: Draft) -> None:
    draft.time = world.time + 24 * HOUR


def _by_another_maker(world: World, draft: Draft) -> None:
    draft.re, draft.key = mandate_waits(world, person="wu"), hand_key("s1", "ma")


def _rules(*rules: Json) -> Any:
    return setting(rules=[*rules])


FAULTS = {
    "party.policy": (
        fault(MalformedError, "for a vehicle", _by_the_vehicle, "by"),
        fault(MalformedError, "no kind", _rules(rule("transfer.offr")), "rules"),
        fault(MalformedError, "what never waits", _rules(rule("key.revoke")), "rules"),
        fault(MalformedError, "approvals themselves", _rules(rule("approve")), "rules"),
        fault(MalformedError, "nobody's", _rules(rule("party.register")), "rules"),
        fault(MalformedError, "no amount", _rules(rule("key.add", minimum=5)), "rules"),
        fault(
            MalformedError,
            "not sorted",
            _rules(rule("voucher.issue"), rule("transfer.offer")),
            "rules",
        ),
        fault(
            MalformedError,
            "one twice",
            _rules(rule("voucher.issue"), rule("voucher.issue", 2)),
            "rules",
        ),
        fault(TooFewPeopleError, "four checkers", _rules(rule("voucher.issue", 4)), "rules"),
    ),
    "approve": (
        fault(OtherPartyError, "another party's", _by_somebody_of_s2, "by", "key"),
        fault(PersonMissingError, "a key of nobody", _with_a_key_of_nobody, "key"),
        fault(MakerIsCheckerError, "its maker", _of_its_own_maker, "key", "re"),
        fault(AlreadyApprovedError, "twice", _again, "key", "re", "by"),
        fault(DeadlinePassedError, "too late", _too_late, "time"),
        fault(
            FinalReviewMissingError, "no final review", _without_the_final_reviewer, "re", "by",
            "key", "time",
        ),
    ),
    "disapprove": (
        fault(OtherPartyError, "another party's", _by_somebody_of_s2, "by", "key"),
        fault(DutyMissingError, "another's maker", _by_another_maker, "key", "re"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows((*controls.KINDS, *approvals.KINDS), FAULTS)


def _changes(outcome: Outcome) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done(outcome).effects_json)["changes"]
    return found


def _names(outcome: Outcome) -> list[str]:
    return [change["effect"] for change in _changes(outcome)]


# --- Waiting ----------------------------------------------------------------------------


def test_a_statement_waits_and_changes_nothing_until_it_is_approved() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    lot = f"{world.issue()}.0"
    before = lots_of(world)
    made = say(world, "s1", "transfer.offer", world.offer_body(lot, 5, "s2"), person="ma")
    (change,) = _changes(made)
    assert (change["effect"], change["approvals"], change["amount"]) == (
        "statement-pending",
        1,
        "5",
    )
    assert change["approve_by"] == world.time + 24 * HOUR
    assert lots_of(world) == before
    offer = done(made).sid
    assert _names(approve(world, "s1", offer, person="chen")) == [
        "statement-approved",
        "lot-offered",
    ]
    lots = lots_of(world)
    assert (lots[f"{offer}.0"].amount, lots[f"{offer}.1"].amount) == (5, 99_999_995)
    assert [(row.end, row.index) for row in world.store.select(WAITED)] == [
        ("approved", world.store.size() - 1)
    ]
    assert waiting(world) == []
    verify_everything(world)


def test_what_an_approval_makes_is_numbered_and_salted_by_the_statement_that_waited() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    offer = offer_waits(world)
    text = next(row.text for row in world.store.select(PENDING))
    done(approve(world, "s1", offer, person="chen"))
    for n in (0, 1):
        row = lots_of(world)[f"{offer}.{n}"]
        assert row.salt == derive_salt(SALT_LOT, statement=text, n=n)
        assert row.born == world.store.size() - 1
    world.accept(offer, by="s2")
    assert lots_of(world)[f"{offer}.2"].salt == derive_salt(SALT_LOT, statement=text, n=2)
    verify_everything(world)


def test_a_party_without_rules_waits_for_nobody() -> None:
    world = cast_world()
    world.transfer(f"{world.issue()}.0", 5, by="s1", to="s2")
    assert list(world.store.select(APPROVAL_RULES)) == []
    assert waiting(world) == []


@pytest.mark.parametrize(("amount", "waits"), [(9_999_999, False), (10_000_000, True)])
def test_rules_hold_from_their_amount_on(amount: int, waits: bool) -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer", minimum=10_000_000))
    offer_waits(world, amount=amount)
    assert bool(waiting(world)) is waits
    verify_everything(world)


def test_the_highest_number_of_the_rules_that_fit_counts() -> None:
    rules = [rule("transfer.offer"), rule("transfer.offer", 2, final=True, minimum=10_000_000)]
    world = staffed(cast_world(), "s1", *rules)
    offer_waits(world, amount=9_999_999)
    offer_waits(world, amount=10_000_000)
    found = {row.amount: (row.approvals, row.final) for row in world.store.select(PENDING)}
    assert found == {9_999_999: (1, False), 10_000_000: (2, True)}


def test_maker_checker_and_final_reviewer_are_three_people() -> None:
    # 制单, 复核, 终审: two approvals, one of them final, in any order but never by one person.
    world = staffed(cast_world(), "s1", rule("transfer.offer", 2, final=True))
    offer = offer_waits(world)
    assert _names(approve(world, "s1", offer, person="chen")) == ["approval-given"]
    assert isinstance(approve(world, "s1", offer, person="wu"), FinalReviewMissingError)
    assert _names(approve(world, "s1", offer, person="zhou"))[0] == "statement-approved"
    assert list(world.store.select(APPROVALS)) == []
    verify_everything(world)


def test_a_vehicles_statements_wait_for_its_trustees_people() -> None:
    world = staffed(cast_world(), "trustee", rule("snapshot.request"))
    made = done(say(world, "trustee#T1", "snapshot.request", person="ma"))
    assert waiting(world) == [made.sid]
    # For the trustee itself it is another party's.
    wrong = approve(world, "trustee", made.sid, person="chen")
    assert isinstance(wrong, OtherPartyError)
    assert _names(approve(world, "trustee#T1", made.sid, person="chen")) == [
        "statement-approved",
        "state-requested",
    ]
    world.engine.submit([])
    verify_everything(world)


def test_an_answer_that_waits_is_decided_when_the_last_person_approves() -> None:
    world = staffed(cast_world(), "s2", rule("transfer.accept"))
    offer = world.offer(f"{world.issue()}.0", 5, by="s1", to="s2")
    body: dict[str, Json] = {"account": world.accounts["s2"], "collection_route": True}
    made = done(say(world, "s2", "transfer.accept", body, re=offer, person="ma"))
    assert [row.amount for row in world.store.select(PENDING)] == [5]
    assert _names(approve(world, "s2", made.sid, person="chen")) == [
        "statement-approved",
        "lot-assigned",
        "notice-arrived",
    ]
    assert lots_of(world)[f"{offer}.2"].holder == world.ids["s2"]
    verify_everything(world)


def test_the_same_statement_again_tells_that_it_waits() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    lot = f"{world.issue()}.0"
    text = world.sign(
        "s1", "transfer.offer", world.offer_body(lot, 5, "s2"), key=hand_key("s1", "ma")
    )
    (first,) = world.submit(text)
    (again,) = world.submit(text)
    done(approve(world, "s1", done(first).sid, person="chen"))
    (after,) = world.submit(text)
    for outcome in (again, after):
        assert isinstance(outcome, Sealed)
        assert (outcome.replayed, outcome.index) == (True, done(first).index)
        assert _names(outcome) == ["statement-pending"]
    verify_everything(world)


# --- Refused early, and decided again -----------------------------------------------------


def test_what_cannot_be_is_refused_before_it_waits() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    body = world.offer_body(f"{world.issue()}.0", 100_000_001, "s2")
    draft = Draft(by="s1", kind="transfer.offer", body=body, key=hand_key("s1", "ma"))
    assert isinstance(refusal(world, draft), InsufficientHoldingError)


def test_the_last_approval_gets_the_refusal_of_the_day() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    lot = f"{world.issue()}.0"
    two = [
        done(
            say(world, "s1", "transfer.offer", world.offer_body(lot, 100_000_000, to), person="ma")
        )
        for to in ("s2", "s3")
    ]
    done(approve(world, "s1", two[0].sid, person="chen"))
    late = Draft(by="s1", kind="approve", re=two[1].sid, key=hand_key("s1", "chen"))
    found = refusal(world, late)
    assert found.code == "lot-not-found"
    assert waiting(world) == [two[1].sid], "a refused approval ends nothing"
    verify_everything(world)


def test_two_offers_that_wait_do_not_both_get_the_lot() -> None:
    # 3.2: two concurrent transfers of 60 % each, exactly one succeeds.
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    lot = f"{world.issue()}.0"
    sids = [
        done(
            say(world, "s1", "transfer.offer", world.offer_body(lot, 60_000_000, to), person="ma")
        ).sid
        for to in ("s2", "s3")
    ]
    outcomes = [approve(world, "s1", sid, person="chen") for sid in sids]
    assert [isinstance(outcome, Sealed) for outcome in outcomes] == [True, False]
    assert sum(row.amount for row in world.store.select(LOTS)) == 100_000_000
    verify_everything(world)


# --- Ends ---------------------------------------------------------------------------------


def _end_by_disapproval(world: World, offer: str) -> None:
    done(say(world, "s1", "disapprove", re=offer, person="chen"))


def _end_by_withdrawal(world: World, offer: str) -> None:
    done(say(world, "s1", "disapprove", re=offer, person="ma"))


def _end_by_time(world: World, _offer: str) -> None:
    world.advance(world.time + 24 * HOUR)
    world.engine.submit([])


def _end_by_revocation(world: World, _offer: str) -> None:
    kid = hand_key("s1", "ma").public.kid
    done(say(world, "s1", "key.revoke", {"kid": kid}, person="chen"))
    world.engine.submit([])


ENDS = {
    "disapproved": _end_by_disapproval,
    "disapproved by its maker": _end_by_withdrawal,
    "expired": _end_by_time,
    "cancelled": _end_by_revocation,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_wait_ends_once_and_leaves_the_lot_as_it_was(end: str) -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer", 2))
    offer = offer_waits(world)
    before = lots_of(world)
    done(approve(world, "s1", offer, person="zhou"))
    ENDS[end](world, offer)
    assert [row.end for row in world.store.select(WAITED)] == [end.partition(" ")[0]]
    assert (waiting(world), list(world.store.select(APPROVALS))) == ([], [])
    assert lots_of(world) == before
    for kind in ("approve", "disapprove"):
        late = Draft(by="s1", kind=kind, re=offer, key=hand_key("s1", "wu"))
        assert isinstance(refusal(world, late), AnswerMissingError)
    verify_everything(world)


def test_a_wait_ends_at_its_instant_and_not_before() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"), hours=1)
    offer = offer_waits(world)
    world.advance(world.time + HOUR - 1)
    world.engine.submit([])
    assert waiting(world) == [offer]
    world.advance(world.time + 1)
    world.engine.submit([])
    assert waiting(world) == []
    assert open_entry(world.entries()[-1]).kind == "pending.expire"
    verify_everything(world)
