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
from dataclasses import dataclass, replace
from typing import ClassVar

from registry.canonical import Json, b64url_decode, b64url_encode, sha256
from registry.errors import InvariantBrokenError
from registry.ids import Kid, PartyId, Sid
from registry.merkle import HASH_SIZE, CompactRange
from registry.model import BUCKETS, DEADLINES, KEYS, Bucket, Deadline, KeyRecord
from registry.tables import MutableRows, to_json

SALT_LOT = b"tallystick-salt/1"
SALT_BUCKET = b"tallystick-bucket/1"


def derive_salt(domain: bytes, *, statement: str, n: int) -> str:
    """Derives the 16-byte salt number n of a statement, as b64url.

    Source: docs/formats.md, State tree; the JWS text includes its signature, so that
    only those who may see the statement can compute it.
    """
    text = domain + b"\x00" + n.to_bytes(4, "big") + statement.encode("ascii")
    return b64url_encode(sha256(text)[:16])


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What a fold knows of the entry that it belongs to.

    Attributes:
        index: The entry's index.
        time: The entry's time, in milliseconds.
        leaf_hash: The entry's Merkle leaf hash.
        statement: The entry's statement as JWS text, "" without one: for salts alone.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Base of all effects; `effect` is the class name in kebab case."""

    effect: ClassVar[str] = "effect"

    def __init_subclass__(cls) -> None:
        """Derives the effect's name in the log from the class name."""
        cls.effect = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    def touched(self) -> tuple[Touch, ...]:
        """Returns the buckets whose histories gain the entry's leaf."""
        return ()

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Changes the state."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineSet(Effect):
    """Time will bring about an entry of this kind at this instant."""

    at: int
    kind: str
    id: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Adds the deadline."""
        state.put(DEADLINES, Deadline(at=self.at, kind=self.kind, id=self.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineCleared(Effect):
    """The deadline is met or moot."""

    at: int
    kind: str
    id: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Removes the deadline."""
        state.delete(DEADLINES, self.at, self.kind, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdded(Effect):
    """A key is valid from the next entry on."""

    kid: Kid
    party: PartyId
    use: str
    suite: str
    x: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party, so that its history holds all its keys."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the key's record."""
        row = KeyRecord(
            kid=self.kid,
            party=self.party,
            use=self.use,
            suite=self.suite,
            x=self.x,
            added=seal.index,
        )
        state.put(KEYS, row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
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


def format_effects(effects: Sequence[Effect], *, due: Due | None = None) -> dict[str, Json]:
    """Returns the effects object of an entry."""
    changes: list[Json] = []
    moved: dict[str, list[Json]] = {"cleared": [], "set": []}
    for effect in effects:
        match effect:
            case DeadlineSet():
                moved["set"].append(to_json(effect))
            case DeadlineCleared():
                moved["cleared"].append(to_json(effect))
            case _:
                changes.append({"effect": effect.effect, **to_json(effect)})
    touches: dict[str, list[Json]] = {"holder": [], "voucher": []}
    for family, bucket in touches_of(effects):
        touches[family].append(bucket)
    rendered: dict[str, Json] = {"changes": changes, "deadlines": {**moved}, "touches": {**touches}}
    if due is not None:
        rendered["due"] = {"at": due.at, "id": due.id}
    return rendered


def apply(state: MutableRows, effects: Sequence[Effect], seal: Seal) -> None:
    """Folds an entry's effects into the state: the only way in which state changes."""
    for effect in effects:
        effect.fold(state, seal)
    for family, name in touches_of(effects):
        bucket = state.get(BUCKETS, family, name)
        if bucket is None:
            raise InvariantBrokenError(f"entry {seal.index} touches no known {family} {name}")
        state.put(BUCKETS, _extended(bucket, seal.leaf_hash))


def _extended(bucket: Bucket, leaf_hash: bytes) -> Bucket:
    """Returns a bucket with one more leaf in its history."""
    history = history_of(bucket)
    history.append(leaf_hash)
    frontier = b64url_encode(b"".join(history.frontier))
    return replace(bucket, size=history.size, frontier=frontier)


def history_of(bucket: Bucket) -> CompactRange:
    """Returns a bucket's history as a compact range."""
    nodes = b64url_decode(bucket.frontier, what="history")
    return CompactRange(
        bucket.size, (nodes[at : at + HASH_SIZE] for at in range(0, len(nodes), HASH_SIZE))
    )
