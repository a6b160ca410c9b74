"""Operation: is it alive, does it write, which version; and the ledger's own facts."""

from importlib.metadata import version

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from api.errors import NotFoundError
from api.requests import GUARDS, AsOf, ServiceOf, answer
from registry.model import LEDGER
from registry.tables import to_json

router = APIRouter(dependencies=GUARDS)


@router.get("/livez", operation_id="livez")
async def is_alive() -> Response:
    """Answers while the process serves requests."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", operation_id="readyz")
async def is_ready(service: ServiceOf) -> Response:
    """Tells whether statements are sealed, and why not; reads go on without."""
    if service.writer.is_writing:
        return JSONResponse({"status": "ok"})
    reason = service.writer.failure or "the server is shutting down"
    return JSONResponse({"status": "read-only", "reason": reason}, status_code=503)


@router.get("/version", operation_id="version")
async def read_version() -> Response:
    """Tells the program's version."""
    return JSONResponse({"name": "tallystick", "version": version("tallystick")})


@router.get("/v1/ledger", operation_id="ledger.read")
async def read_ledger(service: ServiceOf, as_of: AsOf) -> JSONResponse:
    """Shows the ledger's facts: name, currency, zone, clock, policy in force, time and size."""
    size = service.store.size() if as_of is None else as_of
    ledger = next(iter(service.store.select(LEDGER, as_of=size)), None)
    if ledger is None:
        raise NotFoundError(what="ledger", name="before genesis")
    time = ledger.time if ledger.clock == "manual" else service.wall.now()
    facts = {**to_json(ledger), "time": time, "size": size}
    # The counters would tell anybody the face and the moment of every voucher.
    for hidden in ("row", "face_total", "party_count", "voucher_count"):
        del facts[hidden]
    return answer({**facts, "signed_size": service.writer.signed_size})
