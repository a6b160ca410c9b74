"""Policies and calendars: what is published, and what is in force."""

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.errors import NotFoundError
from api.pages import Ask, page_of, shown
from api.requests import GUARDS, AsOf, CallerOf, ServiceOf, answer
from api.routes.lists import ListingOf, everybody
from api.service import Service
from registry.canonical import Json, parse_object
from registry.model import CALENDARS, LEDGER, POLICIES, Policy

router = APIRouter(prefix="/v1", dependencies=GUARDS)


@router.get("/policies", operation_id="policies.list")
async def list_policies(
    listing: ListingOf,
    name: str | None = None,
) -> JSONResponse:
    """Lists published policies, with their rules; one of them is in force."""
    ask = listing.ask(POLICIES, everybody, name=name)
    return answer(await asyncio.to_thread(_list_policies, listing.service, ask))


def _list_policies(service: Service, ask: Ask[Policy]) -> dict[str, Any]:
    """Returns a page of policies as they are told."""
    page = page_of(service, ask)
    in_force = _in_force(service, as_of=page["as_of"])
    page["data"] = [_told(row, in_force=in_force) for row in page["data"]]
    return page


def _in_force(service: Service, *, as_of: int | None) -> str | None:
    """Returns the policy in force, now or as of a size."""
    return next((row.policy for row in service.store.select(LEDGER, as_of=as_of)), None)


def _told(row: dict[str, Any], *, in_force: str | None) -> dict[str, Json]:
    """Returns a policy with its rules as an object, and whether it is in force."""
    rules = parse_object(str(row["rules"]).encode(), what="rules")
    return {**row, "rules": rules, "in_force": row["policy"] == in_force}


@router.get("/policies/{policy}", operation_id="policies.read")
async def read_policy(
    service: ServiceOf, _caller: CallerOf, as_of: AsOf, policy: str
) -> JSONResponse:
    """Shows a policy by the statement that published it; `current` is the one in force."""
    return answer(await asyncio.to_thread(_read_policy, service, policy, as_of))


def _read_policy(service: Service, policy: str, as_of: int | None) -> dict[str, Json]:
    """Finds a policy."""
    in_force = _in_force(service, as_of=as_of)
    wanted = in_force if policy == "current" else policy
    for row in service.store.select(POLICIES, as_of=as_of):
        if row.policy == wanted:
            return _told(shown(row), in_force=in_force)
    raise NotFoundError(what="policy", name=policy)


@router.get("/calendars", operation_id="calendars.list")
async def list_calendars(
    listing: ListingOf,
) -> JSONResponse:
    """Lists published calendars, each in its newest version."""
    return await listing.of(CALENDARS, everybody)


@router.get("/calendars/{name}", operation_id="calendars.read")
async def read_calendar(
    service: ServiceOf, _caller: CallerOf, as_of: AsOf, name: str
) -> JSONResponse:
    """Shows a calendar by its name."""
    rows = await asyncio.to_thread(lambda: [*service.store.select(CALENDARS, as_of=as_of)])
    for row in rows:
        if row.name == name:
            return answer(shown(row))
    raise NotFoundError(what="calendar", name=name)
