"""The people of the simulation of clearing, in a world of the whole rulebook."""

from functools import cache

from clearing.rulebook import RULEBOOK
from registry.canonical import Json
from registry.ports import Commit
from registry.store.memory import MemoryStore
from tests.builders import DIGEST, World

BANKS = ("bank", "bank 2")

Roles = tuple[tuple[str, str], ...]
"""Names of parties, each with its role."""


class _Recording(MemoryStore):
    """A store that remembers its commits, so that another can be given the same."""

    def __init__(self) -> None:
        super().__init__(RULEBOOK.tables)
        self.commits: list[Commit] = []

    def append(self, commit: Commit, *, expected_size: int, epoch: int) -> None:
        super().append(commit, expected_size=expected_size, epoch=epoch)
        self.commits.append(commit)


@cache
def _cast(roles: Roles) -> tuple[World, _Recording]:
    store = _Recording()
    world = World(store, RULEBOOK).open()
    for bank in BANKS:
        world.admit(bank, "bank")
    world.admit("trustee", "trustee")
    for name, role in roles:
        world.admit(name, role)
        kind = "trust" if role == "vehicle" else "settlement"
        for bank in BANKS:
            body: dict[str, Json] = {
                "bank": world.ids[bank],
                "account_kind": kind,
                "terms": DIGEST,
            }
            account = world.do(name, "account.register", body).sid
            world.do(bank, "account.verify", {}, re=account)
            world.accounts[f"{name} at {bank}"] = account
        if role != "vehicle":
            world.designate(name)
    world.accounts["core"] = world.accounts["core at bank"]
    granted = world.do("core", "mandate.grant", {"account": world.accounts["core"]})
    world.mandates["core"] = granted.sid
    return world, store


def cast_world(roles: Roles) -> World:
    """Returns a world in which everybody has an account at each bank, and core alone a mandate.

    Its statements are signed once; every world gets the same commits.
    """
    first, recorded = _cast(roles)
    store = MemoryStore(RULEBOOK.tables)
    epoch = store.acquire()
    for commit in recorded.commits:
        store.append(commit, expected_size=store.size(), epoch=epoch)
    world = World(store, RULEBOOK)
    for name in ("keys", "ids", "accounts", "mandates"):
        setattr(world, name, dict(getattr(first, name)))
    world._count = first._count
    return world
