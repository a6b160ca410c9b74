"""Cutting a lot: it is consumed, and its parts are new lots of the same holder.

Every statement that takes a part of a lot numbers what it makes: the part that goes its own
way, and the remainder, which is free. The parts add up to the lot.
"""

from registry.effects import Seal
from registry.errors import InvariantBrokenError
from registry.ids import LotId, Sid, lot_id
from registry.model import LOTS, Lot, LotStatus
from registry.tables import Minor, MutableRows, replace


def cut(
    state: MutableRows,
    lot: LotId,
    *,
    by: Sid,
    amount: Minor,
    remainder: Minor,
    seal: Seal,
    rest: int = 1,
) -> Lot:
    """Consumes a lot and makes its remainder, if any; returns what was consumed.

    Args:
        state: Holds the lot.
        lot: Its id.
        by: The statement that numbers the parts.
        amount: What goes its own way; making that part is the caller's.
        remainder: What does not.
        seal: Of the entry.
        rest: The remainder's number.
    """
    row = state.get(LOTS, lot)
    if row is None or row.amount != amount + remainder:
        raise InvariantBrokenError(f"statement {by} does not conserve lot {lot}")
    state.delete(LOTS, lot)
    if remainder:
        state.add(LOTS, part_of(row, rest, by=by, amount=remainder, seal=seal))
    return row


def part_of(
    lot: Lot,
    n: int,
    *,
    by: Sid,
    amount: Minor,
    seal: Seal,
    status: LotStatus = LotStatus.FREE,
) -> Lot:
    """Returns part number n of a consumed lot, or all of it, still its holder's."""
    return replace(
        lot,
        lot=lot_id(by, n),
        amount=amount,
        born=seal.index,
        status=status,
        salt=seal.lot_salt(n),
        cuts=lot.cuts + (amount < lot.amount),
    )
