"""Paying an amount from what one holds: which lots, and how much of each.

An offer consumes one lot, so a sum of one's choosing is a chain of offers. Lots that
are due earlier go first, for they soonest become money; all are given whole but the
last, which is split.
"""

from collections.abc import Iterable
from typing import NamedTuple

from registry.errors import NotEnoughFreeError
from registry.ids import LotId


class Free(NamedTuple):
    """A free lot, as far as paying asks; in this order they are given."""

    due_on: str
    lot: LotId
    amount: int


class Pick(NamedTuple):
    """So much of a lot."""

    lot: LotId
    amount: int


def pick_lots(lots: Iterable[Free], amount: int) -> tuple[Pick, ...]:
    """Returns which lots make up an amount, and how much of each, earliest due first.

    Args:
        lots: What is free, in any order.
        amount: What is to be paid, in minor units, positive.

    Raises:
        NotEnoughFreeError: They hold less.
    """
    free = sorted(lots)
    left, picked = amount, []
    for lot in free:
        if not left:
            break
        part = min(left, lot.amount)
        picked.append(Pick(lot.lot, part))
        left -= part
    if left:
        held = sum(lot.amount for lot in free)
        raise NotEnoughFreeError(held=held, lots=len(free), amount=amount)
    return tuple(picked)
