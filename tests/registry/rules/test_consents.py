"""Standing consents: granted, replaced, withdrawn, cancelled."""

from typing import Any

import pytest

from registry.canonical import Json
from registry.entries import open_entry
from registry.errors import KeyRevokedError, MalformedError, RegistryError
from registry.model import CONSENTS, GRANTS, OFFERS
from registry.refusals import (
    AnswerMissingError,
    CalendarUnknownError,
    ModeRefusedError,
    NotGrantorError,
)
from registry.rights import CANCELLED_AT_ONCE
from registry.rules.consents import ASSIGNORS_MAX, KINDS
from tests.builders import World, key_of, uscc
from tests.consents import changes_of, is_waiting, offer_to, sign_by_further
from tests.faults import account_faults, cases, fault, setting, verify_refused, verify_rows
from tests.scenario import (
    Draft,
    attempt,
    cast_world,
    consent_body,
    good,
    grant,
    key_add,
    refusal,
    verify_everything,
)


def _twice(world: World, draft: Draft) -> None:
    draft.body["assignors"] = [world.ids["s1"], world.ids["s1"]]


def _unsorted(world: World, draft: Draft) -> None:
    draft.body["assignors"] = [*sorted((world.ids["s1"], world.ids["s3"]), reverse=True)]


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _explicit_only(world: World, _draft: Draft) -> None:
    world.enforce(acceptance=["explicit"])


FAULTS = {
    "consent.grant": (
        fault(MalformedError, "an assignor twice", _twice, "assignors"),
        fault(MalformedError, "assignors not sorted", _unsorted, "assignors"),
        fault(MalformedError, "to vouchers at once", setting(purpose="issue"), "silence"),
        fault(ModeRefusedError, "a policy of explicit words", _explicit_only, "mode"),
        fault(
            CalendarUnknownError,
            "an unknown calendar",
            setting(silence={"calendar": "x", "working_days": 5}),
            "silence",
        ),
        *account_faults("s2"),
    ),
    "consent.withdraw": (
        fault(NotGrantorError, "by another", _by("s3"), "by"),
        fault(NotGrantorError, "by an assignor", _by("s1"), "by"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("assignors", []),
        ("assignors", [uscc(number) for number in range(1000, 1001 + ASSIGNORS_MAX)]),
        ("assignors", ["91310000MA0000000"]),
        ("minimum", "0"),
        ("minimum", 5),
        ("purpose", "pledge"),
        ("silence", {"calendar": "CN-LEGAL", "working_days": 0}),
        ("silence", {"working_days": 5}),
        ("collection_route", 1),
    ],
)
def test_refuses_a_body_of_another_form(member: str, value: Json) -> None:
    world, draft = good("consent.grant")
    draft.body[member] = value
    found = refusal(world, draft)
    assert isinstance(found, MalformedError)
    assert str(found.facts["what"]).startswith(f"body/{member}")


def test_as_many_assignors_as_allowed_fit_one_entry() -> None:
    world, draft = good("consent.grant")
    parties = sorted(uscc(number) for number in range(1000, 1000 + ASSIGNORS_MAX))
    draft.body["assignors"] = [*parties]
    assert not isinstance(attempt(world, draft), RegistryError)
    verify_everything(world)


# --- Replacing --------------------------------------------------------------------------------


def test_a_new_grant_replaces_the_former_and_names_it() -> None:
    world = cast_world()
    first = grant(world, minimum="1000")
    other = grant(world, purpose="finance")
    size = world.store.size()
    second = grant(world, assignors=[world.ids["s3"]])
    (change,) = changes_of(world, size)
    assert (change["consent"], change["replaces"]) == (second, first)
    assert {row.consent for row in world.store.select(CONSENTS)} == {second, other}
    assert {row.consent for row in world.store.select(GRANTS)} == {second, other}
    # The former's minimum is gone with it, and nothing answers it any more.
    assert is_waiting(world, offer_to(world))
    old = Draft(by="s2", kind="consent.withdraw", re=first)
    assert isinstance(refusal(world, old), AnswerMissingError)
    verify_everything(world)


# --- Revocation ---------------------------------------------------------------------------------


def revoke(world: World, name: str) -> list[tuple[str, Any]]:
    """Revokes a party's further key; returns what was sealed from there on."""
    size = world.store.size()
    text = world.sign(name, "key.revoke", {"kid": key_of("further").public.kid})
    other = world.sign("s1", "mandate.grant", {"account": world.accounts["s1"]})
    assert not any(isinstance(outcome, RegistryError) for outcome in world.submit(text, other))
    opened = (open_entry(data) for data in world.entries()[size:])
    return [(entry.kind, entry.effects.get("due")) for entry in opened]


def test_a_revoked_keys_consents_and_offers_are_cancelled_directly_after() -> None:
    world = cast_world()
    attempt(world, key_add(world, by="s1"))
    kept = grant(world, by="s1", purpose="settle")
    consents = [
        sign_by_further(world, "s1", "consent.grant", consent_body(world, "s1", purpose=purpose))
        for purpose in ("finance", "securitise")
    ]
    lot, offers = f"{world.issue()}.0", []
    for _ in range(3):
        offers.append(
            sign_by_further(world, "s1", "transfer.offer", world.offer_body(lot, 5, "s2"))
        )
        lot = f"{offers[-1]}.1"
    assert revoke(world, "s1") == [
        ("key.revoke", None),
        *(("consent.cancel", {"at": world.time, "id": each}) for each in sorted(consents)),
        *(("transfer.cancel", {"at": world.time, "id": each}) for each in sorted(offers)),
        ("mandate.grant", None),
    ]
    assert [row.consent for row in world.store.select(CONSENTS)] == [kept]
    assert [row.consent for row in world.store.select(GRANTS)] == [kept]
    verify_everything(world)


def test_a_consent_by_a_revoked_key_covers_nothing() -> None:
    world = cast_world()
    attempt(world, key_add(world, by="s2"))
    sign_by_further(world, "s2", "consent.grant", consent_body(world, "s2"))
    draft = offer_to(world)
    revocation = world.sign("s2", "key.revoke", {"kid": key_of("further").public.kid})
    _, made = world.submit(revocation, draft.sign(world))
    assert not isinstance(made, RegistryError)
    assert [row.offer for row in world.store.select(OFFERS)] == [made.sid]
    verify_everything(world)


@pytest.mark.parametrize("kind", ["consent.grant", "consent.withdraw"])
def test_a_revoked_key_grants_and_withdraws_nothing(kind: str) -> None:
    world, draft = good(kind)
    attempt(world, key_add(world, by="s2"))
    sign_by_further(world, "s2", "key.revoke", {"kid": key_of("s2").public.kid})
    world.engine.submit([])
    assert isinstance(refusal(world, draft), KeyRevokedError)


def test_a_consent_that_a_good_key_replaced_outlives_the_first_key() -> None:
    world = cast_world()
    attempt(world, key_add(world, by="s2"))
    sign_by_further(world, "s2", "consent.grant", consent_body(world, "s2"))
    kept = grant(world)
    assert revoke(world, "s2") == [("key.revoke", None), ("mandate.grant", None)]
    assert [row.consent for row in world.store.select(CONSENTS)] == [kept]
    verify_everything(world)


def test_a_vehicles_consent_ends_with_its_trustees_key() -> None:
    world = cast_world()
    attempt(world, key_add(world, by="trustee"))
    body = consent_body(world, "trustee#T1", purpose="securitise")
    sign_by_further(world, "trustee#T1", "consent.grant", body)
    revoke(world, "trustee")
    assert list(world.store.select(CONSENTS)) == []
    verify_everything(world)


def test_a_revocation_of_more_than_fits_an_entry_ends_consents_and_offers_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("registry.rights.CANCELLED_AT_ONCE", 3)
    assert CANCELLED_AT_ONCE > 3
    world = cast_world()
    attempt(world, key_add(world, by="s1"))
    ends = [
        ("consent.cancel", sign_by_further(
            world, "s1", "consent.grant", consent_body(world, "s1", purpose=purpose)))
        for purpose in ("settle", "finance")
    ]  # fmt: skip
    lot = f"{world.issue()}.0"
    for _ in range(5):
        offer = sign_by_further(world, "s1", "transfer.offer", world.offer_body(lot, 5, "s2"))
        ends.append(("transfer.cancel", offer))
        lot = f"{offer}.1"
    ends.sort()
    more = ("transfer.cancel-more", key_of("further").public.kid)
    expected = [*ends[:3], more, *ends[3:6], more, *ends[6:]]
    assert revoke(world, "s1")[1:-1] == [
        (kind, {"at": world.time, "id": name}) for kind, name in expected
    ]
    verify_everything(world)
