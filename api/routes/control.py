"""Proof of control: whoever made a challenge asks whether an answer shows control of a lot."""

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.control import open_control
from api.errors import RequestInvalidError
from api.requests import GUARDS, CallerOf, ServiceOf, answer, read_body
from api.service import Service

router = APIRouter(prefix="/v1", dependencies=GUARDS)

BODY_MAX = 8_192


@router.post(
    "/control",
    operation_id="control.check",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["challenge", "answer"],
                        "properties": {
                            "challenge": {"type": "string"},
                            "answer": {"type": "string"},
                        },
                    }
                }
            },
        }
    },
)
async def check_control(request: Request, service: ServiceOf, _caller: CallerOf) -> JSONResponse:
    """Tells whether an answer to the caller's challenge shows control of a live lot, now."""
    body = _pair(await read_body(request, limit=BODY_MAX))
    return answer(await asyncio.to_thread(_check, service, *body))


def _pair(body: bytes) -> tuple[str, str]:
    """Reads challenge and answer.

    Raises:
        RequestInvalidError: The body is not an object of these two texts.
    """
    try:
        found: Any = json.loads(body)
    except ValueError:
        found = None
    match found:
        case {"challenge": str(challenge), "answer": str(text)} if len(found) == 2:
            return challenge, text
        case _:
            raise RequestInvalidError(reason="not an object of exactly challenge and answer")


def _check(service: Service, challenge: str, text: str) -> dict[str, Any]:
    """Verifies an answer against the live state."""
    shown = open_control(
        text,
        challenge=challenge,
        store=service.store,
        origin=service.origin,
        now=service.wall.now() // 1000,
    )
    return {
        "lot": shown.lot,
        "controller": shown.controller,
        "kid": shown.kid,
        "status": shown.status,
        "is_burdened": shown.is_burdened,
        "as_of": service.store.size(),
    }
