"""Lists: what every one of them is asked with, and how it answers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends, Query
from fastapi.responses import JSONResponse

from api.auth import Caller
from api.pages import LIMIT_DEFAULT, LIMIT_MAX, LIMIT_MAX_LONG, Ask, page_of
from api.requests import AsOf, CallerOf, ServiceOf, answer
from registry.tables import Record, Table, Value

R = TypeVar("R", bound=Record)

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
LongLimit = Annotated[int, Query(ge=1, le=LIMIT_MAX_LONG)]
Cursor = Annotated[str, Query(max_length=1024)]

HIDDEN = frozenset({"lot_salt", "salt"})
"""Salts open commitments; a holder gets its lots' own salts and nobody else's."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Who asks for a list, as of when, and for which page; its filters are each list's own."""

    service: ServiceOf
    caller: CallerOf
    as_of: AsOf
    limit: Limit = LIMIT_DEFAULT
    cursor: Cursor = ""

    def ask(
        self,
        table: Table[R],
        sees: Callable[[Caller, R], bool],
        *,
        hidden: frozenset[str] = frozenset(),
        **equal: Value | None,
    ) -> Ask[R]:
        """Returns what is asked of a table.

        Args:
            table: Whose rows.
            sees: Tells whether a caller may see a row.
            hidden: Fields that are not shown.
            equal: Filters by field; None is no filter.
        """
        return Ask(
            table=table,
            caller=self.caller,
            sees=partial(sees, self.caller),
            equal=equal,
            limit=self.limit,
            cursor=self.cursor,
            as_of=self.as_of,
            hidden=hidden,
        )

    async def of(
        self,
        table: Table[R],
        sees: Callable[[Caller, R], bool],
        *,
        hidden: frozenset[str] = frozenset(),
        **equal: Value | None,
    ) -> JSONResponse:
        """Answers with a page of a table's rows, which may be many: in a thread."""
        ask = self.ask(table, sees, hidden=hidden, **equal)
        return answer(await asyncio.to_thread(page_of, self.service, ask))


@dataclass(frozen=True, kw_only=True)
class LongListing(Listing):
    """The same of what comes by the thousand and is small."""

    limit: LongLimit = LIMIT_DEFAULT


def everybody(_caller: Caller, _row: Record) -> bool:
    """Tells that a row is for whoever may ask for the list."""
    return True


ListingOf = Annotated[Listing, Depends()]
LongListingOf = Annotated[LongListing, Depends()]
