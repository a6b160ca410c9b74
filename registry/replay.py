"""Replay: the same admit, decide, apply that the writer ran, over a finished log.

Every entry is sealed again from what the rules say must follow, and the bytes are
compared: signatures, order, deadlines, effects and commitments are all judged by that
one comparison. Memory follows live rows; ids are remembered for a statement's lifetime.
An entry that somebody else judges is followed: what it claims is applied, unjudged.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import msgspec

from registry.canonical import parse_object
from registry.checks import RootAt
from registry.claims import Claim, Named
from registry.commitments import Commitments, StateCommitted
from registry.effects import (
    Due,
    Effect,
    Seal,
    Touch,
    apply,
    format_effects,
    numbering_text,
    touches_of,
)
from registry.entries import BEFORE_FIRST, Entry, open_entry, seal_entry
from registry.errors import EntryInvalidError, RegistryError
from registry.histories import Histories
from registry.ids import Kid, Origin
from registry.kinds import Rulebook
from registry.lasting import ReplayedRows
from registry.merkle import hash_leaf
from registry.model import HISTORIES, LEDGER, STATE_REQUESTS, History
from registry.people import KEYS
from registry.signing import PublicKey
from registry.state import MemoryRows, replay_digest
from registry.statements import CLOCK_SKEW, LIFETIME_MAX, Now, Statement, admit

STATE_WITHIN = 600_000
"""Milliseconds after a request in which statements may still come before its state entry."""

IDS_KEPT = LIFETIME_MAX + CLOCK_SKEW
"""Seconds after its `iat` in which an id could be used again: then its statement has expired."""

HOUR = 3_600


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A state that was asked for and is not sealed yet, with the time of the request."""

    state: StateCommitted
    time: int


@dataclass(slots=True, kw_only=True)
class Past:
    """What a replay remembers of the entries so far, besides the rows.

    Attributes:
        size: Number of entries.
        statements: Number of signed statements in them.
        previous: Leaf hash of the last entry.
        time: Time of the last entry, in milliseconds.
        ids: What statements were named, by the hour of their `iat`: `<by> <id>`.
        owed: States asked for and not sealed yet, the oldest first.
    """

    size: int = 0
    statements: int = 0
    previous: bytes = BEFORE_FIRST
    time: int = 0
    ids: dict[int, set[str]] = field(default_factory=dict)
    owed: deque[Owed] = field(default_factory=deque)


class _Read(msgspec.Struct, frozen=True):
    """The members of an entry that decide what must stand there; the rest is compared."""

    kind: str
    statements: list[str]
    time: int


_read = msgspec.json.Decoder(_Read).decode
_NO_ENTRY: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What it raises, too, for bytes that are no JSON, nested too deep, or not UTF-8."""


class _Said(msgspec.Struct, frozen=True):
    """What an entry says of itself, its statement admitted: the rest must follow from that."""

    time: int
    kind: str
    statement: Statement[Any] | None


class _Following(msgspec.Struct, frozen=True, kw_only=True):
    """What must stand at a place, if its statement and time are what it says.

    Attributes:
        kind: The entry's kind.
        effects: What follows.
        rendered: The effects object as canonical JSON.
        data: The entry's bytes.
    """

    kind: str
    effects: tuple[Effect, ...]
    rendered: bytes
    data: bytes


class Replay:
    """Judges a log entry by entry; `feed` raises at the first that should not be there."""

    def __init__(
        self,
        rulebook: Rulebook,
        *,
        origin: Origin,
        root_at: RootAt,
        rows: MemoryRows | None = None,
        past: Past | None = None,
    ) -> None:
        """Starts before genesis, or goes on from where an earlier replay ended.

        Args:
            rulebook: All kinds and tables.
            origin: The log's name.
            root_at: Returns the log's root at an earlier size.
            rows: The state that an earlier replay ended with.
            past: What that replay remembered.
        """
        self.rows = rows or ReplayedRows(rulebook.tables)
        self.past = past or Past()
        self.root_at = root_at
        self._rulebook = rulebook
        self._origin = origin
        self._keys = ReplayedKeys(self.rows)
        self.histories = Histories(self._find_histories)
        # After an earlier replay every bucket is still to be computed.
        self._commitments: Commitments | None = None

    @property
    def size(self) -> int:
        """Number of entries so far."""
        return self.past.size

    @property
    def statements(self) -> int:
        """Number of signed statements so far."""
        return self.past.statements

    def feed(self, data: bytes) -> None:
        """Judges the next entry and applies it.

        Raises:
            EntryInvalidError: It is not what must stand here; the reason says why.
        """
        self.judge(data, leaf_hash=hash_leaf(data))

    def judge(self, data: bytes, *, leaf_hash: bytes) -> None:
        """Judges the next entry and applies it, for whom has hashed it already.

        Raises:
            EntryInvalidError: As `feed`.
        """
        try:
            said, following = self._guess(data) or self._open(data)
            statement = said.statement
            self._adopt(
                leaf_hash,
                time=said.time,
                statement="" if statement is None else statement.text,
                effects=following.effects,
                touches=touches_of(following.effects),
            )
        except EntryInvalidError:
            raise
        except RegistryError as error:
            raise EntryInvalidError(index=self.size, reason=f"{error.code}: {error}") from None
        if following.kind == "state":
            self.past.owed.popleft()
            if not self.past.owed:
                self.histories.forget()
        if statement is not None:
            self._remember(Named(statement.by, statement.iat, statement.id))

    def follow(self, claim: Claim, *, leaf_hash: bytes) -> None:
        """Applies what the next entry claims, which somebody else judges: see `registry.claims`.

        A lie may raise anything, and then there is no state to go on from.
        """
        self._adopt(
            leaf_hash,
            time=claim.time,
            statement=claim.statement,
            effects=claim.effects,
            touches=claim.touches,
        )
        self._remember(claim.named)

    def digest(self) -> str:
        """Returns the replay digest of the state so far."""
        return replay_digest(self._rulebook.tables, self.rows.select)

    # --- Judging ----------------------------------------------------------------------

    def _guess(self, data: bytes) -> tuple[_Said, _Following] | None:
        """Returns what follows from an entry's statement and time, if that is all it says."""
        try:
            read = _read(data)
            statement = self._admit(read.statements[0]) if read.statements else None
            said = _Said(read.time, read.kind, statement)
            following = self._follow(said)
        except (RegistryError, *_NO_ENTRY):
            return None
        return (said, following) if following.data == data else None

    def _open(self, data: bytes) -> tuple[_Said, _Following]:
        """Opens the entry, and says why it should not be there."""
        entry = open_entry(data)
        self._check_place(entry)
        statement = self._admit(entry.statement) if entry.statement else None
        said = _Said(entry.time, entry.kind, statement)
        following = self._follow(said)
        if following.data != data:
            self._tell_difference(entry, following)
        return said, following

    def _refuse(self, reason: str) -> Any:
        """Raises the verdict on the entry at hand."""
        raise EntryInvalidError(index=self.size, reason=reason)

    def _check_place(self, entry: Entry) -> None:
        """Checks index, log and chain."""
        if entry.index != self.size:
            self._refuse(f"its index says {entry.index}")
        if entry.origin != self._origin:
            self._refuse(f"it belongs to log {entry.origin}")
        if entry.previous != self.past.previous:
            self._refuse("previous is not the leaf hash of the entry before")
        if entry.time < self.past.time:
            self._refuse(f"its time {entry.time} is before {self.past.time}")

    def _admit(self, text: str) -> Statement[Any]:
        """Checks form and signature of an entry's statement."""
        return admit(text, kinds=self._rulebook.kinds, origin=self._origin, keys=self._keys)

    # --- What must follow -------------------------------------------------------------

    def _follow(self, said: _Said) -> _Following:
        """Seals what must stand here."""
        now = Now(index=self.size, time=said.time, ledger=self.rows.get(LEDGER, "ledger"))
        self._check_time(said, now)
        statement = said.statement
        due = self._due(said)
        if statement is not None:
            effects = self._decide(statement, now)
            kind = statement.kind
        elif due is not None:
            effects = self._rulebook.decide_due(self.rows, due, now)
            kind = due.kind
        elif self.past.owed:
            effects, kind = (self.past.owed[0].state,), "state"
        else:
            self._refuse("no statement, no deadline and no request bring it about")
        rendered = format_effects(effects, due=due)
        entry = Entry(
            index=self.size,
            time=said.time,
            kind=kind,
            origin=self._origin,
            previous=self.past.previous,
            statement="" if statement is None else statement.text,
            effects_json=rendered,
        )
        return _Following(kind=kind, effects=effects, rendered=rendered, data=seal_entry(entry))

    def _check_time(self, said: _Said, now: Now) -> None:
        """Checks the time: its order, a manual clock, and that no state entry is late."""
        time, statement, ledger = said.time, said.statement, now.ledger
        if time < self.past.time:
            self._refuse(f"its time {time} is before {self.past.time}")
        if ledger is not None and ledger.clock == "manual" and time != ledger.time:
            self._refuse(f"its time {time} is not the manual clock's {ledger.time}")
        if ledger is None and (statement is None or statement.kind != "genesis"):
            self._refuse("the log does not begin with genesis")
        begins = ledger is None and statement is not None and statement.body.clock == "manual"
        if begins and statement is not None and time != statement.iat * 1000:
            self._refuse("a manual clock begins at the time of genesis")
        # Down time does not count: what waited then is sealed before any statement.
        owed = self.past.owed
        if owed and statement is not None and time > owed[0].time + STATE_WITHIN:
            self._refuse(f"the state entry as of {owed[0].state.at} should stand before it")

    def _due(self, said: _Said) -> Due | None:
        """Returns the deadline that must be sealed here, if one has come."""
        row = self.rows.due(until=said.time)
        if row is None:
            return None
        if said.statement is not None or said.kind != row.kind:
            self._refuse(f"deadline {row.kind} {row.id} at {row.at} should stand here")
        return Due(at=row.at, kind=row.kind, id=row.id)

    def _decide(self, statement: Statement[Any], now: Now) -> tuple[Effect, ...]:
        """Decides the statement anew, as the writer did."""
        # The id is part of what is signed, so no statement comes twice without its id.
        named = Named(statement.by, statement.iat, statement.id)
        if _name_of(named) in self.past.ids.get(named.iat // HOUR, ()):
            self._refuse(f"statement {statement.sid} or its id stands in an earlier entry")
        # All rows are at hand, so there is nothing to ask for first.
        return self._rulebook.decide(self.rows, statement, now, root_at=self.root_at)

    def _tell_difference(self, entry: Entry, following: _Following) -> None:
        """Says in what an entry differs from what must stand here."""
        if entry.kind != following.kind:
            self._refuse(f"its kind is {entry.kind}, and {following.kind} should stand here")
        expected = parse_object(following.rendered, what="effects")
        odd = sorted(
            name
            for name in {*expected, *entry.effects}
            if expected.get(name) != entry.effects.get(name)
        )
        if not odd:
            self._refuse("it is not in the form in which entries are sealed")
        self._refuse(f"its effects differ from what the rules say, in {', '.join(odd)}")

    def _adopt(
        self,
        leaf_hash: bytes,
        *,
        time: int,
        statement: str,
        effects: Sequence[Effect],
        touches: Sequence[Touch],
    ) -> None:
        """Applies the entry and remembers what later ones are judged by."""
        past, text = self.past, numbering_text(effects, statement)
        seal = Seal(index=past.size, time=time, leaf_hash=leaf_hash, statement=text)
        apply(self.rows, effects, seal)
        past.previous, past.time, past.size = leaf_hash, time, past.size + 1
        past.statements += bool(statement)
        self.histories.add(touches, leaf_hash)
        if self.rows.get(STATE_REQUESTS, past.size) is not None:
            past.owed.append(Owed(state=self._committed(), time=past.time))

    def _committed(self) -> StateCommitted:
        """Returns the commitment to the state as it is."""
        grown = self.histories.take()
        if self._commitments is None:
            rows = chain(
                self.rows.select(HISTORIES), *(each.state.histories for each in self.past.owed)
            )
            self._commitments = Commitments.load((row.family, row.record) for row in rows)
        self._commitments.update(self.rows.fetch, grown)
        return self._commitments.roots(at=self.size, grown=grown)

    def _find_histories(self, touches: Sequence[Touch]) -> list[History | None]:
        """Finds histories as of the newest state entry."""
        return [self.rows.get(HISTORIES, *touch) for touch in touches]

    def _remember(self, named: Named) -> None:
        """Keeps ids as long as they could be used again, by hours."""
        ids, hour = self.past.ids, named.iat // HOUR
        if hour not in ids:
            ids[hour] = set()
            now = self.past.time // 1000
            for old in [old for old in ids if (old + 1) * HOUR + IDS_KEPT <= now]:
                del ids[old]
        ids[hour].add(_name_of(named))


def _name_of(named: Named) -> str:
    """Returns what a statement is named, once for ever."""
    return f"{named.by} {named.id}"
