"""The clearing day: its times and steps, and the lists that debtors approve."""

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.clearing_days import debits_on, list_to_approve, sees_list
from api.keeping import day_of
from api.requests import GUARDS, CallerOf, ServiceOf, answer
from api.routes.lists import ListingOf
from clearing.handed import DEBIT_LISTS

router = APIRouter(prefix="/v1/clearing", dependencies=GUARDS)


@router.get("/day", operation_id="clearing.day")
async def show_day(service: ServiceOf) -> JSONResponse:
    """Shows the clearing day: its times, what the operator has to do by now, and what is next."""
    return answer(await asyncio.to_thread(day_of, service))


@router.get("/debits/{due_on}", operation_id="clearing.debits")
async def list_debits(service: ServiceOf, caller: CallerOf, due_on: str) -> JSONResponse:
    """Lists what is debited on a due date, by authority: what the caller pays, or keeps."""
    return answer(await asyncio.to_thread(debits_on, service, caller, due_on))


@router.get("/lists", operation_id="clearing.lists")
async def show_lists(listing: ListingOf, plan: str | None = None) -> JSONResponse:
    """Lists what plans draw on the caller's accounts, and how much of it is approved."""
    return await listing.of(DEBIT_LISTS, sees_list, plan=plan)


@router.get("/runs/{plan}/list", operation_id="clearing.list_proposal")
async def propose_approval(service: ServiceOf, caller: CallerOf, plan: str) -> JSONResponse:
    """Computes the body of the `clearing.approve` by which the caller approves its list."""
    return answer(await asyncio.to_thread(list_to_approve, service, caller, plan))
