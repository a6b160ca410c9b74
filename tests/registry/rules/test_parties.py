"""Registration and admission: a registration gives no right."""

import json
from typing import Any

import pytest

from registry.canonical import Json
from registry.engine import Sealed
from registry.errors import KeyUnknownError, MalformedError
from registry.model import PARTIES
from registry.people import KEYS, REGISTRATIONS
from registry.people_refusals import PartyUnknownError
from registry.refusals import (
    AlreadyAdmittedError,
    AnswerMissingError,
    KeyTakenError,
    NotTrusteeError,
)
from registry.rules.parties import KINDS
from tests.builders import DIGEST, World, admission, key_of, uscc
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import (
    GOOD,
    Draft,
    attempt,
    cast_world,
    good,
    key_add,
    refusal,
    verify_everything,
)


def _signed_as(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by, draft.key = name, draft.key or key_of("new")

    return make


def _with_the_key_of_s1(world: World, draft: Draft) -> None:
    draft.key = world.keys["s1"]
    draft.body["key"] = dict(world.keys["s1"].public.jwk())


def _vehicle_of_another(world: World, draft: Draft) -> None:
    draft.body["vehicle"] = f"{world.ids['bank']}#T1"


def _admitted_vehicle(world: World, draft: Draft) -> None:
    draft.body["vehicle"] = world.ids["trustee#T1"]


def _register(world: World, name: str, key: str) -> str:
    """Registers a party with a key by name."""
    body: dict[str, Json] = {"name": name, "key": dict(key_of(key).public.jwk())}
    (made,) = world.submit(world.sign(name, "party.register", body, key=key_of(key)))
    assert not isinstance(made, Exception)
    return made.sid


def _admitted_by_another_registration(world: World, _draft: Draft) -> None:
    again = _register(world, "new", "new, another key")
    world.do("registrar", "party.admit", admission("participant"), re=again)


def _key_admitted_for_another(world: World, _draft: Draft) -> None:
    world.ids["twin"] = uscc(901)
    twin = _register(world, "twin", "new")
    world.do("registrar", "party.admit", admission("participant"), re=twin)


def _vehicle_registration(world: World, draft: Draft) -> None:
    body: dict[str, Json] = {"vehicle": f"{world.ids['trustee']}#T2", "name": "T2"}
    draft.re = world.do("trustee", "vehicle.register", body).sid


def _introduced_by_itself(world: World, draft: Draft) -> None:
    draft.body["contact_from"] = world.ids["new"]


FAULTS = {
    "party.register": (
        fault(MalformedError, "a vehicle", _signed_as("trustee#T1"), "by"),
        fault(AlreadyAdmittedError, "an admitted party", _signed_as("s2"), "by"),
        fault(KeyTakenError, "somebody's key", _with_the_key_of_s1, "key"),
    ),
    "vehicle.register": (
        fault(NotTrusteeError, "another's vehicle", _vehicle_of_another, "vehicle"),
        fault(NotTrusteeError, "no vehicle", setting(vehicle=uscc(901)), "vehicle"),
        fault(AlreadyAdmittedError, "an admitted vehicle", _admitted_vehicle, "vehicle"),
    ),
    "party.admit": (
        fault(MalformedError, "not sorted", setting(roles=["participant", "bank"]), "roles"),
        fault(MalformedError, "twice", setting(roles=["bank", "bank"]), "roles"),
        fault(MalformedError, "the operator's role", setting(roles=["operator"]), "roles"),
        fault(MalformedError, "the registrar's role", setting(roles=["registrar"]), "roles"),
        fault(MalformedError, "a vehicle's role", setting(roles=["vehicle"]), "roles", "vehicle"),
        fault(MalformedError, "vehicle too", setting(roles=["participant", "vehicle"]), "roles"),
        fault(MalformedError, "a vehicle's registration", _vehicle_registration, "re", "vehicle"),
        fault(MalformedError, "its own introducer", _introduced_by_itself, "contact", "re"),
        fault(AlreadyAdmittedError, "admitted since", _admitted_by_another_registration, "re"),
        fault(KeyTakenError, "key taken since", _key_admitted_for_another, "key"),
    ),
    "party.review": (fault(PartyUnknownError, "no party", setting(party=uscc(901)), "party"),),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_a_registration_gives_no_right() -> None:
    world, draft = good("party.register")
    assert not isinstance(attempt(world, draft), Exception)
    assert isinstance(refusal(world, key_add(world, by="new")), KeyUnknownError)
    assert list(world.store.select(KEYS, field="party", value=world.ids["new"])) == []
    verify_everything(world)


def test_anyone_can_register_a_name_and_only_the_admitted_key_signs_for_it() -> None:
    world = cast_world()
    world.ids["new"] = uscc(900)
    squatted = _register(world, "new", "squatter")
    world.keys["new"] = key_of("new")
    true = _register(world, "new", "new")
    world.do("registrar", "party.admit", admission("participant"), re=true)
    again = Draft(by="registrar", kind="party.admit", body=admission("participant"), re=squatted)
    assert isinstance(refusal(world, again), AlreadyAdmittedError)
    stolen = Draft(by="new", kind="key.revoke", key=key_of("squatter"))
    stolen.body = {"kid": key_of("new").public.kid}
    assert isinstance(refusal(world, stolen), KeyUnknownError)


def test_an_admission_is_used_once() -> None:
    world, draft = good("party.admit")
    assert not isinstance(attempt(world, draft), Exception)
    assert list(world.store.select(REGISTRATIONS)) == []
    assert isinstance(refusal(world, draft), AnswerMissingError)


def test_ordinals_are_ranks_of_admission() -> None:
    world = cast_world()
    world.admit("late", "auditor")
    parties = sorted(world.store.select(PARTIES), key=lambda party: party.ordinal)
    assert [party.ordinal for party in parties] == list(range(len(parties)))
    assert [party.name for party in parties][:2] == ["operator", "registrar"]
    assert parties[-1].party == world.ids["late"]
    verify_everything(world)


# --- Onboarding evidence (SD-02, FR-04) -------------------------------------------------


def _admitted(world: World, **members: Json) -> dict[str, Any]:
    """Admits a new party and returns the admission's first effect."""
    draft = good_admission(world, **members)
    made = attempt(world, draft)
    assert isinstance(made, Sealed)
    effects: list[dict[str, Any]] = json.loads(made.effects_json)["changes"]
    return effects[0]


def good_admission(world: World, **members: Json) -> Draft:
    """Returns an admission of a new party."""
    draft = GOOD["party.admit"](world)
    draft.body |= members
    return draft


def test_an_admission_states_what_the_registrar_has_seen_and_how_firm_the_binding_is() -> None:
    world = cast_world()
    admitted = _admitted(world, binding="bank-verified")
    assert (admitted["binding"], admitted["evidence"]) == ("bank-verified", [DIGEST])
    assert admitted["manual_review"] is False
    row = next(row for row in world.store.select(PARTIES) if row.party == admitted["party"])
    assert (row.binding, row.evidence, row.manual_review) == ("bank-verified", (DIGEST,), False)
    verify_everything(world)


@pytest.mark.parametrize("missing", ["binding", "evidence"])
def test_nobody_is_admitted_on_the_registrars_bare_word(missing: str) -> None:
    world = cast_world()
    draft = good_admission(world)
    del draft.body[missing]
    assert isinstance(refusal(world, draft), MalformedError)


def test_a_debtors_contact_from_its_supplier_calls_for_a_manual_review() -> None:
    # FR-04: the debtor's contact was provided by the supplier.
    world = cast_world()
    admitted = _admitted(world, contact_from=world.ids["s1"])
    assert (admitted["contact_from"], admitted["manual_review"]) == (world.ids["s1"], True)
    body: dict[str, Json] = {
        "party": admitted["party"],
        "binding": "in-person",
        "evidence": [{"digest": "B" * 42 + "A", "name": "visit.pdf"}],
    }
    world.do("registrar", "party.review", body)
    row = next(row for row in world.store.select(PARTIES) if row.party == admitted["party"])
    assert (row.manual_review, row.contact_from) == (False, world.ids["s1"])
    assert (row.binding, row.evidence) == ("in-person", ("B" * 42 + "A",))
    verify_everything(world)


def test_the_first_key_can_be_one_persons_hand() -> None:
    world = cast_world()
    draft = GOOD["party.register"](world)
    draft.body["hand"] = {"person": "ma", "duty": "maker", "limit": "5000000"}
    made = attempt(world, draft)
    assert isinstance(made, Sealed)
    world.do("registrar", "party.admit", admission("participant"), re=made.sid)
    (key,) = world.store.select(KEYS, field="party", value=world.ids["new"])
    assert (key.person, key.duty, key.limit) == ("ma", "maker", 5_000_000)
    verify_everything(world)
