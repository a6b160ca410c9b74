"""Who may call what: one row per operation, and none without a row.

The row says who may call; which objects a caller then sees is `api.visibility`'s
part. Operations that seal statements have no row of their own: the statement's
signature is who calls, and the kind's own rules say who may sign it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from api.auth import Caller
from api.errors import OperationNotAllowedError
from registry.model import Role


class Access(Enum):
    """Who may call, where that is not a matter of roles."""

    OPEN = "anybody"
    SIGNED = "whoever has signed the statement"
    PARTY = "every admitted party, for what is its own"


Row = Access | frozenset[Role]

AUDITOR: Final = frozenset({Role.AUDITOR})
CLEARING: Final = frozenset({Role.AUDITOR, Role.OPERATOR, Role.BANK})

BOARD: Final = frozenset({Role.AUDITOR, Role.OPERATOR, Role.REGISTRAR})
"""Who runs, guards and audits the registry: reports that name debtors, and no holder."""

WRITE_PREFIX: Final = "write:"
"""Begins the names of the operations that are derived from the table of kinds."""

ACCESS: Final[Mapping[str, Row]] = {
    "livez": Access.OPEN,
    "readyz": Access.OPEN,
    "version": Access.OPEN,
    "ledger.read": Access.OPEN,
    "statements.submit": Access.SIGNED,
    "statements.read": Access.PARTY,
    "openings.put": Access.PARTY,
    "openings.put-many": Access.PARTY,
    "openings.read": Access.PARTY,
    "lots.list": Access.PARTY,
    "lots.read": Access.PARTY,
    "lots.prove": Access.PARTY,
    "control.check": Access.PARTY,
    "vouchers.list": Access.PARTY,
    "vouchers.read": Access.PARTY,
    "offers.list": Access.PARTY,
    "offers.read": Access.PARTY,
    "pledges.list": Access.PARTY,
    "disputes.list": Access.PARTY,
    "financings.list": Access.PARTY,
    "financings.read": Access.PARTY,
    "early-payments.list": Access.PARTY,
    "registrations.list": Access.PARTY,
    "tasks.list": Access.PARTY,
    "consents.list": Access.PARTY,
    "policies.list": Access.PARTY,
    "policies.read": Access.PARTY,
    "calendars.list": Access.PARTY,
    "calendars.read": Access.PARTY,
    "notices.list": Access.PARTY,
    "notices.read": Access.PARTY,
    "notices.page": Access.PARTY,
    "inboxes.read": Access.PARTY,
    "powers.list": Access.PARTY,
    "lots.payee": Access.PARTY,
    "lots.discharge": Access.PARTY,
    "lots.claimable": Access.PARTY,
    "lots.priority": Access.PARTY,
    "parties.read": Access.PARTY,
    "parties.list": frozenset({Role.AUDITOR, Role.OPERATOR, Role.REGISTRAR}),
    "affiliations.list": Access.PARTY,
    "pending.list": Access.PARTY,
    "worklist.read": Access.PARTY,
    "reports.outstanding": BOARD,
    "reports.overdue": BOARD,
    "reports.splitting": BOARD,
    "reports.unacknowledged": BOARD,
    "reports.daily": BOARD,
    "reports.statement": Access.PARTY,
    "reports.alerts": BOARD,
    "accounts.list": Access.PARTY,
    "stages.list": Access.PARTY,
    "states.list": Access.PARTY,
    "snapshots.take": Access.PARTY,
    "clearing.runs": CLEARING,
    "clearing.proposal": frozenset({Role.AUDITOR, Role.OPERATOR}),
    "clearing.fund_proposal": frozenset({Role.AUDITOR, Role.OPERATOR}),
    "clearing.debits": Access.PARTY,
    "clearing.day": frozenset({Role.AUDITOR, Role.OPERATOR}),
    "clearing.lists": Access.PARTY,
    "clearing.list_proposal": Access.PARTY,
    "clearing.close_proposal": frozenset({Role.AUDITOR, Role.OPERATOR}),
    "clearing.reroute_proposal": frozenset({Role.AUDITOR, Role.OPERATOR}),
    "clearing.run_status": frozenset({Role.AUDITOR, Role.OPERATOR}),
    "clearing.instructions": Access.PARTY,
    "clearing.exposure": Access.PARTY,
    "clearing.certificate": Access.PARTY,
    "clearing.explain": Access.PARTY,
    "clearing.reconciliation": Access.PARTY,
    "clearing.aggregations": Access.PARTY,
    "clearing.obligations": Access.PARTY,
    "clearing.sweeps": Access.PARTY,
    "log.checkpoint": Access.OPEN,
    "log.covering": Access.OPEN,
    "log.verifier-key": Access.OPEN,
    "log.tile": Access.OPEN,
    "log.entries": AUDITOR,
    "log.inclusion": Access.OPEN,
    "log.consistency": Access.OPEN,
}


def row_of(operation: str) -> Row:
    """Returns an operation's row.

    Raises:
        KeyError: It has none; the server does not start like that.
    """
    return Access.SIGNED if operation.startswith(WRITE_PREFIX) else ACCESS[operation]


def needs_caller(operation: str) -> bool:
    """Tells whether the operation is only for those who show who they are."""
    return row_of(operation) not in (Access.OPEN, Access.SIGNED)


def verify_allowed(operation: str, caller: Caller) -> None:
    """Verifies that a caller may call an operation.

    Raises:
        OperationNotAllowedError: Not in its roles, or not with its token's scope.
    """
    row = row_of(operation)
    in_role = row is Access.PARTY or (isinstance(row, frozenset) and row & caller.roles)
    if not in_role or (caller.scope and operation not in caller.scope):
        raise OperationNotAllowedError(operation=operation, by=caller.party)
