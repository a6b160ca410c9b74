"""Offers under a standing consent: what they do at once, and what no consent covers."""

from datetime import date

import pytest

from registry.effects import SALT_LOT, derive_salt
from registry.entries import open_entry
from registry.errors import EntryInvalidError, RegistryError
from registry.ids import LotId, Sid
from registry.inboxes import NOTICES
from registry.model import ACCOUNTS, CONSENTS, DEADLINES, GRANTS, OFFERS
from registry.refusals import (
    AnswerMissingError,
    AssigneeRefusedError,
    DeadlinePassedError,
    InsufficientHoldingError,
    LotNotFoundError,
    NotOwnerError,
    RoleMissingError,
)
from registry.rules.transfers import LotOffered, LotTransferred
from registry.tables import replace
from tests.builders import instant
from tests.consents import accession, changes_of, is_waiting, offer_to
from tests.policies import FIVE
from tests.scenario import (
    RULEBOOK,
    Draft,
    attempt,
    cast_world,
    consent_body,
    decide,
    good,
    grant,
    lots_of,
    refusal,
    replayed,
    verify_everything,
)

# --- What a consent does ------------------------------------------------------------------


def test_an_offer_under_a_consent_is_effective_in_its_own_entry() -> None:
    world = cast_world()
    consent = grant(world)
    draft = offer_to(world)
    deadlines = list(world.store.select(DEADLINES))
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    assert list(world.store.select(OFFERS)) == []
    assert list(world.store.select(DEADLINES)) == deadlines
    effects = open_entry(world.entries()[made.index]).effects
    assert effects["deadlines"] == {"cleared": [], "set": []}
    transferred, notice = changes_of(world, made.index)
    assert (transferred["effect"], transferred["consent"]) == ("lot-transferred", consent)
    assert notice["effect"] == "notice-arrived"
    verify_everything(world)


@pytest.mark.parametrize("amount", [1, 60_000_000, 100_000_000])
@pytest.mark.parametrize("route", [True, False])
@pytest.mark.parametrize("recourse", [True, False])
def test_a_consent_ends_in_the_same_rows_as_an_acceptance(
    amount: int, route: bool, recourse: bool
) -> None:
    ends = []
    for in_advance in (True, False):
        world = cast_world()
        if in_advance:
            grant(world, collection_route=route)
        made = attempt(world, offer_to(world, amount=amount, recourse=recourse))
        assert not isinstance(made, RegistryError)
        if not in_advance:
            world.accept(made.sid, by="s2", consent=route)
        # The two logs differ, and so do ids, indexes and salts.
        lots = {
            name.removeprefix(made.sid): replace(
                lot, lot=LotId(""), voucher=Sid(""), acquired=Sid(""), born=0, salt=""
            )
            for name, lot in lots_of(world).items()
        }
        notices = [
            (row.notice.removeprefix(made.sid), row.recipient, row.assignor, row.assignee,
             row.amount, row.arrived, row.acknowledged)
            for row in world.store.select(NOTICES)
        ]  # fmt: skip
        ends.append((lots, notices))
        verify_everything(world)
    assert ends[0] == ends[1]
    assert set(ends[0][0]) == ({".2"} if amount == 100_000_000 else {".1", ".2"})


def test_the_offers_own_text_salts_both_of_its_lots() -> None:
    world = cast_world()
    grant(world)
    made = attempt(world, offer_to(world))
    assert not isinstance(made, RegistryError)
    text, lots = open_entry(world.entries()[made.index]).statement, lots_of(world)
    for n in (1, 2):
        assert lots[f"{made.sid}.{n}"].salt == derive_salt(SALT_LOT, statement=text, n=n)


@pytest.mark.parametrize(
    ("to", "purpose"), [("s2", "settle"), ("factor", "finance"), ("trustee#T1", "securitise")]
)
def test_every_purpose_has_its_consent(to: str, purpose: str) -> None:
    world = cast_world()
    grant(world, by=to, purpose=purpose)
    assert not is_waiting(world, offer_to(world, to, purpose=purpose))
    verify_everything(world)


def test_a_chain_under_consents_is_sealed_in_one_batch() -> None:
    world = cast_world()
    for name in ("s2", "s3"):
        grant(world, by=name)
    lot = f"{world.issue()}.0"
    texts: list[str] = []
    for by, to in (("s1", "s2"), ("s2", "s3"), ("s3", "s2")):
        body = world.offer_body(lot, 100_000_000 - len(texts), to)
        texts.append(world.sign(by, "transfer.offer", body))
        lot = f"{world.sid_of(texts[-1])}.2"
    assert not any(isinstance(outcome, RegistryError) for outcome in world.submit(*texts))
    assert lots_of(world)[lot].path == tuple(world.ids[n] for n in ("s1", "s2", "s3", "s2"))
    assert len(list(world.store.select(NOTICES))) == 3
    verify_everything(world)


def test_a_consent_is_used_by_offers_of_its_own_batch() -> None:
    world = cast_world()
    draft = offer_to(world)
    granted = world.sign("s2", "consent.grant", consent_body(world, "s2"))
    _, made = world.submit(granted, draft.sign(world))
    assert not isinstance(made, RegistryError)
    assert lots_of(world)[f"{made.sid}.2"].holder == world.ids["s2"]
    verify_everything(world)


def test_a_consent_leaves_an_open_offer_waiting() -> None:
    world = cast_world()
    offer = world.offer(f"{world.issue()}.0", 5, by="s1", to="s2")
    grant(world)
    assert [row.offer for row in world.store.select(OFFERS)] == [offer]
    world.accept(offer, by="s2")
    verify_everything(world)


def test_every_debtor_is_notified_in_order() -> None:
    world = cast_world()
    grant(world)
    draft = offer_to(world)
    voucher = str(draft.body["lot"])[:43]
    world.do("s3", "voucher.accede", accession(), re=voucher)
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    found = [(row.notice, row.recipient) for row in world.store.select(NOTICES)]
    assert found == [
        (f"{made.sid}.2!{rank}", world.ids[name]) for rank, name in enumerate(("core", "s3"))
    ]
    world.do("core", "notice.acknowledge", {"notices": [f"{made.sid}.2!0"]})
    assert lots_of(world)[f"{made.sid}.2"].acknowledged
    verify_everything(world)


# --- What a consent covers ----------------------------------------------------------------


def test_an_offer_below_the_minimum_waits() -> None:
    world = cast_world()
    grant(world, minimum="1000")
    assert is_waiting(world, offer_to(world, amount=999))
    assert not is_waiting(world, offer_to(world, amount=1_000))
    verify_everything(world)


def test_an_offer_by_an_assignor_who_is_not_listed_waits() -> None:
    world = cast_world()
    grant(world, by="factor", purpose="finance", assignors=[world.ids["s2"]])
    draft = offer_to(world, "factor", purpose="finance")
    assert is_waiting(world, draft)
    grant(world, by="factor", purpose="finance", assignors=[world.ids["s1"], world.ids["s2"]])
    assert not is_waiting(world, offer_to(world, "factor", purpose="finance"))
    verify_everything(world)


def test_another_partys_consent_covers_nothing() -> None:
    world = cast_world()
    grant(world, by="s3")
    assert is_waiting(world, offer_to(world, "s2"))
    verify_everything(world)


def test_an_assignors_own_consent_does_not_speak_for_the_assignee() -> None:
    world = cast_world()
    grant(world, by="s1")
    assert is_waiting(world, offer_to(world, "s2"))


def test_a_consent_to_another_purpose_covers_nothing() -> None:
    world = cast_world()
    for purpose in ("finance", "securitise"):
        grant(world, by="s2", purpose=purpose)
    assert is_waiting(world, offer_to(world, "s2"))


def test_a_vehicles_consent_is_not_its_trustees_other_vehicles() -> None:
    world = cast_world()
    world.admit("trustee#T2", "vehicle")
    grant(world, by="trustee#T1", purpose="securitise")
    assert is_waiting(world, offer_to(world, "trustee#T2", purpose="securitise"))
    assert not is_waiting(world, offer_to(world, "trustee#T1", purpose="securitise"))


def test_an_account_that_is_anothers_is_no_account_of_a_consent() -> None:
    world, draft = good("consent.grant")
    draft.body["account"] = world.accounts["s1"]
    assert isinstance(refusal(world, draft), NotOwnerError)


def test_an_offer_waits_if_the_consents_account_is_no_longer_verified() -> None:
    world = cast_world()
    grant(world)
    draft = offer_to(world)
    rows = replayed(world).rows
    assert isinstance(decide(world, draft, rows)[0], LotTransferred)
    # No statement unmakes a verification yet; a state in which one was unmade covers nothing.
    account = rows.get(ACCOUNTS, world.accounts["s2"])
    assert account is not None
    rows.put(ACCOUNTS, replace(account, verified=False))
    assert isinstance(decide(world, draft, rows)[0], LotOffered)


def test_an_offer_after_the_withdrawal_waits() -> None:
    world = cast_world()
    consent = grant(world)
    draft = offer_to(world)
    withdrawal = world.sign("s2", "consent.withdraw", {}, re=consent)
    # In one batch too: what was read ahead does not count.
    _, made = world.submit(withdrawal, draft.sign(world))
    assert not isinstance(made, RegistryError)
    assert [row.offer for row in world.store.select(OFFERS)] == [made.sid]
    verify_everything(world)


def test_what_became_effective_outlives_the_consent() -> None:
    world = cast_world()
    consent = grant(world)
    made = attempt(world, offer_to(world))
    assert not isinstance(made, RegistryError)
    before = lots_of(world)
    world.do("s2", "consent.withdraw", {}, re=consent)
    assert lots_of(world) == before
    assert [*world.store.select(CONSENTS), *world.store.select(GRANTS)] == []
    for kind in ("transfer.withdraw", "transfer.reject", "transfer.accept"):
        by = "s1" if kind == "transfer.withdraw" else "s2"
        body = consent_body(world, "s2") if kind == "transfer.accept" else {}
        body.pop("purpose", None)
        answer = Draft(by=by, kind=kind, body=body, re=made.sid)
        assert isinstance(refusal(world, answer), AnswerMissingError)


# --- The offer's own rules stay -------------------------------------------------------------


def test_a_consent_lets_nobody_offer_to_itself() -> None:
    world = cast_world()
    grant(world, by="s1", assignors=[world.ids["s1"]])
    assert isinstance(refusal(world, offer_to(world, "s1")), AssigneeRefusedError)


def test_no_standing_consent_ends_a_debt_the_debtor_says_so_itself() -> None:
    world = cast_world()
    for members in ({}, {"silence": dict(FIVE)}):
        grant(world, by="core", **members)
        made = attempt(world, offer_to(world, "core"))
        assert not isinstance(made, RegistryError)
        offer = next(row for row in world.store.select(OFFERS) if row.offer == made.sid)
        assert (offer.consent, offer.silent_at) == (None, None)
    verify_everything(world)


def test_a_consenting_assignee_that_joined_the_debt_is_refused() -> None:
    world = cast_world()
    grant(world)
    draft = offer_to(world)
    world.do("s2", "voucher.accede", accession(), re=str(draft.body["lot"])[:43])
    assert isinstance(refusal(world, draft), AssigneeRefusedError)


def test_a_consent_to_a_purpose_that_is_not_its_partys_lets_nothing_pass() -> None:
    world = cast_world()
    grant(world, by="s2", purpose="finance")
    draft = offer_to(world, "s2", purpose="finance")
    assert isinstance(refusal(world, draft), AssigneeRefusedError)


def test_a_consent_covers_no_more_than_the_lot_holds_and_no_later_day() -> None:
    world = cast_world()
    grant(world)
    assert isinstance(refusal(world, offer_to(world, amount=100_000_001)), InsufficientHoldingError)
    late = offer_to(world, accept_by="2025-12-19")
    assert isinstance(refusal(world, late), DeadlinePassedError)
    past = offer_to(world, accept_by="2025-06-30")
    assert isinstance(refusal(world, past), DeadlinePassedError)


def test_two_offers_of_one_lot_under_consents_spend_it_once() -> None:
    world = cast_world()
    for name in ("s2", "s3"):
        grant(world, by=name)
    lot = f"{world.issue()}.0"
    texts = [
        world.sign("s1", "transfer.offer", world.offer_body(lot, 60_000_000, to))
        for to in ("s2", "s3")
    ]
    first, second = world.submit(*texts)
    assert not isinstance(first, RegistryError)
    assert isinstance(second, LotNotFoundError)
    verify_everything(world)


def test_a_bank_or_a_trustee_consents_to_nothing() -> None:
    world, draft = good("consent.grant")
    for name in ("bank", "trustee", "operator"):
        draft.by = name
        assert isinstance(refusal(world, draft), RoleMissingError)


# --- The log that says otherwise -------------------------------------------------------------


def test_an_auditor_refuses_a_transfer_without_the_assignees_consent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = cast_world()
    with monkeypatch.context() as forged:
        forged.setattr("registry.model.Consent.covers", lambda *_, **__: True)
        grant(world, assignors=[world.ids["s3"]])
        assert not is_waiting(world, offer_to(world))
    with pytest.raises(EntryInvalidError):
        replayed(world)


def test_consents_do_not_stop_the_cut_off() -> None:
    world = cast_world()
    grant(world)
    assert not is_waiting(world, offer_to(world))
    world.advance(instant(date(2025, 12, 19), hour=0))
    world.engine.submit([])
    kinds = [open_entry(data).kind for data in world.entries()[-3:]]
    assert kinds == ["clock.set", "day.cut-off", "state"]
    assert set(RULEBOOK.timed) >= {"consent.cancel"}
    verify_everything(world)
