"""Silence until the deadline: whether it has accepted an offer (see `registry.standing`)."""

from registry.assignment import answered_deadlines, assign, offered_lot
from registry.debts import has_room, reads_held
from registry.effects import DeadlineCleared, Due, Effect
from registry.errors import InvariantBrokenError
from registry.limits import ask_limits_of_transfer, blackout_from
from registry.model import ACCOUNTS, CONSENTS, LOTS, OFFERS, PARTIES, VOUCHERS, LotStatus, Offer
from registry.notifying import ask_inboxes, recipients_of
from registry.policy import rules_in_force
from registry.rights import known_voucher, today_at
from registry.standing import OfferSilenceEnded, SilenceEnd, ask_consent, covering
from registry.statements import Now, TimedKind
from registry.tables import ReadPlan, Rows, get, get_many


def reads_transfer_silence(due: Due, now: Now) -> ReadPlan:
    """Asks for what an acceptance sees, and for the consent."""
    offer = yield from get(OFFERS, due.id)
    if offer is None:
        return
    yield from ask_limits_of_transfer(now)
    consent = yield from ask_consent(offer.assignee, offer.purpose)
    yield from get(LOTS, offer.lot)
    voucher = yield from get(VOUCHERS, offer.voucher)
    if consent is not None:
        yield from get(ACCOUNTS, consent.account)
    sides = yield from get_many(PARTIES, (offer.assignor, offer.assignee))
    if voucher is not None:
        yield from ask_inboxes(recipients_of(voucher))
        yield from reads_held(sides, voucher.debtor)


def decide_transfer_silence(state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
    """Accepts an offer by the assignee's silence, if its consent still says so."""
    offer = state.get(OFFERS, due.id)
    if offer is None or offer.consent is None:
        raise InvariantBrokenError(f"silence about no offer {due.id}, or under no consent")
    end = _silence_end(state, offer, now)
    ended = OfferSilenceEnded(
        offer=offer.offer,
        voucher=offer.voucher,
        consent=offer.consent,
        end=end,
        policy=now.facts.policy,
    )
    consent = state.get(CONSENTS, offer.assignee, offer.purpose)
    if end is not SilenceEnd.ACCEPTED or consent is None:
        return (ended, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))
    assigned = assign(
        state,
        offer,
        known_voucher(state, offer.voucher),
        now,
        account=consent.account,
        collection_route=consent.collection_route,
    )
    return (*assigned, ended, *answered_deadlines(offer))


def _silence_end(state: Rows, offer: Offer, now: Now) -> SilenceEnd:
    """Tells whether silence accepts an offer now, or what stands in its way."""
    rules = rules_in_force(state, now.facts)
    consent = covering(
        state,
        rules,
        party=offer.assignee,
        purpose=offer.purpose,
        assignor=offer.assignor,
        amount=offer.amount,
    )
    if consent is None or consent.consent != offer.consent:
        return SilenceEnd.NO_CONSENT
    lot, voucher = offered_lot(state, offer), known_voucher(state, offer.voucher)
    begins = blackout_from(state, rules, lot.due_on)
    if begins is not None and today_at(now) >= begins:
        return SilenceEnd.BLACKOUT
    if offer.assignee in (voucher.debtor, *voucher.co_debtors):
        return SilenceEnd.OWES_VOUCHER
    if lot.burdens:
        return SilenceEnd.LOT_BURDENED
    if not has_room(state, offer.assignee, voucher.debtor, offer.amount):
        return SilenceEnd.OVER_LIMIT
    return SilenceEnd.ACCEPTED if lot.status == LotStatus.OFFERED else SilenceEnd.LOT_LOCKED


TIMED = (
    TimedKind(
        name="transfer.silence", reads=reads_transfer_silence, decide=decide_transfer_silence
    ),
)
