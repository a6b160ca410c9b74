"""The rows of what is agreed about a lot before it changes hands or ends: early payment, financing.

Both reserve the lot from the agreement on, both keep their rows when they end, and both are
small machines of statuses like those of `registry.burdens`.
"""

from collections.abc import Mapping
from enum import StrEnum

from registry.ids import LotId, PartyId, Sid
from registry.tables import Minor, Record, Table


class EarlyStatus(StrEnum):
    """Where an early payment (提前兑付) is; only the holder's receipt discharges (FR-17)."""

    OFFERED = "offered"
    AGREED = "agreed"
    PAID = "paid"
    LAPSED = "lapsed"


EARLY_MOVES: Mapping[EarlyStatus, frozenset[EarlyStatus]] = {
    EarlyStatus.OFFERED: frozenset({EarlyStatus.AGREED, EarlyStatus.LAPSED}),
    EarlyStatus.AGREED: frozenset({EarlyStatus.PAID, EarlyStatus.LAPSED}),
    EarlyStatus.PAID: frozenset(),
    EarlyStatus.LAPSED: frozenset(),
}


class Early(Record, frozen=True, kw_only=True):
    """A debtor's offer to pay part of a lot, or all of it, before it is due."""

    early: Sid
    lot: LotId
    voucher: Sid
    debtor: PartyId
    holder: PartyId
    amount: Minor
    """What is discharged; what is paid for it stands in the terms."""
    terms: str
    pay_by: int
    """The instant from which nothing comes of it any more, in milliseconds."""
    status: str


EARLIES = Table(name="early", row=Early, key=("early",), indexes=("lot", "voucher"))

TABLES = (EARLIES,)
"""In the order in which batches read them; they stand before lots."""
