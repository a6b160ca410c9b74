"""The audit: full replay of an export, trusting nothing but its files and one key.

What it needs is the log's name, the log key, and the files; an older checkpoint
(`held`), if the auditor has one, is what shows a truncated or rewritten log. It imports
neither the server nor a database.

Entries are judged one after the other, each on the state that those before it have left;
hashes are compared with the tiles. If that pays, several processes do so, and each of them
judges its share of the entries.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from registry.audit_state import SavedState
from registry.audit_tree import AuditedTree
from registry.audit_workers import (
    ALL,
    Elsewhere,
    Fault,
    Judge,
    Share,
    Task,
    bundle_path,
    bundles_from,
    first_fault,
    read_bundle,
)
from registry.canonical import b64url_encode
from registry.checkpoint import Checkpoint, open_checkpoint, split_note
from registry.errors import MalformedError, MissingFileError, RegistryError
from registry.export import DirectoryFiles, verify_files
from registry.ids import Origin
from registry.kinds import Rulebook
from registry.merkle import TreeHead, prove_consistency, verify_consistency
from registry.model import LEDGER
from registry.replay import Replay
from registry.signing import PublicKey
from registry.tiles import TILE_WIDTH, TileHashes
from registry.verdicts import Finding, Verdict, worst

PARALLEL_FROM: Final = 8 * TILE_WIDTH
"""Entries to judge from which other processes are worth starting."""

BLOCK: Final = TILE_WIDTH
"""Entries in a row that one of them judges."""

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
        resumed: Number of entries that an earlier audit had judged.
        state: The final state, for a later audit to go on from; None if the replay did not end.
    """

    findings: list[Finding] = field(default_factory=list)
    size: int = 0
    root: str = ""
    statements: int = 0
    digest: str = ""
    notes: tuple[str, ...] = ()
    resumed: int = 0
    state: SavedState | None = None

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
    saved: SavedState | None = None,
    jobs: int = 1,
    progress: Progress = lambda _done, _all: None,
) -> Audit:
    """Audits an export.

    Args:
        files: The export's files.
        origin: The log's name, pinned.
        key: The log key, pinned.
        rulebook: All kinds and tables.
        held: A checkpoint that the auditor has kept; None without one.
        saved: Where an earlier audit ended: entries before are taken as that one found
            them, and of their files only the tiles at that edge are read. It is used up.
        jobs: Processes that judge, this one included; for few entries it does so alone.
        progress: Told as entries are replayed.

    Returns:
        The findings; never raises for what is wrong with the files.

    Raises:
        ChildProcessError: One of the processes ended before its work.
        OSError: A file cannot be read.
    """
    audit = Audit()
    # What is not UTF-8 becomes a character that no note holds in its signed part.
    note = _read(audit, files, "checkpoint").decode(errors="replace")
    checkpoint = _open(audit, note, "checkpoint", origin, key)
    kept = _open(audit, held, "held checkpoint", origin, key) if held is not None else None
    if checkpoint is None:
        return audit
    audit.size, audit.root = checkpoint.size, b64url_encode(checkpoint.root)
    notes = (held or "", note)
    if kept is not None and kept.size == checkpoint.size and kept.root != checkpoint.root:
        _diverged(audit, notes, f"two roots at size {kept.size}")
    if len(split_note(note)[1]) != 1:
        audit.add(Verdict.INVALID, "checkpoint", "carries other lines than the log's own")
    if not _complete(audit, files, checkpoint.size):
        return audit
    tree = AuditedTree(files, checkpoint.size)
    if saved is not None and not _resume(audit, files, tree, saved, checkpoint, note):
        return audit
    replay = saved.replay if saved else Replay(rulebook, origin=origin, root_at=tree.root_at)
    replay.root_at = tree.root_at
    share = _share(jobs, checkpoint.size - replay.size)
    task = Task(
        files=files, origin=origin, key=key, rulebook=rulebook, size=checkpoint.size, share=share
    )
    with Elsewhere() as others:
        others.start(task, saved)
        judge = Judge(replay, tree, share)
        _judge(audit, files, judge, size=checkpoint.size, progress=progress)
        # What is wrong with hashes is told first, and then nothing else is known.
        if tree.size < checkpoint.size or not _hashed(audit, tree, checkpoint.head):
            return audit
        answers = others.answers()
    if any(answer.root != checkpoint.root for answer in answers):
        audit.add(Verdict.INVALID, "export", "its files have changed while they were read")
        return audit
    if kept is not None:
        _compare_held(audit, tree, checkpoint, kept, notes)
    fault = first_fault([judge.answer(checkpoint.root), *answers])
    final = SavedState(note=note, checkpoint=checkpoint, replay=replay)
    _conclude(audit, fault, key, final)
    return audit


def _share(jobs: int, entries: int) -> Share:
    """Returns this process's share of that many entries."""
    return Share(of=jobs, block=BLOCK) if entries >= PARALLEL_FROM else ALL


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


def _diverged(
    audit: Audit, notes: tuple[str, str], reason: str, *, where: str = "held checkpoint"
) -> None:
    """Records two notes that cannot both be true."""
    audit.notes = notes
    audit.add(Verdict.DIVERGED, where, f"{reason}: the log has been forked")


def _complete(audit: Audit, files: DirectoryFiles, size: int) -> bool:
    """Checks that exactly the implied files are there."""
    try:
        verify_files(files, size=size)
    except MissingFileError as error:
        audit.add(Verdict.INCOMPLETE, "export", str(error))
        return False
    except RegistryError as error:
        audit.add(Verdict.INVALID, "export", str(error))
        return False
    return True


def _resume(
    audit: Audit,
    files: DirectoryFiles,
    tree: AuditedTree,
    saved: SavedState,
    checkpoint: Checkpoint,
    note: str,
) -> bool:
    """Starts the tree where an earlier audit ended, if this is the log of that audit."""
    trusted = saved.checkpoint
    if trusted.size > checkpoint.size:
        reason = f"{checkpoint.size} entries, and the state kept is of {trusted.size}"
        audit.add(Verdict.INCOMPLETE, "checkpoint", reason)
        return False
    try:
        root = tree.restore(trusted.size)
    except RegistryError as error:
        audit.add(Verdict.INVALID, "tiles", str(error))
        return False
    if root != trusted.root:
        _tell_apart(audit, files, saved, checkpoint, root=root, note=note)
        return False
    audit.resumed = trusted.size
    return True


def _tell_apart(
    audit: Audit,
    files: DirectoryFiles,
    saved: SavedState,
    checkpoint: Checkpoint,
    *,
    root: bytes,
    note: str,
) -> None:
    """Says why the tiles have another root at an earlier size than an earlier audit found.

    Only if they lead to the checkpoint's root, too, does its signer contradict itself.
    """
    size = saved.checkpoint.size
    try:
        if size < checkpoint.size:
            path = prove_consistency(
                TileHashes(files.read, checkpoint.size), old_size=size, new_size=checkpoint.size
            )
            verify_consistency(path, old=TreeHead(size, root), new=checkpoint.head)
        elif root != checkpoint.root:
            raise MalformedError(what="tiles", reason="give another root than the checkpoint's")
    except RegistryError as error:
        audit.add(Verdict.INVALID, "tiles", str(error))
        return
    _diverged(audit, (saved.note, note), f"another root at size {size}", where="state kept")


def _judge(
    audit: Audit,
    files: DirectoryFiles,
    judge: Judge,
    *,
    size: int,
    progress: Progress,
) -> None:
    """Judges bundle after bundle; the first that is no bundle is a finding, and the end."""
    for index in bundles_from(judge.replay.size, size=size):
        try:
            entries = read_bundle(files, index, size=size)
        except RegistryError as error:
            audit.add(Verdict.INVALID, bundle_path(index, size=size), str(error))
            return
        judge.feed(index, entries)
        progress(judge.replay.size, size)


def _hashed(audit: Audit, tree: AuditedTree, head: TreeHead) -> bool:
    """Checks entries against tiles and both against the checkpoint's root."""
    sound = tree.finish() == head.root
    for where, reason in tree.differing:
        audit.add(Verdict.INVALID, where, reason)
        if not sound:
            # The entries do not give the signed root: the tile tells which one is wrong.
            break
    if not sound and not tree.differing:
        audit.add(Verdict.INVALID, "checkpoint", "entries and tiles give another root")
    return sound and not tree.differing


def _compare_held(
    audit: Audit,
    tree: AuditedTree,
    checkpoint: Checkpoint,
    kept: Checkpoint,
    notes: tuple[str, str],
) -> None:
    """Compares with an older (or newer) checkpoint that the auditor has kept."""
    if kept.size > checkpoint.size:
        audit.add(
            Verdict.INCOMPLETE,
            "checkpoint",
            f"{checkpoint.size} entries, and the held checkpoint has {kept.size}",
        )
        return
    try:
        root = kept.root if kept.size == 0 else tree.root_at(kept.size)
    except RegistryError as error:
        # A tile that an earlier audit has seen, and this one did not until now.
        audit.add(Verdict.INVALID, "tiles", str(error))
        return
    if kept.size < checkpoint.size and root != kept.root:
        _diverged(audit, notes, f"another root at size {kept.size}")


def _conclude(audit: Audit, fault: Fault | None, key: PublicKey, final: SavedState) -> None:
    """Says how the replay ended."""
    replay = final.replay
    if fault is not None:
        audit.add(Verdict.INVALID, f"entry {fault.entry}", fault.reason)
        return
    ledger = replay.rows.get(LEDGER, "ledger")
    if ledger is not None and ledger.log_key != b64url_encode(key.raw):
        audit.add(Verdict.INVALID, "entry 0", f"genesis names another log key, {ledger.log_key}")
        return
    audit.statements, audit.digest = replay.statements, replay.digest()
    audit.state = final
