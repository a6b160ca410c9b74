"""A payee's word that one payment into its account may pay several instructions.

Attribution rests on the remittance text of each payment, so nobody but the payee gives that up.

Source: docs/clearing.md, What goes to banks; reference note 5.
"""

from clearing.errors import AlreadyAgreedError
from clearing.handed import AGGREGATIONS, Aggregation
from registry.effects import Effect, Seal, Touch
from registry.fields import SidField
from registry.ids import PartyId, Sid
from registry.model import ACCOUNTS, HOLDER_ROLES
from registry.refusals import AccountUnknownError, NotOwnerError
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get


class PayeeAggregate(Body):
    """The owner agrees to payments of several instructions into an account, or no longer."""

    account: SidField
    agreed: bool


class AggregationAgreed(Effect, frozen=True, kw_only=True):
    """One payment into the account may pay several instructions."""

    account: Sid
    owner: PartyId
    statement: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the owner."""
        return (("holder", self.owner),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes that it is agreed."""
        row = Aggregation(account=self.account, owner=self.owner, statement=self.statement)
        state.add(AGGREGATIONS, row)


class AggregationEnded(Effect, frozen=True, kw_only=True):
    """Each instruction is paid into the account by itself, but for what was sent before."""

    account: Sid
    owner: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the owner."""
        return (("holder", self.owner),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Ends what was agreed."""
        state.delete(AGGREGATIONS, self.account)


def reads_aggregate(statement: Statement[PayeeAggregate], _now: Now) -> ReadPlan:
    """Asks for the account, and what is agreed of it."""
    yield from get(ACCOUNTS, statement.body.account)
    yield from get(AGGREGATIONS, statement.body.account)


def decide_aggregate(
    state: Rows, statement: Statement[PayeeAggregate], _now: Now
) -> tuple[Effect, ...]:
    """Takes the word of an account's owner about payments of several instructions.

    Raises:
        AccountUnknownError: There is no such account.
        NotOwnerError: The account is somebody else's.
        AlreadyAgreedError: The owner has said so before.
    """
    body = statement.body
    account = state.get(ACCOUNTS, body.account)
    if account is None:
        raise AccountUnknownError(account=body.account)
    if account.owner != statement.by:
        raise NotOwnerError(account=account.account, by=statement.by)
    is_agreed = state.get(AGGREGATIONS, account.account) is not None
    if is_agreed == body.agreed:
        agreed = "agreed" if is_agreed else "not agreed"
        raise AlreadyAgreedError(account=account.account, agreed=agreed)
    if not body.agreed:
        return (AggregationEnded(account=account.account, owner=account.owner),)
    said = AggregationAgreed(account=account.account, owner=account.owner, statement=statement.sid)
    return (said,)


KINDS = (
    Kind(
        name="payee.aggregate",
        body=PayeeAggregate,
        signers=HOLDER_ROLES,
        relation="the account's owner",
        reads=reads_aggregate,
        decide=decide_aggregate,
    ),
)
