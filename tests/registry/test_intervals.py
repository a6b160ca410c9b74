"""Ranges of minor units: GV-11, RG-38."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import ProofFailedError
from registry.intervals import Range, verify_partition

WHOLE = Range(1, 120_000_000)


def test_gv_11_a_split_cuts_a_range() -> None:
    part, rest = WHOLE.cut(50_000_000)
    assert (part, rest) == (Range(1, 50_000_000), Range(50_000_001, 120_000_000))
    assert part.amount_minor == 50_000_000
    assert rest is not None
    verify_partition([rest, part], face_minor=120_000_000)


def test_all_of_it_leaves_nothing() -> None:
    assert WHOLE.cut(120_000_000) == (WHOLE, None)


@pytest.mark.parametrize("amount", [0, -1, 120_000_001])
def test_no_more_is_cut_off_than_there_is(amount: int) -> None:
    with pytest.raises(ProofFailedError):
        WHOLE.cut(amount)


ATTACKS = {
    "the same part sold twice": [Range(1, 60), Range(1, 60), Range(61, 100)],
    "an overlap of one fen": [Range(1, 60), Range(60, 100)],
    "a gap of one fen": [Range(1, 60), Range(62, 100)],
    "a phantom behind the end": [Range(1, 100), Range(101, 110)],
    "the tail cut off": [Range(1, 99)],
    "nothing at all": [],
    "a range from behind": [Range(1, 0), Range(1, 100)],
    "minor unit nought": [Range(0, 100)],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_overlap_or_a_gap_is_found(attack: str) -> None:
    with pytest.raises(ProofFailedError):
        verify_partition(ATTACKS[attack], face_minor=100)


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=30))
def test_however_it_is_split_it_is_a_partition(amounts: list[int]) -> None:
    face = sum(amounts)
    left: Range | None = Range(1, face)
    parts = []
    for amount in amounts:
        assert left is not None
        part, left = left.cut(amount)
        parts.append(part)
    verify_partition(parts, face_minor=face)
