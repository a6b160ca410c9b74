"""Writing: one path per kind, and the bulk path for many statements of any kinds.

The body of a request is the statement's payload, byte for byte as it was signed; the
header `JWS-Signature` carries the signature detached. In bulk a line is a compact JWS.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from api.access import WRITE_PREFIX
from api.bulk import seal_lines, split_lines
from api.errors import RequestInvalidError, WrongPathError
from api.intake import Intake
from api.problems import headers_of, language_of, problem_of
from api.requests import BULK_BODY_MAX, read_body, service_of, verify_parameters
from api.results import receipt_of, result_of
from api.schemas import envelope_of
from registry.engine import Sealed
from registry.errors import RegistryError, StorageError
from registry.kinds import Rulebook
from registry.signing import attach
from registry.statements import PAYLOAD_MAX, Kind

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]

SIGNATURE: Final = "JWS-Signature"
WAIT: Final = "wait"
CHECKPOINT: Final = "checkpoint"

_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_NDJSON = {
    "requestBody": {
        "required": True,
        "description": "One compact JWS a line, up to 1,000 lines and 4 MiB.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    },
    "responses": {
        "200": {
            "description": "One line for each line: `status` with the result or the problem.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
}


def path_of(kind: str) -> str:
    """Returns the path that statements of a kind are sent to."""
    return f"/v1/{kind.replace('.', '/')}"


def endpoints_of(rulebook: Rulebook) -> dict[str, Endpoint]:
    """Returns what answers a POST, by its path: a path for every kind, and the one for many."""
    return {
        "/v1/statements": submit_many,
        **{path_of(kind.name): _write(kind) for kind in rulebook.kinds.values()},
    }


def writing_router(rulebook: Rulebook) -> APIRouter:
    """Makes a route of every kind in the rulebook, and the one for many.

    The endpoints read the request themselves, so that the framework has nothing to solve.
    """
    router = APIRouter()
    endpoints = endpoints_of(rulebook)
    router.add_api_route(
        "/v1/statements",
        submit_many,
        methods=["POST"],
        operation_id="statements.submit",
        summary="Seals up to 1,000 statements, in order.",
        response_class=Response,
        openapi_extra=_NDJSON,
    )
    for kind in rulebook.kinds.values():
        router.add_api_route(
            path_of(kind.name),
            endpoints[path_of(kind.name)],
            methods=["POST"],
            status_code=201,
            operation_id=f"{WRITE_PREFIX}{kind.name}",
            summary=kind.summary,
            description=f"Signed by {kind.relation}.",
            openapi_extra=envelope_of(kind),
        )
    return router


def _write(kind: Kind[Any]) -> Endpoint:
    """Makes the route of a kind."""

    async def write(request: Request) -> Response:
        intake: Intake = request.app.state.intake
        intake.verify_room()
        waits = _waits(request)
        signature = request.headers.get(SIGNATURE)
        if signature is None:
            reason = f"{SIGNATURE}: Field required"
            raise RequestInvalidError(reason=reason, parameter=SIGNATURE)
        payload = await read_body(request, limit=2 * PAYLOAD_MAX)
        service = service_of(request)
        unverified = service.read(attach(signature, payload))
        if unverified.statement.kind != kind.name:
            raise WrongPathError(kind=unverified.admit().kind, path=kind.name)
        outcome = await intake.seal(unverified)
        if isinstance(outcome, RegistryError):
            raise outcome
        receipt = None
        if waits:
            note = await asyncio.wrap_future(service.writer.wait_checkpoint(outcome.index + 1))
            receipt = receipt_of(service.store, outcome, note=note)
        return _Result(outcome, result_of(outcome, service.store, receipt=receipt))

    return write


class _Result(Response):
    """The answer to a statement that is sealed, without what a response computes for any other."""

    def __init__(self, sealed: Sealed, body: bytes) -> None:
        self.status_code = 200 if sealed.replayed else 201
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"location", b"/v1/statements/%b" % sealed.sid.encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        if sealed.replayed:
            self.raw_headers.append((b"idempotent-replayed", b"true"))


def _waits(request: Request) -> bool:
    """Tells whether the caller waits for a checkpoint.

    Raises:
        ParameterUnknownError, RequestInvalidError: Another parameter, or another value.
    """
    if not request.scope["query_string"]:
        return False
    verify_parameters(request, (WAIT,))
    wish = request.query_params.get(WAIT, CHECKPOINT)
    if wish != CHECKPOINT:
        reason = f"{WAIT}: Input should be '{CHECKPOINT}'"
        raise RequestInvalidError(reason=reason, parameter=WAIT)
    return WAIT in request.query_params


async def submit_many(request: Request) -> Response:
    """Answers each line with a line: `status` and either the result or the problem."""
    if request.scope["query_string"]:
        verify_parameters(request, ())
    intake: Intake = request.app.state.intake
    with intake.bulk_room():
        body = await read_body(request, limit=BULK_BODY_MAX)
        outcomes = await seal_lines(service_of(request), split_lines(body))
    first = outcomes[0]
    if isinstance(first, StorageError):
        # Nothing was sealed: the whole request may come again.
        raise first
    language = language_of(request.headers.get("accept-language", ""))
    store = service_of(request).store
    lines: list[bytes] = []
    for outcome in outcomes:
        if isinstance(outcome, RegistryError):
            problem = problem_of(outcome, instance=request.url.path, language=language)
            lines.append(_dump({"status": problem["status"], "problem": problem}).encode())
        else:
            status = b"200" if outcome.replayed else b"201"
            lines.append(b'{"status":%b,%b' % (status, result_of(outcome, store)[1:]))
    retry = next((e for e in outcomes if isinstance(e, StorageError)), None)
    return Response(
        b"".join(b"%b\n" % line for line in lines),
        media_type="application/x-ndjson",
        headers=headers_of(retry) if retry else None,
    )
