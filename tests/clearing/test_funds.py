"""Less money than is due: who is paid how much of it, and what becomes of the rest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import NothingDueError, PlanDiffersError
from clearing.model import FUNDS, ORDERS, RUNS, InstructionRecord, short_accounts
from clearing.rules.funds import apportion_body, ask_divided, find_divided
from registry.burdens import ACCESSORIES, Accessory
from registry.canonical import Json
from registry.ids import Sid
from registry.model import POLICIES, VOUCHERS, Route
from registry.money import allocate
from registry.refusals import AccountUnknownError, NotBankError
from registry.statements import Now
from registry.tables import Minor, Where, replace
from tests.clearing.strategies import worlds
from tests.clearing.test_reports import verify_accounts
from tests.clearing.test_rules import KIND, PLAN, adopt, confirm, instructions, run_of, stated
from tests.clearing.world import PAY_ON, PAY_TIME, POLICY, World, gv01, ledger, party_id, sid

FUND, APPORTION = (KIND[f"clearing.{name}"] for name in ("fund", "apportion"))


def say(world: World, amount: int, *, designated: tuple[str, ...] = (), by: str = "bank") -> Sid:
    """Has the debtor's bank say what is on its account."""
    body: dict[str, Json] = {"account": world.account("C"), "amount": str(amount)}
    if designated:
        body["designated"] = [*map(sid, designated)]
    return world.enter(FUND, body, by=by, name=f"fund {amount} {world.index}")


def figures(world: World, fund: Sid) -> dict[str, Json]:
    """Returns what the operator signs to divide an account's money."""
    row = world.rows.get(FUNDS, fund)
    assert row is not None
    now = Now(index=world.index, time=PAY_TIME, ledger=ledger())
    return apportion_body(find_divided(world.rows, row, now)).model_dump(mode="json")


def divide(world: World, fund: Sid) -> Sid:
    """Adopts the plan that divides an account's money."""
    name = f"divide {world.index}"
    return world.enter(APPORTION, figures(world, fund), by="operator", re=fund, name=name)


def paid(world: World, plan: Sid) -> dict[tuple[str, str], int]:
    """Returns what moves from whom to whom, by name."""
    names = {party_id(name): name for name in ("C", "S1", "S2", "S3", "F", "T#trust")}
    return {(names[row.payer], names[row.payee]): row.amount for row in instructions(world, plan)}


def pay_all(world: World, plan: Sid) -> list[InstructionRecord]:
    """Has the bank post all instructions of a plan."""
    records = list(instructions(world, plan))
    for record in records:
        confirm(world, plan, record.n)
    return records


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned."""
    world = World()
    gv01(world)
    return world


class TestGV02:
    def test_tiered(self, world: World) -> None:
        plan = divide(world, say(world, 70_000_001))
        assert paid(world, plan) == {
            ("C", "S1"): 70_000_001,
            ("S1", "S2"): 42_000_000,
            ("S2", "S3"): 17_500_000,
            ("S2", "F"): 14_000_000,
            ("F", "T#trust"): 14_000_000,
        }
        pay_all(world, plan)
        left = {lot.holder: lot.amount for lot in world.lots()}
        assert left == {
            world.party("S1"): 11_999_999,
            world.party("S2"): 4_500_000,
            world.party("S3"): 7_500_000,
            world.party("T#trust"): 6_000_000,
        }
        assert run_of(world, plan).status == "cleared"
        verify_accounts(world, 100_000_000)

    def test_direct(self) -> None:
        world = World()
        gv01(world, route=Route.DIRECT)
        plan = divide(world, say(world, 70_000_001))
        assert paid(world, plan) == {
            ("C", "S1"): 28_000_001,
            ("C", "S2"): 10_500_000,
            ("C", "S3"): 17_500_000,
            ("C", "T#trust"): 14_000_000,
        }

    @pytest.mark.parametrize(
        ("amount", "weights", "shares"),
        [
            (10_000_000, [33_333_333, 33_333_333, 33_333_334], [3_333_333, 3_333_333, 3_333_334]),
            (5, [1, 1, 1], [2, 2, 1]),
            (100_001, [1] * 7, [14_286] * 6 + [14_285]),
        ],
    )
    def test_more(self, amount: int, weights: list[int], shares: list[int]) -> None:
        assert [*allocate(amount, weights)] == shares


class TestGV08:
    """The debtor owes 300 that a plan holds, 200 of its own due earlier, and 100 secured."""

    def build(self) -> World:
        world = World()
        for name, face, due_on, holder in (
            ("P", 300, "2026-03-01", "T#trust"),
            ("O1", 200, "2026-02-01", "S1"),
            ("O2", 100, "2026-03-01", "S1"),
        ):
            world.issue(name, face=face, to=holder, route=Route.DIRECT)
            row = world.rows.get(VOUCHERS, sid(name))
            assert row is not None
            world.rows.put(VOUCHERS, replace(row, due_on=due_on))
        secured = Accessory(
            accessory=sid("mortgage"),
            voucher=sid("O2"),
            provider=party_id("C"),
            right="mortgage",
            cap=Minor(100),
            document="x",
        )
        world.rows.put(ACCESSORIES, secured)
        return world

    def shares(self, world: World, plan: Sid) -> dict[str, int]:
        """Returns what is paid of each voucher."""
        names = {sid(name): name for name in ("P", "O1", "O2")}
        return {names[row.voucher]: row.amount for row in instructions(world, plan)}

    def test_by_contract_the_plan_is_paid_first(self) -> None:
        world = self.build()
        policy = world.rows.get(POLICIES, POLICY)
        assert policy is not None
        rules = policy.rules.replace("}}", '},"plans_first":true}')
        assert rules != policy.rules
        world.rows.put(POLICIES, replace(policy, rules=rules))
        assert self.shares(world, divide(world, say(world, 250))) == {"P": 250}

    def test_by_law_what_is_secured_less_and_due_earlier(self) -> None:
        world = self.build()
        assert self.shares(world, divide(world, say(world, 250))) == {"O1": 200, "P": 50}

    def test_the_debtors_own_words_come_before_the_law(self) -> None:
        world = self.build()
        fund = say(world, 250, designated=("O2", "P"))
        assert self.shares(world, divide(world, fund)) == {"O2": 100, "P": 150}


class TestTheWord:
    def test_is_the_banks_that_keeps_the_account(self, world: World) -> None:
        with pytest.raises(NotBankError):
            say(world, 1, by="another bank")
        body: dict[str, Json] = {"account": sid("none"), "amount": "1"}
        with pytest.raises(AccountUnknownError):
            world.decide(FUND, body, by="bank")

    def test_keeps_the_account_out_of_the_due_dates_plan(self, world: World) -> None:
        body = stated(world)
        fund = say(world, 1)
        with pytest.raises(NothingDueError):
            world.decide(PLAN, body, by="operator")
        divide(world, fund)
        # What its money does not pay, is planned with the rest: there may be more by now.
        rest = world.enter(PLAN, stated(world), by="operator", name="the rest")
        assert sum(row.kept for row in instructions(world, rest)) == 60_000_000

    def test_a_later_word_replaces_it(self, world: World) -> None:
        first, second = say(world, 5), say(world, 70_000_001)
        assert [row.fund for row in world.rows.select(FUNDS)] == [second]
        assert first != second
        divide(world, second)
        # Nothing that is over stays, and what is answered must be open.
        assert list(world.rows.select(FUNDS)) == []

    def test_that_there_is_nothing_leaves_nothing_to_divide_and_stops_no_plan(
        self, world: World
    ) -> None:
        """An account of which a bank had said 0 would have been blocked for ever."""
        say(world, 5)
        last = say(world, 0)
        # Its last word stands, so that whoever looks for the money is told.
        assert [(row.fund, row.amount) for row in world.rows.select(FUNDS)] == [(last, 0)]
        assert short_accounts(world.rows.select(FUNDS)) == frozenset()
        body: dict[str, Json] = {
            "digest": sid("none"), "certificate": sid("none"), "instructions": 1, "vouchers": 1,
            "total": "1", "gross": "1",
        }  # fmt: skip
        with pytest.raises(NothingDueError):
            world.decide(APPORTION, body, by="operator", re=last)
        adopt(world)

    def test_of_what_is_bound_otherwise_there_is_no_plan(self, world: World) -> None:
        adopt(world)
        body: dict[str, Json] = {
            "digest": sid("x"), "certificate": sid("x"),
            "instructions": 1, "vouchers": 1, "total": "1", "gross": "1",
        }  # fmt: skip
        with pytest.raises(NothingDueError):
            world.decide(APPORTION, body, by="operator", re=say(world, 5))

    def test_no_voucher_that_is_paid_is_read_again(self) -> None:
        world = World()
        for n in range(30):
            world.issue(f"paid {n}", face=5, to="S1", route=Route.DIRECT)
        pay_all(world, divide(world, say(world, 10**6)))
        world.issue("owed", face=7, to="S1", route=Route.DIRECT)
        fund = world.rows.get(FUNDS, say(world, 3))
        assert fund is not None
        asked = ask_divided(fund, PAY_ON, plans_first=False)
        first = next(asked)
        assert isinstance(first, Where)
        found = world.rows.where(first.table, first.field, first.value)
        assert [row.voucher for row in found] == [sid("owed")]

    def test_states_what_follows(self, world: World) -> None:
        fund = say(world, 70_000_001)
        right = figures(world, fund)
        body: dict[str, Json] = {
            "vouchers": 9, "instructions": 9, "total": "9", "gross": "9",
            "digest": sid("x"), "certificate": sid("x"),
        }  # fmt: skip
        for what in ("vouchers", "instructions", "total", "gross", "digest", "certificate"):
            with pytest.raises(PlanDiffersError) as refused:
                world.decide(APPORTION, body, by="operator", re=fund)
            assert refused.value.facts["what"] == what
            body[what] = right[what]
        world.enter(APPORTION, body, by="operator", re=fund)

    def test_binds_the_lots_that_it_pays_and_frees_their_rests(self, world: World) -> None:
        plan = divide(world, say(world, 70_000_001))
        assert len(list(world.rows.select(ORDERS))) == 4
        pay_all(world, plan)
        assert list(world.rows.select(ORDERS)) == []
        again = divide(world, say(world, 10**9))
        pay_all(world, again)
        assert world.lots() == ()
        voucher = world.rows.get(VOUCHERS, sid("GV-01"))
        assert voucher is not None
        assert voucher.status == "settled"

    def test_pays_what_is_due_of_all_dates_and_not_what_is_not(self) -> None:
        world = World()
        world.issue("later", face=5, to="S1", route=Route.DIRECT)
        row = world.rows.get(VOUCHERS, sid("later"))
        assert row is not None
        world.rows.put(VOUCHERS, replace(row, due_on="2026-03-03"))
        world.issue("now", face=7, to="S1", route=Route.DIRECT)
        plan = divide(world, say(world, 100))
        assert paid(world, plan) == {("C", "S1"): 7}


@settings(max_examples=60)
@given(worlds(), st.lists(st.integers(0, 10**9), min_size=1, max_size=4))
def test_money_that_comes_bit_by_bit_pays_every_lot_once(world: World, amounts: list[int]) -> None:
    faces = sum(lot.amount for lot in world.lots())
    for amount in amounts:
        fund = say(world, amount)
        owed = sum(lot.amount for lot in world.lots())
        if not min(amount, owed):
            continue
        plan = divide(world, fund)
        moved = [row for row in instructions(world, plan) if not row.after]
        assert sum(row.amount for row in moved) == min(amount, owed)
        pay_all(world, plan)
        verify_accounts(world, faces)
        assert sum(lot.amount for lot in world.lots()) == owed - min(amount, owed)
    assert all(run.status == "cleared" for run in world.rows.select(RUNS))


def test_both_routes_leave_each_holder_the_same_of_less_money() -> None:
    """I9: what an intermediary keeps is what it would get directly."""
    kept: list[dict[str, int]] = []
    for route in Route:
        world = World()
        gv01(world, route=route)
        rows = instructions(world, divide(world, say(world, 33_333_333)))
        kept.append({row.payee: row.kept for row in rows if row.kept})
    assert kept[0] == kept[1]
