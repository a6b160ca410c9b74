"""What every route needs of a request: its service, its caller, its body, its size.

Two dependencies stand before every route: one refuses query parameters that the
operation does not have, the other verifies the caller where the operation's row in
`api.access` asks for one.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from api import problems
from api.access import needs_caller, verify_allowed
from api.auth import Caller, open_token
from api.errors import ParameterUnknownError, RequestInvalidError
from api.service import Service
from api.states import size_at
from registry.calendars import parse_date
from registry.errors import InvariantBrokenError, RegistryError, TooLargeError

BODY_MAX: Final = 1024 * 1024
BULK_BODY_MAX: Final = 4 * 1024 * 1024
"""Bytes of a bulk request: 1,000 statements of up to 4 KiB; larger ones come in smaller batches."""

IMMUTABLE: Final = "public, max-age=31536000, immutable"
PRIVATE_IMMUTABLE: Final = "private, max-age=31536000, immutable"


def service_of(request: Request) -> Service:
    """Returns the ledger that the server serves."""
    service: Service = request.app.state.service
    return service


def route_of(request: Request) -> APIRoute:
    """Returns the route that answers a request."""
    route = request.scope["route"]
    if not isinstance(route, APIRoute):
        raise InvariantBrokenError(f"{request.url.path} is served by no route of ours")
    return route


async def refuse_unknown_parameters(request: Request) -> None:
    """Refuses query parameters that the operation does not have.

    Raises:
        ParameterUnknownError: There is one; passing over a filter would show too much.
        RequestInvalidError: One stands twice.
    """
    if request.scope["query_string"]:
        needs = route_of(request).dependant  # codespell:ignore
        verify_parameters(request, set(_parameters_of(needs)))


def verify_parameters(request: Request, known: Collection[str]) -> None:
    """Verifies that a request has only parameters of the operation, each once.

    Raises:
        ParameterUnknownError: There is another one; passing over a filter would show too much.
        RequestInvalidError: One stands twice.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            raise ParameterUnknownError(
                name=name, parameter=name, known=", ".join(sorted(known)) or "none"
            )
    if len(names) > len(set(names)):
        raise RequestInvalidError(reason="a parameter stands twice")


def _parameters_of(needs: Any) -> Iterator[str]:
    """Yields the names of the query parameters of a route and of what it depends on."""
    yield from (parameter.alias for parameter in needs.query_params)
    for each in needs.dependencies:
        yield from _parameters_of(each)


async def authorise(request: Request) -> None:
    """Verifies the caller, where the operation is not for everybody.

    Raises:
        TokenMissingError, TokenRefusedError: It is not known who calls.
        OperationNotAllowedError: The operation is not for the caller.
    """
    operation = route_of(request).operation_id or ""
    if not needs_caller(operation):
        return
    service = service_of(request)
    caller = open_token(
        request.headers.get("authorization", ""),
        store=service.store,
        origin=service.origin,
        now=service.wall.now() // 1000,
    )
    verify_allowed(operation, caller)
    request.state.caller = caller


GUARDS: Final = [Depends(refuse_unknown_parameters), Depends(authorise)]


async def _caller(request: Request) -> Caller:
    """Returns who calls."""
    caller: Caller = request.state.caller
    return caller


async def _service(request: Request) -> Service:
    return service_of(request)


async def _as_of(
    request: Request,
    as_of: Annotated[
        str | None,
        Query(description="Size of the log, or the date at whose start it is told.", max_length=20),
    ] = None,
) -> int | None:
    """Returns the size of the log as of which the caller asks.

    Raises:
        RequestInvalidError: Neither a size of the log nor a date.
    """
    if as_of is None:
        return None
    service = service_of(request)
    size = service.store.size()
    if as_of.isascii() and as_of.isdigit() and 0 < len(as_of) < 16:
        if int(as_of) > size:
            raise RequestInvalidError(reason=f"the log has {size} entries", parameter="as_of")
        return int(as_of)
    try:
        day: date = parse_date(as_of)
    except RegistryError as error:
        raise RequestInvalidError(reason=str(error), parameter="as_of") from None
    ledger = service.ledger
    return size_at(service.store, day, zone=ledger.zone) if ledger else 0


CallerOf = Annotated[Caller, Depends(_caller)]
ServiceOf = Annotated[Service, Depends(_service)]
AsOf = Annotated[int | None, Depends(_as_of)]


async def read_body(request: Request, *, limit: int = BODY_MAX) -> bytes:
    """Reads a request's body as it is, up to a limit.

    Raises:
        TooLargeError: It is longer; the rest is not read.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise TooLargeError(what="body", size=int(declared[:20]), limit=limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        # Not through the request's stream, a generator that costs more than all of this.
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise TooLargeError(what="body", size=size, limit=limit)
        if not message.get("more_body", False):
            return b"".join(chunks)


def fixed(request: Request, content: bytes, *, media_type: str, cache: str = IMMUTABLE) -> Response:
    """Answers with something that never changes at its address, with a strong ETag."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"Cache-Control": cache, "ETag": tag}
    if tag in (each.strip() for each in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def answer(data: Mapping[str, Any]) -> JSONResponse:
    """Answers with what the ledger says now; for the caller alone."""
    return JSONResponse(dict(data), headers={"Cache-Control": "private, no-store"})


def refusal(request: Request, error: RegistryError) -> JSONResponse:
    """Answers with an error as a problem."""
    language = problems.language_of(request.headers.get("accept-language", ""))
    problem = problems.problem_of(error, instance=request.url.path, language=language)
    return _problem_answer(problem, language, headers=problems.headers_of(error))


def bug(request: Request) -> JSONResponse:
    """Answers that there is a bug, and nothing about it."""
    language = problems.language_of(request.headers.get("accept-language", ""))
    return _problem_answer(problems.bug(instance=request.url.path, language=language), language)


def _problem_answer(
    problem: dict[str, Any], language: str, *, headers: Mapping[str, str] = MappingProxyType({})
) -> JSONResponse:
    """Answers with a problem."""
    return JSONResponse(
        problem,
        status_code=problem["status"],
        media_type=problems.MEDIA_TYPE,
        headers={"Content-Language": language, "Cache-Control": "no-store", **headers},
    )
