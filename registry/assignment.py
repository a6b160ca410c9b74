"""What every assignment brings about: a lot in the assignee's hands, and notices.

An acceptance, silence and a standing consent make a transfer effective in three ways; what
becomes of the claim is the same, and stands here once.
"""

from sys import intern

from registry.debts import moved
from registry.effects import DeadlineCleared, Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import LotId, NoticeId, PartyId, Sid, lot_id, notice_id
from registry.model import (
    LOTS,
    NOTICES,
    OFFERS,
    Lot,
    LotStatus,
    Notice,
    Offer,
    Purpose,
    Voucher,
)
from registry.statements import Now
from registry.tables import Minor, MutableRows, Rows, replace


class NoticeArrived(Effect, frozen=True, kw_only=True):
    """A notice of assignment is in its recipient's inbox; the entry's time is its arrival."""

    notice: NoticeId
    transfer: Sid
    voucher: Sid
    recipient: PartyId
    assignor: PartyId
    assignee: PartyId
    amount: Minor

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the notice."""
        row = Notice(
            notice=self.notice,
            transfer=self.transfer,
            voucher=self.voucher,
            recipient=self.recipient,
            assignor=self.assignor,
            assignee=self.assignee,
            amount=self.amount,
            arrived=seal.time,
        )
        state.add(NOTICES, row)


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


RECIPIENTS_MAX = 8
"""Who can be told of a voucher's assignments (docs/formats.md, Limits)."""


def recipients_of(voucher: Voucher) -> tuple[str, ...]:
    """Returns who is told of a voucher's assignments: debtor, co-debtors, guarantors.

    An assignment that a guarantor was not told of has no effect on it (Civil Code, art. 696;
    RG-24).
    """
    told = (voucher.debtor, *voucher.co_debtors, *voucher.guarantors)
    # A guarantor may have joined the debt later: it is told once.
    return tuple(dict.fromkeys(told))


def notices_of(
    voucher: Voucher, *, offer: Sid, assignor: PartyId, assignee: PartyId, amount: Minor
) -> tuple[NoticeArrived, ...]:
    """Returns an assignment's notices: to the debtor, each co-debtor, each guarantor, in order."""
    return tuple(
        NoticeArrived(
            notice=notice_id(assigned_id(offer), rank),
            transfer=offer,
            voucher=voucher.voucher,
            recipient=PartyId(recipient),
            assignor=assignor,
            assignee=assignee,
            amount=amount,
        )
        for rank, recipient in enumerate(recipients_of(voucher))
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
    notices = notices_of(
        voucher,
        offer=offer.offer,
        assignor=offer.assignor,
        assignee=offer.assignee,
        amount=offer.amount,
    )
    held = moved(state, voucher.debtor, offer.amount, giver=offer.assignor, taker=offer.assignee)
    return (assigned, *notices, *held)


def answered_deadlines(offer: Offer) -> tuple[DeadlineCleared, ...]:
    """Returns the effects that an offer's deadlines are met or moot."""
    expiry = DeadlineCleared(at=offer.accept_by, kind="transfer.expire", id=offer.offer)
    if offer.silent_at is None:
        return (expiry,)
    return (expiry, DeadlineCleared(at=offer.silent_at, kind="transfer.silence", id=offer.offer))
