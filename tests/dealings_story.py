"""A voucher that is paid early, taken back, and financed: each effect of it once, at least."""

from registry.canonical import Json
from registry.ids import Sid
from tests.builders import World
from tests.dealings import (
    PAID,
    SIGNED,
    agreed_early,
    apply,
    contracted,
    early,
    quote_body,
    quoted,
    receipt,
)
from tests.encumbered import FILE, external


def tell_dealings(world: World) -> Sid:
    """Tells it; s1 holds the voucher at first, then less and less of it."""
    voucher = world.issue(voucher_no="DEALT", face="50000000")
    # 10,000,000 are paid early; another offer lapses. 10,000,000 the debtor takes itself.
    first = agreed_early(world, f"{voucher}.0", amount="10000000")
    rest = world.do("s1", "early.receive", receipt(), re=first).sid
    early(world, f"{rest}.0", amount="1000000")
    taken = world.offer(f"{rest}.0", 10_000_000, by="s1", to="core")
    world.accept(taken, by="core")
    # 5,000,000 are financed in reverse, registered and paid for; one is declined.
    made = apply(world, f"{taken}.1", amount="5000000", mode="reverse")
    declined = apply(world, f"{taken}.1", amount="5000000")
    world.do("core", "financing.confirm", {"document": FILE}, re=made)
    world.do("factor", "financing.quote", quote_body(world), re=made)
    contract = world.do("s1", "financing.contract", SIGNED, re=made).sid
    world.do("factor", "financing.register", external(world), re=made)
    world.do("factor", "financing.pay", PAID, re=made)
    world.do("bank", "financing.receive", receipt(), re=made)
    world.do("factor", "financing.end", {}, re=declined)
    # 5,000,000 pass to the trust through its agent; 5,000,000 wait until time is over.
    world.admit("trustee#T3", "vehicle")
    consent: dict[str, Json] = {
        "account": world.bank_account("trustee#T3", kind="trust"),
        "assignors": [world.ids["s1"]],
        "collection_route": False,
        "purpose": "securitise",
    }
    world.do("trustee#T3", "consent.grant", consent)
    made = quoted(
        world,
        f"{contract}.1",
        amount="5000000",
        mode="agency",
        vehicle=world.ids["trustee#T3"],
    )
    sold = world.do("s1", "financing.contract", SIGNED, re=made).sid
    contracted(world, f"{sold}.1", amount="5000000")
    return voucher
