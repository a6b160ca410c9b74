"""A voucher to which everything happens that can burden, dispute, register or secure one."""

from registry.ids import Sid
from tests.builders import World
from tests.encumbered import (
    FILE,
    RULING,
    TERMS,
    accessory_body,
    cancel_body,
    change_body,
    court_body,
    external,
    freeze,
    of_transfer,
    pledge,
    search_body,
    undertaking,
)


def tell_encumbrances(world: World) -> Sid:
    """Tells it; s1 holds the voucher at first, and two of its lots are frozen at the end."""
    voucher = world.issue(
        voucher_no="BURDENED", face="50000000", assignment_restriction="restricted"
    )
    world.do("s3", "accessory.attach", accessory_body(cap="30000000"), re=voucher)
    _dispute(world, voucher, end="dispute.resolve")
    _dispute(world, voucher, end="dispute.withdraw")
    # 10,000,000 are pledged and enforced, 5,000,000 released, 5,000,000 lapse.
    first = pledge(world, f"{voucher}.0", amount="10000000")
    world.do("factor", "pledge.register", external(world), re=first)
    world.do("factor", "pledge.enforce", {"evidence": [FILE]}, re=first)
    second = pledge(world, f"{first}.1", amount="5000000")
    world.do("factor", "pledge.register", external(world), re=second)
    world.do("factor", "pledge.release", {}, re=second)
    third = pledge(world, f"{second}.1", amount="5000000")
    # 10,000,000 are financed; registered as undertaken, renewed, cancelled.
    offer = world.offer(f"{third}.1", 10_000_000, by="s1", to="factor", purpose="finance")
    world.do("factor", "registration.search", search_body(world, f"{offer}.0", "s1"))
    world.accept(offer, by="factor")
    world.do("factor", "registration.undertake", undertaking(offer))
    filing = world.do("factor", "registration.record", of_transfer(world, offer)).sid
    world.do("factor", "registration.change", change_body(world), re=filing)
    world.do("factor", "registration.cancel", cancel_body(world), re=filing)
    # The rest is frozen twice, and once lifted; the released lot is frozen too.
    court = freeze(world, f"{offer}.1")
    other = freeze(world, f"{offer}.1")
    world.do("registrar", "lot.unfreeze", RULING, re=other)
    world.do("registrar", "lot.pay-to-court", court_body(world), re=court)
    objected = freeze(world, f"{second}.0")
    world.do("registrar", "lot.pay-to-court", court_body(world), re=objected)
    world.do("core", "lot.object", TERMS, re=objected)
    for kind in ("account.freeze", "account.unfreeze"):
        world.do("bank", kind, RULING, re=world.accounts["s2"])
    return voucher


def _dispute(world: World, voucher: Sid, *, end: str) -> None:
    """Raises a dispute, has it answered and ended."""
    made = world.do("core", "dispute.raise", {"amount": "9000000", **TERMS}, re=voucher).sid
    world.do("s1", "dispute.answer", TERMS, re=made)
    if end == "dispute.resolve":
        world.do("s1", end, {"owed": "4000000", **TERMS}, re=made)
    else:
        world.do("core", end, {}, re=made)
