"""Limits, a stop, and vouchers that end without a payment: each effect of it once, at least."""

from registry.canonical import Json
from tests.builders import World
from tests.credit import affiliate, limit_body, stop_body
from tests.encumbered import FILE


def tell_credit(world: World) -> None:
    """Tells it; the debtor and its member have limits from here on."""
    world.do("registrar", "limit.set", limit_body(world, "core", 2_000_000_000))
    affiliate(world, "core", "s3")
    for amount in ("1000000", "2000000"):
        part: dict[str, Json] = {"member": world.ids["s3"], "amount": amount}
        world.do("core", "limit.allocate", part)
    held: dict[str, Json] = {"debtor": world.ids["core"], "amount": "900000000"}
    world.do("factor", "exposure.limit", held)
    world.do("registrar", "issuance.stop", stop_body(world, "s3"))
    world.do("registrar", "issuance.resume", stop_body(world, "s3"))
    # One is taken back before anybody has answered, one voided by both when it was held.
    body = world.issue_body(voucher_no="TAKEN-BACK", face="1000")
    taken = world.do("core", "voucher.issue", body).sid
    joining: dict[str, Json] = {"scope": "full", "addressee": "holders", "resolution": FILE}
    joined = world.do("s3", "voucher.accede", joining, re=taken).sid
    world.do("s1", "voucher.refuse-accession", {"lots": []}, re=joined)
    world.do("s3", "voucher.accede", {**joining, "scope": "capped", "cap": "700"}, re=taken)
    world.do("core", "voucher.withdraw", {}, re=taken)
    held_by_s1 = world.issue(voucher_no="VOIDED", face="2000")
    voiding = world.do("core", "voucher.void", {"ground": FILE}, re=held_by_s1).sid
    world.do("s1", "voucher.agree-void", {"lots": [f"{held_by_s1}.0"]}, re=voiding)
