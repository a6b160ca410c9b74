"""Lots as ranges of a voucher's minor units: a second proof that nothing is sold twice.

Number the minor units of a face from 1. Every split cuts a range in two, so at any
time the ranges of live and of consumed-by-payment lots partition the face. An auditor
that lays the ranges out finds a double sale as an overlap and a lost part as a gap,
without trusting the tree of parents.

Source: RG-38, GV-11 (the equal-division model of a neighbouring trade, as a check only).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from registry.errors import ProofFailedError


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """Minor units `first` to `last` of a face, both included, counted from 1."""

    first: int
    last: int

    @property
    def amount_minor(self) -> int:
        """How many there are."""
        return self.last - self.first + 1

    def cut(self, amount_minor: int) -> tuple["Range", "Range | None"]:
        """Cuts an amount off the front; what remains is None if that was all.

        Raises:
            ProofFailedError: The range does not hold so much, or nothing was cut off.
        """
        if not 0 < amount_minor <= self.amount_minor:
            raise ProofFailedError(reason=f"{amount_minor} of {self.amount_minor} minor")
        middle = self.first + amount_minor
        rest = Range(middle, self.last) if middle <= self.last else None
        return Range(self.first, middle - 1), rest


def verify_partition(ranges: Iterable[Range], *, face_minor: int) -> None:
    """Verifies that ranges make up a face: each minor unit in exactly one of them.

    Raises:
        ProofFailedError: Two overlap, or some of the face is in none.
    """
    expected = 1
    for each in sorted(ranges):
        if each.first < expected or each.last < each.first:
            raise ProofFailedError(reason=f"minor unit {each.first} is in two lots")
        if each.first > expected:
            raise ProofFailedError(reason=f"minor unit {expected} is in no lot")
        expected = each.last + 1
    if expected != face_minor + 1:
        raise ProofFailedError(reason=f"{expected - 1} of {face_minor} minor units are in lots")
