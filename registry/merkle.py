r"""The log's Merkle tree: one hash for any number of entries, and short proofs about it.

A tree of n leaves has its left part filled with the largest power of two below n:

        size 3            size 5
          o                 o
         / \              /   \
        o   2            o     4
       / \             /   \
      0   1           o     o
                     / \   / \
                    0   1 2   3

Two proofs follow from that shape. An inclusion proof shows that one leaf stands at one index.
A consistency proof shows that an older tree is the beginning of a newer one, so nothing was
changed or taken out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from registry.errors import InvariantBrokenError, ProofFailedError

HASH_SIZE: Final = 32
LEAF_PREFIX: Final = b"\x00"
NODE_PREFIX: Final = b"\x01"
EMPTY_ROOT: Final = sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What a tree is: its number of leaves and the hash over them."""

    size: int
    root: bytes


def hash_leaf(data: bytes) -> bytes:
    """Hashes one entry.

    Source: RFC 9162 section 2.1.1.
    """
    return sha256(LEAF_PREFIX + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Hashes two neighbours into the node above them.

    Source: RFC 9162 section 2.1.1.
    """
    return sha256(NODE_PREFIX + left + right).digest()


def left_size(size: int) -> int:
    """Gives how many of at least two leaves stand in the left part of their tree."""
    return 1 << (size - 1).bit_length() - 1


class CompactRange:
    """A growing tree, kept as the roots of its complete subtrees: at most 63 hashes.

    The frontier has one hash for each bit set in the size, the largest subtree first.
    """

    __slots__ = ("_frontier", "_size")

    def __init__(self, size: int = 0, frontier: Iterable[bytes] = ()) -> None:
        """Continues from a size and its frontier.

        Raises:
            InvariantBrokenError: The frontier does not fit the size.
        """
        self._size = size
        self._frontier = list(frontier)
        if size < 0 or len(self._frontier) != size.bit_count():
            raise InvariantBrokenError(f"{len(self._frontier)} hashes for a tree of {size}")
        if any(len(node) != HASH_SIZE for node in self._frontier):
            raise InvariantBrokenError(f"a frontier hash has not {HASH_SIZE} bytes")

    def append(self, leaf_hash: bytes) -> None:
        """Adds one leaf.

        Raises:
            InvariantBrokenError: The leaf hash has another length.
        """
        if len(leaf_hash) != HASH_SIZE:
            raise InvariantBrokenError(f"a leaf hash has {len(leaf_hash)} bytes")
        frontier, size, node = self._frontier, self._size, leaf_hash
        # Each trailing one of the size is a subtree as large as the one in hand.
        while size & 1:
            node = sha256(NODE_PREFIX + frontier.pop() + node).digest()
            size >>= 1
        frontier.append(node)
        self._size += 1

    def root(self) -> bytes:
        """Gives the hash over all leaves."""
        return _fold(self._frontier)

    def head(self) -> TreeHead:
        """Gives size and root."""
        return TreeHead(self._size, self.root())

    def copy(self) -> "CompactRange":
        """Gives an independent tree that goes on from here."""
        return CompactRange(self._size, self._frontier)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def frontier(self) -> tuple[bytes, ...]:
        """Roots of the complete subtrees, the largest first."""
        return tuple(self._frontier)


class HashReader(Protocol):
    """Gives the hashes of complete subtrees of one tree; proofs are read from nothing else."""

    def subtree(self, level: int, index: int) -> bytes:
        """Gives the hash of subtree number `index` among those of 2**level leaves."""
        ...


class MemoryHashes:
    """Keeps every complete subtree of a growing tree in memory: two hashes per leaf."""

    __slots__ = ("_levels",)

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        """Starts with some leaves."""
        self._levels: list[list[bytes]] = [[]]
        for leaf_hash in leaf_hashes:
            self.append(leaf_hash)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return len(self._levels[0])

    def append(self, leaf_hash: bytes) -> None:
        """Adds one leaf."""
        node = leaf_hash
        for nodes in self._levels:
            nodes.append(node)
            if len(nodes) & 1:
                return
            node = hash_node(nodes[-2], nodes[-1])
        self._levels.append([node])

    def subtree(self, level: int, index: int) -> bytes:
        """Gives one subtree's hash.

        Raises:
            InvariantBrokenError: The tree has no such complete subtree.
        """
        if not 0 <= level < len(self._levels) or not 0 <= index < len(self._levels[level]):
            raise InvariantBrokenError(f"no subtree {index} of 2**{level} in {self.size} leaves")
        return self._levels[level][index]


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Computes the root over leaf hashes, keeping only the frontier of the tree."""
    tree = CompactRange()
    for leaf_hash in leaf_hashes:
        tree.append(leaf_hash)
    return tree.root()


def root_at(hashes: HashReader, size: int) -> bytes:
    """Computes the root that the tree had at an earlier size."""
    return _range_root(hashes, begin=0, end=size)


def prove_inclusion(hashes: HashReader, *, index: int, size: int) -> tuple[bytes, ...]:
    """Builds the path from one leaf to the root of a size.

    Returns:
        The siblings, from the leaf's upwards.

    Raises:
        InvariantBrokenError: The index is outside the tree (the caller has not checked).

    Source: RFC 9162 section 2.1.3.1.
    """
    if not 0 <= index < size:
        raise InvariantBrokenError(f"index {index} is outside a tree of {size}")
    path = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + left_size(end - begin)
        if index < middle:
            path.append(_range_root(hashes, begin=middle, end=end))
            end = middle
        else:
            path.append(_range_root(hashes, begin=begin, end=middle))
            begin = middle
    return tuple(reversed(path))


def prove_consistency(hashes: HashReader, *, old_size: int, new_size: int) -> tuple[bytes, ...]:
    """Builds the proof that the tree of the old size begins the tree of the new size.

    Raises:
        InvariantBrokenError: The sizes are not in order, or the old one is 0: every tree
            begins with nothing, which needs no proof.

    Source: RFC 9162 section 2.1.4.1.
    """
    if not 0 < old_size <= new_size:
        raise InvariantBrokenError(f"no consistency proof from size {old_size} to {new_size}")
    path = []
    begin, end = 0, new_size
    while end > old_size:
        middle = begin + left_size(end - begin)
        if old_size <= middle:
            path.append(_range_root(hashes, begin=middle, end=end))
            end = middle
        else:
            path.append(_range_root(hashes, begin=begin, end=middle))
            begin = middle
    # What is left ends the old tree; the verifier has it already if it is the whole of it.
    if begin > 0:
        path.append(_range_root(hashes, begin=begin, end=end))
    return tuple(reversed(path))


def verify_inclusion(
    path: Sequence[bytes], *, leaf_hash: bytes, leaf_index: int, head: TreeHead
) -> None:
    """Verifies that one leaf stands at one index of the tree that a head commits to.

    Raises:
        ProofFailedError: The index is outside the tree (so always at size 0), a hash has
            another length than 32 bytes, the path is too long or too short, or it does not
            lead to the root.

    Source: RFC 9162 section 2.1.3.2.
    """
    # 1. The index must lie inside the tree.
    if not 0 <= leaf_index < head.size:
        raise ProofFailedError(reason=f"index {leaf_index} is outside a tree of {head.size}")
    _require_hashes(*path, leaf_hash, head.root)
    # 2-3. `last` is the rightmost index on the level of `index`.
    index, last, folded = leaf_index, head.size - 1, leaf_hash
    # 4. Fold the path.
    for sibling in path:
        if last == 0:
            raise ProofFailedError(reason="the path is too long")
        if index & 1 or index == last:
            folded = hash_node(sibling, folded)
            while not index & 1 and index != 0:
                index, last = index >> 1, last >> 1
        else:
            folded = hash_node(folded, sibling)
        index, last = index >> 1, last >> 1
    # 5. The whole path was needed, and it leads to the root.
    if last != 0:
        raise ProofFailedError(reason="the path is too short")
    if folded != head.root:
        raise ProofFailedError(reason="the path does not lead to the root")


def verify_consistency(path: Sequence[bytes], *, old: TreeHead, new: TreeHead) -> None:
    """Verifies that an older tree is the beginning of a newer one.

    Raises:
        ProofFailedError: The old size is 0 (the caller's case) or above the new one, a hash
            has another length than 32 bytes, the path is too long or too short, or it does
            not lead to both roots.

    Source: RFC 9162 section 2.1.4.2.
    """
    if not 0 < old.size <= new.size:
        raise ProofFailedError(reason=f"size {old.size} does not begin size {new.size}")
    _require_hashes(*path, old.root, new.root)
    if old.size == new.size:
        if path:
            raise ProofFailedError(reason="the path is too long")
        if old.root != new.root:
            raise ProofFailedError(reason="two roots for one size")
        return
    # 1-2. An old tree that is one complete subtree stands for its own first hash.
    walk = [old.root, *path] if old.size.bit_count() == 1 else list(path)
    if not walk:
        raise ProofFailedError(reason="the path is too short")
    # 3-4. `index` is the old tree's last leaf, `last` the new one's, both on the level of the
    # largest subtree that ends the old tree.
    index, last = old.size - 1, new.size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    # 5-6. Fold both roots at once.
    old_folded = new_folded = walk[0]
    for sibling in walk[1:]:
        if last == 0:
            raise ProofFailedError(reason="the path is too long")
        if index & 1 or index == last:
            old_folded = hash_node(sibling, old_folded)
            new_folded = hash_node(sibling, new_folded)
            while not index & 1 and index != 0:
                index, last = index >> 1, last >> 1
        else:
            new_folded = hash_node(new_folded, sibling)
        index, last = index >> 1, last >> 1
    # 7. The whole path was needed, and it leads to both roots.
    if last != 0:
        raise ProofFailedError(reason="the path is too short")
    if old_folded != old.root:
        raise ProofFailedError(reason="the path does not lead to the old root")
    if new_folded != new.root:
        raise ProofFailedError(reason="the path does not lead to the new root")


def _require_hashes(*hashes: bytes) -> None:
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise ProofFailedError(reason=f"a hash has {len(value)} bytes, not {HASH_SIZE}")


def _fold(frontier: Sequence[bytes]) -> bytes:
    if not frontier:
        return EMPTY_ROOT
    folded = frontier[-1]
    for node in reversed(frontier[:-1]):
        folded = hash_node(node, folded)
    return folded


def _range_root(hashes: HashReader, *, begin: int, end: int) -> bytes:
    """Computes the root over leaves [begin, end), where begin is aligned for that many."""
    frontier = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        frontier.append(hashes.subtree(level, begin >> level))
        begin += 1 << level
    return _fold(frontier)
