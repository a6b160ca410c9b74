"""Closed sets of words about terms and acceptance, which rows keep as texts."""

from enum import StrEnum


class ConsentPurpose(StrEnum):
    """What a standing consent covers: vouchers issued to its party, or offers for a purpose."""

    ISSUE = "issue"
    SETTLE = "settle"
    FINANCE = "finance"
    SECURITISE = "securitise"


class Flag(StrEnum):
    """What a policy remarks on a voucher at its issue; a remark never stops it."""

    OVER_SOFT_TERM = "over-soft-term"
    """Longer than the term that the policy allows in principle (RG-04)."""
    UNJUSTIFIED_TERM = "unjustified-term"
    """And without a justification so far: money is given for it only with one."""
    PAYTERM_60D = "payterm-60d"
    """A large debtor pays a smaller supplier later than it has to (RG-16)."""
    PAYTERM_UNDECLARED = "payterm-undeclared"
    """Delivery or sizes are not declared, so nobody can tell."""
    PROVISIONAL = "provisional"
    """Due beyond the published calendar: the pay date is not known yet."""


class Step(StrEnum):
    """A step of a financing after its contract, whose order is policy."""

    REGISTER = "register"
    """The financier registers the transfer elsewhere."""
    PAY = "pay"
    """The seller has the price."""
    TITLE = "title"
    """The claim passes."""


class AcceptanceMode(StrEnum):
    """How a transfer or a voucher becomes effective (PF-01)."""

    EXPLICIT = "explicit"
    """By the recipient's own statement."""
    AUTO = "auto"
    """At once, under the recipient's standing consent."""
    SILENCE = "silence"
    """By silence until a deadline, under the recipient's standing consent."""
