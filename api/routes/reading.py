"""Reading objects and lists: what the caller may see, now or as of a size or date."""

import asyncio
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from api.encumbrances import encumbrances_of, pledges_of
from api.errors import NotFoundError, RequestInvalidError
from api.find import find_lot, find_row
from api.pages import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    LIMIT_MAX_LONG,
    Ask,
    page_of,
    shown,
)
from api.requests import GUARDS, AsOf, CallerOf, ServiceOf, answer
from api.results import approval_of, suspicion_of
from api.service import Service
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

R = TypeVar("R")

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
LongLimit = Annotated[int, Query(ge=1, le=LIMIT_MAX_LONG)]
Cursor = Annotated[str, Query(max_length=1024)]

HIDDEN = frozenset({"lot_salt", "salt"})
"""Salts open commitments; a holder gets its lots' own salts and nobody else's."""

PARTY_FILE = frozenset(
    {"contact_from", "duty", "evidence", "limit", "manual_review", "person", "policy"}
)

router = APIRouter(prefix="/v1", dependencies=GUARDS)


async def listed(service: Service, ask: Ask[Any]) -> JSONResponse:
    """Answers with a page, which may be of many rows: in a thread."""
    return answer(await asyncio.to_thread(page_of, service, ask))


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
    service: ServiceOf,
    caller: CallerOf,
    as_of: AsOf,
    holder: str | None = None,
    voucher: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists live lots: the caller's own, of a voucher if one is named."""
    if holder is None and voucher is None and not caller.is_auditor:
        holder = caller.party
    ask = Ask(
        table=LOTS,
        caller=caller,
        sees=lambda lot: sees_lot(caller, lot),
        equal={"voucher": voucher, "holder": holder},
        limit=limit,
        cursor=cursor,
        as_of=as_of,
    )
    return await listed(service, ask)


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
    service: ServiceOf,
    caller: CallerOf,
    as_of: AsOf,
    debtor: str | None = None,
    status: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists vouchers that the caller owes, was the first holder of, or holds lots of."""
    size = service.store.size() if as_of is None else as_of
    held = await asyncio.to_thread(
        lambda: {
            lot.voucher
            for lot in service.store.select(LOTS, field="holder", value=caller.party, as_of=size)
        }
    )
    ask = Ask(
        table=VOUCHERS,
        caller=caller,
        sees=lambda voucher: voucher.voucher in held or sees_voucher(caller, voucher),
        equal={"debtor": debtor, "status": status},
        limit=limit,
        cursor=cursor,
        as_of=as_of,
        hidden=HIDDEN,
    )
    return await listed(service, ask)


@router.get("/vouchers/{sid}", operation_id="vouchers.read")
async def read_voucher(service: ServiceOf, caller: CallerOf, as_of: AsOf, sid: str) -> JSONResponse:
    """Shows a voucher to its debtors, its first holder, and whoever holds or has held it."""
    row = await asyncio.to_thread(find_row, service.store, VOUCHERS, (sid,), as_of=as_of)
    size = service.store.size() if as_of is None else as_of

    def sees(voucher: Voucher) -> bool:
        return sees_voucher(caller, voucher) or has_held(caller, voucher, service.store, as_of=size)

    if row is None or not await asyncio.to_thread(sees, row):
        raise NotFoundError(what="voucher", name=sid)
    return answer(shown(row, hidden=HIDDEN))


@router.get("/offers", operation_id="offers.list")
async def list_offers(
    service: ServiceOf,
    caller: CallerOf,
    as_of: AsOf,
    assignee: str | None = None,
    assignor: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists open offers to the caller or by it."""
    ask = Ask(
        table=OFFERS,
        caller=caller,
        sees=lambda offer: sees_offer(caller, offer),
        equal={"assignee": assignee, "assignor": assignor},
        limit=limit,
        cursor=cursor,
        as_of=as_of,
        hidden=HIDDEN,
    )
    return await listed(service, ask)


@router.get("/consents", operation_id="consents.list")
async def list_consents(
    service: ServiceOf,
    caller: CallerOf,
    as_of: AsOf,
    party: str | None = None,
    purpose: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists the caller's own standing consents."""
    ask = Ask(
        table=CONSENTS,
        caller=caller,
        sees=lambda consent: sees_consent(caller, consent),
        equal={"party": party, "purpose": purpose},
        limit=limit,
        cursor=cursor,
        as_of=as_of,
    )
    return await listed(service, ask)


@router.get("/notices", operation_id="notices.list")
async def list_notices(
    service: ServiceOf,
    caller: CallerOf,
    as_of: AsOf,
    recipient: str | None = None,
    acknowledged: bool | None = None,
    limit: LongLimit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists the notices of assignment in the caller's inbox."""
    if recipient is None and not caller.is_auditor:
        recipient = caller.party
    ask = Ask(
        table=NOTICES,
        caller=caller,
        sees=lambda notice: sees_notice(caller, notice),
        equal={"recipient": recipient, "acknowledged": acknowledged},
        limit=limit,
        cursor=cursor,
        as_of=as_of,
    )
    return await listed(service, ask)


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
    service: ServiceOf,
    caller: CallerOf,
    as_of: AsOf,
    owner: str | None = None,
    bank: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = "",
) -> JSONResponse:
    """Lists accounts that the caller owns or keeps."""
    ask = Ask(
        table=ACCOUNTS,
        caller=caller,
        sees=lambda account: sees_account(caller, account),
        equal={"owner": owner, "bank": bank},
        limit=limit,
        cursor=cursor,
        as_of=as_of,
    )
    return await listed(service, ask)


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
