"""Transfers: an offer of one lot to one assignee, and what becomes of it.

An offer consumes one lot. `<offer>.0` is the offered part, still the assignor's and
locked; `<offer>.1` the remainder, free at once; `<offer>.2` the part in the assignee's
hands, made by its acceptance. So the ids of a chain of offers are known in advance,
and no assignee sees another. A transfer is an assignment of a claim: no earlier
holder answers for the debtor unless the offer says so.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect, Seal, Touch
from registry.errors import (
    AssigneeRefusedError,
    ChainTooLongError,
    DeadlinePassedError,
    InsufficientHoldingError,
    InvariantBrokenError,
    LotLockedError,
    LotNotFoundError,
    MalformedError,
    NotAssigneeError,
    NotAssignorError,
    NotHolderError,
    VoucherDueError,
)
from registry.fields import (
    LENIENT,
    Amount,
    BusinessDate,
    Digest,
    FileRef,
    LotField,
    PartyField,
    SidField,
)
from registry.ids import Kid, LotId, NoticeId, PartyId, Sid, lot_id, notice_id
from registry.model import (
    ACCOUNTS,
    HOLDER_ROLES,
    LOTS,
    NOTICES,
    OFFERS,
    PARTIES,
    VOUCHERS,
    Lot,
    LotStatus,
    Notice,
    Offer,
    Purpose,
    Role,
    Voucher,
)
from registry.rights import end_instant, require_account, today_at
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, get_many, where

ASSIGNMENTS_MAX = 64
"""A bound of the format; how long chains should be is policy."""

ASSIGNEE_ROLES = {
    Purpose.SETTLE: frozenset({Role.PARTICIPANT}),
    Purpose.FINANCE: frozenset({Role.FINANCIER}),
    Purpose.SECURITISE: frozenset({Role.VEHICLE}),
}


class SecuritiseForm(StrEnum):
    """A plan buys (基础资产买卖); an ABN trust is settled with assets (信托)."""

    SALE_TO_PLAN = "sale-to-plan"
    SETTLE_IN_TRUST = "settle-in-trust"


class TransferOffer(Body):
    """An offer of part of a lot to one assignee, with the notice that will follow.

    The assignor authors the notice of assignment by naming its form; the registry
    delivers it to every debtor when the transfer becomes effective.
    """

    lot: LotField
    amount: Amount
    assignee: PartyField
    purpose: Annotated[Purpose, LENIENT]
    form: Annotated[SecuritiseForm, LENIENT] | None = None
    recourse: bool
    accept_by: BusinessDate
    notice: Literal["assignment/1"]
    evidence: Annotated[tuple[FileRef, ...], LENIENT, Field(max_length=16)]
    terms: Digest | None = None


class TransferAccept(Body):
    """The assignee's acceptance: where it is to be paid.

    With `collection_route` it authorises the accounts of earlier holders as the route
    of the money in tiered clearing; without it this part is paid directly.
    """

    account: SidField
    collection_route: bool


class TransferReject(Body):
    """The assignee's rejection."""


class TransferWithdraw(Body):
    """The assignor's withdrawal, before acceptance."""


class OfferEnd(StrEnum):
    """How an offer ended without a transfer."""

    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class LotOffered(Effect):
    """A lot is consumed: its offered part is locked, its remainder free."""

    offer: Sid
    lot: LotId
    voucher: Sid
    assignor: PartyId
    assignee: PartyId
    amount: Minor
    remainder: Minor
    purpose: str
    recourse: bool
    accept_by: int
    kid: Kid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the assignor."""
        return (("voucher", self.voucher), ("holder", self.assignor))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Replaces the lot by its parts and keeps the offer."""
        lot = state.get(LOTS, self.lot)
        if lot is None or lot.amount != self.amount + self.remainder:
            raise InvariantBrokenError(f"offer {self.offer} does not conserve lot {self.lot}")
        state.delete(LOTS, self.lot)
        offered = replace(
            lot,
            lot=lot_id(self.offer, 0),
            amount=self.amount,
            born=seal.index,
            status=LotStatus.OFFERED,
            salt=seal.lot_salt(0),
        )
        state.put(LOTS, offered)
        if self.remainder:
            rest = replace(
                lot,
                lot=lot_id(self.offer, 1),
                amount=self.remainder,
                born=seal.index,
                salt=seal.lot_salt(1),
            )
            state.put(LOTS, rest)
        offer = Offer(
            offer=self.offer,
            lot=offered.lot,
            voucher=self.voucher,
            amount=self.amount,
            assignor=self.assignor,
            assignee=self.assignee,
            purpose=self.purpose,
            recourse=self.recourse,
            accept_by=self.accept_by,
            kid=self.kid,
            salt=seal.lot_salt(2),
        )
        state.put(OFFERS, offer)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferClosed(Effect):
    """An offer ended without a transfer; the offered lot is free again, identical."""

    offer: Sid
    lot: LotId
    voucher: Sid
    assignor: PartyId
    end: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the assignor."""
        return (("voucher", self.voucher), ("holder", self.assignor))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Unlocks the lot."""
        lot = state.get(LOTS, self.lot)
        if lot is None:
            raise InvariantBrokenError(f"offer {self.offer} is of no lot")
        state.put(LOTS, replace(lot, status=LotStatus.FREE))
        state.delete(OFFERS, self.offer)


@dataclass(frozen=True, slots=True, kw_only=True)
class LotAssigned(Effect):
    """The offered lot is consumed, and a lot of the same amount is the assignee's."""

    offer: Sid
    voucher: Sid
    assignor: PartyId
    assignee: PartyId
    amount: Minor
    account: Sid
    collection_route: bool

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and both sides."""
        return (("voucher", self.voucher), ("holder", self.assignor), ("holder", self.assignee))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Moves the claim; the chain of holders grows by the assignee."""
        offer = state.get(OFFERS, self.offer)
        lot = None if offer is None else state.get(LOTS, offer.lot)
        if offer is None or lot is None or lot.amount != self.amount:
            raise InvariantBrokenError(f"assignment by no offer {self.offer}")
        assigned = replace(
            lot,
            lot=lot_id(self.offer, 2),
            holder=self.assignee,
            born=seal.index,
            path=(*lot.path, self.assignee),
            tier=lot.tier + (offer.purpose == Purpose.SETTLE),
            acquired=self.offer,
            account=self.account,
            collection_route=self.collection_route,
            recourse=offer.recourse,
            acknowledged=False,
            status=LotStatus.FREE,
            salt=offer.salt,
        )
        state.delete(LOTS, lot.lot)
        state.delete(OFFERS, self.offer)
        state.put(LOTS, assigned)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeArrived(Effect):
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
        state.put(NOTICES, row)


def reads_transfer_offer(statement: Statement[TransferOffer], _now: Now) -> ReadPlan:
    """Asks for the lot, its voucher and both sides."""
    lot = yield from get(LOTS, statement.body.lot)
    if lot is not None:
        yield from get(VOUCHERS, lot.voucher)
    yield from get_many(PARTIES, (statement.by, statement.body.assignee))


def decide_transfer_offer(
    state: Rows, statement: Statement[TransferOffer], now: Now
) -> tuple[Effect, ...]:
    """Offers part of a lot to one assignee; the remainder is free at once.

    Raises:
        LotNotFoundError: There is no such live lot.
        NotHolderError: The signer does not hold it.
        LotLockedError: It is offered already.
        InsufficientHoldingError: The amount is more than it holds.
        AssigneeRefusedError: The assignee is the signer, owes the voucher, or is not
            admitted in the role that the purpose calls for.
        MalformedError: A form without securitisation, or the reverse; terms missing.
        VoucherDueError: The voucher is due.
        DeadlinePassedError: The last day for acceptance is past, or not before the due date.
        ChainTooLongError: The lot has been assigned 64 times.
    """
    body = statement.body
    lot = state.get(LOTS, body.lot)
    if lot is None:
        raise LotNotFoundError(lot=body.lot)
    if lot.holder != statement.by:
        raise NotHolderError(lot=lot.lot, by=statement.by)
    if lot.status != LotStatus.FREE:
        raise LotLockedError(lot=lot.lot, status=lot.status)
    if body.amount > lot.amount:
        raise InsufficientHoldingError(lot=lot.lot, held=lot.amount, requested=body.amount)
    voucher = _voucher_of(state, lot)
    _require_assignee(state, statement, voucher)
    if (body.purpose is Purpose.SECURITISE) != (body.form is not None):
        raise MalformedError(what="form", reason="belongs to securitise, and only there")
    if body.purpose is not Purpose.SETTLE and body.terms is None:
        raise MalformedError(what="terms", reason=f"{body.purpose} needs confidential terms")
    if today_at(now).isoformat() >= lot.due_on:
        raise VoucherDueError(voucher=lot.voucher, due_on=lot.due_on)
    accept_by = end_instant(body.accept_by, now)
    if accept_by <= now.time or body.accept_by.isoformat() >= lot.due_on:
        raise DeadlinePassedError(deadline=body.accept_by.isoformat())
    if lot.assignments >= ASSIGNMENTS_MAX:
        raise ChainTooLongError(lot=lot.lot, limit=ASSIGNMENTS_MAX)

    # Past this line the offer must succeed.
    offered = LotOffered(
        offer=statement.sid,
        lot=lot.lot,
        voucher=lot.voucher,
        assignor=lot.holder,
        assignee=body.assignee,
        amount=Minor(body.amount),
        remainder=Minor(lot.amount - body.amount),
        purpose=body.purpose,
        recourse=body.recourse,
        accept_by=accept_by,
        kid=statement.kid,
    )
    return (offered, DeadlineSet(at=accept_by, kind="transfer.expire", id=statement.sid))


def _voucher_of(state: Rows, lot: Lot) -> Voucher:
    """Returns the voucher of a lot."""
    voucher = state.get(VOUCHERS, lot.voucher)
    if voucher is None:
        raise InvariantBrokenError(f"lot {lot.lot} of no voucher")
    return voucher


def _require_assignee(state: Rows, statement: Statement[TransferOffer], voucher: Voucher) -> None:
    """Checks that the assignee may take what is offered.

    Raises:
        AssigneeRefusedError: It may not.
    """
    assignee, purpose = statement.body.assignee, statement.body.purpose
    party = state.get(PARTIES, assignee)
    if assignee == statement.by:
        raise AssigneeRefusedError(assignee=assignee, reason="is the assignor")
    if assignee in (voucher.debtor, *voucher.co_debtors):
        raise AssigneeRefusedError(assignee=assignee, reason="owes the voucher")
    if party is None or not ASSIGNEE_ROLES[purpose].intersection(party.roles):
        roles = " or ".join(sorted(ASSIGNEE_ROLES[purpose]))
        raise AssigneeRefusedError(
            assignee=assignee, reason=f"is not admitted as {roles}, which {purpose} calls for"
        )


def _answered(state: Rows, statement: Statement[Any]) -> Offer:
    """Returns the open offer that a statement answers."""
    offer = state.get(OFFERS, statement.re or "")
    if offer is None:
        raise InvariantBrokenError("the answer was not checked")
    return offer


def reads_answer(statement: Statement[Any], _now: Now) -> ReadPlan:
    """Asks for the offer's lot."""
    offer = yield from get(OFFERS, statement.re or "")
    if offer is not None:
        yield from get(LOTS, offer.lot)


def reads_transfer_accept(statement: Statement[TransferAccept], _now: Now) -> ReadPlan:
    """Asks for the offer's lot, its voucher, the payee account and both sides."""
    offer = yield from get(OFFERS, statement.re or "")
    if offer is None:
        return
    yield from get(LOTS, offer.lot)
    yield from get(VOUCHERS, offer.voucher)
    yield from get(ACCOUNTS, statement.body.account)
    yield from get_many(PARTIES, (offer.assignor, offer.assignee))


def decide_transfer_accept(
    state: Rows, statement: Statement[TransferAccept], now: Now
) -> tuple[Effect, ...]:
    """Accepts an offer: the claim passes, and every debtor is notified.

    Raises:
        NotAssigneeError: The offer is to another party.
        DeadlinePassedError: The last day for acceptance is over.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The payee account.
    """
    offer = _answered(state, statement)
    if offer.assignee != statement.by:
        raise NotAssigneeError(offer=offer.offer, by=statement.by)
    if now.time >= offer.accept_by:
        raise DeadlinePassedError(deadline=offer.accept_by)
    require_account(state, statement.body.account, owner=statement.by)
    voucher = state.get(VOUCHERS, offer.voucher)
    if voucher is None:
        raise InvariantBrokenError(f"offer {offer.offer} of no voucher")

    # Past this line the acceptance must succeed.
    assigned = LotAssigned(
        offer=offer.offer,
        voucher=offer.voucher,
        assignor=offer.assignor,
        assignee=offer.assignee,
        amount=offer.amount,
        account=statement.body.account,
        collection_route=statement.body.collection_route,
    )
    notices = tuple(
        NoticeArrived(
            notice=notice_id(lot_id(offer.offer, 2), rank),
            transfer=offer.offer,
            voucher=offer.voucher,
            recipient=PartyId(recipient),
            assignor=offer.assignor,
            assignee=offer.assignee,
            amount=offer.amount,
        )
        for rank, recipient in enumerate((voucher.debtor, *voucher.co_debtors))
    )
    return (assigned, *notices, _expiry_cleared(offer))


def _closed(offer: Offer, end: OfferEnd) -> tuple[Effect, ...]:
    """Returns what follows when an offer ends without a transfer."""
    closed = OfferClosed(
        offer=offer.offer,
        lot=offer.lot,
        voucher=offer.voucher,
        assignor=offer.assignor,
        end=end,
    )
    return (closed, _expiry_cleared(offer))


def _expiry_cleared(offer: Offer) -> DeadlineCleared:
    """Returns the effect that an offer's deadline is met or moot."""
    return DeadlineCleared(at=offer.accept_by, kind="transfer.expire", id=offer.offer)


def decide_transfer_reject(
    state: Rows, statement: Statement[TransferReject], _now: Now
) -> tuple[Effect, ...]:
    """Rejects an offer; the assignor's lot is free again.

    Raises:
        NotAssigneeError: The offer is to another party.
    """
    offer = _answered(state, statement)
    if offer.assignee != statement.by:
        raise NotAssigneeError(offer=offer.offer, by=statement.by)
    return _closed(offer, OfferEnd.REJECTED)


def decide_transfer_withdraw(
    state: Rows, statement: Statement[TransferWithdraw], _now: Now
) -> tuple[Effect, ...]:
    """Withdraws an offer that nobody has accepted.

    Raises:
        NotAssignorError: The offer is another party's.
    """
    offer = _answered(state, statement)
    if offer.assignor != statement.by:
        raise NotAssignorError(offer=offer.offer, by=statement.by)
    return _closed(offer, OfferEnd.WITHDRAWN)


def reads_transfer_expire(due: Due, _now: Now) -> ReadPlan:
    """Asks for the offer and its lot."""
    offer = yield from get(OFFERS, due.id)
    if offer is not None:
        yield from get(LOTS, offer.lot)


def _due_offer(state: Rows, due: Due) -> Offer:
    """Returns the offer whose deadline has come."""
    offer = state.get(OFFERS, due.id)
    if offer is None:
        raise InvariantBrokenError(f"{due.kind} of no offer {due.id}")
    return offer


def decide_transfer_expire(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends an offer that was not answered in time."""
    return _closed(_due_offer(state, due), OfferEnd.EXPIRED)


def reads_transfer_cancel(due: Due, _now: Now) -> ReadPlan:
    """Asks for the offer, its lot and the other offers by the revoked key."""
    offer = yield from get(OFFERS, due.id)
    if offer is not None:
        yield from where(OFFERS, "kid", offer.kid)
        yield from get(LOTS, offer.lot)


def decide_transfer_cancel(state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
    """Ends an offer signed with a key that was just revoked, and sets the next one's end."""
    offer = _due_offer(state, due)
    later = sorted(
        other.offer for other in state.where(OFFERS, "kid", offer.kid) if other.offer > offer.offer
    )
    effects = (
        *_closed(offer, OfferEnd.CANCELLED),
        DeadlineCleared(at=due.at, kind=due.kind, id=due.id),
    )
    if not later:
        return effects
    return (*effects, DeadlineSet(at=due.at, kind=due.kind, id=later[0]))


_ANSWERS = {"transfer.offer": OFFERS}

KINDS = (
    Kind(
        name="transfer.offer",
        body=TransferOffer,
        signers=HOLDER_ROLES,
        relation="the lot's holder",
        reads=reads_transfer_offer,
        decide=decide_transfer_offer,
    ),
    Kind(
        name="transfer.accept",
        body=TransferAccept,
        signers=HOLDER_ROLES,
        relation="the offer's assignee",
        answers=_ANSWERS,
        reads=reads_transfer_accept,
        decide=decide_transfer_accept,
    ),
    Kind(
        name="transfer.reject",
        body=TransferReject,
        signers=HOLDER_ROLES,
        relation="the offer's assignee",
        answers=_ANSWERS,
        reads=reads_answer,
        decide=decide_transfer_reject,
    ),
    Kind(
        name="transfer.withdraw",
        body=TransferWithdraw,
        signers=HOLDER_ROLES,
        relation="the offer's assignor",
        answers=_ANSWERS,
        reads=reads_answer,
        decide=decide_transfer_withdraw,
    ),
)

TIMED = (
    TimedKind(name="transfer.expire", reads=reads_transfer_expire, decide=decide_transfer_expire),
    TimedKind(name="transfer.cancel", reads=reads_transfer_cancel, decide=decide_transfer_cancel),
)
