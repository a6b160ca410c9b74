"""Replay: the same admit, decide, apply that the writer ran, over a finished log.

Every entry is sealed again from what the rules say must follow, and the bytes are
compared: signatures, order, deadlines, effects and commitments are all judged by that
one comparison. Memory follows live rows; ids are remembered for a statement's lifetime.
"""

from collections import OrderedDict, deque
from typing import Any

from registry.commitments import Commitments, StateCommitted
from registry.effects import Due, Effect, Seal, apply, format_effects, touches_of
from registry.entries import BEFORE_FIRST, Entry, open_entry, seal_entry
from registry.errors import EntryInvalidError, RegistryError
from registry.ids import Kid, Origin, PartyId, Sid
from registry.kinds import RootAt, Rulebook
from registry.merkle import hash_leaf
from registry.model import KEYS, LEDGER, STATE_REQUESTS
from registry.signing import PublicKey
from registry.state import MemoryRows, View, replay_digest
from registry.statements import CLOCK_SKEW, LIFETIME_MAX, Now, Statement, admit

STATE_WITHIN = 600_000
"""Milliseconds after a request in which statements may still come before its state entry."""

IDS_KEPT = (LIFETIME_MAX + CLOCK_SKEW) * 1000
"""Milliseconds after which an id cannot be used again, because its statement has expired."""


class ReplayedKeys:
    """The key directory as the replay has it."""

    def __init__(self, rows: MemoryRows) -> None:
        """Looks keys up in a state."""
        self._rows = rows
        self._found: dict[Kid, PublicKey] = {}

    def find(self, kid: Kid) -> PublicKey | None:
        """Returns the key with this thumbprint, or None."""
        if kid not in self._found:
            row = self._rows.get(KEYS, kid)
            if row is None:
                return None
            self._found[kid] = row.public
        return self._found[kid]


class Replay:
    """Judges a log entry by entry; `feed` raises at the first that should not be there."""

    def __init__(self, rulebook: Rulebook, *, origin: Origin, root_at: RootAt) -> None:
        """Starts before genesis.

        Args:
            rulebook: All kinds and tables.
            origin: The log's name.
            root_at: Returns the log's root at an earlier size.
        """
        self.rows = MemoryRows(rulebook.tables)
        self.size = 0
        self.statements = 0
        self._rulebook = rulebook
        self._origin = origin
        self._root_at = root_at
        self._keys = ReplayedKeys(self.rows)
        self._previous = BEFORE_FIRST
        self._time = 0
        self._ids: OrderedDict[tuple[PartyId, str], tuple[Sid, int]] = OrderedDict()
        self._sids: set[Sid] = set()
        self._commitments = Commitments()
        self._dirty: set[tuple[str, str]] = set()
        self._owed: deque[tuple[StateCommitted, int]] = deque()

    def feed(self, data: bytes) -> None:
        """Judges the next entry and applies it.

        Raises:
            EntryInvalidError: It is not what must stand here; the reason says why.
        """
        try:
            self._feed(data)
        except EntryInvalidError:
            raise
        except RegistryError as error:
            raise EntryInvalidError(index=self.size, reason=f"{error.code}: {error}") from None

    def digest(self) -> str:
        """Returns the replay digest of the state so far."""
        return replay_digest(self._rulebook.tables, self.rows.select)

    def _feed(self, data: bytes) -> None:
        entry = open_entry(data)
        self._check_place(entry)
        statement = self._admit(entry) if entry.statement else None
        self._check_time(entry, statement)
        due = self._due(entry)
        if statement is not None:
            effects = self._decide(entry, statement)
            kind = statement.kind
        elif due is not None:
            view = View(self.rows, self._rulebook.reads_due(due, self._now(entry)))
            effects = self._rulebook.decide_due(view, due, self._now(entry))
            kind = due.kind
        elif self._owed:
            effects, kind = (self._owed[0][0],), "state"
        else:
            self._refuse("no statement, no deadline and no request bring it about")
        self._compare(data, entry, kind=kind, effects=effects, due=due)
        if kind == "state":
            self._owed.popleft()
        self._adopt(data, entry, statement, effects)

    def _refuse(self, reason: str) -> Any:
        """Raises the verdict on the entry at hand."""
        raise EntryInvalidError(index=self.size, reason=reason)

    def _check_place(self, entry: Entry) -> None:
        """Checks index, log, chain and order of time."""
        if entry.index != self.size:
            self._refuse(f"its index says {entry.index}")
        if entry.origin != self._origin:
            self._refuse(f"it belongs to log {entry.origin}")
        if entry.previous != self._previous:
            self._refuse("previous is not the leaf hash of the entry before")
        if entry.time < self._time:
            self._refuse(f"its time {entry.time} is before {self._time}")

    def _check_time(self, entry: Entry, statement: Statement[Any] | None) -> None:
        """Checks the time against a manual clock, and that no state entry is late."""
        ledger = self.rows.get(LEDGER, "ledger")
        if ledger is not None and ledger.clock == "manual" and entry.time != ledger.time:
            self._refuse(f"its time {entry.time} is not the manual clock's {ledger.time}")
        if ledger is None and (statement is None or statement.kind != "genesis"):
            self._refuse("the log does not begin with genesis")
        begins = ledger is None and statement is not None and statement.body.clock == "manual"
        if begins and statement is not None and entry.time != statement.iat * 1000:
            self._refuse("a manual clock begins at the time of genesis")
        # Down time does not count: what waited then is sealed before any statement.
        late = self._owed and entry.time > self._owed[0][1] + STATE_WITHIN
        if late and statement is not None:
            self._refuse(f"the state entry as of {self._owed[0][0].at} should stand before it")

    def _admit(self, entry: Entry) -> Statement[Any]:
        """Checks form and signature of the entry's statement."""
        return admit(
            entry.statement, kinds=self._rulebook.kinds, origin=self._origin, keys=self._keys
        )

    def _now(self, entry: Entry) -> Now:
        """Returns the moment of the entry's decision."""
        return Now(index=entry.index, time=entry.time, ledger=self.rows.get(LEDGER, "ledger"))

    def _due(self, entry: Entry) -> Due | None:
        """Returns the deadline that must be sealed here, if one has come."""
        row = self.rows.due(until=entry.time)
        if row is None:
            return None
        if entry.statement or entry.kind != row.kind:
            self._refuse(f"deadline {row.kind} {row.id} at {row.at} should stand here")
        return Due(at=row.at, kind=row.kind, id=row.id)

    def _decide(self, entry: Entry, statement: Statement[Any]) -> tuple[Effect, ...]:
        """Decides the statement anew, as the writer did."""
        name = (statement.by, statement.id)
        if statement.sid in self._sids or name in self._ids:
            self._refuse(f"statement {statement.sid} or its id stands in an earlier entry")
        now = self._now(entry)
        view = View(self.rows, self._rulebook.reads(statement, now))
        return self._rulebook.decide(view, statement, now, root_at=self._root_at)

    def _compare(
        self,
        data: bytes,
        entry: Entry,
        *,
        kind: str,
        effects: tuple[Effect, ...],
        due: Due | None,
    ) -> None:
        """Seals what must stand here and compares the bytes."""
        expected = Entry(
            index=self.size,
            time=int(entry.time),
            kind=kind,
            origin=self._origin,
            previous=self._previous,
            statement=entry.statement,
            effects=format_effects(effects, due=due),
        )
        if seal_entry(expected) == data:
            return
        if entry.kind != kind:
            self._refuse(f"its kind is {entry.kind}, and {kind} should stand here")
        odd = sorted(
            name
            for name in {*expected.effects, *entry.effects}
            if expected.effects.get(name) != entry.effects.get(name)
        )
        if not odd:
            self._refuse("it is not in the form in which entries are sealed")
        self._refuse(f"its effects differ from what the rules say, in {', '.join(odd)}")

    def _adopt(
        self,
        data: bytes,
        entry: Entry,
        statement: Statement[Any] | None,
        effects: tuple[Effect, ...],
    ) -> None:
        """Applies the entry and remembers what later ones are judged by."""
        leaf_hash = hash_leaf(data)
        seal = Seal(
            index=entry.index, time=entry.time, leaf_hash=leaf_hash, statement=entry.statement
        )
        apply(self.rows, effects, seal)
        self._previous, self._time, self.size = leaf_hash, entry.time, entry.index + 1
        self._dirty.update(touches_of(effects))
        if statement is not None:
            self.statements += 1
            self._remember(statement, entry.time)
        if self.rows.get(STATE_REQUESTS, self.size) is not None:
            self._commitments.update(self.rows.fetch, self._dirty)
            self._dirty = set()
            self._owed.append((self._commitments.roots(at=self.size), entry.time))

    def _remember(self, statement: Statement[Any], time: int) -> None:
        """Keeps ids as long as they could be used again."""
        self._ids[statement.by, statement.id] = (statement.sid, time)
        self._sids.add(statement.sid)
        while self._ids:
            name, (sid, sealed) = next(iter(self._ids.items()))
            if sealed >= time - IDS_KEPT:
                return
            del self._ids[name]
            self._sids.discard(sid)
