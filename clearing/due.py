"""What is due, streamed from a store: one voucher's lots in memory at a time.

What stays in memory are the bank of each account and the mandates.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby, starmap
from operator import attrgetter
from typing import Any, Final, Protocol, TypeVar

from msgspec import Struct

from clearing.plan import Due, mandates_of
from registry.errors import InvariantBrokenError
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


class Streams(Protocol):
    """Streams rows and columns, as `registry.ports.LedgerStore` does."""

    def select(
        self, table: Table[R], *, field: str = "", value: Value = "", as_of: int | None = None
    ) -> Iterator[R]:
        """Streams rows in key order."""

    def columns(
        self,
        table: Table[Any],
        names: Sequence[str],
        *,
        order: Sequence[str] = (),
        field: str = "",
        value: Value = "",
        as_of: int | None = None,
    ) -> Iterator[tuple[Any, ...]]:
        """Streams fields of rows as tuples."""


def stream_due(store: Streams, due_on: date, *, as_of: int | None = None) -> Due:
    """Returns what is due on a date, to be read once.

    Args:
        store: Where the ledger is kept. Nothing that is due moves while it is read: it
            has fallen due.
        due_on: The due date.
        as_of: A size of the log; as things are now without it.
    """
    day = due_on.isoformat()
    lots = store.columns(
        LOTS, _FIELDS, order=("voucher", "lot"), field="due_on", value=day, as_of=as_of
    )
    return Due(
        vouchers=_joined(
            store.select(VOUCHERS, field="due_on", value=day, as_of=as_of),
            starmap(DueLot, lots),
        ),
        mandates=mandates_of(store.select(MANDATES, as_of=as_of)),
        banks=dict(store.columns(ACCOUNTS, ("account", "bank"), as_of=as_of)),
    )


def _joined(
    vouchers: Iterable[Voucher], lots: Iterable[DueLot]
) -> Iterator[tuple[Voucher, Sequence[DueLot]]]:
    """Yields the vouchers that have lots, with them; both streams are by voucher."""
    rest = iter(vouchers)
    for sid, members in groupby(lots, key=attrgetter("voucher")):
        voucher = next((row for row in rest if row.voucher >= sid), None)
        if voucher is None or voucher.voucher != sid:
            raise InvariantBrokenError("a lot is of no voucher")
        yield voucher, list(members)
