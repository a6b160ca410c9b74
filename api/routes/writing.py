"""Writing: one path per kind, and the bulk path for many statements of any kinds.

The body of a request is the statement's payload, byte for byte as it was signed; the
header `JWS-Signature` carries the signature detached. In bulk a line is a compact JWS.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from api.access import WRITE_PREFIX
from api.bulk import seal_lines, split_lines
from api.errors import WrongPathError
from api.problems import headers_of, language_of, problem_of
from api.requests import BULK_BODY_MAX, GUARDS, ServiceOf, read_body, service_of
from api.results import receipt_of, result_of
from api.schemas import envelope_of
from registry.errors import RegistryError, StorageError
from registry.kinds import Rulebook
from registry.signing import attach
from registry.statements import PAYLOAD_MAX, Kind

Wait = Annotated[
    Literal["checkpoint"] | None,
    Query(description="Answer once a signed checkpoint covers the entry, with its receipt."),
]
Signature = Annotated[
    str,
    Header(alias="JWS-Signature", description="`header..signature`, RFC 7515 appendix F."),
]


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


def writing_router(rulebook: Rulebook) -> APIRouter:
    """Makes a route of every kind in the rulebook, and the one for many."""
    router = APIRouter(dependencies=GUARDS)
    router.add_api_route(
        "/v1/statements",
        _submit_many,
        methods=["POST"],
        operation_id="statements.submit",
        summary="Seals up to 1,000 statements, in order.",
        response_class=Response,
        openapi_extra=_NDJSON,
    )
    for kind in rulebook.kinds.values():
        router.add_api_route(
            path_of(kind.name),
            _write(kind),
            methods=["POST"],
            status_code=201,
            operation_id=f"{WRITE_PREFIX}{kind.name}",
            summary=kind.summary,
            description=f"Signed by {kind.relation}.",
            openapi_extra=envelope_of(kind),
        )
    return router


def _write(kind: Kind[Any]) -> Callable[..., Coroutine[Any, Any, Response]]:
    """Makes the route of a kind."""

    async def write(
        request: Request, service: ServiceOf, signature: Signature, wait: Wait = None
    ) -> Response:
        payload = await read_body(request, limit=2 * PAYLOAD_MAX)
        statement = service.admit(attach(signature, payload))
        if statement.kind != kind.name:
            raise WrongPathError(kind=statement.kind, path=kind.name)
        (outcome,) = await asyncio.wrap_future(service.writer.submit([statement]))
        if isinstance(outcome, RegistryError):
            raise outcome
        result = result_of(outcome)
        if wait:
            note = await asyncio.wrap_future(service.writer.wait_checkpoint(outcome.index + 1))
            result["receipt"] = receipt_of(service.store, outcome, note=note)
        headers = {"Location": f"/v1/statements/{outcome.sid}"}
        if outcome.replayed:
            headers["Idempotent-Replayed"] = "true"
        return JSONResponse(result, status_code=200 if outcome.replayed else 201, headers=headers)

    return write


async def _submit_many(request: Request) -> Response:
    """Answers each line with a line: `status` and either the result or the problem."""
    service = service_of(request)
    body = await read_body(request, limit=BULK_BODY_MAX)
    outcomes = await seal_lines(service, split_lines(body))
    first = outcomes[0]
    if isinstance(first, StorageError):
        # Nothing was sealed: the whole request may come again.
        raise first
    language = language_of(request.headers.get("accept-language", ""))
    lines = []
    for outcome in outcomes:
        if isinstance(outcome, RegistryError):
            problem = problem_of(outcome, instance=request.url.path, language=language)
            lines.append(_dump({"status": problem["status"], "problem": problem}))
        else:
            status = 200 if outcome.replayed else 201
            lines.append(_dump({"status": status, **result_of(outcome)}))
    retry = next((e for e in outcomes if isinstance(e, StorageError)), None)
    return Response(
        "".join(f"{line}\n" for line in lines),
        media_type="application/x-ndjson",
        headers=headers_of(retry) if retry else None,
    )
