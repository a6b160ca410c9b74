"""The refusals of what burdens a claim: pledges, freezes, disputes, registrations.

Leaves of the family of `registry.refusals`, in a module of their own for its length.
"""

from registry.errors import RefusalError


class MoveNotAllowedError(RefusalError):
    """The thing is in another part of its life."""

    template = "{of} is {status}, and cannot become {to}"

    def __init__(self, **facts: str | int) -> None:
        """Says so where it is what it would become."""
        super().__init__(**facts)
        if facts["status"] == facts["to"]:
            self.args = (f"{facts['of']} is {facts['status']} already",)


class LotBurdenedError(RefusalError):
    """The lot is pledged or frozen."""

    template = "lot {lot} is burdened by {burden}"


class TooManyBurdensError(RefusalError):
    """The lot bears as many burdens as the format allows."""

    template = "lot {lot} bears {limit} burdens, the most there can be"


class PledgeeRefusedError(RefusalError):
    """The pledgee may not take what is pledged."""

    template = "pledgee {pledgee} {reason}"


class NotPledgeeError(RefusalError):
    """The pledge is another party's."""

    template = "{by} is not the pledgee of pledge {pledge}"


class FreezeNotFirstError(RefusalError):
    """An earlier freeze of the lot comes first."""

    template = "freeze {freeze} of lot {lot} waits for {first}"


class AmountTooLargeError(RefusalError):
    """More is claimed or admitted than there can be."""

    template = "{amount!y} is more than {limit!y}"


class AheadOfTimeError(RefusalError):
    """Something is stated that would have happened later than now."""

    template = "{what} is {at!t}, and the entry's time is {time!t}"


class RegistrationTermError(RefusalError):
    """A registration elsewhere stands for a month at least and 30 years at most."""

    template = "from {first} until {expires_on} is not 1 month to 30 years"


class AlreadyRegisteredError(RefusalError):
    """The party has registered this."""

    template = "{subject} is registered by {party}: {filing}"


class NotRegistrantError(RefusalError):
    """The registration is another party's."""

    template = "registration {filing} is not {by}'s"


class SearchIncompleteError(RefusalError):
    """A search covers every assignor behind the lot, each once and nobody else."""

    template = "{covered} of the {assignors} assignors behind lot {lot} are covered"


class AlreadyUndertakenError(RefusalError):
    """The party has undertaken this."""

    template = "{party} has undertaken to register {subject}: {task}"


class TooManyAccessoriesError(RefusalError):
    """As many rights secure the voucher as the format allows."""

    template = "{limit} rights secure voucher {voucher}, the most there can be"
