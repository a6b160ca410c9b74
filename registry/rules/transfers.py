"""Transfers: an offer of one lot to one assignee, which waits or is effective at once.

An offer consumes one lot. `<offer>.0` is the offered part, still the assignor's and
locked; `<offer>.1` the remainder, free at once; `<offer>.2` the part in the assignee's
hands, made by its acceptance. Under the assignee's own standing consent the offer makes
`.2` itself, and never `.0`. So the ids of a chain of offers are known in advance, and no
assignee sees another. A transfer is an assignment of a claim: no earlier holder answers
for the debtor unless the offer says so.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from registry.assignment import assigned_lot, require_assignee
from registry.cutting import cut, part_of
from registry.debts import has_room, moved, reads_held
from registry.effects import DeadlineSet, Effect, Seal, Touch
from registry.errors import MalformedError
from registry.fields import (
    LENIENT,
    Amount,
    BodyAmount,
    BusinessDate,
    Digest,
    FileRef,
    LotField,
    PartyField,
)
from registry.ids import Kid, LotId, PartyId, Sid
from registry.limits import (
    ask_limits_of_transfer,
    blackout_from,
    require_justified,
    require_no_financing,
    require_recourse,
    require_splitting,
)
from registry.model import (
    ACCOUNTS,
    HOLDER_ROLES,
    LOTS,
    OFFERS,
    PARTIES,
    VOUCHERS,
    Consent,
    Lot,
    LotStatus,
    Offer,
    Purpose,
    Voucher,
)
from registry.notifying import ask_inboxes, recipients_of, tell
from registry.policy import Rules, rules_in_force
from registry.refusals import (
    BlackoutError,
    DeadlinePassedError,
    InsufficientHoldingError,
    VoucherDueError,
)
from registry.rights import end_instant, known_voucher, own_free_lot, today_at
from registry.standing import OfferSilenceBegun, ask_consent, covering, silent_at
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, get_many
from registry.words import AcceptanceMode


class NoticeForm(StrEnum):
    """Whether the debtors are told when the transfer becomes effective, or later (SD-14)."""

    AT_ONCE = "assignment/1"
    WITHHELD = "withheld"


class SecuritiseForm(StrEnum):
    """A plan buys (基础资产买卖); an ABN trust is settled with assets (信托)."""

    SALE_TO_PLAN = "sale-to-plan"
    SETTLE_IN_TRUST = "settle-in-trust"


class TransferOffer(Body):
    """An offer of part of a lot to one assignee, with the notice that will follow.

    The assignor authors the notice of assignment by naming its form; the registry delivers
    it to every debtor when the transfer becomes effective, or, withheld, when it is given.
    """

    lot: LotField
    amount: Amount
    assignee: PartyField
    purpose: Annotated[Purpose, LENIENT]
    form: Annotated[SecuritiseForm, LENIENT] | None = None
    recourse: bool
    accept_by: BusinessDate
    notice: Annotated[NoticeForm, LENIENT]
    evidence: Annotated[tuple[FileRef, ...], LENIENT, Field(max_length=16)]
    terms: Digest | None = None
    term_justification: Digest | None = None


class LotOffered(Effect, frozen=True, kw_only=True):
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
    withheld: bool
    policy: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the assignor."""
        return (("voucher", self.voucher), ("holder", self.assignor))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Replaces the lot by its parts and keeps the offer."""
        lot = _cut(state, self, seal)
        offered = part_of(
            lot, 0, by=self.offer, amount=self.amount, seal=seal, status=LotStatus.OFFERED
        )
        state.add(LOTS, offered)
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
            withheld=self.withheld,
        )
        state.add(OFFERS, offer)


class LotTransferred(Effect, frozen=True, kw_only=True):
    """Under a standing consent a lot is consumed, and the offered part the assignee's at once."""

    offer: Sid
    lot: LotId
    voucher: Sid
    assignor: PartyId
    assignee: PartyId
    amount: Minor
    remainder: Minor
    purpose: str
    recourse: bool
    account: Sid
    collection_route: bool
    consent: Sid
    policy: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and both sides."""
        return (("voucher", self.voucher), ("holder", self.assignor), ("holder", self.assignee))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Moves the claim; the remainder stays the assignor's."""
        assigned = assigned_lot(
            _cut(state, self, seal),
            offer=self.offer,
            assignee=self.assignee,
            amount=self.amount,
            purpose=self.purpose,
            recourse=self.recourse,
            account=self.account,
            collection_route=self.collection_route,
            born=seal.index,
            salt=seal.lot_salt(2),
        )
        state.add(LOTS, assigned)


def _cut(state: MutableRows, offered: LotOffered | LotTransferred, seal: Seal) -> Lot:
    """Consumes an offer's lot and makes its remainder, if any; returns what was consumed."""
    return cut(
        state,
        offered.lot,
        by=offered.offer,
        amount=offered.amount,
        remainder=offered.remainder,
        seal=seal,
    )


def reads_transfer_offer(statement: Statement[TransferOffer], now: Now) -> ReadPlan:
    """Asks for policy, consent, calendars, lot, voucher, account, sides, inboxes, limits."""
    body = statement.body
    # In the order of the tables, so that a batch reads each of them once.
    yield from ask_limits_of_transfer(now)
    consent = yield from ask_consent(body.assignee, body.purpose.value)
    lot = yield from get(LOTS, body.lot)
    voucher = None if lot is None else (yield from get(VOUCHERS, lot.voucher))
    if consent is not None:
        yield from get(ACCOUNTS, consent.account)
    sides = yield from get_many(PARTIES, (statement.by, body.assignee))
    if voucher is not None:
        if consent is not None:
            yield from ask_inboxes(recipients_of(voucher))
        yield from reads_held(sides, voucher.debtor)


def decide_transfer_offer(
    state: Rows, statement: Statement[TransferOffer], now: Now
) -> tuple[Effect, ...]:
    """Offers part of a lot to one assignee, who has it at once if it has consented in advance.

    The remainder is free at once. An offer that no standing consent covers waits.

    Raises:
        LotNotFoundError: There is no such live lot.
        NotHolderError: The signer does not hold it.
        LotLockedError: It is offered already.
        LotBurdenedError: It is pledged or frozen.
        InsufficientHoldingError: The amount is more than it holds.
        AssigneeRefusedError: The assignee is the signer, has joined the debt, or is not
            admitted in the role that the purpose calls for, or that the policy calls for.
        MalformedError: A form without securitisation, or the reverse; terms missing; a notice
            withheld of what is given in payment.
        VoucherDueError: The voucher is due.
        DeadlinePassedError: The last day for acceptance is past, or not before the due date.
        BlackoutError: The policy allows no transfer so near to the due date, now or on the
            last day for acceptance (TR-05).
        RecourseRefusedError: The policy allows no recourse.
        LotTooSmallError, TooManyPartsError, ChainTooLongError: The policy does not let the
            lot be split or passed on like this; nor does the format after 64 assignments.
        FinancingRequiredError: The policy has lots sold for money by a financing alone.
        TermUnjustifiedError: Money is given for a long term, unjustified.
    """
    body = statement.body
    lot = own_free_lot(state, body.lot, by=statement.by)
    if body.amount > lot.amount:
        raise InsufficientHoldingError(lot=lot.lot, held=lot.amount, requested=body.amount)
    voucher = known_voucher(state, lot.voucher)
    rules = rules_in_force(state, now.facts)
    require_assignee(
        state,
        body.assignee,
        assignor=statement.by,
        purpose=body.purpose,
        voucher=voucher,
        rules=rules,
    )
    if (body.purpose is Purpose.SECURITISE) != (body.form is not None):
        raise MalformedError(what="form", reason="belongs to securitise, and only there")
    if body.purpose is not Purpose.SETTLE and body.terms is None:
        raise MalformedError(what="terms", reason=f"{body.purpose} needs confidential terms")
    if body.purpose is Purpose.SETTLE and body.notice is NoticeForm.WITHHELD:
        raise MalformedError(what="notice", reason="is withheld of financing alone")
    if today_at(now).isoformat() >= lot.due_on:
        raise VoucherDueError(voucher=lot.voucher, due_on=lot.due_on)
    accept_by = end_instant(body.accept_by, now)
    if accept_by <= now.time or body.accept_by.isoformat() >= lot.due_on:
        raise DeadlinePassedError(deadline=body.accept_by.isoformat())
    begins = blackout_from(state, rules, lot.due_on)
    if begins is not None and max(body.accept_by, today_at(now)) >= begins:
        raise BlackoutError(lot=lot.lot, due_on=lot.due_on, begins=begins.isoformat())
    require_recourse(rules, lot, recourse=body.recourse)
    require_splitting(rules, lot, body.amount)
    if body.purpose is not Purpose.SETTLE:
        require_no_financing(rules, lot, body.purpose)
        require_justified(voucher, justified=body.term_justification is not None)

    # Past this line the offer must succeed.
    consent = _covering(state, statement, voucher, rules)
    if consent is not None and consent.mode == AcceptanceMode.AUTO:
        return _transferred(state, statement, lot, voucher, consent, now)
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
        withheld=body.notice is NoticeForm.WITHHELD,
        policy=now.facts.policy,
    )
    waits = (offered, DeadlineSet(at=accept_by, kind="transfer.expire", id=statement.sid))
    if consent is None or (until := silent_at(state, consent, now, before=accept_by)) is None:
        return waits
    begun = OfferSilenceBegun(offer=statement.sid, consent=consent.consent, until=until)
    return (*waits, begun, DeadlineSet(at=until, kind="transfer.silence", id=statement.sid))


def _covering(
    state: Rows, statement: Statement[TransferOffer], voucher: Voucher, rules: Rules
) -> Consent | None:
    """Returns the consent that covers an offer; what ends a debt has none (note 15)."""
    body = statement.body
    is_debtors = body.assignee == voucher.debtor
    if is_debtors or not has_room(state, body.assignee, voucher.debtor, body.amount):
        return None
    return covering(
        state,
        rules,
        party=body.assignee,
        purpose=body.purpose,
        assignor=statement.by,
        amount=body.amount,
    )


def _transferred(
    state: Rows,
    statement: Statement[TransferOffer],
    lot: Lot,
    voucher: Voucher,
    consent: Consent,
    now: Now,
) -> tuple[Effect, ...]:
    """Returns what follows under a standing consent: transfer, notices, what is held then."""
    body = statement.body
    transferred = LotTransferred(
        offer=statement.sid,
        lot=lot.lot,
        voucher=lot.voucher,
        assignor=lot.holder,
        assignee=body.assignee,
        amount=Minor(body.amount),
        remainder=Minor(lot.amount - body.amount),
        purpose=body.purpose,
        recourse=body.recourse,
        account=consent.account,
        collection_route=consent.collection_route,
        consent=consent.consent,
        policy=now.facts.policy,
    )
    told = tell(
        state,
        voucher,
        now,
        transfer=statement.sid,
        assignor=lot.holder,
        assignee=body.assignee,
        amount=Minor(body.amount),
        purpose=body.purpose,
        withheld=body.notice is NoticeForm.WITHHELD,
    )
    held = moved(state, voucher.debtor, body.amount, giver=lot.holder, taker=body.assignee)
    return (transferred, *told, *held)


KINDS = (
    Kind(
        name="transfer.offer",
        body=TransferOffer,
        signers=HOLDER_ROLES,
        relation="the lot's holder",
        reads=reads_transfer_offer,
        decide=decide_transfer_offer,
        amount=BodyAmount("amount"),
    ),
)
