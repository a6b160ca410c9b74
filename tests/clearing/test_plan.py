"""The plan of a due date: golden figures, and what must hold of any split tree."""

import itertools
import json
import random
from collections import defaultdict
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.direct import route_direct
from clearing.plan import (
    PLAN_DOMAIN,
    Plan,
    calendar_of,
    compile_plan,
    format_plan,
    pay_date,
    plan_digest,
    route_voucher,
    verify_same_outcome,
)
from clearing.routes import LOTS_MAX, RoutedStep, net_by_account
from clearing.rules.plans import find_due
from clearing.tiered import route_tiered
from registry.calendars import CN_2025_2026
from registry.canonical import b64url_encode, format_json, sha256
from registry.errors import BeyondCalendarError, InvariantBrokenError
from registry.model import ACCOUNTS, MANDATES, VOUCHERS, Lot, Mandate, Route, Voucher
from registry.tables import Minor
from tests.clearing.world import DUE_ON, PAY_ON, World, gv01, ledger, party_id, sid

NAMES = ("S1", "S2", "S3", "F", "T")
GOLDEN = "tLoZmEdURu19BYjBphvy9v-KaQIhWEOr9zwwCrceBh8"


def edges(world: World, plan: Plan) -> list[tuple[str, str, int]]:
    """Tells a plan's instructions as payer, payee and minor units."""
    names = {world.party(name): name for name in ("C", *NAMES, "T#trust")}
    return [(names[i.payer], names[i.payee], i.amount_minor) for i in plan.instructions]


class TestGoldenVector01:
    def test_tiered_is_five_edges_of_gross_2_250_000(self) -> None:
        world = World()
        gv01(world)
        plan = world.plan()
        assert sorted(edges(world, plan), key=lambda edge: (-edge[2], edge)) == [
            ("C", "S1", 100_000_000),
            ("S1", "S2", 60_000_000),
            ("S2", "S3", 25_000_000),
            ("F", "T#trust", 20_000_000),
            ("S2", "F", 20_000_000),
        ]
        assert plan.totals.gross_minor == 225_000_000
        assert plan.totals.total_minor == 100_000_000
        assert plan.totals.instructions_by_route == {Route.TIERED: 5}
        assert plan.totals.vouchers_by_route == {Route.TIERED: 1}

    def test_direct_is_four_instructions_of_1_000_000(self) -> None:
        world = World()
        gv01(world, route=Route.DIRECT)
        plan = world.plan()
        assert sorted(edges(world, plan)) == [
            ("C", "S1", 40_000_000),
            ("C", "S2", 15_000_000),
            ("C", "S3", 25_000_000),
            ("C", "T#trust", 20_000_000),
        ]
        assert plan.totals.gross_minor == plan.totals.total_minor == 100_000_000
        assert [i.after for i in plan.instructions] == [()] * 4

    def test_every_hop_comes_after_the_one_that_funds_it(self) -> None:
        world = World()
        gv01(world)
        by_n = {i.n: i for i in world.plan().instructions}
        for i in by_n.values():
            assert i.after == () if i.payer == world.party("C") else len(i.after) == 1
            assert all(by_n[n].payee_account == i.payer_account for n in i.after)

    def test_a_holder_without_consent_is_paid_direct_alone(self) -> None:
        world = World()
        for name in ("S1", "S2"):
            world.mandate(name)
        lot, _ = world.assign(world.issue("v", face=100, to="S1"), to="S2", amount=60)
        world.assign(lot, to="S3", amount=25, consent=False)
        plan = world.plan()
        assert edges(world, plan) == [("C", "S1", 75), ("S1", "S2", 35), ("C", "S3", 25)]
        assert [i.route for i in plan.instructions] == ["tiered", "tiered", "direct"]

    def test_beyond_a_holder_without_mandate_is_paid_direct(self) -> None:
        world = World()
        gv01(world, mandates=("S1", "F"))
        assert sorted(edges(world, world.plan())) == [
            ("C", "S1", 55_000_000),
            ("C", "S3", 25_000_000),
            ("C", "T#trust", 20_000_000),
            ("S1", "S2", 15_000_000),
        ]

    def test_a_party_twice_in_a_chain_is_two_nodes(self) -> None:
        world = World()
        for name in ("S1", "S2"):
            world.mandate(name)
        lot, _ = world.assign(world.issue("v", face=100, to="S1"), to="S2", amount=60)
        world.assign(lot, to="S1", amount=20)
        plan = world.plan()
        assert edges(world, plan) == [("C", "S1", 100), ("S1", "S2", 60), ("S2", "S1", 20)]
        assert [i.after for i in plan.instructions] == [(), (0,), (1,)]

    def test_what_is_kept_and_what_passes_are_apart_where_the_accounts_differ(self) -> None:
        world = World()
        world.mandate("S1", 1)
        world.assign(world.issue("v", face=100, to="S1", n=0), to="S2", amount=60)
        plan = world.plan()
        assert sorted(edges(world, plan)) == [("C", "S1", 40), ("C", "S1", 60), ("S1", "S2", 60)]
        passing = next(i for i in plan.instructions if not i.lots)
        assert (passing.payee_account, passing.amount_minor) == (world.account("S1", 1), 60)
        onward = next(i for i in plan.instructions if i.payer == world.party("S1"))
        assert onward.after == (passing.n,)

    @pytest.mark.parametrize("n", [0, 1])
    def test_the_mandate_on_the_holders_own_account_comes_first(self, n: int) -> None:
        world = World()
        mandates = [world.mandate("S1", 0), world.mandate("S1", 1)]
        world.assign(world.issue("v", face=100, to="S1", n=n), to="S2", amount=60)
        plan = world.plan()
        assert edges(world, plan) == [("C", "S1", 100), ("S1", "S2", 60)]
        assert plan.instructions[1].authority == mandates[n]

    def test_else_the_smallest_mandate_is_the_authority(self) -> None:
        world = World()
        mandates = [world.mandate("S1", n, name="x") for n in range(5)]
        lot = world.issue("v", face=100, to="S1")
        world.assign(lot, to="S2")
        assert world.plan().instructions[1].authority == min(mandates)

    def test_more_than_128_lots_are_split_and_the_first_part_carries_what_passes(self) -> None:
        world = World()
        world.mandate("S1")
        lot = world.issue("v", face=1000, to="S1")
        _, rest = world.assign(lot, to="S2", amount=500)
        assert rest is not None
        for _ in range(299):
            _, rest = world.split(rest, 1)
        plan = world.plan()
        assert [len(i.lots) for i in plan.instructions] == [128, 128, 44, 1]
        own = [world.lot(lot).amount for lot in plan.instructions[0].lots]
        assert plan.instructions[0].amount_minor == sum(own) + 500
        assert plan.instructions[3].after == (0,)


class TestPayDate:
    def test_rolls_to_the_next_working_day_of_the_ledgers_calendar(self) -> None:
        calendar = calendar_of(ledger())
        assert calendar == CN_2025_2026
        assert pay_date(DUE_ON, calendar) == PAY_ON
        assert pay_date(date(2026, 2, 28), calendar) == date(2026, 2, 28)  # a worked Saturday
        assert pay_date(date(2026, 2, 16), calendar) == date(2026, 2, 24)  # Spring Festival

    def test_is_refused_beyond_the_calendar(self) -> None:
        with pytest.raises(BeyondCalendarError):
            pay_date(date(2027, 1, 4), calendar_of(ledger()))


class TestBytes:
    def test_are_canonical_and_hold_every_field_of_every_instruction(self) -> None:
        world = World()
        gv01(world)
        plan = world.plan()
        data = format_plan(plan)
        parsed = json.loads(data)
        assert format_json(parsed) == data
        assert [item["n"] for item in parsed["instructions"]] == [0, 1, 2, 3, 4]
        for change in (
            {"voucher": sid("x")}, {"payer_account": sid("x")}, {"payer": party_id("x")},
            {"payee_account": sid("x")}, {"payee": party_id("x")}, {"bank": party_id("x")},
            {"amount_minor": 1}, {"authority": sid("x")}, {"lots": ()}, {"after": (0, 1)},
            {"remittance": "x"}, {"n": 9}, {"route": Route.DIRECT},
        ):  # fmt: skip
            (first, *others) = plan.instructions
            other = replace(plan, instructions=(replace(first, **change), *others))
            assert plan_digest(other) != plan_digest(plan), change

    def test_digest_is_of_domain_zero_and_bytes(self) -> None:
        world = World()
        gv01(world)
        data = format_plan(world.plan())
        assert PLAN_DOMAIN == b"tallystick-plan/1"
        assert plan_digest(world.plan()) == b64url_encode(sha256(PLAN_DOMAIN + b"\x00" + data))

    def test_golden_digest(self) -> None:
        world = World()
        gv01(world)
        assert plan_digest(world.plan()) == GOLDEN

    @given(st.randoms(use_true_random=False))
    def test_do_not_depend_on_the_order_of_rows(self, chance: random.Random) -> None:
        world = World()
        gv01(world)
        world.issue("second", face=7, to="S3", route=Route.DIRECT)
        world.mandate("S2", 1)
        due = find_due(world.rows, DUE_ON)
        lots, vouchers = list(due.lots), list(due.vouchers)
        mandates, accounts = list(due.mandates), list(due.accounts)
        for rows in (lots, vouchers, mandates, accounts):
            chance.shuffle(rows)
        plan = compile_plan(
            due_on=DUE_ON,
            pay_on=PAY_ON,
            lots=lots,
            vouchers=vouchers,
            mandates=mandates,
            accounts=accounts,
        )
        assert format_plan(plan) == format_plan(world.plan())


class TestPlantedFaults:
    """The planner's own checks are not decoration."""

    def rows(self) -> tuple[Voucher, tuple[Lot, ...], dict[str, list[Mandate]]]:
        world = World()
        gv01(world)
        due = find_due(world.rows, DUE_ON)
        mandates = {str(mandate.owner): [mandate] for mandate in due.mandates}
        return due.vouchers[0], due.lots, mandates

    def routes(self) -> tuple[tuple[RoutedStep, ...], tuple[RoutedStep, ...]]:
        rows = self.rows()
        return route_tiered(*rows), route_direct(*rows)

    def test_sound_routes_pass(self) -> None:
        verify_same_outcome(*self.routes())

    @pytest.mark.parametrize("place", range(5))
    def test_a_fen_too_much_on_any_hop_is_found(self, place: int) -> None:
        tiered, direct = self.routes()
        wrong = replace(tiered[place], passing_minor=tiered[place].passing_minor + 1)
        with pytest.raises(InvariantBrokenError, match="different amounts"):
            verify_same_outcome((*tiered[:place], wrong, *tiered[place + 1 :]), direct)

    @pytest.mark.parametrize("place", range(5))
    def test_a_missing_hop_is_found(self, place: int) -> None:
        tiered, direct = self.routes()
        with pytest.raises(InvariantBrokenError, match="different amounts"):
            verify_same_outcome((*tiered[:place], *tiered[place + 1 :]), direct)

    def test_a_lot_whose_face_only_passes_is_found(self) -> None:
        tiered, direct = self.routes()
        place = next(place for place, step in enumerate(tiered) if step.held)
        step = tiered[place]
        wrong = replace(step, held=(), passing_minor=step.amount_minor)
        with pytest.raises(InvariantBrokenError, match="different lots"):
            verify_same_outcome((*tiered[:place], wrong, *tiered[place + 1 :]), direct)

    def test_a_lot_paid_twice_is_found(self) -> None:
        voucher, lots, mandates = self.rows()
        twice = (*route_direct(voucher, lots, mandates), *route_direct(voucher, lots, mandates))
        with pytest.raises(InvariantBrokenError, match="twice"):
            verify_same_outcome(twice, twice)

    def test_a_lot_that_was_forgotten_is_found(self) -> None:
        voucher, lots, mandates = self.rows()
        with pytest.raises(InvariantBrokenError, match="held of"):
            route_voucher(voucher, lots[1:], mandates)

    def test_a_lot_without_its_voucher_is_found(self) -> None:
        world = World()
        gv01(world)
        due = find_due(world.rows, DUE_ON)
        with pytest.raises(InvariantBrokenError, match="no voucher"):
            compile_plan(
                due_on=DUE_ON, pay_on=PAY_ON, lots=due.lots, vouchers=(), mandates=(), accounts=()
            )


# --- Any split tree ---------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draws vouchers split at random among few parties, so that chains come back."""
    world = World()
    for name in NAMES:
        for n in range(draw(st.integers(0, 2))):
            world.mandate(name, draw(st.integers(0, 1)), name=str(n))
    for number in range(draw(st.integers(1, 3))):
        lots = [
            world.issue(
                f"v{number}",
                face=draw(st.integers(1, 10**15 - 1)),
                to=draw(st.sampled_from(NAMES)),
                route=draw(st.sampled_from(Route)),
                consent=draw(st.booleans()),
                n=draw(st.integers(0, 1)),
            )
        ]
        for _ in range(draw(st.integers(0, 12))):
            lot = lots.pop(draw(st.integers(0, len(lots) - 1)))
            row = world.lot(lot)
            if row.amount > 1 and draw(st.integers(0, 5)) == 0:
                pieces = min(draw(st.sampled_from((2, 3, 127, 128, 129, 300))), row.amount)
                for _ in range(pieces - 1):
                    piece, lot = world.split(lot, 1)
                    lots.append(piece)
                lots.append(lot)
                continue
            others = [name for name in NAMES if world.party(name) != row.holder]
            taken, rest = world.assign(
                lot,
                to=draw(st.sampled_from(others)),
                amount=draw(st.integers(1, row.amount)),
                consent=draw(st.integers(0, 3)) > 0,
                n=draw(st.integers(0, 1)),
            )
            lots += [taken] if rest is None else [taken, rest]
    return world


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
