"""What banks say: late, refused, returned, twice; nothing is lost and nothing paid twice."""

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import MoneySpentError, OutOfOrderError, PlanDiffersError
from clearing.model import (
    BALANCES,
    INSTRUCTIONS,
    LAPSING,
    OBLIGATIONS,
    OPEN,
    ORDERS,
    InstructionRecord,
    Obligation,
)
from registry.canonical import Json
from registry.credit import DEBTORS, STOPS
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import MalformedError, RefusalError
from registry.ids import Sid
from registry.model import LOTS, VOUCHERS
from registry.refusals import NotBankError
from tests.clearing.strategies import worlds
from tests.clearing.test_rules import (
    CLOSE,
    PLAN,
    REPORT,
    adopt,
    confirm,
    instructions,
    run_of,
    said,
    stated,
)
from tests.clearing.world import World, gv01


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned."""
    world = World()
    gv01(world)
    return world


def to(world: World, plan: Sid, payee: str) -> InstructionRecord:
    """Returns the instruction that pays a party."""
    party = world.party(payee)
    return next(record for record in instructions(world, plan) if record.payee == party)


def status(world: World, plan: Sid) -> dict[str, str]:
    """Returns where each instruction is, by its payee's name."""
    names = {world.party(name): name for name in ("S1", "S2", "S3", "F", "T#trust")}
    return {names[row.payee]: row.status for row in instructions(world, plan)}


def close(world: World, plan: Sid, *, expired: int, stuck: int) -> None:
    """Closes the day of a run."""
    body: dict[str, Json] = {"expired": expired, "stuck": stuck}
    world.enter(CLOSE, body, by="operator", re=plan, name=f"close {plan} {world.index}")


def owed(world: World) -> list[Obligation]:
    """Returns what is owed because of instructions."""
    return list(world.rows.select(OBLIGATIONS))


class TestOneReport:
    def test_tells_of_a_whole_cascade(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, 1, 2, 3, 4)
        assert run_of(world, plan).status == "cleared"
        assert world.lots() == ()
        assert list(world.rows.select(ORDERS)) == []

    @pytest.mark.parametrize("numbers", [(1, 0), (0, 0)])
    def test_names_each_once_and_in_order(self, world: World, numbers: tuple[int, ...]) -> None:
        with pytest.raises(MalformedError, match="order of their numbers"):
            confirm(world, adopt(world), *numbers)

    def test_is_refused_whole_for_one_item(self, world: World) -> None:
        plan = adopt(world)
        wrong: list[Json] = [said(world, plan, 0), said(world, plan, 1, amount=1)]
        with pytest.raises(RefusalError) as refused:
            world.enter(REPORT, {"items": wrong}, by="bank", re=plan)
        assert refused.value.facts["instruction"] == 1
        assert {*status(world, plan).values()} == {"pending"}

    @pytest.mark.parametrize("word", ["posted", "accepted", "rejected", "returned"])
    def test_gives_a_reason_of_what_was_not_carried_out(self, world: World, word: str) -> None:
        plan = adopt(world)
        if word == "returned":
            confirm(world, plan, 0)
        item = said(world, plan, 0, status=word)
        other = {**item, "reason": "AM04"}
        if "reason" in item:
            other = {name: value for name, value in item.items() if name != "reason"}
        with pytest.raises(MalformedError, match="reason"):
            world.decide(REPORT, {"items": [other]}, by="bank", re=plan)
        world.enter(REPORT, {"items": [item]}, by="bank", re=plan)


class TestWhoSays:
    def test_what_is_not_carried_out_says_the_payers_bank_too(self) -> None:
        world = World()
        world.account("C", bank="debtor's bank")
        world.account("S1", bank="holder's bank")
        world.issue("v", face=5, to="S1")
        plan = adopt(world)
        for word in ("posted", "returned"):
            with pytest.raises(NotBankError):
                confirm(world, plan, 0, by="debtor's bank", status=word)
        with pytest.raises(NotBankError):
            confirm(world, plan, 0, by="a third bank", status="rejected")
        confirm(world, plan, 0, by="debtor's bank", status="accepted")
        confirm(world, plan, 0, by="debtor's bank", status="rejected")
        record = to(world, plan, "S1")
        assert (record.status, record.reason) == ("rejected", "AC06")
        assert record.refused_by == world.party("debtor's bank")


class TestRejected:
    def test_of_the_debtors_money_frees_all_lots_that_were_to_be_paid_from_it(
        self, world: World
    ) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, status="rejected")
        assert status(world, plan) == {
            "S1": "rejected", "S2": "expired", "S3": "expired", "F": "expired", "T#trust": "expired"
        }  # fmt: skip
        assert list(world.rows.select(ORDERS)) == []
        assert sum(lot.amount for lot in world.lots()) == 100_000_000
        assert list(world.rows.select(BALANCES)) == []

    def test_on_the_way_binds_what_is_stuck(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        confirm(world, plan, 1, status="rejected")
        bound = {order.lot for order in world.rows.select(ORDERS)}
        assert bound == {lot.lot for lot in world.lots()}
        with pytest.raises(OutOfOrderError):
            confirm(world, plan, 2)

    def test_may_be_carried_out_late(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, status="rejected")
        confirm(world, plan, 0, 1, 2, 3, 4)
        assert run_of(world, plan).status == "cleared"
        assert world.lots() == ()

    def test_is_said_once(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, status="rejected")
        for word in ("rejected", "accepted", "returned"):
            with pytest.raises(MoveNotAllowedError):
                confirm(world, plan, 0, status=word)


class TestReturned:
    def test_what_had_discharged_a_lot_is_owed_again(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, 1, 2, 3, 4)
        last = to(world, plan, "S3")
        confirm(world, plan, last.n, status="returned")
        (row,) = owed(world)
        assert (row.sort, row.amount, row.lots, row.status) == (
            "again", 25_000_000, last.lots, "due"
        )  # fmt: skip
        assert (row.owed_by, row.owed_to) == (world.party("C"), world.party("S3"))
        debtor = world.rows.get(DEBTORS, world.party("C"))
        assert debtor is not None
        assert debtor.outstanding == 25_000_000
        assert sum(balance.amount for balance in world.rows.select(BALANCES)) == 0
        # Back where it was drawn on: with S2, who passed it on.
        mirror = {balance.account: balance.amount for balance in world.rows.select(BALANCES)}
        assert mirror[f"bank:{world.account('S2')}"] == 15_000_000 + 25_000_000
        assert mirror[f"bank:{world.account('S3')}"] == 0

    def test_not_after_it_has_gone_on(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, 1, 2)
        with pytest.raises(MoneySpentError) as refused:
            confirm(world, plan, 0, status="returned")
        assert refused.value.facts == {"instruction": 0, "later": 1}

    def test_not_before_it_was_posted(self, world: World) -> None:
        with pytest.raises(MoveNotAllowedError):
            confirm(world, adopt(world), 0, status="returned")


class TestTheEndOfTheDay:
    def test_nothing_of_a_cleared_run(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, 1, 2, 3, 4)
        with pytest.raises(MoveNotAllowedError):
            close(world, plan, expired=0, stuck=0)

    def test_says_what_it_finds(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        for what, expired, stuck in (("expired", 1, 9), ("stuck", 0, 9)):
            with pytest.raises(PlanDiffersError) as refused:
                close(world, plan, expired=expired, stuck=stuck)
            assert refused.value.facts["what"] == what
        close(world, plan, expired=0, stuck=4)

    def test_what_never_left_the_debtor_is_planned_again_and_it_may_not_issue(
        self, world: World
    ) -> None:
        plan = adopt(world)
        close(world, plan, expired=5, stuck=0)
        assert run_of(world, plan).status == "closed"
        stop = world.rows.get(STOPS, world.party("C"), "overdue")
        assert stop is not None
        again = world.enter(PLAN, stated(world), by="operator", name="the next day")
        confirm(world, again, 0, 1, 2, 3, 4)
        assert world.lots() == ()
        assert run_of(world, again).status == "cleared"

    def test_what_is_on_its_way_is_not(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        world.issue("w", face=7, to="S3")
        close(world, plan, expired=0, stuck=4)
        assert world.rows.get(STOPS, world.party("C"), "overdue") is None
        again = world.enter(PLAN, stated(world), by="operator", name="the next day")
        assert [row.amount for row in instructions(world, again)] == [7]
        # It comes late, and is paid by the plan that sent it.
        confirm(world, plan, 1, 2, 3, 4)
        assert [lot.amount for lot in world.lots()] == [7]

    def test_a_payee_that_cannot_be_paid_is_not_the_debtors_fault(self) -> None:
        world = World()
        world.account("C", bank="debtor's bank")
        world.issue("v", face=5, to="S1")
        plan = adopt(world)
        confirm(world, plan, 0, status="rejected")
        close(world, plan, expired=0, stuck=0)
        assert list(world.rows.select(STOPS)) == []


def test_money_of_both_routes_pays_a_lot_once_and_the_rest_is_owed_back(world: World) -> None:
    """SD-23: what is stuck and comes late, after it was paid otherwise, is never credited twice."""
    first = adopt(world)
    close(world, first, expired=5, stuck=0)
    second = world.enter(PLAN, stated(world), by="operator", name="again")
    confirm(world, second, 0, 1, 2, 3, 4)
    confirm(world, first, 0, 1, 2, 3, 4)
    assert world.lots() == ()
    assert {(row.sort, row.owed_by, row.amount) for row in owed(world)} == {
        ("return", world.party("S1"), 40_000_000),
        ("return", world.party("S2"), 15_000_000),
        ("return", world.party("S3"), 25_000_000),
        ("return", world.party("T#trust"), 20_000_000),
    }
    # What goes back with its payment is owed no more.
    confirm(world, first, to(world, first, "S3").n, status="returned")
    assert {row.owed_by for row in owed(world) if row.status == "met"} == {world.party("S3")}
    assert not [row for row in owed(world) if row.sort == "again"]


@settings(max_examples=25)
@given(worlds(), st.randoms(use_true_random=False))
def test_confirming_in_any_allowed_order_clears_everything_and_balances(
    world: World, chance: random.Random
) -> None:
    held = {(lot.holder, lot.account): 0 for lot in world.lots()}
    for lot in world.lots():
        held[lot.holder, lot.account] += lot.amount
    faces = sum(held.values())
    plan = adopt(world)
    waiting = list(instructions(world, plan))
    done: set[str] = set()
    while waiting:
        record = chance.choice([r for r in waiting if done.issuperset(r.after)])
        waiting.remove(record)
        done.add(str(record.n))
        confirm(world, plan, record.n)
        balances = list(world.rows.select(BALANCES))
        assert sum(balance.amount for balance in balances) == 0
        live = sum(lot.amount for lot in world.rows.select(LOTS))
        vouchers = list(world.rows.select(VOUCHERS))
        assert live + sum(voucher.discharged for voucher in vouchers) == faces
    assert run_of(world, plan).status == "cleared"
    assert {voucher.status for voucher in world.rows.select(VOUCHERS)} == {"settled"}
    mirror = {b.account: b.amount for b in world.rows.select(BALANCES) if b.amount}
    assert {f"bank:{account}": amount for (_, account), amount in held.items()} == {
        name: amount for name, amount in mirror.items() if name.startswith("bank:") and amount > 0
    }
    assert mirror[f"debts:{world.party('C')}"] == faces == -mirror[f"bank:{world.account('C')}"]


@settings(max_examples=60)
@given(worlds(), st.randoms(use_true_random=False))
def test_whatever_banks_say_everything_is_accounted_for(
    world: World, chance: random.Random
) -> None:
    """Random words, ends of days and further plans: each lot is paid once, and books balance."""
    faces = sum(lot.amount for lot in world.lots())
    plans = [adopt(world)]
    for step in range(60):
        plan = chance.choice(plans)
        records = instructions(world, plan)
        record = chance.choice(records)
        word = chance.choice(["posted"] * 6 + ["accepted", "rejected", "returned"])
        with suppress(RefusalError):
            confirm(world, plan, record.n, status=word)
        if step % 12 == 11 and run_of(world, plan).status == "planned":
            open_now = [row for row in instructions(world, plan) if row.status != "posted"]
            roots = {str(row.n) for row in instructions(world, plan) if row.status == "posted"}
            stuck = 0
            for row in open_now:
                if row.after and roots.issuperset(row.after):
                    roots.add(str(row.n))
                    stuck += 1
            lapsed = [row for row in open_now if str(row.n) not in roots]
            expired = sum(row.status in (LAPSING if row.after else OPEN) for row in lapsed)
            close(world, plan, expired=expired, stuck=stuck)
            try:
                body = stated(world)
            except ValueError:
                continue
            plans.append(world.enter(PLAN, body, by="operator", name=f"plan {step}"))
        verify_accounts(world, faces)


def verify_accounts(world: World, faces: int) -> None:
    """Checks what must hold after every word of a bank."""
    live = sum(lot.amount for lot in world.rows.select(LOTS))
    discharged = sum(voucher.discharged for voucher in world.rows.select(VOUCHERS))
    assert live + discharged == faces
    assert sum(balance.amount for balance in world.rows.select(BALANCES)) == 0
    rows = owed(world)
    again = sum(row.amount for row in rows if row.sort == "again")
    back = sum(row.amount for row in rows if row.sort == "return" and row.status == "due")
    debtor = world.rows.get(DEBTORS, world.party("C"))
    assert (debtor.outstanding if debtor else 0) == live + again
    posted = [row for row in world.rows.select(INSTRUCTIONS) if row.status == "posted"]
    # All money that was kept has discharged a lot, or is owed back.
    assert sum(row.kept for row in posted) == discharged - again + back
    bound = [order.lot for order in world.rows.select(ORDERS)]
    assert len(bound) == len({*bound})
    assert {*bound} <= {lot.lot for lot in world.rows.select(LOTS)}
