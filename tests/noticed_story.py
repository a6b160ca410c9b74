"""Vouchers of which some are told at once, some late, some in vain, and one by an attorney."""

from datetime import date

from registry.assignment import assigned_id
from registry.canonical import Json
from registry.ids import notice_id
from tests.builders import World, instant
from tests.draft import Draft
from tests.encumbered import accessory_body
from tests.noticed import (
    give,
    power,
    receive,
    refuse,
    revoked,
    transfer_withheld,
)
from tests.policies import policy_body

NOTICES: dict[str, Json] = {"calendar": "CN-LEGAL", "working_days": [1, 3]}

DAY: dict[str, Json] = {
    "approve": True, "calendar": "CN-LEGAL", "chain_minutes": 60, "cut_off": "16:30",
    "day_end": "17:00", "funding": "09:30", "hop_minutes": 20, "reminders": [7, 3, 1],
    "rounds": ["10:00", "15:00"],
}  # fmt: skip


def tell_notices(world: World) -> None:
    """Tells it, from the 5th of August on."""
    rules = policy_body()["rules"]
    assert isinstance(rules, dict)
    more: dict[str, Json] = {"notices": NOTICES, "top_up": {"due_after": 2, "unpaid_after": 1},
                             "relayed_evidence": True, "clearing_day": DAY,
                             "hop_limit": "40000000"}  # fmt: skip
    body = policy_body(version=3, effective_on="2025-08-05", rules={**rules, **more})
    world.do("operator", "policy.publish", body)
    world.advance(instant(date(2025, 8, 5)))
    voucher = world.issue(voucher_no="TOLD", accept_by="2025-08-20")
    world.do("s3", "accessory.attach", accessory_body(cap="30000000"), re=voucher)
    # Told at once; received, and taken back from the debtor; refused by the guarantor.
    first = world.offer(f"{voucher}.0", 10_000_000, by="s1", to="s2")
    notices = [notice_id(assigned_id(first), rank) for rank in (0, 1)]
    for draft in (receive(world, notices[0]), refuse(notices[1], by="s3", ground="barred")):
        _say(world, draft)
    revoked(world, notices[0])
    # Withheld; given by the factor to the debtor, by the assignor to the guarantor.
    second = transfer_withheld(world, f"{first}.1")
    _say(world, give(world, second, "core"))
    _say(world, give(world, second, "s3", by="s1", sender="assignor"))
    # Sold on without notice, which the plan's attorney gives when it may.
    world.admit("trustee#T2", "vehicle")
    world.bank_account("trustee#T2", kind="trust")
    third = transfer_withheld(world, f"{second}.2", by="factor", to="trustee#T2")
    granted = power(world, is_triggered=True, assignee=world.ids["trustee#T2"])
    _say(world, give(world, third, "core", by="trustee", sender="attorney", power=granted))
    world.advance(instant(date(2025, 8, 9)))
    world.engine.submit([])


def _say(world: World, draft: Draft) -> None:
    """Signs and commits a draft, which must be accepted."""
    (outcome,) = world.submit(draft.sign(world))
    assert not isinstance(outcome, Exception), outcome
