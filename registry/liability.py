"""Who may be asked to pay a voucher, when, and for how much: debtors, promisors, assignors.

An acceding co-debtor owes with the debtor, in any order, from the start. A guarantor and
a shortfall promisor owe only when what their promise names has come about. The kind is what
was declared, never what the words of a letter suggest. Whoever assigned with recourse
answers for the debtor: the factor asks either, and keeps no more than it is owed.

Source: SD-61, SD-71; Civil Code 552, 687, 688, 766, 767; reference notes 6 and 17.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from registry.errors import InvariantBrokenError
from registry.ids import PartyId


class Trigger(StrEnum):
    """What must have come about before a promisor may be asked."""

    DUE = "due"
    """The due date: a joint guarantor (连带责任保证)."""
    UNPAID_AT = "unpaid-at"
    """It is unpaid at the promise's own instant, such as the working day before, 15:00."""
    AFTER_DEMAND_AND_FAILURE = "after-demand-and-failure"
    """The debtor was asked after the due date and has not paid."""
    CALCULATION_DATE = "calculation-date"
    """A deal's distributable cash falls short on its calculation date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A promise to stand in, and when.

    Attributes:
        promisor: Who made it.
        trigger: What must have come about.
        instant: Of `unpaid-at`, in milliseconds.
    """

    promisor: PartyId
    trigger: Trigger
    instant: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What has come about of a voucher that is not paid.

    Attributes:
        time: Now, in milliseconds.
        due: The due date's start, in milliseconds.
        demand_failed: The debtor was asked after the due date and has not paid.
        calculation_short: The deal's calculation date has come, and the cash falls short.
    """

    time: int
    due: int
    demand_failed: bool = False
    calculation_short: bool = False


def claimable_parties(
    *,
    debtor: PartyId,
    co_debtors: Iterable[PartyId],
    promises: Iterable[Promise],
    progress: Progress,
    assignor: PartyId | None = None,
    untold: Collection[str] = (),
) -> tuple[PartyId, ...]:
    """Returns who may be asked to pay now, each once: debtors first, then promisors.

    Before the due date nobody may, except a promisor whose own instant has come. Who should
    have been told of the assignment that the asking holder rests on, and was not, may not be
    asked by it: towards it the assignment has no effect.

    Args:
        debtor: Who owes the voucher.
        co_debtors: Who has joined the debt.
        promises: Who stands in for them, and when.
        progress: What has come about.
        assignor: Who assigned with recourse to whoever asks: asked like the debtor, in any
            order; what it was told of is its own assignment.
        untold: Who was not told of the holder's assignment.

    Source: SD-61; Civil Code, arts. 546 and 696; RG-24.
    """
    is_due = progress.time >= progress.due
    asked = [debtor, *co_debtors] if is_due else []
    for promise in promises:
        match promise.trigger:
            case Trigger.DUE:
                has_come = is_due
            case Trigger.UNPAID_AT:
                has_come = promise.instant is not None and progress.time >= promise.instant
            case Trigger.AFTER_DEMAND_AND_FAILURE:
                has_come = is_due and progress.demand_failed
            case Trigger.CALCULATION_DATE:
                has_come = progress.calculation_short
        if has_come:
            asked.append(promise.promisor)
    found = [party for party in asked if party not in untold]
    if is_due and assignor is not None:
        found.insert(len([party for party in (debtor, *co_debtors) if party in found]), assignor)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recourse:
    """What stands between factor and assignor once something was collected.

    Attributes:
        claimable_minor: What the factor may still ask for, of debtor or assignor.
        surplus_minor: What it gives back to the assignor.
    """

    claimable_minor: int
    surplus_minor: int


def settle(
    *,
    principal_minor: int,
    interest_minor: int,
    costs_minor: int,
    collected_minor: int,
    recourse: bool,
) -> Recourse:
    """Returns what a factor may still ask the assignor for, and what it gives back.

    With recourse it is owed the principal of the financing with interest and costs, from
    whomever; what it collects beyond is the assignor's. Without, the claim is its own: it asks
    the debtor alone, and keeps all.

    Raises:
        InvariantBrokenError: An amount is negative (caller bug).

    Source: Civil Code, arts. 766 and 767; SD-71.
    """
    if min(principal_minor, interest_minor, costs_minor, collected_minor) < 0:
        raise InvariantBrokenError("an amount is negative")
    if not recourse:
        return Recourse(claimable_minor=0, surplus_minor=0)
    left = principal_minor + interest_minor + costs_minor - collected_minor
    return Recourse(claimable_minor=max(left, 0), surplus_minor=max(-left, 0))
