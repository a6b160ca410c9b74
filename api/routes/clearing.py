"""Clearing: runs, instructions, and the plan that follows from the state."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from api.errors import NotFoundError, RequestInvalidError
from api.pages import Ask, page_of
from api.requests import GUARDS, ServiceOf, answer
from api.routes.lists import ListingOf, LongListingOf, everybody
from api.service import Service
from api.visibility import sees_instruction
from clearing.model import INSTRUCTIONS, RUNS, InstructionRecord, InstructionStatus
from clearing.plan import pay_date
from clearing.rules.plans import body_of, pay_calendar, plan_due
from registry.batch import Batch
from registry.calendars import parse_date
from registry.canonical import Json
from registry.errors import RegistryError
from registry.tables import Get

router = APIRouter(prefix="/v1/clearing", dependencies=GUARDS)


@router.get("/runs", operation_id="clearing.runs")
async def list_runs(
    listing: ListingOf,
    due_on: str | None = None,
) -> JSONResponse:
    """Lists clearing runs: one per due date."""
    return await listing.of(RUNS, everybody, due_on=due_on)


@router.get("/instructions", operation_id="clearing.instructions")
async def list_instructions(
    listing: LongListingOf,
    plan: str | None = None,
    bank: str | None = None,
    status: Annotated[str | None, Query(pattern="^[a-z]{1,20}$")] = None,
) -> JSONResponse:
    """Lists instructions of which the caller is payer, payee, or the payee's bank.

    `ready` tells whether everything that must be posted before has been, at any bank.
    """
    ask = listing.ask(INSTRUCTIONS, sees_instruction, plan=plan, bank=bank, status=status)
    return answer(await asyncio.to_thread(_with_readiness, listing.service, ask))


def _with_readiness(service: Service, ask: Ask[InstructionRecord]) -> dict[str, Any]:
    """Returns a page of instructions that says of each whether it can be posted."""
    page = page_of(service, ask)
    before = {(row["plan"], int(n)) for row in page["data"] for n in row["after"]}
    found = service.store.fetch([Get(INSTRUCTIONS, tuple(sorted(before)))])[0] if before else ()
    posted = {
        (record.plan, record.n) for record in found if record.status == InstructionStatus.POSTED
    }
    for row in page["data"]:
        row["ready"] = all((row["plan"], int(n)) in posted for n in row["after"])
    return page


@router.get("/proposals/{due_on}", operation_id="clearing.proposal")
async def propose(service: ServiceOf, due_on: str) -> JSONResponse:
    """Computes the body of the `clearing.plan` that would be adopted now, for a due date."""
    return answer(await asyncio.to_thread(_proposal, service, due_on))


def _proposal(service: Service, text: str) -> dict[str, Json]:
    """Compiles the plan of a due date as the state is now."""
    ledger = service.ledger
    if ledger is None:
        raise NotFoundError(what="ledger", name="before genesis")
    try:
        due_on = parse_date(text)
    except RegistryError as error:
        raise RequestInvalidError(reason=str(error)) from None
    rows = Batch(service.store.fetch, service.rulebook.tables, index=0)
    plan = plan_due(rows, due_on=due_on, pay_on=pay_date(due_on, pay_calendar(rows, ledger)))
    if not plan.instructions:
        raise NotFoundError(what="live lot due on", name=text)
    body: dict[str, Json] = body_of(plan).model_dump(mode="json")
    return body
