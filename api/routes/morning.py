"""What each reads every morning, and the reports that boards and regulators ask for."""

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.morning.worklist import worklist_of
from api.requests import GUARDS, CallerOf, ServiceOf, answer

router = APIRouter(prefix="/v1", dependencies=GUARDS)


@router.get("/worklist", operation_id="worklist.read")
async def read_worklist(service: ServiceOf, caller: CallerOf) -> JSONResponse:
    """Tells what waits for the caller today: to answer, due, overdue, to register, at a limit."""
    return answer(await asyncio.to_thread(worklist_of, service, caller))
