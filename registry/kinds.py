"""The rulebook: all kinds, effects and tables together, and the order of checks.

The engine, the auditor and the stores are handed a rulebook and import no rule; each
package exports its `KINDS`, `TIMED` and `TABLES`, and the sum of them is the program.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from registry.checks import (
    RootAt,
    check_answer,
    check_key,
    check_lifetime,
    check_limit,
    check_seen,
    check_signer,
    needed_approvals,
    reads_signer,
    require_person,
)
from registry.effects import Due, Effect, Numbering
from registry.model import TABLES
from registry.people import KEYS, PENDING, Pending
from registry.refusals import NotStartedError
from registry.rights import known_pending
from registry.rules import (
    acceptance,
    accession,
    accessories,
    accounts,
    affiliations,
    answers,
    applications,
    approvals,
    consents,
    contracts,
    controls,
    cutoffs,
    designations,
    disputes,
    early,
    freezes,
    fundings,
    keys,
    ledger,
    limits,
    notices,
    noticing,
    parties,
    payees,
    pledges,
    policies,
    powers,
    registrations,
    searches,
    silences,
    stages,
    stops,
    suspensions,
    transfers,
    voiding,
    vouchers,
)
from registry.statements import Kind, Now, Statement, TimedKind, reopen_statement
from registry.tables import ReadPlan, Rows, Table, get

KINDS: tuple[Kind[Any], ...] = (
    *ledger.KINDS,
    *policies.KINDS,
    *parties.KINDS,
    *keys.KINDS,
    *controls.KINDS,
    *approvals.KINDS,
    *suspensions.KINDS,
    *affiliations.KINDS,
    *accounts.KINDS,
    *stages.KINDS,
    *payees.KINDS,
    *designations.KINDS,
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
    *noticing.KINDS,
    *powers.KINDS,
    *early.KINDS,
    *applications.KINDS,
    *contracts.KINDS,
    *fundings.KINDS,
    *accessories.KINDS,
    *pledges.KINDS,
    *freezes.KINDS,
    *disputes.KINDS,
    *registrations.KINDS,
    *searches.KINDS,
    *cutoffs.KINDS,
)
TIMED: tuple[TimedKind, ...] = (
    *approvals.TIMED,
    *payees.TIMED,
    *policies.TIMED,
    *consents.TIMED,
    *acceptance.TIMED,
    *answers.TIMED,
    *notices.TIMED,
    *early.TIMED,
    *applications.TIMED,
    *pledges.TIMED,
    *freezes.TIMED,
    *registrations.TIMED,
    *silences.TIMED,
    *cutoffs.TIMED,
)

# By name: a judge in another process has kinds of its own, which are equal and not the same.
APPROVE = approvals.APPROVE.name
POLICY = controls.POLICY.name


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
        yield from self._reads_rules(statement, kind, now)
        if kind.name == APPROVE:
            pending = yield from get(PENDING, statement.re or "")
            if pending is not None:
                waiting = self._reopen(pending, statement)
                yield from self._reads_rules(waiting, self.kinds[waiting.kind], now)

    def _reads_rules(self, statement: Statement[Any], kind: Kind[Any], now: Now) -> ReadPlan:
        """Asks for what a statement's rules see, whoever has signed it."""
        for table in self._answered[kind.name]:
            yield from get(table, statement.re or "")
        yield from kind.reads(statement, now)
        yield from reads_signer(statement, kind)

    def decide(
        self, state: Rows, statement: Statement[Any], now: Now, *, root_at: RootAt
    ) -> tuple[Effect, ...]:
        """Decides an admitted statement: steps 6 to 8 of the documented order of checks.

        Step 5 (sealed already, id used already) is the caller's, who keeps the log.

        Raises:
            NotStartedError: There is no genesis yet.
            KeyNotOfPartyError: The key is not the signer's, nor its trustee's.
            KeyUseError: The key is for another use than the kind's.
            KeyRevokedError: An earlier entry has revoked the key.
            DutyMissingError: The key's person has another duty.
            LifetimeError: The entry's time is outside [iat - 300, exp), or that is too long.
            SeenDiffersError: The signer saw another log.
            AnswerMissingError: `re` names nothing open that this kind may answer.
            RoleMissingError: The signer is not admitted in a role that may sign this.
            SuspendedError: The signer is suspended.
            OverLimitError: The amount is above the key's limit.
            PersonMissingError: Approvals are needed, and the key names no person.
            RegistryError: The kind's own refusals, in their documented order; then those of the
                statement that is approved.
        """
        kind = self.kinds[statement.kind]
        if now.ledger is None and kind.name != "genesis":
            raise NotStartedError(kind=kind.name)
        # 6. The key: whose it is, what for, since and until when, whose hand.
        key = None if kind.key_in_body else check_key(state, statement, kind)
        # 7. Lifetime, the log that the signer saw, what it answers.
        check_lifetime(statement, now)
        check_seen(statement, now, root_at)
        check_answer(state, statement, kind, self._answered[kind.name])
        # 8. Who may sign, for how much, with whom; then the kind's own rules.
        party = check_signer(state, statement, kind)
        check_limit(state, statement, kind, key)
        needed = needed_approvals(state, statement, kind, party)
        person = require_person(key) if needed is not None and key is not None else ""
        if kind.name == POLICY:
            controls.check_names(statement, self.kinds)
        effects = kind.decide(state, statement, now)
        if needed is not None:
            # Decided to refuse early; what follows is decided again when nobody is missing.
            amount = 0 if kind.amount is None else kind.amount(state, statement)
            return approvals.wait(statement, needed, person=person, amount=amount, now=now)
        if kind.name == APPROVE and isinstance(effects[0], Numbering):
            # It was the last approval.
            return (*effects, *self._decide_waiting(state, statement, now))
        return effects

    def _decide_waiting(self, state: Rows, approve: Statement[Any], now: Now) -> tuple[Effect, ...]:
        """Decides a statement again that has its approvals: as of now, but for its key and time."""
        statement = self._reopen(known_pending(state, approve.re or ""), approve)
        kind = self.kinds[statement.kind]
        check_answer(state, statement, kind, self._answered[kind.name])
        check_signer(state, statement, kind)
        return kind.decide(state, statement, now)

    def _reopen(self, pending: Pending, approve: Statement[Any]) -> Statement[Any]:
        """Returns the statement that waits."""
        return reopen_statement(pending.text, kinds=self.kinds, origin=approve.aud)

    def reads_due(self, due: Due, now: Now) -> ReadPlan:
        """Asks for what the decision on a deadline sees."""
        return self.timed[due.kind].reads(due, now)

    def decide_due(self, state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
        """Decides what follows from a deadline that has come; cannot refuse."""
        return self.timed[due.kind].decide(state, due, now)
