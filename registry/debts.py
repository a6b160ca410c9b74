"""What debtors owe on vouchers, what financiers hold of them, and how far both may go.

What a debtor owes counts from the issue, accepted or not, until it is paid or cancelled.
What a financier holds of a debtor counts while it holds it.

Source: FR-06, RG-09.
"""

from collections.abc import Iterable

from registry.credit import DEBTORS, EXPOSURES, STOPS, Debtor, Exposure, IssuanceStop
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid
from registry.model import PARTIES, Party, Role
from registry.refusals import DebtorLimitError, ExposureLimitError, IssuanceStoppedError
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, replace, where

# --- What debtors owe -------------------------------------------------------------


def debtor_of(state: Rows, party: PartyId) -> Debtor:
    """Returns what a party owes; nothing, if it never issued."""
    return state.get(DEBTORS, party) or Debtor(party=party, outstanding=Minor(0))


def reads_debtor(party: PartyId) -> ReadPlan:
    """Asks for what a party owes."""
    yield from get(DEBTORS, party)


def owe(state: MutableRows, party: PartyId, amount: int) -> None:
    """Adds to what a party owes on vouchers; a negative amount takes away from it.

    Raises:
        InvariantBrokenError: It would owe less than nothing.
    """
    row = debtor_of(state, party)
    outstanding = Minor(row.outstanding + amount)
    if outstanding < 0:
        raise InvariantBrokenError(f"{party} owes less than nothing")
    state.put(DEBTORS, replace(row, outstanding=outstanding))


def require_limit(state: Rows, party: PartyId, amount: int) -> None:
    """Checks that a debtor may promise so much more.

    Raises:
        DebtorLimitError: It may not.
    """
    row = debtor_of(state, party)
    if not row.allows(amount):
        raise DebtorLimitError(
            debtor=party,
            outstanding=row.outstanding,
            allocated=row.allocated,
            requested=amount,
            limit=row.limit or 0,
        )


def reads_stops(party: PartyId) -> ReadPlan:
    """Asks for what stops a debtor's issues."""
    yield from where(STOPS, "party", party)


def require_not_stopped(state: Rows, party: PartyId) -> None:
    """Checks that a debtor may issue.

    Raises:
        IssuanceStoppedError: It may not.
    """
    reasons = ", ".join(row.reason for row in state.where(STOPS, "party", party))
    if reasons:
        raise IssuanceStoppedError(debtor=party, reasons=reasons)


class IssuanceStopped(Effect, frozen=True, kw_only=True):
    """A debtor may issue nothing for this reason."""

    party: PartyId
    reason: str
    statement: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the debtor."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the stop."""
        row = IssuanceStop(party=self.party, reason=self.reason, statement=self.statement)
        state.put(STOPS, row)


# --- What financiers hold ---------------------------------------------------------


class ExposureChanged(Effect, frozen=True, kw_only=True):
    """A financier holds so much of a debtor's vouchers now."""

    financier: PartyId
    debtor: PartyId
    held: Minor

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes what is held."""
        row = exposure_of(state, self.financier, self.debtor)
        state.put(EXPOSURES, replace(row, held=self.held))


def exposure_of(state: Rows, financier: PartyId, debtor: PartyId) -> Exposure:
    """Returns what a financier holds of a debtor."""
    found = state.get(EXPOSURES, financier, debtor)
    return found or Exposure(financier=financier, debtor=debtor, held=Minor(0))


def is_exposed(party: Party | None) -> bool:
    """Tells whether what a party holds is counted: a financier's is."""
    return party is not None and Role.FINANCIER in party.roles


def reads_held(parties: Iterable[Party | None], debtor: PartyId) -> ReadPlan:
    """Asks for what those of the parties whose holdings are counted hold of a debtor."""
    for party in parties:
        if party is not None and is_exposed(party):
            yield from get(EXPOSURES, party.party, debtor)


def has_room(state: Rows, financier: PartyId, debtor: PartyId, amount: int) -> bool:
    """Tells whether a party wants to hold so much more of a debtor; only financiers say."""
    if not is_exposed(state.get(PARTIES, financier)):
        return True
    row = exposure_of(state, financier, debtor)
    return row.limit is None or row.held + amount <= row.limit


def require_room(state: Rows, financier: PartyId, debtor: PartyId, amount: int) -> None:
    """Checks a financier's own limit.

    Raises:
        ExposureLimitError: It would hold more of the debtor than it wants to.
    """
    if not has_room(state, financier, debtor, amount):
        row = exposure_of(state, financier, debtor)
        raise ExposureLimitError(
            financier=financier,
            held=row.held,
            debtor=debtor,
            requested=amount,
            limit=row.limit or 0,
        )


def moved(
    state: Rows,
    debtor: PartyId,
    amount: int,
    *,
    giver: PartyId | None = None,
    taker: PartyId | None = None,
) -> tuple[ExposureChanged, ...]:
    """Returns how a change of hands changes what financiers hold of a debtor.

    Args:
        state: Shows both parties and what they hold.
        debtor: Whose vouchers.
        amount: How much changes hands.
        giver: Who gives it away; None if nobody held it before.
        taker: Who takes it; None if nobody holds it then.
    """
    changes = []
    for party, change in ((giver, -amount), (taker, amount)):
        if party is not None and is_exposed(state.get(PARTIES, party)):
            held = Minor(exposure_of(state, party, debtor).held + change)
            changes.append(ExposureChanged(financier=party, debtor=debtor, held=held))
    return tuple(changes)
