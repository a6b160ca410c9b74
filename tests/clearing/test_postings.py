"""Journal entries balance, or they do not exist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.postings import (
    JournalEntry,
    Posting,
    activation,
    assignment,
    discharge,
    payment,
)
from registry.errors import InvariantBrokenError
from tests.clearing.world import party_id, sid

C, S = party_id("C"), party_id("S")


@given(st.lists(st.integers(-5, 5), max_size=4))
def test_an_entry_exists_exactly_if_it_balances_and_says_something(amounts: list[int]) -> None:
    postings = tuple(Posting(account=f"a{n}", amount_minor=a) for n, a in enumerate(amounts))
    if amounts and 0 not in amounts and sum(amounts) == 0:
        assert JournalEntry(postings=postings).postings == postings
    else:
        with pytest.raises(InvariantBrokenError):
            JournalEntry(postings=postings)


def test_a_life_of_a_claim_ends_at_zero() -> None:
    balances: dict[str, int] = {}
    for entry in (
        activation(7, debtor=C, holder=S),
        payment(7, payer_account=sid("C"), payee_account=sid("S")),
        discharge(7, debtor=C, holder=S),
    ):
        for posting in entry.postings:
            balances[posting.account] = balances.get(posting.account, 0) + posting.amount_minor
    assert balances == {
        f"debts:{C}": 0,
        f"claims:{S}": 0,
        f"bank:{sid('C')}": -7,
        f"bank:{sid('S')}": 7,
    }


def test_an_assignment_moves_the_claim() -> None:
    entry = assignment(7, assignor=C, assignee=S)
    assert [(p.account, p.amount_minor) for p in entry.postings] == [
        (f"claims:{C}", -7),
        (f"claims:{S}", 7),
    ]
