"""Clearing's refusals: leaves of the registry's families."""

from registry.errors import RefusalError


class AlreadyPlannedError(RefusalError):
    """There is one clearing run per due date."""

    template = "due date {due_on} is cleared by plan {plan}"


class NothingDueError(RefusalError):
    """No live lot falls due on the date, or all that do are frozen."""

    template = "no live lot that can be paid is due on {due_on}"


class PayDayNotBegunError(RefusalError):
    """A plan is adopted on the pay date or later, when nothing it rests on can move."""

    template = "vouchers due on {due_on} are paid from {pay_on} at {begins!t}, and it is {now!t}"


class DayNotOverError(RefusalError):
    """Until the clearing day is over, banks may still carry out what they were given."""

    template = "the day of plan {plan} is over at {closes_at!t}, and it is {now!t}"


class NothingToApproveError(RefusalError):
    """The plan draws nothing on the account that is not approved already."""

    template = "plan {plan} draws nothing on account {account} that is not approved"


class PlanDiffersError(RefusalError):
    """The plan stated is not the one that follows from the state."""

    template = "{what}: stated {stated}, computed {computed}"


class InstructionNotFoundError(RefusalError):
    """The plan has no instruction of this number."""

    template = "plan {plan} has no instruction {instruction}"


class AmountDiffersError(RefusalError):
    """An instruction is posted in full or not at all."""

    template = "instruction {instruction} is for {instructed!y}, reported {reported!y}"


class OutOfOrderError(RefusalError):
    """The money that the instruction passes on has not come."""

    template = "instruction {instruction} is posted after {earlier}, which is {status}"


class MoneySpentError(RefusalError):
    """Money that has gone on from an account cannot come back from it."""

    template = "instruction {instruction} is returned though {later}, paid from it, is posted"


class RelayNotAllowedError(RefusalError):
    """A bank signs its own word, unless the policy lets the operator relay its files."""

    template = "the policy in force has no relayed_evidence: {bank} signs its own word"


class OwnWordError(RefusalError):
    """What a bank has signed itself is not told otherwise by whoever relays its files."""

    template = "{bank} has itself signed what became of instruction {instruction}"


class NothingOwedError(RefusalError):
    """The debtor owes nothing of this sort because of the instruction."""

    template = "because of instruction {instruction} of {plan} no {sort} is owed by the debtor"


class SentBeforeError(RefusalError):
    """What was handed to a bank is handed to it again by choice, and for a reason."""

    template = "instruction {instruction} was sent by {sent}: again only with a reason"


class ListNotApprovedError(RefusalError):
    """What the policy has a debtor approve goes to no bank before it has."""

    template = (
        "instruction {instruction} is sent once {debtor} has approved, by clearing.approve, what "
        "plan {plan} draws on account {account}: {waiting} of it wait for that, of {amount!y}"
    )


class NotAgreedError(RefusalError):
    """One payment of several instructions goes only into an account whose owner agreed."""

    template = "the owner of account {account} has not agreed to payments of several instructions"


class NotTogetherError(RefusalError):
    """One payment is of instructions of one payer, payee and way, sent together each time."""

    template = "instructions {first} and {other} are not paid by one payment: {what} differs"


class AlreadyAgreedError(RefusalError):
    """The owner of an account has said so already."""

    template = "payments of several instructions into account {account}: {agreed} already"
