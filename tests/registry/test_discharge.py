"""Who is entitled and whom the debtor may pay, before and after the notice (RG-29, GV-09)."""

from hypothesis import given
from hypothesis import strategies as st

from registry.discharge import Assignment, entitled_holder, is_discharged, safe_payee
from registry.ids import PartyId

S1, S2, S3 = map(PartyId, ("s1", "s2", "s3"))
NINE, THREE = 9 * 3_600_000, 15 * 3_600_000
MINUTE = 60_000
CHAIN = [Assignment(assignee=S2, effective=NINE, arrived=THREE)]


def _paying(payee: PartyId, at: int, chain: list[Assignment] = CHAIN) -> bool:
    return is_discharged(S1, chain, payee=payee, at=at)


def test_gv_09_paying_the_former_holder_discharges_until_the_notice_arrives() -> None:
    assert _paying(S1, THREE - MINUTE)
    assert not _paying(S1, THREE + MINUTE)
    assert not _paying(S1, THREE)


def test_between_the_two_there_are_two_answers() -> None:
    at = THREE - MINUTE
    assert (entitled_holder(S1, CHAIN, at=at), safe_payee(S1, CHAIN, at=at)) == (S2, S1)
    # Whoever is entitled may be paid though the debtor need not know it.
    assert _paying(S2, at)


def test_a_notice_that_never_arrives_binds_no_debtor() -> None:
    chain = [Assignment(assignee=S2, effective=NINE, arrived=None)]
    assert _paying(S1, 10 * THREE, chain)
    assert safe_payee(S1, chain, at=10 * THREE) == S1


def test_the_notice_of_a_later_assignment_tells_of_the_chain_before_it() -> None:
    chain = [
        Assignment(assignee=S2, effective=1, arrived=None),
        Assignment(assignee=S3, effective=2, arrived=5),
    ]
    assert safe_payee(S1, chain, at=4) == S1
    assert safe_payee(S1, chain, at=5) == S3
    assert not _paying(S1, 5, chain)
    assert not _paying(S2, 5, chain)


def test_rg_19_a_notice_that_both_sides_took_back_tells_of_nothing_any_more() -> None:
    chain = [Assignment(assignee=S2, effective=NINE, arrived=NINE, revoked=THREE)]
    assert safe_payee(S1, chain, at=THREE - 1) == S2
    assert safe_payee(S1, chain, at=THREE) == S1
    assert entitled_holder(S1, chain, at=THREE) == S2


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=5), st.integers(-1, 30))
def test_once_all_has_arrived_both_answers_are_one(steps: list[tuple[int, int]], at: int) -> None:
    chain, time = [], 0
    for number, (gap, delay) in enumerate(steps):
        time += gap
        chain.append(
            Assignment(assignee=PartyId(f"p{number}"), effective=time, arrived=time + delay)
        )
    entitled, safe = (find(S1, chain, at=at) for find in (entitled_holder, safe_payee))
    if all(each.effective > at or (each.arrived or 0) <= at for each in chain):
        assert entitled == safe
    holders = [S1, *(each.assignee for each in chain)]
    assert holders.index(safe) <= holders.index(entitled)
