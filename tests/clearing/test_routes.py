"""What must hold of the plan of any split tree: chains that come back, no consent, no mandate."""

import itertools
import random
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from clearing.routes import LOTS_MAX
from clearing.rules.plans import find_due
from registry.model import ACCOUNTS, MANDATES, VOUCHERS, Route
from registry.tables import Minor, replace
from tests.clearing.strategies import worlds
from tests.clearing.world import DUE_ON, World, net_by_account


@given(worlds())
def test_every_account_is_left_with_exactly_what_its_owner_holds(world: World) -> None:
    plan = world.plan()
    wanted: dict[tuple[str, str], int] = defaultdict(int)
    for lot in world.lots():
        wanted[lot.holder, lot.account] += lot.amount
        wanted[world.party("C"), world.account("C")] -= lot.amount
    assert net_by_account(plan.instructions) == dict(wanted)
    assert plan.totals.total_minor == sum(lot.amount for lot in world.lots())


@given(worlds())
def test_tiered_pays_every_final_holder_what_direct_pays(world: World) -> None:
    tiered = world.plan()
    for lot in world.lots():
        voucher = world.rows.get(VOUCHERS, lot.voucher)
        assert voucher is not None
        world.rows.put(VOUCHERS, replace(voucher, route=Route.DIRECT))
    direct = world.plan()
    assert net_by_account(tiered.instructions) == net_by_account(direct.instructions)
    assert direct.totals.gross_minor == direct.totals.total_minor <= tiered.totals.gross_minor
    assert not direct.totals.instructions_by_route[Route.TIERED]


@given(worlds())
def test_every_lot_is_discharged_by_exactly_one_instruction_to_its_holder(world: World) -> None:
    lots = {lot.lot: lot for lot in world.lots()}
    for i in world.plan().instructions:
        assert len(i.lots) <= LOTS_MAX
        for name in i.lots:
            lot = lots.pop(name)
            assert (lot.holder, lot.account, lot.voucher) == (i.payee, i.payee_account, i.voucher)
    assert lots == {}


@given(worlds())
def test_after_names_smaller_numbers_so_that_it_has_no_circle(world: World) -> None:
    instructions = world.plan().instructions
    assert [i.n for i in instructions] == list(range(len(instructions)))
    for i in instructions:
        assert all(n < i.n for n in i.after)
        assert all(instructions[n].voucher == i.voucher for n in i.after)


@given(worlds(), st.randoms(use_true_random=False))
def test_in_any_order_that_after_allows_nobody_but_the_debtor_is_overdrawn(
    world: World, chance: random.Random
) -> None:
    waiting = list(world.plan().instructions)
    done: set[int] = set()
    balances: dict[str, int] = defaultdict(int)
    while waiting:
        i = chance.choice([i for i in waiting if done.issuperset(i.after)])
        waiting.remove(i)
        done.add(i.n)
        balances[i.payer_account] -= i.amount_minor
        balances[i.payee_account] += i.amount_minor
        assert i.payer == world.party("C") or balances[i.payer_account] >= 0


@given(worlds())
def test_every_debit_stands_on_a_mandate_for_that_account(world: World) -> None:
    for i in world.plan().instructions:
        mandate = world.rows.get(MANDATES, i.authority)
        payee = world.rows.get(ACCOUNTS, i.payee_account)
        assert mandate is not None
        assert payee is not None
        assert (mandate.owner, mandate.account) == (i.payer, i.payer_account)
        assert (payee.owner, payee.bank) == (i.payee, i.bank)
        assert i.amount_minor > 0


@given(worlds())
def test_tiered_hops_are_the_sums_along_the_chains(world: World) -> None:
    """A second opinion: every lot's face, added to each edge of its own chain."""
    mandated = {mandate.owner for mandate in find_due(world.rows, DUE_ON).mandates}
    wanted: dict[tuple[str, str, str], int] = defaultdict(int)
    for lot in world.lots():
        voucher = world.rows.get(VOUCHERS, lot.voucher)
        assert voucher is not None
        along = (
            voucher.route == Route.TIERED
            and lot.collection_route
            and set(lot.path[:-1]) <= mandated
        )
        chain = (voucher.debtor, *lot.path) if along else (voucher.debtor, lot.holder)
        for payer, payee in itertools.pairwise(chain):
            wanted[lot.voucher, payer, payee] += lot.amount
    found: dict[tuple[str, str, str], int] = defaultdict(int)
    for i in world.plan().instructions:
        found[i.voucher, i.payer, i.payee] += i.amount_minor
    assert found == wanted


def test_a_face_of_one_fen_can_be_cleared() -> None:
    world = World()
    world.issue("v", face=1, to="S1")
    assert [i.amount_minor for i in world.plan().instructions] == [Minor(1)]
