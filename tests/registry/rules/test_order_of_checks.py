"""Checks 5 to 7, which every statement passes before its kind's own rules (8).

Each check is spoiled alone, and together with every later one: the earlier refusal comes.
"""

from collections.abc import Callable
from typing import Any

import pytest

from registry.engine import Sealed
from registry.errors import (
    IdReusedError,
    KeyNotOfPartyError,
    KeyRevokedError,
    KeyUnknownError,
    KeyUseError,
    MalformedError,
    RegistryError,
)
from registry.ids import format_uuid7
from registry.merkle import TreeHead
from registry.refusals import (
    AnswerMissingError,
    LifetimeError,
    NotOwnerError,
    RoleMissingError,
    SeenDiffersError,
)
from tests.builders import World, key_of
from tests.faults import Fault, fault, pairs
from tests.scenario import Draft, attempt, cast_world, good, key_add, refusal, verify_everything


def _key_of_another(world: World, draft: Draft) -> None:
    draft.key = world.keys["core"]


def _key_for_reading(world: World, draft: Draft) -> None:
    world.submit(key_add(world, by="s1", name="reading", use="read").sign(world))
    draft.key = key_of("reading")


def _revoked_key(world: World, draft: Draft) -> None:
    world.submit(key_add(world, by="s1", name="revoked").sign(world))
    world.do("s1", "key.revoke", {"kid": key_of("revoked").public.kid})
    draft.key = key_of("revoked")


def _id_of_another_statement(world: World, draft: Draft) -> None:
    used = format_uuid7(world.time, bytes(10))
    text = Draft(by="s1", kind="mandate.grant", body=dict(draft.body), odd={"id": used})
    assert not isinstance(attempt(world, text), RegistryError)
    draft.odd["id"] = used
    draft.odd.setdefault("exp", world.time // 1000 + 60)


def _signed(*, iat: int, exp: int) -> Callable[[World, Draft], None]:
    """Signs at other seconds than the entry's time, and expires then."""

    def make(world: World, draft: Draft) -> None:
        now = world.time // 1000
        draft.odd |= {"iat": now + iat, "exp": now + exp}
        draft.odd["id"] = format_uuid7((now + iat) * 1000, b"a" * 10)

    return make


def _seen(size: int | None, root: bytes = bytes(32)) -> Callable[[World, Draft], None]:
    def make(world: World, draft: Draft) -> None:
        head = world.engine.head
        draft.odd["seen"] = TreeHead(size=head.size if size is None else size, root=root)

    return make


def _seen_larger(world: World, draft: Draft) -> None:
    head = world.engine.head
    draft.odd["seen"] = TreeHead(size=head.size + 1_000, root=head.root)


def _answering(world: World, draft: Draft) -> None:
    draft.re = world.accounts["s1"]


def _by_a_bank(_world: World, draft: Draft) -> None:
    draft.by = "bank"


def _anothers_account(world: World, draft: Draft) -> None:
    draft.body["account"] = world.accounts["core"]


ORDER: tuple[Fault, ...] = (
    fault(IdReusedError, "5 id used", _id_of_another_statement, "id", "role"),
    fault(KeyNotOfPartyError, "6 another's key", _key_of_another, "key"),
    fault(KeyUseError, "6 key for reading", _key_for_reading, "key", "by"),
    fault(KeyRevokedError, "6 revoked key", _revoked_key, "key", "by"),
    fault(LifetimeError, "7 301 s ahead", _signed(iat=301, exp=600), "id", "life"),
    fault(LifetimeError, "7 expired", _signed(iat=-60, exp=0), "id", "life"),
    fault(LifetimeError, "7 valid too long", _signed(iat=0, exp=86_401), "id", "life"),
    fault(SeenDiffersError, "7 another root", _seen(5), "seen"),
    fault(SeenDiffersError, "7 another head", _seen(None), "seen"),
    fault(SeenDiffersError, "7 larger than the log", _seen_larger, "seen"),
    fault(AnswerMissingError, "7 answers what it may not", _answering, "re"),
    fault(RoleMissingError, "8 role", _by_a_bank, "by", "role"),
    fault(NotOwnerError, "8 the kind's own", _anothers_account, "account"),
)


@pytest.mark.parametrize(
    "faults",
    [
        *(pytest.param((one,), id=one.what) for one in ORDER),
        *(pytest.param(two, id=f"{two[0].what}, and {two[1].what}") for two in pairs(ORDER)),
    ],
)
def test_refuses_in_documented_order(faults: Any) -> None:
    world, draft = good("mandate.grant")
    for one in faults:
        one.make(world, draft)
    found = refusal(world, draft)
    assert type(found) is faults[0].error, f"{found.code}: {found}"


# --- 5. Once ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["genesis", "party.register", "voucher.issue", "transfer.accept"])
def test_the_same_statement_again_gives_the_first_result(kind: str) -> None:
    world, draft = good(kind)
    text = draft.sign(world)
    (first,) = world.submit(text)
    assert isinstance(first, Sealed)
    before = (world.digest(), world.store.size())
    (again,) = world.submit(text)
    assert isinstance(again, Sealed)
    assert (first.replayed, again.replayed) == (False, True)
    for name in ("sid", "index", "time", "leaf_hash", "effects_json"):
        assert getattr(first, name) == getattr(again, name)
    assert (world.digest(), world.store.size()) == before


def test_the_same_statement_twice_in_a_batch_is_sealed_once() -> None:
    world, draft = good("voucher.issue")
    text = draft.sign(world)
    first, again = world.submit(text, text)
    assert isinstance(first, Sealed)
    assert isinstance(again, Sealed)
    assert (first.index, first.replayed, again.replayed) == (again.index, False, True)
    assert world.store.size() == first.index + 1


def test_the_first_result_comes_again_after_the_statement_has_expired() -> None:
    world, draft = good("voucher.issue")
    text = draft.sign(world)
    (first,) = world.submit(text)
    world.advance(world.time + 7 * 86_400_000)
    (again,) = world.submit(text)
    assert isinstance(again, Sealed)
    assert isinstance(first, Sealed)
    assert again.index == first.index


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "later"])
def test_an_id_is_used_for_one_statement(together: bool) -> None:
    world = cast_world()
    odd = {"id": format_uuid7(world.time, bytes(10))}
    texts = [
        Draft(by="core", kind="voucher.issue", body=world.issue_body(face=face), odd=odd).sign(
            world
        )
        for face in ("1", "2")
    ]
    outcomes = (
        world.submit(*texts) if together else [*world.submit(texts[0]), *world.submit(texts[1])]
    )
    assert isinstance(outcomes[0], Sealed)
    assert isinstance(outcomes[1], IdReusedError)
    assert outcomes[1].facts["sid"] == outcomes[0].sid
    verify_everything(world)


def test_an_id_is_a_partys_own() -> None:
    world = cast_world()
    odd = {"id": format_uuid7(world.time, bytes(10))}
    for name in ("s1", "s2"):
        draft = Draft(by=name, kind="mandate.grant", odd=odd)
        draft.body = {"account": world.accounts[name]}
        assert isinstance(attempt(world, draft), Sealed)


def test_a_refusal_is_not_remembered() -> None:
    world, draft = good("voucher.accept")
    world.ids["x"] = world.ids["s1"]
    body: Any = {"bank": world.ids["bank"], "account_kind": "settlement", "terms": "A" * 43}
    account = world.do("s1", "account.register", body).sid
    draft.body["account"] = account
    text = draft.sign(world)
    (refused,) = world.submit(text)
    assert isinstance(refused, RegistryError)
    world.do("bank", "account.verify", {}, re=account)
    (accepted,) = world.submit(text)
    assert isinstance(accepted, Sealed)
    assert not accepted.replayed
    verify_everything(world)


# --- 6 and 7. Edges -----------------------------------------------------------------------


def test_a_key_in_no_entry_is_unknown_and_worth_a_retry() -> None:
    world, draft = good("mandate.grant")
    draft.key = key_of("on its way")
    assert isinstance(refusal(world, draft), KeyUnknownError)


@pytest.mark.parametrize(
    ("iat", "exp", "is_valid"),
    [
        (300, 301, True),
        (301, 302, False),
        (-1, 1, True),
        (-1, 0, False),
        (0, 86_400, True),
        (0, 86_401, False),
        (-86_399, 1, True),
        (300, 86_700, True),
    ],
)
def test_the_lifetimes_edges(iat: int, exp: int, is_valid: bool) -> None:
    world, draft = good("mandate.grant")
    _signed(iat=iat, exp=exp)(world, draft)
    if is_valid:
        assert isinstance(attempt(world, draft), Sealed)
        verify_everything(world)
    else:
        assert isinstance(refusal(world, draft), LifetimeError)


@pytest.mark.parametrize("millisecond", [0, 1, 999])
def test_a_lifetime_is_counted_in_whole_seconds(millisecond: int) -> None:
    world, draft = good("mandate.grant")
    world.advance(world.time + 10_000 + millisecond)
    world.time -= world.time % 1000
    _signed(iat=-5, exp=1)(world, draft)
    assert isinstance(attempt(world, draft), Sealed)
    _signed(iat=-4, exp=0)(world, draft)
    assert isinstance(attempt(world, draft), LifetimeError)


@pytest.mark.parametrize("off", [-1, 1])
def test_the_ids_time_is_the_statements(off: int) -> None:
    world, draft = good("mandate.grant")
    draft.odd["id"] = format_uuid7(world.time + off * 1000, bytes(10))
    found = refusal(world, draft)
    assert (type(found), found.facts["what"]) == (MalformedError, "id")


def test_every_earlier_root_may_have_been_seen() -> None:
    world = cast_world()
    heads = [world.engine.head]
    for _ in range(5):
        world.issue()
        heads.append(world.engine.head)
    for head in heads:
        draft = Draft(by="s1", kind="mandate.grant", odd={"seen": head})
        draft.body = {"account": world.accounts["s1"]}
        assert isinstance(attempt(world, draft), Sealed)
    verify_everything(world)


@pytest.mark.parametrize("size", [0, -1, 1.5, "1", True])
def test_a_size_that_was_seen_is_a_positive_integer(size: Any) -> None:
    world, draft = good("mandate.grant")
    draft.odd["seen"] = TreeHead(size=size, root=world.engine.head.root)
    with pytest.raises(RegistryError):
        world.submit(draft.sign(world))


def test_the_root_of_one_size_is_refused_at_another() -> None:
    world, draft = good("mandate.grant")
    head = world.engine.head
    for size in (head.size - 1, 1):
        draft.odd["seen"] = TreeHead(size=size, root=head.root)
        assert isinstance(refusal(world, draft), SeenDiffersError)
