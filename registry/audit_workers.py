"""Judges of a log: one here, and others in processes of their own, each for its share.

Every judge reads all of the export, hashes all of it, and keeps the whole state; it judges
the entries of its share and follows the others (see `registry.claims`). A judge elsewhere is
a Python of its own. It gets its task on standard input and answers once, on standard output:
its tree's root, so that all are known to have read the same bytes, and the first fault that
it found. A process that does not answer is an audit without a verdict.
"""

import io
import pickle
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

from registry.audit_state import SavedState, load_state, save_state
from registry.audit_tree import AuditedTree
from registry.claims import read_claim
from registry.cycles import seek_cycles_seldom
from registry.errors import EntryInvalidError, InvariantBrokenError, RegistryError
from registry.export import DirectoryFiles
from registry.ids import Origin
from registry.kinds import Rulebook
from registry.merkle import hash_leaf, root_of
from registry.replay import Replay
from registry.signing import PublicKey
from registry.tables import Table
from registry.tiles import TILE_WIDTH, entries_path, parse_bundle
from registry.workers import Worker, end_when_unwanted, take_pipes


class Share(NamedTuple):
    """Which entries a judge judges: every `of`-th block of some, from block `number` on."""

    number: int = 0
    of: int = 1
    block: int = TILE_WIDTH

    def has(self, entry: int) -> bool:
        """Tells whether an entry is among them."""
        return entry // self.block % self.of == self.number


ALL: Final = Share()


class Fault(NamedTuple):
    """The first entry that should not be there."""

    entry: int
    reason: str


class Answer(NamedTuple):
    """What a judge has found.

    Attributes:
        root: The root of all entries that it has read.
        fault: The first fault in its share; None without one.
        lost_at: The entry that it could not follow: this one is wrong, or one before it.
    """

    root: bytes
    fault: Fault | None
    lost_at: int | None


class Judge:
    """One judge: the tree of all that it has read, and the replay as far as it comes."""

    def __init__(self, replay: Replay, tree: AuditedTree, share: Share = ALL) -> None:
        """Starts where replay and tree are."""
        self.fault: Fault | None = None
        self.lost_at: int | None = None
        self.replay = replay
        self._tree = tree
        self._share = share
        replay.root_at = tree.root_at

    def feed(self, bundle: int, entries: Sequence[bytes]) -> None:
        """Judges or follows a bundle's entries; those that were judged before are passed over."""
        hashes = [hash_leaf(entry) for entry in entries]
        self._tree.add(b"".join(hashes), root_of(hashes))
        for place in range(max(0, self.replay.size - bundle * TILE_WIDTH), len(entries)):
            if self.fault is not None or self.lost_at is not None:
                return
            self._feed(entries[place], hashes[place])

    def _feed(self, entry: bytes, leaf_hash: bytes) -> None:
        """Judges or follows an entry."""
        try:
            claim = None if self._share.has(self.replay.size) else read_claim(entry)
            if claim is None:
                self.replay.judge(entry, leaf_hash=leaf_hash)
            else:
                self.replay.follow(claim, leaf_hash=leaf_hash)
        except EntryInvalidError as error:
            self.fault = Fault(self.replay.size, str(error.facts["reason"]))
        except (OSError, MemoryError):
            raise
        except Exception:
            # What a lie makes of a state, and of decisions on it, cannot be listed.
            if self._share == ALL:
                raise
            self.lost_at = self.replay.size

    def answer(self, root: bytes) -> Answer:
        """Says what was found, under the root of all that was read."""
        return Answer(root, self.fault, self.lost_at)


def first_fault(answers: Sequence[Answer]) -> Fault | None:
    """Returns the first fault of all that judges have found.

    Raises:
        InvariantBrokenError: A judge could not go on, and nobody found an entry to blame.
    """
    fault = min((answer.fault for answer in answers if answer.fault), default=None)
    for answer in answers:
        if answer.lost_at is not None and (fault is None or fault.entry > answer.lost_at):
            raise InvariantBrokenError(f"entry {answer.lost_at} is right, and cannot be followed")
    return fault


def read_bundle(files: DirectoryFiles, index: int, *, size: int) -> tuple[bytes, ...]:
    """Reads a bundle of a log of some size, and takes it apart.

    Raises:
        RegistryError: It is not there, or no bundle.
        OSError: It cannot be read.
    """
    count = _count(index, size)
    return parse_bundle(files.read(bundle_path(index, size=size)), count=count)


def bundle_path(index: int, *, size: int) -> str:
    """Returns where a bundle of a log of some size stands."""
    return entries_path(index, _count(index, size))


def _count(index: int, size: int) -> int:
    """Returns the number of entries in a bundle of a log of some size."""
    return min(TILE_WIDTH, size - index * TILE_WIDTH)


def bundles_from(first: int, *, size: int) -> range:
    """Returns the numbers of the bundles that hold the entries from `first` on."""
    return range(first // TILE_WIDTH, -(-size // TILE_WIDTH))


# --- Elsewhere ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a judge elsewhere is asked to do.

    Attributes:
        files: The export's files.
        origin: The log's name.
        key: The log key.
        rulebook: All kinds and tables.
        size: Number of entries, by the checkpoint.
        share: Its share.
        state: A file with the state to go on from, and its digest; None for genesis.
    """

    files: DirectoryFiles
    origin: Origin
    key: PublicKey
    rulebook: Rulebook
    size: int
    share: Share
    state: tuple[Path, str] | None = None


def perform(task: Task) -> Answer:
    """Judges a share of a log; what is wrong with files, whoever asked finds, too."""
    tree = AuditedTree(task.files, task.size)
    try:
        replay = _begin(task, tree)
        judge = Judge(replay, tree, task.share)
        for index in bundles_from(replay.size, size=task.size):
            judge.feed(index, read_bundle(task.files, index, size=task.size))
        return judge.answer(tree.finish())
    except RegistryError:
        return Answer(b"", None, None)


def _begin(task: Task, tree: AuditedTree) -> Replay:
    """Returns the replay to go on with; the tree is where that one is."""
    rulebook, origin = task.rulebook, task.origin
    if task.state is None:
        return Replay(rulebook, origin=origin, root_at=tree.root_at)
    path, digest = task.state
    saved = load_state(path, digest=digest, rulebook=rulebook, origin=origin, key=task.key)
    tree.restore(saved.checkpoint.size)
    return saved.replay


class Elsewhere:
    """The other judges of a log, at work in processes of their own."""

    def __init__(self) -> None:
        """Starts with none."""
        self._workers: list[Worker] = []
        self._kept = ExitStack()

    def __enter__(self) -> "Elsewhere":
        """Has nothing to start yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the processes, whatever they are doing: they keep nothing."""
        for worker in self._workers:
            worker.end()
        self._kept.close()

    def start(self, task: Task, saved: SavedState | None) -> None:
        """Starts all judges but the one whose share the task names.

        Args:
            task: What that one does.
            saved: Where an earlier audit ended, for the others to go on from, too.

        Raises:
            ChildProcessError: One of them ended at once.
            OSError: The state cannot be handed over.
        """
        others = [number for number in range(task.share.of) if number != task.share.number]
        if others and saved is not None:
            directory = self._kept.enter_context(tempfile.TemporaryDirectory())
            path = Path(directory) / "state"
            task = replace(task, state=(path, save_state(path, saved, rulebook=task.rulebook)))
        for number in others:
            worker = Worker(__name__, what="a process of the audit")
            self._workers.append(worker)
            worker.put(pickled(replace(task, share=task.share._replace(number=number))))

    def answers(self) -> list[Answer]:
        """Waits for all of them.

        Raises:
            ChildProcessError: One of them ended before it answered.
        """
        return [worker.get() for worker in self._workers]


class _Pickler(pickle.Pickler):
    """Names tables instead of copying them: there is one of each in a program."""

    def reducer_override(self, value: object) -> Any:
        if isinstance(value, Table):
            return _find_table, (value.row.__module__, value.name)
        return NotImplemented


def _find_table(module: str, name: str) -> Table[Any]:
    """Finds a table where its rows are defined."""
    found = vars(import_module(module)).values()
    return next(table for table in found if isinstance(table, Table) and table.name == name)


def pickled(value: object) -> bytes:
    """Returns a value as it travels to a process of our own."""
    message = io.BytesIO()
    _Pickler(message, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return message.getvalue()


def serve() -> None:
    """Performs one task: the program of a judge elsewhere."""
    incoming, outgoing = take_pipes()
    task: Task = pickle.load(incoming)  # noqa: S301 (from the audit itself)
    end_when_unwanted()
    seek_cycles_seldom()
    pickle.dump(perform(task), outgoing)
    outgoing.flush()
