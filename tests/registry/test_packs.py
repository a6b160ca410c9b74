"""The packs: data that can be published as it stands."""

import hashlib
from datetime import date, timedelta

import pytest

from registry.canonical import format_json
from registry.packs import (
    CALENDAR_PACKS,
    POLICY_PACKS,
    calendar_pack,
    packed_calendar,
    policy_pack,
)
from registry.policy import FirstPolicy, Justification, check_rules
from registry.statements import parse_body
from registry.workdays import CalendarBody


@pytest.mark.parametrize("name", POLICY_PACKS)
def test_a_policy_reads_as_one(name: str) -> None:
    pack = parse_body(FirstPolicy, policy_pack(name))
    check_rules(pack.rules)
    assert (pack.name, pack.version) == (name, 1)
    assert {*pack.rules.calendars} <= {*CALENDAR_PACKS}


@pytest.mark.parametrize("name", CALENDAR_PACKS)
def test_a_calendar_reads_as_one(name: str) -> None:
    assert parse_body(CalendarBody, calendar_pack(name)).calendar().name == name


def test_there_are_no_others() -> None:
    with pytest.raises(KeyError):
        policy_pack("../policies/plain")
    with pytest.raises(KeyError):
        calendar_pack("CN-BANKING")


def test_the_notice_of_2025_is_six_months_in_principle_and_a_year_at_most() -> None:
    """RG-04, with explicit acceptance where nobody has agreed to another (note 14)."""
    rules = FirstPolicy.model_validate(policy_pack("cn-2025")).rules
    assert rules.tenor is not None
    assert (rules.tenor.soft_months, rules.tenor.hard_months) == (6, 12)
    assert rules.tenor.justification is Justification.FINANCING
    assert rules.pay_term is not None
    assert rules.pay_term.days == 60


def test_the_announced_cut_is_the_same_but_for_the_term_and_has_no_day() -> None:
    """RG-05: instrument and date are unknown."""
    notice, cut = policy_pack("cn-2025"), policy_pack("cn-6m")
    assert "effective_on" not in cut
    without = [
        {name: rule for name, rule in dict(pack["rules"]).items() if name != "tenor"}  # type: ignore[arg-type]
        for pack in (notice, cut)
    ]
    assert without[0] == without[1]
    rules = FirstPolicy.model_validate(cut).rules
    assert rules.tenor is not None
    assert (rules.tenor.soft_months, rules.tenor.hard_months) == (None, 6)


def test_plain_knows_no_rule_but_the_pay_day() -> None:
    assert policy_pack("plain")["rules"] == {"pay_day": {"calendar": "CN-LEGAL"}}


def days_of(name: str) -> list[str]:
    calendar = packed_calendar(name)
    span = (calendar.last - calendar.first).days + 1
    every = (calendar.first + timedelta(days=n) for n in range(span))
    return [day.isoformat() for day in every if calendar.is_working_day(day)]


@pytest.mark.parametrize(
    ("name", "count", "digest"),
    [
        # What `chinesecalendar` 1.11.0 (MIT) gives for both years, day by day.
        ("CN-LEGAL", 496, "44363e705969c7f0aee6c5f6480777226e16701b8965287d0e3d99d0122a5a46"),
        # What the sessions of XSHG in `exchange_calendars` 4.13.2 (Apache-2.0) are.
        ("CN-TRADING", 485, "844c22d0eb73fd2aaf8308e16d30ec4f8255502094ca8d091cfa5bc541dd59c8"),
    ],
)
def test_calendars_are_those_of_libraries_that_others_keep(
    name: str, count: int, digest: str
) -> None:
    days = days_of(name)
    assert len(days) == count
    assert hashlib.sha256(format_json([*days])).hexdigest() == digest


def test_trading_days_are_the_working_days_of_the_week() -> None:
    """Exchanges close on holidays, and do not open on a weekend that others work."""
    legal = [day for day in days_of("CN-LEGAL") if date.fromisoformat(day).weekday() < 5]
    assert days_of("CN-TRADING") == legal
    assert len(days_of("CN-LEGAL")) - len(legal) == 11
    assert days_of("CN-PAYMENT") == days_of("CN-LEGAL")
