"""What is due, streamed from a store: the lots of a few vouchers in memory at a time.

What stays in memory are the bank of each account, the mandates, and the lots that are
frozen or may still be paid by an earlier plan. Vouchers come in batches of a fixed size, so
several processes can read one due date, a share each: the batches go round among them.

A log only grows, and its rows change with it. So whoever finds the size at the end that
it found at the start has read one state, however long that took.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, islice, starmap
from operator import attrgetter
from typing import Any, Final, Protocol, TypeVar

from msgspec import Struct

from clearing.model import FUNDS, ORDERS, short_accounts
from clearing.plan import Batch, Due, mandates_of
from clearing.staging import Kept, places_of
from registry.burdens import FREEZES, court_accounts, frozen_lots
from registry.errors import HeadMovedError
from registry.ids import LotId, PartyId, Sid
from registry.model import ACCOUNTS, LOTS, MANDATES, VOUCHERS, Route
from registry.stages import STAGES
from registry.tables import Record, Table, Value

R = TypeVar("R", bound=Record)

VOUCHERS_AT_ONCE: Final = 16
"""Vouchers of a batch: few enough for their lots to stay in a core's cache until written."""


class DueVoucher(Struct, frozen=True, gc=False):
    """A voucher, as far as paying it depends on it: a `clearing.routes.Debt`."""

    voucher: Sid
    voucher_no: str
    debtor: PartyId
    account: Sid
    mandate: Sid
    route: str
    face: int
    discharged: int
    cancelled: int


class DueLot(Struct, frozen=True, gc=False):
    """A lot, as far as its money's way depends on it: a `clearing.routes.Claim`.

    The direct route does not depend on how the claim went, so that is not read for it.
    """

    voucher: Sid
    lot: LotId
    amount: int
    holder: PartyId
    account: Sid
    path: tuple[str, ...] = ()
    collection_route: bool = False


_LOT_FIELDS: Final = {
    Route.TIERED: DueLot.__struct_fields__,
    Route.DIRECT: DueLot.__struct_fields__[:5],
}


class Streams(Protocol):
    """Streams rows and columns, as `registry.ports.LedgerStore` does."""

    def size(self) -> int:
        """Returns the number of entries."""

    def select(self, table: Table[R]) -> Iterator[R]:
        """Streams live rows in key order."""

    def columns(
        self,
        table: Table[Any],
        names: Sequence[str],
        *,
        order: Sequence[str] = (),
        field: str = "",
        value: Value = "",
    ) -> Iterator[tuple[Any, ...]]:
        """Streams fields of live rows as tuples: of all, or of those whose field has the value."""

    def gather(
        self, table: Table[Any], names: Sequence[str], *, field: str, values: Sequence[Value]
    ) -> list[tuple[Any, ...]]:
        """Returns fields of the live rows whose field has one of the values, in any order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One process's share of the batches: each `of`-th, from the one at `place`."""

    place: int
    of: int


WHOLE: Final = Share(place=0, of=1)


def stream_due(store: Streams, due_on: date, *, share: Share = WHOLE) -> Due:
    """Returns what is due on a date, to be read once.

    Args:
        store: Where the ledger is kept.
        due_on: The due date.
        share: Which of the vouchers.

    Raises:
        HeadMovedError: While batches are read: the log has grown since this was called.
    """
    size = store.size()
    mandates = list(store.select(MANDATES))
    freezes = list(store.select(FREEZES))
    courts = court_accounts(freezes)
    places = places_of(
        (Kept(*row) for row in store.columns(ACCOUNTS, Kept._fields)),
        stages=store.select(STAGES),
        mandates=mandates,
        day=due_on,
    )
    return Due(
        batches=_batches(store, due_on.isoformat(), share, size),
        mandates=mandates_of(mandates, places),
        places=places,
        frozen=frozen_lots(freezes) - courts.keys(),
        courts=courts,
        ordered=frozenset(lot for (lot,) in store.columns(ORDERS, ("lot",))),
        short=short_accounts(store.select(FUNDS)),
        size=size,
    )


def _batches(store: Streams, day: str, share: Share, size: int) -> Iterator[Batch]:
    """Yields a share of the vouchers that have lots, with them; the last batches may be empty."""
    rows = store.columns(
        VOUCHERS, DueVoucher.__struct_fields__, order=("voucher",), field="due_on", value=day
    )
    vouchers = starmap(DueVoucher, rows)
    batches = iter(lambda: [*islice(vouchers, VOUCHERS_AT_ONCE)], [])
    for some in islice(batches, share.place, None, share.of):
        yield [*_with_lots(store, some)]
    if (now := store.size()) != size:
        raise HeadMovedError(size=now, expected=size)


def _with_lots(
    store: Streams, vouchers: Sequence[DueVoucher]
) -> Iterator[tuple[DueVoucher, Sequence[DueLot]]]:
    """Yields those of the vouchers that have lots, with them, both by id."""
    rows: list[tuple[Any, ...]] = []
    for route, names in _LOT_FIELDS.items():
        if sids := [each.voucher for each in vouchers if each.route == route]:
            rows += store.gather(LOTS, names, field="voucher", values=sids)
    # By voucher and lot, which lead each tuple.
    lots = starmap(DueLot, sorted(rows))
    of = {each.voucher: each for each in vouchers}
    for sid, members in groupby(lots, key=attrgetter("voucher")):
        yield of[sid], list(members)
