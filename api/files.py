"""Files that are taken away: a log's entries, the journal of them, a snapshot's archive."""

import io
import zipfile
from collections.abc import Callable, Iterator

from clearing.journal import format_journal
from clearing.plaintext import Style
from registry.checkpoint import parse_checkpoint, split_note
from registry.entries import open_entry
from registry.tiles import TILE_WIDTH, entries_path, parse_bundle

Read = Callable[[str], bytes]
"""Reads a file of a log by its path."""


def size_of(note: str) -> int:
    """Returns the size that a signed note is of; its signature is not verified."""
    return parse_checkpoint(split_note(note)[0]).size


def read_entries(read: Read, size: int) -> Iterator[bytes]:
    """Yields a log's entries, one bundle in memory."""
    for bundle in range(-(-size // TILE_WIDTH)):
        count = min(TILE_WIDTH, size - bundle * TILE_WIDTH)
        yield from parse_bundle(read(entries_path(bundle, count)), count=count)


def write_journal(read: Read, *, offset_minutes: int, style: Style = Style.HLEDGER) -> str:
    """Writes the journal of every claim and payment in a log."""
    size = size_of(read("checkpoint").decode())
    opened = map(open_entry, read_entries(read, size))
    return format_journal(
        (
            {
                "index": entry.index,
                "time": entry.time,
                "kind": entry.kind,
                "effects": dict(entry.effects),
            }
            for entry in opened
        ),
        offset_minutes=offset_minutes,
        style=style,
        currency="CNY",
    )


def unpack_zip(data: bytes) -> dict[str, bytes]:
    """Returns the files of a snapshot's zip by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
