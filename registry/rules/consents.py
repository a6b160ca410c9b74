"""Standing consents: an assignee's signed word to take what it will be offered.

Silence is consent only by prior signed agreement. An assignee grants one consent for
each purpose; under it an offer is effective at once, in the offer's own entry, or by
silence: after some working days without a rejection. Vouchers that are issued to it
it can consent to by silence. A new grant replaces the former. It ends by withdrawal,
or with the key that signed it.

Source: Civil Code, art. 140; PF-01, acceptance policies AUTO and NEGATIVE_CONSENT_5BD.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from registry.effects import DeadlineCleared, Due, Effect, Seal, Touch
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, Amount, MachineText, PartyField, SidField
from registry.ids import Kid, PartyId, Sid
from registry.model import ACCOUNTS, CALENDARS, CONSENTS, GRANTS, HOLDER_ROLES, Consent, Grant
from registry.policy import WorkingDays, ask_rules, rules_in_force
from registry.refusals import CalendarUnknownError, ModeRefusedError, NotGrantorError
from registry.rights import require_account
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get
from registry.words import AcceptanceMode, ConsentPurpose

ASSIGNORS_MAX = 64
"""Assignors that one consent may name."""


class Silence(Body):
    """How long the assignee is silent before what it was offered is effective."""

    calendar: MachineText
    working_days: WorkingDays


class ConsentGrant(Body):
    """An assignee's consent to offers for one purpose, and where it is then to be paid.

    Without `assignors` it covers anybody's offers, without `minimum` any amount. With
    `silence` they are effective by silence, without it at once. `collection_route` is as
    in an acceptance.
    """

    purpose: Annotated[ConsentPurpose, LENIENT]
    assignors: (
        Annotated[tuple[PartyField, ...], LENIENT, Field(min_length=1, max_length=ASSIGNORS_MAX)]
        | None
    ) = None
    minimum: Amount | None = None
    account: SidField
    collection_route: bool
    silence: Silence | None = None


class ConsentWithdraw(Body):
    """The assignee's withdrawal of its consent; what became effective under it stands."""


class ConsentEnd(StrEnum):
    """How a consent ended without another in its place."""

    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"


class ConsentGranted(Effect, frozen=True, kw_only=True):
    """A party's consent for a purpose stands from the next entry on."""

    consent: Sid
    party: PartyId
    purpose: str
    assignors: tuple[str, ...]
    minimum: Minor
    account: Sid
    collection_route: bool
    kid: Kid
    mode: str
    policy: Sid
    working_days: int | None = None
    calendar: str | None = None
    replaces: Sid | None = None

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party, so that its history holds what it consented to."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the consent in the place of the one that it replaces."""
        row = Consent(
            consent=self.consent,
            party=self.party,
            purpose=self.purpose,
            assignors=self.assignors,
            minimum=self.minimum,
            account=self.account,
            collection_route=self.collection_route,
            kid=self.kid,
            mode=self.mode,
            working_days=self.working_days,
            calendar=self.calendar,
        )
        if self.replaces is not None:
            state.delete(GRANTS, self.replaces)
        grant = Grant(consent=self.consent, party=self.party, purpose=self.purpose)
        state.put(CONSENTS, row)
        state.put(GRANTS, grant)


class ConsentEnded(Effect, frozen=True, kw_only=True):
    """A consent covers nothing after this entry."""

    consent: Sid
    party: PartyId
    purpose: str
    end: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party, so that its history holds what it consented to."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Deletes the consent."""
        if state.get(GRANTS, self.consent) is None:
            raise InvariantBrokenError(f"no consent {self.consent}")
        state.delete(CONSENTS, self.party, self.purpose)
        state.delete(GRANTS, self.consent)


def reads_consent_grant(statement: Statement[ConsentGrant], now: Now) -> ReadPlan:
    """Asks for the policy, the consent that it replaces, the calendar and the account."""
    yield from ask_rules(now)
    yield from get(CONSENTS, statement.by, statement.body.purpose.value)
    if statement.body.silence is not None:
        yield from get(CALENDARS, statement.body.silence.calendar)
    yield from get(ACCOUNTS, statement.body.account)


def decide_consent_grant(
    state: Rows, statement: Statement[ConsentGrant], now: Now
) -> tuple[Effect, ...]:
    """Consents in advance to offers for one purpose, in the place of an earlier consent.

    Whether the signer may take what is offered is asked of each offer.

    Raises:
        MalformedError: The assignors are not sorted and unique, or it is to vouchers and
            not by silence.
        ModeRefusedError: The policy does not know the mode.
        CalendarUnknownError: The calendar by which to count is not published.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The payee account.
    """
    body = statement.body
    assignors = body.assignors or ()
    if list(assignors) != sorted(set(assignors)):
        raise MalformedError(what="assignors", reason="not sorted and unique")
    silence = body.silence
    if body.purpose is ConsentPurpose.ISSUE and silence is None:
        raise MalformedError(what="silence", reason="a voucher is never accepted at once")
    mode = AcceptanceMode.AUTO if silence is None else AcceptanceMode.SILENCE
    if not rules_in_force(state, now.facts).allows(mode):
        raise ModeRefusedError(mode=mode)
    if silence is not None and state.get(CALENDARS, silence.calendar) is None:
        raise CalendarUnknownError(calendar=silence.calendar)
    require_account(state, body.account, owner=statement.by)
    former = state.get(CONSENTS, statement.by, body.purpose.value)
    granted = ConsentGranted(
        consent=statement.sid,
        party=statement.by,
        purpose=body.purpose,
        assignors=assignors,
        minimum=Minor(body.minimum or 1),
        account=body.account,
        collection_route=body.collection_route,
        kid=statement.kid,
        mode=mode,
        policy=now.facts.policy,
        working_days=None if silence is None else silence.working_days,
        calendar=None if silence is None else silence.calendar,
        replaces=None if former is None else former.consent,
    )
    return (granted,)


def _known_grant(state: Rows, consent: str) -> Grant:
    """Returns a consent that stands."""
    grant = state.get(GRANTS, consent)
    if grant is None:
        raise InvariantBrokenError(f"no consent {consent}")
    return grant


def _ended(grant: Grant, end: ConsentEnd) -> ConsentEnded:
    """Returns the effect that a consent has ended."""
    return ConsentEnded(consent=grant.consent, party=grant.party, purpose=grant.purpose, end=end)


def decide_consent_withdraw(
    state: Rows, statement: Statement[ConsentWithdraw], _now: Now
) -> tuple[Effect, ...]:
    """Withdraws a standing consent: later offers wait for an answer again.

    Raises:
        NotGrantorError: The consent is another party's.
    """
    grant = _known_grant(state, statement.re or "")
    if grant.party != statement.by:
        raise NotGrantorError(consent=grant.consent, by=statement.by)
    return (_ended(grant, ConsentEnd.WITHDRAWN),)


def reads_consent_cancel(due: Due, _now: Now) -> ReadPlan:
    """Asks for the grant."""
    yield from get(GRANTS, due.id)


def decide_consent_cancel(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends a consent signed with a key that was just revoked."""
    ended = _ended(_known_grant(state, due.id), ConsentEnd.CANCELLED)
    return (ended, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))


KINDS = (
    Kind(
        name="consent.grant",
        body=ConsentGrant,
        signers=HOLDER_ROLES,
        relation="the assignee to be",
        reads=reads_consent_grant,
        decide=decide_consent_grant,
    ),
    Kind(
        name="consent.withdraw",
        body=ConsentWithdraw,
        signers=HOLDER_ROLES,
        relation="who granted the consent",
        answers={"consent.grant": GRANTS},
        decide=decide_consent_withdraw,
        while_suspended=True,
    ),
)

TIMED = (
    TimedKind(name="consent.cancel", reads=reads_consent_cancel, decide=decide_consent_cancel),
)
