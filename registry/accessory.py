"""What secures a voucher goes with its lots, each in proportion (SD-18).

A right secures the whole voucher up to a cap. When the voucher is split, every lot is
secured by its part of the cap; the parts add up to the cap to the minor unit.

Source: Civil Code, art. 547.
"""

from collections.abc import Mapping, Sequence

from registry.ids import LotId
from registry.model import Lot
from registry.money import allocate


def cap_shares(cap_minor: int, lots: Sequence[Lot]) -> Mapping[LotId, int]:
    """Divides a cap among all live lots of a voucher.

    Largest remainder; ties go to the lot with the smaller id.

    Args:
        cap_minor: The cap, in minor units.
        lots: Every live lot of the voucher, in any order.

    Returns:
        Minor units by lot; they sum to the cap unless there is no lot.
    """
    ordered = sorted(lots, key=lambda lot: lot.lot)
    if not ordered:
        return {}
    shares = allocate(cap_minor, [lot.amount for lot in ordered])
    return {lot.lot: share for lot, share in zip(ordered, shares, strict=True)}
