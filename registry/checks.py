"""The checks that come before a kind's own rules: steps 6 to 8 of the documented order.

They ask who signs: the key and its person, the moment, the answered statement, the
party's roles, and what its rules say about a second person.

Source: docs/formats.md, Order of checks.
"""

from collections.abc import Callable, Sequence
from typing import Any

from registry.canonical import b64url_encode
from registry.errors import KeyNotOfPartyError, KeyRevokedError, KeyUnknownError, KeyUseError
from registry.ids import is_vehicle, trustee_of
from registry.model import PARTIES, Party
from registry.people import APPROVAL_RULES, KEYS, Duty, KeyRecord
from registry.people_refusals import (
    DutyMissingError,
    OverLimitError,
    PersonMissingError,
    SuspendedError,
)
from registry.refusals import AnswerMissingError, LifetimeError, RoleMissingError, SeenDiffersError
from registry.statements import CLOCK_SKEW, LIFETIME_MAX, Kind, Now, Statement
from registry.tables import ReadPlan, Record, Rows, Table, get, where

RootAt = Callable[[int], bytes]
"""Returns the log's root at an earlier size."""


class Needed(Record, frozen=True, kw_only=True):
    """The approvals that a statement waits for."""

    approvals: int
    final: bool
    hours: int


def reads_signer(statement: Statement[Any], kind: Kind[Any]) -> ReadPlan:
    """Asks for the parties whose keys and rules are asked about, and for the rules, if any."""
    party = yield from get(PARTIES, statement.by)
    if is_vehicle(statement.by):
        party = yield from get(PARTIES, trustee_of(statement.by))
    if kind.waits and party is not None and party.policy is not None:
        yield from where(APPROVAL_RULES, "party", party.party)


def check_key(state: Rows, statement: Statement[Any], kind: Kind[Any]) -> KeyRecord:
    """Checks that the key may sign such a statement for the party that it names.

    Raises:
        KeyUnknownError: There is no such key.
        KeyNotOfPartyError: It is another party's.
        KeyUseError: It is for another use.
        KeyRevokedError: An earlier entry has revoked it.
        DutyMissingError: Its person has another duty.
    """
    key = state.get(KEYS, statement.kid)
    if key is None:
        raise KeyUnknownError(kid=statement.kid)
    if key.party != trustee_of(statement.by):
        raise KeyNotOfPartyError(kid=statement.kid, by=statement.by)
    if key.use not in kind.uses:
        raise KeyUseError(kid=statement.kid, use=key.use, needed=" or ".join(sorted(kind.uses)))
    if key.revoked is not None:
        raise KeyRevokedError(kid=statement.kid, revoked=key.revoked)
    if key.duty is not None and Duty(key.duty) not in kind.duties:
        duties = " or ".join(sorted(kind.duties))
        raise DutyMissingError(kid=key.kid, duty=key.duty, kind=kind.name, duties=duties)
    return key


def check_lifetime(statement: Statement[Any], now: Now) -> None:
    """Checks that the entry's time lies in the statement's lifetime.

    Raises:
        LifetimeError: It does not, or that is too long.
    """
    seconds = now.time // 1000
    first, end = statement.iat - CLOCK_SKEW, statement.exp
    if not first <= seconds < end or statement.exp - statement.iat > LIFETIME_MAX:
        raise LifetimeError(time=seconds, first=first, end=end)


def check_seen(statement: Statement[Any], now: Now, root_at: RootAt) -> None:
    """Checks that the log which the signer saw is this one.

    Raises:
        SeenDiffersError: It is another, or longer than this one.
    """
    if statement.seen is None:
        return
    seen = statement.seen
    if seen.size > now.index or root_at(seen.size) != seen.root:
        raise SeenDiffersError(size=seen.size, root=b64url_encode(seen.root))


def check_answer(
    state: Rows, statement: Statement[Any], kind: Kind[Any], tables: Sequence[Table[Any]]
) -> None:
    """Checks that `re` names something open that this kind answers.

    Raises:
        AnswerMissingError: It does not.
    """
    if not tables and statement.re is None:
        return
    if statement.re is None or not any(state.get(table, statement.re) for table in tables):
        raise AnswerMissingError(
            kind=kind.name,
            answers=" or ".join(kind.answers) or "nothing",
            re=statement.re or "(there is no re)",
        )


def check_signer(state: Rows, statement: Statement[Any], kind: Kind[Any]) -> Party | None:
    """Checks that the party may sign such a statement now.

    Returns:
        The party whose people sign: a vehicle's trustee. None for kinds without a role.

    Raises:
        RoleMissingError: It is not admitted in a role that may.
        SuspendedError: It, or a vehicle's trustee, is suspended.
    """
    if not kind.signers:
        return None
    party = state.get(PARTIES, statement.by)
    if party is None or not kind.signers.intersection(party.roles):
        roles = " or ".join(sorted(kind.signers))
        raise RoleMissingError(by=statement.by, roles=roles)
    if is_vehicle(statement.by):
        _check_standing(party, kind)
        party = state.get(PARTIES, trustee_of(statement.by))
    if party is not None:
        _check_standing(party, kind)
    return party


def _check_standing(party: Party, kind: Kind[Any]) -> None:
    """Checks that a party is not suspended, or may sign this nevertheless."""
    if party.suspended is not None and not kind.while_suspended:
        raise SuspendedError(party=party.party, suspension=party.suspended)


def check_limit(
    state: Rows, statement: Statement[Any], kind: Kind[Any], key: KeyRecord | None
) -> None:
    """Checks that the key may sign for the amount.

    Raises:
        OverLimitError: It is above the key's limit.
    """
    if key is None or key.limit is None or kind.amount is None:
        return
    amount = kind.amount(state, statement)
    if amount > key.limit:
        raise OverLimitError(kid=key.kid, limit=str(key.limit), amount=str(amount))


def needed_approvals(
    state: Rows, statement: Statement[Any], kind: Kind[Any], party: Party | None
) -> Needed | None:
    """Returns the approvals that a party's rules ask for, None for none.

    What changes who controls the party is held to the strictest of its rules.
    """
    if party is None or party.policy is None or not kind.waits:
        return None
    rules = state.where(APPROVAL_RULES, "party", party.party)
    if not kind.guards:
        amount = 0 if kind.amount is None else kind.amount(state, statement)
        rules = tuple(r for r in rules if r.kind == kind.name and amount >= r.minimum)
    if not rules:
        return None
    return Needed(
        approvals=max(rule.approvals for rule in rules),
        final=any(rule.final for rule in rules),
        hours=max(rule.hours for rule in rules),
    )


def require_person(key: KeyRecord) -> str:
    """Returns the person of a key.

    Raises:
        PersonMissingError: It names none, so nobody can tell two people apart.
    """
    if key.person is None:
        raise PersonMissingError(kid=key.kid)
    return key.person
