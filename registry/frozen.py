"""Freezes as effects: what becomes of a frozen lot, and of the freeze's row.

`registry.rules.freezes` decides on them.
"""

from typing import Any, Final

from registry.burdens import FREEZES, Freeze, FreezeStatus
from registry.effects import DeadlineCleared, Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import LotId, PartyId, Sid
from registry.model import ACCOUNTS, LOTS, Account
from registry.tables import MutableRows, Rows, replace

FINAL: Final = "lot.court-final"

COURT: Final = "court"
"""The kind of account that a court's order names."""


class _OfFreeze(Effect, frozen=True, kw_only=True):
    """Base of what becomes of a freeze."""

    freeze: Sid
    lot: LotId
    voucher: Sid
    holder: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the holder."""
        return (("voucher", self.voucher), ("holder", self.holder))


class LotFrozen(_OfFreeze, frozen=True, kw_only=True):
    """A lot bears a freeze, behind those that it bears already."""

    authority: str
    number: str
    order: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the freeze and burdens the lot."""
        lot = state.get(LOTS, self.lot)
        if lot is None:
            raise InvariantBrokenError(f"freeze {self.freeze} is of no lot")
        row = Freeze(
            freeze=self.freeze,
            lot=self.lot,
            voucher=self.voucher,
            holder=self.holder,
            authority=self.authority,
            number=self.number,
            order=self.order,
            status=FreezeStatus.FROZEN,
        )
        state.add(FREEZES, row)
        state.put(LOTS, replace(lot, burdens=(*lot.burdens, self.freeze)))


class LotUnfrozen(_OfFreeze, frozen=True, kw_only=True):
    """A lot bears a freeze less; others stand."""

    authority: str
    number: str
    order: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the freeze and unburdens the lot, if it lives."""
        row = known_freeze(state, self.freeze)
        state.put(FREEZES, replace(row, status=FreezeStatus.LIFTED))
        lot = state.get(LOTS, self.lot)
        if lot is not None:
            burdens = tuple(each for each in lot.burdens if each != self.freeze)
            state.put(LOTS, replace(lot, burdens=burdens))


class CourtPaymentOrdered(_OfFreeze, frozen=True, kw_only=True):
    """A court demands payment of a frozen lot; after `objection_ends` it is to be paid."""

    debtor: PartyId
    basis: str
    authority: str
    number: str
    order: str
    bank: PartyId
    account: str
    payee_account: Sid
    registrar: PartyId
    objection_ends: int | None = None

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the freeze: payable at once, unless there is a time to object.

        The court's account gets its row. A court is no party, so it is the registrar's, who
        recorded it and sees to what comes there wrongly.
        """
        court = Account(
            account=self.payee_account,
            owner=self.registrar,
            bank=self.bank,
            account_kind=COURT,
            digest=self.account,
            verified=True,
        )
        state.add(ACCOUNTS, court)
        is_waiting = self.objection_ends is not None
        row = replace(
            known_freeze(state, self.freeze),
            status=FreezeStatus.ORDERED if is_waiting else FreezeStatus.PAYABLE,
            bank=self.bank,
            account=self.account,
            objection_ends=self.objection_ends,
            payee_account=self.payee_account,
        )
        state.put(FREEZES, row)


class CourtPaymentObjected(_OfFreeze, frozen=True, kw_only=True):
    """The debtor objected in time: the order is gone, and the freeze stays."""

    debtor: PartyId

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Takes the order off the freeze."""
        row = replace(
            known_freeze(state, self.freeze),
            status=FreezeStatus.FROZEN,
            bank=None,
            account=None,
            objection_ends=None,
            payee_account=None,
        )
        state.put(FREEZES, row)


class CourtPaymentFinal(_OfFreeze, frozen=True, kw_only=True):
    """Nobody objected in time: the lot is to be paid to the court."""

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the freeze."""
        row = known_freeze(state, self.freeze)
        state.put(FREEZES, replace(row, status=FreezeStatus.PAYABLE))


def known_freeze(state: Rows, freeze: str) -> Freeze:
    """Returns a freeze that an earlier entry has made."""
    row = state.get(FREEZES, freeze)
    if row is None:
        raise InvariantBrokenError(f"no freeze {freeze}")
    return row


def named(freeze: Freeze) -> dict[str, Any]:
    """Returns what each effect says of a freeze."""
    return {name: getattr(freeze, name) for name in ("freeze", "lot", "voucher", "holder")}


def final_cleared(freeze: Freeze) -> tuple[Effect, ...]:
    """Returns the effect that the time to object matters no more, if it runs."""
    if freeze.status != FreezeStatus.ORDERED or freeze.objection_ends is None:
        return ()
    return (DeadlineCleared(at=freeze.objection_ends, kind=FINAL, id=freeze.freeze),)
