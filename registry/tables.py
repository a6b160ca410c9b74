"""State as typed tables: what a table is, how its rows are asked for, and their JSON.

A row is a record whose fields are `str`, `int`, `bool`, `Minor` (money), an optional
one of these, or a tuple of `str`. A table names the fields that are its key
and those by which rows can be looked up. Rules never see a database: they *ask*
for rows with the generators below, and whoever runs them (engine or auditor)
answers. Asking is also declaring: what was not asked for cannot be read.
"""

import json
import types
import typing
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import cache
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, Generic, NewType, Protocol, TypeVar

import msgspec
from msgspec import structs

from registry.canonical import Json
from registry.ids import Kid, LotId, NoticeId, PartyId, Sid

Minor = NewType("Minor", int)
"""Money in minor units of the ledger's currency; JSON carries it as a decimal string."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of rows and effects: immutable, made and copied in a fraction of a microsecond."""


replace = structs.replace
"""Returns a record with some fields changed."""

R = TypeVar("R", bound=Record)

Value = str | int
Key = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table(Generic[R]):
    """One kind of row.

    Attributes:
        name: Lower-case name, used by stores and by the replay digest.
        row: The row's class.
        key: Names of the fields that identify a row.
        indexes: Names of the fields by which rows can be looked up.
        lasting: No fold ends a row, and none looks rows up but by their keys: there are more
            and more of them, however few lots are live.
    """

    name: str
    row: type[R]
    key: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    lasting: bool = False

    def key_of(self, row: R) -> Key:
        """Returns a row's key."""
        return _getter(self.key)(row)


@cache
def _getter(names: tuple[str, ...]) -> Callable[[object], Key]:
    """Returns a function from a row to the tuple of the named fields."""
    pick: Callable[[object], Any] = attrgetter(*names)
    if len(names) > 1:
        return pick
    return lambda row: (pick(row),)


# --- Asking -------------------------------------------------------------------


class Get(msgspec.Struct, frozen=True):
    """Asks for the live rows with these keys, in order; a missing one is None."""

    table: Table[Any]
    keys: tuple[Key, ...]


class Where(msgspec.Struct, frozen=True):
    """Asks for all live rows whose field has the value, in key order."""

    table: Table[Any]
    field: str
    value: Value

    @property
    def wheres(self) -> "tuple[Where, ...]":
        """Itself, as one of several would be asked."""
        return (self,)


class WhereEach(msgspec.Struct, frozen=True):
    """Asks for all live rows of each value of a field; is answered with a set for each value."""

    table: Table[Any]
    field: str
    values: tuple[Value, ...]

    @property
    def wheres(self) -> tuple[Where, ...]:
        """The same, asked one by one."""
        return tuple(Where(self.table, self.field, value) for value in self.values)


Read = Get | Where
Asked = Read | WhereEach
ReadPlan = Generator[Asked, Any, None]
"""A kind's declaration of what it reads: it asks, is answered, and asks on."""


def get(table: Table[R], *key: Value) -> Generator[Read, Any, R | None]:
    """Asks for one row."""
    rows: tuple[R | None, ...] = yield Get(table, (key,))
    return rows[0]


def get_many(table: Table[R], keys: Iterable[Value]) -> Generator[Read, Any, tuple[R | None, ...]]:
    """Asks for several rows of a table with one-field keys, in one query."""
    rows: tuple[R | None, ...] = yield Get(table, tuple((key,) for key in keys))
    return rows


def where(table: Table[R], field: str, value: Value) -> Generator[Read, Any, tuple[R, ...]]:
    """Asks for all rows whose indexed field has the value."""
    rows: tuple[R, ...] = yield Where(table, field, value)
    return rows


def where_each(
    table: Table[R], field: str, values: Iterable[Value]
) -> Generator[Asked, Any, tuple[R, ...]]:
    """Asks for all rows whose indexed field has one of the values, in one query."""
    sets: tuple[tuple[R, ...], ...] = yield WhereEach(table, field, tuple(values))
    return tuple(row for rows in sets for row in rows)


class Rows(Protocol):
    """Reads the live rows of a state; missing rows are None, never an error."""

    def get(self, table: Table[R], *key: Value) -> R | None:
        """Returns the live row with this key."""

    def where(self, table: Table[R], field: str, value: Value) -> tuple[R, ...]:
        """Returns the live rows whose indexed field has the value, in key order."""


class MutableRows(Rows, Protocol):
    """What a fold writes to."""

    def add(self, table: Table[R], row: R) -> None:
        """Adds a row whose key no live row has; a store refuses a commit that has it wrong."""

    def put(self, table: Table[R], row: R) -> None:
        """Adds a row, or replaces the one with its key."""

    def delete(self, table: Table[Any], *key: Value) -> None:
        """Ends a row's life; a key without a row is left as it is."""


# --- JSON ---------------------------------------------------------------------


def to_json(record: Record) -> dict[str, Json]:
    """Returns a record's JSON object: names in order, money as text, absent optionals left out."""
    names, get, codecs = _shape(type(record))
    members: dict[str, Any] = dict(zip(names, get(record), strict=False))
    for name, encode in codecs:
        value = members[name]
        if value is None:
            del members[name]
        else:
            members[name] = encode(value)
    return members


def format_record(record: Record) -> str:
    """Writes a record as `to_json` gives it, its members in order: 1 µs where that is all.

    The texts in it are not looked at: they may be outside the profile.
    """
    return _writer(type(record))(record)


@cache
def _writer(record: type[Record]) -> Callable[[Any], str]:
    """Returns the function that writes a class's records: a pattern, filled in."""
    names, get, _ = _shape(record)
    hints = typing.get_type_hints(record)
    if any(_is_optional(hints[name]) for name in names):
        return lambda record: _encode_text(to_json(record))
    # An effect's name is its class's: it stands in the pattern, and what is got is left out.
    own = {"effect": f'"{getattr(record, "effect", "")}"%.0s'}
    patterns = [own.get(name) or _PATTERNS.get(hints[name], "%s") for name in names]
    codecs = [
        (place, _TEXTS.get(hints[name], _write_any(hints[name])))
        for place, name in enumerate(names)
        if patterns[place] == "%s"
    ]
    members = ",".join(f'"{name}":{text}' for name, text in zip(names, patterns, strict=True))
    pattern = f"{{{members}}}"
    # The getter's surplus value comes last, and is written nowhere.
    pattern += "%.0s"

    def write(record: Any) -> str:
        values = [*get(record)]
        for place, encode in codecs:
            values[place] = encode(values[place])
        return pattern % tuple(values)

    return write


def _write_any(hint: Any) -> Callable[[Any], str]:
    """Returns the function that writes values of an annotation without a pattern."""
    encode = _encoder(hint)
    return lambda value: _encode_text(encode(value))


_encode_text: Callable[[Any], str] = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
).encode
_PATTERNS: dict[Any, str] = {
    int: "%d",
    Minor: '"%d"',
    # These are plain by their forms, which are checked where they come in.
    **dict.fromkeys((Kid, LotId, NoticeId, PartyId, Sid), '"%s"'),
}
_TEXTS: dict[Any, Callable[[Any], str]] = {
    str: encode_basestring,
    bool: {False: "false", True: "true"}.__getitem__,
}


def _is_optional(hint: Any) -> bool:
    """Tells whether an annotation has an arm for what is absent."""
    return type(None) in typing.get_args(hint)


_Codecs = tuple[tuple[str, Callable[[Any], Json]], ...]


@cache
def _shape(record: type[Record]) -> tuple[tuple[str, ...], Callable[[object], Any], _Codecs]:
    """Returns the names of a record's members in order, a getter of all, and their encoders.

    An effect has its name in the log as a member, and may have fields that are none. Only
    what does not stand for itself, or may be absent, has an encoder.
    """
    hints = typing.get_type_hints(record)
    derived = getattr(record, "derived", ())
    fields = {name: hints[name] for name in record.__struct_fields__ if name not in derived}
    if hasattr(record, "effect"):
        fields["effect"] = str
    names = tuple(sorted(fields))
    codecs = ((name, _encoder(fields[name])) for name in names if _has_codec(fields[name]))
    # With two names at least, the getter gives a tuple; the surplus one is passed over.
    return names, attrgetter(*names, names[0]), tuple(codecs)


def _has_codec(hint: Any) -> bool:
    """Tells whether values of an annotation need an encoder."""
    while isinstance(hint, NewType) and hint is not Minor:
        hint = hint.__supertype__
    return hint not in (str, int, bool)


def _encoder(hint: Any) -> Callable[[Any], Json]:
    """Returns the encoder for one annotation."""
    if hint is Minor:
        return str
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return _encoder(next(arm for arm in typing.get_args(hint) if arm is not type(None)))
    if typing.get_origin(hint) is tuple:
        item = _encoder(typing.get_args(hint)[0])
        return lambda values: [item(value) for value in values]
    if isinstance(hint, type) and issubclass(hint, Record):
        return to_json
    return _same


def _same(value: Json) -> Json:
    """Strings, integers and booleans stand for themselves."""
    return value
