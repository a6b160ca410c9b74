"""The clearing day: lists that debtors approve."""

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.clearing_days import list_to_approve, sees_list
from api.requests import GUARDS, CallerOf, ServiceOf, answer
from api.routes.lists import ListingOf
from clearing.model import DEBIT_LISTS

router = APIRouter(prefix="/v1/clearing", dependencies=GUARDS)


@router.get("/lists", operation_id="clearing.lists")
async def show_lists(listing: ListingOf, plan: str | None = None) -> JSONResponse:
    """Lists what plans draw on the caller's accounts, and how much of it is approved."""
    return await listing.of(DEBIT_LISTS, sees_list, plan=plan)


@router.get("/runs/{plan}/list", operation_id="clearing.list_proposal")
async def propose_approval(service: ServiceOf, caller: CallerOf, plan: str) -> JSONResponse:
    """Computes the body of the `clearing.approve` by which the caller approves its list."""
    return answer(await asyncio.to_thread(list_to_approve, service, caller, plan))
