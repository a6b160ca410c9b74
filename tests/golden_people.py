"""The part of the golden story that is about people: every effect of theirs once, at least."""

from registry.canonical import Json
from registry.ids import Sid
from tests.builders import World, key_of
from tests.people import STAFF, approve, done, hand_key, key_body, rule, rules_body, say, waiting

FILE: dict[str, Json] = {"digest": "A" * 43, "name": "evidence.pdf"}


def tell_of_people(world: World, *, lot_of_s3: str, lot_of_s1: str) -> None:
    """Lets s3's people make, approve, lose and regain; s1 changes an account; the registrar acts.

    No claim changes hands. One statement is left to expire when the clock moves on.
    """
    for person in ("ma", "chen", "zhou"):
        hand = {**STAFF[person], "limit": "30000000"}
        world.do("s3", "key.add", key_body(world, "s3", f"s3 {person}", hand=hand))
    world.do("s3", "key.add", key_body(world, "s3", "s3 recovery", use="recovery"))
    rules = [rule("consent.grant"), rule("transfer.offer", 2, final=True, minimum=1_000_000)]
    world.do("s3", "party.policy", rules_body(*rules))

    offer = _offer(world, lot_of_s3)
    done(approve(world, "s3", offer, person="chen"))
    done(approve(world, "s3", offer, person="zhou"))
    world.do("s1", "transfer.reject", {}, re=offer)
    done(say(world, "s3", "disapprove", re=_offer(world, f"{offer}.0"), person="chen"))
    waits = _offer(world, f"{offer}.0")
    done(approve(world, "s3", waits, person="chen"))
    chen = hand_key("s3", "chen").public.kid
    done(say(world, "s3", "key.revoke", {"kid": chen, "suspect_from": 9}, person="zhou"))
    anew: list[Json] = []
    for person in ("ma", "chen", "zhou"):
        body = key_body(world, "s3", f"s3 {person} anew", hand=STAFF[person])
        anew.append({name: value for name, value in body.items() if name != "use"})
    recovery = key_of("s3 recovery")
    done(say(world, "s3", "key.recover", {"keys": anew}, key=recovery))
    world.keys["s3"] = key_of("s3 ma anew")
    world.do("s3", "party.policy", rules_body(rule("consent.grant")))
    (policy,) = waiting(world)
    done(say(world, "s3", "approve", re=policy, key=key_of("s3 chen anew")))
    done(say(world, "s3", "approve", re=policy, key=key_of("s3 zhou anew")))
    payee: dict[str, Json] = {"account": world.accounts["s3"], "collection_route": True}
    world.do("s3", "consent.grant", {**payee, "purpose": "settle"})

    account = world.accounts["s1"]
    world.do("s1", "payee.change", {"lot": lot_of_s1, "account": world.bank_account("s1")})
    world.accounts["s1"] = account
    _registrar(world)


def _offer(world: World, lot: str) -> Sid:
    """Has s3's maker offer its lot to s1, which waits."""
    body = world.offer_body(lot, 25_000_000, "s1")
    return done(say(world, "s3", "transfer.offer", body, person="ma")).sid


def _registrar(world: World) -> None:
    """Suspends and reinstates, declares and ends, reviews."""
    party: dict[str, Json] = {"party": world.ids["factor"]}
    suspended = world.do(
        "registrar", "party.suspend", {**party, "reason": "own-request", "evidence": FILE}
    )
    world.do("registrar", "party.reinstate", {"evidence": FILE}, re=suspended.sid)
    world.do("registrar", "party.review", {**party, "binding": "video", "evidence": [FILE]})
    first, second = sorted((world.ids["s1"], world.ids["s2"]))
    pair: dict[str, Json] = {"first": first, "second": second, "basis": "control"}
    declared = world.do("registrar", "affiliation.declare", {**pair, "evidence": FILE})
    world.do("registrar", "affiliation.end", {"evidence": FILE}, re=declared.sid)
    world.do("registrar", "affiliation.declare", {**pair, "evidence": FILE})
