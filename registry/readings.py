"""Readings: what a bundle of entries says that can be checked without the state.

Hashes, form, canonical spelling, header and signature depend on an entry's bytes alone,
and on one thing that the state holds: the signer's key. But the log itself says which
keys it adds, long before anybody has judged it. So readings are made ahead, by as many
processes as there are, under the keys that entries *claim*:

    claim    "kid":K … "suite":S … "x":X in some entry's effects
    reading  time, kind, statement, and the key under which its signature verified

A claim is a guess, and so is a reading. The replay uses one only if the state holds that
very key and if sealing what follows from it gives the entry's own bytes; otherwise it
opens the entry itself. A wrong claim costs time and proves nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from registry.canonical import b64url_decode
from registry.errors import RegistryError
from registry.ids import Kid, Origin
from registry.merkle import HASH_SIZE, hash_leaf, root_of
from registry.signing import PublicKey
from registry.statements import Kind, Statement, read_statement

_CLAIM: Final = re.compile(
    rb'"kid":"([A-Za-z0-9_-]{43})"[^{}]*?"suite":"([A-Za-z0-9]+)"[^{}]*?"x":"([A-Za-z0-9_-]{43})"'
)


class Claim(NamedTuple):
    """A key as an entry's effects give it."""

    kid: str
    suite: str
    x: str


class Reading(NamedTuple):
    """What an entry says for itself.

    A tuple, because it travels between processes.

    Attributes:
        time: The entry's time, in milliseconds.
        kind: The entry's kind.
        statement: Its admitted statement; None for an entry without one.
        key: The key under which the signature verified; None if it stands in the body.
    """

    time: int
    kind: str
    statement: Statement[Any] | None
    key: PublicKey | None


class BundleReading(NamedTuple):
    """What a bundle says for itself.

    Attributes:
        hashes: The leaf hashes of its entries, one behind the other: a tile of level 0.
        root: The root over them.
        readings: One an entry; None where it could not be read, or the key was not known.
    """

    hashes: bytes
    root: bytes
    readings: tuple[Reading | None, ...]

    def leaf_hash(self, place: int) -> bytes:
        """Returns the leaf hash of the entry at a place in the bundle."""
        return self.hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE]


def find_claims(data: bytes) -> tuple[Claim, ...]:
    """Finds the keys that a bundle's entries claim to add; statements are in base64url."""
    return tuple(
        Claim(*(part.decode("ascii") for part in match.groups())) for match in _CLAIM.finditer(data)
    )


class ClaimedKeys:
    """The keys that the log claims, which is no reason to believe in them."""

    def __init__(self) -> None:
        """Starts without any."""
        self._claims: dict[str, Claim] = {}
        self._found: dict[str, PublicKey] = {}

    def learn(self, claims: Iterable[Claim]) -> None:
        """Adds claims; of several for one kid, the first counts."""
        for claim in claims:
            self._claims.setdefault(claim.kid, claim)

    def find(self, kid: Kid) -> PublicKey | None:
        """Returns the key that is claimed to have this thumbprint, or None."""
        key = self._found.get(kid)
        if key is None and (claim := self._claims.get(kid)) is not None:
            try:
                key = PublicKey(claim.suite, b64url_decode(claim.x, what="x"))
            except RegistryError:
                return None
            self._found[kid] = key
        return key


class _Guess(msgspec.Struct):
    """The members of an entry that a reading is made of; the replay compares all bytes."""

    kind: str
    statements: list[str]
    time: int


_parse_guess = msgspec.json.Decoder(_Guess).decode
_NO_ENTRY: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What it raises, too, for bytes that are no JSON, nested too deep, or not UTF-8."""


class BundleReader:
    """Reads bundles in log order, each after the claims that it may need."""

    def __init__(self, kinds: Mapping[str, Kind[Any]], origin: Origin) -> None:
        """Starts without keys.

        Args:
            kinds: The kinds of statements, by name.
            origin: The log's name.
        """
        self._kinds = kinds
        self._origin = origin
        self._keys = ClaimedKeys()

    def read(self, entries: Sequence[bytes], claims: Iterable[Claim]) -> BundleReading:
        """Reads the entries of a bundle.

        Args:
            entries: As the bundle has them.
            claims: Those of this bundle and of the bundles since the last call.
        """
        self._keys.learn(claims)
        hashes = [hash_leaf(entry) for entry in entries]
        return BundleReading(
            hashes=b"".join(hashes),
            root=root_of(hashes),
            readings=tuple(self._read(entry) for entry in entries),
        )

    def _read(self, data: bytes) -> Reading | None:
        """Reads one entry; whoever needs the reason why it cannot be read opens it again."""
        try:
            entry = _parse_guess(data)
            if not entry.statements:
                return Reading(entry.time, entry.kind, None, None)
            unverified = read_statement(
                entry.statements[0], kinds=self._kinds, origin=self._origin, keys=self._keys
            )
            statement = unverified.admit()
        except (RegistryError, *_NO_ENTRY):
            return None
        in_body = self._kinds[statement.kind].key_in_body
        return Reading(entry.time, entry.kind, statement, None if in_body else unverified.key)
