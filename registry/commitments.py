"""Commitments to the whole state: complete, and adding up.

Level 1 is a sum tree per bucket (family `voucher`: one voucher; family `holder`: one
party) over its live lots; level 2 an RFC 6962 tree per family over the bucket records
by ordinal. A `state` entry commits to both families as of `at` entries.

Source: docs/formats.md, State tree.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from registry.canonical import Json, b64url_decode, b64url_encode, format_json, sha256
from registry.effects import Effect, Seal, history_of
from registry.errors import InvariantBrokenError
from registry.ids import parse_lot_id
from registry.merkle import hash_leaf, root_of
from registry.model import (
    ACCOUNTS,
    BUCKETS,
    LOTS,
    PARTIES,
    STATE_REQUESTS,
    VOUCHERS,
    Bucket,
    Lot,
    Voucher,
)
from registry.state import MemoryRows
from registry.sumtree import SumNode, hash_record, root_of_records
from registry.tables import Get, MutableRows, Read, Table, Where

DETAIL = b"tallystick-detail/1\x00"
HOLDER = b"tallystick-holder/1\x00"
FAMILIES = ("holder", "voucher")
COMMITTED_TABLES: tuple[Table[Any], ...] = (LOTS, VOUCHERS, ACCOUNTS, PARTIES, BUCKETS)
"""What commitments are computed from."""

Fetch = Callable[[Sequence[Read]], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyRoot:
    """One family's part of a state entry.

    Attributes:
        buckets: Number of buckets, settled ones included.
        root: Level-2 root, as b64url.
        total: Sum of all live lots, minor units, as text.
    """

    buckets: int
    root: str
    total: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCommitted(Effect):
    """The registry commits to its whole state as of `at` entries."""

    at: int
    holder: FamilyRoot
    voucher: FamilyRoot

    def fold(self, state: MutableRows, seal: Seal) -> None:  # noqa: ARG002 (same for all folds)
        """Answers the request."""
        state.delete(STATE_REQUESTS, self.at)


def lot_facts(lot: Lot, *, payee: str) -> dict[str, Json]:
    """Returns the facts of a lot that its detail digest hides."""
    burdens: list[Json] = []
    return {
        "acknowledged": lot.acknowledged,
        "assignments": lot.assignments,
        "burdens": burdens,
        "due_on": lot.due_on,
        "payee": payee,
        "recourse": lot.recourse,
        "status": lot.status,
        "tier": lot.tier,
    }


def lot_record(
    *, lot: str, voucher: str, amount: int, born: int, holder: str, salt: str, facts: Json
) -> bytes:
    """Returns the level-1 record of a lot, holder and facts hidden behind its salt."""
    raw = b64url_decode(salt, what="salt", length=16)
    return format_json(
        {
            "amount": str(amount),
            "born": born,
            "detail": b64url_encode(sha256(DETAIL + raw + format_json(facts))),
            "holder": b64url_encode(sha256(HOLDER + raw + holder.encode("ascii"))),
            "lot": lot,
            "voucher": voucher,
        }
    )


@lru_cache(maxsize=200_000)
def lot_leaf(lot: Lot, payee: str) -> SumNode:
    """Returns a live lot's leaf in both of its buckets."""
    record = lot_record(
        lot=lot.lot,
        voucher=lot.voucher,
        amount=lot.amount,
        born=lot.born,
        holder=lot.holder,
        salt=lot.salt,
        facts=lot_facts(lot, payee=payee),
    )
    return hash_record(record, lot.amount)


def in_order(lots: Iterable[Lot]) -> list[Lot]:
    """Returns a bucket's lots in leaf order: by (born, n)."""
    return sorted(lots, key=lambda lot: (lot.born, parse_lot_id(lot.lot)[1]))


def bucket_record(bucket: Bucket, root: SumNode, *, voucher: Voucher | None) -> bytes:
    """Returns a bucket's level-2 record.

    Args:
        bucket: Its ordinal, salt and history.
        root: The root of its level-1 tree.
        voucher: The voucher of a bucket of family `voucher`.
    """
    history = history_of(bucket)
    record: dict[str, Json] = {
        "bucket": bucket.bucket,
        "count": root.count,
        "family": bucket.family,
        "history": {"root": b64url_encode(history.root()), "size": history.size},
        "ordinal": _ordinal(bucket),
        "root": b64url_encode(root.hash),
        "salt": bucket.salt,
        "sum": str(root.total),
    }
    if voucher is not None:
        record |= {
            "cancelled": str(voucher.cancelled),
            "discharged": str(voucher.discharged),
            "face": str(voucher.face),
        }
        if root.total + voucher.discharged + voucher.cancelled != voucher.face:
            raise InvariantBrokenError(f"voucher {bucket.bucket} does not add up to its face")
    return format_json(record)


def _ordinal(bucket: Bucket) -> int:
    """Returns the ordinal of a bucket that has one."""
    if bucket.ordinal is None:
        raise InvariantBrokenError(f"bucket {bucket.bucket} has no ordinal")
    return bucket.ordinal


class Commitments:
    """The level-2 leaves of both families, brought up to date bucket by bucket."""

    def __init__(self) -> None:
        """Starts with every bucket still to be computed."""
        self.leaves: dict[str, list[bytes]] = {family: [] for family in FAMILIES}
        self._sums: dict[str, list[int]] = {family: [] for family in FAMILIES}

    def update(self, fetch: Fetch, touched: Iterable[tuple[str, str]]) -> None:
        """Computes touched buckets anew; those without an ordinal yet are passed over.

        Args:
            fetch: Answers reads from the state to commit to.
            touched: Buckets (family, name) that entries since the last update touch.
        """
        names = sorted(set(touched))
        found = fetch([Get(BUCKETS, tuple(names))])[0] if names else ()
        buckets = sorted((b for b in found if b.ordinal is not None), key=lambda b: b.ordinal)
        lots = fetch([Where(LOTS, bucket.family, bucket.bucket) for bucket in buckets])
        payees = _payees(fetch, lots)
        vouchers = _vouchers(fetch, buckets)
        for bucket, members in zip(buckets, lots, strict=True):
            leaves = [lot_leaf(lot, payees[lot.account]) for lot in in_order(members)]
            root = root_of_records(leaves)
            record = bucket_record(bucket, root, voucher=vouchers.get(bucket.bucket))
            self._place(bucket, hash_leaf(record), root.total)

    def _place(self, bucket: Bucket, leaf: bytes, total: int) -> None:
        """Puts a bucket's leaf at its ordinal; new ordinals come in order."""
        leaves, sums = self.leaves[bucket.family], self._sums[bucket.family]
        ordinal = _ordinal(bucket)
        if ordinal > len(leaves):
            raise InvariantBrokenError(f"ordinal {ordinal} after {len(leaves)}")
        if ordinal == len(leaves):
            leaves.append(leaf)
            sums.append(total)
        else:
            leaves[ordinal], sums[ordinal] = leaf, total

    def roots(self, *, at: int) -> StateCommitted:
        """Returns the commitment as of `at` entries."""
        family = {
            name: FamilyRoot(
                buckets=len(self.leaves[name]),
                root=b64url_encode(root_of(self.leaves[name])),
                total=str(sum(self._sums[name])),
            )
            for name in FAMILIES
        }
        if family["holder"].total != family["voucher"].total:
            raise InvariantBrokenError("the two families do not add up to the same")
        return StateCommitted(at=at, holder=family["holder"], voucher=family["voucher"])


def _payees(fetch: Fetch, lots: Iterable[Iterable[Lot]]) -> dict[str, str]:
    """Returns the digest of every payee account of the lots."""
    accounts = sorted({lot.account for members in lots for lot in members})
    rows = fetch([Get(ACCOUNTS, tuple((account,) for account in accounts))])[0] if accounts else ()
    return {row.account: row.digest for row in rows}


def _vouchers(fetch: Fetch, buckets: Iterable[Bucket]) -> dict[str, Voucher]:
    """Returns the vouchers of the buckets of that family."""
    keys = tuple((bucket.bucket,) for bucket in buckets if bucket.family == "voucher")
    rows = fetch([Get(VOUCHERS, keys)])[0] if keys else ()
    return {row.voucher: row for row in rows}


class Select(Protocol):
    """Streams a table's rows as of a size, as a store does."""

    def __call__(self, table: Table[Any], *, as_of: int | None) -> Iterable[Any]:
        """Returns the rows in key order."""


def committed_rows(select: Select, *, as_of: int) -> MemoryRows:
    """Loads the rows that commitments are computed from, as of a size."""
    rows = MemoryRows(COMMITTED_TABLES)
    for table in COMMITTED_TABLES:
        for row in select(table, as_of=as_of):
            rows.put(table, row)
    return rows
