"""The refusals of what is agreed about a lot for money: leaves as in `registry.refusals`."""

from registry.errors import RefusalError


class NotFinancingPartyError(RefusalError):
    """The financing is between others, or another of its parties says this."""

    template = "{by} is not the {role} of financing {financing}"


class FinancingModeError(RefusalError):
    """The mode of the financing does not allow it."""

    template = "{mode} financing: {reason}"


class FinancingRequiredError(RefusalError):
    """The policy has lots sold for money by a financing alone."""

    template = "lot {lot} is offered for money without a financing"


class TermsDifferError(RefusalError):
    """A contract is signed by both over the same bytes."""

    template = "financing {financing}: {what} quoted was {quoted}, signed is {signed}"


class StepMissingError(RefusalError):
    """A step of the financing comes before another that is not done."""

    template = "financing {financing}: {missing} comes before {step}"


class PaymentFormError(RefusalError):
    """The price is paid in the form that the contract says."""

    template = "financing {financing} is paid by {agreed}, not by {stated}"


class BillNotHonouredError(RefusalError):
    """A bill without a clause of discharge has paid nothing until it is honoured."""

    template = "financing {financing}: the bill discharges nothing until it is honoured"
