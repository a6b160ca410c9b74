"""Effects: what follows from a statement, each a frozen dataclass with one fold.

An entry's effects object holds everything that changed, so that a reader of the log
needs no rule to follow it, and an auditor recomputes it byte for byte:

    {"changes": [{"effect": "lot-consumed", …}, …],
     "deadlines": {"cleared": […], "set": [{"at": ms, "id": …, "kind": …}, …]},
     "due": {"at": ms, "id": …}                      only in an entry that time brought about
     "touches": {"holder": […], "voucher": […]}}

A fold writes rows and cannot refuse; a violated expectation there is a bug or a
corrupt log.
"""

import re
from collections.abc import Sequence
from json.encoder import encode_basestring as _quoted
from typing import ClassVar

from registry.canonical import b64url_encode, plain_json, sha256
from registry.errors import InvariantBrokenError
from registry.ids import Kid, PartyId, Sid
from registry.model import DEADLINES, Deadline
from registry.people import KEYS, KeyRecord
from registry.tables import Minor, MutableRows, Record, format_record, replace

SALT_LOT = b"tallystick-salt/1"
SALT_BUCKET = b"tallystick-bucket/1"


def derive_salt(domain: bytes, *, statement: str, n: int) -> str:
    """Derives the 16-byte salt number n of a statement, as b64url.

    Source: docs/formats.md, State tree; the JWS text includes its signature, so that
    only those who may see the statement can compute it.
    """
    text = domain + b"\x00" + n.to_bytes(4, "big") + statement.encode("ascii")
    return b64url_encode(sha256(text)[:16])


class Seal(Record, frozen=True, kw_only=True):
    """What a fold knows of the entry that it belongs to.

    Attributes:
        index: The entry's index.
        time: The entry's time, in milliseconds.
        leaf_hash: The entry's Merkle leaf hash.
        statement: The JWS text of the statement that numbers what the entry makes, its own or
            the one that it approves; "" without one. For salts alone.
    """

    index: int
    time: int
    leaf_hash: bytes
    statement: str

    def lot_salt(self, n: int) -> str:
        """Derives the salt of the lot `<sid>.<n>` that the statement numbers."""
        return derive_salt(SALT_LOT, statement=self.statement, n=n)

    def bucket_salt(self, n: int = 0) -> str:
        """Derives the salt of the bucket that the statement founds."""
        return derive_salt(SALT_BUCKET, statement=self.statement, n=n)


Touch = tuple[str, str]
"""A bucket: its family (`holder` or `voucher`) and its name."""


class Effect(Record, frozen=True, kw_only=True):
    """Base of all effects.

    `effect` is the class name in kebab case. `derived` names fields that an entry does not
    hold, because they follow from the log before it.
    """

    effect: ClassVar[str] = "effect"
    derived: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        """Derives the effect's name in the log from the class name."""
        cls.effect = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    def touched(self) -> tuple[Touch, ...]:
        """Returns the buckets whose histories gain the entry's leaf."""
        return ()

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Changes the state."""
        raise NotImplementedError


class Numbering(Effect, frozen=True, kw_only=True):
    """Begins what follows from an earlier statement, which numbers all that its entry makes.

    `text` is that statement's JWS text, from which its salts are derived.
    """

    derived: ClassVar[frozenset[str]] = frozenset({"text"})

    text: str = ""


def numbering_text(effects: Sequence[Effect], statement: str) -> str:
    """Returns the JWS text whose statement numbers what an entry makes: usually its own."""
    first = effects[0] if effects else None
    return first.text if isinstance(first, Numbering) else statement


class DeadlineSet(Effect, frozen=True, kw_only=True):
    """Time will bring about an entry of this kind at this instant."""

    at: int
    kind: str
    id: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Adds the deadline."""
        state.add(DEADLINES, Deadline(at=self.at, kind=self.kind, id=self.id))


class DeadlineCleared(Effect, frozen=True, kw_only=True):
    """The deadline is met or moot."""

    at: int
    kind: str
    id: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Removes the deadline."""
        state.delete(DEADLINES, self.at, self.kind, self.id)


class KeyAdded(Effect, frozen=True, kw_only=True):
    """A key is valid from the next entry on."""

    kid: Kid
    party: PartyId
    use: str
    suite: str
    x: str
    person: str | None = None
    duty: str | None = None
    limit: Minor | None = None

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party, so that its history holds all its keys."""
        return (("holder", self.party),)

    def record(self, *, added: int) -> KeyRecord:
        """Returns the key's record, as added in an entry."""
        return KeyRecord(
            kid=self.kid,
            party=self.party,
            use=self.use,
            suite=self.suite,
            x=self.x,
            added=added,
            person=self.person,
            duty=self.duty,
            limit=self.limit,
        )

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the key's record."""
        state.put(KEYS, self.record(added=seal.index))


class KeyRevoked(Effect, frozen=True, kw_only=True):
    """A key signs nothing after this entry."""

    kid: Kid
    party: PartyId
    suspect_from: int | None = None

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Closes the key's record."""
        key = state.get(KEYS, self.kid)
        if key is None:
            raise InvariantBrokenError(f"revocation of no key {self.kid}")
        state.put(KEYS, replace(key, revoked=seal.index, suspect_from=self.suspect_from))


class Due(Record, frozen=True, kw_only=True):
    """The subject of an entry without a statement: a deadline that has come."""

    at: int
    kind: str
    id: str

    @property
    def sid(self) -> Sid:
        """The statement that the deadline is about, where its id is one."""
        return Sid(self.id)


def touches_of(effects: Sequence[Effect]) -> tuple[Touch, ...]:
    """Returns every touched bucket once, sorted by family and name."""
    return tuple(sorted({touch for effect in effects for touch in effect.touched()}))


def format_effects(effects: Sequence[Effect], *, due: Due | None = None) -> bytes:
    """Returns the effects object of an entry as canonical JSON.

    Raises:
        MalformedError: A text holds something outside the profile.
    """
    changes: list[str] = []
    cleared: list[str] = []
    begun: list[str] = []
    for effect in effects:
        if isinstance(effect, DeadlineSet):
            begun.append(_place(effect))
        elif isinstance(effect, DeadlineCleared):
            cleared.append(_place(effect))
        else:
            changes.append(format_record(effect))
    touched: dict[str, list[str]] = {"holder": [], "voucher": []}
    for family, bucket in touches_of(effects):
        touched[family].append(f'"{bucket}"')
    answered = f'"due":{{"at":{due.at},"id":{_quoted(due.id)}}},' if due is not None else ""
    return plain_json(
        f'{{"changes":[{",".join(changes)}],'
        f'"deadlines":{{"cleared":[{",".join(cleared)}],"set":[{",".join(begun)}]}},{answered}'
        f'"touches":{{"holder":[{",".join(touched["holder"])}],'
        f'"voucher":[{",".join(touched["voucher"])}]}}}}'
    )


def _place(deadline: DeadlineSet | DeadlineCleared) -> str:
    """Writes a deadline."""
    return f'{{"at":{deadline.at},"id":{_quoted(deadline.id)},"kind":{_quoted(deadline.kind)}}}'


def apply(state: MutableRows, effects: Sequence[Effect], seal: Seal) -> None:
    """Folds an entry's effects into the state: the only way in which state changes."""
    for effect in effects:
        effect.fold(state, seal)
