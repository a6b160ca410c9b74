"""Whether a debtor could set a claim of its own off against an assignee.

Source: Civil Code, art. 549; RG-22. Promises of a voucher waive set-off, so for vouchers
the answer is always `waived`; the rest is for claims that came from elsewhere.
"""

from enum import StrEnum


class SetOffRisk(StrEnum):
    """What an assignee has to expect."""

    NONE = "none"
    STATUTORY = "statutory"
    WAIVED = "waived"


def setoff_risk(
    *,
    is_waived: bool,
    is_same_contract: bool,
    noticed_at: int | None,
    accrued_at: int,
    due_on: str,
    counterclaim_due_on: str,
) -> SetOffRisk:
    """Tells whether a debtor's counterclaim against the assignor could be set off.

    Args:
        is_waived: The debtor has waived set-off.
        is_same_contract: The counterclaim arises from the contract of the assigned claim.
        noticed_at: Milliseconds at which the notice of assignment reached the debtor; None
            if it has not yet.
        accrued_at: Milliseconds at which the counterclaim came into being.
        due_on: When the assigned claim is due, YYYY-MM-DD.
        counterclaim_due_on: When the counterclaim is due, YYYY-MM-DD.
    """
    if is_waived:
        return SetOffRisk.WAIVED
    if is_same_contract:
        return SetOffRisk.STATUTORY
    is_earlier = noticed_at is None or accrued_at < noticed_at
    if is_earlier and counterclaim_due_on <= due_on:
        return SetOffRisk.STATUTORY
    return SetOffRisk.NONE
