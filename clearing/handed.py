"""The rows of what is handed to banks: lists that debtors approve, and joint payments.

A debtor may be asked to approve what a plan draws on its account before that is sent. A
payee may agree that one payment into its account pays several instructions; what each such
payment holds is kept, so that its amount can be divided again.

Source: reference notes 4 and 5; docs/clearing.md, Instructions and The clearing day.
"""

from registry.ids import PartyId, Sid
from registry.tables import Minor, Record, Table


class Aggregation(Record, frozen=True, kw_only=True):
    """A payee agrees that one payment into its account may pay several instructions (note 5)."""

    account: Sid
    owner: PartyId
    statement: Sid


class JointPayment(Record, frozen=True, kw_only=True):
    """One payment of several instructions: same payer's account, payee's account and way.

    `instructions` holds their numbers, as text.
    """

    plan: Sid
    payment: int
    instructions: tuple[str, ...]
    amount: Minor


class DebitList(Record, frozen=True, kw_only=True):
    """What a plan draws on an account of a debtor, and what of that it has to approve (兑付清单).

    Attributes:
        plan: The plan.
        account: The account.
        debtor: Whose account it is.
        instructions: How many are drawn on it as the debtor's own payments.
        amount: What they come to.
        waiting: How many of them the debtor has not approved; none that its day has ended.
        waiting_amount: What these come to.
        through: How many instructions the plan had when it last did: later ones are not approved.
        approval: The statement by which it did.
        approved_at: When, in milliseconds.
    """

    plan: Sid
    account: Sid
    debtor: PartyId
    instructions: int
    amount: Minor
    waiting: int
    waiting_amount: Minor
    through: int = 0
    approval: Sid | None = None
    approved_at: int | None = None


DEBIT_LISTS = Table(
    name="debit_list",
    row=DebitList,
    key=("plan", "account"),
    indexes=("plan", "account", "debtor"),
)
AGGREGATIONS = Table(name="aggregation", row=Aggregation, key=("account",))
JOINT_PAYMENTS = Table(
    name="joint_payment", row=JointPayment, key=("plan", "payment"), lasting=True
)
