"""One acceptable statement of every kind about people and parties, and their accounts."""

from collections.abc import Callable

from registry.canonical import Json
from registry.ids import Sid
from tests.builders import DIGEST, World, key_of
from tests.draft import Draft
from tests.people import STAFF, hand_key, key_body, mandate_waits, rule, rules_body, staffed

FILE: dict[str, Json] = {"digest": DIGEST, "name": "evidence.pdf"}


def _sealed(world: World, draft: Draft) -> Sid:
    """Seals a draft; returns its id."""
    return world.do(draft.by, draft.kind, draft.body).sid


def _key_recover(world: World) -> Draft:
    body = key_body(world, "s1", "s1 recovery", use="recovery")
    world.do("s1", "key.add", body)
    new = key_body(world, "s1", "s1 anew")
    del new["use"]
    return Draft(by="s1", kind="key.recover", body={"keys": [new]}, key=key_of("s1 recovery"))


def _party_policy(world: World) -> Draft:
    for person, hand in STAFF.items():
        world.do("s1", "key.add", key_body(world, "s1", f"s1 {person}", hand=hand))
    return Draft(by="s1", kind="party.policy", body=rules_body(rule("transfer.offer")))


def _approve(world: World) -> Draft:
    statement = mandate_waits(staffed(world, "s1", rule("mandate.grant")))
    return Draft(by="s1", kind="approve", re=statement, key=hand_key("s1", "chen"))


def _disapprove(world: World) -> Draft:
    statement = mandate_waits(staffed(world, "s1", rule("mandate.grant")))
    return Draft(by="s1", kind="disapprove", re=statement, key=hand_key("s1", "chen"))


def _party_review(world: World) -> Draft:
    body: dict[str, Json] = {"party": world.ids["s1"], "binding": "video", "evidence": [FILE]}
    return Draft(by="registrar", kind="party.review", body=body)


def _party_suspend(world: World) -> Draft:
    body: dict[str, Json] = {"party": world.ids["s3"], "reason": "overdue", "evidence": FILE}
    return Draft(by="registrar", kind="party.suspend", body=body)


def _party_reinstate(world: World) -> Draft:
    made = _sealed(world, _party_suspend(world))
    return Draft(by="registrar", kind="party.reinstate", body={"evidence": FILE}, re=made)


def _affiliation_declare(world: World) -> Draft:
    first, second = sorted((world.ids["s1"], world.ids["s2"]))
    body: dict[str, Json] = {"first": first, "second": second, "basis": "control"}
    return Draft(by="registrar", kind="affiliation.declare", body={**body, "evidence": FILE})


def _affiliation_end(world: World) -> Draft:
    made = _sealed(world, _affiliation_declare(world))
    return Draft(by="registrar", kind="affiliation.end", body={"evidence": FILE}, re=made)


def _payee_change(world: World) -> Draft:
    account = world.bank_account("s1")
    body: dict[str, Json] = {"lot": f"{world.issue()}.0", "account": account}
    return Draft(by="s1", kind="payee.change", body=body)


STAFFED: dict[str, Callable[[World], Draft]] = {
    "key.recover": _key_recover,
    "party.policy": _party_policy,
    "approve": _approve,
    "disapprove": _disapprove,
    "party.review": _party_review,
    "party.suspend": _party_suspend,
    "party.reinstate": _party_reinstate,
    "affiliation.declare": _affiliation_declare,
    "affiliation.end": _affiliation_end,
    "payee.change": _payee_change,
}
