"""Keys: adding one for one use, and ending one."""

from typing import Any

import pytest

from registry.canonical import Json
from registry.errors import (
    KeyRevokedError,
    KeyUnknownError,
    KeyUseError,
    MalformedError,
    RegistryError,
)
from registry.ids import Origin
from registry.people import KEYS
from registry.people_refusals import RecoveryKeyExistsError, TooFewPeopleError, TooManyKeysError
from registry.refusals import KeyTakenError, PossessionError
from registry.rules.keys import KEYS_MAX, KINDS
from registry.signing import seal_jws
from tests.builders import ORIGIN, World, key_of, possession_proof
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.people import hand_key, key_body, live_kids, rule, staffed
from tests.scenario import Draft, attempt, cast_world, key_add, refusal, verify_everything


def _proof_by(name: str, *, party: str = "s1", origin: str = ORIGIN) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body["proof"] = possession_proof(
            key_of(name), origin=Origin(origin), party=world.ids[party]
        )

    return make


def _proof_of_another_type(world: World, draft: Draft) -> None:
    payload = b'{"aud":"%s","by":"%s","kid":"%s"}' % (
        ORIGIN.encode(),
        world.ids["s1"].encode(),
        key_of("further").public.kid.encode(),
    )
    draft.body["proof"] = seal_jws(key_of("further"), typ="ts-key.add+jws", payload=payload)


def _tampered_proof(_world: World, draft: Draft) -> None:
    head, _, signature = str(draft.body["proof"]).rpartition(".")
    draft.body["proof"] = f"{head}.{'B' if signature[0] != 'B' else 'C'}{signature[1:]}"


def _key_of_s2(world: World, draft: Draft) -> None:
    draft.body["key"] = dict(world.keys["s2"].public.jwk())


def _kid_of_s2(world: World, draft: Draft) -> None:
    draft.body["kid"] = world.keys["s2"].public.kid


def _revoked_before(world: World, _draft: Draft) -> None:
    world.do("s1", "key.revoke", {"kid": key_of("further").public.kid})


def _by_the_vehicle(_world: World, draft: Draft) -> None:
    draft.by = "trustee#T1"


HAND: Json = {"person": "ma"}


def _as_many_keys_as_there_can_be(world: World, _draft: Draft) -> None:
    bodies = [key_body(world, "s1", f"s1 {n}", use="read") for n in range(KEYS_MAX - 1)]
    world.submit(*(world.sign("s1", "key.add", body) for body in bodies))
    assert len(live_kids(world, "s1")) == KEYS_MAX


def _a_second_recovery_key(world: World, draft: Draft) -> None:
    world.do("s1", "key.add", key_body(world, "s1", "s1 recovery", use="recovery"))
    draft.body["use"] = "recovery"


def _the_recovery_key(world: World, draft: Draft) -> None:
    world.do("s1", "key.add", key_body(world, "s1", "s1 recovery", use="recovery"))
    draft.body["kid"] = key_of("s1 recovery").public.kid


def _recovery_for_the_vehicle(world: World, draft: Draft) -> None:
    body = key_body(world, "trustee", "trustee recovery", use="recovery")
    world.do("trustee", "key.add", body)
    draft.by, draft.key = "trustee#T1", key_of("trustee recovery")


def _new_keys(*names: str, **members: Json) -> Any:
    def make(world: World, draft: Draft) -> None:
        bodies = [key_body(world, "s1", name) for name in names]
        draft.body["keys"] = [
            {name: value for name, value in {**body, **members}.items() if name != "use"}
            for body in bodies
        ]

    return make


def _proof_of_s2(world: World, draft: Draft) -> None:
    body = key_body(world, "s2", "s1 anew")
    draft.body["keys"] = [{"key": body["key"], "proof": body["proof"]}]


def _rules_for_two(world: World, _draft: Draft) -> None:
    staffed(world, "s1", rule("transfer.offer"))


def _a_checker_by_a_maker(world: World, draft: Draft) -> None:
    staffed(world, "s1", rule("transfer.offer", 3))
    draft.body["kid"], draft.key = hand_key("s1", "chen").public.kid, hand_key("s1", "ma")


FAULTS = {
    "key.add": (
        fault(MalformedError, "for a vehicle", _by_the_vehicle, "by"),
        fault(MalformedError, "a hand that reads", setting(use="read", hand=HAND), "use"),
        fault(MalformedError, "no JWS for proof", setting(proof="x"), "proof"),
        fault(KeyTakenError, "somebody's key", _key_of_s2, "key"),
        fault(PossessionError, "another party's proof", _proof_by("further", party="s2"), "proof"),
        fault(PossessionError, "another key's proof", _proof_by("s1"), "proof"),
        fault(
            PossessionError,
            "another log's proof",
            _proof_by("further", origin="sandbox.example/other"),
            "proof",
        ),
        fault(PossessionError, "a proof of another type", _proof_of_another_type, "proof"),
        fault(PossessionError, "a tampered proof", _tampered_proof, "proof"),
        fault(TooManyKeysError, "64 keys", _as_many_keys_as_there_can_be, "by", "many"),
        fault(RecoveryKeyExistsError, "a second one", _a_second_recovery_key, "by", "use", "many"),
    ),
    "key.revoke": (
        fault(KeyUnknownError, "another's key", _kid_of_s2, "kid"),
        fault(KeyUnknownError, "no key", setting(kid="A" * 43), "kid"),
        fault(KeyUnknownError, "revoked before", _revoked_before, "kid"),
        fault(KeyUseError, "the recovery key", _the_recovery_key, "kid"),
        fault(MalformedError, "suspect from later on", setting(suspect_from=10_000), "suspect"),
        fault(TooFewPeopleError, "a checker needed", _a_checker_by_a_maker, "kid", "key"),
    ),
    "key.recover": (
        fault(MalformedError, "for a vehicle", _recovery_for_the_vehicle, "by", "keys"),
        fault(MalformedError, "a key twice", _new_keys("s1 anew", "s1 anew"), "keys"),
        fault(MalformedError, "no JWS for proof", _new_keys("s1 anew", proof="x"), "keys"),
        fault(MalformedError, "suspect from later on", setting(suspect_from=10_000), "suspect"),
        fault(KeyTakenError, "somebody's key", _new_keys("s2"), "keys"),
        fault(PossessionError, "another's proof", _proof_of_s2, "keys"),
        fault(TooFewPeopleError, "rules for two", _rules_for_two, "by"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


@pytest.mark.parametrize(
    "key",
    [
        {"crv": "Ed25519", "kty": "RSA", "x": "A" * 43},
        {"crv": "Ed25519", "kty": "OKP", "x": "A" * 43},
        {"crv": "Ed25519", "kty": "OKP", "x": "AAAA"},
    ],
    ids=["no-suite", "low-order", "short"],
)
def test_a_key_of_no_suite_is_refused_at_admission_and_spoils_no_batch(key: Json) -> None:
    world = cast_world()
    draft = key_add(world, by="s2")
    draft.body["key"] = key
    found = refusal(world, draft)
    assert isinstance(found, MalformedError)
    assert found.facts["what"] == "body/key"


def test_a_key_signs_from_the_entry_after_its_own() -> None:
    world = cast_world()
    text = world.sign("s1", "key.revoke", {"kid": key_of("s1").public.kid}, key=key_of("further"))
    # In no committed entry yet, even if it is on its way.
    with pytest.raises(KeyUnknownError):
        world.submit(key_add(world, by="s1").sign(world), text)
    assert not isinstance(attempt(world, key_add(world, by="s1")), RegistryError)
    (made,) = world.submit(text)
    assert not isinstance(made, RegistryError)
    verify_everything(world)


def test_a_key_signs_its_own_revocation_and_nothing_after() -> None:
    world = cast_world()
    kid = key_of("s1").public.kid
    revoked = Draft(by="s1", kind="key.revoke", body={"kid": kid})
    later = Draft(by="s1", kind="mandate.grant", body={"account": world.accounts["s1"]})
    first, second = world.submit(revoked.sign(world), later.sign(world))
    assert not isinstance(first, RegistryError)
    assert isinstance(second, KeyRevokedError)
    assert isinstance(refusal(world, later), KeyRevokedError)
    (row,) = world.store.select(KEYS, field="party", value=world.ids["s1"])
    assert (row.added < first.index, row.revoked) == (True, first.index)
    verify_everything(world)


@pytest.mark.parametrize("use", ["read", "receipt", "recovery"])
def test_a_key_of_another_use_signs_no_statement(use: str) -> None:
    world = cast_world()
    assert not isinstance(attempt(world, key_add(world, by="s1", use=use)), RegistryError)
    draft = Draft(by="s1", kind="mandate.grant", body={"account": world.accounts["s1"]})
    draft.key = key_of("further")
    assert isinstance(refusal(world, draft), KeyUseError)


def test_a_revoked_key_never_comes_back() -> None:
    world = cast_world()
    attempt(world, key_add(world, by="s1"))
    world.do("s1", "key.revoke", {"kid": key_of("further").public.kid})
    for name in ("s1", "s2"):
        assert isinstance(refusal(world, key_add(world, by=name)), KeyTakenError)
