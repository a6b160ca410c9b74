"""Thousands of lots, holders and debtors: each word about them still fits an entry."""

import re
from collections.abc import Callable
from contextlib import suppress

import pytest

from clearing.covenant import TOP_UP
from clearing.kinds import TIMED
from clearing.model import INSTRUCTIONS, OBLIGATIONS, ORDERS, InstructionStatus
from clearing.reporting import MET_MAX
from clearing.rerouting import MoneyRerouted, find_rerouting
from clearing.rules.closings import AT_ONCE, find_left
from registry.canonical import Json
from registry.credit import STOPS
from registry.effects import Due, Effect, Seal, apply, format_effects
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.entries import ENTRY_MAX
from registry.errors import InvariantBrokenError
from registry.ids import Sid
from registry.model import DEADLINES, LOTS, VOUCHERS
from registry.state import answer
from registry.statements import Now
from registry.tables import Get, replace
from tests.clearing.carried import hold_risk, verify_carried
from tests.clearing.test_broken_hops import REROUTE, pass_time, promise, reroute
from tests.clearing.test_reports import close
from tests.clearing.test_rules import CLOSE, REPORT, adopt, confirm, instructions, run_of, said
from tests.clearing.world import PAY_TIME, World, ledger, party_id, sid
from tests.declared import View

SMALL = 1_500
"""Bytes of an entry besides its effects, where the statement says little."""


def widely_held(holders: int) -> World:
    """Makes a voucher that went from C to S1 and A, and from there to many."""
    world = World()
    for name in ("S1", "A"):
        world.mandate(name)
    rest = world.issue("wide", face=100 * holders, to="S1")
    rest, _ = world.assign(rest, to="A")
    for n in range(holders - 1):
        _, after = world.assign(rest, to=f"H{n}", amount=100)
        assert after is not None
        rest = after
    return world


def cut_small(lots: int) -> World:
    """Makes a voucher that went from C to S1, A and T, who holds it in many lots."""
    world = World()
    for name in ("S1", "A"):
        world.mandate(name)
    rest = world.issue("cut", face=100 * lots, to="S1")
    rest, _ = world.assign(rest, to="A")
    rest, _ = world.assign(rest, to="T#trust")
    for _ in range(lots - 1):
        _, rest = world.split(rest, 100)
    return world


def many_debtors(count: int) -> World:
    """Makes a voucher each of many debtors."""
    world = World()
    for n in range(count):
        world.issue(f"of {n}", face=100, to="S1")
        row = world.rows.get(VOUCHERS, sid(f"of {n}"))
        assert row is not None
        name = f"D{n}"
        account, mandate = world.account(name), world.mandate(name)
        other = replace(row, debtor=party_id(name), account=account, mandate=mandate, owing=account)
        world.rows.put(VOUCHERS, other)
    return world


class TestAnotherWay:
    @pytest.mark.parametrize(
        ("make", "added"), [(widely_held, 2_000), (cut_small, 16)], ids=["holders", "lots"]
    )
    def test_fits_an_entry_whoever_is_behind(
        self, make: Callable[[int], World], added: int
    ) -> None:
        world = make(2_000)
        plan = adopt(world)
        confirm(world, plan, 0)
        before = len(instructions(world, plan))
        _, effects = world.decide(
            REROUTE, {"instruction": 1, "ground": "silent"}, by="operator", re=plan
        )
        assert len(format_effects(effects)) < 500
        reroute(world, plan, 1)
        rows = instructions(world, plan)
        assert len(rows) == before + added
        assert {row.status for row in rows[1:before]} == {"replaced"}
        assert sum(row.amount for row in rows[before:]) == rows[1].amount
        bound = {order.lot: order.n for order in world.rows.select(ORDERS)}
        assert bound == {lot: row.n for row in rows[before:] for lot in row.lots}
        for row in rows[before:]:
            confirm(world, plan, row.n)
        assert world.lots() == ()

    def test_follows_from_the_state_without_having_been_decided(self) -> None:
        world, other = widely_held(200), widely_held(200)
        for each in (world, other):
            confirm(each, adopt(each), 0)
        plan = run_of_only(world)
        body: dict[str, Json] = {"instruction": 1, "ground": "silent"}
        _, (effect,) = world.decide(REROUTE, body, by="operator", re=plan)
        assert isinstance(effect, MoneyRerouted)
        seal = Seal(index=1, time=PAY_TIME, leaf_hash=bytes(32), statement="")
        apply(world.rows, (effect,), seal)
        apply(other.rows, (replace(effect, decided=None),), seal)
        assert instructions(world, plan) == instructions(other, plan)
        assert list(world.rows.select(ORDERS)) == list(other.rows.select(ORDERS))

    @pytest.mark.parametrize("member", ["replaced", "added", "digest"])
    def test_a_lie_about_it_is_found(self, member: str) -> None:
        world = widely_held(5)
        plan = adopt(world)
        confirm(world, plan, 0)
        record = world.rows.get(INSTRUCTIONS, plan, 1)
        assert record is not None
        effect = MoneyRerouted.of(record, find_rerouting(world.rows, record))
        value = getattr(effect, member)
        lie = value + 1 if isinstance(value, int) else sid("another way")
        effect = replace(effect, decided=None, **{member: lie})
        seal = Seal(index=1, time=PAY_TIME, leaf_hash=bytes(32), statement="")
        with pytest.raises(InvariantBrokenError, match="another way"):
            apply(world.rows, (effect,), seal)


def run_of_only(world: World) -> Sid:
    """Returns the only plan."""
    (plan,) = {row.plan for row in world.rows.select(INSTRUCTIONS)}
    return plan


class TestWayBack:
    """Money that comes along a way that was replaced."""

    @pytest.fixture
    def world(self) -> World:
        """C pays S1, who pays A, who pays H0, H1 and keeps the rest."""
        return widely_held(3)

    def test_goes_back_to_where_the_other_way_starts(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        reroute(world, plan, 1)
        confirm(world, plan, 1)  # the bank has carried the old way out all the same
        old = [row for row in instructions(world, plan) if row.after == ("1",)]
        assert {row.status for row in old} == {"replaced"}
        for row in old:
            reroute(world, plan, row.n)
        back = [row for row in instructions(world, plan) if row.instead in {1 + 1, 1 + 2}]
        assert {(row.payer, row.payee, row.kept) for row in back} == {
            (world.party("A"), world.party("S1"), 0)
        }
        assert [row.amount for row in back] == [100, 100]
        for row in back:
            confirm(world, plan, row.n)
        statuses = [world.rows.get(INSTRUCTIONS, plan, row.n) for row in old]
        assert {row.status for row in statuses if row} == {InstructionStatus.REDIRECTED}
        # What was to go the other way can go now.
        for row in instructions(world, plan):
            if row.instead == 1:
                confirm(world, plan, row.n)
        assert world.lots() == ()

    def test_goes_back_once(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        reroute(world, plan, 1)
        confirm(world, plan, 1)
        reroute(world, plan, 2)
        with pytest.raises(MoveNotAllowedError):
            reroute(world, plan, 2)

    def test_is_not_what_was_sent_the_other_way(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        reroute(world, plan, 1)
        with pytest.raises(MoveNotAllowedError):
            reroute(world, plan, 1)


class TestClose:
    @pytest.mark.parametrize("count", [AT_ONCE, AT_ONCE + 1, 1_000])
    def test_tells_of_every_debtor_in_entries_that_fit(self, count: int) -> None:
        world = many_debtors(count)
        plan = adopt(world)
        body = {"expired": count, "stuck": 0}
        statement, effects = world.decide(CLOSE, body, by="operator", re=plan, name="the close")
        found = [effects]
        close_step(world, effects)
        while deadlines := list(world.rows.select(DEADLINES)):
            (row,) = deadlines
            assert row.at == PAY_TIME
            # Nothing else has changed until the last of them has told.
            assert run_of(world, plan).status == "planned"
            found.append(follow(world, Due(at=row.at, kind=row.kind, id=row.id)))
        assert len(found) == -(-count // AT_ONCE)
        assert max(len(format_effects(each)) for each in found) < ENTRY_MAX - SMALL
        stops = list(world.rows.select(STOPS))
        assert {row.party for row in stops} == {party_id(f"D{n}") for n in range(count)}
        assert {row.statement for row in stops} == {statement.sid}
        assert run_of(world, plan).status == "closed"
        assert {row.status for row in instructions(world, plan)} == {"expired"}

    def test_stops_nobody_again_whom_the_first_close_told_of(self) -> None:
        world = many_debtors(2)
        plan = adopt(world)
        close(world, plan, expired=2, stuck=0)
        for row in list(world.rows.select(STOPS)):
            world.rows.delete(STOPS, row.party, row.reason)
        left = find_left(world.rows, run_of(world, plan))
        assert (left.expired, left.overdue) == ((), ())


def close_step(world: World, effects: tuple[Effect, ...]) -> None:
    """Folds effects into the state."""
    world.index += 1
    seal = Seal(index=world.index, time=PAY_TIME, leaf_hash=bytes(32), statement="")
    apply(world.rows, effects, seal)


def follow(world: World, due: Due) -> tuple[Effect, ...]:
    """Lets a deadline bring about what it does, which sees exactly what it asks for."""
    timed = {each.name: each for each in TIMED}[due.kind]
    now = Now(index=world.index, time=due.at, ledger=ledger())
    effects = timed.decide(View(world.rows, timed.reads(due, now)), due, now)
    close_step(world, effects)
    return effects


class TestReports:
    """What a bank says of one instruction always fits, so a message can always be told of."""

    def test_of_an_instruction_with_as_many_lots_as_may_be(self) -> None:
        world = cut_small(128)
        plan = adopt(world)
        for n in (0, 1):
            confirm(world, plan, n)
        item = said(world, plan, 2)
        _, effects = world.decide(REPORT, {"items": [item]}, by="bank", re=plan)
        text = format_effects(effects).decode()
        assert text.count('"lot-discharged"') == 128
        # As long as amounts, numbers and vehicles' names may be.
        text = re.sub(r'"(amount|remainder)":"[0-9]+"', r'"\1":"' + "9" * 15 + '"', text)
        text = re.sub(r"#trust", "#" + "x" * 32, text)
        text = re.sub(r'"lot":"([^".]+)\.[0-9]+"', r'"lot":"\1.' + "9" * 10 + '"', text)
        rests = 128 * len(f'"remainder":"{"9" * 15}","rest":"{"A" * 43}.{"9" * 10}",')
        met = MET_MAX * len(
            '{"effect":"obligation-moved","n":4294967295,"plan":"","sort":"top-up",'
        )
        met += MET_MAX * (43 + len('"status":"met"},'))
        assert len(text) + rests + met < ENTRY_MAX - SMALL

    def test_a_return_is_told_though_a_bank_sent_hundreds_back_before(self) -> None:
        """Each was owed once more by who had the money: an effect for each was too large."""
        world = widely_held(600)
        hold_risk(world)
        plan = adopt(world)
        rows = instructions(world, plan)
        for row in rows:
            confirm(world, plan, row.n)
        for row in rows[2:]:
            confirm(world, plan, row.n, status="returned")
        item = said(world, plan, 1, status="returned")
        _, effects = world.decide(REPORT, {"items": [item]}, by="bank", re=plan)
        assert len(format_effects(effects)) < ENTRY_MAX - SMALL
        confirm(world, plan, 1, status="returned")
        verify_carried(world)
        owing = {row.owed_by for row in world.rows.select(OBLIGATIONS) if row.sort == "again"}
        assert owing == {world.party("S1")}

    def test_of_a_debtors_payment_with_thousands_behind_it(self) -> None:
        world = widely_held(2_000)
        plan = adopt(world)
        item = said(world, plan, 0, status="rejected")
        _, effects = world.decide(REPORT, {"items": [item]}, by="bank", re=plan)
        assert len(format_effects(effects)) < ENTRY_MAX - SMALL
        confirm(world, plan, 0, status="rejected")
        expired = [row for row in instructions(world, plan) if row.status == "expired"]
        assert len(expired) == 128
        # The end of the day does the others, and frees their lots.
        left = find_left(world.rows, run_of(world, plan))
        close(world, plan, expired=len(left.expired), stuck=len(left.stuck))
        assert {row.status for row in instructions(world, plan)[1:]} == {"expired"}
        assert list(world.rows.select(ORDERS)) == []
        assert len(list(world.rows.select(LOTS))) == 2_000


class TestPromise:
    def test_a_silent_bank_does_not_have_the_writer_read_a_run_again_and_again(self) -> None:
        """Time alone finds it, 32 an entry: each entry read all, which was hours for a big day."""
        world, count = World(), 700
        for n in range(count):
            world.assign(world.issue(f"v{n}", face=100, to="S1"), to="T#trust")
        promise(world)
        plan = adopt(world)
        timed = next(each for each in TIMED if each.name == TOP_UP)
        asked = 0
        while rows := list(world.rows.select(DEADLINES)):
            due = Due(at=rows[0].at, kind=rows[0].kind, id=rows[0].id)
            reads = timed.reads(due, Now(index=world.index, time=due.at, ledger=ledger()))
            with suppress(StopIteration):
                read = next(reads)
                while True:
                    if isinstance(read, Get) and read.table is INSTRUCTIONS:
                        asked += len(read.keys)
                    read = reads.send(answer(world.rows, read))
            pass_time(world, due.at)
        owed = [row.n for row in world.rows.select(OBLIGATIONS)]
        assert len(owed) == len({*owed}) == count
        assert asked < 10 * len(instructions(world, plan))
