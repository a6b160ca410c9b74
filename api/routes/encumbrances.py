"""Reading what weighs on claims: an offer with its lot's concerns, pledges, disputes, tasks."""

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.encumbrances import claim_of, concerns_of
from api.errors import NotFoundError
from api.find import find_row
from api.pages import shown
from api.requests import GUARDS, AsOf, CallerOf, ServiceOf, answer
from api.routes.lists import HIDDEN, ListingOf
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
    claim = await asyncio.to_thread(claim_of, service.store, lot.voucher, as_of=as_of)
    concerns = await asyncio.to_thread(concerns_of, service.store, lot, as_of=as_of)
    return answer({**shown(row, hidden=HIDDEN), **claim, **concerns})


@router.get("/pledges", operation_id="pledges.list")
async def list_pledges(
    listing: ListingOf,
    lot: str | None = None,
    pledgee: str | None = None,
    status: str | None = None,
) -> JSONResponse:
    """Lists pledges by the caller or to it."""
    return await listing.of(PLEDGES, sees_pledge, lot=lot, pledgee=pledgee, status=status)


@router.get("/disputes", operation_id="disputes.list")
async def list_disputes(
    listing: ListingOf,
    voucher: str | None = None,
    status: str | None = None,
) -> JSONResponse:
    """Lists disputes between the caller and another."""
    return await listing.of(DISPUTES, sees_dispute, voucher=voucher, status=status)


@router.get("/registrations", operation_id="registrations.list")
async def list_registrations(
    listing: ListingOf,
    subject: str | None = None,
    status: str | None = None,
) -> JSONResponse:
    """Lists the caller's own registrations elsewhere."""
    return await listing.of(FILINGS, sees_own, subject=subject, status=status)


@router.get("/tasks", operation_id="tasks.list")
async def list_tasks(
    listing: ListingOf,
    subject: str | None = None,
) -> JSONResponse:
    """Lists what the caller has to do at registries elsewhere, and what is overdue."""
    return await listing.of(TASKS, sees_own, subject=subject)
