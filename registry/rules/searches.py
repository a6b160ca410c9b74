"""Searches elsewhere (查重) over every assignor behind a lot, before money is given for it.

Factoring, pledges and plain assignments are all registered; so whoever finances searches
for each party that ever assigned the claim. Financing names the search.

Source: art. 66 of the interpretation on security; docs/explanation/encumbrances.md.
"""

from typing import Annotated

from pydantic import Field

from registry.burdens import PLEDGES, SEARCHES, PledgeStatus, Search
from registry.dealings import FINANCINGS, FinancingStatus
from registry.effects import Effect, Seal, Touch
from registry.encumbrance_refusals import (
    AheadOfTimeError,
    SearchIncompleteError,
)
from registry.errors import MalformedError
from registry.fields import LENIENT, FileRef, Instant, LotField, MachineText, PartyField
from registry.ids import LotId, PartyId, Sid
from registry.model import ASSIGNMENTS_MAX, HOLDER_ROLES, LOTS, OFFERS
from registry.refusals import (
    LotNotFoundError,
)
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get, where


class Certificate(Body):
    """A certificate that a party was searched for."""

    party: PartyField
    number: MachineText
    searched_at: Instant
    file: FileRef


class RegistrationSearch(Body):
    """Searches elsewhere over every assignor behind a lot, sorted by party."""

    lot: LotField
    certificates: Annotated[
        tuple[Certificate, ...], LENIENT, Field(min_length=1, max_length=ASSIGNMENTS_MAX + 1)
    ]


class SearchRecorded(Effect, frozen=True, kw_only=True):
    """A party has searched for every assignor behind a lot."""

    search: Sid
    lot: LotId
    voucher: Sid
    party: PartyId
    searched_at: int

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the search."""
        row = Search(
            search=self.search,
            lot=self.lot,
            voucher=self.voucher,
            party=self.party,
            searched_at=self.searched_at,
        )
        state.add(SEARCHES, row)


def reads_registration_search(statement: Statement[RegistrationSearch], _now: Now) -> ReadPlan:
    """Asks for offers, pledges and financings of the lot, and for the lot."""
    yield from where(OFFERS, "lot", statement.body.lot)
    yield from where(PLEDGES, "lot", statement.body.lot)
    yield from where(FINANCINGS, "lot", statement.body.lot)
    yield from get(LOTS, statement.body.lot)


def decide_registration_search(
    state: Rows, statement: Statement[RegistrationSearch], now: Now
) -> tuple[Effect, ...]:
    """Keeps that a lot's assignors were searched for, by its holder or by who may become it.

    Raises:
        LotNotFoundError: There is no such live lot, or it is none of the signer's business.
        MalformedError: The certificates are not sorted by party.
        SearchIncompleteError: An assignor behind the lot is left out, or another is in.
        AheadOfTimeError: A search would have been made later than now.
    """
    body = statement.body
    lot = state.get(LOTS, body.lot)
    concerned = {offer.assignee for offer in state.where(OFFERS, "lot", body.lot)}
    concerned |= {
        pledge.pledgee
        for pledge in state.where(PLEDGES, "lot", body.lot)
        if pledge.status not in (PledgeStatus.RELEASED, PledgeStatus.LAPSED)
    }
    concerned |= {
        financing.financier
        for financing in state.where(FINANCINGS, "lot", body.lot)
        if financing.status in (FinancingStatus.APPLIED, FinancingStatus.QUOTED)
    }
    if lot is None or statement.by not in {lot.holder, *concerned}:
        raise LotNotFoundError(lot=body.lot)
    parties = [each.party for each in body.certificates]
    if parties != sorted(set(parties)):
        raise MalformedError(what="certificates", reason="not sorted by party, each once")
    assignors = set(lot.path)
    if set(parties) != assignors:
        covered = len(assignors.intersection(parties))
        raise SearchIncompleteError(lot=lot.lot, covered=covered, assignors=len(assignors))
    latest = max(each.searched_at for each in body.certificates)
    if latest > now.time:
        raise AheadOfTimeError(what="searched_at", at=latest, time=now.time)
    made = SearchRecorded(
        search=statement.sid,
        lot=lot.lot,
        voucher=lot.voucher,
        party=statement.by,
        searched_at=min(each.searched_at for each in body.certificates),
    )
    return (made,)


KINDS = (
    Kind(
        name="registration.search",
        body=RegistrationSearch,
        signers=HOLDER_ROLES,
        relation="the lot's holder, its offer's assignee, its pledgee or a financier asked",
        reads=reads_registration_search,
        decide=decide_registration_search,
    ),
)
