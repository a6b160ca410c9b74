"""Trees that add up, and the forgeries that they refuse."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvariantBrokenError, ProofFailedError
from registry.sumtree import (
    EMPTY,
    SumNode,
    SumRange,
    SumTree,
    hash_record,
    join,
    verify_path,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "sumtree"
SIZE_MAX = 64
LEAVES = tuple(hash_record(b"record %d" % n, 1000 + n * n) for n in range(SIZE_MAX))
sizes = st.integers(1, SIZE_MAX)


def vectors(prefix: str) -> list[Any]:
    paths = sorted(VECTORS.glob(f"{prefix}*.json"))
    assert paths
    return [pytest.param(json.loads(path.read_text("utf-8")), id=path.stem) for path in paths]


def node_of(value: dict[str, Any]) -> SumNode:
    return SumNode(bytes.fromhex(value["hash"]), value["total"], value["count"])


def naive_root(leaves: Sequence[SumNode]) -> SumNode:
    """The definition, word for word."""
    if not leaves:
        return SumNode(sha256(b"\x22").digest(), 0, 0)
    if len(leaves) == 1:
        return leaves[0]
    k = max(power for power in (1 << n for n in range(8)) if power < len(leaves))
    left, right = naive_root(leaves[:k]), naive_root(leaves[k:])
    data = b"\x21"
    for child in (left, right):
        data += child.hash + child.total.to_bytes(8, "big") + child.count.to_bytes(8, "big")
    return SumNode(sha256(data).digest(), left.total + right.total, left.count + right.count)


ROOTS = [naive_root(LEAVES[:size]) for size in range(SIZE_MAX + 1)]


def tree_of(leaves: Sequence[SumNode]) -> SumTree:
    return SumTree([leaf.hash for leaf in leaves], [leaf.total for leaf in leaves])


def root_of_records(leaves: Sequence[SumNode], *, parts: int = 1) -> SumNode:
    """Grows a tree by some leaves at a time."""
    tree = SumRange()
    for start in range(0, len(leaves), parts):
        some = leaves[start : start + parts]
        tree.extend([leaf.hash for leaf in some], [leaf.total for leaf in some])
    return tree.root()


TREES = [tree_of(LEAVES[:size]) for size in range(SIZE_MAX + 1)]


class TestRoots:
    @pytest.mark.parametrize("vector", vectors("roots"))
    def test_vectors(self, vector: Any) -> None:
        leaves = [
            hash_record(case["record"].encode(), case["amount"])
            for case in vector["input"]["records"]
        ]
        roots = [root_of_records(leaves[:size]) for size in range(len(leaves) + 1)]
        assert roots == [node_of(want) for want in vector["want"]]

    def test_every_small_root_is_that_of_the_definition(self) -> None:
        assert [tree.root for tree in TREES] == ROOTS
        for parts in (1, 2, 3, 7, 8, SIZE_MAX):
            grown = [root_of_records(LEAVES[:n], parts=parts) for n in range(SIZE_MAX + 1)]
            assert grown == ROOTS, parts

    def test_a_growing_tree_has_every_root_on_its_way(self) -> None:
        tree = SumRange()
        roots = [tree.root()]
        for leaf in LEAVES:
            tree.extend([leaf.hash], [leaf.total])
            roots.append(tree.root())
        assert roots == ROOTS

    def test_subtrees_made_elsewhere_give_the_same_roots(self) -> None:
        for size in range(SIZE_MAX + 1):
            for width in (1, 2, 4, 8):
                tree = SumRange()
                for start in range(0, size, width):
                    apart = SumRange()
                    some = LEAVES[start : min(start + width, size)]
                    apart.extend([leaf.hash for leaf in some], [leaf.total for leaf in some])
                    for subtree in apart.frontier:
                        tree.join(subtree)
                assert tree.root() == ROOTS[size], (size, width)

    @pytest.mark.parametrize("count", [-1, 0, 2, 3, 6])
    def test_refuses_a_subtree_that_cannot_stand_there(self, count: int) -> None:
        tree = SumRange()
        tree.join(LEAVES[0])
        with pytest.raises(InvariantBrokenError, match="behind 1"):
            tree.join(SumNode(bytes(32), 10, count))

    def test_empty_tree_has_a_hash_of_its_own(self) -> None:
        assert root_of_records([]) == EMPTY == SumNode(sha256(b"\x22").digest(), 0, 0)

    def test_leaf_hash_covers_the_record(self) -> None:
        assert hash_record(b"record", 7) == SumNode(sha256(b"\x20record").digest(), 7, 1)

    @pytest.mark.parametrize("amount", [-1, 0, 2**63])
    def test_refuses_an_amount_that_cannot_be(self, amount: int) -> None:
        with pytest.raises(ProofFailedError, match="1 leaves cannot add up"):
            hash_record(b"record", amount)

    def test_refuses_a_sum_of_two_to_the_63(self) -> None:
        half = hash_record(b"half", 2**62)
        assert join(half, hash_record(b"less", 2**62 - 1)).total == 2**63 - 1
        with pytest.raises(ProofFailedError, match="add up to 2\\^63 or more"):
            root_of_records([half, half])
        with pytest.raises(ProofFailedError, match="add up to 2\\^63 or more"):
            root_of_records([LEAVES[0], half, half])
        with pytest.raises(ProofFailedError, match="add up to 2\\^63 or more"):
            tree_of([half, LEAVES[0], half])

    @pytest.mark.parametrize(
        ("digest", "amount"),
        [(bytes(31), 1), (bytes(32), 0), (bytes(32), 2**63), (bytes(32), 2**99)],
    )
    def test_a_growing_tree_refuses_what_is_no_leaf(self, digest: bytes, amount: int) -> None:
        with pytest.raises(ProofFailedError):
            SumRange().extend([digest], [amount])
        with pytest.raises(ProofFailedError):
            SumTree([LEAVES[0].hash, digest], [1, amount])

    def test_refuses_to_join_the_empty_tree(self) -> None:
        with pytest.raises(ProofFailedError):
            join(LEAVES[0], EMPTY)


class TestPaths:
    @pytest.mark.parametrize("vector", vectors("path-"))
    def test_vectors(self, vector: Any) -> None:
        case = vector["input"]
        path = [node_of(node) for node in case["path"]]
        leaf, root = node_of(case["leaf"]), node_of(case["root"])
        if "want" in vector:
            verify_path(path, leaf=leaf, index=case["index"], root=root)
            return
        with pytest.raises(ProofFailedError) as caught:
            verify_path(path, leaf=leaf, index=case["index"], root=root)
        assert str(caught.value) == vector["want_error"]

    def test_all_paths_up_to_64_leaves(self) -> None:
        """Every index of every size, folded into one pinned hash."""
        outputs = sha256()
        for size in range(SIZE_MAX + 1):
            outputs.update(repr(ROOTS[size]).encode())
            for index in range(size):
                path = TREES[size].path(index)
                verify_path(path, leaf=LEAVES[index], index=index, root=ROOTS[size])
                outputs.update(repr(path).encode())
        assert (
            outputs.hexdigest()
            == "074f97b54475a82813c738c1db3f027e9483a5a2a20e0a6d4743250064fff4e2"
        )

    def test_no_path_is_good_for_another_index_or_count(self) -> None:
        for size in range(1, SIZE_MAX + 1):
            index, root = size // 3, ROOTS[size]
            path = TREES[size].path(index)
            for other in {*range(-1, size + 2)} - {index}:
                with pytest.raises(ProofFailedError):
                    verify_path(path, leaf=LEAVES[index], index=other, root=root)
            for count in {*range(-1, SIZE_MAX + 2)} - {size}:
                false = SumNode(root.hash, root.total, count)
                with pytest.raises(ProofFailedError):
                    verify_path(path, leaf=LEAVES[index], index=index, root=false)

    @given(size=sizes, data=st.data())
    def test_any_flipped_bit_is_refused(self, size: int, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, size - 1))
        nodes = [LEAVES[index], ROOTS[size], *TREES[size].path(index)]
        which = data.draw(st.integers(0, len(nodes) - 1))
        good = nodes[which]
        bit = data.draw(st.integers(0, 32 * 8 + 64 + 64 - 1))
        if bit < 256:
            number = int.from_bytes(good.hash, "big") ^ 1 << bit
            nodes[which] = SumNode(number.to_bytes(32, "big"), good.total, good.count)
        elif bit < 320:
            nodes[which] = SumNode(good.hash, good.total ^ 1 << (bit - 256), good.count)
        else:
            nodes[which] = SumNode(good.hash, good.total, good.count ^ 1 << (bit - 320))
        with pytest.raises(ProofFailedError):
            verify_path(nodes[2:], leaf=nodes[0], index=index, root=nodes[1])

    @pytest.mark.parametrize("index", [-1, 5])
    def test_proves_only_what_is_in_the_tree(self, index: int) -> None:
        with pytest.raises(InvariantBrokenError):
            TREES[5].path(index)


class TestHidingWhatANodeDoesNotSee:
    """The attack on sum trees whose nodes commit to a total only.

    Source: Hu, Zhang and Guo, Breaking the Binding: Attacks on the Merkle Approach to Prove
    Liabilities and its Applications, Cryptology ePrint Archive 2018/1139.
    """

    OWED = (10, 10)

    @staticmethod
    def naive_parent(left: SumNode, right: SumNode, total: int) -> bytes:
        """What the broken construction hashes: the total, then both hashes."""
        return sha256(total.to_bytes(8, "big") + left.hash + right.hash).digest()

    def test_total_alone_lets_both_holders_verify_half_of_what_is_owed(self) -> None:
        """The attack works on the broken construction, so the next test is about something."""
        first, second = (hash_record(b"holder %d" % n, self.OWED[n]) for n in range(2))
        published = max(self.OWED)
        root = self.naive_parent(first, second, published)
        # Each holder adds its true amount to the sum it is shown for the other: nothing.
        shown_second = SumNode(second.hash, published - self.OWED[0], 1)
        shown_first = SumNode(first.hash, published - self.OWED[1], 1)
        assert self.naive_parent(first, shown_second, first.total + shown_second.total) == root
        assert self.naive_parent(shown_first, second, shown_first.total + second.total) == root
        assert published < sum(self.OWED)

    @pytest.mark.parametrize("hidden", range(1, 11))
    def test_both_sums_in_the_hash_leave_one_split_only(self, hidden: int) -> None:
        """Whatever the operator commits to, one of the two holders does not verify."""
        first, second = (hash_record(b"holder %d" % n, self.OWED[n]) for n in range(2))
        for committed in (
            (first, SumNode(second.hash, hidden, 1)),
            (SumNode(first.hash, hidden, 1), second),
        ):
            root = join(*committed)
            verified = 0
            for index, leaf in enumerate((first, second)):
                for shown in range(21):
                    sibling = SumNode((second, first)[index].hash, shown, 1)
                    try:
                        verify_path([sibling], leaf=leaf, index=index, root=root)
                    except ProofFailedError:
                        continue
                    verified += 1
            assert verified == (2 if root.total == sum(self.OWED) else 1)

    def test_a_leaf_of_nothing_cannot_take_a_place(self) -> None:
        """Counts below sums: a sum of 0 beside a true leaf is refused before any hashing."""
        first = hash_record(b"holder 0", 10)
        with pytest.raises(ProofFailedError, match="1 leaves cannot add up to 0"):
            verify_path(
                [SumNode(bytes(32), 0, 1)], leaf=first, index=0, root=SumNode(bytes(32), 10, 2)
            )

    def test_a_second_tree_cannot_hide_behind_one_place(self) -> None:
        """A sibling that holds more leaves than its place is refused, whatever its hash."""
        hidden = join(LEAVES[1], LEAVES[2])
        root = join(LEAVES[0], hidden)
        assert root.count == 3
        with pytest.raises(ProofFailedError, match="the path is too short"):
            verify_path([hidden], leaf=LEAVES[0], index=0, root=root)
