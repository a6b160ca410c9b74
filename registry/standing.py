"""Standing consents at work: which one covers an offer, and when silence has accepted it.

Silence is consent only by prior signed agreement, so it counts only under the recipient's
own consent of that mode: from the arrival of the offer, in working days of the calendar
that the consent names, unless the recipient rejects it before. What no longer holds when
the time is over (the consent has ended, its account is gone, the due date is too near)
leaves the offer as it is, waiting for an answer until its own deadline.

Source: Civil Code, art. 140; PF-01, acceptance policy NEGATIVE_CONSENT_5BD.
"""

from collections.abc import Generator
from enum import StrEnum
from typing import Any

from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid
from registry.model import ACCOUNTS, CONSENTS, OFFERS, PARTIES, VOUCHERS, Consent
from registry.policy import Rules
from registry.refusals import BeyondCalendarError
from registry.rights import end_instant, known_voucher, today_at
from registry.statements import Now
from registry.tables import MutableRows, Read, Rows, get, replace
from registry.words import AcceptanceMode
from registry.workdays import ask_calendar, calendar_named


class SilenceEnd(StrEnum):
    """What has come of silence until the deadline."""

    ACCEPTED = "accepted"
    NO_CONSENT = "no-consent"
    """The consent has ended or was replaced, or the policy or its account no longer serve."""
    BLACKOUT = "blackout"
    OWES_VOUCHER = "owes-voucher"
    LOT_LOCKED = "lot-locked"
    LOT_BURDENED = "lot-burdened"
    LEDGER_FULL = "ledger-full"
    OVER_LIMIT = "over-limit"
    """The recipient would hold more of the debtor than it wants to (FR-06)."""


class OfferSilenceBegun(Effect, frozen=True, kw_only=True):
    """Unless the assignee rejects the offer before, its silence accepts it at this instant."""

    offer: Sid
    consent: Sid
    until: int

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes it in the offer."""
        offer = state.get(OFFERS, self.offer)
        if offer is None:
            raise InvariantBrokenError(f"silence about no offer {self.offer}")
        state.put(OFFERS, replace(offer, consent=self.consent, silent_at=self.until))


class OfferSilenceEnded(Effect, frozen=True, kw_only=True):
    """The time of silence is over: the offer is accepted, or waits for an answer."""

    offer: Sid
    voucher: Sid
    consent: Sid
    end: str
    policy: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Leaves an offer that waits without the time of silence."""
        offer = state.get(OFFERS, self.offer)
        if offer is not None:
            state.put(OFFERS, replace(offer, consent=None, silent_at=None))


class VoucherSilenceBegun(Effect, frozen=True, kw_only=True):
    """Unless the first holder refuses the voucher before, its silence accepts it then."""

    voucher: Sid
    consent: Sid
    until: int

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes it in the voucher."""
        voucher = known_voucher(state, self.voucher)
        state.put(VOUCHERS, replace(voucher, consent=self.consent, silent_at=self.until))


class VoucherSilenceEnded(Effect, frozen=True, kw_only=True):
    """The time of silence is over: the voucher is accepted, or waits for an answer."""

    voucher: Sid
    consent: Sid
    end: str
    policy: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Leaves the voucher without the time of silence."""
        voucher = known_voucher(state, self.voucher)
        state.put(VOUCHERS, replace(voucher, consent=None, silent_at=None))


def ask_consent(party: PartyId, purpose: str) -> Generator[Read, Any, Consent | None]:
    """Asks for a party's consent for a purpose, and what it counts by; not for its account."""
    consent = yield from get(CONSENTS, party, purpose)
    if consent is not None and consent.calendar is not None:
        yield from ask_calendar(consent.calendar)
    return consent


def covering(
    state: Rows, rules: Rules, *, party: PartyId, purpose: str, assignor: PartyId, amount: int
) -> Consent | None:
    """Returns a party's standing consent, if it covers an offer and can be paid under.

    Args:
        state: Shows the consent and its account.
        rules: The rules in force, which may not know its mode.
        party: Who is offered something.
        purpose: What for.
        assignor: By whom.
        amount: What it is worth, in minor units.
    """
    consent = state.get(CONSENTS, party, purpose)
    if consent is None or not consent.covers(assignor=assignor, amount=amount):
        return None
    account = state.get(ACCOUNTS, consent.account)
    serves = account is not None and account.verified and rules.allows(consent.mode)
    row = state.get(PARTIES, party)
    # What a suspended party may not sign is not signed in its place either.
    return consent if serves and row is not None and row.suspended is None else None


def silent_at(state: Rows, consent: Consent, now: Now, *, before: int) -> int | None:
    """Returns the instant at which silence accepts what arrives now.

    Args:
        state: Shows the calendar.
        consent: The recipient's, of mode `silence`.
        now: The arrival.
        before: The offer's own deadline, in milliseconds: silence is no answer after it.

    Returns:
        Milliseconds; None if the calendar does not reach so far, or the deadline comes first.
    """
    if consent.mode != AcceptanceMode.SILENCE or consent.calendar is None:
        return None
    calendar = calendar_named(state, consent.calendar)
    try:
        last = calendar.add_working_days(today_at(now), consent.working_days or 1)
    except BeyondCalendarError:
        return None
    until = end_instant(last, now)
    return until if until < before else None
