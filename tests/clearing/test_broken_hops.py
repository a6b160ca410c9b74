"""A hop that breaks: another way for the money, the debtor's own payment, and what comes late."""

import random
from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.errors import InstructionNotFoundError, NothingOwedError, OutOfOrderError
from clearing.exposure import gross_stays_of, peak_minor, stays_of, yuan_days
from clearing.kinds import TIMED
from clearing.model import BALANCES, INSTRUCTIONS, OBLIGATIONS, RUNS, InstructionRecord
from clearing.rules.closings import find_left
from registry.canonical import Json
from registry.effects import Due, Seal, apply
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import RefusalError
from registry.ids import Sid
from registry.model import DEADLINES, LOTS, POLICIES, VOUCHERS
from registry.statements import Now
from registry.tables import replace
from tests.clearing.strategies import worlds
from tests.clearing.test_reports import close, owed, to, verify_accounts
from tests.clearing.test_rules import KIND, PLAN, adopt, confirm, instructions, run_of, stated
from tests.clearing.world import PAY_TIME, POLICY, World, gv01, ledger, sid
from tests.declared import View

REROUTE, TOP_UP = (KIND[f"clearing.{name}"] for name in ("reroute", "top-up"))
DAY = 24 * 3_600_000
FILE: dict[str, Json] = {"digest": sid("ruling"), "name": "ruling.pdf"}


def reroute(world: World, plan: Sid, n: int) -> None:
    """Sends the money of an instruction another way."""
    body: dict[str, Json] = {"instruction": n, "ground": "frozen", "evidence": FILE}
    world.enter(REROUTE, body, by="operator", re=plan, name=f"reroute {n} {world.index}")


def top_up(world: World, plan: Sid, n: int, *, sort: str = "top-up") -> None:
    """Has the debtor pay what it owes because of an instruction."""
    body: dict[str, Json] = {"instruction": n, "sort": sort}
    world.enter(TOP_UP, body, by="operator", re=plan, name=f"top up {n} {world.index}")


def promise(world: World) -> None:
    """Has every debtor promise to pay plans and trusts itself, and the policy say when."""
    policy = world.rows.get(POLICIES, POLICY)
    assert policy is not None
    rules = policy.rules[:-1] + ',"top_up":{"due_after":2,"unpaid_after":1}}'
    world.rows.put(POLICIES, replace(policy, rules=rules))
    for voucher in list(world.rows.select(VOUCHERS)):
        world.rows.put(VOUCHERS, replace(voucher, top_up=True))


def pass_time(world: World, until: int) -> None:
    """Lets deadlines come, as the engine does."""
    timed_by = {timed.name: timed for timed in TIMED}
    while coming := [row for row in world.rows.select(DEADLINES) if row.at <= until]:
        row = min(coming, key=lambda row: row.at)
        due = Due(at=row.at, kind=row.kind, id=row.id)
        world.index += 1
        now = Now(index=world.index, time=row.at, ledger=ledger())
        timed = timed_by[row.kind]
        effects = timed.decide(View(world.rows, timed.reads(due, now)), due, now)
        seal = Seal(index=world.index, time=row.at, leaf_hash=bytes(32), statement="")
        apply(world.rows, effects, seal)
        world.write(row.kind, effects, row.at)


def by_payee(world: World, plan: Sid, name: str) -> list[InstructionRecord]:
    """Returns all instructions that pay a party, by number."""
    return [row for row in instructions(world, plan) if row.payee == world.party(name)]


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned."""
    world = World()
    gv01(world)
    return world


class TestGV03:
    """S2's account is frozen at 10:05; the freeze is lifted on the ninth day."""

    def test_to_the_fen(self, world: World) -> None:
        promise(world)
        plan = adopt(world)
        confirm(world, plan, to(world, plan, "S1").n)
        confirm(world, plan, to(world, plan, "S2").n)
        for name in ("S3", "F"):
            confirm(world, plan, to(world, plan, name).n, status="rejected")
        trust = to(world, plan, "T#trust")
        # T+1, end of day: the trust has received nothing.
        pass_time(world, PAY_TIME + 2 * DAY - 1)
        assert owed(world) == []
        pass_time(world, PAY_TIME + 2 * DAY)
        (due,) = owed(world)
        assert (due.sort, due.amount, due.due_on) == ("top-up", 20_000_000, "2026-03-04")
        assert (due.owed_by, due.owed_to) == (world.party("C"), world.party("T#trust"))
        # S3 is short, without a promise to it.
        short = [lot for lot in world.lots() if lot.holder == world.party("S3")]
        assert [lot.amount for lot in short] == [25_000_000]
        # T+2: the core enterprise pays the trust.
        top_up(world, plan, trust.n)
        (own,) = [row for row in instructions(world, plan) if row.instead is not None]
        assert (own.payer, own.payee_account, own.amount) == (
            world.party("C"), trust.payee_account, 20_000_000
        )  # fmt: skip
        confirm(world, plan, own.n)
        assert [row.status for row in owed(world)] == ["met"]
        assert not [lot for lot in world.lots() if lot.holder == world.party("T#trust")]
        verify_accounts(world, 100_000_000)
        # T+9: what was stuck comes on.
        for name in ("S3", "F"):
            confirm(world, plan, to(world, plan, name).n)
        confirm(world, plan, trust.n)
        (back,) = [row for row in owed(world) if row.sort == "return"]
        assert (back.owed_by, back.owed_to, back.amount) == (
            world.party("T#trust"), world.party("C"), 20_000_000
        )  # fmt: skip
        assert world.lots() == ()
        voucher = world.rows.get(VOUCHERS, sid("GV-01"))
        assert voucher is not None
        assert (voucher.discharged, voucher.status) == (100_000_000, "settled")
        verify_accounts(world, 100_000_000)
        assert run_of(world, plan).status == "cleared"

    def test_what_it_cost_others_by_the_day(self, world: World) -> None:
        promise(world)
        plan = adopt(world)
        confirm(world, plan, 0, 1, time=PAY_TIME)
        pass_time(world, PAY_TIME + 2 * DAY)
        trust = to(world, plan, "T#trust")
        top_up(world, plan, trust.n)
        confirm(world, plan, 5, time=PAY_TIME + 2 * DAY)
        confirm(world, plan, 2, 3, 4, time=PAY_TIME + 9 * DAY)
        rows = instructions(world, plan)
        stays = stays_of(rows)
        frozen = [stay for stay in stays if stay.owner == world.party("S2")]
        cost: Counter[str] = Counter()
        for stay in frozen:
            cost[stay.beneficiary] += yuan_days(stay.integral(0)) // 100
        assert dict(cost) == {
            world.party("S3"): 2_250_000,
            world.party("T#trust"): 400_000,
            world.party("C"): 1_400_000,
        }
        assert cost.total() == 4_050_000
        (gross,) = [stay for stay in gross_stays_of(rows) if stay.owner == world.party("S2")]
        assert yuan_days(gross.integral(0)) == 5_400_000 * 100
        assert peak_minor(frozen) == 45_000_000
        # What came and went within one moment lay nowhere.
        assert {stay.owner for stay in stays} == {world.party("S2")}

    def test_what_comes_by_itself_needs_no_top_up(self, world: World) -> None:
        promise(world)
        plan = adopt(world)
        confirm(world, plan, 0)
        pass_time(world, PAY_TIME + 2 * DAY)
        confirm(world, plan, 1, 2, 3, 4)
        assert [(row.sort, row.status) for row in owed(world)] == [("top-up", "met")]
        with pytest.raises(MoveNotAllowedError):
            top_up(world, plan, to(world, plan, "T#trust").n)
        assert world.lots() == ()

    def test_nothing_is_owed_without_a_promise(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        assert list(world.rows.select(DEADLINES)) == []
        with pytest.raises(NothingOwedError):
            top_up(world, plan, to(world, plan, "T#trust").n)


class TestAnotherWay:
    def test_a_rejected_hop_is_gone_round(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        broken = to(world, plan, "F")
        confirm(world, plan, to(world, plan, "S2").n)
        confirm(world, plan, broken.n, status="rejected")
        reroute(world, plan, broken.n)
        (added,) = [row for row in instructions(world, plan) if row.instead == broken.n]
        assert (added.payer, added.payee, added.amount, added.route) == (
            world.party("S2"), world.party("T#trust"), 20_000_000, "direct"
        )  # fmt: skip
        assert added.authority == broken.authority
        statuses = [row.status for row in instructions(world, plan)]
        assert statuses.count("replaced") == 2
        confirm(world, plan, to(world, plan, "S3").n)
        confirm(world, plan, added.n)
        assert world.lots() == ()
        verify_accounts(world, 100_000_000)

    def test_exactly_the_lots_behind_it_change_their_way(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        broken = to(world, plan, "S2")
        confirm(world, plan, broken.n, status="rejected")
        reroute(world, plan, broken.n)
        added = [row for row in instructions(world, plan) if row.instead == broken.n]
        assert {row.payee: row.amount for row in added} == {
            world.party("S2"): 15_000_000,
            world.party("S3"): 25_000_000,
            world.party("T#trust"): 20_000_000,
        }
        assert {row.payer for row in added} == {world.party("S1")}
        for row in added:
            confirm(world, plan, row.n)
        assert world.lots() == ()
        assert sum(balance.amount for balance in world.rows.select(BALANCES)) == 0

    def test_the_old_way_that_is_carried_out_all_the_same_is_owed_back(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        reroute(world, plan, to(world, plan, "S2").n)
        for row in [row for row in instructions(world, plan) if row.instead is not None]:
            confirm(world, plan, row.n)
        old = instructions(world, plan)[1]
        assert old.status == "replaced"
        confirm(world, plan, 1, 2, 3, 4)
        assert sum(row.amount for row in owed(world)) == 60_000_000
        assert {row.sort for row in owed(world)} == {"return"}
        verify_accounts(world, 100_000_000)

    def test_what_the_debtor_has_topped_up_meanwhile_goes_back_to_it(self, world: World) -> None:
        promise(world)
        plan = adopt(world)
        confirm(world, plan, 0)
        broken, trust = to(world, plan, "S2"), to(world, plan, "T#trust")
        confirm(world, plan, broken.n, status="rejected")
        pass_time(world, PAY_TIME + 2 * DAY)
        top_up(world, plan, trust.n)
        reroute(world, plan, broken.n)
        added = [row for row in instructions(world, plan) if row.instead == broken.n]
        assert {row.payee: row.amount for row in added} == {
            world.party("S2"): 15_000_000,
            world.party("S3"): 25_000_000,
            world.party("C"): 20_000_000,
        }
        own = next(row for row in instructions(world, plan) if row.instead == trust.n)
        for row in (*added, own):
            confirm(world, plan, row.n)
        assert world.lots() == ()
        assert [(row.sort, row.status) for row in owed(world)] == [("top-up", "met")]
        verify_accounts(world, 100_000_000)

    def test_refuses_in_the_documented_order(self, world: World) -> None:
        plan = adopt(world)
        with pytest.raises(InstructionNotFoundError):
            reroute(world, plan, 9)
        with pytest.raises(OutOfOrderError):
            reroute(world, plan, 0)  # the debtor's own: a further plan makes it
        with pytest.raises(OutOfOrderError):
            reroute(world, plan, 1)
        confirm(world, plan, 0, 1)
        with pytest.raises(MoveNotAllowedError):
            reroute(world, plan, 1)
        with pytest.raises(InstructionNotFoundError):
            top_up(world, plan, 9)
        for sort in ("top-up", "again", "return"):
            with pytest.raises(NothingOwedError):
                top_up(world, plan, 0, sort=sort)


def test_what_came_back_is_paid_again(world: World) -> None:
    plan = adopt(world)
    confirm(world, plan, 0, 1, 2, 3, 4)
    last = to(world, plan, "S3")
    confirm(world, plan, last.n, status="returned")
    top_up(world, plan, last.n, sort="again")
    assert run_of(world, plan).status == "planned"
    (own,) = [row for row in instructions(world, plan) if row.instead is not None]
    assert (own.lots, own.kept, own.payer) == ((), 25_000_000, world.party("C"))
    confirm(world, plan, own.n)
    assert [(row.sort, row.status) for row in owed(world)] == [("again", "met")]
    verify_books(world)


def verify_books(world: World) -> None:
    """Checks that debits and credits are equal, and claims and debts as they are owed."""
    balances = {row.account: row.amount for row in world.rows.select(BALANCES)}
    assert sum(balances.values()) == 0
    live = sum(lot.amount for lot in world.rows.select(LOTS))
    again = sum(row.amount for row in owed(world) if row.sort == "again" and row.status != "met")
    faces = sum(voucher.face for voucher in world.rows.select(VOUCHERS))
    debts = sum(amount for name, amount in balances.items() if name.startswith(("debts:", "hops:")))
    assert debts == faces - live - again


@settings(max_examples=80, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_whatever_breaks_everything_is_accounted_for(world: World, chance: random.Random) -> None:
    """Words of banks, other ways, top-ups, ends of days, further plans, in any order."""
    promise(world)
    faces = sum(lot.amount for lot in world.lots())
    plans = [adopt(world)]
    days = 0
    for _ in range(70):
        plan = chance.choice(plans)
        with suppress(RefusalError):
            something(world, plan, plans, chance)
        if chance.random() < 0.05:
            days += 1
            pass_time(world, PAY_TIME + days * DAY)
        verify_everything(world, faces)


def something(world: World, plan: Sid, plans: list[Sid], chance: random.Random) -> None:
    """Has somebody do something about an instruction, or end the day."""
    n = chance.choice(instructions(world, plan)).n
    rare = ["rejected", "returned", "reroute", "own", "again", "end"]
    match chance.choice(["posted"] * 6 + rare):
        case "posted" | "rejected" | "returned" as word:
            confirm(world, plan, n, status=word)
        case "reroute":
            reroute(world, plan, n)
        case "own":
            top_up(world, plan, n)
        case "again":
            top_up(world, plan, n, sort="again")
        case _:
            end_of_day(world, plan, plans)


def end_of_day(world: World, plan: Sid, plans: list[Sid]) -> None:
    """Closes a run's day, and plans what is left, if anything is."""
    left = find_left(world.rows, run_of(world, plan))
    close(world, plan, expired=len(left.expired), stuck=len(left.stuck))
    with suppress(ValueError):
        body = stated(world)
        plans.append(world.enter(PLAN, body, by="operator", name=f"plan {world.index}"))


def verify_everything(world: World, faces: int) -> None:
    """Checks what must hold whatever has happened."""
    live = sum(lot.amount for lot in world.rows.select(LOTS))
    discharged = sum(voucher.discharged for voucher in world.rows.select(VOUCHERS))
    assert live + discharged == faces
    verify_books(world)
    for run in world.rows.select(RUNS):
        rows = instructions(world, run.plan)
        assert len(rows) == run.instructions
        assert run.posted == sum(row.status == "posted" for row in rows)
        gone = ("expired", "replaced", "returned", "redirected")
        assert run.ended == sum(row.status in gone for row in rows)
    sums: Counter[tuple[str, str]] = Counter()
    for row in world.rows.select(OBLIGATIONS):
        sums[row.sort, row.status] += row.amount
    again = sum(amount for (sort, _), amount in sums.items() if sort == "again")
    posted = [row for row in world.rows.select(INSTRUCTIONS) if row.status == "posted"]
    # All that payees keep has discharged lots, or is owed back.
    kept = discharged - again + sums["again", "met"] + sums["return", "due"]
    assert sum(row.kept for row in posted) == kept
