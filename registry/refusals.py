"""The refusals: well formed and authentic, and a rule says no.

One leaf a reason, with the two sides of the rule in its message; the families stand in
`registry.errors`.
"""

from registry.errors import RefusalError


class LifetimeError(RefusalError):
    """The statement is not, or no longer, or too long valid."""

    template = "the entry's time {time!u} is not in [iat - 300 s, exp) = [{first!u}, {end!u})"


class SeenDiffersError(RefusalError):
    """The signer saw another log than this one."""

    template = "seen: the root at size {size} is {root}"


class AnswerMissingError(RefusalError):
    """What `re` names is not open to this kind of answer."""

    template = "{kind} answers {answers}; none that is open is named by re {re}"


class RoleMissingError(RefusalError):
    """The signer was not admitted in a role that may sign this."""

    template = "{by} is not admitted as {roles}"


class BeyondCalendarError(RefusalError):
    """A business day is asked for that the calendar does not cover."""

    template = "calendar {calendar} covers {first} to {last}, not {day}"


# --- ledger and parties -----------------------------------------


class AlreadyStartedError(RefusalError):
    """A log has one genesis, at index 0."""

    template = "genesis at index {index}: the ledger exists"


class NotStartedError(RefusalError):
    """Nothing comes before genesis."""

    template = "{kind} before genesis"


class ClockNotManualError(RefusalError):
    """Only a sandbox has a clock that can be set."""

    template = "the ledger's clock is {clock}"


class ClockBackError(RefusalError):
    """Time in the log never goes back."""

    template = "the clock shows {now!t}, which is not before {time!t}"


class AlreadyAdmittedError(RefusalError):
    """The party has been admitted."""

    template = "{party} is admitted"


class KeyTakenError(RefusalError):
    """A key belongs to one party, for ever."""

    template = "key {kid} is in use"


class NotTrusteeError(RefusalError):
    """A vehicle is registered by the trustee in its name."""

    template = "{vehicle} is not a vehicle of {by}"


class PossessionError(RefusalError):
    """The new key did not sign log, party and itself."""

    template = "the proof does not show possession of key {kid} by the signer in this log"


# --- policies and calendars -------------------------------------


class PolicyVersionError(RefusalError):
    """Versions of a policy only go up."""

    template = "policy {name} has version {newest}, and {version} is not newer"


class PolicyDateError(RefusalError):
    """A policy takes effect at the start of a day to come that no other one has."""

    template = "no policy can take effect on {effective_on}: {reason}"


class CalendarUnknownError(RefusalError):
    """A rule names a calendar that is not published."""

    template = "no calendar {calendar} is published"


class CalendarTakesBackError(RefusalError):
    """A newer calendar leaves past days as they are, and covers what the older covers."""

    template = "calendar {calendar}: the new version says otherwise of {day}"


class TermTooLongError(RefusalError):
    """The voucher would run longer than the policy allows."""

    template = "due on {due_on}; {months} months from today end on {latest}"


class TermUnjustifiedError(RefusalError):
    """The term is longer than in principle, and nobody says why."""

    template = "a term until {due_on} needs a justification"


class RouteRefusedError(RefusalError):
    """The policy does not allow this route of clearing."""

    template = "route {route} is not allowed"


class BlackoutError(RefusalError):
    """Who holds a lot shortly before its due date is who is paid."""

    template = "lot {lot}, due on {due_on}, is not transferred from {begins} on"


class LotTooSmallError(RefusalError):
    """The part is smaller than the policy allows."""

    template = "{amount!y} of lot {lot} is below {minimum!y}"


class TooManyPartsError(RefusalError):
    """The holder may not cut what it acquired any further."""

    template = "what became lot {lot} was cut into {limit} parts"


class RecourseRefusedError(RefusalError):
    """The policy does not let assignors answer for the debtor."""

    template = "lot {lot} is not assigned with recourse"


class ModeRefusedError(RefusalError):
    """The policy does not let offers become effective in this way."""

    template = "acceptance by {mode} is not allowed"


# --- accounts ---------------------------------------------------


class NotBankError(RefusalError):
    """The party is no bank, or not the bank of this account."""

    template = "{party} is not the account's bank"


class AccountUnknownError(RefusalError):
    """There is no such account."""

    template = "there is no account {account}"


class NotOwnerError(RefusalError):
    """The account is another party's."""

    template = "account {account} is not {by}'s"


class AccountNotVerifiedError(RefusalError):
    """The bank has not verified the account."""

    template = "account {account} is not verified by its bank"


class MandateMissingError(RefusalError):
    """Nobody may debit the account under this mandate."""

    template = "mandate {mandate} does not authorise debiting account {account}"


# --- vouchers ---------------------------------------------------


class NotHolderRoleError(RefusalError):
    """The party may not hold this voucher."""

    template = "{party} cannot be a holder of this voucher"


class DueTooSoonError(RefusalError):
    """A voucher falls due after the day of its issue."""

    template = "due on {due_on}, and today is {today}"


class DeadlinePassedError(RefusalError):
    """The last moment for this is over, or would come too late."""

    template = "the deadline {deadline!t} is past, or not before the due date"


class VoucherNumberTakenError(RefusalError):
    """The debtor has used the number before."""

    template = "voucher number {voucher_no} is voucher {voucher}"


class VoucherStatusError(RefusalError):
    """The voucher is in another part of its life."""

    template = "{kind}: voucher {voucher} is {status}"


class LedgerFullError(RefusalError):
    """The faces of all vouchers together would pass the largest sum of the format."""

    template = "{face!y} on top of {total!y} would pass {limit!y}"


class NotCreditorError(RefusalError):
    """Only the first holder may answer the issue."""

    template = "{by} is not the first holder of voucher {voucher}"


class NotDebtorError(RefusalError):
    """Only the debtor may do this."""

    template = "{by} is not the debtor of voucher {voucher}"


class AlreadyJoinedError(RefusalError):
    """The party owes the voucher already."""

    template = "{party} owes voucher {voucher} already"


class TooManyRecipientsError(RefusalError):
    """Eight parties owe the voucher and are notified."""

    template = "voucher {voucher} has {limit} recipients of notices, the most there can be"


class VoucherDueError(RefusalError):
    """The due date has come: who holds is who is paid."""

    template = "voucher {voucher} is due on {due_on}"


class InvoiceDiffersError(RefusalError):
    """An invoice has one amount, whoever names it."""

    template = "invoice {invoice} was stated at {total!y}, now at {stated!y}"


class InvoiceUsedError(RefusalError):
    """An invoice backs vouchers up to its amount, and no further."""

    template = "invoice {invoice} has {left!y} left, {requested!y} are asked for"


class DebtorLimitError(RefusalError):
    """The debtor would owe more on vouchers than its limit."""

    template = (
        "{debtor} owes {outstanding!y} and has allocated {allocated!y}; {requested!y} more "
        "would pass its limit {limit!y}"
    )


class IssuanceStoppedError(RefusalError):
    """The debtor may issue nothing until what stops it is lifted."""

    template = "{debtor} may issue nothing: {reasons}"


class NotStoppedError(RefusalError):
    """The debtor is not stopped for this reason."""

    template = "{debtor} is not stopped for {reason}"


class LimitSourceError(RefusalError):
    """A party's limit has one source: the registrar, or the head of its group."""

    template = "the limit of {party} is set by {source}"


class AllocationError(RefusalError):
    """A limit cannot be allocated so."""

    template = "{amount!y} cannot be allocated to {member}: {reason}"


class ExposureLimitError(RefusalError):
    """The financier would hold more of the debtor's vouchers than it wants to."""

    template = "{financier} holds {held!y} of {debtor}; {requested!y} more would pass {limit!y}"


class NotSoleHolderError(RefusalError):
    """Only who holds all of a voucher can agree to void it, or refuse a co-debtor."""

    template = "{by} does not hold all of voucher {voucher}, or has not named all of it"


# --- transfers and notices --------------------------------------


class LotNotFoundError(RefusalError):
    """There is no such live lot."""

    template = "there is no live lot {lot}"


class NotHolderError(RefusalError):
    """The lot is another party's."""

    template = "lot {lot} is not {by}'s"


class LotLockedError(RefusalError):
    """The lot is not free."""

    template = "lot {lot} is {status}"


class InsufficientHoldingError(RefusalError):
    """More was offered than the lot holds."""

    template = "lot {lot} holds {held!y}, requested {requested!y}"


class AssigneeRefusedError(RefusalError):
    """The assignee may not take what is offered."""

    template = "assignee {assignee} {reason}"


class ChainTooLongError(RefusalError):
    """The lot has been assigned as often as the format allows."""

    template = "lot {lot} has been assigned {limit} times"


class NotAssigneeError(RefusalError):
    """The offer is to another party."""

    template = "offer {offer} is not to {by}"


class NotAssignorError(RefusalError):
    """The offer is another party's."""

    template = "offer {offer} is not by {by}"


class NotGrantorError(RefusalError):
    """The standing consent is another party's."""

    template = "consent {consent} is not {by}'s"


class SnapshotUnknownError(RefusalError):
    """There is no such state entry, or it knows no such bucket."""

    template = "entry {index} is no state entry that commits to this"
