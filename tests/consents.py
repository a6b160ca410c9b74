"""Offers that a standing consent may cover, and a look at what became of them."""

from typing import Any

from registry.canonical import Json
from registry.entries import open_entry
from registry.errors import RegistryError
from registry.model import OFFERS
from registry.rules.transfers import LotOffered, LotTransferred
from tests.builders import DIGEST, World, key_of
from tests.scenario import Draft, attempt, lots_of


def changes_of(world: World, index: int) -> list[Any]:
    """Returns the changes of an entry."""
    changes: Any = open_entry(world.entries()[index]).effects["changes"]
    return list(changes)


def offer_to(world: World, name: str = "s2", amount: int = 60_000_000, **how: Any) -> Draft:
    """Returns an offer by s1 of a new voucher's lot."""
    body = world.offer_body(f"{world.issue()}.0", amount, name, **how)
    return Draft(by="s1", kind="transfer.offer", body=body)


def is_waiting(world: World, draft: Draft) -> bool:
    """Makes an offer; tells whether it waits, and checks that it is then as without consents."""
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError), made
    waits = made.sid in {row.offer for row in world.store.select(OFFERS)}
    assert [change["effect"] for change in changes_of(world, made.index)][:1] == [
        LotOffered.effect if waits else LotTransferred.effect
    ]
    assert (f"{made.sid}.0" in lots_of(world)) == waits
    assert (f"{made.sid}.2" in lots_of(world)) != waits
    return waits


def accession() -> dict[str, Json]:
    """Returns the body of an accession to the whole debt."""
    return {
        "scope": "full",
        "addressee": "holders",
        "resolution": {"digest": DIGEST, "name": "resolution.pdf"},
    }


def sign_by_further(world: World, name: str, kind: str, body: dict[str, Json]) -> str:
    """Seals a statement by the further key of `key_add`; returns its id."""
    made = attempt(world, Draft(by=name, kind=kind, body=body, key=key_of("further")))
    assert not isinstance(made, RegistryError)
    return made.sid
