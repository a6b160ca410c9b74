"""The rulebook: all kinds, effects and tables together, and the order of checks.

The engine, the auditor and the stores are handed a rulebook and import no rule; each
package exports its `KINDS`, `TIMED` and `TABLES`, and the sum of them is the program.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from registry.canonical import b64url_encode
from registry.effects import Due, Effect
from registry.errors import KeyNotOfPartyError, KeyRevokedError, KeyUnknownError, KeyUseError
from registry.ids import trustee_of
from registry.model import KEYS, PARTIES, TABLES, KeyUse
from registry.refusals import (
    AnswerMissingError,
    LifetimeError,
    NotStartedError,
    RoleMissingError,
    SeenDiffersError,
)
from registry.rules import (
    acceptance,
    accession,
    accessories,
    accounts,
    answers,
    consents,
    cutoffs,
    disputes,
    freezes,
    keys,
    ledger,
    limits,
    notices,
    parties,
    pledges,
    policies,
    registrations,
    searches,
    silences,
    stops,
    transfers,
    voiding,
    vouchers,
)
from registry.statements import CLOCK_SKEW, LIFETIME_MAX, Kind, Now, Statement, TimedKind
from registry.tables import ReadPlan, Rows, Table, get

KINDS: tuple[Kind[Any], ...] = (
    *ledger.KINDS,
    *policies.KINDS,
    *parties.KINDS,
    *keys.KINDS,
    *accounts.KINDS,
    *consents.KINDS,
    *limits.KINDS,
    *stops.KINDS,
    *vouchers.KINDS,
    *accession.KINDS,
    *acceptance.KINDS,
    *voiding.KINDS,
    *transfers.KINDS,
    *answers.KINDS,
    *notices.KINDS,
    *accessories.KINDS,
    *pledges.KINDS,
    *freezes.KINDS,
    *disputes.KINDS,
    *registrations.KINDS,
    *searches.KINDS,
    *cutoffs.KINDS,
)
TIMED: tuple[TimedKind, ...] = (
    *policies.TIMED,
    *consents.TIMED,
    *acceptance.TIMED,
    *answers.TIMED,
    *pledges.TIMED,
    *freezes.TIMED,
    *registrations.TIMED,
    *silences.TIMED,
    *cutoffs.TIMED,
)

RootAt = Callable[[int], bytes]
"""Returns the log's root at an earlier size."""


class Rulebook:
    """All kinds and tables of a program, and the decisions made with them."""

    def __init__(
        self,
        kinds: Iterable[Kind[Any]] = KINDS,
        timed: Iterable[TimedKind] = TIMED,
        tables: Iterable[Table[Any]] = TABLES,
    ) -> None:
        """Indexes the kinds by name."""
        self.kinds: Mapping[str, Kind[Any]] = {kind.name: kind for kind in kinds}
        self.timed: Mapping[str, TimedKind] = {kind.name: kind for kind in timed}
        self.tables = tuple(tables)
        self._answered = {
            name: tuple(dict.fromkeys(kind.answers.values())) for name, kind in self.kinds.items()
        }

    def reads(self, statement: Statement[Any], now: Now) -> ReadPlan:
        """Asks for what the decision on a statement sees: signer, answered row, the kind's own."""
        kind = self.kinds[statement.kind]
        if now.ledger is None and kind.name != "genesis":
            return
        if not kind.key_in_body:
            yield from get(KEYS, statement.kid)
        for table in self._answered[kind.name]:
            yield from get(table, statement.re or "")
        yield from kind.reads(statement, now)
        yield from get(PARTIES, statement.by)

    def decide(
        self, state: Rows, statement: Statement[Any], now: Now, *, root_at: RootAt
    ) -> tuple[Effect, ...]:
        """Decides an admitted statement: steps 6 to 8 of the documented order of checks.

        Step 5 (sealed already, id used already) is the caller's, who keeps the log.

        Raises:
            NotStartedError: There is no genesis yet.
            KeyNotOfPartyError: The key is not the signer's, nor its trustee's.
            KeyUseError: The key is for another use than to sign.
            KeyRevokedError: An earlier entry has revoked the key.
            LifetimeError: The entry's time is outside [iat - 300, exp), or that is too long.
            SeenDiffersError: The signer saw another log.
            AnswerMissingError: `re` names nothing open that this kind may answer.
            RoleMissingError: The signer is not admitted in a role that may sign this.
            RegistryError: The kind's own refusals, in their documented order.
        """
        kind = self.kinds[statement.kind]
        if now.ledger is None and kind.name != "genesis":
            raise NotStartedError(kind=kind.name)
        # 6. The key: whose it is, what for, since and until when.
        if not kind.key_in_body:
            _check_key(state, statement)
        # 7. Lifetime, the log that the signer saw, what it answers.
        _check_lifetime(statement, now)
        _check_seen(statement, now, root_at)
        _check_answer(state, statement, kind, self._answered[kind.name])
        # 8. Who may sign, then the kind's own rules.
        if kind.signers:
            party = state.get(PARTIES, statement.by)
            if party is None or not kind.signers.intersection(party.roles):
                roles = " or ".join(sorted(kind.signers))
                raise RoleMissingError(by=statement.by, roles=roles)
        return kind.decide(state, statement, now)

    def reads_due(self, due: Due, now: Now) -> ReadPlan:
        """Asks for what the decision on a deadline sees."""
        return self.timed[due.kind].reads(due, now)

    def decide_due(self, state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
        """Decides what follows from a deadline that has come; cannot refuse."""
        return self.timed[due.kind].decide(state, due, now)


def _check_key(state: Rows, statement: Statement[Any]) -> None:
    """Checks that the key may sign for the party that the statement names."""
    key = state.get(KEYS, statement.kid)
    if key is None:
        raise KeyUnknownError(kid=statement.kid)
    if key.party != trustee_of(statement.by):
        raise KeyNotOfPartyError(kid=statement.kid, by=statement.by)
    if key.use != KeyUse.SIGN:
        raise KeyUseError(kid=statement.kid, use=key.use)
    if key.revoked is not None:
        raise KeyRevokedError(kid=statement.kid, revoked=key.revoked)


def _check_lifetime(statement: Statement[Any], now: Now) -> None:
    """Checks that the entry's time lies in the statement's lifetime."""
    seconds = now.time // 1000
    first, end = statement.iat - CLOCK_SKEW, statement.exp
    if not first <= seconds < end or statement.exp - statement.iat > LIFETIME_MAX:
        raise LifetimeError(time=seconds, first=first, end=end)


def _check_seen(statement: Statement[Any], now: Now, root_at: RootAt) -> None:
    """Checks that the log which the signer saw is this one."""
    if statement.seen is None:
        return
    seen = statement.seen
    if seen.size > now.index or root_at(seen.size) != seen.root:
        raise SeenDiffersError(size=seen.size, root=b64url_encode(seen.root))


def _check_answer(
    state: Rows, statement: Statement[Any], kind: Kind[Any], tables: Sequence[Table[Any]]
) -> None:
    """Checks that `re` names something open that this kind answers."""
    if not tables and statement.re is None:
        return
    if statement.re is None or not any(state.get(table, statement.re) for table in tables):
        raise AnswerMissingError(
            kind=kind.name, answers=" or ".join(kind.answers) or "nothing", re=statement.re or ""
        )
