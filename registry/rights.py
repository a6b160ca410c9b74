"""Checks that several groups of rules share: whose account, which mandate, what day."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated

from pydantic import Field

from registry.calendars import DAY_MS, date_at, parse_offset, start_of
from registry.dealings import EARLY_PAYMENTS, FINANCINGS
from registry.effects import DeadlineSet
from registry.encumbrance_refusals import LotBurdenedError
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, LotField
from registry.ids import Kid, LotId, PartyId, Sid
from registry.model import (
    ACCOUNTS,
    CONSENTS,
    LOTS,
    MANDATES,
    OFFERS,
    VOUCHERS,
    Account,
    Lot,
    LotStatus,
    Voucher,
)
from registry.people import APPROVALS, PENDING, ApprovalRule, Duty, KeyRecord, KeyUse, Pending
from registry.people_refusals import TooFewPeopleError
from registry.refusals import (
    AccountNotVerifiedError,
    AccountUnknownError,
    LotLockedError,
    LotNotFoundError,
    MandateMissingError,
    NotHolderError,
    NotOwnerError,
    NotSoleHolderError,
)
from registry.statements import Now
from registry.tables import ReadPlan, Rows, where

LOTS_MAX = 256
"""Lots that one statement can name as all of a voucher."""

CANCEL_EARLY = "early.cancel"
CANCEL_FINANCING = "financing.cancel"
"""Kinds of the deadlines at which a revoked key's offers and financings end."""

CANCELLED_AT_ONCE = 400
"""Deadlines that one entry sets after a revocation."""


def own_free_lot(state: Rows, lot: LotId, *, by: PartyId) -> Lot:
    """Returns a lot with which its holder can do what it likes.

    Raises:
        LotNotFoundError: There is no such live lot.
        NotHolderError: The signer does not hold it.
        LotLockedError: It is offered, reserved or held.
        LotBurdenedError: It is pledged or frozen.
    """
    row = state.get(LOTS, lot)
    if row is None:
        raise LotNotFoundError(lot=lot)
    if row.holder != by:
        raise NotHolderError(lot=row.lot, by=by)
    if row.status != LotStatus.FREE:
        raise LotLockedError(lot=row.lot, status=row.status)
    if row.burdens:
        raise LotBurdenedError(lot=row.lot, burden=row.burdens[0])
    return row


Lots = Annotated[tuple[LotField, ...], LENIENT, Field(max_length=LOTS_MAX)]
"""All lots of a voucher, as who holds them names them: so nobody has to look for them."""


def require_all(state: Rows, voucher: Voucher, lots: Sequence[str], *, by: PartyId) -> None:
    """Checks that lots are all that is owed on a voucher, and the signer's to do what it likes.

    Raises:
        MalformedError: They are not sorted and unique.
        LotNotFoundError, NotHolderError, LotLockedError, LotBurdenedError: One is not.
        NotSoleHolderError: One is another voucher's, or they are not all.
    """
    if [*lots] != sorted({*lots}):
        raise MalformedError(what="lots", reason="not sorted, or one stands twice")
    found = [own_free_lot(state, LotId(lot), by=by) for lot in lots]
    owed = voucher.face - voucher.discharged - voucher.cancelled
    is_all = sum(lot.amount for lot in found) == owed
    if not is_all or any(lot.voucher != voucher.voucher for lot in found):
        raise NotSoleHolderError(voucher=voucher.voucher, by=by)


def require_account(state: Rows, account: Sid, *, owner: PartyId) -> Account:
    """Returns an account that can be named as payer or payee.

    Raises:
        AccountUnknownError: There is no such account.
        NotOwnerError: It is another party's.
        AccountNotVerifiedError: Its bank has not verified it.
    """
    row = state.get(ACCOUNTS, account)
    if row is None:
        raise AccountUnknownError(account=account)
    if row.owner != owner:
        raise NotOwnerError(account=account, by=owner)
    if not row.verified:
        raise AccountNotVerifiedError(account=account)
    return row


def require_mandate(state: Rows, mandate: Sid, *, account: Sid) -> None:
    """Checks the authority to debit an account.

    Raises:
        MandateMissingError: The mandate does not exist, is for another account or for one way
            out of it alone, or is revoked.
    """
    row = state.get(MANDATES, mandate)
    if row is None or (row.account, row.onto, row.revoked) != (account, None, None):
        raise MandateMissingError(mandate=mandate, account=account)


def reads_signed(kid: str) -> ReadPlan:
    """Asks for what ends with a key: what it made wait, and what nobody has acted on."""
    yield from where(PENDING, "kid", kid)
    yield from where(APPROVALS, "kid", kid)
    yield from where(OFFERS, "kid", kid)
    yield from where(CONSENTS, "kid", kid)
    yield from where(EARLY_PAYMENTS, "kid", kid)
    yield from where(FINANCINGS, "kid", kid)
    yield from where(FINANCINGS, "quoted_by", kid)


def cancel_signed(state: Rows, kid: Kid, *, at: int) -> tuple[DeadlineSet, ...]:
    """Sets the end of what a revoked key has signed and what still depends on it.

    Args:
        state: Shows them by the key.
        kid: The revoked key.
        at: The instant, which has come: the cancellations are the next entries, by kind and id.

    Returns:
        A deadline each, as many as fit an entry, and one for the others if there are more.
    """
    approvals = sorted(row.approval for row in state.where(APPROVALS, "kid", kid))
    consents = sorted(row.consent for row in state.where(CONSENTS, "kid", kid))
    waiting = sorted(row.statement for row in state.where(PENDING, "kid", kid))
    offers = sorted(row.offer for row in state.where(OFFERS, "kid", kid))
    early = sorted(row.early for row in state.where(EARLY_PAYMENTS, "kid", kid))
    financed = (*state.where(FINANCINGS, "kid", kid), *state.where(FINANCINGS, "quoted_by", kid))
    # In the order in which deadlines of one instant come.
    ends = [("approval.cancel", approval) for approval in approvals]
    ends += [("consent.cancel", consent) for consent in consents]
    ends += [(CANCEL_EARLY, offer) for offer in early]
    ends += [(CANCEL_FINANCING, made) for made in sorted({row.financing for row in financed})]
    ends += [("pending.cancel", statement) for statement in waiting]
    ends += [("transfer.cancel", offer) for offer in offers]
    deadlines = [DeadlineSet(at=at, kind=kind, id=sid) for kind, sid in ends[:CANCELLED_AT_ONCE]]
    if len(ends) > CANCELLED_AT_ONCE:
        deadlines.append(DeadlineSet(at=at, kind="transfer.cancel-more", id=kid))
    return tuple(deadlines)


def today_at(now: Now) -> date:
    """Returns the business day of a decision, in the ledger's zone."""
    return date_at(now.time, offset_minutes=parse_offset(now.facts.zone))


def start_instant(day: date, now: Now) -> int:
    """Returns the instant at which a day begins in the ledger's zone."""
    return start_of(day, offset_minutes=parse_offset(now.facts.zone))


def end_instant(day: date, now: Now) -> int:
    """Returns the instant at which "by the end of `day`" is over: the start of the next.

    The zone is a fixed offset, so that every day has the same length; the last day that
    can be written, 9999-12-31, has an end too.
    """
    return start_instant(day, now) + DAY_MS


def known_voucher(state: Rows, voucher: Sid) -> Voucher:
    """Returns a voucher that an earlier entry has made."""
    row = state.get(VOUCHERS, voucher)
    if row is None:
        raise InvariantBrokenError(f"no voucher {voucher}")
    return row


def known_pending(state: Rows, statement: str) -> Pending:
    """Returns a statement that waits."""
    row = state.get(PENDING, statement)
    if row is None:
        raise InvariantBrokenError(f"statement {statement} does not wait")
    return row


def require_people(
    party: PartyId, keys: Iterable[KeyRecord], rules: Iterable[ApprovalRule]
) -> None:
    """Checks that a party has the people to meet its rules: one who makes, others who approve.

    Raises:
        TooFewPeopleError: It does not; nothing that the rules hold back could ever stand.
    """
    hands = {
        (key.person, key.duty)
        for key in keys
        if key.use == KeyUse.SIGN and key.revoked is None and key.person is not None
    }
    makers = {person for person, duty in hands if duty in (None, Duty.MAKER)}
    checkers = {person for person, duty in hands if duty != Duty.MAKER}
    finals = {person for person, duty in hands if duty == Duty.FINAL}
    for rule in rules:
        if not any(
            len(checkers - {maker}) >= rule.approvals and (not rule.final or finals - {maker})
            for maker in makers
        ):
            needed = f"a maker, {rule.approvals} who approve{', one in the end' * rule.final}"
            people = ", ".join(sorted({str(person) for person, _ in hands})) or "nobody"
            raise TooFewPeopleError(party=party, people=people, needed=needed)
