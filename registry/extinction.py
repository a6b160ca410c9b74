"""What ends a claim before it is due: the debtor pays early, or comes to hold it itself.

A debtor that acquires its own voucher owes nobody on it: claim and debt are in one hand,
and both end (混同, Civil Code, art. 576). A debtor that pays early ends as much as the
holder has received payment for. Either way the lot is consumed, and what the debtor owes
and what financiers hold go down as they do at maturity. Invoices behind it stay used.

Source: reference note 15; FR-17.
"""

from enum import StrEnum

from registry.cutting import cut
from registry.debts import owe
from registry.effects import Effect, Seal, Touch
from registry.ids import LotId, PartyId, Sid
from registry.model import VOUCHERS, VoucherStatus
from registry.rights import known_voucher
from registry.tables import Minor, MutableRows, replace


class Ground(StrEnum):
    """Why a claim ended before it was due."""

    CONFUSION = "confusion"
    """Its debtor has acquired it."""
    EARLY_PAYMENT = "early-payment"


class LotExtinguished(Effect, frozen=True, kw_only=True):
    """A lot is consumed: so much of the debt is gone, and the remainder is free."""

    statement: Sid
    lot: LotId
    voucher: Sid
    debtor: PartyId
    holder: PartyId
    amount: Minor
    remainder: Minor
    ground: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the holder."""
        return (("voucher", self.voucher), ("holder", self.holder))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Ends the lot, and as much of the debt."""
        cut(
            state,
            self.lot,
            by=self.statement,
            amount=self.amount,
            remainder=self.remainder,
            seal=seal,
            rest=0,
        )
        pay_down(state, self.voucher, self.amount)


def pay_down(state: MutableRows, voucher: Sid, amount: int) -> None:
    """Ends so much of a debt; a voucher of which nothing is left is settled."""
    row = known_voucher(state, voucher)
    discharged = Minor(row.discharged + amount)
    is_settled = row.face == discharged + row.cancelled
    row = replace(row, discharged=discharged)
    if is_settled:
        row = replace(row, status=VoucherStatus.SETTLED, owing=None)
    state.put(VOUCHERS, row)
    owe(state, row.debtor, -amount)
