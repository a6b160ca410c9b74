"""Groups of affiliates, with the reference's numbers."""

from hypothesis import given
from hypothesis import strategies as st

from registry.affiliates import Pair, count_groups, group_of, groups_of
from tests.builders import uscc

A, B, C, D = (uscc(n) for n in range(1, 5))


def test_ten_debtors_of_which_two_are_affiliates_are_nine_groups() -> None:
    # SD-35: 10 unrelated debtors are asked for, and these fail.
    debtors = [uscc(n) for n in range(10)]
    assert count_groups(debtors, {}) == 10
    assert count_groups(debtors, groups_of([(debtors[3], debtors[7])])) == 9


def test_subsidiaries_meet_in_a_parent_that_is_no_debtor() -> None:
    parent = uscc(99)
    groups = groups_of([(A, parent), (B, parent)])
    assert group_of(A, groups) == group_of(B, groups) == A
    assert count_groups([A, B, C], groups) == 2


parties = st.integers(min_value=0, max_value=12).map(uscc)
pairs = st.lists(st.tuples(parties, parties), max_size=20)


@given(pairs, st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_pairs(found: list[Pair], random: object) -> None:
    turned = [(second, first) for first, second in found]
    random.shuffle(turned)  # type: ignore[attr-defined]
    assert groups_of(found) == groups_of(turned)


@given(pairs)
def test_groups_are_what_pairs_connect(found: list[Pair]) -> None:
    groups = groups_of(found)
    # A naive second opinion: spread names until nothing changes.
    naive = {party: party for pair in found for party in pair}
    for _ in naive:
        for first, second in found:
            naive[first] = naive[second] = min(naive[first], naive[second])
    assert groups == naive
