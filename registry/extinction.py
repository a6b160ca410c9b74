"""What ends a claim before it is due: the debtor pays early, or comes to hold it itself.

A debtor that acquires its own voucher owes nobody on it: claim and debt are in one hand,
and both end (混同, Civil Code, art. 576). A debtor that pays early ends as much as the
holder has received payment for. Either way the lot is consumed, and what the debtor owes
and what financiers hold go down as they do at maturity. Invoices behind it stay used.

Source: reference note 15; FR-17.
"""

from enum import StrEnum

from registry.debts import owe
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import LotId, PartyId, Sid, lot_id
from registry.model import LOTS, VOUCHERS, LotStatus, VoucherStatus
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
        """Ends the lot; a voucher of which nothing is left is settled."""
        lot, voucher = state.get(LOTS, self.lot), known_voucher(state, self.voucher)
        if lot is None or lot.amount != self.amount + self.remainder:
            raise InvariantBrokenError(f"entry {seal.index} does not conserve lot {self.lot}")
        state.delete(LOTS, self.lot)
        if self.remainder:
            rest = replace(
                lot,
                lot=lot_id(self.statement, 0),
                amount=self.remainder,
                born=seal.index,
                status=LotStatus.FREE,
                salt=seal.lot_salt(0),
                cuts=lot.cuts + 1,
            )
            state.add(LOTS, rest)
        discharged = Minor(voucher.discharged + self.amount)
        is_settled = voucher.face == discharged + voucher.cancelled
        status = VoucherStatus.SETTLED if is_settled else voucher.status
        state.put(VOUCHERS, replace(voucher, discharged=discharged, status=status))
        owe(state, voucher.debtor, -self.amount)
