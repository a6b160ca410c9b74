"""Openings: the salts and terms behind digests, kept beside the log.

An opening needs no signature, for it proves itself: only salt and terms with the
digest are taken. So a bearer token says who put it, and that is enough. It is shown
to whoever put it, to auditors, and to the parties of a statement that names the
digest, which is to be said with it (`?statement=`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from api.auth import Caller
from api.bulk import LINES_MAX
from api.errors import NotFoundError, OpeningDiffersError
from api.requests import BULK_BODY_MAX, GUARDS, CallerOf, ServiceOf, answer, read_body
from api.service import Service
from api.visibility import payload_of, sees_statement
from registry.canonical import (
    Json,
    b64url_decode,
    b64url_encode,
    format_json,
    parse_json,
    parse_object,
    salted_digest,
)
from registry.entries import open_entry
from registry.errors import MalformedError, TooLargeError
from registry.ids import PartyId, Sid, trustee_of
from registry.ports import Opening

OPENING_MAX = 64 * 1024

router = APIRouter(prefix="/v1", dependencies=GUARDS)

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["salt", "terms"],
                    "properties": {
                        "salt": {"type": "string", "pattern": "^[A-Za-z0-9_-]{22}$"},
                        "terms": {"type": "object"},
                    },
                }
            }
        },
    }
}


@router.put("/openings/{digest}", operation_id="openings.put", status_code=204, openapi_extra=_BODY)
async def put_opening(
    request: Request, service: ServiceOf, caller: CallerOf, digest: str
) -> Response:
    """Keeps an opening, to be put before the statement that names its digest."""
    body = parse_object(await read_body(request, limit=OPENING_MAX), what="body")
    opening = _opening({**body, "digest": digest}, caller)
    await asyncio.to_thread(service.store.put_openings, [opening])
    return Response(status_code=204)


@router.post("/openings", operation_id="openings.put-many", status_code=204)
async def put_openings(request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Keeps many openings, one a line, each with its digest; all of them or none."""
    body = await read_body(request, limit=BULK_BODY_MAX)
    await asyncio.to_thread(_put_lines, service, caller, body.rstrip(b"\n").split(b"\n"))
    return Response(status_code=204)


def _put_lines(service: Service, caller: Caller, lines: Sequence[bytes]) -> None:
    """Keeps the openings of a bulk request.

    Raises:
        TooLargeError: There are too many lines, or one is longer than an opening may be.
        MalformedError, OpeningDiffersError: As `_opening`.
    """
    if len(lines) > LINES_MAX:
        raise TooLargeError(what="number of lines", size=len(lines), limit=LINES_MAX)
    longest = max(map(len, lines))
    if longest > OPENING_MAX:
        raise TooLargeError(what="line", size=longest, limit=OPENING_MAX)
    openings = [
        _opening(parse_object(line, what=f"line {number}"), caller)
        for number, line in enumerate(lines, 1)
    ]
    service.store.put_openings(openings)


def _opening(body: Mapping[str, Json], caller: Caller) -> Opening:
    """Reads an opening and checks that it opens its digest.

    Raises:
        MalformedError: Not exactly a digest, a salt and an object of terms.
        OpeningDiffersError: Salt and terms have another digest.
    """
    match body:
        case {"digest": str(digest), "salt": str(text), "terms": dict(terms), **others} if (
            not others
        ):
            salt = b64url_decode(text, what="salt", length=16)
        case _:
            raise MalformedError(what="body", reason="not exactly a salt and an object of terms")
    computed = salted_digest(salt, terms)
    if computed != digest:
        raise OpeningDiffersError(computed=computed, digest=digest)
    return Opening(digest=digest, salt=salt, terms=format_json(terms), by=caller.party)


@router.get("/openings/{digest}", operation_id="openings.read")
async def read_opening(
    service: ServiceOf,
    caller: CallerOf,
    digest: str,
    statement: Annotated[
        str | None, Query(description="A statement of the caller's that names the digest.")
    ] = None,
) -> JSONResponse:
    """Shows an opening to those entitled to it."""
    opening = service.store.opening(digest)
    if opening is None or not _is_entitled(service, caller, opening, statement):
        raise NotFoundError(what="opening", name=digest)
    terms = parse_json(opening.terms, what="terms")
    return answer({"digest": digest, "salt": b64url_encode(opening.salt), "terms": terms})


def _is_entitled(service: Service, caller: Caller, opening: Opening, sid: str | None) -> bool:
    """Tells whether the caller put the opening, audits, or is party to what names it."""
    if caller.is_auditor or opening.by == caller.party:
        return True
    index = service.store.find_statements([Sid(sid)]).get(Sid(sid)) if sid else None
    if index is None:
        return False
    entry = open_entry(next(iter(service.store.entries(index, index + 1))))
    payload = payload_of(entry)
    # Whoever learns a digest can name it; only what its own author has signed opens it.
    by_author = trustee_of(PartyId(str(payload["by"]))) == trustee_of(opening.by)
    names_it = opening.digest in _texts(payload["body"])
    return by_author and names_it and sees_statement(caller, entry, service.store)


def _texts(value: Json) -> set[str]:
    """Returns all texts in a statement's body."""
    if isinstance(value, str):
        return {value}
    members = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    return {text for member in members for text in _texts(member)}
