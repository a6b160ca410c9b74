"""An export: one checkpoint and exactly the files that its size implies, in a directory.

    checkpoint                the signed note, with the log's own line only
    tile/0/000.p/4            hash tiles
    tile/entries/000.p/4      bundles of entries
    cosignatures/...          what witnesses signed, if they did

Whoever has these files needs nothing else to check the whole log. Here they are written, read
and counted; whether they are true is for others to verify.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from registry.checkpoint import parse_checkpoint, split_note
from registry.errors import (
    MalformedError,
    MissingFileError,
    NoteFailedError,
    ProofFailedError,
    TooLargeError,
)
from registry.merkle import CompactRange, hash_leaf, root_of
from registry.tiles import (
    BUNDLE_SIZE_MAX,
    TILE_WIDTH,
    entries_path,
    format_bundle,
    is_implied,
    tile_path,
    walk_files,
)

CHECKPOINT_PATH: Final = "checkpoint"
COSIGNATURES_PREFIX: Final = "cosignatures/"
FILE_SIZE_MAX: Final = BUNDLE_SIZE_MAX
"""Bytes of the largest file that an export can hold."""


def write_export(directory: Path, *, note: str, entries: Iterable[bytes]) -> int:
    """Writes an export, complete or not at all.

    The files are made beside the directory and renamed into place. They are not synced: an
    export is a copy and can be written again.

    Args:
        directory: Where it goes; it must not exist yet.
        note: The signed checkpoint, with the log's line only. Its signature is not verified.
        entries: The entries from index 0 on, as sealed; read once, one bundle in memory.

    Returns:
        Number of entries written.

    Raises:
        NoteFailedError: The note is malformed, or carries other than one signature line.
        FileExistsError: The directory exists.
        ProofFailedError: The entries are not those that the checkpoint commits to.
        OSError: The files cannot be written.
    """
    text, signatures = split_note(note)
    head = parse_checkpoint(text).head
    if len(signatures) != 1:
        raise NoteFailedError(reason=f"an export's note has 1 line, this has {len(signatures)}")
    if directory.exists():
        raise FileExistsError(f"{directory} exists")
    # A sibling, so that renaming stays within one file system.
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        tree = CompactRange()
        writer = _TileWriter(temporary)
        for entry in entries:
            if tree.size == head.size:
                raise ProofFailedError(reason=f"more entries than the checkpoint's {head.size}")
            leaf_hash = hash_leaf(entry)
            tree.append(leaf_hash)
            writer.append(entry, leaf_hash=leaf_hash)
        writer.finish()
        if tree.head() != head:
            raise ProofFailedError(
                reason=f"{tree.size} entries are not the checkpoint's tree of {head.size}"
            )
        _write(temporary, CHECKPOINT_PATH, note.encode("utf-8"))
        temporary.chmod(0o755)
        temporary.rename(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return tree.size


class _TileWriter:
    """Writes a log's tiles and bundles as they fill; keeps at most one of each row."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._bundle: list[bytes] = []
        self._bundles_written = 0
        self._rows: list[list[bytes]] = []
        self._tiles_written: list[int] = []

    def append(self, entry: bytes, *, leaf_hash: bytes) -> None:
        self._bundle.append(entry)
        if len(self._bundle) == TILE_WIDTH:
            self._write_bundle()
        self._append_hash(leaf_hash, level=0)

    def finish(self) -> None:
        """Writes what is left as partial tiles; they are hashed into no level above."""
        if self._bundle:
            self._write_bundle()
        for level, row in enumerate(self._rows):
            if row:
                self._write_tile(level)

    def _append_hash(self, node: bytes, *, level: int) -> None:
        if level == len(self._rows):
            self._rows.append([])
            self._tiles_written.append(0)
        row = self._rows[level]
        row.append(node)
        if len(row) == TILE_WIDTH:
            above = root_of(row)
            self._write_tile(level)
            self._append_hash(above, level=level + 1)

    def _write_bundle(self) -> None:
        path = entries_path(self._bundles_written, len(self._bundle))
        _write(self._directory, path, format_bundle(self._bundle))
        self._bundles_written += 1
        self._bundle.clear()

    def _write_tile(self, level: int) -> None:
        row = self._rows[level]
        path = tile_path(level, self._tiles_written[level], len(row))
        _write(self._directory, path, b"".join(row))
        self._tiles_written[level] += 1
        row.clear()


def _write(directory: Path, path: str, data: bytes) -> None:
    target = directory / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def verify_files(files: "DirectoryFiles", *, size: int) -> None:
    """Verifies that an export has exactly the files that its size implies.

    Args:
        files: The export; its names are looked at one by one.
        size: Number of entries by its checkpoint.

    Raises:
        MalformedError: It has a file that is neither implied nor a cosignature; or see `names`.
        MissingFileError: It lacks a file.
        OSError: A directory cannot be read.
    """
    count = 0
    for name in files.walk():
        if name == CHECKPOINT_PATH or is_implied(name, size=size):
            count += 1
        elif not name.startswith(COSIGNATURES_PREFIX):
            raise MalformedError(what="export", reason=f"{name!r} is no file of a log of {size}")
    if count == 1 + _count_files(size):
        return
    names = files.names()
    # With nothing superfluous, this ends at the latest one step after the files that are there.
    for path in chain((CHECKPOINT_PATH,), walk_files(size)):
        if path not in names:
            raise MissingFileError(path=path)


def _count_files(size: int) -> int:
    """Returns how many tiles and bundles a log of that size has."""
    count, hashes = -(-size // TILE_WIDTH), size
    while hashes > 0:
        count += -(-hashes // TILE_WIDTH)
        hashes //= TILE_WIDTH
    return count


class DirectoryFiles:
    """Reads the files of an export from a directory that anybody may have put together."""

    def __init__(self, directory: Path) -> None:
        """Takes the directory; nothing is read yet."""
        self._directory = directory

    def read(self, path: str) -> bytes:
        """Reads one file.

        Args:
            path: Its path below the directory, with `/`.

        Raises:
            MalformedError: The path leads outside, through a symbolic link, or to something
                that is no regular file.
            MissingFileError: There is no such file.
            TooLargeError: It is larger than any file of an export.
            OSError: It cannot be read.
        """
        parts = path.split("/")
        if not {"", ".", ".."}.isdisjoint(parts):
            raise MalformedError(what="path", reason=f"{path!r} is not a plain relative path")
        target = self._directory
        for part in parts:
            target = target / part
            try:
                status = target.lstat()
            except (FileNotFoundError, NotADirectoryError):
                raise MissingFileError(path=path) from None
            _require_no_link(path, status.st_mode)
        if not stat.S_ISREG(status.st_mode):
            raise MalformedError(what="export", reason=f"{path!r} is not a regular file")
        if status.st_size > FILE_SIZE_MAX:
            raise TooLargeError(what=path, size=status.st_size, limit=FILE_SIZE_MAX)
        return target.read_bytes()

    def names(self) -> frozenset[str]:
        """Lists the paths of all regular files, with `/`; empty directories do not count.

        Raises:
            MalformedError: There is a symbolic link, or something that is neither a regular
                file nor a directory.
            OSError: A directory cannot be read.
        """
        return frozenset(self.walk())

    def walk(self) -> Iterator[str]:
        """Gives what `names` lists, directory by directory, each in order.

        Raises:
            MalformedError, OSError: As `names`.
        """
        pending = [""]
        while pending:
            prefix = pending.pop()
            with os.scandir(self._directory / prefix) as items:
                for item in sorted(items, key=lambda item: item.name):
                    name = f"{prefix}{item.name}"
                    mode = item.stat(follow_symlinks=False).st_mode
                    _require_no_link(name, mode)
                    if stat.S_ISDIR(mode):
                        pending.append(f"{name}/")
                    elif stat.S_ISREG(mode):
                        yield name
                    else:
                        raise MalformedError(
                            what="export", reason=f"{name!r} is not a regular file"
                        )


def _require_no_link(path: str, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise MalformedError(what="export", reason=f"{path!r} is or passes a symbolic link")
