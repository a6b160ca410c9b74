"""One acceptable statement of every kind about early payment and financing."""

from collections.abc import Callable, Mapping

from registry.canonical import Json
from tests.builders import DIGEST, World
from tests.draft import Draft
from tests.encumbered import FILE

# --- Early payment --------------------------------------------------------------------


def early_body(lot: str, **members: Json) -> dict[str, Json]:
    """Returns an offer to pay 60,000,000 of a lot early."""
    body: dict[str, Json] = {
        "lot": lot,
        "amount": "60000000",
        "terms": DIGEST,
        "pay_by": "2025-08-01",
    }
    return {**body, **members}


def early(world: World, lot: str = "", **members: Json) -> str:
    """Offers to pay early, by default a new lot of s1's; returns the offer."""
    lot = lot or f"{world.issue()}.0"
    return world.do("core", "early.offer", early_body(lot, **members)).sid


def receipt() -> dict[str, Json]:
    """Returns the holder's receipt."""
    return {"receipt": FILE}


def agreed_early(world: World, lot: str = "", **members: Json) -> str:
    """Agrees with s1 on an early payment; returns the offer."""
    made = early(world, lot, **members)
    world.do("s1", "early.consent", {}, re=made)
    return made


def _early_offer(world: World) -> Draft:
    return Draft(by="core", kind="early.offer", body=early_body(f"{world.issue()}.0"))


DEALINGS: Mapping[str, Callable[[World], Draft]] = {
    "early.offer": _early_offer,
    "early.consent": lambda world: Draft(by="s1", kind="early.consent", re=early(world)),
    "early.receive": lambda world: Draft(
        by="s1", kind="early.receive", body=receipt(), re=agreed_early(world)
    ),
}
