r"""The level-2 tree of one family of buckets: leaves change their place never, their value often.

An RFC 6962 tree whose every complete subtree is kept, so that a leaf costs the way above
it to replace, whatever the number of buckets, and a path costs nothing but a look:

            o  ← hashed anew
           / \
          o   o  ← hashed anew
         / \ / \
        0  1 2  3  ← replaced
"""

from array import array
from hashlib import sha256

from registry.errors import InvariantBrokenError
from registry.merkle import HASH_SIZE, NODE_PREFIX, root_at


class FamilyTree:
    """One family's level-2 tree: any leaf can be replaced, at the cost of the way above it.

    Every complete subtree is kept: 64 bytes for each bucket, and 8 for its sum.
    """

    def __init__(self) -> None:
        """Starts without a bucket."""
        self.total = 0
        self._sums = array("Q")
        self._levels = [bytearray()]
        self._changed: set[int] = set()
        self._missing: set[int] = set()

    @property
    def size(self) -> int:
        """Number of buckets."""
        return len(self._sums)

    def put(self, ordinal: int, leaf: bytes, total: int) -> None:
        """Places a bucket's leaf and sum; ordinals left out on the way are missing."""
        sums, leaves = self._sums, self._levels[0]
        if ordinal >= len(sums):
            self._missing.update(range(len(sums), ordinal))
            more = ordinal + 1 - len(sums)
            sums.extend([0] * more)
            leaves.extend(bytes(HASH_SIZE * more))
        self._missing.discard(ordinal)
        self.total += total - sums[ordinal]
        sums[ordinal] = total
        leaves[HASH_SIZE * ordinal : HASH_SIZE * (ordinal + 1)] = leaf
        self._changed.add(ordinal)

    def verify_whole(self) -> None:
        """Checks that no ordinal is missing.

        Raises:
            InvariantBrokenError: One is.
        """
        if self._missing:
            first = min(self._missing)
            raise InvariantBrokenError(f"ordinal {self.size - 1} after {first}")

    def subtree(self, level: int, index: int) -> bytes:
        """Gives the hash of a complete subtree of 2**level leaves."""
        self._settle()
        return bytes(self._levels[level][HASH_SIZE * index : HASH_SIZE * (index + 1)])

    def root(self) -> bytes:
        """Gives the hash over all leaves."""
        return root_at(self, self.size)

    def _settle(self) -> None:
        """Hashes what stands above changed leaves, each node once, level by level."""
        if not self._changed:
            return
        changed, self._changed = self._changed, set()
        for level in range(self.size.bit_length() - 1):
            below = self._levels[level]
            if len(self._levels) == level + 1:
                self._levels.append(bytearray())
            above, size = self._levels[level + 1], self.size >> (level + 1)
            above.extend(bytes(HASH_SIZE * size - len(above)))
            changed = {index >> 1 for index in changed}
            changed.discard(size)
            for index in changed:
                at = HASH_SIZE * index
                pair = below[2 * at : 2 * (at + HASH_SIZE)]
                above[at : at + HASH_SIZE] = sha256(NODE_PREFIX + pair).digest()
