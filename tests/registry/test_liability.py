"""Who may be asked to pay, and when (SD-61)."""

import pytest

from registry.errors import InvariantBrokenError
from registry.ids import PartyId
from registry.liability import Progress, Promise, Trigger, claimable_parties, settle

DEBTOR, JOINT, PROMISOR = PartyId("debtor"), PartyId("joint"), PartyId("promisor")
DUE = 1_000


def _asked(*promises: Promise, joint: bool = False, **progress: object) -> set[str]:
    told = Progress(**{"time": DUE, "due": DUE, **progress})  # type: ignore[arg-type]
    found = claimable_parties(
        debtor=DEBTOR, co_debtors=[JOINT] if joint else [], promises=promises, progress=told
    )
    assert len(found) == len(set(found))
    return set(found)


def _promise(trigger: Trigger, instant: int | None = None) -> Promise:
    return Promise(promisor=PROMISOR, trigger=trigger, instant=instant)


def test_an_acceding_co_debtor_may_be_asked_with_the_debtor() -> None:
    assert _asked(joint=True) == {DEBTOR, JOINT}


def test_a_shortfall_promisor_is_asked_only_after_demand_and_failure() -> None:
    promise = _promise(Trigger.AFTER_DEMAND_AND_FAILURE)
    assert _asked(promise) == {DEBTOR}
    assert _asked(promise, demand_failed=True) == {DEBTOR, PROMISOR}
    # A failure that nobody can have seen yet counts for nothing.
    assert _asked(promise, time=DUE - 1, demand_failed=True) == set()


def test_nobody_owes_before_the_due_date_but_who_promised_to_pay_then() -> None:
    promise = _promise(Trigger.UNPAID_AT, DUE - 100)
    assert _asked(promise, joint=True, time=DUE - 101) == set()
    assert _asked(promise, joint=True, time=DUE - 100) == {PROMISOR}
    assert _asked(promise, joint=True, time=DUE - 1) == {PROMISOR}


@pytest.mark.parametrize("is_short", [False, True])
def test_a_deals_promise_follows_its_calculation_date(is_short: bool) -> None:
    found = _asked(_promise(Trigger.CALCULATION_DATE), calculation_short=is_short)
    assert (PROMISOR in found) is is_short


def test_rg_24_who_was_not_told_of_the_assignment_is_not_asked() -> None:
    told = Progress(time=DUE, due=DUE)
    for untold, asked in (
        ((), (DEBTOR, JOINT, PROMISOR)),
        ((PROMISOR,), (DEBTOR, JOINT)),
        ((DEBTOR, PROMISOR), (JOINT,)),
    ):
        found = claimable_parties(
            debtor=DEBTOR,
            co_debtors=[JOINT],
            promises=[_promise(Trigger.DUE)],
            progress=told,
            untold=untold,
        )
        assert found == asked


def test_a_joint_guarantor_is_asked_when_it_is_due() -> None:
    promise = _promise(Trigger.DUE)
    assert (_asked(promise, time=DUE - 1), _asked(promise)) == (set(), {DEBTOR, PROMISOR})


def test_sd_71_with_recourse_the_assignor_is_asked_like_the_debtor() -> None:
    def asked(time: int, **how: object) -> tuple[PartyId, ...]:
        return claimable_parties(
            debtor=DEBTOR,
            co_debtors=[JOINT],
            promises=[_promise(Trigger.DUE)],
            progress=Progress(time=time, due=DUE),
            assignor=PartyId("assignor"),
            **how,  # type: ignore[arg-type]
        )

    assert asked(DUE - 1) == ()
    assert asked(DUE) == (DEBTOR, JOINT, "assignor", PROMISOR)
    # It needs no notice of what it did itself, and answers though the debtor knows nothing.
    assert asked(DUE, untold=(DEBTOR, "assignor")) == (JOINT, "assignor", PROMISOR)


@pytest.mark.parametrize(
    ("recourse", "collected", "claimable", "surplus"),
    [
        # 900k were financed, with 20k of interest and fees.
        (True, 100_000_000, 0, 8_000_000),
        (True, 92_000_000, 0, 0),
        (True, 92_000_001, 0, 1),
        (True, 91_999_999, 1, 0),
        (True, 0, 92_000_000, 0),
        (False, 100_000_000, 0, 0),
        (False, 0, 0, 0),
    ],
)
def test_sd_71_surplus_goes_back_with_recourse_alone(
    recourse: bool, collected: int, claimable: int, surplus: int
) -> None:
    found = settle(
        principal_minor=90_000_000,
        interest_minor=1_500_000,
        costs_minor=500_000,
        collected_minor=collected,
        recourse=recourse,
    )
    assert (found.claimable_minor, found.surplus_minor) == (claimable, surplus)


def test_nothing_owed_or_collected_is_negative() -> None:
    with pytest.raises(InvariantBrokenError):
        settle(principal_minor=1, interest_minor=0, costs_minor=-1, collected_minor=0,
               recourse=True)  # fmt: skip
