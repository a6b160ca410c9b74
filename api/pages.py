"""Lists: pages in key order, pinned to one size of the log by an opaque cursor."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import msgspec

from api.auth import Caller
from api.errors import CursorInvalidError
from api.service import Service
from registry.canonical import (
    Json,
    b64url_decode,
    b64url_encode,
    digest_b64url,
    format_json,
    parse_object,
)
from registry.errors import RegistryError
from registry.tables import Key, Record, Table, Value, to_json

R = TypeVar("R", bound=Record)

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 100
LIMIT_MAX_LONG: Final = 1_000
"""For what comes by the thousand and is small: notices and instructions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Generic[R]):
    """What a caller asks of a list.

    Attributes:
        table: Whose rows.
        caller: Who asks.
        sees: Tells whether the caller may see a row.
        equal: Filters by field; None is no filter. The first that the table has an index on
            is what rows are found by.
        limit: Rows of a page.
        cursor: Where the last page has ended; "" for the first.
        as_of: Size of the log; None for what it is now.
        hidden: Fields that are not shown.
    """

    table: Table[R]
    caller: Caller
    sees: Callable[[R], bool]
    equal: Mapping[str, Value | None] = field(default_factory=dict)
    limit: int = LIMIT_DEFAULT
    cursor: str = ""
    as_of: int | None = None
    hidden: frozenset[str] = frozenset()


def page_of(service: Service, ask: Ask[R]) -> dict[str, Any]:
    """Returns one page: `data`, whether there is more, and the cursor of the next.

    Raises:
        CursorInvalidError: The cursor is not of this list, caller and filters.
    """
    as_of, after = _start(service, ask)
    rows = islice(_rows(service, ask, as_of=as_of, after=after), ask.limit + 1)
    found = list(rows)
    page: dict[str, Any] = {
        "data": [shown(row, hidden=ask.hidden) for row in found[: ask.limit]],
        "has_more": len(found) > ask.limit,
        "as_of": as_of,
    }
    if page["has_more"]:
        last = ask.table.key_of(found[ask.limit - 1])
        page["next"] = _format_cursor(ask, as_of=as_of, after=last)
    return page


def shown(row: Any, *, hidden: frozenset[str] = frozenset()) -> dict[str, Json]:
    """Returns a row's JSON without the fields that are not shown."""
    return {name: value for name, value in to_json(row).items() if name not in hidden}


def _rows(service: Service, ask: Ask[R], *, as_of: int, after: Key | None) -> Iterator[R]:
    """Yields the rows after a key that the caller asks for and may see."""
    equal = {name: value for name, value in ask.equal.items() if value is not None}
    by = next((name for name in equal if name in ask.table.indexes), "")
    rows = service.store.select(ask.table, field=by, value=equal.get(by, ""), as_of=as_of)
    for row in rows:
        if after is not None and ask.table.key_of(row) <= after:
            continue
        if all(getattr(row, name) == value for name, value in equal.items()) and ask.sees(row):
            yield row


def _tag(ask: Ask[Any]) -> str:
    """Names a list with its filters and its caller."""
    equal: dict[str, Json] = {name: v for name, v in ask.equal.items() if v is not None}
    named: dict[str, Json] = {"by": ask.caller.party, "equal": equal, "table": ask.table.name}
    return digest_b64url(format_json(named))[:16]


def _format_cursor(ask: Ask[Any], *, as_of: int, after: Key) -> str:
    return b64url_encode(format_json({"as_of": as_of, "key": [*after], "list": _tag(ask)}))


def _start(service: Service, ask: Ask[Any]) -> tuple[int, Key | None]:
    """Returns the size that the list is pinned to, and the key after which the page begins."""
    if not ask.cursor:
        return (service.store.size() if ask.as_of is None else ask.as_of), None
    try:
        cursor = parse_object(b64url_decode(ask.cursor, what="cursor"), what="cursor")
    except RegistryError:
        raise CursorInvalidError(parameter="cursor") from None
    match cursor:
        case {"as_of": int(as_of), "key": list(key), "list": str(tag)} if tag == _tag(ask) and [
            type(part) for part in key
        ] == _key_types(ask.table):
            if ask.as_of not in (None, as_of):
                raise CursorInvalidError(parameter="cursor")
            return as_of, tuple(key)  # type: ignore[arg-type]
        case _:
            raise CursorInvalidError(parameter="cursor")


def _key_types(table: Table[Any]) -> list[type]:
    """Returns the types of a table's key: texts, but for a few numbers."""
    types = {field.name: field.type for field in msgspec.structs.fields(table.row)}
    return [int if types[name] is int else str for name in table.key]
