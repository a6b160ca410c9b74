"""Finds single rows: live ones by key, earlier ones through what they are indexed by."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from api.visibility import changes_of
from registry.canonical import Json
from registry.entries import open_entry
from registry.errors import RegistryError
from registry.ids import Sid, parse_lot_id
from registry.model import LOTS, Lot
from registry.people import WAITED
from registry.ports import LedgerStore
from registry.tables import Get, Key, Record, Table

R = TypeVar("R", bound=Record)


def find_row(store: LedgerStore, table: Table[R], key: Key, *, as_of: int | None) -> R | None:
    """Returns a row by its key, live or as of a size; the latter reads the whole table."""
    if as_of is None:
        found: tuple[R | None, ...] = store.fetch([Get(table, (key,))])[0]
        return found[0]
    rows = store.select(table, as_of=as_of)
    return next((row for row in rows if table.key_of(row) == key), None)


def changes_made_by(store: LedgerStore, sid: Sid) -> Iterator[Mapping[str, Json]]:
    """Yields what a sealed statement has changed, if need be in the entry that approved it."""
    index = index_of(store, sid)
    if index is not None:
        yield from changes_of(open_entry(next(iter(store.entries(index, index + 1)))))


def index_of(store: LedgerStore, sid: Sid) -> int | None:
    """Returns the index of the entry in which a sealed statement took effect, or nothing."""
    (waited,) = store.fetch([Get(WAITED, ((sid,),))])[0]
    # What it numbers was made by the entry that approved it.
    return store.find_statements([sid]).get(sid) if waited is None else int(waited.index)


def find_lot(store: LedgerStore, lot: str, *, as_of: int | None) -> Lot | None:
    """Returns a lot, live or as of a size: the statement in its id leads to its voucher."""
    if as_of is None:
        return find_row(store, LOTS, (lot,), as_of=None)
    try:
        sid, _ = parse_lot_id(lot)
    except RegistryError:
        return None
    changes = changes_made_by(store, sid)
    vouchers = {str(change["voucher"]) for change in changes if "voucher" in change}
    for voucher in sorted(vouchers):
        for row in store.select(LOTS, field="voucher", value=voucher, as_of=as_of):
            if row.lot == lot:
                return row
    return None
