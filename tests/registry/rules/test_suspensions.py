"""Suspension: what a party may still sign, and everything else refused."""

import pytest

from clearing.rulebook import RULEBOOK
from registry.canonical import Json
from registry.errors import RegistryError
from registry.model import PARTIES
from registry.people import SUSPENSIONS
from registry.people_refusals import NotSuspendableError, PartyUnknownError, SuspendedError
from registry.rules.suspensions import KINDS
from tests.builders import World, uscc
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.people import approve, offer_waits, rule, staffed, waiting
from tests.scenario import (
    GOOD,
    Draft,
    attempt,
    cast_world,
    good,
    grant,
    lots_of,
    refusal,
    verify_everything,
)
from tests.staffed import FILE


def _suspended(world: World, _draft: Draft) -> None:
    suspend(world, "s3")


def suspend(world: World, name: str) -> str:
    """Suspends a party; returns the suspension."""
    body: dict[str, Json] = {"party": world.ids[name], "reason": "key-compromise", "evidence": FILE}
    return world.do("registrar", "party.suspend", body).sid


def _the_operator(world: World, draft: Draft) -> None:
    draft.body["party"] = world.ids["operator"]


def _the_registrar(world: World, draft: Draft) -> None:
    draft.body["party"] = world.ids["registrar"]


FAULTS = {
    "party.suspend": (
        fault(PartyUnknownError, "no party", setting(party=uscc(901)), "party"),
        fault(NotSuspendableError, "the operator", _the_operator, "party"),
        fault(NotSuspendableError, "the registrar itself", _the_registrar, "party"),
        fault(NotSuspendableError, "suspended", _suspended, "party"),
    ),
}

STILL_SIGNED = {
    "key.revoke", "key.recover", "disapprove", "consent.withdraw", "voucher.withdraw",
    "transfer.withdraw", "notice.received", "notice.acknowledge", "notice.refuse",
    "clearing.approve", "clearing.fund", "clearing.report", "pledge.release", "dispute.withdraw",
    "lot.object",
    "financing.end", "financing.receive", "early.receive", "registration.cancel",
    "mandate.revoke", "account.unstage",
}  # fmt: skip
"""Receipts, acknowledgements, revocations, a bank's reports, a debtor's objection, its list."""

FOUNDERS_OWN = {
    "genesis", "clock.set", "party.register", "party.admit", "party.review", "party.suspend",
    "party.reinstate", "affiliation.declare", "affiliation.end", "policy.publish",
    "calendar.publish", "lot.freeze", "lot.unfreeze", "lot.pay-to-court", "issuance.stop",
    "issuance.resume", "limit.set",
}  # fmt: skip
"""Signed by the operator or the registrar, whom nobody suspends, or before admission."""


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: tuple[object, ...]) -> None:
    verify_refused(kind, faults)  # type: ignore[arg-type]


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_the_kinds_that_a_suspended_party_may_sign_are_these() -> None:
    assert {kind.name for kind in RULEBOOK.kinds.values() if kind.while_suspended} == STILL_SIGNED


@pytest.mark.parametrize("kind", sorted(set(GOOD) - FOUNDERS_OWN))
def test_a_suspended_party_signs_only_what_takes_back_or_confirms(kind: str) -> None:
    world, draft = good(kind)
    suspend(world, draft.by)
    if kind in STILL_SIGNED:
        assert not isinstance(attempt(world, draft), RegistryError)
    else:
        assert isinstance(refusal(world, draft), SuspendedError)
    world.engine.submit([])
    verify_everything(world)


def test_a_reinstated_party_signs_as_before() -> None:
    world, draft = good("transfer.offer")
    suspension = suspend(world, "s1")
    assert isinstance(refusal(world, draft), SuspendedError)
    world.do("registrar", "party.reinstate", {"evidence": FILE}, re=suspension)
    assert list(world.store.select(SUSPENSIONS)) == []
    party = next(row for row in world.store.select(PARTIES) if row.party == world.ids["s1"])
    assert party.suspended is None
    assert not isinstance(attempt(world, draft), RegistryError)
    verify_everything(world)


def test_a_suspended_trustee_signs_for_no_vehicle_and_a_suspended_vehicle_not_at_all() -> None:
    for name in ("trustee", "trustee#T1"):
        world, draft = good("snapshot.request")
        suspend(world, name)
        assert isinstance(refusal(world, draft), SuspendedError)


def test_a_suspended_assignee_takes_nothing_under_its_standing_consent() -> None:
    world = cast_world()
    grant(world, by="s2")
    suspend(world, "s2")
    lot = f"{world.issue()}.0"
    offer = world.offer(lot, 60_000_000, by="s1", to="s2")
    assert lots_of(world)[f"{offer}.0"].status == "offered", "it waits for an answer"
    verify_everything(world)


def test_what_waits_when_a_party_is_suspended_is_not_approved() -> None:
    world = staffed(cast_world(), "s1", rule("transfer.offer"))
    offer = offer_waits(world)
    suspend(world, "s1")
    assert isinstance(approve(world, "s1", offer, person="chen"), SuspendedError)
    assert waiting(world) == [offer]
