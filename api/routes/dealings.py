"""Reading what is agreed about lots for money: financings and early payments."""

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.encumbrances import claim_of
from api.errors import NotFoundError
from api.find import find_row
from api.pages import shown
from api.requests import GUARDS, AsOf, CallerOf, ServiceOf, answer
from api.routes.lists import HIDDEN, ListingOf
from api.visibility import has_a_word_in, sees_early, sees_financing
from registry.dealings import EARLY_PAYMENTS, FINANCINGS

router = APIRouter(prefix="/v1", dependencies=GUARDS)


@router.get("/financings", operation_id="financings.list")
async def list_financings(
    listing: ListingOf,
    lot: str | None = None,
    applicant: str | None = None,
    financier: str | None = None,
    status: str | None = None,
) -> JSONResponse:
    """Lists financings that the caller asks for, gives, or has the claim of."""
    return await listing.of(
        FINANCINGS,
        sees_financing,
        hidden=HIDDEN,
        lot=lot,
        applicant=applicant,
        financier=financier,
        status=status,
    )


@router.get("/financings/{financing}", operation_id="financings.read")
async def read_financing(
    service: ServiceOf, caller: CallerOf, as_of: AsOf, financing: str
) -> JSONResponse:
    """Shows a financing, with the steps that are still open in their order."""
    row = await asyncio.to_thread(find_row, service.store, FINANCINGS, (financing,), as_of=as_of)
    if row is None or not (
        sees_financing(caller, row)
        or await asyncio.to_thread(has_a_word_in, caller, row, service.store)
    ):
        raise NotFoundError(what="financing", name=financing)
    missing = [step for step in row.order if step not in row.done]
    claim = await asyncio.to_thread(claim_of, service.store, row.voucher, as_of=as_of)
    return answer({**shown(row, hidden=HIDDEN), **claim, "missing": missing})


@router.get("/early-payments", operation_id="early-payments.list")
async def list_early_payments(
    listing: ListingOf,
    lot: str | None = None,
    voucher: str | None = None,
    status: str | None = None,
) -> JSONResponse:
    """Lists early payments that the caller offers or is offered."""
    return await listing.of(EARLY_PAYMENTS, sees_early, lot=lot, voucher=voucher, status=status)
