"""Pledges as effects: what becomes of a pledged lot, and of the pledge's row.

`registry.rules.pledges` decides on them.
"""

from enum import StrEnum
from typing import Any

from registry.burdens import PLEDGES, Pledge, PledgeStatus
from registry.cutting import cut, part_of
from registry.effects import DeadlineCleared, Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import Kid, LotId, PartyId, Sid
from registry.model import LOTS
from registry.tables import Minor, MutableRows, Rows, replace

LAPSE = "pledge.lapse"


class PledgeEnd(StrEnum):
    """How a pledge ended."""

    RELEASED = "released"
    LAPSED = "lapsed"


class _OfPledge(Effect, frozen=True, kw_only=True):
    """Base of what becomes of a pledge."""

    pledge: Sid
    lot: LotId
    voucher: Sid
    pledgor: PartyId
    pledgee: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher, pledgor and pledgee."""
        return (("voucher", self.voucher), ("holder", self.pledgor), ("holder", self.pledgee))


class LotPledged(_OfPledge, frozen=True, kw_only=True):
    """A lot is consumed: its pledged part is burdened, its remainder free."""

    amount: Minor
    remainder: Minor
    secured: Minor
    account: Sid
    register_by: int
    kid: Kid

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Replaces the lot by its parts and keeps the pledge."""
        lot = cut(
            state,
            self.lot,
            by=self.pledge,
            amount=self.amount,
            remainder=self.remainder,
            seal=seal,
        )
        part = part_of(lot, 0, by=self.pledge, amount=self.amount, seal=seal)
        state.add(LOTS, replace(part, burdens=(self.pledge,)))
        row = Pledge(
            pledge=self.pledge,
            lot=part.lot,
            voucher=self.voucher,
            pledgor=self.pledgor,
            pledgee=self.pledgee,
            amount=self.amount,
            secured=self.secured,
            account=self.account,
            own_account=lot.account,
            own_route=lot.collection_route,
            register_by=self.register_by,
            kid=self.kid,
            status=PledgeStatus.PENDING,
        )
        state.add(PLEDGES, row)


class PledgeRegistered(_OfPledge, frozen=True, kw_only=True):
    """The pledge has arisen: its lot is paid into its account, and directly."""

    account: Sid

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the pledge and redirects its lot."""
        row = known_pledge(state, self.pledge)
        lot = state.get(LOTS, self.lot)
        if lot is None:
            raise InvariantBrokenError(f"pledge {self.pledge} is of no lot")
        state.put(PLEDGES, replace(row, status=PledgeStatus.REGISTERED))
        state.put(LOTS, replace(lot, account=self.account, collection_route=False))


class PledgeEnforced(_OfPledge, frozen=True, kw_only=True):
    """The pledgee claims the proceeds."""

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the pledge."""
        row = known_pledge(state, self.pledge)
        state.put(PLEDGES, replace(row, status=PledgeStatus.ENFORCED))


class PledgeEnded(_OfPledge, frozen=True, kw_only=True):
    """The lot, if it has not been paid, is its holder's again as it was, but for a new id."""

    end: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the pledge and unburdens its lot."""
        row = known_pledge(state, self.pledge)
        state.put(PLEDGES, replace(row, status=self.end))
        lot = state.get(LOTS, self.lot)
        if lot is not None:
            free = replace(
                lot,
                burdens=tuple(each for each in lot.burdens if each != self.pledge),
                account=row.own_account,
                collection_route=row.own_route,
            )
            state.put(LOTS, free)


def known_pledge(state: Rows, pledge: str) -> Pledge:
    """Returns a pledge that an earlier entry has made."""
    row = state.get(PLEDGES, pledge)
    if row is None:
        raise InvariantBrokenError(f"no pledge {pledge}")
    return row


def named(pledge: Pledge) -> dict[str, Any]:
    """Returns what each effect says of a pledge."""
    names = ("pledge", "lot", "voucher", "pledgor", "pledgee")
    return {name: getattr(pledge, name) for name in names}


def lapse_cleared(pledge: Pledge) -> DeadlineCleared:
    """Returns the effect that the time to register a pledge matters no more."""
    return DeadlineCleared(at=pledge.register_by, kind=LAPSE, id=pledge.pledge)
