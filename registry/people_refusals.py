"""The refusals about who acts: people and their keys, approvals, suspension, affiliation.

The others stand in `registry.refusals`, the families in `registry.errors`.
"""

from registry.errors import RefusalError


class SuspendedError(RefusalError):
    """The registrar has suspended the party, which may not sign this meanwhile."""

    template = "{party} is suspended by statement {suspension}"


class PartyUnknownError(RefusalError):
    """There is no such admitted party."""

    template = "there is no admitted party {party}"


class NotSuspendableError(RefusalError):
    """Nobody suspends the operator or the registrar; a party is suspended once."""

    template = "{party} {reason}"


class AlreadyAffiliatedError(RefusalError):
    """The two belong together already."""

    template = "{first} and {second} belong together by statement {affiliation}"


class DutyMissingError(RefusalError):
    """The key's person has another duty in its party."""

    template = "the person of key {kid} is a {duty}, and {kind} is for {duties}"


class OverLimitError(RefusalError):
    """The amount is above what the key may sign for."""

    template = "key {kid} signs for up to {limit!y}, requested {amount!y}"


class PersonMissingError(RefusalError):
    """The key names no person, and who makes and who checks must be two."""

    template = "key {kid} names no person"


class TooManyKeysError(RefusalError):
    """The party has as many live keys as the format allows."""

    template = "{party} has {limit} live keys"


class RecoveryKeyExistsError(RefusalError):
    """A party has one recovery key; only that key ends it."""

    template = "recovery key {kid} of {party} is live"


class TooFewPeopleError(RefusalError):
    """The party does not have the people whom its rules call for."""

    template = "{party} has keys of {people}, its rules call for {needed}"


class OtherPartyError(RefusalError):
    """The statement is another party's."""

    template = "statement {statement} is {party}'s, not {by}'s"


class MakerIsCheckerError(RefusalError):
    """Who made a statement cannot approve it, whatever key is used."""

    template = "person {person} has made statement {statement}"


class AlreadyApprovedError(RefusalError):
    """The person has approved the statement."""

    template = "person {person} has approved statement {statement}"


class FinalReviewMissingError(RefusalError):
    """Without a final reviewer's approval, this cannot be the last."""

    template = "statement {statement} needs one approval by a final reviewer"


class PayeeFrozenError(RefusalError):
    """So near to the due date an account changes by two people only, after a callback."""

    template = "from {begins} on, lot {lot}, due on {due_on}, needs approvals and a callback"
