"""How much may be owed and held: debtors' limits, groups', and financiers' own per debtor.

What a debtor owes on vouchers counts from the issue, whether accepted or not, until
it is paid or cancelled. The registrar sets a debtor's limit; the head of a group
allocates of its own to members, and what it has allocated it cannot use itself.

Source: FR-06.
"""

from registry.credit import DEBTORS, EXPOSURES
from registry.debts import debtor_of, exposure_of
from registry.effects import Effect, Seal, Touch
from registry.fields import Amount, FileRef, PartyField
from registry.ids import PartyId
from registry.model import PARTIES, Role
from registry.people import AFFILIATIONS
from registry.refusals import (
    AllocationError,
    LimitSourceError,
    NotHolderRoleError,
)
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, get_many, replace, where


class LimitSet(Body):
    """How much a debtor may owe on vouchers, and on what ground."""

    party: PartyField
    amount: Amount
    basis: FileRef


class LimitAllocate(Body):
    """How much of the signer's limit a member of its group may use."""

    member: PartyField
    amount: Amount


class ExposureLimit(Body):
    """How much the signer wants to hold of a debtor's vouchers at the most."""

    debtor: PartyField
    amount: Amount


class DebtorLimited(Effect, frozen=True, kw_only=True):
    """A party may owe so much on vouchers from the next entry on."""

    party: PartyId
    amount: Minor
    source: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the limit; a group's head gives that away, and gets back what it gave before."""
        row = debtor_of(state, self.party)
        if row.source is not None and row.limit is not None:
            _allocate(state, row.source, -row.limit)
        _allocate(state, self.source, self.amount)
        state.put(DEBTORS, replace(row, limit=self.amount, source=self.source))


def _allocate(state: MutableRows, source: PartyId, amount: int) -> None:
    """Adds to what a head has allocated of its limit; the registrar has none."""
    head = state.get(DEBTORS, source)
    if head is not None and head.limit is not None:
        state.put(DEBTORS, replace(head, allocated=Minor(head.allocated + amount)))


class ExposureLimited(Effect, frozen=True, kw_only=True):
    """A financier holds no more of a debtor's vouchers than this."""

    financier: PartyId
    debtor: PartyId
    amount: Minor

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the limit."""
        row = exposure_of(state, self.financier, self.debtor)
        state.put(EXPOSURES, replace(row, limit=self.amount))


def reads_limit_set(statement: Statement[LimitSet], _now: Now) -> ReadPlan:
    """Asks for the debtor, and for the head that has set its limit."""
    row = yield from get(DEBTORS, statement.body.party)
    yield from get(DEBTORS, statement.by)
    yield from get(PARTIES, statement.body.party)
    if row is not None and row.source is not None:
        yield from get(DEBTORS, row.source)
        yield from where(AFFILIATIONS, "first", min(row.source, row.party))


def decide_limit_set(state: Rows, statement: Statement[LimitSet], _now: Now) -> tuple[Effect, ...]:
    """Sets how much a debtor may owe on vouchers; what it owes already stands.

    Who has left its group has no head any more, and the head gets back what it gave.

    Raises:
        NotHolderRoleError: The party is not admitted in a role in which it may owe.
        LimitSourceError: The head of the party's group sets its limit.
    """
    body = statement.body
    _require_participant(state, body.party)
    row = debtor_of(state, body.party)
    if row.source not in (None, statement.by) and _belong_together(state, row.source, body.party):
        raise LimitSourceError(party=body.party, source=row.source)
    return (DebtorLimited(party=body.party, amount=Minor(body.amount), source=statement.by),)


def _require_participant(state: Rows, party: PartyId) -> None:
    """Checks that a party may owe vouchers.

    Raises:
        NotHolderRoleError: It may not.
    """
    row = state.get(PARTIES, party)
    if row is None or Role.PARTICIPANT not in row.roles:
        raise NotHolderRoleError(party=party)


def reads_limit_allocate(statement: Statement[LimitAllocate], _now: Now) -> ReadPlan:
    """Asks for both debtors, and whether they belong together."""
    yield from get_many(DEBTORS, (statement.by, statement.body.member))
    yield from get(PARTIES, statement.body.member)
    yield from where(AFFILIATIONS, "first", min(statement.by, statement.body.member))


def _belong_together(state: Rows, one: PartyId, other: PartyId) -> bool:
    """Tells whether the registrar has declared that two parties belong together."""
    first, second = sorted((one, other))
    return any(pair.second == second for pair in state.where(AFFILIATIONS, "first", first))


def decide_limit_allocate(
    state: Rows, statement: Statement[LimitAllocate], now: Now
) -> tuple[Effect, ...]:
    """Gives a member of the signer's group part of the signer's limit, or another part.

    Raises:
        NotHolderRoleError: The member is not admitted in a role in which it may owe.
        AllocationError: The signer is the member, has no limit, or does not belong together
            with the member: who could limit strangers could stop them.
        LimitSourceError: The signer's limit is allocated itself, or somebody else sets the
            member's.
        AllocationError: Less is left of the signer's limit, or the member uses more already.
    """
    body, head = statement.body, debtor_of(state, statement.by)
    _require_participant(state, body.member)
    member = debtor_of(state, body.member)
    if body.member == statement.by or head.limit is None:
        raise AllocationError(member=body.member, amount=body.amount, reason="there is no limit")
    if not _belong_together(state, statement.by, body.member):
        reason = "the two are not declared to belong together"
        raise AllocationError(member=body.member, amount=body.amount, reason=reason)
    if head.source != now.facts.registrar:
        raise LimitSourceError(party=statement.by, source=head.source or "")
    if member.source not in (None, statement.by):
        raise LimitSourceError(party=body.member, source=member.source)
    before = member.limit or 0
    if not head.allows(body.amount - before):
        left = head.limit - head.outstanding - head.allocated + before
        raise AllocationError(member=body.member, amount=body.amount, reason=f"{left} is left")
    if member.outstanding + member.allocated > body.amount:
        used = member.outstanding + member.allocated
        raise AllocationError(member=body.member, amount=body.amount, reason=f"{used} is used")
    return (DebtorLimited(party=body.member, amount=Minor(body.amount), source=statement.by),)


def reads_exposure_limit(statement: Statement[ExposureLimit], _now: Now) -> ReadPlan:
    """Asks for what the signer holds of the debtor."""
    yield from get(EXPOSURES, statement.by, statement.body.debtor)


def decide_exposure_limit(
    _state: Rows, statement: Statement[ExposureLimit], _now: Now
) -> tuple[Effect, ...]:
    """Sets how much of a debtor's vouchers the signer wants to hold; what it holds stands."""
    limited = ExposureLimited(
        financier=statement.by,
        debtor=statement.body.debtor,
        amount=Minor(statement.body.amount),
    )
    return (limited,)


KINDS = (
    Kind(
        name="limit.set",
        body=LimitSet,
        signers=frozenset({Role.REGISTRAR}),
        relation="the registrar",
        reads=reads_limit_set,
        decide=decide_limit_set,
    ),
    Kind(
        name="limit.allocate",
        body=LimitAllocate,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the head of a group, of its own limit",
        reads=reads_limit_allocate,
        decide=decide_limit_allocate,
    ),
    Kind(
        name="exposure.limit",
        body=ExposureLimit,
        signers=frozenset({Role.FINANCIER}),
        relation="the financier whose limit it is",
        reads=reads_exposure_limit,
        decide=decide_exposure_limit,
    ),
)
