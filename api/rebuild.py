"""A ledger's database against its own log: what it must hold, and how to write it again.

The log is the truth and every other table follows from it. `check_store` replays the
stored entries and compares; `rebuild_store` replays them into an empty store. Neither
asks anybody, and neither changes the store that it reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, Final, TypeVar

from registry.batch import Change
from registry.canonical import b64url_encode, parse_object
from registry.checks import RootAt
from registry.entries import Entry, open_entry
from registry.errors import EntryInvalidError, HeadMovedError
from registry.ids import Origin, PartyId, Sid
from registry.kinds import Rulebook
from registry.logtree import LogTree, stored_hashes
from registry.merkle import hash_leaf, root_at
from registry.ports import Commit, LedgerStore, NewEntry
from registry.replay import Replay, ReplayedKeys
from registry.signing import jws_id, split_jws
from registry.state import MemoryRows, replay_digest
from registry.tables import Record, Table, Value
from registry.verdicts import Finding, Verdict, worst

R = TypeVar("R", bound=Record)

ENTRIES_AT_ONCE: Final = 1_000


@dataclass(kw_only=True)
class Check:
    """What a check of a database found.

    Attributes:
        size: Number of entries.
        root: Root of the log, from the entries, as b64url.
        digest: The replay digest of the state that follows from the entries.
        findings: Everything that is not as the entries say.
    """

    size: int
    root: str = ""
    digest: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The verdict of all findings together."""
        return worst(self.findings)

    def add(self, where: str, reason: str) -> None:
        """Adds a finding."""
        self.findings.append(Finding(verdict=Verdict.INVALID, where=where, reason=reason))


def check_store(store: LedgerStore, rulebook: Rulebook, *, origin: Origin) -> Check:
    """Replays the stored entries and compares what else is stored with them.

    Rows that have ended are not compared; to have them beyond doubt, write them again.

    Returns:
        The findings; an entry that should not be there ends the check.
    """
    size = store.size()
    tree = _tree_of(store, size)
    check = Check(size=size, root=b64url_encode(tree.head.root))
    _check_hashes(check, store, tree)
    replay = Replay(rulebook, origin=origin, root_at=_root_at(tree))
    for chunk in _chunks(store.entries(0, size)):
        try:
            for data in chunk:
                replay.feed(data)
        except EntryInvalidError as error:
            check.add(f"entry {error.facts['index']}", str(error.facts["reason"]))
            return check
        _check_statements(check, store, chunk)
    check.digest = replay.digest()
    for table in rulebook.tables:
        _check_table(check, store, table, replay.rows)
    return check


def _chunks(entries: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yields entries, some at a time."""
    while chunk := list(islice(entries, ENTRIES_AT_ONCE)):
        yield chunk


def _tree_of(store: LedgerStore, size: int) -> LogTree:
    """Computes the log's tree, and all its tiles, from the entries alone."""
    tree = LogTree(lambda _level, _index: b"", 0)
    for data in store.entries(0, size):
        tree.append(hash_leaf(data))
    return tree


def _root_at(tree: LogTree) -> RootAt:
    """Returns a function that gives the root at an earlier size."""
    tiles = {(tile.level, tile.index): tile.data for tile in tree.tiles()}
    hashes = stored_hashes(lambda level, index: tiles.get((level, index), b""), tree.head.size)
    return cache(lambda earlier: root_at(hashes, earlier))


def _check_hashes(check: Check, store: LedgerStore, tree: LogTree) -> None:
    """Compares stored leaf hashes and tiles with what the entries give."""
    hashes = zip(store.entries(0, check.size), store.leaf_hashes(0, check.size), strict=True)
    for index, (data, leaf_hash) in enumerate(hashes):
        if leaf_hash != hash_leaf(data):
            check.add(f"entry {index}", "another leaf hash is stored")
    for tile in tree.tiles():
        if store.tile(level=tile.level, index=tile.index) != tile.data:
            check.add(f"tile {tile.level}/{tile.index}", "is not what the entries give")


def _check_statements(check: Check, store: LedgerStore, chunk: list[bytes]) -> None:
    """Compares where statements are found with where they stand."""
    stand = {_sid_of(e): e.index for e in map(open_entry, chunk) if e.statement}
    found = store.find_statements(list(stand))
    for sid, index in stand.items():
        if found.get(sid) != index:
            check.add(f"entry {index}", f"its statement {sid} is found at {found.get(sid)}")


def _check_table(check: Check, store: LedgerStore, table: Table[Any], rows: MemoryRows) -> None:
    """Compares a table's live rows, as of the log's size, with those that follow from it."""
    live = {table.key_of(row): row for row in store.select(table, as_of=check.size)}
    due = {table.key_of(row): row for row in rows.select(table)}
    missing, odd = due.keys() - live.keys(), live.keys() - due.keys()
    differing = {key for key in due.keys() & live.keys() if due[key] != live[key]}
    if missing or odd or differing:
        check.add(
            f"table {table.name}",
            f"{len(missing)} rows missing, {len(odd)} too many, {len(differing)} other than "
            f"the entries say",
        )


class _Recorded(MemoryRows):
    """A whole state that remembers what each entry has changed."""

    def __init__(self, tables: tuple[Table[Any], ...]) -> None:
        super().__init__(tables)
        self.index = 0
        self.changes: list[Change] = []

    def put(self, table: Table[R], row: R) -> None:
        super().put(table, row)
        key = table.key_of(row)
        self.changes.append(Change(index=self.index, table=table, key=key, row=row))

    def delete(self, table: Table[Any], *key: Value) -> None:
        super().delete(table, *key)
        self.changes.append(Change(index=self.index, table=table, key=key, row=None))


class _Rebuilding(Replay):
    """A replay whose every change can be stored."""

    def __init__(self, rulebook: Rulebook, *, origin: Origin, root_at: RootAt) -> None:
        super().__init__(rulebook, origin=origin, root_at=root_at)
        self.rows: _Recorded = _Recorded(rulebook.tables)
        self._keys = ReplayedKeys(self.rows)

    def feed(self, data: bytes) -> None:
        self.rows.index = self.size
        super().feed(data)

    def take_changes(self) -> list[Change]:
        """Returns the changes since the last call."""
        taken, self.rows.changes = self.rows.changes, []
        return taken


def rebuild_store(
    source: LedgerStore, target: LedgerStore, rulebook: Rulebook, *, origin: Origin
) -> Check:
    """Replays a store's entries into an empty store, with all that follows from them.

    The tables of the source are not read. The newest signed checkpoint goes along, and
    the openings that statements name; others, which nothing names, do not.

    Returns:
        Size, root, and the replay digest of the target's rows as they are stored.

    Raises:
        HeadMovedError: The target has entries; whoever writes there is not disturbed.
        EntryInvalidError: An entry is not what must stand there; the target ends before it.
        StorageError: The target failed.
    """
    if found := target.size():
        raise HeadMovedError(size=found, expected=0)
    size, epoch = source.size(), target.acquire()
    replay = _Rebuilding(rulebook, origin=origin, root_at=_root_at(_tree_of(source, size)))
    tree = LogTree(lambda _level, _index: b"", 0)
    for chunk in _chunks(source.entries(0, size)):
        entries = []
        for data in chunk:
            entries.append(_new_entry(data))
            tree.append(entries[-1].leaf_hash)
            replay.feed(data)
        _put_openings(source, target, chunk)
        commit = Commit(entries=entries, changes=replay.take_changes(), tiles=tree.tiles())
        target.append(commit, expected_size=entries[0].index, epoch=epoch)
        tree.take_full()
    if note := source.note():
        target.put_note(note)
    return Check(
        size=target.size(),
        root=b64url_encode(tree.head.root),
        digest=replay_digest(rulebook.tables, target.select),
    )


def _new_entry(data: bytes) -> NewEntry:
    """Returns an entry as it is stored, with what it is found by."""
    entry = open_entry(data)
    payload = _payload_of(entry)
    return NewEntry(
        index=entry.index,
        time=entry.time,
        kind=entry.kind,
        leaf_hash=hash_leaf(data),
        data=data,
        sid=_sid_of(entry) if payload else None,
        by=PartyId(payload["by"]) if payload else None,
        id=payload["id"] if payload else None,
    )


def _sid_of(entry: Entry) -> Sid:
    """Returns the id of an entry's statement."""
    return jws_id(split_jws(entry.statement, what="statement").signing_input)


def _payload_of(entry: Entry) -> dict[str, Any]:
    """Returns the payload of an entry's statement; empty if it has none."""
    if not entry.statement:
        return {}
    payload = split_jws(entry.statement, what="statement").payload
    return dict(parse_object(payload, what="payload"))


def _put_openings(source: LedgerStore, target: LedgerStore, chunk: list[bytes]) -> None:
    """Copies the openings of the confidential terms that statements name."""
    payloads = map(_payload_of, map(open_entry, chunk))
    digests = [payload["body"].get("terms", "") for payload in payloads if payload]
    found = [source.opening(digest) for digest in digests if digest]
    target.put_openings([opening for opening in found if opening is not None])
