r"""A tree that adds up: each node is a hash, a sum and a count.

The lots of one voucher, or of one holder, are its leaves. Its root tells how many lots there
are and what they amount to, and one leaf's path shows that it was counted:

                  (h, 100, 3)
                 /           \
          (h, 60, 2)      (h, 40, 1)
          /        \
    (h, 50, 1)  (h, 10, 1)

A parent's hash covers the sums and counts of both its children. Were it to cover only their
total, an operator could show two holders the same root with two different splits of it, and
hide what each does not see.
"""

import operator
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from registry.errors import InvariantBrokenError, ProofFailedError
from registry.merkle import HASH_SIZE, left_size

RECORD_PREFIX: Final = b"\x20"
SUM_NODE_PREFIX: Final = b"\x21"
EMPTY_PREFIX: Final = b"\x22"
TOTAL_LIMIT: Final = 2**63
"""Every total is below this, in minor units."""

_pack_children = struct.Struct(">c32sQQ32sQQ").pack


@dataclass(frozen=True, slots=True)
class SumNode:
    """A node as its parent commits to it."""

    hash: bytes
    total: int
    """Sum of the amounts below, in minor units."""
    count: int
    """Number of leaves below."""


EMPTY: Final = SumNode(sha256(EMPTY_PREFIX).digest(), 0, 0)


def hash_record(record: bytes, amount: int) -> SumNode:
    """Makes the leaf of one record.

    Args:
        record: The record's bytes.
        amount: The amount that stands in the record, in minor units.

    Raises:
        ProofFailedError: The amount is not positive or too large.
    """
    return _checked(SumNode(sha256(RECORD_PREFIX + record).digest(), amount, 1))


def join(left: SumNode, right: SumNode) -> SumNode:
    """Makes the parent of two neighbours.

    Raises:
        ProofFailedError: A child cannot stand in a tree, or the sum reaches 2^63.
    """
    for child in (left, right):
        _checked(child)
    if left.total + right.total >= TOTAL_LIMIT:
        raise ProofFailedError(reason=f"{left.total} and {right.total} add up to 2^63 or more")
    digest = sha256(
        _pack_children(
            SUM_NODE_PREFIX,
            *(left.hash, left.total, left.count),
            *(right.hash, right.total, right.count),
        )
    ).digest()
    return SumNode(digest, left.total + right.total, left.count + right.count)


class SumRange:
    """A growing tree, kept as the roots of its complete subtrees: at most 63 nodes."""

    __slots__ = ("_frontier", "_size")

    def __init__(self) -> None:
        """Starts without a leaf."""
        self._frontier: list[SumNode] = []
        self._size = 0

    @property
    def frontier(self) -> tuple[SumNode, ...]:
        """Roots of the complete subtrees, the largest first."""
        return tuple(self._frontier)

    def extend(self, hashes: Sequence[bytes], amounts: Sequence[int]) -> None:
        """Adds the leaves of records: their hashes, and the amounts in them.

        Raises:
            ProofFailedError: An amount is not positive, or the sum reaches 2^63.
        """
        start, stop = 0, len(hashes)
        while start < stop:
            # A complete subtree has a power of two of leaves, and begins at a multiple of it.
            width = 1 << ((stop - start).bit_length() - 1)
            if self._size:
                width = min(width, self._size & -self._size)
            end = start + width
            self.join(SumTree(hashes[start:end], amounts[start:end]).root)
            start = end

    def join(self, subtree: SumNode) -> None:
        """Adds a complete subtree, made elsewhere, behind the leaves so far.

        Raises:
            InvariantBrokenError: None of this size can stand there (caller bug).
            ProofFailedError: The sum reaches 2^63.
        """
        width = subtree.count
        if width < 1 or width & (width - 1) or self._size % width:
            raise InvariantBrokenError(f"a subtree of {width} leaves behind {self._size}")
        frontier = self._frontier
        while frontier and frontier[-1].count == subtree.count:
            subtree = join(frontier.pop(), subtree)
        frontier.append(subtree)
        self._size += width

    def root(self) -> SumNode:
        """Gives the node over all leaves.

        Raises:
            ProofFailedError: The amounts add up to 2^63 or more.
        """
        if not self._frontier:
            return EMPTY
        folded = self._frontier[-1]
        for node in reversed(self._frontier[:-1]):
            folded = join(node, folded)
        return folded


class SumTree:
    """Every node over given leaves, level by level; two hashes and sums for each leaf."""

    __slots__ = ("_levels",)

    def __init__(self, hashes: Sequence[bytes], amounts: Sequence[int]) -> None:
        """Makes the nodes.

        Args:
            hashes: The hash of each leaf.
            amounts: The amount in each leaf's record, in minor units.

        Raises:
            ProofFailedError: An amount is not positive, or they add up to 2^63 or more.
        """
        if min(amounts, default=1) < 1 or {*map(len, hashes)} - {HASH_SIZE}:
            for digest, amount in zip(hashes, amounts, strict=True):
                _checked(SumNode(digest, amount, 1))
        # Every sum below is at most this one.
        if sum(amounts) >= TOTAL_LIMIT:
            raise ProofFailedError(reason=f"{len(amounts)} leaves add up to 2^63 or more")
        level = _Level(hashes, amounts, (1,) * len(hashes))
        self._levels = [level]
        while len(level.hashes) > 1:
            level = level.above()
            self._levels.append(level)

    @property
    def root(self) -> SumNode:
        """The node over all leaves."""
        top = self._levels[-1]
        return top.node(0) if top.hashes else EMPTY

    def path(self, index: int) -> tuple[SumNode, ...]:
        """Gives the path from one leaf to the root.

        Returns:
            The siblings with their sums and counts, from the leaf's upwards.

        Raises:
            InvariantBrokenError: The index is outside the tree (caller bug).
        """
        size = len(self._levels[0].hashes)
        if not 0 <= index < size:
            raise InvariantBrokenError(f"index {index} is outside a tree of {size}")
        path = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level.hashes):
                path.append(level.node(index ^ 1))
            index >>= 1
        return tuple(path)


class _Level(NamedTuple):
    """The nodes of one level of a tree, in columns."""

    hashes: Sequence[bytes]
    totals: Sequence[int]
    counts: Sequence[int]

    def node(self, index: int) -> SumNode:
        """Returns one of them."""
        return SumNode(self.hashes[index], self.totals[index], self.counts[index])

    def above(self) -> "_Level":
        """Makes the parents, as `join` does one by one."""
        # Each is asked twice in a turn: first for the left child, then for the right one.
        of, add, count = iter(self.hashes), iter(self.totals), iter(self.counts)
        hashes = [
            sha256(
                _pack_children(SUM_NODE_PREFIX, left, total, leaves, right, more, others)
            ).digest()
            for left, total, leaves, right, more, others in zip(
                of, add, count, of, add, count, strict=False
            )
        ]
        add, count = iter(self.totals), iter(self.counts)
        totals = list(map(operator.add, add, add))
        counts = list(map(operator.add, count, count))
        # What has no neighbour stands one level up as it is: the shape of RFC 6962.
        alone = slice(2 * len(hashes), None)
        return _Level(
            [*hashes, *self.hashes[alone]],
            [*totals, *self.totals[alone]],
            [*counts, *self.counts[alone]],
        )


def verify_path(path: Sequence[SumNode], *, leaf: SumNode, index: int, root: SumNode) -> None:
    """Verifies that one leaf stands at one index under a root, and was added into its sum.

    The leaf is to be made from its record by `hash_record`: its amount is proved by nothing
    else.

    Raises:
        ProofFailedError: The leaf is not one leaf, the index is outside the tree that the
            root counts (so always under an empty root), the path is too long or too short, a
            node's hash has another length than 32 bytes, a sibling does not count what stands
            in its place, a count is above its sum or a sum is not below 2^63, or the path does
            not lead to the root's hash, sum and count.

    Source: RFC 9162 section 2.1.3 for the shape.
    """
    if leaf.count != 1:
        raise ProofFailedError(reason=f"a leaf counts as 1, not as {leaf.count}")
    if not 0 <= index < root.count:
        raise ProofFailedError(reason=f"index {index} is outside a tree of {root.count}")
    # The shape follows from index and count alone; nothing in a path chooses a side or a size.
    places = tuple(_siblings(index, size=root.count))
    if len(path) != len(places):
        word = "long" if len(path) > len(places) else "short"
        raise ProofFailedError(reason=f"the path is too {word}")
    folded = leaf
    for sibling, (begin, end) in zip(path, places, strict=True):
        if sibling.count != end - begin:
            raise ProofFailedError(
                reason=f"a sibling counts {sibling.count} where {end - begin} leaves stand"
            )
        folded = join(sibling, folded) if begin < index else join(folded, sibling)
    if _checked(folded) != root:
        raise ProofFailedError(reason="the path does not lead to the root")


def _checked(node: SumNode) -> SumNode:
    """Refuses what cannot stand in a tree: every leaf has an amount of at least 1."""
    if len(node.hash) != HASH_SIZE:
        raise ProofFailedError(reason=f"a hash has {len(node.hash)} bytes, not {HASH_SIZE}")
    if not 0 < node.count <= node.total < TOTAL_LIMIT:
        raise ProofFailedError(reason=f"{node.count} leaves cannot add up to {node.total}")
    return node


def _siblings(index: int, *, size: int) -> Iterator[tuple[int, int]]:
    """Gives the ranges of leaves beside the way from a leaf to the root, upwards."""
    ranges = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + left_size(end - begin)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    return reversed(ranges)
