"""Snapshots and single holders' proofs, against a state entry."""

import asyncio
import io
import zipfile
from collections.abc import Mapping
from typing import Literal

from fastapi import APIRouter, Request, Response

from api.auth import Caller
from api.errors import NotFoundError
from api.find import find_lot
from api.requests import GUARDS, CallerOf, ServiceOf, fixed
from api.service import Service
from api.visibility import sees_lot

router = APIRouter(prefix="/v1", dependencies=GUARDS)

_PRIVATE = "private, no-cache"
"""The checkpoint in a proof is the newest one, so a later answer may differ from an earlier."""


@router.get("/snapshots/{family}/{bucket}/{state_index}", operation_id="snapshots.take")
async def read_snapshot(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    family: Literal["holder", "voucher"],
    bucket: str,
    state_index: int,
) -> Response:
    """Gives the snapshot of a bucket as a zip: a trustee its vehicle's, a holder its own.

    The snapshot of a voucher shows all its holders: it is for auditors.
    """
    if not _may_take(caller, family=family, bucket=bucket):
        raise NotFoundError(what=f"{family} bucket", name=bucket)
    note = await _note_over(service, state_index)
    packed = await asyncio.to_thread(
        _take, service, note, state_index=state_index, family=family, bucket=bucket
    )
    return fixed(request, packed, media_type="application/zip", cache=_PRIVATE)


def _take(service: Service, note: str, *, state_index: int, family: str, bucket: str) -> bytes:
    """Takes a snapshot as a zip."""
    return format_zip(service.states.prover(state_index, family).snapshot(note, bucket))


@router.get("/lots/{lot}/proof/{state_index}", operation_id="lots.prove")
async def prove_lot(
    request: Request, service: ServiceOf, caller: CallerOf, lot: str, state_index: int
) -> Response:
    """Gives the proof of one lot to who held it as of the state entry; it shows nobody else."""
    states = await asyncio.to_thread(service.states.entries)
    at = next((state.at for state in states if state.index == state_index), None)
    row = None
    if at is not None:
        row = await asyncio.to_thread(find_lot, service.store, lot, as_of=at)
    if row is None or not sees_lot(caller, row):
        raise NotFoundError(what="lot in that state", name=lot)
    note = await _note_over(service, state_index)
    proof = await asyncio.to_thread(
        _prove, service, note, state_index=state_index, lot=lot, holder=row.holder
    )
    return fixed(request, proof, media_type="application/json", cache=_PRIVATE)


def _prove(service: Service, note: str, *, state_index: int, lot: str, holder: str) -> bytes:
    """Proves one lot."""
    return service.states.prover(state_index, "holder").lot_proof(note, lot=lot, holder=holder)


def format_zip(files: Mapping[str, bytes]) -> bytes:
    """Packs files so that the same files give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), data)
    return packed.getvalue()


def _may_take(caller: Caller, *, family: str, bucket: str) -> bool:
    return caller.is_auditor or (family == "holder" and caller.is_or_manages(bucket))


async def _note_over(service: Service, index: int) -> str:
    """Returns a signed checkpoint that covers an entry.

    Raises:
        NotFoundError: The log has no such entry.
    """
    if not 0 <= index < service.store.size():
        raise NotFoundError(what="entry", name=str(index))
    return await asyncio.wrap_future(service.writer.wait_checkpoint(index + 1))
