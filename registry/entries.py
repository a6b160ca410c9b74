"""Sealed entries: the Merkle leaves of the log, chained by content.

An entry, pretty-printed (its bytes have no spaces and no line breaks):

    {"effects": {"changes": [], "deadlines": {"cleared": [], "set": []},
                 "touches": {"holder": [], "voucher": []}},
     "index": 7, "kind": "state", "origin": "sandbox.example/demo",
     "previous": "<leaf hash of entry 6>", "statements": [], "time": 1753804800000, "v": 1}

`previous` is the hash chain. It is content, not proof: that the log only grows is
proved by RFC 6962 consistency proofs.
"""

from functools import lru_cache

import msgspec

from registry.canonical import Json, b64url_decode, b64url_encode, format_json, parse_object, sha256
from registry.errors import EntryTooLargeError, MalformedError
from registry.ids import Origin, parse_origin

ENTRY_MAX = 65_535
BEFORE_FIRST = sha256(b"")
"""What the first entry names as previous."""

MEMBERS = frozenset({"effects", "index", "kind", "origin", "previous", "statements", "time", "v"})
VERSION = 1
_BEFORE_EFFECTS = b'{"effects":'
_BEHIND_EFFECTS = b',"index":'
"""Stands behind the effects for the last time in an entry: no text is found after it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry, opened.

    Attributes:
        index: Its place in the log, from 0.
        time: Milliseconds since 1970; never less than the entry's before.
        kind: The statement's kind, or the kind of what time brought about.
        origin: The log's name.
        previous: The leaf hash of the entry before; SHA-256 of nothing for the first.
        statement: The compact JWS, "" for an entry without a statement.
        effects_json: The effects object as canonical JSON.
    """

    index: int
    time: int
    kind: str
    origin: Origin
    previous: bytes
    statement: str
    effects_json: bytes

    @property
    def effects(self) -> dict[str, Json]:
        """The effects object, parsed anew at each look."""
        return parse_object(self.effects_json, what="effects")


def seal_entry(entry: Entry) -> bytes:
    """Returns an entry's bytes, which are its Merkle leaf.

    Raises:
        EntryTooLargeError: It would not fit a bundle.
    """
    statements: list[Json] = [entry.statement] if entry.statement else []
    data = b'{"effects":%b,"index":%d,"kind":%b,"origin":%b,%b}' % (
        entry.effects_json,
        entry.index,
        _name(entry.kind),
        _name(entry.origin),
        b'"previous":"%b","statements":%b,"time":%d,"v":%d'
        % (
            b64url_encode(entry.previous).encode(),
            format_json(statements),
            entry.time,
            VERSION,
        ),
    )
    if len(data) > ENTRY_MAX:
        raise EntryTooLargeError(size=len(data), limit=ENTRY_MAX)
    return data


@lru_cache
def _name(text: str) -> bytes:
    """Returns a kind or an origin as JSON; a log has few."""
    return format_json(text)


def open_entry(data: bytes) -> Entry:
    """Parses an entry's bytes.

    Raises:
        MalformedError, NotCanonicalError: They are not an entry.
    """
    raw = parse_object(data, what="entry")
    if set(raw) != MEMBERS or raw["v"] is True or raw["v"] != VERSION or len(data) > ENTRY_MAX:
        raise MalformedError(what="entry", reason="members or version differ from the format's")
    match raw:
        case {
            "effects": dict(),
            "index": int(index),
            "kind": str(kind),
            "origin": str(origin),
            "previous": str(previous),
            "statements": [] | [str()] as statements,
            "time": int(time),
        } if type(index) is type(time) is int and index >= 0 and time >= 0:
            return Entry(
                index=index,
                time=time,
                kind=kind,
                origin=parse_origin(origin),
                previous=b64url_decode(previous, what="previous", length=32),
                statement=str(statements[0]) if statements else "",
                effects_json=data[len(_BEFORE_EFFECTS) : data.rindex(_BEHIND_EFFECTS)],
            )
        case _:
            raise MalformedError(what="entry", reason="a member has a wrong type")
