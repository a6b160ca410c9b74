"""Verdicts: the exit codes, and which of several wins."""

from itertools import chain, combinations

import pytest

from registry.verdicts import PRECEDENCE, Finding, Verdict, worst


def findings(*verdicts: Verdict) -> list[Finding]:
    return [Finding(verdict=verdict, where="x", reason="y") for verdict in verdicts]


def test_exit_codes_are_those_of_the_format() -> None:
    assert {verdict.name: int(verdict) for verdict in Verdict} == {
        "VERIFIED": 0,
        "INVALID": 10,
        "UNANCHORED": 11,
        "DIVERGED": 12,
        "INCOMPLETE": 13,
    }


def test_precedence_is_12_10_13_11() -> None:
    assert [int(verdict) for verdict in PRECEDENCE] == [12, 10, 13, 11, 0]


def test_without_findings_it_is_verified() -> None:
    assert worst([]) is Verdict.VERIFIED


@pytest.mark.parametrize(
    "found", [*chain.from_iterable(combinations(Verdict, n) for n in range(1, 6))], ids=str
)
def test_the_first_in_precedence_wins_in_any_order(found: tuple[Verdict, ...]) -> None:
    want = min(found, key=PRECEDENCE.index)
    assert worst(findings(*found)) is want
    assert worst(findings(*reversed(found))) is want
