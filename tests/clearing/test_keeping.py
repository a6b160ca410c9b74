"""Keeping a clearing day: which step is due when, as a function of what stands in the state."""

from datetime import date
from typing import Any

import pytest

from clearing.keeping import Act, Ending, Owed, Standing, Step, Waiting, next_look, steps_due
from tests.clearing.test_day import table

FRIDAY = date(2026, 2, 27)
SATURDAY = date(2026, 2, 28)
MONDAY = date(2026, 3, 2)
LEGAL, TRADING = table(), table("CN-TRADING")


def at(day: date, time: str) -> int:
    """Returns an instant."""
    return LEGAL.at(day, time)


def step(standing: Standing, time: int, *, by: Any = LEGAL) -> Step:
    """Returns the one step of something."""
    (found,) = steps_due(standing, by, now=time)
    return found


def due(day: date) -> Standing:
    """Something is due, and paid on a day."""
    return Standing(due=(("2026-03-01", day),))


class TestPlan:
    @pytest.mark.parametrize(
        ("now", "begins"),
        [
            (at(SATURDAY, "12:00"), at(MONDAY, "10:00")),
            (at(MONDAY, "00:00"), at(MONDAY, "10:00")),
            (at(MONDAY, "09:59"), at(MONDAY, "10:00")),
            (at(MONDAY, "10:00"), at(MONDAY, "10:00")),
            (at(MONDAY, "14:59"), at(MONDAY, "10:00")),
            (at(MONDAY, "15:00"), at(MONDAY, "15:00")),
            (at(MONDAY, "16:29"), at(MONDAY, "15:00")),
            # The cut-off has come: nothing more is planned on that day.
            (at(MONDAY, "16:30"), at(date(2026, 3, 3), "10:00")),
            (at(MONDAY, "23:00"), at(date(2026, 3, 3), "10:00")),
        ],
    )
    def test_is_adopted_in_a_round_of_its_pay_date(self, now: int, begins: int) -> None:
        found = step(due(MONDAY), now)
        assert found == Step(at=begins, act=Act.PLAN, of="2026-03-01")
        assert found.is_due(now) is (begins <= now)

    def test_days_are_worked_by_the_calendar_of_the_rule(self) -> None:
        """A pay date by law that is no trading day waits for the next one."""
        assert step(due(SATURDAY), at(FRIDAY, "17:00")).at == at(SATURDAY, "10:00")
        waits = step(due(SATURDAY), at(FRIDAY, "12:00"), by=TRADING)
        assert waits.at == at(MONDAY, "10:00")
        waits = step(due(SATURDAY), at(SATURDAY, "12:00"), by=TRADING)
        assert waits.at == at(MONDAY, "10:00")

    def test_what_was_missed_is_made_up_for_on_the_next_day(self) -> None:
        found = step(due(FRIDAY), at(MONDAY, "11:00"))
        assert (found.at, found.act) == (at(MONDAY, "10:00"), Act.PLAN)


class TestClose:
    @pytest.mark.parametrize("now", [at(MONDAY, "12:00"), at(MONDAY, "17:00"), at(MONDAY, "23:00")])
    def test_comes_when_the_day_of_the_run_is_over(self, now: int) -> None:
        ends = Standing(endings=(Ending(plan="p", closes_at=at(MONDAY, "17:00")),))
        found = step(ends, now)
        assert found == Step(at=at(MONDAY, "17:00"), act=Act.CLOSE, of="p")
        assert found.is_due(now) is (now >= at(MONDAY, "17:00"))

    def test_of_a_run_from_another_policy_is_with_the_end_of_the_day(self) -> None:
        ends = Standing(endings=(Ending(plan="p", closes_at=None),))
        for now, closes in (
            (at(MONDAY, "12:00"), at(MONDAY, "17:00")),
            (at(MONDAY, "16:45"), at(MONDAY, "17:00")),
            (at(MONDAY, "18:00"), at(MONDAY, "17:00")),
            (at(date(2026, 3, 1), "18:00"), at(MONDAY, "17:00")),
        ):
            assert step(ends, now).at == closes

    def test_of_yesterday_comes_before_what_it_frees_is_planned(self) -> None:
        standing = Standing(
            due=(("2026-03-01", SATURDAY),),
            endings=(Ending(plan="p", closes_at=at(SATURDAY, "17:00")),),
        )
        now = at(MONDAY, "10:30")
        assert [each.act for each in steps_due(standing, LEGAL, now=now)] == [Act.CLOSE, Act.PLAN]


class TestSend:
    def test_goes_at_once_between_the_first_round_and_the_cut_off(self) -> None:
        standing = Standing(waiting=(Waiting(plan="p"),))
        for time, is_due in (
            ("09:59", False), ("10:00", True), ("13:37", True), ("16:29", True), ("16:30", False)
        ):  # fmt: skip
            now = at(MONDAY, time)
            assert step(standing, now).is_due(now) is is_due, time

    @pytest.mark.parametrize(
        ("approved", "sent"),
        [("08:00", "10:00"), ("10:00", "10:00"), ("10:01", "15:00"), ("15:10", "15:00")],
    )
    def test_what_was_approved_goes_with_the_next_round(self, approved: str, sent: str) -> None:
        standing = Standing(waiting=(Waiting(plan="p", since=at(MONDAY, approved)),))
        assert step(standing, at(MONDAY, "16:00")).at == at(MONDAY, sent)

    def test_what_was_approved_before_goes_with_the_first_round(self) -> None:
        standing = Standing(waiting=(Waiting(plan="p", since=at(FRIDAY, "20:00")),))
        assert step(standing, at(MONDAY, "09:00")).at == at(MONDAY, "10:00")


def test_sd_23_a_top_up_that_is_owed_is_paid_in_the_next_round() -> None:
    standing = Standing(owed=(Owed(plan="p", n=4, sort="top-up"),))
    found = step(standing, at(SATURDAY, "16:30"))
    assert found == Step(at=at(MONDAY, "10:00"), act=Act.TOP_UP, of="p", n=4, sort="top-up")


def test_the_next_look_is_at_the_first_step_that_is_not_due() -> None:
    standing = Standing(
        due=(("2026-03-01", MONDAY),),
        endings=(Ending(plan="p", closes_at=at(MONDAY, "17:00")),),
    )
    now = at(MONDAY, "11:00")
    assert next_look(steps_due(standing, LEGAL, now=now), now=now) == at(MONDAY, "17:00")
    assert next_look((), now=now) == now + 86_400_000


def test_what_is_due_stands_in_one_order_whatever_its_round() -> None:
    standing = Standing(
        due=(("2026-03-01", MONDAY),),
        funds=("f",),
        endings=(Ending(plan="p", closes_at=at(SATURDAY, "17:00")),),
        waiting=(Waiting(plan="q", since=at(MONDAY, "08:00")),),
        owed=(Owed(plan="p", n=4, sort="top-up"),),
    )
    found = steps_due(standing, LEGAL, now=at(MONDAY, "15:30"))
    assert [each.act for each in found] == [
        Act.CLOSE, Act.TOP_UP, Act.DIVIDE, Act.PLAN, Act.SEND
    ]  # fmt: skip
    assert len({each.at for each in found}) == 3
