"""Verdicts: what a verifier says, as an exit code.

Source: docs/formats.md, Verdicts; precedence 12 > 10 > 13 > 11.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """The outcome of a verification."""

    VERIFIED = 0
    INVALID = 10
    UNANCHORED = 11
    DIVERGED = 12
    INCOMPLETE = 13


PRECEDENCE = (
    Verdict.DIVERGED,
    Verdict.INVALID,
    Verdict.INCOMPLETE,
    Verdict.UNANCHORED,
    Verdict.VERIFIED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it must be.

    Attributes:
        verdict: What it means.
        where: The file or the entry.
        reason: What is wrong there.
    """

    verdict: Verdict
    where: str
    reason: str


def worst(findings: Iterable[Finding]) -> Verdict:
    """Returns the verdict of all findings together; verified without any."""
    found = {finding.verdict for finding in findings}
    return next((each for each in PRECEDENCE if each in found), Verdict.VERIFIED)
