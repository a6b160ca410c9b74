"""Keys over time: rotation, theft, recovery; what is flagged and what ends with a key."""

import pytest

from registry.canonical import Json
from registry.entries import open_entry
from registry.errors import KeyRevokedError, KeyUseError, RegistryError
from registry.model import CONSENTS, OFFERS
from registry.people import KEYS, WAITED
from registry.people_refusals import PersonMissingError, TooFewPeopleError
from tests.builders import World, key_of
from tests.people import (
    STAFF,
    done,
    engage,
    hand_key,
    key_body,
    live_kids,
    offer_waits,
    rule,
    say,
    staffed,
    waiting,
)
from tests.scenario import (
    GOOD,
    Draft,
    attempt,
    cast_world,
    consent_body,
    lots_of,
    refusal,
    verify_everything,
)


def test_a_key_is_rotated_by_adding_the_next_and_revoking_the_old() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    world.do("s1", "key.add", key_body(world, "s1", "s1 next"))
    # Both sign, so nothing stands still.
    first = world.offer(lot, 5, by="s1", to="s2")
    made = say(world, "s1", "transfer.offer", world.offer_body(f"{first}.1", 5, "s3"),
               key=key_of("s1 next"))  # fmt: skip
    old = world.keys["s1"].public.kid
    done(say(world, "s1", "key.revoke", {"kid": old}, key=key_of("s1 next")))
    world.engine.submit([])
    # What the old key had offered and nobody had answered ends; the next key's stands.
    assert [row.offer for row in world.store.select(OFFERS)] == [done(made).sid]
    assert live_kids(world, "s1") == {key_of("s1 next").public.kid}
    late = Draft(by="s1", kind="mandate.grant", body={"account": world.accounts["s1"]})
    assert isinstance(refusal(world, late), KeyRevokedError)
    verify_everything(world)


def _with_recovery(world: World, by: str = "s1") -> World:
    world.do(by, "key.add", key_body(world, by, f"{by} recovery", use="recovery"))
    return world


def _anew(world: World, *names: str, hands: dict[str, dict[str, Json]] | None = None) -> Json:
    keys: list[Json] = []
    for name in names:
        body = key_body(world, "s1", f"s1 {name}", hand=(hands or {}).get(name.partition(" ")[0]))
        keys.append({member: value for member, value in body.items() if member != "use"})
    return keys


def recover(world: World, *names: str, **body: Json) -> Draft:
    """Returns s1's recovery with new keys by these names."""
    return Draft(
        by="s1",
        kind="key.recover",
        body={"keys": _anew(world, *names), **body},
        key=key_of("s1 recovery"),
    )


@pytest.mark.parametrize("kind", sorted(set(GOOD) - {"genesis", "party.register", "key.recover"}))
def test_a_recovery_key_signs_nothing_but_a_recovery(kind: str) -> None:
    world = cast_world()
    draft = GOOD[kind](world)
    by = draft.by.partition("#")[0]
    # Its party's rules would have the addition wait.
    if kind in ("approve", "disapprove"):
        by = draft.by = "s2"
    _with_recovery(world, by)
    draft.key = key_of(f"{by} recovery")
    assert isinstance(refusal(world, draft), KeyUseError)


def test_no_other_key_signs_a_recovery() -> None:
    world = _with_recovery(cast_world())
    draft = recover(world, "anew")
    draft.key = world.keys["s1"]
    assert isinstance(refusal(world, draft), KeyUseError)


def test_a_recovery_ends_every_other_key_with_what_depends_on_it() -> None:
    world = _with_recovery(cast_world())
    world.do("s1", "key.add", key_body(world, "s1", "s1 read", use="read"))
    world.do("s1", "key.add", key_body(world, "s1", "s1 thief"))
    lot = f"{world.issue()}.0"
    body = world.offer_body(lot, 5, "s3")
    stolen = say(world, "s1", "transfer.offer", body, key=key_of("s1 thief"))
    world.do("s1", "consent.grant", consent_body(world, "s1"))
    since = done(stolen).index
    made = attempt(world, recover(world, "anew", suspect_from=since))
    assert not isinstance(made, RegistryError)
    world.engine.submit([])
    # Key after key by id, each directly before what it ends.
    ends = {"s1": "consent.cancel", "s1 thief": "transfer.cancel"}
    order = sorted(ends, key=lambda name: key_of(name).public.kid)
    kinds = [open_entry(data).kind for data in world.entries()[made.index :]]
    follow = [kind for name in order for kind in ("transfer.cancel-more", ends[name])]
    assert kinds == ["key.recover", *follow]
    assert (list(world.store.select(OFFERS)), list(world.store.select(CONSENTS))) == ([], [])
    assert lots_of(world)[f"{done(stolen).sid}.0"].status == "free"
    recovery, new = key_of("s1 recovery").public.kid, key_of("s1 anew").public.kid
    assert live_kids(world, "s1") == {recovery, new}
    ended = [k for k in world.store.select(KEYS, field="party", value=world.ids["s1"]) if k.revoked]
    assert {(key.revoked, key.suspect_from) for key in ended} == {(made.index, since)}
    # The new key is in charge, and the recovery key can do it again.
    done(say(world, "s1", "consent.grant", consent_body(world, "s1"), key=key_of("s1 anew")))
    assert not isinstance(attempt(world, recover(world, "third")), RegistryError)
    verify_everything(world)


def test_a_party_with_rules_recovers_with_enough_people_for_them() -> None:
    world = staffed(_with_recovery(cast_world()), "s1", rule("transfer.offer"))
    offer_waits(world)
    draft = recover(world, "anew")
    assert refusal(world, draft).code == "too-few-people"
    draft.body["keys"] = _anew(world, "ma anew", "chen anew", hands=STAFF)
    assert not isinstance(attempt(world, draft), RegistryError)
    world.engine.submit([])
    assert waiting(world) == []
    assert [row.end for row in world.store.select(WAITED)] == ["cancelled"]
    verify_everything(world)


def test_a_recovery_key_is_ended_by_itself_alone() -> None:
    world = _with_recovery(cast_world())
    kid = key_of("s1 recovery").public.kid
    by_sign = Draft(by="s1", kind="key.revoke", body={"kid": kid})
    assert isinstance(refusal(world, by_sign), KeyUseError)
    other = Draft(by="s1", kind="key.revoke", body={"kid": world.keys["s1"].public.kid},
                  key=key_of("s1 recovery"))  # fmt: skip
    assert isinstance(refusal(world, other), KeyUseError)
    own = Draft(by="s1", kind="key.revoke", body={"kid": kid}, key=key_of("s1 recovery"))
    assert not isinstance(attempt(world, own), RegistryError)
    # Then the party can have another one.
    world.do("s1", "key.add", key_body(world, "s1", "s1 recovery 2", use="recovery"))
    verify_everything(world)


def test_attack_a_thief_cannot_put_its_own_recovery_key_beside_the_partys() -> None:
    world = _with_recovery(cast_world())
    draft = Draft(by="s1", kind="key.add", body=key_body(world, "s1", "thief", use="recovery"))
    assert refusal(world, draft).code == "recovery-key-exists"


def test_suspect_from_flags_and_rewrites_nothing() -> None:
    world = cast_world()
    voucher = world.issue()
    before = (world.entries(), lots_of(world))
    world.do("s1", "key.add", key_body(world, "s1", "s1 next"))
    body: dict[str, Json] = {"kid": world.keys["s1"].public.kid, "suspect_from": 5}
    done(say(world, "s1", "key.revoke", body, key=key_of("s1 next")))
    assert (world.entries()[: len(before[0])], lots_of(world)) == before
    assert f"{voucher}.0" in lots_of(world)
    row = next(k for k in world.store.select(KEYS) if k.kid == body["kid"])
    assert row.suspect_from == 5
    verify_everything(world)


def test_a_hand_of_nobody_cannot_make_what_must_be_approved() -> None:
    world = staffed(cast_world(), "s1", rule("mandate.grant"))
    draft = Draft(by="s1", kind="mandate.grant", body={"account": world.accounts["s1"]})
    assert isinstance(refusal(world, draft), PersonMissingError)
    draft.key = hand_key("s1", "ma")
    assert not isinstance(attempt(world, draft), RegistryError)
    assert len(waiting(world)) == 1


def test_pf_01_a_maker_ends_no_more_checkers_than_the_rules_can_spare() -> None:
    world = staffed(cast_world(), "s1", rule("mandate.grant", final=True), rule("transfer.offer"))

    def end(person: str, *, by: str) -> object:
        body: dict[str, Json] = {"kid": hand_key("s1", person).public.kid}
        return say(world, "s1", "key.revoke", body, key=hand_key("s1", by))

    # Of chen, zhou and wu any one is enough to approve; the one who is final must stay.
    assert isinstance(end("zhou", by="ma"), TooFewPeopleError)
    assert not isinstance(end("chen", by="ma"), RegistryError)
    assert not isinstance(end("wu", by="ma"), RegistryError)
    assert isinstance(end("zhou", by="ma"), TooFewPeopleError)
    # Who looks over others ends a maker's key at any time: it may have been stolen.
    assert not isinstance(end("ma", by="zhou"), RegistryError)
    verify_everything(world)


def test_fr_12_everybody_ends_the_own_keys_whatever_the_rules_need() -> None:
    world = cast_world()
    engage(world, "s1", "ma", tag=" two", duty="maker")
    staffed(world, "s1", rule("transfer.offer", 3))
    # A maker's own, and a key that is nobody's hand: neither could have approved anything.
    for kid, key in (
        (hand_key("s1", "ma", tag=" two").public.kid, hand_key("s1", "ma")),
        (key_of("s1").public.kid, hand_key("s1", "ma")),
        (hand_key("s1", "chen").public.kid, hand_key("s1", "chen")),
    ):
        done(say(world, "s1", "key.revoke", {"kid": kid}, key=key))
    verify_everything(world)
