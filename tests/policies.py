"""Bodies of policies and calendars, and a story of silence under them."""

from datetime import date

from registry.canonical import Json
from registry.packs import calendar_pack
from tests.builders import World, instant

FIVE: dict[str, Json] = {"calendar": "CN-LEGAL", "working_days": 5}
"""Silence of five working days (PF-01)."""


def policy_body(**changes: Json) -> dict[str, Json]:
    """Returns a second policy, from the 1st of August on."""
    rules: dict[str, Json] = {
        "blackout": {"calendar": "CN-TRADING", "working_days": 2},
        "pay_day": {"calendar": "CN-LEGAL"},
    }
    body: dict[str, Json] = {
        "name": "plain",
        "version": 2,
        "effective_on": "2025-08-01",
        "rules": rules,
    }
    return {**body, **changes}


def calendar_body(**changes: Json) -> dict[str, Json]:
    """Returns a second version of the calendar of working days, a year longer."""
    return {**calendar_pack("CN-LEGAL"), "last": "2027-12-31", **changes}


def tell_silence(world: World) -> None:
    """Publishes a policy and a calendar, and lets silence accept a voucher and an offer of it."""
    world.do("operator", "policy.publish", policy_body())
    world.do("operator", "calendar.publish", calendar_body())
    consents = {}
    for name, purpose in (("s1", "issue"), ("s3", "settle")):
        body: dict[str, Json] = {"account": world.accounts[name], "collection_route": False,
                                 "purpose": purpose, "silence": dict(FIVE)}  # fmt: skip
        consents[purpose] = world.do(name, "consent.grant", body).sid
    voucher = world.do("core", "voucher.issue", world.issue_body(due_on="2026-01-30")).sid
    world.advance(instant(date(2025, 7, 9)))
    body = world.offer_body(f"{voucher}.0", 30_000_000, "s3")
    first = world.do("s1", "transfer.offer", body).sid
    world.advance(instant(date(2025, 7, 17)))
    # The second offer outlives the consent, and waits for an answer that never comes.
    body = world.offer_body(f"{first}.1", 10_000_000, "s3")
    world.do("s1", "transfer.offer", body)
    world.do("s3", "consent.withdraw", {}, re=consents["settle"])
    world.advance(instant(date(2025, 8, 4)))
