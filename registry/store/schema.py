"""The SQL schema: derived from the rows' dataclasses, the same on every engine.

A row is kept as its versions. A version is live in `[since, until)`, both entry
indexes; the live one has `until` at `LIVE`, and the primary key refuses a second:

    lot (ledger_id, lot, voucher, amount, …, since, until)
        primary key (ledger_id, until, lot)
        index       (ledger_id, until, voucher) of live versions, …

`ledger_id` leads every key and index, so that the schema can be distributed by it.
`until` comes second in the key, and parts the live rows from the history: ended versions
are appended in the order of the log, and leave the indexes, so that a commit touches as
few pages of a long history as of a short one. Going back in time costs what has ended
since.

There are no sequences: every key is the ledger's own.
"""

import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from registry.errors import InvariantBrokenError
from registry.tables import Minor, Record, Table

R = TypeVar("R", bound=Record)

LIVE: Final = 2**63 - 1
"""`until` of a live version: no entry has this index."""

_OWN: Final = ("ledger_id", "since", "until")

TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text ordered by code points, as Python and SQLite do."""


# --- Columns --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """A field of a row as a column; the codec is None where values stand for themselves."""

    name: str
    type: TypeEngine[Any]
    nullable: bool
    is_money: bool
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None


def _format_texts(texts: tuple[str, ...]) -> str:
    """Writes strings as a JSON array, in canonical form if they are in the profile."""
    return f"[{','.join(map(encode_basestring, texts))}]"


def _parse_texts(text: str) -> tuple[str, ...]:
    """Reads a JSON array of strings."""
    if "\\" in text or text == "[]":
        return tuple(json.loads(text))
    # Without an escape, a quotation mark can only begin or end a string.
    return tuple(text[2:-2].split('","'))


def _field(name: str, hint: Any) -> _Field:
    """Derives a column from a field's annotation."""
    nullable = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        arms = [arm for arm in typing.get_args(hint) if arm is not type(None)]
        nullable, hint = True, arms[0]
    is_money = hint is Minor
    while isinstance(hint, typing.NewType):
        hint = hint.__supertype__
    if typing.get_origin(hint) is tuple:
        encode, decode = _format_texts, _parse_texts
        return _Field(
            name=name,
            type=TEXT,
            nullable=nullable,
            is_money=False,
            encode=_optional(encode) if nullable else encode,
            decode=_optional(decode) if nullable else decode,
        )
    kinds: dict[Any, TypeEngine[Any]] = {str: TEXT, int: sa.BigInteger(), bool: sa.Boolean()}
    if hint not in kinds:
        raise InvariantBrokenError(f"field {name} has no column type: {hint}")
    decode_bool = None if hint is not bool else _optional(bool) if nullable else bool
    return _Field(
        name=name, type=kinds[hint], nullable=nullable, is_money=is_money, decode=decode_bool
    )


def _optional(codec: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Makes a codec leave None alone."""
    return lambda value: None if value is None else codec(value)


# --- Tables of rows -------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowTable(Generic[R]):
    """A table of row versions, and the way between rows and columns.

    Attributes:
        table: What the rows are.
        sql: The SQL table: `ledger_id`, the row's fields in order, `since`, `until`.
        format: Gives a row's column values, in the order of its fields.
        parse: Gives the rows of tuples of column values.
        decode: Makes a field's value of a column's, where they differ.
    """

    table: Table[R]
    sql: sa.Table
    format: Callable[[R], tuple[Any, ...]]
    parse: Callable[[Iterable[Sequence[Any]]], list[R]]
    decode: Mapping[str, Callable[[Any], Any]]

    def decoder(self, names: Sequence[str]) -> Callable[[Iterable[Sequence[Any]]], Iterable[Any]]:
        """Returns a function from tuples of these columns' values to tuples of the fields'."""
        codecs = [(at, self.decode[name]) for at, name in enumerate(names) if name in self.decode]

        def decode_all(records: Iterable[Sequence[Any]]) -> Iterable[Any]:
            columns = [list(column) for column in zip(*records, strict=True)]
            for at, decode in codecs:
                columns[at] = list(map(decode, columns[at]))
            return zip(*columns, strict=True)

        return decode_all if codecs else iter

    @property
    def columns(self) -> tuple[sa.Column[Any], ...]:
        """Returns the columns of the row's own fields, in order."""
        return tuple(column for column in self.sql.columns if column.name not in _OWN)

    @property
    def key(self) -> tuple[sa.Column[Any], ...]:
        """Returns the columns of the key."""
        return tuple(self.sql.c[name] for name in self.table.key)

    @property
    def is_live(self) -> sa.ColumnElement[bool]:
        """Returns the condition of a live version."""
        return _is_live(self.sql)


def _is_live(table: sa.Table) -> sa.ColumnElement[bool]:
    """Returns the condition of a live version, word for word that of the indexes."""
    return table.c.until == sa.literal_column(str(LIVE), sa.BigInteger)


def row_table(table: Table[R], metadata: sa.MetaData) -> RowTable[R]:
    """Adds the SQL table of a kind of row to the schema.

    Raises:
        InvariantBrokenError: Two tables or columns have one name, or a field has a type
            that rows do not have (caller bug).
    """
    hints = typing.get_type_hints(table.row)
    names = list(table.row.__struct_fields__)
    if table.name in metadata.tables or set(names) & set(_OWN):
        raise InvariantBrokenError(f"table {table.name}: a name is taken")
    fields = tuple(_field(name, hints[name]) for name in names)
    sql = sa.Table(
        table.name,
        metadata,
        _ledger_id(),
        *(sa.Column(f.name, f.type, nullable=f.nullable) for f in fields),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("ledger_id", "until", *table.key),
        sa.CheckConstraint("since < until", name=f"{table.name}_life"),
        *(
            sa.CheckConstraint(sa.column(f.name) >= 0, name=f"{table.name}_{f.name}")
            for f in fields
            if f.is_money
        ),
    )
    live = _is_live(sql)
    for name in table.indexes:
        sa.Index(
            f"{table.name}_by_{name}",
            # `until` is the same in all of it, and without it SQLite takes the key's index.
            *(sql.c.ledger_id, sql.c.until, sql.c[name]),
            sqlite_where=live,
            postgresql_where=live,
        )
    return RowTable(
        table=table,
        sql=sql,
        format=_formatter(fields),
        parse=_parser(table, fields),
        decode={f.name: f.decode for f in fields if f.decode is not None},
    )


def _formatter(fields: Sequence[_Field]) -> Callable[[Any], tuple[Any, ...]]:
    """Returns a function from a row to its column values."""
    codecs = [(place, f.encode) for place, f in enumerate(fields) if f.encode is not None]
    # With two names at least, the getter gives a tuple; the surplus one is cut off.
    get = attrgetter(*(f.name for f in fields), fields[0].name)
    if not codecs:
        return lambda row: get(row)[:-1]

    def format_row(row: Any) -> tuple[Any, ...]:
        values = list(get(row)[:-1])
        for place, encode in codecs:
            values[place] = encode(values[place])
        return tuple(values)

    return format_row


def _parser(
    table: Table[R], fields: Sequence[_Field]
) -> Callable[[Iterable[Sequence[Any]]], list[R]]:
    """Returns a function from tuples of column values to rows."""
    row, names = table.row, [f.name for f in fields]
    codecs = [(f.name, f.decode) for f in fields if f.decode is not None]

    def parse_rows(records: Iterable[Sequence[Any]]) -> list[R]:
        rows = []
        for record in records:
            values = dict(zip(names, record, strict=True))
            for name, decode in codecs:
                values[name] = decode(values[name])
            rows.append(row(**values))
        return rows

    return parse_rows


# --- Tables of the log ----------------------------------------------------------


def _ledger_id() -> sa.Column[int]:
    """Returns the column that leads every table; alone in a key it must not become a sequence."""
    return sa.Column("ledger_id", sa.BigInteger, nullable=False, autoincrement=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogTables:
    """The tables that every ledger has, whatever its rows are."""

    entry: sa.Table
    tile: sa.Table
    opening: sa.Table
    note: sa.Table
    lease: sa.Table


def log_tables(metadata: sa.MetaData) -> LogTables:
    """Adds the log's tables to the schema."""

    def number(name: str) -> sa.Column[int]:
        return sa.Column(name, sa.BigInteger, nullable=False)

    def text(name: str, *, nullable: bool = False) -> sa.Column[str]:
        return sa.Column(name, TEXT, nullable=nullable)

    def data(name: str) -> sa.Column[bytes]:
        return sa.Column(name, sa.LargeBinary, nullable=False)

    def table(name: str, *items: sa.schema.SchemaItem, key: tuple[str, ...] = ()) -> sa.Table:
        primary = sa.PrimaryKeyConstraint("ledger_id", *key)
        return sa.Table(name, metadata, _ledger_id(), *items, primary)

    log = LogTables(
        entry=table(
            "entry",
            number("idx"),
            number("time"),
            text("kind"),
            data("leaf_hash"),
            data("data"),
            text("sid", nullable=True),
            text("by_party", nullable=True),
            text("id", nullable=True),
            sa.CheckConstraint("idx >= 0", name="entry_idx"),
            sa.CheckConstraint("length(leaf_hash) = 32", name="entry_leaf_hash"),
            # Nulls differ from one another, so entries without a statement are free.
            sa.UniqueConstraint("ledger_id", "sid", name="entry_by_sid"),
            # Ids begin with the time: who comes first here dirties few pages.
            sa.UniqueConstraint("ledger_id", "id", "by_party", name="entry_by_id"),
            key=("idx",),
        ),
        tile=table("tile", number("level"), number("idx"), data("data"), key=("level", "idx")),
        opening=table(
            "opening",
            text("digest"),
            data("salt"),
            data("terms"),
            text("by_party"),
            key=("digest",),
        ),
        note=table("note", text("note")),
        lease=table("lease", number("epoch")),
    )
    entry = log.entry.c
    states = is_state(entry.kind)
    sa.Index(
        "entry_of_state", entry.ledger_id, entry.idx, sqlite_where=states, postgresql_where=states
    )
    return log


def is_state(kind: sa.Column[str]) -> sa.ColumnElement[bool]:
    """Writes the condition that an entry commits to a whole state: few do, and they are indexed."""
    return kind == sa.literal_column("'state'")
