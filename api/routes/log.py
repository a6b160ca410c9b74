"""The log as files, and proofs at path-only addresses that never change.

Hash tiles and checkpoints are open to all; bundles of entries are for auditors only.
Nothing is shown of the log beyond what the newest checkpoint signs.
"""

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from api.errors import NotFoundError
from api.requests import GUARDS, PRIVATE_IMMUTABLE, ServiceOf, fixed
from api.results import inclusion_path
from api.service import Service
from registry.canonical import b64url_encode, format_json
from registry.checkpoint import format_verifier_key
from registry.errors import MalformedError
from registry.logtree import stored_hashes
from registry.merkle import HASH_SIZE, prove_consistency
from registry.tiles import ENTRIES_LEVEL, TILE_HEIGHT, TILE_WIDTH, Tile, format_bundle, parse_path

TREE_SIZE_MAX = 2**53

router = APIRouter(dependencies=GUARDS)


@router.get("/log/checkpoint", operation_id="log.checkpoint", response_class=PlainTextResponse)
async def read_checkpoint(service: ServiceOf) -> Response:
    """Shows the newest signed checkpoint, a C2SP signed note."""
    if not service.writer.note:
        raise NotFoundError(what="checkpoint", name="yet")
    return PlainTextResponse(service.writer.note, headers={"Cache-Control": "no-cache"})


@router.get(
    "/v1/log/checkpoint/{size}", operation_id="log.covering", response_class=PlainTextResponse
)
async def wait_checkpoint(service: ServiceOf, size: int) -> Response:
    """Waits for a signed checkpoint of at least a size that the log has already."""
    if not 0 < size <= service.store.size():
        raise NotFoundError(what="entry", name=f"{size - 1}")
    note = await asyncio.wrap_future(service.writer.wait_checkpoint(size))
    return PlainTextResponse(note, headers={"Cache-Control": "no-cache"})


@router.get("/log/verifier-key", operation_id="log.verifier-key", response_class=PlainTextResponse)
async def read_verifier_key(service: ServiceOf) -> Response:
    """Shows the log key, to be pinned by another way than this one."""
    return PlainTextResponse(format_verifier_key(service.origin, service.log_key) + "\n")


@router.get("/log/tile/entries/{path:path}", operation_id="log.entries")
async def read_entries(request: Request, service: ServiceOf, path: str) -> Response:
    """Shows a bundle of entries (C2SP tlog-tiles) to auditors."""
    tile = _tile(service, f"tile/entries/{path}")
    start = tile.index * TILE_WIDTH
    entries: Sequence[bytes] = list(service.store.entries(start, start + tile.width))
    return fixed(
        request,
        format_bundle(entries),
        media_type="application/octet-stream",
        cache=PRIVATE_IMMUTABLE,
    )


@router.get("/log/tile/{path:path}", operation_id="log.tile")
async def read_tile(request: Request, service: ServiceOf, path: str) -> Response:
    """Shows a tile of hashes (C2SP tlog-tiles)."""
    tile = _tile(service, f"tile/{path}")
    if tile.level == ENTRIES_LEVEL:
        raise NotFoundError(what="tile", name=path)
    data = service.store.tile(level=tile.level, index=tile.index)[: tile.width * HASH_SIZE]
    return fixed(request, data, media_type="application/octet-stream")


@router.get("/v1/log/proof/inclusion/{index}/{size}", operation_id="log.inclusion")
async def prove_index(request: Request, service: ServiceOf, index: int, size: int) -> Response:
    """Proves that an entry stands in the tree of a size."""
    if not 0 <= index < size <= service.writer.signed_size:
        raise NotFoundError(what="proof", name=f"of entry {index} at size {size}")
    path = inclusion_path(service.store, index=index, size=size)
    (leaf_hash,) = service.store.leaf_hashes(index, index + 1)
    content = format_json(
        {"index": index, "leaf_hash": b64url_encode(leaf_hash), "path": [*path], "size": size}
    )
    return fixed(request, content, media_type="application/json")


@router.get("/v1/log/proof/consistency/{old}/{new}", operation_id="log.consistency")
async def prove_growth(request: Request, service: ServiceOf, old: int, new: int) -> Response:
    """Proves that the tree of one size begins the tree of another."""
    if not 0 < old <= new <= service.writer.signed_size:
        raise NotFoundError(what="proof", name=f"from size {old} to {new}")
    store = service.store
    hashes = stored_hashes(lambda level, index: store.tile(level=level, index=index), new)
    path = [b64url_encode(node) for node in prove_consistency(hashes, old_size=old, new_size=new)]
    content = format_json({"new": new, "old": old, "path": [*path]})
    return fixed(request, content, media_type="application/json")


def _tile(service: Service, path: str) -> Tile:
    """Returns the tile of a path, if the signed log has it.

    Raises:
        NotFoundError: It has not, or the path names no tile.
    """
    try:
        tile = parse_path(path)
    except MalformedError:
        raise NotFoundError(what="tile", name=path) from None
    level = max(tile.level, 0)
    hashes = service.writer.signed_size >> (level * TILE_HEIGHT)
    if tile.index * TILE_WIDTH + tile.width > hashes:
        raise NotFoundError(what="tile", name=path)
    return tile
