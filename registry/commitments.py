"""Commitments to the whole state: complete, and adding up.

Level 1 is a sum tree per bucket (family `voucher`: one voucher; family `holder`: one
party) over its live lots; level 2 an RFC 6962 tree per family over the bucket records
by ordinal. A `state` entry commits to both families as of `at` entries.

Source: docs/formats.md, State tree.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from registry.canonical import b64url_encode
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.familytree import FamilyTree
from registry.histories import Grown, rows_of
from registry.leaves import columns_of, fields_of, hash_records, in_order, write_records
from registry.merkle import CompactRange, hash_leaf
from registry.model import (
    ACCOUNTS,
    BUCKETS,
    COMMITTED,
    HISTORIES,
    LOTS,
    STATE_REQUESTS,
    VOUCHERS,
    Bucket,
    Committed,
    History,
    Lot,
    Voucher,
)
from registry.sumtree import SumNode, SumTree
from registry.tables import Get, MutableRows, Read, Record, Where

FAMILIES = ("holder", "voucher")
BUCKETS_AT_ONCE: Final = 4_096
"""Buckets whose lots are in memory at a time."""

Fetch = Callable[[Sequence[Read]], list[tuple[Any, ...]]]


write_json: Final = Encoder().encode
"""Writes a struct whose members stand in canonical order; its texts are plain ASCII."""


class FamilyRoot(Record, frozen=True, kw_only=True):
    """One family's part of a state entry.

    Attributes:
        buckets: Number of buckets, settled ones included.
        root: Level-2 root, as b64url.
        total: Sum of all live lots, minor units, as text.
    """

    buckets: int
    root: str
    total: str


class StateCommitted(Effect, frozen=True, kw_only=True):
    """The registry commits to its whole state as of `at` entries."""

    derived = frozenset({"histories"})

    at: int
    holder: FamilyRoot
    voucher: FamilyRoot
    histories: tuple[History, ...] = ()
    """The buckets that have grown since the state entry before."""

    def fold(self, state: MutableRows, seal: Seal) -> None:  # noqa: ARG002 (same for all folds)
        """Answers the request, and keeps the buckets as the entry commits to them."""
        state.delete(STATE_REQUESTS, self.at)
        state.put(COMMITTED, Committed(at=self.at))
        for history in self.histories:
            state.put(HISTORIES, history)


class _History(Struct, frozen=True, kw_only=True):
    root: str
    size: int


class _HolderRecord(Struct, frozen=True, kw_only=True):
    """The level-2 record of a bucket of family `holder`; members in canonical order."""

    bucket: str
    count: int
    family: str
    history: _History
    ordinal: int
    root: str
    salt: str
    sum: str


class _VoucherRecord(Struct, frozen=True, kw_only=True):
    """The level-2 record of a bucket of family `voucher`; members in canonical order."""

    bucket: str
    cancelled: str
    count: int
    discharged: str
    face: str
    family: str
    history: _History
    ordinal: int
    root: str
    salt: str
    sum: str


def bucket_record(
    bucket: Bucket, tree: CompactRange, root: SumNode, *, voucher: Voucher | None
) -> bytes:
    """Returns a bucket's level-2 record.

    Args:
        bucket: Its ordinal and salt.
        tree: Its history.
        root: The root of its level-1 tree.
        voucher: The voucher of a bucket of family `voucher`.
    """
    history = _History(root=b64url_encode(tree.root()), size=tree.size)
    if voucher is None:
        return write_json(
            _HolderRecord(
                bucket=bucket.bucket,
                count=root.count,
                family=bucket.family,
                history=history,
                ordinal=_ordinal(bucket),
                root=b64url_encode(root.hash),
                salt=bucket.salt,
                sum=str(root.total),
            )
        )
    if root.total + voucher.discharged + voucher.cancelled != voucher.face:
        raise InvariantBrokenError(f"voucher {bucket.bucket} does not add up to its face")
    return write_json(
        _VoucherRecord(
            bucket=bucket.bucket,
            cancelled=str(voucher.cancelled),
            count=root.count,
            discharged=str(voucher.discharged),
            face=str(voucher.face),
            family=bucket.family,
            history=history,
            ordinal=_ordinal(bucket),
            root=b64url_encode(root.hash),
            salt=bucket.salt,
            sum=str(root.total),
        )
    )


def _ordinal(bucket: Bucket) -> int:
    """Returns the ordinal of a bucket that has one."""
    if bucket.ordinal is None:
        raise InvariantBrokenError(f"bucket {bucket.bucket} has no ordinal")
    return bucket.ordinal


class Commitments:
    """The level-2 trees of both families, brought up to date bucket by bucket."""

    def __init__(self) -> None:
        """Starts without a bucket."""
        self.trees = {family: FamilyTree() for family in FAMILIES}
        self._records: dict[Touch, str] = {}

    @classmethod
    def load(cls, records: Iterable[tuple[str, str]]) -> "Commitments":
        """Starts from buckets as an earlier state entry commits to them.

        Args:
            records: The family and the record of each, as `HISTORIES` has them; of two for
                one bucket, the later counts.

        Raises:
            InvariantBrokenError: Ordinals leave a gap.
        """
        loaded = cls()
        for family, record in records:
            if record:
                place_record(loaded.trees[family], record.encode())
        for tree in loaded.trees.values():
            tree.verify_whole()
        return loaded

    def update(self, fetch: Fetch, grown: Grown) -> None:
        """Computes touched buckets anew; those without an ordinal yet are passed over.

        It costs what the touched buckets hold and the way above each. Memory is bounded
        by the largest of them; after a failure it can be repeated.

        Args:
            fetch: Answers reads from the state to commit to.
            grown: The histories of the buckets that entries since the last update touch.

        Raises:
            InvariantBrokenError: A touched bucket is not known, ordinals leave a gap, or a
                voucher does not add up.
        """
        names = sorted(grown)
        for start in range(0, len(names), BUCKETS_AT_ONCE):
            self._update(fetch, grown, names[start : start + BUCKETS_AT_ONCE])
        for tree in self.trees.values():
            tree.verify_whole()

    def _update(self, fetch: Fetch, grown: Grown, names: Sequence[Touch]) -> None:
        """Computes some buckets."""
        (found,) = fetch([Get(BUCKETS, tuple(names))])
        for (family, name), bucket in zip(names, found, strict=True):
            if bucket is None:
                raise InvariantBrokenError(f"an entry touches no known {family} {name}")
        buckets = [bucket for bucket in found if bucket.ordinal is not None]
        lots = fetch([Where(LOTS, bucket.family, bucket.bucket) for bucket in buckets])
        vouchers = _vouchers(fetch, buckets)
        roots = _roots([in_order(members) for members in lots], _payees(fetch, lots))
        for bucket, root in zip(buckets, roots, strict=True):
            touch = bucket.family, bucket.bucket
            record = bucket_record(bucket, grown[touch], root, voucher=vouchers.get(touch[1]))
            place_record(self.trees[bucket.family], record)
            self._records[touch] = record.decode()

    def roots(self, *, at: int, grown: Grown) -> StateCommitted:
        """Returns the commitment as of `at` entries, and the buckets that have grown."""
        family = {name: family_root(tree) for name, tree in self.trees.items()}
        if family["holder"].total != family["voucher"].total:
            raise InvariantBrokenError("the two families do not add up to the same")
        records, self._records = self._records, {}
        return StateCommitted(
            at=at,
            holder=family["holder"],
            voucher=family["voucher"],
            histories=rows_of(grown, records),
        )


def _roots(buckets: Sequence[Sequence[Lot]], payees: Mapping[str, str]) -> Iterator[SumNode]:
    """Yields the root of each bucket's tree; their leaves are hashed all together."""
    lots = [fields_of(lot) for members in buckets for lot in members]
    hashes = hash_records(write_records(columns_of(lots, payees))) if lots else []
    start = 0
    for members in buckets:
        end = start + len(members)
        yield SumTree(hashes[start:end], [lot.amount for lot in members]).root
        start = end


class _Place(Struct):
    ordinal: int
    sum: str


_read_place = Decoder(_Place).decode


def place_record(tree: FamilyTree, record: bytes) -> int:
    """Places the leaf of a bucket's record in its family's tree; returns its ordinal."""
    place = _read_place(record)
    tree.put(place.ordinal, hash_leaf(record), int(place.sum))
    return place.ordinal


def family_root(tree: FamilyTree) -> FamilyRoot:
    """Returns one family's part of a state entry."""
    return FamilyRoot(buckets=tree.size, root=b64url_encode(tree.root()), total=str(tree.total))


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
