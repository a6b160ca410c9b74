"""What becomes of an offer: accepted, rejected, withdrawn, expired or cancelled.

Acceptance, also that by silence under a standing consent, makes the transfer effective and
brings a notice of assignment to the debtor and each co-debtor; every other end frees the
assignor's lot, identical.
"""

from enum import StrEnum
from typing import Any

from registry.assignment import answered_deadlines, assign, offered_lot
from registry.debts import moved, reads_debtor, reads_held, require_room
from registry.effects import DeadlineCleared, Due, Effect, Seal, Touch
from registry.encumbrance_refusals import (
    LotBurdenedError,
)
from registry.errors import InvariantBrokenError
from registry.extinction import Ground, LotExtinguished
from registry.fields import SidField
from registry.ids import Kid, LotId, PartyId, Sid
from registry.limits import ask_limits_of_transfer, require_before_blackout
from registry.model import (
    ACCOUNTS,
    HOLDER_ROLES,
    LOTS,
    OFFERS,
    PARTIES,
    VOUCHERS,
    LotStatus,
    Offer,
    Voucher,
)
from registry.notifying import ask_inboxes, recipients_of
from registry.policy import rules_in_force
from registry.refusals import (
    AssigneeRefusedError,
    DeadlinePassedError,
    NotAssigneeError,
    NotAssignorError,
)
from registry.rights import (
    cancel_signed,
    known_voucher,
    reads_signed,
    require_account,
    today_at,
)
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, get_many, replace


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
    CONFUSION = "confusion"
    """The debtor accepted it: the claim has ended (note 15)."""


class OfferClosed(Effect, frozen=True, kw_only=True):
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


def reads_transfer_accept(statement: Statement[TransferAccept], now: Now) -> ReadPlan:
    """Asks for policy, the offer's lot, voucher, account, both sides, inboxes, limits."""
    offer = yield from get(OFFERS, statement.re or "")
    if offer is None:
        return
    yield from ask_limits_of_transfer(now)
    yield from get(LOTS, offer.lot)
    voucher = yield from get(VOUCHERS, offer.voucher)
    yield from get(ACCOUNTS, statement.body.account)
    sides = yield from get_many(PARTIES, (offer.assignor, offer.assignee))
    if voucher is not None:
        yield from ask_inboxes(recipients_of(voucher))
        yield from reads_held(sides, voucher.debtor)
        if offer.assignee == voucher.debtor:
            yield from reads_debtor(voucher.debtor)


def decide_transfer_accept(
    state: Rows, statement: Statement[TransferAccept], now: Now
) -> tuple[Effect, ...]:
    """Accepts an offer: the claim passes, and every debtor is notified; a debtor ends its debt.

    Raises:
        NotAssigneeError: The offer is to another party.
        DeadlinePassedError: The last day for acceptance is over.
        LotBurdenedError: The lot was frozen after it was offered.
        BlackoutError: The policy or its calendar has come to end transfers before.
        AssigneeRefusedError: The assignee has joined the debt since it was offered.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The payee account.
        ExposureLimitError: The assignee would hold more of the debtor than it wants to (FR-06).
    """
    offer = _answered(state, statement)
    if offer.assignee != statement.by:
        raise NotAssigneeError(offer=offer.offer, by=statement.by)
    if now.time >= offer.accept_by:
        raise DeadlinePassedError(deadline=offer.accept_by)
    lot, rules = offered_lot(state, offer), rules_in_force(state, now.facts)
    if lot.burdens:
        raise LotBurdenedError(lot=lot.lot, burden=lot.burdens[0])
    require_before_blackout(state, rules, lot, today_at(now))
    voucher = known_voucher(state, offer.voucher)
    if offer.assignee in voucher.co_debtors:
        raise AssigneeRefusedError(assignee=offer.assignee, reason="owes the voucher")
    body = statement.body
    require_account(state, body.account, owner=statement.by)
    require_room(state, statement.by, voucher.debtor, offer.amount)

    # Past this line the acceptance must succeed.
    if offer.assignee == voucher.debtor:
        return _confused(state, statement, offer, voucher)
    assigned = assign(
        state, offer, voucher, now, account=body.account, collection_route=body.collection_route
    )
    return (*assigned, *answered_deadlines(offer))


def _confused(
    state: Rows, statement: Statement[TransferAccept], offer: Offer, voucher: Voucher
) -> tuple[Effect, ...]:
    """Returns what follows when claim and debt are in one hand: both end (note 15)."""
    ended = LotExtinguished(
        statement=statement.sid,
        lot=offer.lot,
        voucher=offer.voucher,
        debtor=voucher.debtor,
        holder=offer.assignor,
        amount=offer.amount,
        remainder=Minor(0),
        ground=Ground.CONFUSION,
    )
    return (
        *_closed(offer, OfferEnd.CONFUSION),
        ended,
        *moved(state, voucher.debtor, offer.amount, giver=offer.assignor),
    )


def _closed(offer: Offer, end: OfferEnd) -> tuple[Effect, ...]:
    """Returns what follows when an offer ends without a transfer."""
    closed = OfferClosed(
        offer=offer.offer,
        lot=offer.lot,
        voucher=offer.voucher,
        assignor=offer.assignor,
        end=end,
    )
    return (closed, *answered_deadlines(offer))


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


def decide_transfer_cancel(state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
    """Ends an offer signed with a key that was just revoked."""
    closed = _closed(_due_offer(state, due), OfferEnd.CANCELLED)
    return (*closed, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))


def reads_cancel_more(due: Due, _now: Now) -> ReadPlan:
    """Asks for what the revoked key signed and still stands."""
    yield from reads_signed(due.id)


def decide_cancel_more(state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
    """Sets the end of what else a revoked key has signed, after what came before has ended."""
    met = DeadlineCleared(at=due.at, kind=due.kind, id=due.id)
    return (met, *cancel_signed(state, Kid(due.id), at=due.at))


def _amount(state: Rows, statement: Statement[Any]) -> int:
    """Returns what an answer is about: the offer's amount."""
    return _answered(state, statement).amount


_ANSWERS = {"transfer.offer": OFFERS}

KINDS = (
    Kind(
        name="transfer.accept",
        body=TransferAccept,
        signers=HOLDER_ROLES,
        relation="the offer's assignee",
        answers=_ANSWERS,
        reads=reads_transfer_accept,
        decide=decide_transfer_accept,
        amount=_amount,
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
        while_suspended=True,
    ),
)

TIMED = (
    TimedKind(name="transfer.expire", reads=reads_transfer_expire, decide=decide_transfer_expire),
    TimedKind(name="transfer.cancel", reads=reads_transfer_expire, decide=decide_transfer_cancel),
    TimedKind(name="transfer.cancel-more", reads=reads_cancel_more, decide=decide_cancel_more),
)
