"""The refusals about notices: inboxes, answers, who may give one and who may take it back.

Leaves of the family of `registry.refusals`, in a module of their own for its length.
"""

from registry.errors import RefusalError


class InboxMissingError(RefusalError):
    """Who owes or secures a voucher designates its inbox for notices first."""

    template = "{party} has not designated its inbox for notices"


class InboxDesignatedError(RefusalError):
    """A party designates its inbox once."""

    template = "{party} has designated its inbox by statement {designation}"


class NoticeNotFoundError(RefusalError):
    """There is no such notice to the signer."""

    template = "there is no notice {notice} to the signer"


class NoticeRevokedError(RefusalError):
    """The notice stands no longer."""

    template = "notice {notice} is revoked"


class AlreadyReceivedError(RefusalError):
    """The recipient's system has said that it has the notice."""

    template = "notice {notice} is received"


class AlreadyAcknowledgedError(RefusalError):
    """The notice has been acknowledged."""

    template = "notice {notice} is acknowledged"


class AlreadyRefusedError(RefusalError):
    """The notice has been refused."""

    template = "notice {notice} is refused by statement {refusal}"


class NotSenderError(RefusalError):
    """The signer has no part in the transfer that would let it do this."""

    template = "{by} is no {sender} of transfer {transfer}"


class EvidenceMissingError(RefusalError):
    """Only the assignor's own notice needs no evidence of the assignment."""

    template = "a notice given as {sender} needs evidence"


class PowerMissingError(RefusalError):
    """No power of attorney covers this notice."""

    template = "{by} has no power {power} for notices of transfer {transfer}"


class PowerNotTriggeredError(RefusalError):
    """The event has not come about without which a power cannot be used."""

    template = "power {power} waits for {event}"


class PowerTriggeredError(RefusalError):
    """The event has been declared."""

    template = "power {power} can be used since statement {statement}"


class NotDeclarerError(RefusalError):
    """The power names another party for declaring its event."""

    template = "{by} does not declare the event of power {power}"


class AttorneyRefusedError(RefusalError):
    """The power names somebody who cannot be named there."""

    template = "{party} {reason}"


class RecipientRefusedError(RefusalError):
    """Who is named is not to be told of the transfer, or has been."""

    template = "{recipient} {reason}"


class AssignmentPassedOnError(RefusalError):
    """The assignee has passed on what it was assigned, and others rest on the notice."""

    template = "{assignee} holds nothing more of transfer {transfer}"
