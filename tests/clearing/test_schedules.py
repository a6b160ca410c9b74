"""SD-27: when those pay who stand in for a debtor, each by the calendar that its deal names."""

from datetime import date

import pytest

from clearing.schedules import Call, Template, call_of
from registry.calendars import start_of
from registry.errors import InvariantBrokenError
from registry.liability import Progress, Promise, Trigger, claimable_parties
from registry.packs import packed_calendar
from tests.builders import OFFSET
from tests.clearing.world import party_id

DUE_ON = date(2026, 3, 2)
"""A Monday; the Saturday before it is worked in exchange for a holiday, and no trading day."""
HOUR = 3_600_000


def call(template: Template, calendar: str, *, day: date = DUE_ON, **how: int) -> Call:
    """Places a promise by a calendar that comes with the program."""
    return call_of(template, day, calendar=packed_calendar(calendar), offset_minutes=OFFSET, **how)


@pytest.mark.parametrize(
    ("calendar", "found_on"),
    [("CN-LEGAL", date(2026, 2, 28)), ("CN-TRADING", date(2026, 2, 27))],
)
def test_sd_27_a_co_debtor_pays_at_1500_of_the_working_day_before(
    calendar: str, found_on: date
) -> None:
    found = call(Template.CO_DEBTOR, calendar)
    assert (found.calendar, found.found_on, found.pay_on) == (calendar, found_on, found_on)
    assert found.found == start_of(found_on, offset_minutes=OFFSET) + 15 * HOUR
    assert not found.provisional


def test_sd_27_the_parent_pays_on_the_due_date_what_is_missing_the_day_before() -> None:
    found = call(Template.DIFFERENCE, "CN-LEGAL")
    assert (found.found_on, found.pay_on) == (date(2026, 2, 28), DUE_ON)
    # At the end of that Saturday: the start of Sunday.
    assert found.found == start_of(date(2026, 3, 1), offset_minutes=OFFSET)
    assert call(Template.DIFFERENCE, "CN-LEGAL", minutes=960).found == found.found - 8 * HOUR


def test_sd_27_a_shortfall_is_tested_on_the_calculation_date_before_the_payment_date() -> None:
    payment = date(2026, 3, 20)
    one = call(Template.CALCULATION_DATE, "CN-TRADING", day=payment)
    assert (one.found_on, one.pay_on) == (date(2026, 3, 19), payment)
    five = call(Template.CALCULATION_DATE, "CN-TRADING", day=payment, working_days=5)
    assert five.found_on == date(2026, 3, 13)


def test_a_promise_may_be_called_on_from_the_very_instant() -> None:
    found = call(Template.CO_DEBTOR, "CN-LEGAL")
    core, parent = party_id("core"), party_id("parent")
    promise = Promise(promisor=parent, trigger=Trigger.UNPAID_AT, instant=found.found)
    due = start_of(DUE_ON, offset_minutes=OFFSET)
    for time, asked in ((found.found - 1, ()), (found.found, (parent,)), (due, (core, parent))):
        progress = Progress(time=time, due=due)
        assert asked == claimable_parties(
            debtor=core, co_debtors=(), promises=(promise,), progress=progress
        )


def test_beyond_the_calendar_it_is_provisional() -> None:
    assert call(Template.DIFFERENCE, "CN-LEGAL", day=date(2031, 3, 3)).provisional


def test_refuses_what_is_no_time() -> None:
    for days, minutes in ((0, 0), (1, 1_440), (1, -1)):
        with pytest.raises(InvariantBrokenError):
            call(Template.CO_DEBTOR, "CN-LEGAL", working_days=days, minutes=minutes)
