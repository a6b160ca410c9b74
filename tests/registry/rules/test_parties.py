"""Registration and admission: a registration gives no right."""

from typing import Any

import pytest

from registry.canonical import Json
from registry.errors import KeyUnknownError, MalformedError
from registry.model import KEYS, PARTIES, REGISTRATIONS
from registry.refusals import (
    AlreadyAdmittedError,
    AnswerMissingError,
    KeyTakenError,
    NotTrusteeError,
)
from registry.rules.parties import KINDS
from tests.builders import World, key_of, uscc
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, key_add, refusal, verify_everything


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
    world.do("registrar", "party.admit", {"roles": ["participant"]}, re=again)


def _key_admitted_for_another(world: World, _draft: Draft) -> None:
    world.ids["twin"] = uscc(901)
    twin = _register(world, "twin", "new")
    world.do("registrar", "party.admit", {"roles": ["participant"]}, re=twin)


def _vehicle_registration(world: World, draft: Draft) -> None:
    body: dict[str, Json] = {"vehicle": f"{world.ids['trustee']}#T2", "name": "T2"}
    draft.re = world.do("trustee", "vehicle.register", body).sid


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
        fault(AlreadyAdmittedError, "admitted since", _admitted_by_another_registration, "re"),
        fault(KeyTakenError, "key taken since", _key_admitted_for_another, "key"),
    ),
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
    world.do("registrar", "party.admit", {"roles": ["participant"]}, re=true)
    again = Draft(by="registrar", kind="party.admit", body={"roles": ["participant"]}, re=squatted)
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
