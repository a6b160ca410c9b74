"""A finished log to attack: its story, its files in memory, and an operator who lies.

`Forger` holds the log key and every rule. It seals a log again, entry by entry: one of
its entries is a lie, and all the others follow from what stands before them, the lie
included. Hashes, chain, tiles and signature are right; only a replay can find it.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import structs

from registry.audit import Audit, audit_export
from registry.canonical import Json
from registry.checkpoint import Checkpoint, sign_checkpoint
from registry.commitments import Commitments, StateCommitted
from registry.effects import Due, Effect, Seal, Touch, apply, format_effects, touches_of
from registry.entries import BEFORE_FIRST, Entry, open_entry, seal_entry
from registry.errors import MissingFileError, RegistryError
from registry.export import DirectoryFiles, write_export
from registry.histories import Histories
from registry.ids import Origin
from registry.kinds import Rulebook
from registry.merkle import hash_leaf, root_of
from registry.model import DEADLINES, HISTORIES, LEDGER, STATE_REQUESTS, History
from registry.replay import ReplayedKeys
from registry.signing import PrivateKey
from registry.state import MemoryRows
from registry.statements import Now, Statement, admit
from registry.store.memory import MemoryStore
from registry.tables import Table
from tests.builders import ORIGIN, World, instant, key_of, possession_proof
from tests.declared import View

LOG_KEY = key_of("log")
DUE_ON = date(2025, 12, 19)


# --- Exports in memory ------------------------------------------------------------


class MemoryFiles(DirectoryFiles):
    """An export's files, without a disk."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(Path("nowhere"))
        self.files = dict(files)

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise MissingFileError(path=path)
        return self.files[path]

    def names(self) -> frozenset[str]:
        return frozenset(self.files)

    def walk(self) -> Iterator[str]:
        return iter(sorted(self.files))

    def changed(self, path: str, data: bytes) -> "MemoryFiles":
        return MemoryFiles({**self.files, path: data})


def note_of(entries: Sequence[bytes], *, key: PrivateKey = LOG_KEY, origin: Origin = ORIGIN) -> str:
    """Signs the checkpoint of entries, whatever they are."""
    root = root_of(hash_leaf(entry) for entry in entries)
    return sign_checkpoint(Checkpoint(origin=origin, size=len(entries), root=root), key)


def export(entries: Sequence[bytes], *, note: str = "") -> MemoryFiles:
    """Exports entries under a note, by default their own."""
    with tempfile.TemporaryDirectory() as parent:
        directory = Path(parent) / "export"
        write_export(directory, note=note or note_of(entries), entries=entries)
        files = DirectoryFiles(directory)
        return MemoryFiles({name: files.read(name) for name in files.names()})


def audit(
    files: DirectoryFiles,
    *,
    held: str | None = None,
    rulebook: Rulebook | None = None,
    origin: Origin = ORIGIN,
    key: PrivateKey = LOG_KEY,
) -> Audit:
    """Audits files against the tests' log name and key."""
    return audit_export(
        files, origin=origin, key=key.public, rulebook=rulebook or Rulebook(), held=held
    )


# --- The story ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Story:
    """A world with everything in its log: deadlines, states, keys, offers of every end."""

    world: World
    entries: tuple[bytes, ...]
    names: Mapping[str, str]

    def index(self, kind: str, number: int = 0) -> int:
        """Finds the number-th entry of a kind; counts from the end if negative."""
        return [at for at, data in enumerate(self.entries) if open_entry(data).kind == kind][number]


def tell(world: World) -> dict[str, str]:
    """Tells the story; returns what its vouchers, offers and lots are called."""
    voucher = world.issue()
    other = world.issue(face="500", due_on="2025-12-19")
    unanswered = world.do("core", "voucher.issue", world.issue_body(accept_by="2025-07-03")).sid
    to_s2 = world.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    to_factor = world.transfer(f"{to_s2}.2", 1_000, by="s2", to="factor", purpose="finance")
    to_trust = world.transfer(
        f"{to_factor}.2", 1_000, by="factor", to="trustee#T1", purpose="securitise"
    )
    notice = f"{to_s2}.2!0"
    world.do("core", "notice.acknowledge", {"notices": [notice]})
    rejected = world.offer(f"{to_s2}.1", 7, by="s1", to="s3")
    world.do("s3", "transfer.reject", {}, re=rejected)
    second = key_of("s2, second")
    proof = possession_proof(second, origin=ORIGIN, party=world.ids["s2"])
    world.do("s2", "key.add", {"key": dict(second.public.jwk()), "use": "sign", "proof": proof})
    lot = f"{to_factor}.1"
    for amount in (3, 5):
        body = world.offer_body(lot, amount, "s3")
        (outcome,) = world.submit(world.sign("s2", "transfer.offer", body, key=second))
        assert not isinstance(outcome, RegistryError), outcome
        lot = f"{outcome.sid}.1"
    world.do("s2", "key.revoke", {"kid": second.public.kid})
    world.engine.submit([])
    world.do("trustee#T1", "snapshot.request", {})
    world.engine.submit([])
    world.do("factor", "mandate.grant", {"account": world.accounts["factor"]})
    body = world.offer_body(lot, 11, "s3", accept_by="2025-07-02")
    expiring = world.do("s2", "transfer.offer", body).sid
    world.advance(instant(date(2025, 7, 4)))
    world.engine.submit([])
    world.transfer(f"{expiring}.1", 13, by="s2", to="s3")
    payee: dict[str, Json] = {"account": world.accounts["s3"], "collection_route": False}
    covered: dict[str, Json] = {"assignors": [world.ids["s1"]], "minimum": "17"}
    consent = world.do("s3", "consent.grant", {"purpose": "settle", **covered, **payee}).sid
    at_once = world.offer(f"{rejected}.1", 17, by="s1", to="s3")
    world.do("s3", "consent.withdraw", {}, re=consent)
    world.do("s3", "consent.grant", {"purpose": "settle", **payee})
    world.advance(instant(DUE_ON))
    world.engine.submit([])
    world.do("s3", "mandate.grant", {"account": world.accounts["s3"]})
    return {
        "voucher": voucher,
        "other": other,
        "unanswered": unanswered,
        "to_s2": to_s2,
        "to_trust": to_trust,
        "expiring": expiring,
        "at_once": at_once,
    }


@cache
def story() -> Story:
    """Tells the story once; whoever attacks it works on copies."""
    rulebook = Rulebook()
    world = World(MemoryStore(rulebook.tables), rulebook).cast()
    names = tell(world)
    return Story(world=world, entries=tuple(world.entries()), names=names)


# --- An operator who lies ------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An entry that is about to be sealed."""

    kind: str
    time: int
    effects: tuple[Effect, ...]
    statement: Statement[Any] | None = None
    text: str = ""
    due: Due | None = None
    previous: bytes | None = None
    index: int | None = None

    def swapped(self, effect: type[Effect], **changes: Any) -> "Draft":
        """Returns a draft in which the first effect of a type has other members."""
        at = next(at for at, each in enumerate(self.effects) if isinstance(each, effect))
        lied = structs.replace(self.effects[at], **changes)
        return replace(self, effects=(*self.effects[:at], lied, *self.effects[at + 1 :]))

    def without(self, effect: type[Effect]) -> "Draft":
        """Returns a draft without the first effect of a type."""
        at = next(at for at, each in enumerate(self.effects) if isinstance(each, effect))
        return replace(self, effects=(*self.effects[:at], *self.effects[at + 1 :]))


Lie = Callable[["Forger", Draft], Iterable[Draft]]
"""What to seal instead of one honest draft."""


class _Rows(MemoryRows):
    """Takes what a lie adds twice."""

    def add(self, table: Table[Any], row: Any) -> None:
        self.put(table, row)


class Forger:
    """Seals a log again with one lie in it."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        self.rows = _Rows(rulebook.tables)
        self.entries: list[bytes] = []
        self._keys = ReplayedKeys(self.rows)
        self._previous = BEFORE_FIRST
        self._commitments = Commitments()
        self._histories = Histories(self._find_histories)
        self._owed: deque[StateCommitted] = deque()

    def rewrite(self, entries: Iterable[bytes], *, at: int, lie: Lie) -> list[bytes]:
        """Seals entries again; where the lie makes one impossible, it is left out."""
        for number, data in enumerate(entries):
            draft = self.draft_of(open_entry(data))
            if draft is not None:
                for each in lie(self, draft) if number == at else (draft,):
                    self.seal(each)
        return self.entries

    def now(self, time: int) -> Now:
        return Now(index=len(self.entries), time=time, ledger=self.rows.get(LEDGER, "ledger"))

    def decided(self, text: str, *, time: int, only_kind: bool = False) -> Draft:
        """Drafts the entry of a statement; `only_kind` passes over key, lifetime and the like."""
        statement = admit(text, kinds=self.rulebook.kinds, origin=ORIGIN, keys=self._keys)
        now = self.now(time)
        view = View(self.rows, self.rulebook.reads(statement, now))
        if only_kind:
            effects = self.rulebook.kinds[statement.kind].decide(view, statement, now)
        else:
            effects = self.rulebook.decide(view, statement, now, root_at=self._root_at)
        return Draft(
            kind=statement.kind, time=time, effects=effects, statement=statement, text=text
        )

    def _root_at(self, size: int) -> bytes:
        return root_of(hash_leaf(entry) for entry in self.entries[:size])

    def draft_of(self, entry: Entry) -> Draft | None:
        """Drafts honestly what an entry stands for, after all that stands before it now."""
        if entry.statement:
            try:
                return self.decided(entry.statement, time=entry.time)
            except RegistryError:
                return None
        if entry.kind == "state":
            if not self._owed:
                return None
            return Draft(kind="state", time=entry.time, effects=(self._owed[0],))
        row: Any = entry.effects["due"]
        due = Due(at=row["at"], kind=entry.kind, id=row["id"])
        if self.rows.get(DEADLINES, due.at, due.kind, due.id) is None:
            return None
        now = self.now(entry.time)
        view = View(self.rows, self.rulebook.reads_due(due, now))
        effects = self.rulebook.decide_due(view, due, now)
        return Draft(kind=due.kind, time=entry.time, effects=effects, due=due)

    def seal(self, draft: Draft) -> None:
        """Seals a draft, whatever it says, and applies it."""
        index = len(self.entries)
        data = seal_entry(
            Entry(
                index=index if draft.index is None else draft.index,
                time=draft.time,
                kind=draft.kind,
                origin=ORIGIN,
                previous=self._previous if draft.previous is None else draft.previous,
                statement=draft.text,
                effects_json=format_effects(draft.effects, due=draft.due),
            )
        )
        leaf_hash = hash_leaf(data)
        apply(self.rows, draft.effects, Seal(
            index=index, time=draft.time, leaf_hash=leaf_hash, statement=draft.text
        ))  # fmt: skip
        self.entries.append(data)
        self._previous = leaf_hash
        self._histories.add(touches_of(draft.effects), leaf_hash)
        if draft.kind == "state" and self._owed:
            self._owed.popleft()
        if self.rows.get(STATE_REQUESTS, index + 1) is not None:
            grown = self._histories.take()
            self._commitments.update(self.rows.fetch, grown)
            self._owed.append(self._commitments.roots(at=index + 1, grown=grown))

    def _find_histories(self, touches: Sequence[Touch]) -> list[History | None]:
        return [self.rows.get(HISTORIES, *touch) for touch in touches]
