"""The clearing day: what a policy says, what the registry enforces, what a debtor approves."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from clearing.day import Timetable, hour_of, is_held
from clearing.errors import (
    DayNotOverError,
    NothingToApproveError,
    PlanDiffersError,
)
from clearing.handed import DEBIT_LISTS, DebitList
from clearing.model import (
    OBLIGATIONS,
)
from clearing.rules.closings import find_left
from registry.canonical import Json
from registry.credit import STOPS
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import MalformedError
from registry.ids import Sid
from registry.model import POLICIES
from registry.packs import packed_calendar
from registry.policy import ClearingDay, Rules, check_rules, format_rules, parse_rules
from registry.refusals import NotOwnerError
from registry.tables import replace
from tests.clearing.test_broken_hops import TOP_UP, by_payee, pass_time, promise, reroute
from tests.clearing.test_reports import to
from tests.clearing.test_rules import CLOSE, KIND, adopt, confirm, instructions, run_of, stated
from tests.clearing.world import OFFSET, PAY_TIME, POLICY, World, gv01

APPROVE = KIND["clearing.approve"]
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
RULE: dict[str, Any] = {
    "calendar": "CN-LEGAL",
    "cut_off": "16:30",
    "day_end": "17:00",
    "rounds": ["10:00", "15:00"],
}


def keep_days(world: World, **changes: Json) -> None:
    """Has the policy of a world say when what of a clearing day happens."""
    policy = world.rows.get(POLICIES, POLICY)
    assert policy is not None
    rules = {**json.loads(policy.rules), "clearing_day": {**RULE, **changes}}
    text = format_rules(Rules.model_validate(rules))
    world.rows.put(POLICIES, replace(policy, rules=text))


def close(world: World, plan: Sid, *, time: int) -> None:
    """Ends a run's day."""
    left = find_left(world.rows, run_of(world, plan))
    body: dict[str, Json] = {"expired": len(left.expired), "stuck": len(left.stuck)}
    world.enter(CLOSE, body, by="operator", re=plan, time=time, name=f"close {time}")


def listed(world: World, plan: Sid) -> DebitList:
    """Returns what a plan draws on C's account."""
    row = world.rows.get(DEBIT_LISTS, plan, world.account("C"))
    assert row is not None
    return row


def approve(world: World, plan: Sid, *, by: str = "C", **changes: Json) -> None:
    """Has C approve what a plan draws on its account."""
    row = listed(world, plan)
    body: dict[str, Json] = {
        "account": row.account, "instructions": row.waiting or 1, "amount": str(row.waiting_amount)
    }  # fmt: skip
    name = f"approve {by} {changes} {world.index}"
    world.enter(APPROVE, {**body, **changes}, by=by, re=plan, name=name)


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned, under a policy with a clearing day."""
    world = World()
    gv01(world)
    keep_days(world)
    return world


def table(calendar: str = "CN-LEGAL", **changes: Any) -> Timetable:
    """Returns a timetable by a calendar that comes with the program."""
    rule = ClearingDay.model_validate({**RULE, "calendar": calendar, **changes})
    return Timetable(rule=rule, calendar=packed_calendar(calendar), offset_minutes=OFFSET)


class TestRule:
    def test_stands_in_a_policy_as_it_was_written(self) -> None:
        rule = {**RULE, "approve": True, "chain_minutes": 60, "funding": "09:30",
                "hop_minutes": 20, "reminders": [7, 3, 1]}  # fmt: skip
        rules = Rules.model_validate({"clearing_day": rule, "pay_day": {"calendar": "CN-TRADING"}})
        check_rules(rules)
        assert parse_rules(format_rules(rules)) == rules
        assert json.loads(format_rules(rules))["clearing_day"] == rule
        assert rules.calendars == ("CN-LEGAL", "CN-TRADING")

    @pytest.mark.parametrize(
        "change",
        [
            {"rounds": ["15:00", "10:00"]}, {"rounds": ["10:00", "10:00"]}, {"rounds": []},
            {"rounds": ["10:00", "16:30"]}, {"day_end": "16:29"}, {"funding": "16:30"},
            {"reminders": [1, 3]}, {"reminders": [3, 3]}, {"reminders": []}, {"reminders": [0]},
            {"cut_off": "24:00"}, {"cut_off": "9:00"}, {"cut_off": "16:60"}, {"cut_off": 990},
            {"chain_minutes": 0}, {"chain_minutes": 30, "hop_minutes": 31}, {"approve": False},
            {"calendar": "no day"},
        ],
    )  # fmt: skip
    def test_refuses_times_that_are_none_or_out_of_order(self, change: Mapping[str, Any]) -> None:
        with pytest.raises((MalformedError, ValueError)):
            check_rules(Rules.model_validate({"clearing_day": {**RULE, **change}}))

    def test_without_a_day_a_chain_has_an_hour_and_hops_no_share(self) -> None:
        assert hour_of(Rules()) == (HOUR, None)
        day = {"clearing_day": {**RULE, "chain_minutes": 90, "hop_minutes": 20}}
        assert hour_of(Rules.model_validate(day)) == (90 * MINUTE, 20 * MINUTE)


class TestTimes:
    def test_what_is_posted_from_the_cut_off_on_counts_for_the_next_day(self) -> None:
        friday = date(2026, 2, 27)
        at = table().at(friday, "16:30")
        assert table().counts_on(at - 1) == friday
        # Saturday the 28th is worked by law, in exchange for a holiday, and no trading day.
        assert table().counts_on(at) == date(2026, 2, 28)
        assert table("CN-TRADING").counts_on(at) == date(2026, 3, 2)
        sunday = table().at(date(2026, 3, 1), "10:00")
        assert table().counts_on(sunday) == date(2026, 3, 2)

    def test_too_late_for_a_day_off_is_the_cut_off_before_it(self) -> None:
        sunday = date(2026, 3, 1)
        late = table("CN-TRADING").too_late_for(sunday)
        assert late == table().at(date(2026, 2, 27), "16:30")
        assert table("CN-TRADING").counts_on(late - 1) <= sunday
        assert table("CN-TRADING").counts_on(late) > sunday

    def test_reminders_are_counted_by_the_calendar_that_the_rule_names(self) -> None:
        due_on = date(2026, 3, 2)
        assert table(reminders=[7, 3, 1]).reminded_on(due_on) == (
            date(2026, 2, 13), date(2026, 2, 26), date(2026, 2, 28)
        )  # fmt: skip
        assert table("CN-TRADING", reminders=[1]).reminded_on(due_on) == (date(2026, 2, 27),)


class TestClosing:
    def test_is_refused_until_the_day_is_over(self, world: World) -> None:
        plan = adopt(world)
        assert run_of(world, plan).closes_at == PAY_TIME + 17 * HOUR
        with pytest.raises(DayNotOverError) as early:
            close(world, plan, time=PAY_TIME + 17 * HOUR - 1)
        assert early.value.facts["closes_at"] == PAY_TIME + 17 * HOUR
        close(world, plan, time=PAY_TIME + 17 * HOUR)
        assert run_of(world, plan).status == "closed"

    def test_refuses_in_the_documented_order(self, world: World) -> None:
        plan = adopt(world)
        wrong: dict[str, Json] = {"expired": 77, "stuck": 77}
        with pytest.raises(DayNotOverError):
            world.decide(CLOSE, wrong, by="operator", re=plan)
        with pytest.raises(PlanDiffersError):
            world.decide(CLOSE, wrong, by="operator", re=plan, time=PAY_TIME + DAY)
        confirm(world, plan, 0, 1, 2, 3, 4)
        with pytest.raises(MoveNotAllowedError):
            world.decide(CLOSE, wrong, by="operator", re=plan)

    def test_a_plan_from_after_the_cut_off_has_the_next_day(self, world: World) -> None:
        """Adopted on Monday at 16:30: nothing is sent any more, so it ends on Tuesday."""
        body = stated(world)
        plan = world.enter(KIND["clearing.plan"], body, by="operator",
                           time=PAY_TIME + 16 * HOUR + 30 * MINUTE)  # fmt: skip
        assert run_of(world, plan).closes_at == PAY_TIME + DAY + 17 * HOUR
        with pytest.raises(DayNotOverError):
            close(world, plan, time=PAY_TIME + 17 * HOUR)

    def test_without_a_rule_a_day_is_closed_when_the_operator_says(self) -> None:
        world = World()
        gv01(world)
        plan = adopt(world)
        assert run_of(world, plan).closes_at is None
        close(world, plan, time=PAY_TIME)

    def test_what_is_added_later_has_a_day_of_its_own(self, world: World) -> None:
        """The close of the day before is no leave to let expire what was added this morning."""
        promise(world)
        keep_days(world)
        plan = adopt(world)
        confirm(world, plan, to(world, plan, "S1").n)
        confirm(world, plan, to(world, plan, "S2").n, to(world, plan, "F").n)
        close(world, plan, time=PAY_TIME + 17 * HOUR)
        reroute(world, plan, to(world, plan, "S3").n)
        assert run_of(world, plan).closes_at == PAY_TIME + 17 * HOUR
        pass_time(world, PAY_TIME + 2 * DAY)
        trust = by_payee(world, plan, "T#trust")[0]
        body: dict[str, Json] = {"instruction": trust.n, "sort": "top-up"}
        world.enter(TOP_UP, body, by="operator", re=plan, time=PAY_TIME + 2 * DAY + 9 * HOUR)
        assert run_of(world, plan).closes_at == PAY_TIME + 2 * DAY + 17 * HOUR
        with pytest.raises(DayNotOverError):
            close(world, plan, time=PAY_TIME + 2 * DAY + 10 * HOUR)
        close(world, plan, time=PAY_TIME + 2 * DAY + 17 * HOUR)


class TestCounting:
    def test_sd_23_the_first_day_after_the_pay_date_is_over_at_its_cut_off(
        self, world: World
    ) -> None:
        promise(world)
        keep_days(world)
        plan = adopt(world)
        confirm(world, plan, to(world, plan, "S1").n, to(world, plan, "S2").n)
        tuesday = PAY_TIME + DAY + 16 * HOUR + 30 * MINUTE
        pass_time(world, tuesday - 1)
        assert [*world.rows.select(OBLIGATIONS)] == []
        pass_time(world, tuesday)
        (owed,) = world.rows.select(OBLIGATIONS)
        assert (owed.sort, owed.amount, owed.due_on) == ("top-up", 20_000_000, "2026-03-04")

    def test_a_plan_from_after_that_cut_off_finds_it_at_once(self, world: World) -> None:
        promise(world)
        keep_days(world)
        late = PAY_TIME + 3 * DAY
        world.enter(KIND["clearing.plan"], stated(world), by="operator", time=late)
        pass_time(world, late)
        assert [owed.sort for owed in world.rows.select(OBLIGATIONS)] == ["top-up"]


class TestApproval:
    def test_is_of_what_the_plan_draws_on_the_debtors_account(self, world: World) -> None:
        plan = adopt(world)
        row = listed(world, plan)
        assert (row.debtor, row.instructions, row.amount) == (world.party("C"), 1, 100_000_000)
        assert (row.waiting, row.waiting_amount) == (1, 100_000_000)
        approve(world, plan)
        assert (listed(world, plan).waiting, listed(world, plan).waiting_amount) == (0, 0)
        assert listed(world, plan).approved_at == PAY_TIME

    def test_refuses_in_the_documented_order(self, world: World) -> None:
        plan = adopt(world)
        with pytest.raises(NothingToApproveError):
            approve(world, plan, account=world.account("S1"))
        with pytest.raises(NotOwnerError):
            approve(world, plan, by="S1", instructions=7)
        with pytest.raises(PlanDiffersError, match="instructions: stated 2, computed 1"):
            approve(world, plan, instructions=2, amount="1")
        with pytest.raises(PlanDiffersError, match="amount: stated 1, computed 100000000"):
            approve(world, plan, amount="1")
        approve(world, plan)
        with pytest.raises(NothingToApproveError):
            approve(world, plan)

    def test_what_is_added_to_the_list_is_approved_anew(self, world: World) -> None:
        promise(world)
        plan = adopt(world)
        approve(world, plan)
        confirm(world, plan, to(world, plan, "S1").n, to(world, plan, "S2").n)
        pass_time(world, PAY_TIME + 2 * DAY)
        trust = by_payee(world, plan, "T#trust")[0]
        body: dict[str, Json] = {"instruction": trust.n, "sort": "top-up"}
        world.enter(TOP_UP, body, by="operator", re=plan, time=PAY_TIME + 2 * DAY)
        row = listed(world, plan)
        assert (row.instructions, row.amount, row.through) == (2, 120_000_000, 5)
        # It approves what is new, and not once more what it has approved.
        assert (row.waiting, row.waiting_amount) == (1, 20_000_000)
        approve(world, plan)
        assert listed(world, plan).through == 6

    def test_a_banks_word_stands_without_it(self, world: World) -> None:
        keep_days(world, approve=True)
        plan = adopt(world)
        confirm(world, plan, to(world, plan, "S1").n)
        assert listed(world, plan).waiting == 1


class TestAttacks:
    def test_a_policy_without_a_day_published_since_is_no_leave_to_close_early(
        self, world: World
    ) -> None:
        plan = adopt(world)
        policy = world.rows.get(POLICIES, POLICY)
        assert policy is not None
        world.rows.put(POLICIES, replace(policy, rules='{"pay_day":{"calendar":"CN-LEGAL"}}'))
        with pytest.raises(DayNotOverError):
            close(world, plan, time=PAY_TIME + HOUR)

    def test_adding_to_a_run_under_a_shorter_day_does_not_end_it_earlier(
        self, world: World
    ) -> None:
        plan = adopt(world)
        confirm(world, plan, to(world, plan, "S1").n, to(world, plan, "S2").n)
        keep_days(world, cut_off="10:30", day_end="10:30", rounds=["10:00"])
        reroute(world, plan, to(world, plan, "S3").n)
        assert run_of(world, plan).closes_at == PAY_TIME + 17 * HOUR

    def test_a_debtor_that_approves_nothing_does_not_pay_later_for_that(self, world: World) -> None:
        """Nothing is sent, so it is overdue with the end of the day, and issues nothing (RG-09)."""
        keep_days(world, approve=True)
        plan = adopt(world)
        close(world, plan, time=PAY_TIME + 17 * HOUR)
        (stop,) = world.rows.select(STOPS)
        assert (stop.party, stop.reason) == (world.party("C"), "overdue")
        # What expired waits for nobody: the next plan has a list of its own.
        assert listed(world, plan).waiting == 0
        with pytest.raises(NothingToApproveError):
            approve(world, plan)

    def test_an_approval_of_one_plan_is_none_of_the_next(self, world: World) -> None:
        keep_days(world, approve=True)
        first = adopt(world)
        approve(world, first)
        close(world, first, time=PAY_TIME + 17 * HOUR)
        second = world.enter(KIND["clearing.plan"], stated(world), by="operator", name="second",
                             time=PAY_TIME + DAY + 9 * HOUR)  # fmt: skip
        assert listed(world, second).waiting == 1
        (own,) = [row for row in instructions(world, second) if not row.after]
        rules = Rules.model_validate({"clearing_day": {**RULE, "approve": True}})
        assert is_held(own, listed(world, second), rules)
        (old,) = [row for row in instructions(world, first) if not row.after]
        assert not is_held(old, listed(world, first), rules)

    def test_a_plan_at_the_very_cut_off_has_the_next_day(self, world: World) -> None:
        at = PAY_TIME + 16 * HOUR + 30 * MINUTE
        for time, days in ((at - 1, 0), (at, 1)):
            _, effects = world.decide(
                KIND["clearing.plan"], stated(world), by="operator", time=time
            )
            adopted: Any = effects[0]
            assert adopted.closes_at == PAY_TIME + days * DAY + 17 * HOUR
