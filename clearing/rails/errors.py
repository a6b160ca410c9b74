"""What is refused of bank files: leaves of the registry's families."""

from registry.errors import InputError, RefusalError


class BankFileError(InputError):
    """A bank's file is not what its format asks for."""

    template = "{what}: {reason}"


class BankFormatUnknownError(InputError):
    """A bank's file is of a format or version that is not read."""

    template = "{found} is not read; what would be is {expected}"


class BankTextRefusedError(InputError):
    """A text cannot stand in the bank's file as it is, and nothing is cut or replaced."""

    template = "{field}: {reason}"


class CurrencyRefusedError(InputError):
    """Vouchers are paid in the ledger's currency, and in no other."""

    template = "{currency} is not paid or read; {expected} is"


class DetailsMissingError(RefusalError):
    """The details of an account have not been given."""

    template = "nothing is known of account {account} but its digest"
