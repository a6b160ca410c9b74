import pytest

from api.auth import TOKEN_TYP, open_token, seal_token
from api.errors import TokenMissingError, TokenRefusedError
from clearing.rulebook import RULEBOOK
from registry.canonical import b64url_encode, format_json
from registry.model import Role
from registry.signing import PrivateKey, seal_jws
from registry.store.memory import MemoryStore
from tests.builders import ORIGIN, World, key_of, possession_proof, uscc

NOW = 1_800_000_000


@pytest.fixture(scope="module")
def world() -> World:
    made = World(MemoryStore(RULEBOOK.tables), RULEBOOK).open()
    for name, role in (("s1", "participant"), ("s2", "participant"), ("trustee", "trustee")):
        made.admit(name, role)
        add_read_key(made, name, key_of(f"{name} reads"))
    made.admit("trustee#T1", "vehicle")
    lost = key_of("s1 lost")
    add_read_key(made, "s1", lost)
    made.do("s1", "key.revoke", {"kid": lost.public.kid})
    return made


def add_read_key(world: World, name: str, key: PrivateKey) -> None:
    proof = possession_proof(key, origin=ORIGIN, party=world.ids[name])
    world.do(name, "key.add", {"key": dict(key.public.jwk()), "use": "read", "proof": proof})


def opened(world: World, token: str, *, now: int = NOW) -> object:
    return open_token(f"Bearer {token}", store=world.store, origin=ORIGIN, now=now)


def token_of(world: World, key: str = "s1 reads", name: str = "s1", **changes: object) -> str:
    payload = {"aud": ORIGIN, "by": world.ids[name], "exp": NOW + 300, "iat": NOW, **changes}
    members = {name: value for name, value in payload.items() if value is not None}
    return seal_jws(key_of(key), typ=TOKEN_TYP, payload=format_json(members))  # type: ignore[arg-type]


def test_a_token_says_who_calls(world: World) -> None:
    token = seal_token(key_of("s1 reads"), by=world.ids["s1"], aud=ORIGIN, iat=NOW, scope="a b")
    caller = open_token(f"Bearer {token}", store=world.store, origin=ORIGIN, now=NOW)
    assert caller.party == world.ids["s1"]
    assert set(caller.roles) == {Role.PARTICIPANT}
    assert caller.scope == {"a", "b"}


def test_a_trustee_calls_as_its_vehicle(world: World) -> None:
    token = token_of(world, "trustee reads", "trustee#T1")
    caller = open_token(f"Bearer {token}", store=world.store, origin=ORIGIN, now=NOW)
    assert caller.is_or_manages(world.ids["trustee#T1"])
    assert not caller.is_or_manages(world.ids["trustee"])


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw"])
def test_refuses_to_guess_who_calls(world: World, header: str) -> None:
    with pytest.raises(TokenMissingError):
        open_token(header, store=world.store, origin=ORIGIN, now=NOW)


@pytest.mark.parametrize(
    ("key", "name", "changes"),
    [
        pytest.param("s1", "s1", {}, id="key-of-use-sign"),
        pytest.param("s2 reads", "s1", {}, id="key-of-another-party"),
        pytest.param("s1 reads", "trustee#T1", {}, id="vehicle-of-another-party"),
        pytest.param("nobody", "s1", {}, id="unknown-key"),
        pytest.param("s1 lost", "s1", {}, id="revoked-key"),
        pytest.param("s1 reads", "s1", {"aud": "other.example/log"}, id="another-log"),
        pytest.param("s1 reads", "s1", {"exp": NOW + 301}, id="lives-too-long"),
        pytest.param("s1 reads", "s1", {"exp": NOW - 1}, id="ends-before-it-begins"),
        pytest.param("s1 reads", "s1", {"iat": NOW - 299, "exp": NOW}, id="over"),
        pytest.param("s1 reads", "s1", {"iat": NOW + 61, "exp": NOW + 300}, id="not-yet"),
        pytest.param("s1 reads", "s1", {"exp": None}, id="without-an-end"),
        pytest.param("s1 reads", "s1", {"admin": True}, id="another-member"),
        pytest.param("s1 reads", "s1", {"scope": 1}, id="scope-no-text"),
        pytest.param("s1 reads", "s1", {"exp": True}, id="exp-no-number"),
        pytest.param("s1 reads", "s1", {"by": "nobody"}, id="by-no-party"),
        pytest.param("s1 reads", "s1", {"by": uscc(999)}, id="by-not-admitted"),
    ],
)
def test_refuses_a_token(world: World, key: str, name: str, changes: dict[str, object]) -> None:
    with pytest.raises(TokenRefusedError):
        opened(world, token_of(world, key, name, **changes))


def test_refuses_a_header_that_names_no_algorithm(world: World) -> None:
    _, payload, _ = token_of(world).split(".")
    kid = key_of("s1 reads").public.kid
    header = format_json({"alg": "none", "kid": kid, "typ": TOKEN_TYP})
    with pytest.raises(TokenRefusedError, match="header"):
        opened(world, f"{b64url_encode(header)}.{payload}.")


def test_refuses_a_statement_in_the_place_of_a_token(world: World) -> None:
    with pytest.raises(TokenRefusedError):
        opened(world, world.sign("s1", "mandate.grant", {"account": "A" * 43}))


@pytest.mark.parametrize("token", ["a", "a.b.c", "." * 9, "é.é.é", "A" * 5_000])
def test_refuses_what_is_no_token(world: World, token: str) -> None:
    with pytest.raises(TokenRefusedError):
        opened(world, token)
