"""People of a party in tests: keys with hands, rules, and statements that wait."""

from registry.canonical import Json
from registry.engine import Outcome, Sealed
from registry.errors import RegistryError
from registry.ids import Sid
from registry.people import KEYS, PENDING
from registry.signing import PrivateKey
from tests.builders import ORIGIN, World, key_of, possession_proof

STAFF: dict[str, dict[str, Json]] = {
    "ma": {"person": "ma", "duty": "maker"},
    "chen": {"person": "chen", "duty": "checker"},
    "zhou": {"person": "zhou", "duty": "final"},
    "wu": {"person": "wu"},
}
"""制单, 复核, 终审, and somebody who does everything."""


def key_body(
    world: World, by: str, name: str, *, use: str = "sign", hand: dict[str, Json] | None = None
) -> dict[str, Json]:
    """Returns the addition of a key that a name stands for."""
    new = key_of(name)
    proof = possession_proof(new, origin=ORIGIN, party=world.ids[by])
    body: dict[str, Json] = {"key": dict(new.public.jwk()), "use": use, "proof": proof}
    return body if hand is None else {**body, "hand": hand}


def hand_key(by: str, person: str, *, tag: str = "") -> PrivateKey:
    """Returns the key of a party's person."""
    return key_of(f"{by} {person}{tag}")


def engage(world: World, by: str, person: str, *, tag: str = "", **hand: Json) -> PrivateKey:
    """Gives a party's person a key, signed for by the party's first key."""
    members: dict[str, Json] = {"person": person, **hand}
    body = key_body(world, by, f"{by} {person}{tag}", hand=members)
    done(say(world, by, "key.add", body))
    return hand_key(by, person, tag=tag)


def rule(kind: str, approvals: int = 1, *, final: bool = False, minimum: int = 0) -> Json:
    """Returns one of a party's rules."""
    body: dict[str, Json] = {"kind": kind, "approvals": approvals, "final": final}
    return body if not minimum else {**body, "minimum": str(minimum)}


def rules_body(*rules: Json, hours: int = 24) -> dict[str, Json]:
    """Returns a party's rules."""
    return {"hours": hours, "rules": [*rules]}


def staffed(world: World, by: str, *rules: Json, hours: int = 24) -> World:
    """Gives a party its people and its rules."""
    for person, hand in STAFF.items():
        done(say(world, by, "key.add", key_body(world, by, f"{by} {person}", hand=hand)))
    done(say(world, by, "party.policy", rules_body(*rules, hours=hours)))
    return world


def say(
    world: World,
    by: str,
    kind: str,
    body: dict[str, Json] | None = None,
    *,
    re: str | None = None,
    person: str = "",
    key: PrivateKey | None = None,
) -> Outcome:
    """Signs as a party's person, or with a given key, and submits."""
    hand = hand_key(by.partition("#")[0], person) if person else key
    (outcome,) = world.submit(world.sign(by, kind, body or {}, re=re, key=hand))
    return outcome


def done(outcome: Outcome) -> Sealed:
    """Returns what was accepted."""
    if isinstance(outcome, RegistryError):
        raise outcome
    return outcome


def approve(world: World, by: str, statement: str, *, person: str) -> Outcome:
    """Approves a statement of a party as one of its people."""
    return say(world, by, "approve", re=statement, person=person)


def waiting(world: World) -> list[Sid]:
    """Returns the statements that wait."""
    return [row.statement for row in world.store.select(PENDING)]


def live_kids(world: World, by: str) -> set[str]:
    """Returns the thumbprints of a party's live keys."""
    keys = world.store.select(KEYS, field="party", value=world.ids[by])
    return {key.kid for key in keys if key.revoked is None}


def mandate_waits(world: World, *, person: str = "ma") -> Sid:
    """Has s1's person grant a mandate; s1's rules make it wait."""
    body: dict[str, Json] = {"account": world.accounts["s1"]}
    return done(say(world, "s1", "mandate.grant", body, person=person)).sid


def offer_waits(world: World, *, amount: int = 60_000_000, person: str = "ma") -> Sid:
    """Has s1's person offer a part of a new lot to s2; s1's rules make it wait."""
    lot = f"{world.issue()}.0"
    made = say(world, "s1", "transfer.offer", world.offer_body(lot, amount, "s2"), person=person)
    return done(made).sid
