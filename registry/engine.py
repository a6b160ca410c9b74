"""The writer: batch, decide, seal, commit, apply.

One engine writes one ledger. It takes statements that were admitted, decides and seals
each in order over the rows that the batch names, and stores the whole batch in one
durable transaction (group commit). Deadlines that have come are sealed before
anything else, and a state entry follows each cut-off; both need no statement.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from registry.batch import Batch, KeptRows
from registry.effects import Due, Effect, Seal, apply, format_effects, numbering_text
from registry.entries import BEFORE_FIRST, Entry, open_entry, seal_entry
from registry.errors import (
    ClockUnsureError,
    IdReusedError,
    RegistryError,
    StorageError,
    StorageUnknownError,
)
from registry.ids import Origin, PartyId, Sid
from registry.kinds import Rulebook
from registry.logtree import LogTree
from registry.merkle import TreeHead, hash_leaf
from registry.model import LEDGER, STATE_REQUESTS, Deadline, Ledger
from registry.owed import OwedStates
from registry.ports import Clock, Commit, LedgerStore, NewEntry
from registry.statements import Now, Statement
from registry.tables import Record, replace

BATCH_MAX = 1_000
"""Entries of one commit that need no statement, such as expiries of one moment."""

INSTANT_MAX = 2**62
"""Later than every instant."""

CLOCK_BACK_MAX = 2_000
"""Milliseconds by which the system clock may step back before writing stops."""


class Sealed(Record, frozen=True, kw_only=True):
    """What became of a statement that was accepted."""

    sid: Sid
    index: int
    time: int
    leaf_hash: bytes
    effects_json: bytes
    """The entry's effects object as canonical JSON."""
    replayed: bool = False


Outcome = Sealed | RegistryError


class _Work:
    """One batch on its way to one commit."""

    def __init__(self, engine: "Engine") -> None:
        self.tree = engine.tree.fork()
        self.size = self.tree.head.size
        self.rows = Batch(
            engine.reads.fetch, engine.rulebook.tables, index=self.size, kept=engine.kept
        )
        self.entries: list[NewEntry] = []
        self.previous = engine.previous
        self.time = engine.time
        self.sids: dict[Sid, Sealed] = {}
        self.ids: dict[tuple[PartyId, str], Sid] = {}
        self.states_requested = 0
        self.states_sealed = 0


class Engine:
    """Writes one ledger."""

    def __init__(
        self, store: LedgerStore, rulebook: Rulebook, clock: Clock, *, origin: Origin
    ) -> None:
        """Takes the writer's lease and reads the head; replays nothing.

        Args:
            store: Where the ledger is kept.
            rulebook: All kinds and tables.
            clock: The time of a ledger whose clock is `system`, and of nothing else.
            origin: The log's name.
        """
        self.store = store
        self.reads = store.writer_reads()
        self.rulebook = rulebook
        self.origin = origin
        self.kept = KeptRows(rulebook.tables)
        self._clock = clock
        self._epoch = store.acquire()
        size = store.size()
        self.tree = LogTree(lambda level, index: store.tile(level=level, index=index), size)
        last = next(store.entries(size - 1, size)) if size else b""
        self.previous = hash_leaf(last) if size else BEFORE_FIRST
        self.time = open_entry(last).time if size else 0
        self._due_from: int | None = None
        self._asks_for_state = False
        self._owed = OwedStates(store)
        self._stopped = False
        self._owed.restore()

    @property
    def head(self) -> TreeHead:
        """The head of what is stored."""
        return self.tree.head

    @property
    def ledger(self) -> Ledger | None:
        """The ledger's own facts; None before genesis."""
        return next(self.store.select(LEDGER), None)

    def submit(self, statements: Sequence[Statement[Any]]) -> list[Outcome]:
        """Commits statements in order, with whatever time has brought about meanwhile.

        A statement that is refused changes nothing; the others are durable when this
        returns. With no statements it does what is due.

        Raises:
            StorageError: What is not stored will not be. Statements may take several commits, so
                earlier ones may be durable: to repeat them all is safe, and tells.
            StorageUnknownError: The outcome is not known; the engine has stopped.
            InvariantBrokenError: A bug or a corrupt log; the engine has stopped.
        """
        if self._stopped:
            raise StorageUnknownError(reason="the writer has stopped")
        outcomes: list[Outcome] = []
        waiting = deque(statements)
        ahead = len(waiting)
        try:
            while True:
                if self._asks_for_state:
                    # Before anything else is sealed, so a read that failed can be repeated.
                    self._owed.compute(at=self.tree.head.size)
                    self._asks_for_state = False
                work = _Work(self)
                before = len(outcomes)
                done = self._fill(work, waiting, outcomes, ahead=ahead)
                self._commit(work)
                if done:
                    return outcomes
                # A batch that ended early read in vain for the rest: read less next time.
                ahead = max(2 * (len(outcomes) - before), 1)
        except (StorageUnknownError, AssertionError):
            self._stopped = True
            raise

    def _fill(
        self,
        work: _Work,
        waiting: deque[Statement[Any]],
        outcomes: list[Outcome],
        *,
        ahead: int,
    ) -> bool:
        """Seals up to `ahead` statements; True if nothing waits any more.

        A batch ends sooner if a state must be computed, or if it is full.
        """
        coming = list(islice(waiting, ahead))
        now = self._now(work)
        used = self.reads.find_ids([(s.by, s.id) for s in coming])
        work.ids.update(used)
        # The id is part of what is signed: only under it can the same statement stand.
        again = [s.sid for s in coming if used.get((s.by, s.id)) == s.sid]
        sealed = self.reads.find_statements(again) if again else {}
        work.rows.prefetch([self.rulebook.reads(s, now) for s in coming])
        while True:
            self._tell_time(work)
            if not self._seal_due(work):
                return False
            if not waiting:
                return True
            if not coming:
                return False
            statement = waiting.popleft()
            coming.pop()
            outcomes.append(self._decide(work, statement, sealed))
            if work.states_requested:
                return False

    def _now(self, work: _Work) -> Now:
        """Returns the moment of the next entry."""
        ledger = work.rows.get(LEDGER, "ledger")
        return Now(index=work.size, time=work.time, ledger=ledger)

    def _tell_time(self, work: _Work) -> None:
        """Moves the batch's time on: to the manual clock's, or to the system clock's."""
        ledger = work.rows.get(LEDGER, "ledger")
        time = self._clock.now() if ledger is None or ledger.clock == "system" else ledger.time
        if time < work.time - CLOCK_BACK_MAX and ledger is not None:
            raise ClockUnsureError(time=work.time, now=time)
        work.time = max(work.time, time)

    def _seal_due(self, work: _Work) -> bool:
        """Seals every deadline that has come, then the state entries that are owed.

        Returns:
            False if the batch must be stored first: it is full, or a cut-off in it asks
            for a state.
        """
        while (due := self._next_due(work)) is not None:
            now = self._now(work)
            work.rows.prefetch([self.rulebook.reads_due(due, now)])
            effects = self.rulebook.decide_due(work.rows, due, now)
            self._seal(work, kind=due.kind, effects=effects, due=due)
            if work.states_requested or len(work.entries) >= BATCH_MAX:
                return False
        for committed in self._owed.states[work.states_sealed :]:
            self._seal(work, kind="state", effects=(committed,))
            work.states_sealed += 1
        return True

    def _next_due(self, work: _Work) -> Due | None:
        """Returns the next deadline that has come, as the batch has left them."""
        # A cancellation meets two deadlines, its own and the offer's; nothing meets more.
        row = work.rows.due(self._find_due, until=work.time, limit=2 * BATCH_MAX)
        return None if row is None else Due(at=row.at, kind=row.kind, id=row.id)

    def _find_due(self, *, until: int, limit: int) -> tuple[Deadline, ...]:
        """Finds deadlines in committed state; asks the store only when one may have come."""
        if self._due_from is None:
            first = self.store.due(until=INSTANT_MAX, limit=1)
            self._due_from = first[0].at if first else INSTANT_MAX
        if until < self._due_from:
            return ()
        self._due_from = None
        return self.store.due(until=until, limit=limit)

    def _decide(self, work: _Work, statement: Statement[Any], sealed: Mapping[Sid, int]) -> Outcome:
        """Decides one statement and seals it, or returns why not."""
        # 5. Sealed already: the first result. The id used for other bytes: refused.
        if statement.sid in work.sids:
            return replace(work.sids[statement.sid], replayed=True)
        if statement.sid in sealed:
            return self.sealed(statement.sid, sealed[statement.sid])
        name = (statement.by, statement.id)
        taken = work.ids.get(name)
        if taken is not None:
            return IdReusedError(id=statement.id, by=statement.by, sid=taken)
        time = work.time
        if statement.kind == "genesis" and statement.body.clock == "manual" and not work.size:
            work.time = statement.iat * 1000
        now = self._now(work)
        try:
            effects = self.rulebook.decide(work.rows, statement, now, root_at=work.tree.root_at)
            entry = self._entry(work, statement.kind, effects, statement=statement)
            data = seal_entry(entry)
        except StorageError:
            # Not the statement's fault: the whole batch may be tried again.
            raise
        except RegistryError as error:
            work.time = time
            return error
        sealed_now = self._adopt(work, entry, data, effects, statement=statement)
        work.sids[statement.sid] = sealed_now
        work.ids[name] = statement.sid
        return sealed_now

    def sealed(self, sid: Sid, index: int) -> Sealed:
        """Returns the first result of a statement that is sealed at an index."""
        data = next(self.store.entries(index, index + 1))
        entry = open_entry(data)
        return Sealed(
            sid=sid,
            index=index,
            time=entry.time,
            leaf_hash=hash_leaf(data),
            effects_json=entry.effects_json,
            replayed=True,
        )

    def _seal(
        self, work: _Work, *, kind: str, effects: tuple[Effect, ...], due: Due | None = None
    ) -> None:
        """Seals an entry without a statement and applies its effects to the batch's rows."""
        entry = self._entry(work, kind, effects, due=due)
        self._adopt(work, entry, seal_entry(entry), effects)

    def _entry(
        self,
        work: _Work,
        kind: str,
        effects: tuple[Effect, ...],
        *,
        statement: Statement[Any] | None = None,
        due: Due | None = None,
    ) -> Entry:
        """Returns the batch's next entry; nothing has changed yet."""
        return Entry(
            index=work.size,
            time=work.time,
            kind=kind,
            origin=self.origin,
            previous=work.previous,
            statement=statement.text if statement else "",
            effects_json=format_effects(effects, due=due),
        )

    def _adopt(
        self,
        work: _Work,
        entry: Entry,
        data: bytes,
        effects: tuple[Effect, ...],
        *,
        statement: Statement[Any] | None = None,
    ) -> Sealed:
        """Applies a sealed entry to the batch's rows; what is raised here ends the batch."""
        leaf_hash = hash_leaf(data)
        text = numbering_text(effects, entry.statement)
        seal = Seal(index=entry.index, time=entry.time, leaf_hash=leaf_hash, statement=text)
        work.rows.index = entry.index
        apply(work.rows, effects, seal)
        work.states_requested += work.rows.has_put(STATE_REQUESTS, entry.index + 1)
        work.entries.append(
            NewEntry(
                index=entry.index,
                time=entry.time,
                kind=entry.kind,
                leaf_hash=leaf_hash,
                data=data,
                sid=statement.sid if statement else None,
                by=statement.by if statement else None,
                id=statement.id if statement else None,
            )
        )
        work.tree.append(leaf_hash)
        work.previous, work.size = leaf_hash, entry.index + 1
        return Sealed(
            sid=statement.sid if statement else Sid(""),
            index=entry.index,
            time=entry.time,
            leaf_hash=leaf_hash,
            effects_json=entry.effects_json,
        )

    def _commit(self, work: _Work) -> None:
        """Makes a batch durable, then adopts what it changed."""
        if not work.entries:
            return
        commit = Commit(entries=work.entries, changes=work.rows.changes, tiles=work.tree.tiles())
        self.store.append(commit, expected_size=self.tree.head.size, epoch=self._epoch)

        # Past this line the batch is durable.
        work.rows.keep()
        if self._due_from is not None:
            self._due_from = min(self._due_from, work.rows.first_deadline_put(INSTANT_MAX))
        self.tree = work.tree
        self.previous = work.previous
        self.time = work.time
        self._owed.sealed(work.states_sealed)
        self._asks_for_state = work.states_requested > 0
