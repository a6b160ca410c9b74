"""What every assignment brings about: a lot in the assignee's hands, and notices.

An acceptance and a standing consent make a transfer effective in two ways; what becomes
of the claim is the same, and stands here once.
"""

from registry.effects import Effect, Seal
from registry.ids import LotId, NoticeId, PartyId, Sid, lot_id, notice_id
from registry.model import NOTICES, Lot, LotStatus, Notice, Purpose, Voucher
from registry.tables import Minor, MutableRows, replace


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
        path=(*lot.path, assignee),
        tier=lot.tier + (purpose == Purpose.SETTLE),
        acquired=offer,
        account=account,
        collection_route=collection_route,
        recourse=recourse,
        acknowledged=False,
        status=LotStatus.FREE,
        salt=salt,
    )


def notices_of(
    voucher: Voucher, *, offer: Sid, assignor: PartyId, assignee: PartyId, amount: Minor
) -> tuple[NoticeArrived, ...]:
    """Returns the notices of an assignment: to the debtor, then to each co-debtor in order."""
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
        for rank, recipient in enumerate((voucher.debtor, *voucher.co_debtors))
    )
