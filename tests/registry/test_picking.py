"""Paying an amount picks lots, earliest due first, and splits at most one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import NotEnoughFreeError
from registry.ids import LotId
from registry.picking import Free, Pick, pick_lots

LOTS = st.lists(
    st.builds(
        Free,
        st.sampled_from(["2026-01-05", "2026-01-06", "2026-02-01"]),
        st.integers(0, 99).map(lambda n: LotId(f"lot.{n}")),
        st.integers(1, 50),
    ),
    unique_by=lambda lot: lot.lot,
)


@given(LOTS, st.integers(1, 400))
def test_picks_the_amount_to_the_fen_earliest_due_first(lots: list[Free], amount: int) -> None:
    held = {lot.lot: lot for lot in lots}
    if sum(lot.amount for lot in lots) < amount:
        with pytest.raises(NotEnoughFreeError):
            pick_lots(lots, amount)
        return
    picked = pick_lots(lots, amount)
    assert sum(pick.amount for pick in picked) == amount
    assert all(0 < pick.amount <= held[pick.lot].amount for pick in picked)
    assert all(pick.amount == held[pick.lot].amount for pick in picked[:-1])
    last = held[picked[-1].lot].due_on
    named = {pick.lot for pick in picked}
    assert len(named) == len(picked)
    assert all(lot.due_on >= last for lot in lots if lot.lot not in named)
    assert pick_lots(reversed(lots), amount) == picked


def test_a_lot_more_is_not_touched_when_the_first_is_enough() -> None:
    lots = [Free("2026-02-01", LotId("b.0"), 5), Free("2026-01-05", LotId("a.0"), 5)]
    assert pick_lots(lots, 5) == (Pick(LotId("a.0"), 5),)
    assert pick_lots(lots, 6) == (Pick(LotId("a.0"), 5), Pick(LotId("b.0"), 1))
