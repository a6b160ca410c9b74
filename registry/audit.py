"""The audit: full replay of an export, trusting nothing but its files and one key.

What it needs is the log's name, the log key, and the files; an older checkpoint
(`held`), if the auditor has one, is what shows a truncated or rewritten log. It imports
neither the server nor a database.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from registry.canonical import b64url_encode
from registry.checkpoint import Checkpoint, open_checkpoint, split_note
from registry.errors import EntryInvalidError, MissingFileError, RegistryError
from registry.export import DirectoryFiles, verify_files
from registry.ids import Origin
from registry.kinds import Rulebook
from registry.logtree import LogTree, TileWrite
from registry.merkle import TreeHead, hash_leaf, root_at
from registry.model import LEDGER
from registry.replay import Replay
from registry.signing import PublicKey
from registry.tiles import TILE_WIDTH, TileHashes, entries_path, parse_bundle, tile_path
from registry.verdicts import Finding, Verdict, worst

HASH = 32
Progress = Callable[[int, int], None]
"""Called with entries done and entries in all."""


@dataclass(kw_only=True)
class Audit:
    """What an audit found.

    Attributes:
        findings: Everything that is wrong, in the order found.
        size: Number of entries, by the checkpoint.
        root: The checkpoint's root, as b64url.
        statements: Number of signed statements replayed.
        digest: The replay digest of the final state; empty if the replay did not end.
        notes: Two notes by the pinned key that cannot both be true.
    """

    findings: list[Finding] = field(default_factory=list)
    size: int = 0
    root: str = ""
    statements: int = 0
    digest: str = ""
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict of all findings together."""
        return worst(self.findings)

    def add(self, verdict: Verdict, where: str, reason: str) -> None:
        """Adds a finding."""
        self.findings.append(Finding(verdict=verdict, where=where, reason=reason))


def audit_export(
    files: DirectoryFiles,
    *,
    origin: Origin,
    key: PublicKey,
    rulebook: Rulebook,
    held: str | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Audit:
    """Audits an export.

    Args:
        files: The export's files.
        origin: The log's name, pinned.
        key: The log key, pinned.
        rulebook: All kinds and tables.
        held: A checkpoint that the auditor has kept; None without one.
        progress: Told as entries are replayed.

    Returns:
        The findings; never raises for what is wrong with the files.
    """
    audit = Audit()
    # What is not UTF-8 becomes a character that no note holds in its signed part.
    note = _read(audit, files, "checkpoint").decode(errors="replace")
    checkpoint = _open(audit, note, "checkpoint", origin, key)
    kept = _open(audit, held, "held checkpoint", origin, key) if held is not None else None
    if checkpoint is None:
        return audit
    audit.size, audit.root = checkpoint.size, b64url_encode(checkpoint.root)
    if (
        held is not None
        and kept is not None
        and kept.size == checkpoint.size
        and kept.root != checkpoint.root
    ):
        _diverged(audit, held, note, f"two roots at size {kept.size}")
    if len(split_note(note)[1]) != 1:
        audit.add(Verdict.INVALID, "checkpoint", "carries other lines than the log's own")
    if not _complete(audit, files, checkpoint.size):
        return audit
    if not _hashed(audit, files, checkpoint.head):
        return audit
    if kept is not None:
        _compare_held(audit, files, checkpoint, kept, held=held or "", note=note)
    _replay(audit, files, checkpoint, key, rulebook, progress)
    return audit


def _read(audit: Audit, files: DirectoryFiles, path: str) -> bytes:
    """Reads a file; what cannot be read is a finding."""
    try:
        return files.read(path)
    except MissingFileError as error:
        audit.add(Verdict.INCOMPLETE, path, str(error))
    except RegistryError as error:
        audit.add(Verdict.INVALID, path, str(error))
    return b""


def _open(audit: Audit, note: str, where: str, origin: Origin, key: PublicKey) -> Checkpoint | None:
    """Opens a signed note by the pinned key."""
    if any(finding.where == where for finding in audit.findings):
        return None
    try:
        return open_checkpoint(note, origin=origin, key=key)
    except RegistryError as error:
        audit.add(Verdict.INVALID, where, str(error))
        return None


def _diverged(audit: Audit, held: str, note: str, reason: str) -> None:
    """Records two notes that cannot both be true."""
    audit.notes = (held, note)
    audit.add(Verdict.DIVERGED, "held checkpoint", f"{reason}: the log has been forked")


def _complete(audit: Audit, files: DirectoryFiles, size: int) -> bool:
    """Checks that exactly the implied files are there."""
    try:
        verify_files(files.names(), size=size)
    except MissingFileError as error:
        audit.add(Verdict.INCOMPLETE, "export", str(error))
        return False
    except RegistryError as error:
        audit.add(Verdict.INVALID, "export", str(error))
        return False
    return True


def _bundles(size: int) -> Iterator[tuple[str, int]]:
    """Yields each bundle's path and number of entries."""
    for index in range(-(-size // TILE_WIDTH)):
        count = min(TILE_WIDTH, size - index * TILE_WIDTH)
        yield entries_path(index, count), count


def _hashed(audit: Audit, files: DirectoryFiles, head: TreeHead) -> bool:
    """Checks entries against tiles and both against the checkpoint's root."""
    tree = LogTree(lambda _level, _index: b"", 0)
    differing: list[tuple[str, str]] = []
    for path, count in _bundles(head.size):
        try:
            entries = parse_bundle(files.read(path), count=count)
        except RegistryError as error:
            audit.add(Verdict.INVALID, path, str(error))
            return False
        for entry in entries:
            tree.append(hash_leaf(entry))
        differing += _differing(files, tree.take_full())
    differing += _differing(files, tree.tiles())
    sound = tree.head.root == head.root
    for where, reason in differing:
        audit.add(Verdict.INVALID, where, reason)
        if not sound:
            # The entries do not give the signed root: the tile tells which one is wrong.
            break
    if not sound and not differing:
        audit.add(Verdict.INVALID, "checkpoint", "entries and tiles give another root")
    return not differing and sound


def _differing(files: DirectoryFiles, tiles: tuple[TileWrite, ...]) -> list[tuple[str, str]]:
    """Compares stored tiles with what the entries give."""
    found = []
    for tile in tiles:
        path = tile_path(tile.level, tile.index, len(tile.data) // HASH)
        try:
            stored = files.read(path)
        except RegistryError as error:
            found.append((path, str(error)))
            continue
        if stored == tile.data:
            continue
        place = next(
            at
            for at in range(0, max(len(stored), len(tile.data)), HASH)
            if stored[at : at + HASH] != tile.data[at : at + HASH]
        )
        number = tile.index * TILE_WIDTH + place // HASH
        what = f"entry {number}" if tile.level == 0 else f"hash {number} of level {tile.level}"
        found.append((f"{path}, {what}", "entry and tile do not give the same hash"))
    return found


def _compare_held(
    audit: Audit,
    files: DirectoryFiles,
    checkpoint: Checkpoint,
    kept: Checkpoint,
    *,
    held: str,
    note: str,
) -> None:
    """Compares with an older (or newer) checkpoint that the auditor has kept."""
    if kept.size > checkpoint.size:
        audit.add(
            Verdict.INCOMPLETE,
            "checkpoint",
            f"{checkpoint.size} entries, and the held checkpoint has {kept.size}",
        )
        return
    root = kept.root if kept.size == 0 else _root_at(files, checkpoint.size)(kept.size)
    if kept.size < checkpoint.size and root != kept.root:
        _diverged(audit, held, note, f"another root at size {kept.size}")


def _root_at(files: DirectoryFiles, size: int) -> Callable[[int], bytes]:
    """Returns a function that gives the root at an earlier size, from checked tiles."""
    hashes = TileHashes(files.read, size)
    known: dict[int, bytes] = {}

    def find(earlier: int) -> bytes:
        if earlier not in known:
            known[earlier] = root_at(hashes, earlier)
        return known[earlier]

    return find


def _replay(
    audit: Audit,
    files: DirectoryFiles,
    checkpoint: Checkpoint,
    key: PublicKey,
    rulebook: Rulebook,
    progress: Progress,
) -> None:
    """Replays every entry; stops at the first that should not be there."""
    replay = Replay(rulebook, origin=checkpoint.origin, root_at=_root_at(files, checkpoint.size))
    try:
        for path, count in _bundles(checkpoint.size):
            for entry in parse_bundle(files.read(path), count=count):
                replay.feed(entry)
            progress(replay.size, checkpoint.size)
    except EntryInvalidError as error:
        audit.add(Verdict.INVALID, f"entry {error.facts['index']}", str(error.facts["reason"]))
        return
    ledger = replay.rows.get(LEDGER, "ledger")
    if ledger is not None and ledger.log_key != b64url_encode(key.raw):
        audit.add(Verdict.INVALID, "entry 0", f"genesis names another log key, {ledger.log_key}")
        return
    audit.statements, audit.digest = replay.statements, replay.digest()
