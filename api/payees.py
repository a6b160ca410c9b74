"""Whom to pay: what was told to whom, and the two answers that follow from it.

The one who is *entitled* to a lot and the one whom the debtor may *safely pay* are two
questions. Both are answered here from the log, for any moment: the chain of assignments
behind a lot, when each became effective, and when, if ever, the debtor was told. What is
pledged and registered is safely paid into the account that the pledge names alone.

Source: Civil Code, arts. 445, 546 and 696; RG-24, RG-29, GV-09; reference note 12.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from api.errors import NotFoundError
from api.states import size_before
from api.visibility import changes_of
from registry.burdens import (
    FILINGS,
    FREEZES,
    PLEDGES,
    FilingStatus,
    FreezeStatus,
    Pledge,
    PledgeStatus,
    court_accounts,
)
from registry.canonical import Json
from registry.discharge import Assignment
from registry.entries import Entry, open_entry
from registry.ids import LotId, PartyId, Sid, lot_id, notice_id, parse_lot_id
from registry.inboxes import NOTICES, WITHHELD, Capacity, Notice, Withheld
from registry.model import ACCOUNTS, LOTS, VOUCHERS, Lot, Voucher
from registry.notifying import RECIPIENTS_MAX
from registry.people import WAITED
from registry.ports import LedgerStore
from registry.priority import Claim, priority, safe_payee
from registry.tables import Get

ASSIGNED = frozenset(
    {"lot-offered", "lot-transferred", "financing-lot-reserved", "financing-title-passed"}
)
"""Effects that name the lot which an offer or a contract consumes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One assignment behind a lot, with what was told of it.

    Attributes:
        transfer: The offer that numbers it.
        assignee: Who got it.
        withheld: Who was to be told, if not with it.
        notices: What has arrived so far.
    """

    transfer: Sid
    assignee: PartyId
    withheld: Withheld | None
    notices: tuple[Notice, ...]

    def as_assignment(self) -> Assignment:
        """Returns when it bound its two sides, and when the debtor."""
        told = next((row for row in self.notices if row.capacity == Capacity.DEBTOR), None)
        if self.withheld is not None:
            effective = self.withheld.effective
        else:
            effective = min(row.arrived for row in self.notices)
        return Assignment(
            assignee=self.assignee,
            effective=effective,
            arrived=None if told is None else told.arrived,
            revoked=None if told is None else told.revoked_at,
        )

    def untold(self, at: int | None = None) -> frozenset[str]:
        """Returns who should have been told at an instant, or by now, and was not (RG-24)."""
        owed = {*self.withheld.recipients} if self.withheld else set()
        owed |= {row.recipient for row in self.notices}
        told = {
            row.recipient
            for row in self.notices
            if (row.revoked_at is None if at is None else stands_at(row, at))
        }
        return frozenset(owed - told)


def stands_at(notice: Notice, at: int) -> bool:
    """Tells whether a notice had arrived and was not taken back at an instant."""
    return notice.arrived <= at and (notice.revoked_at is None or at < notice.revoked_at)


def untold_of(store: LedgerStore, lot: Lot) -> frozenset[str]:
    """Returns who was not told of the assignment by which a lot's holder has it."""
    if lot.acquired == lot.voucher:
        return frozenset()
    return transfer_of(store, lot.acquired).untold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A lot with everything that was assigned before it came to be.

    Attributes:
        lot: The lot, live or consumed.
        voucher: Its voucher.
        transfers: The assignments behind it, the first one first.
    """

    lot: LotId
    voucher: Voucher
    transfers: tuple[Transfer, ...]

    @property
    def assignments(self) -> list[Assignment]:
        """The assignments as the rules of discharge want them."""
        return [each.as_assignment() for each in self.transfers]

    @property
    def holders(self) -> tuple[PartyId, ...]:
        """Who holds or has held it, the original creditor first."""
        return (self.voucher.creditor, *(each.assignee for each in self.transfers))


def chain_of(store: LedgerStore, lot: str) -> Chain:
    """Returns a lot's chain of assignments.

    Raises:
        NotFoundError: There is and was no such lot.
        MalformedError: That is no lot's id.
    """
    voucher, acquired = _acquired(store, LotId(lot))
    transfers = []
    while acquired != voucher.voucher:
        transfers.append(transfer_of(store, acquired))
        entry, index = _entry_of(store, acquired)
        consumed = _consumed(entry)
        acquired = _lot_at(store, voucher.voucher, consumed, as_of=index).acquired
    return Chain(lot=LotId(lot), voucher=voucher, transfers=tuple(reversed(transfers)))


def transfer_of(store: LedgerStore, transfer: Sid) -> Transfer:
    """Returns an assignment that became effective, with what was told of it."""
    lot = lot_id(transfer, 2)
    keys = tuple((notice_id(lot, rank),) for rank in range(RECIPIENTS_MAX))
    found, (withheld,) = store.fetch([Get(NOTICES, keys), Get(WITHHELD, ((transfer,),))])
    notices = tuple(row for row in found if row is not None)
    if withheld is None and not notices:
        raise NotFoundError(what="transfer", name=transfer)
    assignee = withheld.assignee if withheld is not None else notices[0].assignee
    return Transfer(transfer=transfer, assignee=assignee, withheld=withheld, notices=notices)


def _acquired(store: LedgerStore, lot: LotId) -> tuple[Voucher, Sid]:
    """Returns a lot's voucher, and the statement by which its holder got it."""
    sid, n = parse_lot_id(lot)
    entry, index = _entry_of(store, sid)
    named = {str(change["voucher"]) for change in changes_of(entry) if "voucher" in change}
    for name in sorted(named):
        (voucher,) = store.fetch([Get(VOUCHERS, ((name,),))])[0]
        if voucher is None:
            continue
        if sid == name:
            return voucher, Sid(name)
        if n == 2 and any(change["effect"] in ASSIGNED for change in changes_of(entry)):
            transfer_of(store, sid)
            return voucher, sid
        return voucher, _lot_at(store, name, lot, as_of=index + 1).acquired
    raise NotFoundError(what="lot", name=lot)


def _entry_of(store: LedgerStore, sid: Sid) -> tuple[Entry, int]:
    """Returns the entry in which a statement had its effects, which approved it if it waited."""
    index = store.find_statements([sid]).get(sid)
    if index is None:
        raise NotFoundError(what="statement", name=sid)
    (waited,) = store.fetch([Get(WAITED, ((sid,),))])[0]
    index = index if waited is None else waited.index
    return open_entry(next(iter(store.entries(index, index + 1)))), index


def _consumed(entry: Entry) -> str:
    """Returns the lot that an offer consumed."""
    for change in changes_of(entry):
        if change["effect"] in ASSIGNED:
            return str(change["lot"])
    raise NotFoundError(what="offer", name=str(entry.index))


def _lot_at(store: LedgerStore, voucher: str, lot: str, *, as_of: int) -> Lot:
    """Returns a lot that was live at a size of the log."""
    for row in store.select(LOTS, field="voucher", value=voucher, as_of=as_of):
        if row.lot == lot:
            return row
    raise NotFoundError(what="lot", name=lot)


# --- Claims that compete -----------------------------------------------------------


def claims_on(store: LedgerStore, lot: Lot, chain: Chain) -> list[Claim]:
    """Returns the holder's claim to a live lot and those of its pledgees (SD-15, GV-10)."""
    notice = None
    if chain.transfers:
        notice = chain.transfers[-1].as_assignment()
    held = Claim(
        name=lot.holder,
        financed_minor=lot.amount,
        registered_at=_registered_at(store, lot.acquired),
        noticed_at=None if notice is None or notice.revoked is not None else notice.arrived,
    )
    pledges = [
        Claim(
            name=f"{row.pledgee} by {row.pledge}",
            financed_minor=row.secured,
            registered_at=_registered_at(store, row.pledge),
        )
        for row in store.select(PLEDGES, field="lot", value=lot.lot)
        if row.status in PLEDGED
    ]
    return [held, *pledges]


def _registered_at(store: LedgerStore, subject: str) -> int | None:
    """Returns when the first standing registration of a subject was made elsewhere."""
    rows = store.select(FILINGS, field="subject", value=subject)
    return min(
        (row.registered_at for row in rows if row.status == FilingStatus.STANDING), default=None
    )


def shown_ranks(claims: Sequence[Claim]) -> dict[str, Json]:
    """Returns both orders: who comes first, and whom the debtor may safely pay."""
    safe = safe_payee(claims)
    ranks: list[Json] = []
    for rank in priority(claims):
        row: list[Json] = [
            {
                "claim": claim.name,
                "financed": str(claim.financed_minor),
                **({} if claim.registered_at is None else {"registered_at": claim.registered_at}),
                **({} if claim.noticed_at is None else {"noticed_at": claim.noticed_at}),
            }
            for claim in rank
        ]
        ranks.append(row)
    return {"ranks": ranks, **({} if safe is None else {"noticed_first": safe.name})}


PLEDGED = frozenset({PledgeStatus.REGISTERED, PledgeStatus.ENFORCED})


def pledge_of(store: LedgerStore, lot: str, *, at: int) -> Pledge | None:
    """Returns the registered pledge of a lot at an instant: its account is paid (note 12)."""
    if not any(store.select(PLEDGES, field="lot", value=lot)):
        return None
    size = size_before(store, at + 1)
    rows = store.select(PLEDGES, field="lot", value=lot, as_of=size)
    return next((row for row in rows if row.status in PLEDGED), None)


def account_owner(store: LedgerStore, account: Sid) -> PartyId:
    """Returns whose an account is."""
    (row,) = store.fetch([Get(ACCOUNTS, ((account,),))])[0]
    if row is None:
        raise NotFoundError(what="account", name=account)
    return PartyId(row.owner)


def court_account_of(store: LedgerStore, lot: str) -> Sid | None:
    """Returns the account of the court that a lot is to be paid to, if it is to one (note 11)."""
    return court_accounts(store.select(FREEZES, field="lot", value=lot)).get(LotId(lot))


def is_frozen(store: LedgerStore, lot: str) -> bool:
    """Tells whether a freeze stands on a lot: then paying anybody is at the debtor's risk."""
    rows = store.select(FREEZES, field="lot", value=lot)
    return any(row.status != FreezeStatus.LIFTED for row in rows)
