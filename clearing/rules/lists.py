"""The debtor approves the list of what a plan draws on its account (兑付清单确认).

Approving is authority on record, for that list alone. Under a policy that asks for it, what
is not approved is not sent to a bank; what a bank says has happened stands all the same.

Source: docs/clearing.md, The clearing day; reference note 4.
"""

from clearing.errors import NothingToApproveError, PlanDiffersError
from clearing.fields import Count, Sum
from clearing.handed import DEBIT_LISTS, DebitList
from clearing.instructed import known_run
from clearing.model import (
    RUNS,
)
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.fields import BodyAmount, SidField
from registry.ids import PartyId, Sid
from registry.model import Role
from registry.refusals import NotOwnerError
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, replace


class ClearingApprove(Body):
    """What a plan draws on an account of the signer's, and it has not approved yet."""

    account: SidField
    instructions: Count
    amount: Sum


class ListApproved(Effect, frozen=True, kw_only=True):
    """A debtor has approved what a plan draws on its account."""

    plan: Sid
    account: Sid
    debtor: PartyId
    instructions: int
    amount: Minor
    approval: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the debtor."""
        return (("holder", self.debtor),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the list: what the plan has until now is approved."""
        row = state.get(DEBIT_LISTS, self.plan, self.account)
        if row is None or (row.waiting, row.waiting_amount) != (self.instructions, self.amount):
            raise InvariantBrokenError(f"entry {seal.index} approves no list of {self.plan}")
        approved = replace(
            row,
            waiting=0,
            waiting_amount=Minor(0),
            through=known_run(state, self.plan).instructions,
            approval=self.approval,
            approved_at=seal.time,
        )
        state.put(DEBIT_LISTS, approved)


def reads_approve(statement: Statement[ClearingApprove], _now: Now) -> ReadPlan:
    """Asks for the run, and what it draws on the account."""
    yield from get(RUNS, statement.re or "")
    yield from get(DEBIT_LISTS, statement.re or "", statement.body.account)


def decide_approve(
    state: Rows, statement: Statement[ClearingApprove], _now: Now
) -> tuple[Effect, ...]:
    """Approves the list of what a plan draws on the debtor's account.

    Raises:
        NothingToApproveError: The plan draws nothing on the account.
        NotOwnerError: The account is another party's.
        NothingToApproveError: All of it is approved, or its day has ended.
        PlanDiffersError: Instructions or amount, in this order, are not what waits for it.
    """
    body, run = statement.body, known_run(state, statement.re or Sid(""))
    row = state.get(DEBIT_LISTS, run.plan, body.account)
    if row is None:
        raise NothingToApproveError(plan=run.plan, account=body.account)
    if row.debtor != statement.by:
        raise NotOwnerError(account=body.account, by=statement.by)
    if not row.waiting:
        raise NothingToApproveError(plan=run.plan, account=body.account)
    for what, stated, found in (
        ("instructions", body.instructions, row.waiting),
        ("amount", body.amount, row.waiting_amount),
    ):
        if stated != found:
            raise PlanDiffersError(what=what, stated=str(stated), computed=str(found))

    # Past this line the list must be approved.
    approved = ListApproved(
        plan=run.plan,
        account=row.account,
        debtor=row.debtor,
        instructions=row.waiting,
        amount=row.waiting_amount,
        approval=statement.sid,
    )
    return (approved,)


def approve_body(row: DebitList) -> ClearingApprove:
    """Returns the body of the statement by which a debtor approves a list."""
    return ClearingApprove.model_validate(
        {
            "account": row.account,
            "instructions": row.waiting,
            "amount": str(row.waiting_amount),
        }
    )


KINDS = (
    Kind(
        name="clearing.approve",
        body=ClearingApprove,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor on whose account the plan draws",
        answers={"clearing.plan": RUNS, "clearing.apportion": RUNS},
        reads=reads_approve,
        decide=decide_approve,
        amount=BodyAmount("amount"),
        while_suspended=True,
    ),
)
