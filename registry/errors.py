"""The error families, each leaf with a stable code and the facts that explain it.

A leaf class is a name, a family and a message template. Its `code` is the class
name in kebab case without `Error` (`NotHolderError` is `not-holder`), and its
`facts` are the offending values, so that a caller never parses a message.
"""

import re
from typing import ClassVar


class InvariantBrokenError(AssertionError):
    """Our own bug: never caught, stops whatever was going on."""


class RegistryError(Exception):
    """Base of every expected error.

    A leaf sets `template`, a format string over the facts it is raised with.
    """

    code: ClassVar[str] = "registry"
    template: ClassVar[str] = "{reason}"

    def __init_subclass__(cls) -> None:
        """Derives the stable code from the class name."""
        name = cls.__name__.removesuffix("Error")
        cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()

    def __init__(self, **facts: str | int) -> None:
        """Keeps the facts and renders the message from them."""
        self.facts = facts
        super().__init__(self.template.format(**facts))


class InputError(RegistryError):
    """The bytes are not what the format asks for."""


class AuthenticationError(RegistryError):
    """A signature, a key or the caller is wrong."""


class RefusalError(RegistryError):
    """Well formed and authentic, and a rule says no."""


class VerificationError(RegistryError):
    """Somebody's proof does not prove."""


class StorageError(RegistryError):
    """The store failed and nothing was kept; retrying is safe."""


class CorruptionError(RegistryError):
    """Our own ledger does not verify: stop."""


# --- InputError ---------------------------------------------------------------


class MalformedError(InputError):
    """A value does not have the form that its place asks for."""

    template = "{what}: {reason}"


class NotCanonicalError(InputError):
    """The bytes parse, but they are not the one accepted spelling."""

    template = "{what} is not in canonical form: {reason}"


class EntryTooLargeError(InputError):
    """With its effects, the statement makes an entry that fits no bundle."""

    template = "the entry would have {size} bytes, the limit is {limit}"


class TooLargeError(InputError):
    """More bytes or items than the format allows."""

    template = "{what} has {size}, the limit is {limit}"


# --- VerificationError --------------------------------------------------------


class ProofFailedError(VerificationError):
    """A Merkle path, sum path or consistency proof does not hold."""


class NoteFailedError(VerificationError):
    """A signed note or checkpoint is malformed or not signed by the pinned key."""


# --- AuthenticationError ------------------------------------------------------


class KeyUnknownError(AuthenticationError):
    """No committed entry holds this key; it may be on its way, so retry."""

    template = "key {kid} is in no committed entry"


class BadSignatureError(AuthenticationError):
    """The signature does not verify under the strict rules of its suite."""

    template = "{what}: the signature does not verify"


# --- Admission and the order of checks ----------------------------------------


class WrongAudienceError(InputError):
    """The statement was signed for another log."""

    template = "aud is {aud}, this log is {origin}"


class HeaderMismatchError(AuthenticationError):
    """The JWS header is not the one that key record and kind call for."""

    template = "the header is not the one expected for {kind} by key {kid}"


class IdReusedError(InputError):
    """The party has used this id for another statement."""

    template = "id {id} of {by} belongs to statement {sid}"


class KeyNotOfPartyError(AuthenticationError):
    """A valid signature by a key of somebody else."""

    template = "key {kid} is not a key of {by}"


class KeyUseError(AuthenticationError):
    """The key is for another use."""

    template = "key {kid} is for use {use}, statements need use sign"


class KeyRevokedError(AuthenticationError):
    """The key was revoked by an earlier entry."""

    template = "key {kid} was revoked in entry {revoked}"


class LifetimeError(RefusalError):
    """The statement is not, or no longer, or too long valid."""

    template = "the entry's time {time} is not in [iat - 300, exp) = [{first}, {end})"


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


# --- RefusalError: ledger and parties -----------------------------------------


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

    template = "the clock shows {now}, which is not before {time}"


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


# --- RefusalError: accounts ---------------------------------------------------


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


# --- RefusalError: vouchers ---------------------------------------------------


class NotHolderRoleError(RefusalError):
    """The party may not hold this voucher."""

    template = "{party} cannot be a holder of this voucher"


class DueTooSoonError(RefusalError):
    """A voucher falls due after the day of its issue."""

    template = "due on {due_on}, and today is {today}"


class DeadlinePassedError(RefusalError):
    """The last moment for this is over, or would come too late."""

    template = "the deadline {deadline} is past, or not before the due date"


class VoucherNumberTakenError(RefusalError):
    """The debtor has used the number before."""

    template = "voucher number {voucher_no} is voucher {voucher}"


class VoucherStatusError(RefusalError):
    """The voucher is in another part of its life."""

    template = "{kind}: voucher {voucher} is {status}"


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


# --- RefusalError: transfers and notices --------------------------------------


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

    template = "lot {lot} holds {held} minor, requested {requested} minor"


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


class NoticeNotFoundError(RefusalError):
    """The signer has no such notice."""

    template = "the signer has no notice {notice}"


class AlreadyAcknowledgedError(RefusalError):
    """The notice was acknowledged before."""

    template = "notice {notice} is acknowledged"


# --- StorageError and CorruptionError -----------------------------------------


class HeadMovedError(StorageError):
    """Another writer has appended."""

    template = "the log has {size} entries, expected {expected}"


class StorageUnknownError(StorageError):
    """The outcome of a commit is not known: stop writing and read the head again."""


class StaleWriterError(StorageError):
    """Another writer holds the lease."""

    template = "the lease is at epoch {epoch}, this writer has {held}"


class LogCorruptError(CorruptionError):
    """The stored log does not verify."""


class MissingFileError(VerificationError):
    """A file that the log's size implies is not there."""

    template = "{path} is missing"


class StorageFailedError(StorageError):
    """The database refused or failed before anything was kept."""

    template = "{reason}"


class EntryInvalidError(VerificationError):
    """An entry is not what must stand at its place."""

    template = "entry {index}: {reason}"


class SnapshotUnknownError(RefusalError):
    """There is no such state entry, or it knows no such bucket."""

    template = "entry {index} is no state entry that commits to this"
