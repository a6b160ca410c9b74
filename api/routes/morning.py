"""What each reads every morning, and the reports that boards and regulators ask for."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from api.morning.worklist import worklist_of
from api.reports.reports import REPORTS, ROWS_DEFAULT, ROWS_MAX, report_of
from api.requests import GUARDS, AsOf, CallerOf, ServiceOf, answer

router = APIRouter(prefix="/v1", dependencies=GUARDS)


@router.get("/worklist", operation_id="worklist.read")
async def read_worklist(service: ServiceOf, caller: CallerOf) -> JSONResponse:
    """Tells what waits for the caller today: to answer, due, overdue, to register, at a limit."""
    return answer(await asyncio.to_thread(worklist_of, service, caller))


def _reader(name: str) -> Callable[..., Awaitable[JSONResponse]]:
    """Returns the endpoint of a report."""

    async def read_report(
        service: ServiceOf,
        caller: CallerOf,
        as_of: AsOf,
        day: date | None = None,
        limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = ROWS_DEFAULT,
        after: Annotated[int, Query(ge=0, le=2**31)] = 0,
    ) -> JSONResponse:
        page = await asyncio.to_thread(
            report_of, service, caller, name, as_of=as_of, day=day, limit=limit, after=after
        )
        return answer(page)

    read_report.__doc__ = REPORTS[name].__doc__
    return read_report


for report in REPORTS:
    router.get(f"/reports/{report}", operation_id=f"reports.{report}")(_reader(report))
