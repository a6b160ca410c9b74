"""One acceptable statement of every kind about credit: limits, stops, supports, voiding."""

from collections.abc import Callable, Mapping

from registry.canonical import Json
from registry.model import LOTS
from tests.builders import World
from tests.draft import Draft
from tests.encumbered import FILE


def limit_body(world: World, name: str, amount: int) -> dict[str, Json]:
    """Returns a debtor's limit."""
    return {"party": world.ids[name], "amount": str(amount), "basis": FILE}


def all_of(world: World, voucher: str) -> dict[str, Json]:
    """Returns all lots of a voucher, as whoever holds them names them."""
    lots = world.store.select(LOTS, field="voucher", value=voucher)
    return {"lots": [*sorted(lot.lot for lot in lots)]}


def affiliate(world: World, one: str, other: str) -> None:
    """Declares that two parties belong together."""
    first, second = sorted((world.ids[one], world.ids[other]))
    pair: dict[str, Json] = {"first": first, "second": second, "basis": "control"}
    world.do("registrar", "affiliation.declare", {**pair, "evidence": FILE})


def _limit_allocate(world: World) -> Draft:
    affiliate(world, "core", "s3")
    world.do("registrar", "limit.set", limit_body(world, "core", 500_000_000))
    body: dict[str, Json] = {"member": world.ids["s3"], "amount": "200000000"}
    return Draft(by="core", kind="limit.allocate", body=body)


def _exposure_limit(world: World) -> Draft:
    body: dict[str, Json] = {"debtor": world.ids["core"], "amount": "90000000"}
    return Draft(by="factor", kind="exposure.limit", body=body)


def stop_body(world: World, name: str = "core", reason: str = "overdue-list") -> dict[str, Json]:
    """Returns why a debtor may issue nothing."""
    return {"party": world.ids[name], "reason": reason, "evidence": FILE}


def _issuance_resume(world: World) -> Draft:
    world.do("registrar", "issuance.stop", stop_body(world))
    return Draft(by="registrar", kind="issuance.resume", body=stop_body(world))


def _voucher_void(world: World) -> Draft:
    return Draft(by="core", kind="voucher.void", body={"ground": FILE}, re=world.issue())


def _voucher_agree_void(world: World) -> Draft:
    voucher = world.issue()
    voiding = world.do("core", "voucher.void", {"ground": FILE}, re=voucher).sid
    return Draft(by="s1", kind="voucher.agree-void", body=all_of(world, voucher), re=voiding)


CREDIT: Mapping[str, Callable[[World], Draft]] = {
    "limit.set": lambda world: Draft(
        by="registrar", kind="limit.set", body=limit_body(world, "core", 500_000_000)
    ),
    "limit.allocate": _limit_allocate,
    "exposure.limit": _exposure_limit,
    "issuance.stop": lambda world: Draft(
        by="registrar", kind="issuance.stop", body=stop_body(world)
    ),
    "issuance.resume": _issuance_resume,
    "voucher.void": _voucher_void,
    "voucher.agree-void": _voucher_agree_void,
}
