"""Snapshots and single holders' proofs, against a state entry."""

import asyncio
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final, Literal

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.auth import Caller
from api.errors import NotFoundError
from api.find import find_lot
from api.requests import GUARDS, CallerOf, ServiceOf, fixed
from api.service import Service
from api.visibility import sees_lot
from registry.canonical import digest_b64url

router = APIRouter(prefix="/v1", dependencies=GUARDS)

PART_SIZE: Final = 1 << 18
"""Bytes of an archive that are in memory at a time."""

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
    archive = await asyncio.to_thread(
        _take, service, note, state_index=state_index, family=family, bucket=bucket
    )
    return ArchiveResponse(request, archive)


def _take(service: Service, note: str, *, state_index: int, family: str, bucket: str) -> "Archive":
    """Takes a snapshot as a zip; what lies on the disk has no name when this returns."""
    with tempfile.TemporaryDirectory(prefix="snapshot-") as parent:
        directory = Path(parent) / "files"
        service.states.prover(state_index, family).write_snapshot(directory, note, bucket)
        packed = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
        try:
            write_zip(packed, directory)
        except BaseException:
            packed.close()
            raise
        # The manifest has the digests of all the others.
        tag = digest_b64url((directory / "manifest.json").read_bytes())
    return Archive(file=packed, size=packed.tell(), tag=f'"{tag}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A zip in a file without a name, which is gone when it is closed, whatever happens.

    Attributes:
        file: The file, at its end.
        size: Its size in bytes.
        tag: Tells it from every other.
    """

    file: IO[bytes]
    size: int
    tag: str


class ArchiveResponse(StreamingResponse):
    """Answers with an archive, a part of it in memory, and closes it in the end."""

    def __init__(self, request: Request, archive: Archive) -> None:
        """Answers that nothing is new to who has this very archive."""
        known = request.headers.get("if-none-match", "").split(",")
        is_known = archive.tag in (each.strip() for each in known)
        headers = {"Cache-Control": _PRIVATE, "ETag": archive.tag}
        if not is_known:
            headers["Content-Length"] = str(archive.size)
        self._file = archive.file
        self._file.seek(0)
        super().__init__(
            iter(()) if is_known else iter(partial(self._file.read, PART_SIZE), b""),
            status_code=304 if is_known else 200,
            media_type=None if is_known else "application/zip",
            headers=headers,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it, as far as somebody listens."""
        with self._file:
            await super().__call__(scope, receive, send)


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


def write_zip(file: IO[bytes], directory: Path) -> None:
    """Packs a directory's files so that the same files give the same bytes."""
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(directory.iterdir()):
            info = zipfile.ZipInfo(path.name, date_time=(1980, 1, 1, 0, 0, 0))
            # Told before, so that a large file gets a header of the right size.
            info.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(info, "w") as target:
                shutil.copyfileobj(source, target, PART_SIZE)


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
