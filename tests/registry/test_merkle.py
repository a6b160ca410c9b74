"""The log's Merkle tree, its proofs, and what is refused as a proof."""

import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvariantBrokenError, ProofFailedError
from registry.merkle import (
    EMPTY_ROOT,
    CompactRange,
    MemoryHashes,
    TreeHead,
    hash_leaf,
    hash_node,
    prove_consistency,
    prove_inclusion,
    root_at,
    root_of,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "merkle"
SIZE_MAX = 64
LEAVES = tuple(hash_leaf(n.to_bytes(8, "big")) for n in range(SIZE_MAX))
HASHES = MemoryHashes(LEAVES)
sizes = st.integers(1, SIZE_MAX)


def vectors(prefix: str) -> list[Any]:
    paths = sorted(VECTORS.glob(f"{prefix}*.json"))
    assert paths
    return [pytest.param(json.loads(path.read_text("utf-8")), id=path.stem) for path in paths]


def from_hex(values: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(value) for value in values)


def head_of(value: dict[str, Any]) -> TreeHead:
    return TreeHead(value["size"], bytes.fromhex(value["root"]))


def largest_power_below(size: int) -> int:
    return max(power for power in (1 << n for n in range(8)) if power < size)


@cache
def naive_root(leaves: tuple[bytes, ...]) -> bytes:
    """The definition of RFC 9162 section 2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = largest_power_below(len(leaves))
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(index: int, leaves: tuple[bytes, ...]) -> list[bytes]:
    """The definition of RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m: int, leaves: tuple[bytes, ...], *, known: bool) -> list[bytes]:
    """The definition of RFC 9162 section 2.1.4.1."""
    if m == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*naive_subproof(m, leaves[:k], known=known), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], known=False), naive_root(leaves[:k])]


HEADS = [TreeHead(size, naive_root(LEAVES[:size])) for size in range(SIZE_MAX + 1)]


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)


class TestRoots:
    @pytest.mark.parametrize("vector", vectors("roots"))
    def test_published_roots(self, vector: Any) -> None:
        leaves = [hash_leaf(bytes.fromhex(leaf)) for leaf in vector["input"]["leaves"]]
        assert [root_of(leaves[:size]).hex() for size in range(9)] == vector["want"]

    def test_empty_tree_has_the_hash_of_nothing(self) -> None:
        assert root_of([]) == EMPTY_ROOT == sha256(b"").digest()
        assert CompactRange().head() == TreeHead(0, EMPTY_ROOT)

    def test_leaf_and_node_never_meet(self) -> None:
        """A node's two hashes, read as an entry, hash to something else."""
        left, right = LEAVES[:2]
        assert hash_leaf(left + right) != hash_node(left, right)

    def test_every_way_to_the_root_agrees(self) -> None:
        tree = CompactRange()
        for size in range(SIZE_MAX + 1):
            assert tree.head() == HEADS[size]
            assert root_of(LEAVES[:size]) == root_at(HASHES, size) == HEADS[size].root
            if size < SIZE_MAX:
                tree.append(LEAVES[size])


class TestCompactRange:
    @pytest.mark.parametrize("size", range(SIZE_MAX))
    def test_goes_on_from_its_frontier(self, size: int) -> None:
        tree = CompactRange()
        for leaf in LEAVES[:size]:
            tree.append(leaf)
        again = CompactRange(tree.size, tree.frontier)
        again.append(LEAVES[size])
        assert again.head() == HEADS[size + 1]
        assert tree.head() == HEADS[size]

    def test_copy_is_independent(self) -> None:
        tree = CompactRange()
        tree.append(LEAVES[0])
        copy = tree.copy()
        copy.append(LEAVES[1])
        assert (tree.head(), copy.head()) == (HEADS[1], HEADS[2])

    @pytest.mark.parametrize(
        ("size", "frontier"),
        [
            pytest.param(0, LEAVES[:1], id="hash-for-nothing"),
            pytest.param(1, [], id="missing"),
            pytest.param(3, LEAVES[:3], id="one-too-many"),
            pytest.param(-1, LEAVES[:1], id="negative-size"),
            pytest.param(2, [LEAVES[0][:31]], id="truncated-hash"),
        ],
    )
    def test_refuses_a_frontier_that_does_not_fit(
        self, size: int, frontier: Sequence[bytes]
    ) -> None:
        with pytest.raises(InvariantBrokenError):
            CompactRange(size, frontier)

    def test_refuses_a_leaf_that_is_no_hash(self) -> None:
        tree = CompactRange()
        with pytest.raises(InvariantBrokenError, match="a leaf hash has 5 bytes"):
            tree.append(b"entry")
        assert tree.size == 0


class TestMemoryHashes:
    def test_gives_every_complete_subtree(self) -> None:
        for level in range(7):
            width = 1 << level
            for index in range(SIZE_MAX // width):
                leaves = LEAVES[index * width : (index + 1) * width]
                assert HASHES.subtree(level, index) == naive_root(leaves)

    @pytest.mark.parametrize(("level", "index"), [(0, 5), (1, 2), (3, 0), (-1, 0), (0, -1)])
    def test_refuses_a_subtree_that_is_not_complete(self, level: int, index: int) -> None:
        with pytest.raises(InvariantBrokenError, match="in 5 leaves"):
            MemoryHashes(LEAVES[:5]).subtree(level, index)


class TestEverySmallTree:
    def test_all_proofs_up_to_64_leaves(self) -> None:
        """Every index of every size and every pair of sizes, folded into one pinned hash."""
        outputs = sha256()
        for size in range(1, SIZE_MAX + 1):
            outputs.update(HEADS[size].root)
            for index in range(size):
                path = prove_inclusion(HASHES, index=index, size=size)
                assert list(path) == naive_path(index, LEAVES[:size])
                verify_inclusion(path, leaf_hash=LEAVES[index], leaf_index=index, head=HEADS[size])
                outputs.update(b"".join(path))
            for old_size in range(1, size + 1):
                path = prove_consistency(HASHES, old_size=old_size, new_size=size)
                assert list(path) == naive_subproof(old_size, LEAVES[:size], known=True)
                verify_consistency(path, old=HEADS[old_size], new=HEADS[size])
                outputs.update(b"".join(path))
        assert (
            outputs.hexdigest()
            == "93e5f4beccf712f9bd0a579e45acdc1d885fd97dbcd80482d8ff2eb49773c1ba"
        )

    def test_no_path_is_good_for_another_index(self) -> None:
        for size in range(1, SIZE_MAX + 1):
            index = size // 3
            path = prove_inclusion(HASHES, index=index, size=size)
            for other in {*range(-1, size + 2)} - {index}:
                with pytest.raises(ProofFailedError):
                    verify_inclusion(
                        path, leaf_hash=LEAVES[index], leaf_index=other, head=HEADS[size]
                    )


class TestInclusion:
    @pytest.mark.parametrize("vector", vectors("inclusion"))
    def test_vectors(self, vector: Any) -> None:
        case = vector["input"]
        path, head = from_hex(case["path"]), head_of(case["head"])
        leaf, index = bytes.fromhex(case["leaf_hash"]), case["leaf_index"]
        if "want" in vector:
            verify_inclusion(path, leaf_hash=leaf, leaf_index=index, head=head)
            return
        with pytest.raises(ProofFailedError) as caught:
            verify_inclusion(path, leaf_hash=leaf, leaf_index=index, head=head)
        assert str(caught.value) == vector["want_error"]

    @given(size=sizes, data=st.data())
    def test_any_flipped_bit_is_refused(self, size: int, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, size - 1))
        path = prove_inclusion(HASHES, index=index, size=size)
        values = [LEAVES[index], HEADS[size].root, *path]
        which = data.draw(st.integers(0, len(values) - 1))
        values[which] = flip(values[which], data.draw(st.integers(0, 255)))
        with pytest.raises(ProofFailedError, match="does not lead to the root"):
            verify_inclusion(
                values[2:], leaf_hash=values[0], leaf_index=index, head=TreeHead(size, values[1])
            )

    @given(size=sizes, path=st.lists(st.binary(min_size=32, max_size=32), max_size=8))
    def test_made_up_paths_are_refused(self, size: int, path: list[bytes]) -> None:
        with pytest.raises(ProofFailedError):
            verify_inclusion(path, leaf_hash=hash_leaf(b"no"), leaf_index=0, head=HEADS[size])

    @pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3)])
    def test_proves_only_what_is_in_the_tree(self, index: int, size: int) -> None:
        with pytest.raises(InvariantBrokenError):
            prove_inclusion(HASHES, index=index, size=size)


class TestConsistency:
    @pytest.mark.parametrize("vector", vectors("consistency"))
    def test_vectors(self, vector: Any) -> None:
        case = vector["input"]
        path, old, new = from_hex(case["path"]), head_of(case["old"]), head_of(case["new"])
        if "want" in vector:
            verify_consistency(path, old=old, new=new)
            return
        with pytest.raises(ProofFailedError) as caught:
            verify_consistency(path, old=old, new=new)
        assert str(caught.value) == vector["want_error"]

    @given(new_size=st.integers(2, SIZE_MAX), data=st.data())
    def test_any_flipped_bit_is_refused(self, new_size: int, data: st.DataObject) -> None:
        old_size = data.draw(st.integers(1, new_size))
        path = prove_consistency(HASHES, old_size=old_size, new_size=new_size)
        values = [HEADS[old_size].root, HEADS[new_size].root, *path]
        which = data.draw(st.integers(0, len(values) - 1))
        values[which] = flip(values[which], data.draw(st.integers(0, 255)))
        old, new = TreeHead(old_size, values[0]), TreeHead(new_size, values[1])
        with pytest.raises(ProofFailedError):
            verify_consistency(values[2:], old=old, new=new)

    @given(data=st.data())
    def test_a_rewritten_entry_is_refused(self, data: st.DataObject) -> None:
        """An operator who changes one old entry finds no path out of the new tree."""
        new_size = data.draw(st.integers(2, SIZE_MAX))
        old_size = data.draw(st.integers(1, new_size - 1))
        leaves = list(LEAVES[:new_size])
        leaves[data.draw(st.integers(0, old_size - 1))] = hash_leaf(b"rewritten")
        forged = MemoryHashes(leaves)
        path = prove_consistency(forged, old_size=old_size, new_size=new_size)
        new = TreeHead(new_size, root_at(forged, new_size))
        with pytest.raises(ProofFailedError):
            verify_consistency(path, old=HEADS[old_size], new=new)

    @pytest.mark.parametrize(("old_size", "new_size"), [(0, 3), (-1, 3), (4, 3)])
    def test_proves_only_sizes_in_order(self, old_size: int, new_size: int) -> None:
        with pytest.raises(InvariantBrokenError):
            prove_consistency(HASHES, old_size=old_size, new_size=new_size)
