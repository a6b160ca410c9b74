"""Reading what weighs on claims: an offer with its lot's concerns, pledges, disputes, tasks."""

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.encumbrances import concerns_of
from api.errors import NotFoundError
from api.find import find_row
from api.pages import LIMIT_DEFAULT, Ask, shown
from api.requests import GUARDS, AsOf, CallerOf, ServiceOf, answer
from api.routes.reading import HIDDEN, Cursor, Limit, listed
from api.visibility import sees_dispute, sees_offer, sees_own, sees_pledge
from registry.burdens import DISPUTES, FILINGS, PLEDGES, TASKS
from registry.model import LOTS, OFFERS

router = APIRouter(prefix="/v1", dependencies=GUARDS)


@router.get("/offers/{offer}", operation_id="offers.read")
async def read_offer(service: ServiceOf, caller: CallerOf, as_of: AsOf, offer: str) -> JSONResponse:
    """Shows an open offer to both sides, with what an assignee should know of its lot."""
    row = await asyncio.to_thread(find_row, service.store, OFFERS, (offer,), as_of=as_of)
    if row is None or not sees_offer(caller, row):
        raise NotFoundError(what="open offer", name=offer)
    lot = await asyncio.to_thread(find_row, service.store, LOTS, (row.lot,), as_of=as_of)
    if lot is None:
        raise NotFoundError(what="open offer", name=offer)
    concerns = await asyncio.to_thread(concerns_of, service.store, lot, as_of=as_of)
    return answer({**shown(row, hidden=HIDDEN), **concerns})


@router.get("/pledges", operation_id="pledges.list")
async def list_pledges(
    service: ServiceOf,
    caller: CallerOf,
    as_of: AsOf,
    lot: str | None = None,
    pledgee: str | None = None,
    status: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists pledges by the caller or to it."""
    ask = Ask(
        table=PLEDGES,
        caller=caller,
        sees=lambda pledge: sees_pledge(caller, pledge),
        equal={"lot": lot, "pledgee": pledgee, "status": status},
        limit=limit,
        cursor=cursor,
        as_of=as_of,
    )
    return await listed(service, ask)


@router.get("/disputes", operation_id="disputes.list")
async def list_disputes(
    service: ServiceOf,
    caller: CallerOf,
    as_of: AsOf,
    voucher: str | None = None,
    status: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists disputes between the caller and another."""
    ask = Ask(
        table=DISPUTES,
        caller=caller,
        sees=lambda dispute: sees_dispute(caller, dispute),
        equal={"voucher": voucher, "status": status},
        limit=limit,
        cursor=cursor,
        as_of=as_of,
    )
    return await listed(service, ask)


@router.get("/registrations", operation_id="registrations.list")
async def list_registrations(
    service: ServiceOf,
    caller: CallerOf,
    as_of: AsOf,
    subject: str | None = None,
    status: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists the caller's own registrations elsewhere."""
    ask = Ask(
        table=FILINGS,
        caller=caller,
        sees=lambda filing: sees_own(caller, filing),
        equal={"subject": subject, "status": status},
        limit=limit,
        cursor=cursor,
        as_of=as_of,
    )
    return await listed(service, ask)


@router.get("/tasks", operation_id="tasks.list")
async def list_tasks(
    service: ServiceOf,
    caller: CallerOf,
    as_of: AsOf,
    subject: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists what the caller has to do at registries elsewhere, and what is overdue."""
    ask = Ask(
        table=TASKS,
        caller=caller,
        sees=lambda task: sees_own(caller, task),
        equal={"subject": subject},
        limit=limit,
        cursor=cursor,
        as_of=as_of,
    )
    return await listed(service, ask)
