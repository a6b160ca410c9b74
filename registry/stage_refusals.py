"""The refusals of stages: accounts by way of which others are paid.

Leaves of the family of `registry.refusals`, in a module of their own for its length.
"""

from registry.errors import RefusalError


class StageRefusedError(RefusalError):
    """The mandate makes no stage of the account."""

    template = "mandate {mandate} makes no stage: {reason}"


class AlreadyStagedError(RefusalError):
    """An account is reached by way of one other at the most."""

    template = "account {account} is reached by way of {via} already, as {stage} says"


class SweepCycleError(RefusalError):
    """Collections are swept within a month, or by agreement within three."""

    template = "collections cannot stay for {days} days: {reason}"
