"""Scenarios: one acceptable statement of every kind, and full re-checks.

A `Draft` is a statement before it is signed; `GOOD` makes one of every kind that the
registry would accept. What it needs to stand on is done to the world as it is made.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from registry.canonical import Json
from registry.effects import Effect
from registry.engine import Outcome
from registry.errors import RegistryError
from registry.kinds import Rulebook
from registry.merkle import MemoryHashes, hash_leaf, root_at
from registry.model import LOTS, VOUCHERS, Lot
from registry.ports import Commit
from registry.replay import Replay
from registry.signing import seal_jws, split_jws
from registry.state import MemoryRows
from registry.statements import Now, Statement, admit, typ_of
from registry.store.memory import MemoryStore
from tests.builders import (
    DIGEST,
    ORIGIN,
    StoredKeys,
    World,
    admission,
    key_of,
    possession_proof,
    uscc,
)
from tests.credit import CREDIT
from tests.dealings import DEALINGS
from tests.declared import View
from tests.draft import Draft as Draft
from tests.encumbered import ENCUMBERED
from tests.noticed import NOTICED
from tests.policies import calendar_body, policy_body
from tests.staffed import STAFFED
from tests.staged import STAGED

RULEBOOK = Rulebook()


def new_world() -> World:
    """Returns a world without genesis."""
    return World(MemoryStore(RULEBOOK.tables), RULEBOOK)


class _Recording(MemoryStore):
    """A store that remembers its commits, so that another can be given the same."""

    def __init__(self) -> None:
        super().__init__(RULEBOOK.tables)
        self.commits: list[Commit] = []

    def append(self, commit: Commit, *, expected_size: int, epoch: int) -> None:
        super().append(commit, expected_size=expected_size, epoch=epoch)
        self.commits.append(commit)


@cache
def _cast() -> tuple[World, _Recording]:
    store = _Recording()
    return World(store, RULEBOOK).cast(), store


def cast_world() -> World:
    """Returns a world with the people of the story, each with an account.

    Their statements are signed once; every world gets the same commits.
    """
    first, recorded = _cast()
    store = MemoryStore(RULEBOOK.tables)
    epoch = store.acquire()
    for commit in recorded.commits:
        store.append(commit, expected_size=store.size(), epoch=epoch)
    world = World(store, RULEBOOK)
    for name in ("keys", "ids", "accounts", "mandates"):
        setattr(world, name, dict(getattr(first, name)))
    world._count = first._count
    return world


# --- Full re-checks -----------------------------------------------------------------


def replayed(world: World) -> Replay:
    """Judges the whole log again and returns the judge."""
    hashes = MemoryHashes()
    replay = Replay(
        world.rulebook, origin=ORIGIN, root_at=lambda size: root_at(hashes, size) if size else b""
    )
    for data in world.entries():
        replay.feed(data)
        hashes.append(hash_leaf(data))
    return replay


def verify_conservation(world: World) -> None:
    """Checks that every voucher adds up to its face once it is active, and to no more before."""
    live: dict[str, int] = {}
    for lot in world.store.select(LOTS):
        assert lot.amount > 0
        live[lot.voucher] = live.get(lot.voucher, 0) + lot.amount
    for voucher in world.store.select(VOUCHERS):
        held = live.pop(voucher.voucher, 0)
        if voucher.status == "issued":
            assert (held, voucher.discharged, voucher.cancelled) == (0, 0, 0)
        else:
            assert held + voucher.discharged + voucher.cancelled == voucher.face
    assert not live, "lots of no voucher"


def verify_everything(world: World) -> None:
    """Checks chain, effects, deadlines, commitments, conservation and the replay digest."""
    replay = replayed(world)
    assert replay.size == world.store.size() == world.engine.head.size
    assert replay.digest() == world.digest()
    verify_conservation(world)


def lots_of(world: World) -> dict[str, Lot]:
    """Returns the live lots by their ids."""
    return {row.lot: row for row in world.store.select(LOTS)}


# --- Drafts -------------------------------------------------------------------------


def sign_edited(world: World, draft: Draft, old: bytes, new: bytes) -> str:
    """Signs a draft whose payload was edited, for bytes that nobody can write with our own code."""
    payload = split_jws(draft.sign(world), what="draft").payload
    assert payload.count(old) == 1
    key = draft.key or world.keys[draft.by.partition("#")[0]]
    return seal_jws(key, typ=typ_of(draft.kind), payload=payload.replace(old, new))


def attempt(world: World, draft: Draft) -> Outcome:
    """Signs and submits a draft; a refusal at admission counts like one in a decision."""
    try:
        (outcome,) = world.submit(draft.sign(world))
    except RegistryError as error:
        return error
    return outcome


def decide(world: World, draft: Draft, rows: MemoryRows | None = None) -> tuple[Effect, ...]:
    """Decides a draft over a state of one's own making, at an instant of one's own choosing.

    Raises:
        RegistryError: The refusal.
    """
    now_ms = draft.time or world.time
    before, world.time = world.time, now_ms
    try:
        text = draft.sign(world)
    finally:
        world.time = before
    keys = StoredKeys(world.store)
    statement: Statement[Any] = admit(text, kinds=world.rulebook.kinds, origin=ORIGIN, keys=keys)
    state = replayed(world).rows if rows is None else rows
    now = Now(index=world.store.size(), time=now_ms, ledger=world.engine.ledger)
    view = View(state, world.rulebook.reads(statement, now))
    return world.rulebook.decide(view, statement, now, root_at=lambda _: b"")


def refusal(world: World, draft: Draft) -> RegistryError:
    """Returns why a draft is refused, and checks that the refusal left nothing behind."""
    before = (world.digest(), world.store.size(), world.engine.head)
    if draft.time:
        outcome: Outcome | None = None
        try:
            decide(world, draft)
        except RegistryError as error:
            outcome = error
    else:
        outcome = attempt(world, draft)
    assert (world.digest(), world.store.size(), world.engine.head) == before
    assert isinstance(outcome, RegistryError), f"{draft.kind} was accepted"
    return outcome


# --- One acceptable statement of every kind -------------------------------------------


def _genesis(world: World) -> Draft:
    return Draft(by="operator", kind="genesis", body=world.genesis_body())


def _party_register(world: World) -> Draft:
    world.keys["new"], world.ids["new"] = key_of("new"), uscc(900)
    key: dict[str, Json] = dict(key_of("new").public.jwk())
    return Draft(by="new", kind="party.register", body={"name": "new", "key": key})


def _vehicle_register(world: World) -> Draft:
    vehicle = f"{world.ids['trustee']}#T2"
    return Draft(by="trustee", kind="vehicle.register", body={"vehicle": vehicle, "name": "T2"})


def _party_admit(world: World) -> Draft:
    made = attempt(world, _party_register(world))
    assert not isinstance(made, RegistryError)
    return Draft(by="registrar", kind="party.admit", body=admission("participant"), re=made.sid)


def key_add(world: World, *, by: str, name: str = "further", use: str = "sign") -> Draft:
    """Returns the addition of a key that a name stands for."""
    new = key_of(name)
    body: dict[str, Json] = {
        "key": dict(new.public.jwk()),
        "use": use,
        "proof": possession_proof(new, origin=ORIGIN, party=world.ids[by]),
    }
    return Draft(by=by, kind="key.add", body=body)


def _key_revoke(world: World) -> Draft:
    attempt(world, key_add(world, by="s1"))
    return Draft(by="s1", kind="key.revoke", body={"kid": key_of("further").public.kid})


def _account_register(world: World) -> Draft:
    body: dict[str, Json] = {
        "bank": world.ids["bank"],
        "account_kind": "settlement",
        "terms": DIGEST,
    }
    return Draft(by="s1", kind="account.register", body=body)


def _account_verify(world: World) -> Draft:
    made = attempt(world, _account_register(world))
    assert not isinstance(made, RegistryError)
    return Draft(by="bank", kind="account.verify", re=made.sid)


def _mandate_grant(world: World) -> Draft:
    return Draft(by="s1", kind="mandate.grant", body={"account": world.accounts["s1"]})


def consent_body(world: World, by: str, **members: Json) -> dict[str, Json]:
    """Returns a consent to be paid with what is settled, on the party's own account."""
    return {"purpose": "settle", **_payee(world, by), **members}


def grant(world: World, *, by: str = "s2", **members: Json) -> str:
    """Grants a standing consent; returns its id."""
    return world.do(by, "consent.grant", consent_body(world, by, **members)).sid


def _consent_grant(world: World) -> Draft:
    return Draft(by="s2", kind="consent.grant", body=consent_body(world, "s2"))


def _consent_withdraw(world: World) -> Draft:
    return Draft(by="s2", kind="consent.withdraw", re=grant(world))


def _voucher_issue(world: World) -> Draft:
    return Draft(by="core", kind="voucher.issue", body=world.issue_body())


def pending_voucher(world: World, **changes: Json) -> str:
    """Issues a voucher that waits for its acceptance."""
    return world.do("core", "voucher.issue", world.issue_body(**changes)).sid


def _voucher_accede(world: World) -> Draft:
    body: dict[str, Json] = {
        "scope": "full",
        "addressee": "holders",
        "resolution": {"digest": DIGEST, "name": "resolution.pdf"},
    }
    return Draft(by="s3", kind="voucher.accede", body=body, re=pending_voucher(world))


def _voucher_refuse_accession(world: World) -> Draft:
    joining = _voucher_accede(world)
    made = world.do("s3", joining.kind, joining.body, re=joining.re)
    return Draft(by="s1", kind="voucher.refuse-accession", body={"lots": []}, re=made.sid)


def _payee(world: World, name: str) -> dict[str, Json]:
    return {"account": world.accounts[name], "collection_route": True}


def _voucher_accept(world: World) -> Draft:
    return Draft(
        by="s1", kind="voucher.accept", body=_payee(world, "s1"), re=pending_voucher(world)
    )


def _voucher_refuse(world: World) -> Draft:
    return Draft(by="s1", kind="voucher.refuse", re=pending_voucher(world))


def _voucher_withdraw(world: World) -> Draft:
    return Draft(by="core", kind="voucher.withdraw", re=pending_voucher(world))


def _transfer_offer(world: World) -> Draft:
    lot = f"{world.issue()}.0"
    return Draft(by="s1", kind="transfer.offer", body=world.offer_body(lot, 60_000_000, "s2"))


def open_offer(world: World) -> str:
    """Makes an offer from s1 to s2 that waits for its acceptance."""
    return world.offer(f"{world.issue()}.0", 60_000_000, by="s1", to="s2")


def _transfer_accept(world: World) -> Draft:
    return Draft(by="s2", kind="transfer.accept", body=_payee(world, "s2"), re=open_offer(world))


def _transfer_reject(world: World) -> Draft:
    return Draft(by="s2", kind="transfer.reject", re=open_offer(world))


def _transfer_withdraw(world: World) -> Draft:
    return Draft(by="s1", kind="transfer.withdraw", re=open_offer(world))


def _snapshot_request(_world: World) -> Draft:
    return Draft(by="trustee#T1", kind="snapshot.request")


GOOD: dict[str, Callable[[World], Draft]] = {
    "genesis": _genesis,
    "policy.publish": lambda _: Draft(by="operator", kind="policy.publish", body=policy_body()),
    "calendar.publish": lambda _: Draft(
        by="operator", kind="calendar.publish", body=calendar_body()
    ),
    "clock.set": lambda world: Draft(
        by="operator", kind="clock.set", body={"time": world.time + 1}
    ),
    "party.register": _party_register,
    "vehicle.register": _vehicle_register,
    "party.admit": _party_admit,
    "key.add": lambda world: key_add(world, by="s1"),
    "key.revoke": _key_revoke,
    "account.register": _account_register,
    "account.verify": _account_verify,
    "mandate.grant": _mandate_grant,
    "consent.grant": _consent_grant,
    "consent.withdraw": _consent_withdraw,
    "voucher.issue": _voucher_issue,
    "voucher.accede": _voucher_accede,
    "voucher.refuse-accession": _voucher_refuse_accession,
    "voucher.accept": _voucher_accept,
    "voucher.refuse": _voucher_refuse,
    "voucher.withdraw": _voucher_withdraw,
    "transfer.offer": _transfer_offer,
    "transfer.accept": _transfer_accept,
    "transfer.reject": _transfer_reject,
    "transfer.withdraw": _transfer_withdraw,
    "snapshot.request": _snapshot_request,
    **CREDIT,
    **DEALINGS,
    **ENCUMBERED,
    **NOTICED,
    **STAFFED,
    **STAGED,
}


def good(kind: str) -> tuple[World, Draft]:
    """Returns a new world and a statement of a kind that it accepts."""
    world = new_world() if kind == "genesis" else cast_world()
    return world, GOOD[kind](world)
