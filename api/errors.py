"""What can go wrong between HTTP and the ledger: leaves of the registry's families."""

from registry.errors import AuthenticationError, InputError, RefusalError


class TokenMissingError(AuthenticationError):
    """The operation is for known callers, and no bearer token was sent."""

    template = "this needs a bearer token, signed with a key of use read"


class TokenRefusedError(AuthenticationError):
    """The bearer token is malformed, out of time, or not signed by a key that may."""

    template = "bearer token: {reason}"


class OperationNotAllowedError(AuthenticationError):
    """The operation is not for parties in the caller's roles."""

    template = "{operation} is not for {by}"


class ControlNotShownError(AuthenticationError):
    """The answer to a challenge does not show that its signer controls the lot now."""

    template = "control is not shown: {reason}"


class NotFoundError(RefusalError):
    """There is no such thing, or it is not for the caller to see."""

    template = "there is no {what} {name}"


class RouteNotFoundError(InputError):
    """The server has no such path."""

    template = "there is no path {path}"


class MethodNotAllowedError(InputError):
    """The path exists, but not with this method."""

    template = "{path} has no method {method}"


class ParameterUnknownError(InputError):
    """A query parameter that the operation does not have; none is ever passed over."""

    template = "there is no parameter {name} here; there are: {known}"


class RequestInvalidError(InputError):
    """A parameter or header is missing or has a wrong form."""

    template = "{reason}"


class CursorInvalidError(InputError):
    """The cursor was not made by this list with these filters."""

    template = "the cursor is not of this list with these filters"


class WrongPathError(InputError):
    """The statement is of another kind than the path that it was sent to."""

    template = "a statement of kind {kind} was sent to the path of {path}"


class OpeningDiffersError(InputError):
    """The salt and the terms do not have the digest that they were sent for."""

    template = "salt and terms have the digest {computed}, not {digest}"


class LogKeyDiffersError(RefusalError):
    """Genesis names another log key than the one this server signs with."""

    template = "genesis names log key {named}, this server has {held}"
