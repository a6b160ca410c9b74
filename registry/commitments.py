"""Commitments to the whole state: complete, and adding up.

Level 1 is a sum tree per bucket (family `voucher`: one voucher; family `holder`: one
party) over its live lots; level 2 an RFC 6962 tree per family over the bucket records
by ordinal. A `state` entry commits to both families as of `at` entries.

Source: docs/formats.md, State tree.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, Protocol

from msgspec import Struct

from registry.canonical import b64url_encode
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.familytree import FamilyTree
from registry.histories import Grown, range_of, rows_of
from registry.leaves import AnyLot, in_order, lot_hash, place_of, write_json
from registry.merkle import HASH_SIZE, CompactRange, hash_leaf
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
from registry.sumtree import SumNode, SumRange
from registry.tables import Get, MutableRows, Read, Record, Table, Where

FAMILIES = ("holder", "voucher")
BUCKETS_AT_ONCE: Final = 4_096
"""Buckets whose lots are in memory at a time."""

Fetch = Callable[[Sequence[Read]], list[tuple[Any, ...]]]


class Select(Protocol):
    """Streams a table's rows as of a size, as a store does."""

    def __call__(self, table: Table[Any], *, as_of: int | None) -> Iterable[Any]:
        """Returns the rows in key order."""


Keep = Callable[[Bucket, bytes], None]
"""Is given a bucket and its record."""


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
    """Those that have grown since the state entry before."""

    def fold(self, state: MutableRows, seal: Seal) -> None:  # noqa: ARG002 (same for all folds)
        """Answers the request, and keeps the histories that the entry commits to."""
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


class _Leaves:
    """The level-1 leaves of one family, in columns and by bucket."""

    def __init__(self, family: str) -> None:
        """Starts without a lot."""
        self._hashes = bytearray()
        self._amounts = array("Q")
        self._places: list[tuple[int, int]] = []
        self._lots: defaultdict[str, array[int]] = defaultdict(_no_lots)
        self._bucket = attrgetter(family)

    def add(self, lot: AnyLot, payee: str) -> None:
        """Adds a live lot."""
        self._lots[self._bucket(lot)].append(len(self._places))
        self._hashes += lot_hash(lot, payee)
        self._amounts.append(lot.amount)
        self._places.append(place_of(lot))

    def root(self, bucket: str) -> SumNode:
        """Computes the root of a bucket's tree."""
        tree = SumRange()
        for at in sorted(self._lots.get(bucket, ()), key=self._places.__getitem__):
            leaf = bytes(self._hashes[HASH_SIZE * at : HASH_SIZE * (at + 1)])
            tree.append(leaf, self._amounts[at])
        return tree.root()


def _no_lots() -> "array[int]":
    """Starts the list of a bucket's lots."""
    return array("Q")


class Commitments:
    """The level-2 trees of both families, brought up to date bucket by bucket."""

    def __init__(self) -> None:
        """Starts without a bucket."""
        self.trees = {family: FamilyTree() for family in FAMILIES}

    @classmethod
    def load(
        cls, select: Select, histories: Callable[[], Iterable[History]], *, as_of: int
    ) -> "Commitments":
        """Computes every bucket from streams of rows, as of a size; see `load_family`."""
        loaded = cls()
        for family in FAMILIES:
            loaded.trees[family] = load_family(select, family, histories(), as_of=as_of)
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
        payees = _payees(fetch, lots)
        vouchers = _vouchers(fetch, buckets)
        for bucket, members in zip(buckets, lots, strict=True):
            tree = SumRange()
            for lot in in_order(members):
                tree.append(lot_hash(lot, payees[lot.account]), lot.amount)
            root = tree.root()
            history = grown[bucket.family, bucket.bucket]
            record = bucket_record(bucket, history, root, voucher=vouchers.get(bucket.bucket))
            self.trees[bucket.family].put(_ordinal(bucket), hash_leaf(record), root.total)

    def roots(self, *, at: int, grown: Grown) -> StateCommitted:
        """Returns the commitment as of `at` entries, and the histories that have grown."""
        family = {name: family_root(tree) for name, tree in self.trees.items()}
        if family["holder"].total != family["voucher"].total:
            raise InvariantBrokenError("the two families do not add up to the same")
        return StateCommitted(
            at=at, holder=family["holder"], voucher=family["voucher"], histories=rows_of(grown)
        )


def load_family(
    select: Select,
    family: str,
    histories: Iterable[History],
    *,
    as_of: int,
    lots: Iterable[AnyLot] | None = None,
    keep: Keep | None = None,
) -> FamilyTree:
    """Computes one family from streams of rows, as of a size.

    Each row is read once. Of the rows stay in memory about 150 bytes for each lot and
    the digest of each account.

    Args:
        select: Streams a table's rows.
        family: `holder` or `voucher`.
        histories: Every bucket's as of the size, in order of the buckets; others among
            them are passed over.
        as_of: The size.
        lots: Every lot as of the size in any order, for who has a quicker stream of them.
        keep: Is given each bucket with its record.

    Raises:
        InvariantBrokenError: Ordinals leave a gap, or a voucher does not add up.
    """
    payees = {row.account: row.digest for row in select(ACCOUNTS, as_of=as_of)}
    leaves = _Leaves(family)
    for lot in select(LOTS, as_of=as_of) if lots is None else lots:
        leaves.add(lot, payees[lot.account])
    vouchers: Iterator[Voucher] = iter(select(VOUCHERS, as_of=as_of))
    histories = (row for row in histories if row.family == family)
    tree = FamilyTree()
    for bucket in select(BUCKETS, as_of=as_of):
        if bucket.family != family or bucket.ordinal is None:
            continue
        # These are in the order of the buckets' names too.
        history = next(row for row in histories if row.bucket == bucket.bucket)
        voucher = None
        if family == "voucher":
            # Both streams are in the order of the vouchers' ids.
            voucher = next(row for row in vouchers if row.voucher == bucket.bucket)
        root = leaves.root(bucket.bucket)
        record = bucket_record(bucket, range_of(history), root, voucher=voucher)
        tree.put(bucket.ordinal, hash_leaf(record), root.total)
        if keep is not None:
            keep(bucket, record)
    tree.verify_whole()
    return tree


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
