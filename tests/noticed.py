"""One acceptable statement of every kind about notices, and what each stands on."""

from collections.abc import Callable, Mapping

from registry.assignment import assigned_id
from registry.canonical import Json
from registry.ids import NoticeId, Sid, notice_id
from registry.model import OFFERS
from registry.people import KEYS
from registry.signing import PrivateKey
from tests.builders import ORIGIN, World, key_of, possession_proof
from tests.draft import Draft
from tests.encumbered import FILE

INBOX: dict[str, Json] = {"system": ORIGIN, "entry_is_arrival": True}


def notice_to_core(world: World) -> NoticeId:
    """Transfers a lot from s1 to s2; returns the debtor's notice."""
    transfer = world.offer(f"{world.issue()}.0", 60_000_000, by="s1", to="s2")
    if transfer in {row.offer for row in world.store.select(OFFERS)}:
        world.accept(transfer, by="s2")
    return notice_id(assigned_id(transfer), 0)


def receipt_key(world: World, name: str = "core") -> PrivateKey:
    """Gives a party's system its key of use `receipt`; a vehicle's is its trustee's."""
    name = name.partition("#")[0]
    key = key_of(f"{name}, system")
    if key.public.kid in {row.kid for row in world.store.select(KEYS)}:
        return key
    proof = possession_proof(key, origin=ORIGIN, party=world.ids[name])
    world.do(name, "key.add", {"key": dict(key.public.jwk()), "use": "receipt", "proof": proof})
    return key


def receive(world: World, *notices: str, by: str = "core") -> Draft:
    """Returns a system's receipt of notices."""
    body: dict[str, Json] = {"notices": [*sorted(notices)]}
    return Draft(by=by, kind="notice.received", body=body, key=receipt_key(world, by))


def refuse(notice: str, *, by: str = "core", ground: str = "amount") -> Draft:
    """Returns a refusal of a notice."""
    body: dict[str, Json] = {"notice": notice, "ground": ground, "document": FILE}
    return Draft(by=by, kind="notice.refuse", body=body)


def acknowledge(*notices: str, by: str = "core") -> Draft:
    """Returns an acknowledgement."""
    return Draft(by=by, kind="notice.acknowledge", body={"notices": [*sorted(notices)]})


def _inbox_designate(world: World) -> Draft:
    world.admit("new", "participant", number=901)
    return Draft(by="new", kind="inbox.designate", body={**INBOX})


def withheld(world: World, *, by: str = "s1", to: str = "factor") -> Sid:
    """Transfers a lot of s1's, to finance, of which nobody is told; returns the transfer."""
    lot = f"{world.issue()}.0"
    return transfer_withheld(world, lot, by=by, to=to)


def transfer_withheld(world: World, lot: str, *, by: str = "s1", to: str = "factor") -> Sid:
    """Transfers 60,000,000 of a lot without notice."""
    purpose = "securitise" if "#" in to else "finance"
    body = world.offer_body(lot, 60_000_000, to, purpose=purpose, notice="withheld")
    offer = world.do(by, "transfer.offer", body).sid
    world.accept(offer, by=to)
    return offer


def give(
    world: World,
    transfer: str,
    *recipients: str,
    by: str = "factor",
    sender: str = "factor",
    **members: Json,
) -> Draft:
    """Returns a notice of a transfer whose notice was withheld."""
    body: dict[str, Json] = {
        "sender": sender,
        "recipients": [*sorted(world.ids[name] for name in recipients)],
        "evidence": [] if sender in ("assignor", "attorney") else [FILE],
        **members,
    }
    return Draft(by=by, kind="notice.give", body=body, re=transfer)


def revoke(notice: str, *, by: str = "s1") -> Draft:
    """Returns a proposal to take a notice back."""
    return Draft(by=by, kind="notice.revoke", body={"notice": notice, "ground": FILE})


def _agree_revoke(world: World) -> Draft:
    proposal = revoke(notice_to_core(world))
    made = world.do(proposal.by, proposal.kind, proposal.body)
    return Draft(by="s2", kind="notice.agree-revoke", re=made.sid)


def revoked(world: World, notice: str) -> None:
    """Takes a notice back that s1 has given of a transfer to s2."""
    made = world.do("s1", "notice.revoke", {"notice": notice, "ground": FILE})
    world.do("s2", "notice.agree-revoke", {}, re=made.sid)


def power_body(world: World, **members: Json) -> dict[str, Json]:
    """Returns a power of the factor's for its sales into the plan."""
    body: dict[str, Json] = {
        "assignee": world.ids["trustee#T1"],
        "attorney": world.ids["trustee"],
        "declarer": world.ids["s3"],
        "event": "downgrade",
        "irrevocable": True,
        "document": FILE,
    }
    return {**body, **members}


def power(world: World, *, is_triggered: bool = False, **members: Json) -> Sid:
    """Grants the power; triggered by its declarer if wanted."""
    granted = world.do("factor", "power.grant", power_body(world, **members)).sid
    if is_triggered:
        world.do("s3", "power.trigger", {"evidence": [FILE]}, re=granted)
    return granted


def into_the_plan(world: World) -> Sid:
    """Sells a lot of the factor's into the plan without notice; returns the transfer."""
    first = world.transfer(
        f"{world.issue()}.0", 70_000_000, by="s1", to="factor", purpose="finance"
    )
    return transfer_withheld(world, f"{first}.2", by="factor", to="trustee#T1")


NOTICED: Mapping[str, Callable[[World], Draft]] = {
    "inbox.designate": _inbox_designate,
    "notice.received": lambda world: receive(world, notice_to_core(world)),
    "notice.acknowledge": lambda world: acknowledge(notice_to_core(world)),
    "notice.refuse": lambda world: refuse(notice_to_core(world)),
    "notice.give": lambda world: give(world, withheld(world), "core"),
    "notice.revoke": lambda world: revoke(notice_to_core(world)),
    "notice.agree-revoke": _agree_revoke,
    "power.grant": lambda world: Draft(by="factor", kind="power.grant", body=power_body(world)),
    "power.trigger": lambda world: Draft(
        by="s3", kind="power.trigger", body={"evidence": [FILE]}, re=power(world)
    ),
}
