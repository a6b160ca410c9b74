"""Checks that several groups of rules share: whose account, which mandate, what day."""

from datetime import date

from registry.calendars import DAY_MS, date_at, parse_offset, start_of
from registry.effects import DeadlineSet
from registry.errors import InvariantBrokenError
from registry.ids import Kid, PartyId, Sid
from registry.model import ACCOUNTS, CONSENTS, MANDATES, OFFERS, VOUCHERS, Account, Voucher
from registry.refusals import (
    AccountNotVerifiedError,
    AccountUnknownError,
    MandateMissingError,
    NotOwnerError,
)
from registry.statements import Now
from registry.tables import ReadPlan, Rows, where

CANCELLED_AT_ONCE = 400
"""Deadlines that one entry sets after a revocation."""


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
        MandateMissingError: The mandate does not exist or is for another account.
    """
    row = state.get(MANDATES, mandate)
    if row is None or row.account != account:
        raise MandateMissingError(mandate=mandate, account=account)


def reads_signed(kid: str) -> ReadPlan:
    """Asks for what ends with a key: the standing consents and open offers that it signed."""
    yield from where(CONSENTS, "kid", kid)
    yield from where(OFFERS, "kid", kid)


def cancel_signed(state: Rows, kid: Kid, *, at: int) -> tuple[DeadlineSet, ...]:
    """Sets the end of the consents and open offers that a revoked key has signed.

    Args:
        state: Shows them by the key.
        kid: The revoked key.
        at: The instant, which has come: the cancellations are the next entries, by kind and id.

    Returns:
        A deadline each, as many as fit an entry, and one for the others if there are more.
    """
    consents = sorted(row.consent for row in state.where(CONSENTS, "kid", kid))
    offers = sorted(row.offer for row in state.where(OFFERS, "kid", kid))
    ends = [("consent.cancel", consent) for consent in consents]
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
