"""Reading objects and lists: what the caller may see, now or as of a size or date."""

import asyncio
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.auth import Caller
from api.encumbrances import encumbrances_of, pledges_of
from api.errors import NotFoundError, RequestInvalidError
from api.find import find_lot, find_row
from api.pages import LIMIT_DEFAULT, shown
from api.requests import GUARDS, AsOf, CallerOf, ServiceOf, answer
from api.results import approval_of, suspicion_of
from api.routes.lists import HIDDEN, Cursor, ListingOf, LongLimit, LongListingOf
from api.visibility import (
    changes_of,
    has_held,
    sees_account,
    sees_consent,
    sees_lot,
    sees_notice,
    sees_offer,
    sees_party_file,
    sees_pledge,
    sees_stage,
    sees_statement,
    sees_voucher,
)
from registry.canonical import b64url_encode
from registry.entries import open_entry
from registry.ids import Sid
from registry.inboxes import NOTICES
from registry.merkle import hash_leaf
from registry.model import ACCOUNTS, CONSENTS, LOTS, OFFERS, PARTIES, VOUCHERS, Voucher
from registry.people import KEYS
from registry.stages import STAGES

R = TypeVar("R")

PARTY_FILE = frozenset(
    {"contact_from", "duty", "evidence", "limit", "manual_review", "person", "policy"}
)

router = APIRouter(prefix="/v1", dependencies=GUARDS)


@router.get("/statements/{sid}", operation_id="statements.read")
async def read_statement(
    service: ServiceOf, caller: CallerOf, as_of: AsOf, sid: str
) -> JSONResponse:
    """Shows what became of a statement, with the bytes of its entry."""
    index = service.store.find_statements([Sid(sid)]).get(Sid(sid))
    if index is None or (as_of is not None and index >= as_of):
        raise NotFoundError(what="statement", name=sid)
    data = next(iter(service.store.entries(index, index + 1)))
    entry = open_entry(data)
    if not sees_statement(caller, entry, service.store):
        raise NotFoundError(what="statement", name=sid)
    found: dict[str, Any] = {
        "sid": sid,
        "index": index,
        "time": entry.time,
        "leaf_hash": b64url_encode(hash_leaf(data)),
        "effects": entry.effects,
        "kind": entry.kind,
        "entry": b64url_encode(data),
    }
    if any(change["effect"] == "statement-pending" for change in changes_of(entry)):
        found["approval"] = approval_of(service.store, Sid(sid))
    if (suspect := suspicion_of(service.store, entry)) is not None:
        found["suspect"] = suspect
    return answer(found)


@router.get("/lots", operation_id="lots.list")
async def list_lots(
    listing: ListingOf,
    holder: str | None = None,
    voucher: str | None = None,
) -> JSONResponse:
    """Lists live lots: the caller's own, of a voucher if one is named."""
    if holder is None and voucher is None and not listing.caller.is_auditor:
        holder = listing.caller.party
    return await listing.of(LOTS, sees_lot, voucher=voucher, holder=holder)


@router.get("/lots/{lot}", operation_id="lots.read")
async def read_lot(service: ServiceOf, caller: CallerOf, as_of: AsOf, lot: str) -> JSONResponse:
    """Shows a live lot with what burdens and secures it; a consumed one as of an earlier size."""
    row = await asyncio.to_thread(find_lot, service.store, lot, as_of=as_of)
    if row is None:
        raise NotFoundError(what="live lot", name=lot)
    pledges = await asyncio.to_thread(pledges_of, service.store, lot, as_of=as_of)
    if not (sees_lot(caller, row) or any(sees_pledge(caller, pledge) for pledge in pledges)):
        raise NotFoundError(what="live lot", name=lot)
    more = await asyncio.to_thread(encumbrances_of, service.store, row, as_of=as_of)
    return answer({**shown(row), **more})


@router.get("/vouchers", operation_id="vouchers.list")
async def list_vouchers(
    listing: ListingOf, debtor: str | None = None, status: str | None = None
) -> JSONResponse:
    """Lists vouchers that the caller owes, was the first holder of, or holds lots of."""
    store, party = listing.service.store, listing.caller.party
    size = store.size() if listing.as_of is None else listing.as_of
    lots = await asyncio.to_thread(
        lambda: [*store.select(LOTS, field="holder", value=party, as_of=size)]
    )
    held = {lot.voucher for lot in lots}

    def sees(caller: Caller, voucher: Voucher) -> bool:
        return voucher.voucher in held or sees_voucher(caller, voucher)

    return await listing.of(VOUCHERS, sees, hidden=HIDDEN, debtor=debtor, status=status)


@router.get("/vouchers/{sid}", operation_id="vouchers.read")
async def read_voucher(service: ServiceOf, caller: CallerOf, as_of: AsOf, sid: str) -> JSONResponse:
    """Shows a voucher to who owes or secures it, its first holder, and who holds or held it."""
    row = await asyncio.to_thread(find_row, service.store, VOUCHERS, (sid,), as_of=as_of)
    size = service.store.size() if as_of is None else as_of

    def sees(voucher: Voucher) -> bool:
        return sees_voucher(caller, voucher) or has_held(caller, voucher, service.store, as_of=size)

    if row is None or not await asyncio.to_thread(sees, row):
        raise NotFoundError(what="voucher", name=sid)
    return answer(shown(row, hidden=HIDDEN))


@router.get("/offers", operation_id="offers.list")
async def list_offers(
    listing: ListingOf,
    assignee: str | None = None,
    assignor: str | None = None,
) -> JSONResponse:
    """Lists open offers to the caller or by it."""
    return await listing.of(OFFERS, sees_offer, hidden=HIDDEN, assignee=assignee, assignor=assignor)


@router.get("/consents", operation_id="consents.list")
async def list_consents(
    listing: ListingOf,
    party: str | None = None,
    purpose: str | None = None,
) -> JSONResponse:
    """Lists the caller's own standing consents."""
    return await listing.of(CONSENTS, sees_consent, party=party, purpose=purpose)


@router.get("/notices", operation_id="notices.list")
async def list_notices(
    listing: LongListingOf,
    recipient: str | None = None,
    acknowledged: bool | None = None,
) -> JSONResponse:
    """Lists the notices of assignment in the caller's inbox."""
    if recipient is None and not listing.caller.is_auditor:
        recipient = listing.caller.party
    return await listing.of(NOTICES, sees_notice, recipient=recipient, acknowledged=acknowledged)


@router.get("/parties/{party}", operation_id="parties.read")
async def read_party(service: ServiceOf, caller: CallerOf, as_of: AsOf, party: str) -> JSONResponse:
    """Shows a party, its roles and its keys: whom one deals with is no secret among parties."""
    row = await asyncio.to_thread(find_row, service.store, PARTIES, (party,), as_of=as_of)
    if row is None:
        raise NotFoundError(what="party", name=party)
    keys = service.store.select(KEYS, field="party", value=party, as_of=as_of)
    # Whose hands its keys are is the party's own affair, what was seen of it the registrar's.
    hidden = frozenset() if sees_party_file(caller, row) else PARTY_FILE
    return answer(
        {**shown(row, hidden=hidden), "keys": [shown(key, hidden=hidden) for key in keys]}
    )


@router.get("/accounts", operation_id="accounts.list")
async def list_accounts(
    listing: ListingOf,
    owner: str | None = None,
    bank: str | None = None,
) -> JSONResponse:
    """Lists accounts that the caller owns or keeps."""
    return await listing.of(ACCOUNTS, sees_account, owner=owner, bank=bank)


@router.get("/stages", operation_id="stages.list")
async def list_stages(
    listing: ListingOf,
    account: str | None = None,
    owner: str | None = None,
    via_owner: str | None = None,
) -> JSONResponse:
    """Lists by way of which accounts others are paid, of the caller's and on the caller's."""
    return await listing.of(STAGES, sees_stage, account=account, owner=owner, via_owner=via_owner)


@router.get("/states", operation_id="states.list")
async def list_states(
    service: ServiceOf, limit: LongLimit = LIMIT_DEFAULT, cursor: Cursor = ""
) -> JSONResponse:
    """Lists the log's state entries, newest last, with the size that each is told as of."""
    if cursor and not (cursor.isascii() and cursor.isdigit()):
        raise RequestInvalidError(reason="not a cursor of this list", parameter="cursor")
    found = await asyncio.to_thread(service.states.entries)
    start = int(cursor or 0)
    part = found[start : start + limit]
    page: dict[str, Any] = {
        "data": [{"index": state.index, "at": state.at, "time": state.time} for state in part],
        "has_more": start + limit < len(found),
    }
    if page["has_more"]:
        page["next"] = str(start + limit)
    return answer(page)
