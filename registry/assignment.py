"""What every assignment brings about: a lot in the assignee's hands, and notices.

An acceptance, silence and a standing consent make a transfer effective in three ways; what
becomes of the claim is the same, and stands here once.
"""

from sys import intern

from registry.debts import moved
from registry.effects import DeadlineCleared, Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import LotId, PartyId, Sid, lot_id
from registry.model import (
    LOTS,
    OFFERS,
    PARTIES,
    Lot,
    LotStatus,
    Offer,
    Purpose,
    Role,
    Voucher,
)
from registry.notifying import tell
from registry.policy import Rules
from registry.refusals import AssigneeRefusedError
from registry.statements import Now
from registry.tables import Minor, MutableRows, Rows, replace

ASSIGNEE_ROLES = {
    Purpose.SETTLE: frozenset({Role.PARTICIPANT}),
    Purpose.FINANCE: frozenset({Role.FINANCIER}),
    Purpose.SECURITISE: frozenset({Role.VEHICLE}),
}


def require_assignee(
    state: Rows,
    assignee: PartyId,
    *,
    assignor: PartyId,
    purpose: Purpose,
    voucher: Voucher,
    rules: Rules,
) -> None:
    """Checks that the assignee may take what is offered.

    Raises:
        AssigneeRefusedError: It may not.
    """
    party = state.get(PARTIES, assignee)
    if assignee == assignor:
        raise AssigneeRefusedError(assignee=assignee, reason="is the assignor")
    if assignee in voucher.co_debtors:
        raise AssigneeRefusedError(assignee=assignee, reason="owes the voucher")
    if party is None or not ASSIGNEE_ROLES[purpose].intersection(party.roles):
        roles = " or ".join(sorted(ASSIGNEE_ROLES[purpose]))
        raise AssigneeRefusedError(
            assignee=assignee, reason=f"is not admitted as {roles}, which {purpose} calls for"
        )
    if rules.financiers_only is not None and purpose is Purpose.SETTLE:
        reason = "takes it in payment, and the policy allows financiers alone"
        raise AssigneeRefusedError(assignee=assignee, reason=reason)


def assigned_id(offer: Sid) -> LotId:
    """Returns the id of the lot that an offer puts into its assignee's hands."""
    return lot_id(offer, 2)


def assigned_lot(
    lot: Lot,
    *,
    offer: Sid,
    assignee: PartyId,
    amount: Minor,
    purpose: str,
    recourse: bool,
    account: Sid,
    collection_route: bool,
    born: int,
    salt: str,
) -> Lot:
    """Returns the lot in the assignee's hands; the chain of holders grows by the assignee.

    Args:
        lot: The assignor's lot, of which it is all or a part.
        offer: The offer that numbers it.
        assignee: Who holds it.
        amount: What it is worth.
        purpose: The offer's; only settling adds a tier.
        recourse: The assignor answers for the debtor.
        account: Where the assignee is to be paid.
        collection_route: The assignee authorises the accounts before it.
        born: Index of the entry that makes it.
        salt: The salt of the offer's lot 2.
    """
    return replace(
        lot,
        lot=assigned_id(offer),
        amount=amount,
        holder=assignee,
        born=born,
        # Chains are long and parties few: one text for each party, however often it is named.
        path=(*lot.path, intern(assignee)),
        tier=lot.tier + (purpose == Purpose.SETTLE),
        acquired=offer,
        account=account,
        collection_route=collection_route,
        recourse=recourse,
        acknowledged=False,
        status=LotStatus.FREE,
        salt=salt,
        cuts=0,
    )


class LotAssigned(Effect, frozen=True, kw_only=True):
    """The offered lot is consumed, and a lot of the same amount is the assignee's."""

    offer: Sid
    voucher: Sid
    assignor: PartyId
    assignee: PartyId
    amount: Minor
    account: Sid
    collection_route: bool
    policy: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and both sides."""
        return (("voucher", self.voucher), ("holder", self.assignor), ("holder", self.assignee))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Moves the claim; the chain of holders grows by the assignee."""
        offer = state.get(OFFERS, self.offer)
        lot = None if offer is None else state.get(LOTS, offer.lot)
        if offer is None or lot is None or lot.amount != self.amount:
            raise InvariantBrokenError(f"assignment by no offer {self.offer}")
        assigned = assigned_lot(
            lot,
            offer=self.offer,
            assignee=self.assignee,
            amount=self.amount,
            purpose=offer.purpose,
            recourse=offer.recourse,
            account=self.account,
            collection_route=self.collection_route,
            born=seal.index,
            salt=offer.salt,
        )
        state.delete(LOTS, lot.lot)
        state.delete(OFFERS, self.offer)
        state.add(LOTS, assigned)


def offered_lot(state: Rows, offer: Offer) -> Lot:
    """Returns the lot that an open offer locks."""
    lot = state.get(LOTS, offer.lot)
    if lot is None:
        raise InvariantBrokenError(f"offer {offer.offer} is of no lot")
    return lot


def assign(
    state: Rows, offer: Offer, voucher: Voucher, now: Now, *, account: Sid, collection_route: bool
) -> tuple[Effect, ...]:
    """Returns what follows from an acceptance: the claim passes, notices arrive, limits count."""
    assigned = LotAssigned(
        offer=offer.offer,
        voucher=offer.voucher,
        assignor=offer.assignor,
        assignee=offer.assignee,
        amount=offer.amount,
        account=account,
        collection_route=collection_route,
        policy=now.facts.policy,
    )
    told = tell(
        state,
        voucher,
        now,
        transfer=offer.offer,
        assignor=offer.assignor,
        assignee=offer.assignee,
        amount=offer.amount,
        purpose=offer.purpose,
        withheld=offer.withheld,
    )
    held = moved(state, voucher.debtor, offer.amount, giver=offer.assignor, taker=offer.assignee)
    return (assigned, *told, *held)


def answered_deadlines(offer: Offer) -> tuple[DeadlineCleared, ...]:
    """Returns the effects that an offer's deadlines are met or moot."""
    expiry = DeadlineCleared(at=offer.accept_by, kind="transfer.expire", id=offer.offer)
    if offer.silent_at is None:
        return (expiry,)
    return (expiry, DeadlineCleared(at=offer.silent_at, kind="transfer.silence", id=offer.offer))
