"""Priority between claims: GV-10, and shares to the fen."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvariantBrokenError
from registry.priority import Claim, distribute, priority, safe_payee
from tests.builders import instant

A = Claim(name="A", financed_minor=100, registered_at=instant(date(2026, 3, 2), hour=10))
B = Claim(name="B", financed_minor=100, registered_at=A.registered_at - 60_000)  # type: ignore[operator]
C = Claim(name="C", financed_minor=100, noticed_at=instant(date(2026, 3, 1)))
D = Claim(name="D", financed_minor=60_000)
E = Claim(name="E", financed_minor=100, noticed_at=instant(date(2026, 3, 2)))
G = Claim(name="G", financed_minor=40_000)


def names(*claims: Claim) -> str:
    return " > ".join("=".join(claim.name for claim in rank) for rank in priority(claims))


@pytest.mark.parametrize(
    ("claims", "ranks"),
    [
        ((A, B, C, D), "B > A > C > D"),
        ((D, C, B, A), "B > A > C > D"),
        ((E, C), "C > E"),
        ((G, D), "D=G"),
        ((), ""),
    ],
)
def test_gv_10_orders_claims(claims: tuple[Claim, ...], ranks: str) -> None:
    assert names(*claims) == ranks


def test_gv_10_divides_between_those_without_registration_or_notice() -> None:
    assert distribute([D, G], recovered_minor=50_000) == {"D": 30_000, "G": 20_000}


def test_an_earlier_rank_is_paid_in_full_before_a_later_one_gets_a_fen() -> None:
    assert distribute([A, B, C], recovered_minor=150) == {"B": 100, "A": 50, "C": 0}
    assert distribute([A, B, C], recovered_minor=1_000) == {"B": 100, "A": 100, "C": 100}


def test_equal_instants_share() -> None:
    twin = Claim(name="A2", financed_minor=50, registered_at=A.registered_at)
    assert distribute([A, twin], recovered_minor=100) == {"A": 67, "A2": 33}


def test_the_debtor_looks_at_notices_alone() -> None:
    # Entitled is who registered first; the debtor is safe with whose notice came first.
    assert safe_payee([A, B, C, E]) == C
    assert priority([A, B, C, E])[0] == (B,)
    assert safe_payee([A, D]) is None


def test_one_name_is_one_claim() -> None:
    with pytest.raises(InvariantBrokenError):
        distribute([A, A], recovered_minor=1)


claims = st.lists(
    st.builds(
        Claim,
        name=st.uuids().map(str),
        financed_minor=st.integers(0, 10**12),
        registered_at=st.none() | st.integers(0, 3),
        noticed_at=st.none() | st.integers(0, 3),
    ),
    unique_by=lambda claim: claim.name,
)


@given(claims, st.integers(0, 10**13))
def test_shares_never_pass_what_was_financed_or_recovered(found: list[Claim], there: int) -> None:
    shares = distribute(found, recovered_minor=there)
    assert sum(shares.values()) == min(there, sum(claim.financed_minor for claim in found))
    assert all(0 <= shares[claim.name] <= claim.financed_minor for claim in found)
