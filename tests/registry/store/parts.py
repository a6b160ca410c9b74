"""Rows with every type of field, and the smallest commits that hold them."""

import hashlib
from collections.abc import Sequence
from typing import Any

from registry.batch import Change
from registry.ids import PartyId, Sid
from registry.logtree import TileWrite
from registry.model import DEADLINES
from registry.ports import Commit, NewEntry
from registry.tables import Minor, Record, Table


class Part(Record, frozen=True, kw_only=True):
    """A row with every type of field."""

    owner: str
    number: int
    colour: str
    amount: Minor
    names: tuple[str, ...] = ()
    is_open: bool = False
    note: str | None = None
    rank: int | None = None
    price: Minor | None = None
    checked: bool | None = None
    marks: tuple[str, ...] | None = None


class Tag(Record, frozen=True, kw_only=True):
    """The smallest row."""

    tag: str


PARTS = Table(name="part", row=Part, key=("owner", "number"), indexes=("colour", "number"))
TAGS = Table(name="tag", row=Tag, key=("tag",))
ALL = (PARTS, TAGS, DEADLINES)


def entry(index: int, **changed: Any) -> NewEntry:
    data = f"entry {index}".encode()
    values: dict[str, Any] = {
        "index": index,
        "time": 1_000 + index,
        "kind": "part.make",
        "leaf_hash": hashlib.sha256(data).digest(),
        "data": data,
        "sid": Sid(f"sid{index}"),
        "by": PartyId("acme"),
        "id": f"id{index}",
    }
    return NewEntry(**{**values, **changed})


def put(index: int, table: Table[Any], row: Any) -> Change:
    return Change(index=index, table=table, key=table.key_of(row), row=row)


def end(index: int, table: Table[Any], *key: str | int) -> Change:
    return Change(index=index, table=table, key=key, row=None)


def part(owner: str = "acme", number: int = 1, **changed: Any) -> Part:
    values: dict[str, Any] = {"colour": "red", "amount": Minor(100)}
    return Part(owner=owner, number=number, **{**values, **changed})


def commit(start: int, count: int, *changes: Change, tiles: Sequence[TileWrite] = ()) -> Commit:
    entries = [entry(index) for index in range(start, start + count)]
    return Commit(entries=entries, changes=changes, tiles=tiles)
