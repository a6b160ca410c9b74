"""Reading about people and parties: what waits for approval, the register, affiliations."""

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.auth import Caller
from api.pages import LIMIT_DEFAULT, Ask, page_of
from api.requests import GUARDS, CallerOf, ServiceOf, answer
from api.routes.lists import Cursor, Limit, LongListingOf, everybody
from api.service import Service
from api.visibility import sees_affiliation, sees_pending
from registry.canonical import Json, parse_object
from registry.ids import PartyId
from registry.model import PARTIES
from registry.people import AFFILIATIONS, APPROVALS, PENDING, Affiliation
from registry.signing import split_jws

router = APIRouter(prefix="/v1", dependencies=GUARDS)


@router.get("/pending", operation_id="pending.list")
async def list_pending(
    service: ServiceOf,
    caller: CallerOf,
    party: str | None = None,
    kind: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists the caller's statements that wait for approval, each with what it says (待复核)."""
    ask = Ask(
        table=PENDING,
        caller=caller,
        sees=lambda pending: sees_pending(caller, pending),
        equal={"party": party, "kind": kind},
        limit=limit,
        cursor=cursor,
    )
    return answer(await asyncio.to_thread(_with_words, service, ask))


def _with_words(service: Service, ask: Ask[Any]) -> dict[str, Any]:
    """Returns a page whose rows say what is to be approved, and who has approved."""
    page = page_of(service, ask)
    for row in page["data"]:
        payload: dict[str, Json] = parse_object(
            split_jws(str(row.pop("text")), what="statement").payload, what="payload"
        )
        row["body"] = payload["body"]
        if "re" in payload:
            row["re"] = payload["re"]
        given = service.store.select(APPROVALS, field="statement", value=row["statement"])
        row["approved_by"] = sorted(approval.person for approval in given)
    return page


@router.get("/parties", operation_id="parties.list")
async def list_parties(
    listing: LongListingOf,
    manual_review: bool | None = None,
) -> JSONResponse:
    """Lists the register of parties: for whoever admits them, runs this or audits it."""
    return await listing.of(PARTIES, everybody, manual_review=manual_review)


@router.get("/affiliations", operation_id="affiliations.list")
async def list_affiliations(listing: LongListingOf, party: PartyId | None = None) -> JSONResponse:
    """Lists declared pairs of affiliates: all, or of one party."""

    def sees(caller: Caller, pair: Affiliation) -> bool:
        return sees_affiliation(caller, pair) and party in (None, pair.first, pair.second)

    return await listing.of(AFFILIATIONS, sees)
