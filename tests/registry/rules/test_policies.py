"""Policies and calendars in the log: published, in force, and what they judge."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.calendars import Calendar
from registry.canonical import Json, parse_object
from registry.effects import DeadlineSet
from registry.entries import open_entry
from registry.errors import MalformedError, RegistryError
from registry.model import CALENDARS, DEADLINES, POLICIES, VOUCHERS
from registry.packs import calendar_pack, policy_pack
from registry.refusals import (
    CalendarTakesBackError,
    CalendarUnknownError,
    PolicyDateError,
    PolicyVersionError,
    TermTooLongError,
)
from registry.rules.policies import KINDS, _taken_back
from tests.builders import World, instant
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.policies import policy_body
from tests.resealed import audit_of, resealed, signed_log
from tests.scenario import (
    Draft,
    attempt,
    cast_world,
    decide,
    good,
    refusal,
    verify_everything,
)


def _rules(**rules: Json) -> Any:
    return setting(rules=rules)


def _day_taken(world: World, _draft: Draft) -> None:
    world.do("operator", "policy.publish", policy_body(name="other"))


def _calendar_without(list_name: str, day: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        days: Any = draft.body[list_name]
        draft.body[list_name] = [each for each in days if each != day]

    return make


FAULTS = {
    "policy.publish": (
        fault(
            MalformedError,
            "a soft term that is the hard one",
            _rules(tenor={"hard_months": 6, "soft_months": 6, "justification": "issuance"}),
            "rules",
        ),
        fault(
            MalformedError,
            "a soft term without a moment",
            _rules(tenor={"hard_months": 6, "soft_months": 3}),
            "rules",
        ),
        fault(MalformedError, "no explicit acceptance", _rules(acceptance=["auto"]), "rules"),
        fault(
            MalformedError, "modes out of order", _rules(acceptance=["silence", "explicit"]),
            "rules",
        ),
        fault(PolicyVersionError, "the same version", setting(version=1), "version"),
        fault(CalendarUnknownError, "no calendar", _rules(pay_day={"calendar": "x"}), "rules"),
        fault(PolicyDateError, "today", setting(effective_on="2025-07-01"), "day"),
        fault(PolicyDateError, "yesterday", setting(effective_on="2025-06-30"), "day"),
        fault(PolicyDateError, "a day that is taken", _day_taken, "day"),
    ),
    "calendar.publish": (
        fault(MalformedError, "backwards", setting(last="2024-12-31"), "last"),
        fault(MalformedError, "a holiday on a Sunday", setting(workdays=["2025-07-07"]), "last"),
        fault(CalendarTakesBackError, "a later first day", setting(first="2025-01-02",
              holidays=[]), "first", "last"),
        fault(
            CalendarTakesBackError, "an earlier last day",
            setting(last="2025-12-31", holidays=[], workdays=[]), "first", "last",
        ),
        fault(
            CalendarTakesBackError, "a past holiday gone",
            _calendar_without("holidays", "2025-06-02"), "first",
        ),
        fault(
            CalendarTakesBackError, "a past workday gone",
            _calendar_without("workdays", "2025-01-26"), "first",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


# --- Genesis ----------------------------------------------------------------------------------


def test_genesis_carries_the_first_policy_in_full() -> None:
    world = cast_world()
    genesis = open_entry(world.entries()[0])
    (published,) = [c for c in changes(world, 0) if c["effect"] == "policy-published"]
    assert parse_object(str(published["rules"]).encode(), what="rules") == dict(
        policy_pack("plain")["rules"]  # type: ignore[arg-type]
    )
    (policy,) = world.store.select(POLICIES)
    assert world.engine.ledger is not None
    assert world.engine.ledger.policy == policy.policy == published["policy"]
    assert (policy.name, policy.version, policy.effective_on) == ("plain", 1, None)
    assert [row.name for row in world.store.select(CALENDARS)] == ["CN-LEGAL", "CN-TRADING"]
    assert genesis.kind == "genesis"


def changes(world: World, index: int) -> list[dict[str, Json]]:
    found: Any = open_entry(world.entries()[index]).effects["changes"]
    return [*found]


# --- In force ---------------------------------------------------------------------------------


def in_force(world: World) -> str:
    assert world.engine.ledger is not None
    return world.engine.ledger.policy


def test_a_policy_takes_effect_by_an_entry_at_the_start_of_its_day() -> None:
    world = cast_world()
    first = in_force(world)
    second = world.do("operator", "policy.publish", policy_body()).sid
    assert in_force(world) == first
    world.advance(instant(date(2025, 8, 1), hour=0) - 1)
    world.engine.submit([])
    assert in_force(world) == first
    world.advance(instant(date(2025, 8, 1), hour=0))
    world.engine.submit([])
    entry = open_entry(world.entries()[-1])
    assert (entry.kind, entry.statement) == ("policy.take-effect", "")
    assert changes(world, -1) == [
        {"effect": "policy-took-effect", "policy": second, "replaces": first}
    ]
    assert in_force(world) == second
    verify_everything(world)


def test_an_announced_policy_without_a_day_is_never_in_force() -> None:
    """RG-05: the cut to six months is announced, its instrument and date are not known."""
    world = cast_world()
    first = in_force(world)
    world.do("operator", "policy.publish", policy_pack("cn-6m"))
    assert not list(world.store.select(DEADLINES))
    world.advance(instant(date(2026, 12, 31)))
    world.engine.submit([])
    assert in_force(world) == first
    verify_everything(world)


def test_a_new_policy_changes_only_what_is_issued_under_it() -> None:
    """RG-05: switching the row on grandfathers the vouchers that exist."""
    world = cast_world()
    before = world.issue(due_on="2026-06-30")
    policy = world.enforce(tenor={"hard_months": 6})
    body = world.issue_body(due_on="2026-06-30", accept_by="2025-07-20")
    found = refusal(world, Draft(by="core", kind="voucher.issue", body=body))
    assert isinstance(found, TermTooLongError)
    assert (found.facts["latest"], found.facts["months"]) == ("2026-01-02", 6)
    # What was issued before goes on, to a supplier and to a financier.
    moved = world.transfer(f"{before}.0", 60_000_000, by="s1", to="s2")
    world.transfer(f"{moved}.2", 60_000_000, by="s2", to="factor", purpose="finance")
    (voucher,) = world.store.select(VOUCHERS)
    assert voucher.policy != policy
    verify_everything(world)


def test_every_decision_that_asked_a_policy_names_it() -> None:
    world = cast_world()
    first = in_force(world)
    voucher = world.issue()
    policy = world.enforce(blackout={"calendar": "CN-LEGAL", "working_days": 2})
    world.issue(voucher_no="under-the-second", accept_by="2025-07-20")
    offer = world.offer(f"{voucher}.0", 10, by="s1", to="s2")
    world.accept(offer, by="s2")
    grant: dict[str, Json] = {
        "purpose": "settle", "account": world.accounts["s3"], "collection_route": True,
    }  # fmt: skip
    world.do("s3", "consent.grant", grant)
    world.offer(f"{offer}.1", 10, by="s1", to="s3")
    named = [
        (change["effect"], change["policy"])
        for index in range(world.store.size())
        for change in changes(world, index)
        if "policy" in change and not str(change["effect"]).startswith("policy-")
    ]
    assert named == [
        ("voucher-issued", first),
        ("voucher-issued", policy),
        ("lot-offered", policy),
        ("lot-assigned", policy),
        ("consent-granted", policy),
        ("lot-transferred", policy),
    ]
    verify_everything(world)


# --- Calendars --------------------------------------------------------------------------------


def test_a_newer_calendar_counts_from_the_next_entry_on() -> None:
    world, draft = good("calendar.publish")
    size = world.store.size()
    before = world.issue(due_on="2027-01-04", voucher_no="before")
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    after = world.issue(due_on="2027-01-04", voucher_no="after")
    flags = {row.voucher: row.flags for row in world.store.select(VOUCHERS)}
    assert flags == {before: ("provisional",), after: ()}
    row = next(row for row in world.store.select(CALENDARS) if row.name == "CN-LEGAL")
    assert (row.version, row.statement, row.last) == (2, made.sid, "2027-12-31")
    assert size < world.store.size()
    verify_everything(world)


def test_a_day_to_come_may_become_a_holiday_and_today_too() -> None:
    """A holiday can be made longer at a few days' notice, as that of the spring of 2020 was."""
    world, draft = good("calendar.publish")
    days: Any = draft.body["holidays"]
    draft.body["holidays"] = sorted([*days, "2025-07-01", "2025-07-02"])
    assert not isinstance(attempt(world, draft), RegistryError)
    verify_everything(world)


def test_several_calendars_stand_side_by_side() -> None:
    world = cast_world()
    world.do("operator", "calendar.publish", calendar_pack("CN-PAYMENT"))
    names = {row.name: row.version for row in world.store.select(CALENDARS)}
    assert names == {"CN-LEGAL": 1, "CN-PAYMENT": 1, "CN-TRADING": 1}
    verify_everything(world)


@pytest.mark.parametrize("name", ["policy.publish", "calendar.publish"])
def test_nobody_but_the_operator_publishes(name: str) -> None:
    world, draft = good(name)
    draft.by = "registrar"
    assert refusal(world, draft).code == "role-missing"


def test_a_policy_can_be_published_for_tomorrow_only() -> None:
    world, draft = good("policy.publish")
    tomorrow = date(2025, 7, 1) + timedelta(days=1)
    draft.body["effective_on"] = tomorrow.isoformat()
    published, deadline = decide(world, draft)
    assert isinstance(deadline, DeadlineSet)
    assert deadline.at == instant(tomorrow, hour=0)
    assert type(published).effect == "policy-published"


# --- A policy swapped in the log ----------------------------------------------------------------


def swapped(world: World, at: int, **members: Json) -> list[bytes]:
    """Returns the log with members of an entry's first effect changed, and chained again."""
    effects: Any = json.loads(json.dumps(open_entry(world.entries()[at]).effects))
    effects["changes"][0] |= members
    return resealed(list(world.entries()), at, effects)


def findings(entries: list[bytes]) -> list[tuple[str, str]]:
    """Audits a log that its operator has signed anew."""
    audit = audit_of(signed_log(entries))
    return [(str(finding.where), finding.reason) for finding in audit.findings]


def _swaps(world: World) -> dict[str, tuple[int, dict[str, Json]]]:
    kinds = [open_entry(data).kind for data in world.entries()]
    publish, effect = kinds.index("policy.publish"), kinds.index("policy.take-effect")
    issue = kinds.index("voucher.issue", effect)
    first: Any = changes(world, effect)[0]["replaces"]
    return {
        "softer rules than were signed": (publish, {"rules": "{}"}),
        "another day": (publish, {"effective_on": "2026-08-01"}),
        "the old policy goes on": (effect, {"policy": first}),
        "a voucher under the old policy": (issue, {"policy": first}),
        "a remark left out": (issue, {"flags": []}),
    }


SWAPS = (
    "softer rules than were signed",
    "another day",
    "the old policy goes on",
    "a voucher under the old policy",
    "a remark left out",
)


@pytest.mark.parametrize("what", SWAPS)
def test_a_swapped_policy_is_found_and_the_entry_named(what: str) -> None:
    """A replay judges each entry by the policy then in force, so nobody can put in another."""
    world = cast_world()
    world.issue(accept_by="2025-07-20")
    world.enforce(tenor={"hard_months": 12, "soft_months": 1, "justification": "financing"})
    world.issue(voucher_no="flagged", accept_by="2025-07-20")
    assert findings(list(world.entries())) == []
    swaps = _swaps(world)
    assert set(swaps) == set(SWAPS)
    at, members = swaps[what]
    ((where, reason),) = findings(swapped(world, at, **members))
    assert where == f"entry {at}"
    assert "effects" in reason


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_what_a_newer_calendar_says_otherwise_is_what_asking_day_by_day_finds(
    data: st.DataObject,
) -> None:
    def some(first: date, last: date) -> Calendar:
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        listed = data.draw(st.sets(st.sampled_from(days), max_size=5))
        return Calendar(
            name="C", first=first, last=last,
            holidays=tuple(sorted(day for day in listed if day.weekday() < 5)),
            workdays=tuple(sorted(day for day in listed if day.weekday() >= 5)),
        )  # fmt: skip

    former = some(date(2025, 7, 3), date(2025, 7, 20))
    newer = some(date(2025, 7, 1), date(2025, 7, 25))
    before = data.draw(st.dates(date(2025, 6, 28), date(2025, 7, 30)))
    asked = [
        day
        for n in range((former.last - former.first).days + 1)
        if (day := former.first + timedelta(days=n)) < before
        and former.is_working_day(day) is not newer.is_working_day(day)
    ]
    assert list(_taken_back(former, newer, before=before)) == asked
