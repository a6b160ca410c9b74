"""Problems: every refusal as RFC 9457 `application/problem+json`.

    {"type": "/problems/insufficient-holding", "title": "More was offered than the lot holds.",
     "status": 422, "detail": "lot … holds 1.00, requested 1.01",
     "instance": "/v1/transfer/offer", "code": "insufficient-holding", "retryable": false,
     "facts": {"lot": "…", "held": 100, "requested": 101}}

The facts stand in a member of their own, for some are called `status` or `kind`.
`errors` points at members of the body or names parameters. Bugs and corruption
say nothing but that they are. `python -m api.problems` writes docs/problems.md.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import api.errors
import clearing.errors
import clearing.rails.errors
import registry.writer
from api.titles import FAMILY_TITLES, TITLES
from clearing.errors import AmountDiffersError, InstructionNotFoundError, PlanDiffersError
from registry import (
    dealing_refusals,
    errors,
    notice_refusals,
    people_refusals,
    pricing,
    refusals,
)
from registry.errors import RegistryError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1

FAMILIES: Final[Mapping[type[RegistryError], int]] = {
    errors.InputError: 400,
    errors.AuthenticationError: 401,
    errors.RefusalError: 409,
    errors.VerificationError: 422,
    errors.StorageError: 503,
    errors.CorruptionError: 500,
}
"""The status of a family, unless a leaf says otherwise."""

STATUSES: Final[Mapping[type[RegistryError], int]] = {
    errors.TooLargeError: 413,
    errors.EntryTooLargeError: 422,
    errors.IdReusedError: 422,
    api.errors.RouteNotFoundError: 404,
    api.errors.MethodNotAllowedError: 405,
    api.errors.OpeningDiffersError: 422,
    # Known, and not entitled.
    errors.KeyNotOfPartyError: 403,
    errors.KeyUseError: 403,
    errors.KeyRevokedError: 403,
    api.errors.OperationNotAllowedError: 403,
    api.errors.ControlNotShownError: 403,
    refusals.RoleMissingError: 403,
    people_refusals.SuspendedError: 403,
    people_refusals.DutyMissingError: 403,
    people_refusals.OverLimitError: 403,
    people_refusals.PersonMissingError: 403,
    people_refusals.OtherPartyError: 403,
    people_refusals.MakerIsCheckerError: 403,
    people_refusals.FinalReviewMissingError: 403,
    dealing_refusals.NotFinancingPartyError: 403,
    dealing_refusals.FinancingModeError: 422,
    dealing_refusals.TermsDifferError: 422,
    dealing_refusals.PaymentFormError: 422,
    refusals.NotTrusteeError: 403,
    refusals.NotBankError: 403,
    refusals.NotOwnerError: 403,
    refusals.NotCreditorError: 403,
    refusals.NotDebtorError: 403,
    refusals.NotHolderError: 403,
    refusals.NotAssigneeError: 403,
    refusals.NotAssignorError: 403,
    refusals.NotGrantorError: 403,
    notice_refusals.NotDeclarerError: 403,
    notice_refusals.NotSenderError: 403,
    notice_refusals.PowerMissingError: 403,
    notice_refusals.PowerNotTriggeredError: 403,
    # Not there.
    api.errors.NotFoundError: 404,
    notice_refusals.NoticeNotFoundError: 404,
    people_refusals.PartyUnknownError: 404,
    refusals.AccountUnknownError: 404,
    refusals.LotNotFoundError: 404,
    refusals.SnapshotUnknownError: 404,
    InstructionNotFoundError: 404,
    # Well formed, and no state of the ledger would make it right.
    notice_refusals.AttorneyRefusedError: 422,
    notice_refusals.EvidenceMissingError: 422,
    people_refusals.NotSuspendableError: 422,
    people_refusals.TooFewPeopleError: 422,
    refusals.AssigneeRefusedError: 422,
    refusals.BeyondCalendarError: 422,
    refusals.DueTooSoonError: 422,
    refusals.InsufficientHoldingError: 422,
    refusals.NotHolderRoleError: 422,
    refusals.PossessionError: 422,
    api.errors.LogKeyDiffersError: 422,
    AmountDiffersError: 422,
    PlanDiffersError: 422,
}

RETRYABLE: Final = (errors.StorageError, errors.KeyUnknownError)
"""What the same bytes may be sent again for."""

_ENVELOPE: Final = ("body", "aud", "by", "exp", "iat", "id", "re", "seen")
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="tallystick"'}


def family_of(leaf: type[RegistryError]) -> type[RegistryError]:
    """Returns the family that a leaf class belongs to."""
    return next(family for family in FAMILIES if issubclass(leaf, family))


def status_of(leaf: type[RegistryError]) -> int:
    """Returns the HTTP status of a leaf class."""
    return STATUSES.get(leaf) or FAMILIES[family_of(leaf)]


def title_of(leaf: type[RegistryError], *, language: str = "en") -> str:
    """Returns the title of a leaf class in English or Chinese."""
    if language == "zh":
        return TITLES.get(leaf.code) or FAMILY_TITLES[family_of(leaf).__name__]
    return (leaf.__doc__ or "").partition("\n")[0]


def language_of(accept: str) -> str:
    """Chooses between `en` and `zh` by an Accept-Language header; `en` without a wish.

    Source: RFC 9110 section 12.5.4.
    """
    wishes: list[tuple[float, str]] = []
    for place, part in enumerate(accept.lower().split(",")[:20]):
        name, _, weight = part.partition(";")
        language = name.strip().partition("-")[0]
        if language not in ("en", "zh"):
            continue
        try:
            quality = float(weight.partition("=")[2]) if weight else 1.0
        except ValueError:
            quality = 0.0
        wishes.append((quality - place / 1_000, language))
    best = max(wishes, default=(1.0, "en"))
    return best[1] if best[0] > 0 else "en"


def problem_of(error: RegistryError, *, instance: str, language: str = "en") -> dict[str, Any]:
    """Renders an error as a problem.

    Args:
        error: The error.
        instance: The path of the request that it answers.
        language: `en` or `zh`, of the title.
    """
    leaf = type(error)
    problem: dict[str, Any] = {
        "type": f"/problems/{leaf.code}",
        "title": title_of(leaf, language=language),
        "status": status_of(leaf),
        "instance": instance,
        "code": leaf.code,
        "retryable": issubclass(leaf, RETRYABLE),
    }
    if not issubclass(leaf, errors.CorruptionError):
        problem["detail"] = str(error)
        problem["facts"] = dict(error.facts)
        if pointed := list(_pointers(error)):
            problem["errors"] = pointed
    return problem


def _pointers(error: RegistryError) -> Iterator[dict[str, str]]:
    """Points at what is wrong: in the statement's payload, or at a parameter."""
    if isinstance(error, errors.MalformedError) and error.misfits:
        yield from map(_misfit, error.misfits)
        return
    what, detail = error.facts.get("what"), str(error.facts.get("reason", error))
    if isinstance(what, str) and what.partition("/")[0] in _ENVELOPE:
        yield {"pointer": f"/{what}", "detail": detail}
    parameter = error.facts.get("parameter")
    if isinstance(parameter, str):
        yield {"parameter": parameter, "detail": detail}


def _misfit(misfit: errors.Misfit) -> dict[str, str]:
    """Points at a member of the body, and says what would be right there."""
    parts = (part.replace("~", "~0").replace("/", "~1") for part in misfit.place)
    said = {"pointer": "".join(f"/{part}" for part in parts), "detail": misfit.reason}
    return {**said, "expected": misfit.expected} if misfit.expected else said


def headers_of(error: RegistryError) -> dict[str, str]:
    """Returns the headers that go with an error."""
    status = status_of(type(error))
    if status == 503:
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if isinstance(error, (api.errors.TokenMissingError, api.errors.TokenRefusedError)):
        return dict(_CHALLENGE)
    return {}


def bug(*, instance: str, language: str = "en") -> dict[str, Any]:
    """Renders a bug: that there is one, and nothing about it."""
    return {
        "type": "/problems/internal",
        "title": "服务器内部错误" if language == "zh" else "The server has a fault.",
        "status": 500,
        "instance": instance,
        "code": "internal",
        "retryable": False,
    }


def leaves(base: type[RegistryError] = RegistryError) -> Iterator[type[RegistryError]]:
    """Yields every leaf class of the program, by family and then as written."""
    for child in base.__subclasses__():
        if child not in FAMILIES and child.__module__.partition(".")[0] in _PACKAGES:
            yield child
        yield from leaves(child)


_PACKAGES: Final = ("registry", "clearing", "api")
_SOURCES: Final = (clearing.errors, clearing.rails.errors, pricing, registry.writer)
"""Imported so that their leaves are known."""

_INTRODUCTION: Final = """\
# Problems

Every refusal is an RFC 9457 problem (`application/problem+json`). `code` is stable and is the
last part of `type`; `title` comes in English or Chinese by `Accept-Language`; `detail` says
what is the matter with the values at hand, which stand in `facts`; `errors` points at members
of the statement (`pointer`, RFC 6901) or names a `parameter`. Of a body it has all that is wrong,
up to ten, each with what is `expected` there; `detail` and `facts` are those of the first. With
`retryable` the same bytes may be sent again: a statement is never sealed twice.

In the patterns of details below, `!y` is money in yuan, `!t` and `!u` are times in UTC; the facts
have minor units, milliseconds and seconds.

This page is written by `python -m api.problems`.

## internal

500. The server has a fault; it says nothing about it but that.
"""


def format_page() -> str:
    """Writes docs/problems.md: a section per leaf class."""
    sections = [_INTRODUCTION]
    for leaf in sorted(set(leaves()), key=lambda leaf: leaf.code):
        retry = " The same bytes may be sent again." if issubclass(leaf, RETRYABLE) else ""
        paragraphs = (
            f"## {leaf.code}",
            f"{status_of(leaf)}. {title_of(leaf)}{retry}",
            f"{title_of(leaf, language='zh')}。",
            f"`{leaf.template}`",
        )
        sections.append("\n\n".join(paragraphs) + "\n")
    return "\n".join(sections)


if __name__ == "__main__":
    print(format_page(), end="")
