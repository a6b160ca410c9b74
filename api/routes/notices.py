"""Notices one by one, and what follows from them: whom to pay, and who comes first."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response

from api.auth import Caller
from api.claimable import claimable_of
from api.encumbrances import pledges_of
from api.errors import NotFoundError
from api.find import find_row
from api.notice_letter import Language, Letter
from api.notice_page import format_notice
from api.notice_pdf import MEDIA_TYPE, format_pdf
from api.notice_proof import Proof
from api.pages import shown
from api.payees import (
    Chain,
    account_owner,
    chain_of,
    claims_on,
    court_account_of,
    is_frozen,
    pledge_of,
    shown_ranks,
)
from api.requests import GUARDS, CallerOf, ServiceOf, answer
from api.results import inclusion_path
from api.routes.lists import ListingOf
from api.service import Service
from api.visibility import sees_lot, sees_notice, sees_power, sees_statement
from registry.canonical import Json, b64url_encode
from registry.discharge import entitled_holder, is_discharged, safe_payee
from registry.entries import open_entry
from registry.errors import RegistryError
from registry.ids import lot_id, parse_party_id
from registry.inboxes import INBOXES, NOTICES, POWERS, Notice
from registry.merkle import hash_leaf
from registry.model import LOTS, PARTIES, VOUCHERS
from registry.notifying import recipients_of
from registry.tables import Get

router = APIRouter(prefix="/v1", dependencies=GUARDS)


class Form(StrEnum):
    """As what a notice is shown to be printed."""

    HTML = "html"
    PDF = "pdf"


At = Annotated[int | None, Query(ge=0, lt=2**48, description="Milliseconds; now without it.")]


# --- Notices ----------------------------------------------------------------------


def _notice(service: Service, caller: Caller, name: str) -> Notice:
    """Returns a notice that the caller may see: its recipient's, or its own transfer's.

    Raises:
        NotFoundError: There is none, or none for it.
    """
    row = find_row(service.store, NOTICES, (name,), as_of=None)
    sides = () if row is None else (row.assignor, row.assignee)
    if row is None or not (sees_notice(caller, row) or any(map(caller.is_or_manages, sides))):
        raise NotFoundError(what="notice", name=name)
    return row


@router.get("/notices/{notice}", operation_id="notices.read")
async def read_notice(service: ServiceOf, caller: CallerOf, notice: str) -> JSONResponse:
    """Shows a notice to its recipient and to both sides of its transfer."""
    return answer(shown(await asyncio.to_thread(_notice, service, caller, notice)))


Accept = Annotated[str, Header(include_in_schema=False)]


@router.get(
    "/notices/{notice}/page",
    operation_id="notices.page",
    response_class=HTMLResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}}},
)
async def read_notice_page(
    service: ServiceOf,
    caller: CallerOf,
    notice: str,
    language: Language = Language.BOTH,
    format: Form | None = None,
    accept: Accept = "",
) -> Response:
    """Shows a notice as a page to print, or as a PDF, with the proof of its arrival.

    Without a format, it is the PDF for who accepts that and no HTML.
    """
    row = await asyncio.to_thread(_notice, service, caller, notice)
    note = await asyncio.wrap_future(service.writer.wait_checkpoint(row.entry + 1))
    letter = await asyncio.to_thread(_letter, service, caller, row, note)
    headers = {"Cache-Control": "private, no-store", "Vary": "Accept"}
    wants_pdf = MEDIA_TYPE in accept and "text/html" not in accept
    if format is Form.PDF or (format is None and wants_pdf):
        headers["Content-Disposition"] = f'inline; filename="notice-{row.number}.pdf"'
        data = await asyncio.to_thread(format_pdf, letter, language)
        return Response(data, media_type=MEDIA_TYPE, headers=headers)
    headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return HTMLResponse(format_notice(letter, language), headers=headers)


def _letter(service: Service, caller: Caller, row: Notice, note: str) -> Letter:
    """Gathers what the page says; the entry itself for whom it is shown to anyhow."""
    store, facts = service.store, service.ledger
    voucher = find_row(store, VOUCHERS, (row.voucher,), as_of=None)
    if voucher is None or facts is None:
        raise NotFoundError(what="voucher", name=row.voucher)
    parties = (row.recipient, row.assignor, row.assignee, voucher.debtor)
    found, (lot,) = store.fetch(
        [
            Get(PARTIES, tuple((party,) for party in parties)),
            Get(LOTS, ((lot_id(row.transfer, 2),),)),
        ]
    )
    data = next(iter(store.entries(row.entry, row.entry + 1)))
    entry = open_entry(data)
    is_shown = caller.is_auditor or (bool(entry.statement) and sees_statement(caller, entry, store))
    return Letter(
        zone=facts.zone,
        currency=facts.currency,
        notice=row,
        voucher=voucher,
        names={party.party: party.name for party in found if party is not None},
        account=None if lot is None else lot.account,
        proof=Proof(
            origin=service.origin,
            notice=row.notice,
            index=row.entry,
            leaf_hash=b64url_encode(hash_leaf(data)),
            path=inclusion_path(store, index=row.entry, size=int(note.split("\n")[1])),
            note=note,
            entry=data.decode() if is_shown else None,
        ),
    )


@router.get("/inboxes/{party}", operation_id="inboxes.read")
async def read_inbox(service: ServiceOf, caller: CallerOf, party: str) -> JSONResponse:
    """Shows how many notices have arrived at a party; its own numbers have no gaps."""
    row = await asyncio.to_thread(find_row, service.store, INBOXES, (party,), as_of=None)
    if row is None or not (caller.is_auditor or caller.is_or_manages(party)):
        raise NotFoundError(what="inbox", name=party)
    return answer(shown(row))


@router.get("/powers", operation_id="powers.list")
async def list_powers(
    listing: ListingOf,
    assignor: str | None = None,
    attorney: str | None = None,
) -> JSONResponse:
    """Lists powers of attorney for notices to whoever is named in them."""
    return await listing.of(POWERS, sees_power, assignor=assignor, attorney=attorney)


# --- Whom to pay ------------------------------------------------------------------


def _now(service: Service, at: int | None) -> int:
    """Returns the moment that is asked about: the ledger's own time without one."""
    return service.time if at is None else at


def _chain(service: Service, caller: Caller, lot: str) -> tuple[Chain, bool]:
    """Returns a lot's chain, and whether the caller may know who is entitled.

    Its holder, its pledgee, who assigned it to that holder, and auditors may. Who owes or
    secures the voucher is told whom it may pay: who is entitled without its knowledge is no
    concern of it.

    Raises:
        NotFoundError: The lot is none of the caller's business.
    """
    try:
        chain = chain_of(service.store, lot)
    except RegistryError:
        raise NotFoundError(what="lot", name=lot) from None
    pledges = pledges_of(service.store, lot, as_of=None)
    if caller.is_auditor or any(map(caller.is_or_manages, chain.holders[-2:])):
        return chain, True
    if any(caller.is_or_manages(pledge.pledgee) for pledge in pledges):
        return chain, True
    if any(map(caller.is_or_manages, recipients_of(chain.voucher))):
        return chain, False
    raise NotFoundError(what="lot", name=lot)


@router.get("/lots/{lot}/payee", operation_id="lots.payee")
async def read_payee(service: ServiceOf, caller: CallerOf, lot: str, at: At = None) -> JSONResponse:
    """Says who is entitled to a lot, and whom the debtor may safely pay: two answers."""
    return answer(await asyncio.to_thread(_payee, service, caller, lot, at))


def _payee(service: Service, caller: Caller, lot: str, at: int | None) -> dict[str, Json]:
    """Answers both questions for a moment."""
    chain, knows = _chain(service, caller, lot)
    moment, first = _now(service, at), chain.voucher.creditor
    said: dict[str, Json] = {
        "at": moment,
        "lot": lot,
        "voucher": chain.voucher.voucher,
        "safe_payee_for_debtor": safe_payee(first, chain.assignments, at=moment),
        "frozen": is_frozen(service.store, lot),
    }
    pledge = pledge_of(service.store, lot, at=moment)
    if pledge is not None:
        said["safe_payee_for_debtor"] = account_owner(service.store, pledge.account)
        said["account"] = pledge.account
        said["pledge"] = pledge.pledge
    court = court_account_of(service.store, lot)
    if court is not None:
        # Clearing pays the court, whoever is entitled.
        said["account"] = said["court_account"] = court
    if knows:
        last = chain.transfers[-1:]
        untold: list[Json] = [*sorted(name for each in last for name in each.untold(moment))]
        said["entitled_holder"] = entitled_holder(first, chain.assignments, at=moment)
        said["untold"] = untold
    return said


@router.get("/lots/{lot}/discharge", operation_id="lots.discharge")
async def read_discharge(
    service: ServiceOf, caller: CallerOf, lot: str, payee: str, at: At = None
) -> JSONResponse:
    """Says whether the debtor is discharged if it pays a party, now or at a moment (GV-09)."""
    return answer(await asyncio.to_thread(_discharge, service, caller, lot, payee, at))


def _discharge(
    service: Service, caller: Caller, lot: str, payee: str, at: int | None
) -> dict[str, Json]:
    """Answers; to who need not know who is entitled, by what it was told alone.

    Of a pledged lot no payment but the one into the pledge's account is called a discharge.
    """
    party = parse_party_id(payee)
    chain, knows = _chain(service, caller, lot)
    moment, first = _now(service, at), chain.voucher.creditor
    pledge = pledge_of(service.store, lot, at=moment)
    if pledge is not None:
        free = party == account_owner(service.store, pledge.account)
    elif knows:
        free = is_discharged(first, chain.assignments, payee=party, at=moment)
    else:
        free = party == safe_payee(first, chain.assignments, at=moment)
    frozen = is_frozen(service.store, lot)
    return {
        "at": moment,
        "lot": lot,
        "payee": payee,
        "is_discharged": free and not frozen,
        "frozen": frozen,
    }


@router.get("/lots/{lot}/claimable", operation_id="lots.claimable")
async def read_claimable(
    service: ServiceOf, caller: CallerOf, lot: str, at: At = None
) -> JSONResponse:
    """Says whom a live lot's holder may ask to pay, and who only comes later (SD-61, SD-71)."""
    return answer(await asyncio.to_thread(_claimable, service, caller, lot, at))


def _claimable(service: Service, caller: Caller, lot: str, at: int | None) -> dict[str, Json]:
    """Answers for who may see the lot."""
    row, ledger = find_row(service.store, LOTS, (lot,), as_of=None), service.ledger
    if row is None or ledger is None or not sees_lot(caller, row):
        raise NotFoundError(what="live lot", name=lot)
    voucher = find_row(service.store, VOUCHERS, (row.voucher,), as_of=None)
    if voucher is None:
        raise NotFoundError(what="live lot", name=lot)
    return claimable_of(
        service.store,
        service.rulebook.tables,
        ledger,
        lot=row,
        voucher=voucher,
        time=_now(service, at),
    )


@router.get("/lots/{lot}/priority", operation_id="lots.priority")
async def read_priority(service: ServiceOf, caller: CallerOf, lot: str) -> JSONResponse:
    """Orders the claims to a live lot: its holder's, and those of its pledgees (GV-10)."""
    return answer(await asyncio.to_thread(_priority, service, caller, lot))


def _priority(service: Service, caller: Caller, lot: str) -> dict[str, Any]:
    """Orders the claims."""
    row = find_row(service.store, LOTS, (lot,), as_of=None)
    if row is None or not sees_lot(caller, row):
        raise NotFoundError(what="live lot", name=lot)
    claims = claims_on(service.store, row, chain_of(service.store, lot))
    return {"lot": lot, **shown_ranks(claims)}
