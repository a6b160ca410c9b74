"""What is due, streamed from a store: the lots of a few vouchers in memory at a time.

What stays in memory are the bank of each account, the mandates and the frozen lots.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby, islice, starmap
from operator import attrgetter
from typing import Any, Final, Protocol, TypeVar

from msgspec import Struct

from clearing.plan import Due, mandates_of
from registry.burdens import FREEZES, frozen_lots
from registry.ids import LotId, PartyId, Sid
from registry.model import ACCOUNTS, LOTS, MANDATES, VOUCHERS, Voucher
from registry.tables import Record, Table, Value

R = TypeVar("R", bound=Record)


class DueLot(Struct, frozen=True, gc=False):
    """A lot, as far as its money's way depends on it: a `clearing.routes.Claim`."""

    voucher: Sid
    lot: LotId
    amount: int
    holder: PartyId
    account: Sid
    path: tuple[str, ...]
    collection_route: bool


_FIELDS: Final = DueLot.__struct_fields__


VOUCHERS_AT_ONCE: Final = 256
"""Vouchers whose lots are asked for together."""


class Streams(Protocol):
    """Streams rows and columns, as `registry.ports.LedgerStore` does."""

    def select(self, table: Table[R], *, field: str = "", value: Value = "") -> Iterator[R]:
        """Streams live rows in key order: all, or those whose field has the value."""

    def columns(self, table: Table[Any], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Streams fields of live rows as tuples, in any order."""

    def gather(
        self, table: Table[Any], names: Sequence[str], *, field: str, values: Sequence[Value]
    ) -> list[tuple[Any, ...]]:
        """Returns fields of the live rows whose field has one of the values, in any order."""


def stream_due(store: Streams, due_on: date) -> Due:
    """Returns what is due on a date, to be read once.

    Args:
        store: Where the ledger is kept. Nothing that is due moves while it is read: it
            has fallen due.
        due_on: The due date.
    """
    return Due(
        vouchers=_vouchers(store, due_on.isoformat()),
        mandates=mandates_of(store.select(MANDATES)),
        banks=dict(store.columns(ACCOUNTS, ("account", "bank"))),
        frozen=frozen_lots(store.select(FREEZES)),
    )


def _vouchers(store: Streams, day: str) -> Iterator[tuple[Voucher, Sequence[DueLot]]]:
    """Yields the vouchers that have lots, with them, some hundred in memory."""
    vouchers = store.select(VOUCHERS, field="due_on", value=day)
    while some := {row.voucher: row for row in islice(vouchers, VOUCHERS_AT_ONCE)}:
        rows = store.gather(LOTS, _FIELDS, field="voucher", values=tuple(some))
        # By voucher and lot, which lead each tuple.
        lots = starmap(DueLot, sorted(rows))
        for sid, members in groupby(lots, key=attrgetter("voucher")):
            yield some[sid], list(members)
