"""What the ledger would not take of a bank's word, because of other hops of the same money.

A report is taken as a whole or not at all, so what would be refused is kept out of it.

Source: docs/clearing.md, sections 2 and 4.
"""

from collections.abc import Collection, Iterable, Mapping

from clearing.rails.findings import Expected, Ignored, Reason
from clearing.rails.messages import Status
from registry.ids import Sid

Blocked = dict[tuple[str, Status], Ignored | Reason]
"""By instruction and status, why it is not reported."""


def blocked(awaited: Iterable[Expected], heard: Mapping[str, Collection[Status]]) -> Blocked:
    """Returns what of each instruction's word is not reported, and why.

    Args:
        awaited: The instructions, with what the ledger shows of them.
        heard: What is to be reported of them, by id.
    """
    # An instruction comes after smaller numbers of its plan, and so does what pays several.
    ordered = sorted(awaited, key=lambda of: (of.plan, of.each[-1].n))
    posted = {each for of in ordered for each in _numbers(of) if of.status == "posted"}
    fallen: set[tuple[str, int]] = set()
    found: Blocked = {}
    for of in ordered:
        said = heard.get(of.instruction, ())
        before = [(of.plan, n) for n in of.after]
        if not fallen.isdisjoint(before):
            # It expires with the rejection of what was to bring its money.
            fallen |= _numbers(of)
            if Status.REJECTED in said:
                found[of.instruction, Status.REJECTED] = Ignored.FOLLOWS
        elif Status.REJECTED in said and not before:
            fallen |= _numbers(of)
        if Status.POSTED in said:
            if posted.issuperset(before):
                posted |= _numbers(of)
            else:
                found.update({(of.instruction, status): Ignored.WAITS for status in said})
    paid = (of for of in ordered if not posted.isdisjoint(_numbers(of)))
    spent = {(of.plan, n) for of in paid for n in of.after}
    for of in ordered:
        if not spent.isdisjoint(_numbers(of)) and Status.RETURNED in heard.get(of.instruction, ()):
            found[of.instruction, Status.RETURNED] = Reason.MONEY_SPENT
    return found


def _numbers(of: Expected) -> set[tuple[Sid, int]]:
    """Returns the instructions of what is awaited, by plan and number."""
    return {(each.plan, each.n) for each in of.each}
