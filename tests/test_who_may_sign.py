"""A valid signature never suffices: who may sign what.

A kind without a row in these tables fails the tests.
"""

import pytest

from registry.canonical import Json
from registry.errors import (
    AuthenticationError,
    HeaderMismatchError,
    KeyNotOfPartyError,
    KeyUnknownError,
    RegistryError,
)
from registry.model import Role
from registry.refusals import (
    AlreadyAdmittedError,
    AlreadyStartedError,
    RoleMissingError,
)
from registry.rules.parties import ADMISSIBLE
from tests.builders import World, key_of, uscc
from tests.noticed import receipt_key
from tests.scenario import GOOD, RULEBOOK, attempt, good, refusal, verify_everything
from tests.signers import IN_BODY, WHO

PARTY_IN_ROLE = {
    "operator": "operator",
    "registrar": "registrar",
    "participant": "s2",
    "financier": "factor",
    "trustee": "trustee",
    "vehicle": "trustee#T1",
    "bank": "bank",
    "auditor": "auditor",
}
SIGNED_BY_A_KNOWN_KEY = [kind for kind in WHO if WHO[kind] is not IN_BODY]


def test_every_kind_has_its_rows() -> None:
    kinds = set(RULEBOOK.kinds)
    assert set(WHO) == set(GOOD) == kinds
    assert set(PARTY_IN_ROLE) == set(Role)


@pytest.mark.parametrize("kind", WHO)
def test_the_right_signer_is_let_through(kind: str) -> None:
    world, draft = good(kind)
    assert not isinstance(attempt(world, draft), RegistryError)
    world.engine.submit([])
    verify_everything(world)


@pytest.mark.parametrize("role", PARTY_IN_ROLE)
@pytest.mark.parametrize("kind", WHO)
def test_a_role_that_is_not_listed_signs_nothing(kind: str, role: str) -> None:
    world, draft = good(kind)
    if kind == "genesis":
        return
    world.admit("auditor", "auditor")
    draft.by = PARTY_IN_ROLE[role]
    if kind == "party.register":
        draft.key = key_of("new")
        found = refusal(world, draft)
        assert isinstance(found, AlreadyAdmittedError) or role == "vehicle"
        return
    if kind == "notice.received":
        draft.key = receipt_key(world, draft.by)
    if role in WHO[kind]:
        assert not isinstance(attempt(world, draft), RoleMissingError)
    else:
        assert isinstance(refusal(world, draft), RoleMissingError)


@pytest.mark.parametrize("other", ["s2", "factor", "operator", "registrar", "bank", "trustee"])
@pytest.mark.parametrize("kind", SIGNED_BY_A_KNOWN_KEY)
def test_a_key_signs_for_its_own_party_only(kind: str, other: str) -> None:
    world, draft = good(kind)
    if other == draft.by.partition("#")[0]:
        other = "core"
    draft.key = world.keys[other]
    assert isinstance(refusal(world, draft), KeyNotOfPartyError)


@pytest.mark.parametrize("kind", SIGNED_BY_A_KNOWN_KEY)
def test_a_key_in_no_entry_signs_nothing(kind: str) -> None:
    world, draft = good(kind)
    draft.key = key_of("nobody")
    assert isinstance(refusal(world, draft), KeyUnknownError)


@pytest.mark.parametrize("kind", SIGNED_BY_A_KNOWN_KEY)
def test_a_party_that_was_never_admitted_signs_nothing(kind: str) -> None:
    world, draft = good(kind)
    _register_only(world)
    draft.by, draft.key = "waiting", None
    assert isinstance(refusal(world, draft), KeyUnknownError)


def _register_only(world: World) -> None:
    world.keys["waiting"], world.ids["waiting"] = key_of("waiting"), uscc(700)
    key: dict[str, Json] = dict(key_of("waiting").public.jwk())
    world.do("waiting", "party.register", {"name": "waiting", "key": key})


@pytest.mark.parametrize("kind", ["genesis", "party.register"])
def test_the_key_in_the_body_is_the_one_that_signs(kind: str) -> None:
    world, draft = good(kind)
    draft.key = key_of("somebody else")
    found = refusal(world, draft)
    assert isinstance(found, HeaderMismatchError)
    assert found.facts["member"] == "kid"
    assert found.facts["found"] == key_of("somebody else").public.kid
    assert str(found).endswith(f"kid is {found.facts['found']}, not {found.facts['expected']}")


def test_there_is_one_genesis() -> None:
    world, draft = good("genesis")
    assert not isinstance(attempt(world, draft), RegistryError)
    assert isinstance(refusal(world, draft), AlreadyStartedError)


def test_no_role_admits_an_operator_or_a_registrar() -> None:
    assert set(Role) - {Role.OPERATOR, Role.REGISTRAR} == ADMISSIBLE


# --- What belongs to another ----------------------------------------------------------


@pytest.mark.parametrize("kind", WHO)
def test_a_signature_over_other_bytes_is_no_signature(kind: str) -> None:
    world, draft = good(kind)
    text, other = draft.sign(world), draft.sign(world)
    assert text != other
    before = (world.digest(), world.store.size())
    with pytest.raises(AuthenticationError):
        world.submit(text.rpartition(".")[0] + "." + other.rpartition(".")[2])
    assert (world.digest(), world.store.size()) == before
