"""SD-26: what is debited on a due date, by authority, before there is a plan."""

import pytest

from clearing.debits import debits_of
from clearing.rules.plans import find_due
from registry.errors import InvariantBrokenError
from registry.model import VOUCHERS
from registry.tables import replace
from tests.clearing.world import World, gv01, sid


def test_sd_26_the_sums_are_those_of_the_lots_by_authority() -> None:
    world = World()
    gv01(world)
    world.issue("other", face=777, to="S2")
    # A second mandate over the same account is another authority.
    other = world.rows.get(VOUCHERS, sid("other"))
    assert other is not None
    world.rows.put(VOUCHERS, replace(other, mandate=sid("another mandate")))
    due = find_due(world.rows, world.due_on)
    found = debits_of(due.vouchers, due.lots, due.frozen)
    assert {(each.account, each.debtor) for each in found} == {
        (world.account("C"), world.party("C"))
    }
    assert {each.mandate: each.amount_minor for each in found} == {
        world.mandate("C"): 100_000_000, sid("another mandate"): 777
    }  # fmt: skip
    assert sum(each.lots for each in found) == len(due.lots) == 5
    assert sum(each.amount_minor for each in found) == sum(lot.amount for lot in due.lots)


def test_what_is_frozen_is_not_debited_and_stands_beside() -> None:
    world = World()
    gv01(world)
    due = find_due(world.rows, world.due_on)
    frozen = max(due.lots, key=lambda lot: lot.amount)
    (found,) = debits_of(due.vouchers, due.lots, {frozen.lot})
    assert (found.amount_minor, found.withheld_minor) == (60_000_000, 40_000_000)


def test_refuses_a_lot_of_no_voucher() -> None:
    world = World()
    gv01(world)
    due = find_due(world.rows, world.due_on)
    with pytest.raises(InvariantBrokenError):
        debits_of((), due.lots, ())
