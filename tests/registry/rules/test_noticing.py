"""Giving notice later, with evidence or a power, and taking it back (SD-12, SD-14, RG-19)."""

from typing import Any

import pytest

from registry.errors import MalformedError, RegistryError
from registry.inboxes import NOTICES, WITHHELD
from registry.model import OFFERS
from registry.notice_refusals import (
    AssignmentPassedOnError,
    AttorneyRefusedError,
    EvidenceMissingError,
    NotDeclarerError,
    NoticeNotFoundError,
    NoticeRevokedError,
    NotSenderError,
    PowerMissingError,
    PowerNotTriggeredError,
    PowerTriggeredError,
    RecipientRefusedError,
)
from registry.refusals import AnswerMissingError, VoucherStatusError
from registry.rules.noticing import KINDS as GIVING
from registry.rules.powers import KINDS as POWER_KINDS
from tests.builders import DIGEST, World, uscc
from tests.credit import all_of
from tests.encumbered import FILE, accessory_body
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.noticed import (
    acknowledge,
    give,
    into_the_plan,
    notice_to_core,
    power,
    power_body,
    revoke,
    revoked,
    withheld,
)
from tests.policies import FIVE
from tests.scenario import Draft, attempt, cast_world, grant, lots_of, refusal, verify_everything

SENDER = ("sender", "by", "evidence", "told")
ALL = ("body", "by", "re", "sender")


def _recipients(*names: str) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body["recipients"] = [world.ids[name] for name in names]

    return make


def _told(world: World, draft: Draft) -> None:
    world.do("factor", "notice.give", {**draft.body}, re=draft.re)


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _paid_in_settlement(world: World, draft: Draft) -> None:
    draft.by, draft.body["sender"] = "trustee#T1", "factor"
    draft.re = into_the_plan(world)


def _attorney(*, is_triggered: bool, by: str = "trustee") -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.by, draft.re = by, into_the_plan(world)
        granted = power(world, is_triggered=is_triggered)
        draft.body |= {"sender": "attorney", "power": granted, "evidence": []}

    return make


def _no_power(world: World, draft: Draft) -> None:
    draft.by, draft.re = "trustee", into_the_plan(world)
    draft.body |= {"sender": "attorney", "power": DIGEST}


def _of_another_transfer(world: World, draft: Draft) -> None:
    draft.by = "trustee"
    granted = power(world, is_triggered=True)
    draft.body |= {"sender": "attorney", "power": granted}


def _voided(world: World, _draft: Draft) -> None:
    (row,) = world.store.select(WITHHELD)
    # All of the voucher goes to the factor, which agrees to void it.
    world.transfer(f"{row.transfer}.1", 40_000_000, by="s1", to="factor", purpose="finance")
    voiding = world.do("core", "voucher.void", {"ground": FILE}, re=row.voucher).sid
    world.do("factor", "voucher.agree-void", all_of(world, row.voucher), re=voiding)


def _passed_on(world: World, _draft: Draft) -> None:
    (notice,) = world.store.select(NOTICES)
    world.transfer(f"{notice.transfer}.2", 60_000_000, by="s2", to="s3")


def _revoked(world: World, _draft: Draft) -> None:
    revoked(world, next(world.store.select(NOTICES)).notice)


FAULTS = {
    "notice.give": (
        fault(MalformedError, "twice", _recipients("core", "core"), "recipients"),
        fault(
            MalformedError,
            "no power",
            setting(sender="attorney"),
            "sender",
            "by",
            "evidence",
            "told",
        ),
        fault(MalformedError, "a power", setting(power=DIGEST), *SENDER),
        fault(NotSenderError, "by a stranger", _by("s2"), "by", "told", "re"),
        fault(NotSenderError, "by the assignor", _by("s1"), "by", "told", "re"),
        fault(NotSenderError, "no factor", _paid_in_settlement, *ALL, "told"),
        fault(PowerMissingError, "no power", _no_power, *ALL, "told", "evidence"),
        fault(PowerMissingError, "for others", _of_another_transfer, *ALL, "told", "evidence"),
        fault(
            PowerMissingError,
            "another attorney",
            _attorney(is_triggered=True, by="s3"),
            *ALL,
            "told",
            "evidence",
        ),
        fault(
            PowerNotTriggeredError,
            "not yet",
            _attorney(is_triggered=False),
            *ALL,
            "told",
            "evidence",
        ),
        fault(EvidenceMissingError, "no evidence", setting(evidence=[]), "evidence", "told"),
        fault(VoucherStatusError, "void", _voided, "re", "told"),
        fault(RecipientRefusedError, "no recipient", _recipients("s3"), "recipients"),
        fault(RecipientRefusedError, "told", _told, "recipients", "told"),
    ),
    "notice.revoke": (
        fault(NoticeNotFoundError, "no notice", setting(notice=f"{'A' * 43}.2!0"), "notice"),
        fault(NotSenderError, "by the debtor", _by("core"), "by"),
        fault(NotSenderError, "by the assignee", _by("s2"), "by"),
        fault(NoticeRevokedError, "revoked", _revoked, "notice"),
    ),
    "notice.agree-revoke": (
        fault(NotSenderError, "by the assignor", _by("s1"), "by"),
        fault(NotSenderError, "by the debtor", _by("core"), "by"),
        fault(NoticeRevokedError, "revoked", _revoked, "lots"),
        fault(AssignmentPassedOnError, "passed on", _passed_on, "lots"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(GIVING, FAULTS)


def test_nobody_is_told_of_what_is_withheld_until_it_is_given() -> None:
    world = cast_world()
    transfer = withheld(world)
    assert list(world.store.select(NOTICES)) == []
    assert lots_of(world)[f"{transfer}.2"].holder == world.ids["factor"]
    (row,) = world.store.select(WITHHELD)
    assert (row.recipients, row.told, row.effective) == ((world.ids["core"],), (), world.time)
    world.advance(world.time + 60_000)
    attempt(world, give(world, transfer, "core"))
    (notice,) = world.store.select(NOTICES)
    assert (notice.sender, notice.number, notice.arrived) == ("factor", 1, world.time)
    assert notice.assignor == world.ids["s1"]
    verify_everything(world)


def test_what_a_standing_consent_accepts_at_once_can_be_withheld_too() -> None:
    world = cast_world()
    grant(world, by="factor", purpose="finance")
    body = world.offer_body(f"{world.issue()}.0", 5, "factor", purpose="finance")
    transfer = world.do("s1", "transfer.offer", {**body, "notice": "withheld"}).sid
    assert list(world.store.select(NOTICES)) == []
    assert not isinstance(attempt(world, give(world, transfer, "core")), RegistryError)
    verify_everything(world)


def test_what_silence_accepts_can_be_withheld_too() -> None:
    world = cast_world()
    grant(world, by="factor", purpose="finance", silence=dict(FIVE))
    body = world.offer_body(f"{world.issue()}.0", 5, "factor", purpose="finance")
    transfer = world.do("s1", "transfer.offer", {**body, "notice": "withheld"}).sid
    (offer,) = world.store.select(OFFERS)
    assert offer.silent_at is not None
    world.advance(offer.silent_at)
    world.engine.submit([])
    (row,) = world.store.select(WITHHELD)
    assert (row.transfer, row.effective, row.told) == (transfer, world.time, ())
    assert list(world.store.select(NOTICES)) == []
    verify_everything(world)


def test_sd_11_every_recipient_is_told_exactly_once() -> None:
    world = cast_world()
    voucher = world.issue()
    world.do("s3", "accessory.attach", accessory_body(), re=voucher)
    body = world.offer_body(f"{voucher}.0", 5, "factor", purpose="finance", notice="withheld")
    transfer = world.do("s1", "transfer.offer", body).sid
    world.accept(transfer, by="factor")
    attempt(world, give(world, transfer, "core", by="s1", sender="assignor"))
    assert isinstance(refusal(world, give(world, transfer, "core", "s3")), RecipientRefusedError)
    attempt(world, give(world, transfer, "s3", sender="assignee"))
    assert isinstance(refusal(world, give(world, transfer, "s3")), RecipientRefusedError)
    told = {row.notice: (row.recipient, row.capacity) for row in world.store.select(NOTICES)}
    assert told == {
        f"{transfer}.2!0": (world.ids["core"], "debtor"),
        f"{transfer}.2!1": (world.ids["s3"], "guarantor"),
    }
    verify_everything(world)


def test_what_was_noticed_at_once_is_not_noticed_again() -> None:
    world = cast_world()
    transfer = notice_to_core(world)[:43]
    assert isinstance(refusal(world, give(world, transfer, "core")), AnswerMissingError)


def test_what_is_given_in_payment_is_noticed_at_once() -> None:
    world = cast_world()
    body = world.offer_body(f"{world.issue()}.0", 5, "s2", notice="withheld")
    found = refusal(world, Draft(by="s1", kind="transfer.offer", body=body))
    assert isinstance(found, MalformedError)
    assert found.facts["what"] == "notice"


def test_sd_12_rg_26_the_assignor_needs_no_evidence_and_the_factor_does() -> None:
    world = cast_world()
    draft = give(world, withheld(world), "core", evidence=[])
    assert isinstance(refusal(world, draft), EvidenceMissingError)
    own = give(world, draft.re or "", "core", by="s1", sender="assignor")
    assert not isinstance(attempt(world, own), RegistryError)


def test_sd_14_a_power_is_usable_after_its_event_alone_and_the_assignor_is_copied() -> None:
    world = cast_world()
    transfer, granted = into_the_plan(world), power(world)
    draft = give(world, transfer, "core", by="trustee", sender="attorney", power=granted)
    assert isinstance(refusal(world, draft), PowerNotTriggeredError)
    world.do("s3", "power.trigger", {"evidence": [FILE]}, re=granted)
    before = world.store.size()
    assert not isinstance(attempt(world, draft), RegistryError)
    assert world.ids["factor"].encode() in world.entries()[before]
    notice = max(world.store.select(NOTICES), key=lambda row: row.number)
    assert (notice.sender, notice.assignor) == ("attorney", world.ids["factor"])
    verify_everything(world)


def test_rg_19_a_notice_stands_until_the_assignee_agrees() -> None:
    world = cast_world()
    name = notice_to_core(world)
    attempt(world, acknowledge(name))
    proposal = revoke(name)
    made = world.do("s1", proposal.kind, proposal.body)
    (row,) = world.store.select(NOTICES)
    assert row.revoked_at is None
    assert lots_of(world)[name[:-2]].acknowledged
    world.do("s2", "notice.agree-revoke", {}, re=made.sid)
    (row,) = world.store.select(NOTICES)
    assert row.revoked_at == world.time
    assert not lots_of(world)[name[:-2]].acknowledged
    verify_everything(world)


# --- Powers ------------------------------------------------------------------------------


def _named(member: str, name: str) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body[member] = world.ids[name]

    return make


def _triggered(world: World, draft: Draft) -> None:
    world.do("s3", "power.trigger", {"evidence": [FILE]}, re=draft.re)


POWER_FAULTS = {
    "power.grant": (
        fault(AttorneyRefusedError, "to nobody", setting(attorney=uscc(999)), "attorney"),
        fault(AttorneyRefusedError, "to a bank", _named("attorney", "bank"), "attorney"),
        fault(AttorneyRefusedError, "to itself", _named("attorney", "factor"), "attorney"),
        fault(AttorneyRefusedError, "the operator declares", _named("declarer", "operator"), "d"),
        fault(AttorneyRefusedError, "it declares itself", _named("declarer", "factor"), "d"),
        fault(AttorneyRefusedError, "a bank holds", _named("assignee", "bank"), "assignee"),
    ),
    "power.trigger": (
        fault(NotDeclarerError, "by the attorney", _by("trustee"), "by"),
        fault(PowerTriggeredError, "again", _triggered, "power"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(POWER_FAULTS))
def test_powers_are_refused_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_of_a_power_has_a_row() -> None:
    verify_rows(POWER_KINDS, POWER_FAULTS)


def test_a_power_is_irrevocable_by_its_words() -> None:
    world = cast_world()
    draft = Draft(by="factor", kind="power.grant", body=power_body(world, irrevocable=False))
    assert refusal(world, draft).facts["what"] == "body/irrevocable"
