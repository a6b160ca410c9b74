"""Registrations elsewhere: undertaken, stated, changed, cancelled, expired, overdue."""

from datetime import date
from typing import Any

import pytest

from registry.burdens import FILINGS, TASKS
from registry.canonical import Json
from registry.encumbrance_refusals import (
    AheadOfTimeError,
    AlreadyRegisteredError,
    AlreadyUndertakenError,
    MoveNotAllowedError,
    NotRegistrantError,
    RegistrationTermError,
)
from registry.errors import MalformedError
from registry.model import DEADLINES
from registry.refusals import (
    CalendarUnknownError,
    DeadlinePassedError,
    LotNotFoundError,
    NotHolderError,
)
from registry.rules.registrations import KINDS
from tests.builders import DIGEST, World, instant
from tests.encumbered import (
    cancel_body,
    change_body,
    filing,
    financed,
    of_transfer,
    registered_pledge,
    undertaking,
)
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, refusal, verify_everything


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _again(world: World, draft: Draft) -> None:
    world.do("factor", draft.kind, draft.body)


def _ahead(member: str) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body[member] = world.time + 1

    return make


def _cancelled(world: World, draft: Draft) -> None:
    world.do("factor", "registration.cancel", cancel_body(world), re=draft.re)


def _expired(world: World, _draft: Draft) -> None:
    world.advance(instant(date(2026, 7, 2), hour=0))
    world.engine.submit([])


def _too_late(world: World, draft: Draft) -> None:
    world.advance(instant(date(2026, 1, 1)))
    draft.body["expires_on"] = "2025-12-01"


ACQUIRED = (
    fault(LotNotFoundError, "no such lot", setting(lot=f"{DIGEST}.2"), "lot", "world"),
    fault(NotHolderError, "by the assignor", _by("s1"), "by"),
)
TERM = (
    fault(AheadOfTimeError, "tomorrow", _ahead("registered_at"), "at"),
    fault(RegistrationTermError, "for less than a month",
          setting(expires_on="2025-07-31"), "expires", "at"),
    fault(RegistrationTermError, "for more than 30 years",
          setting(expires_on="2055-07-02"), "expires", "at"),
    fault(DeadlinePassedError, "expired long ago",
          setting(registered_at=0, expires_on="1999-12-31"), "expires", "at"),
)  # fmt: skip
STANDS = (
    fault(NotRegistrantError, "by another", _by("s2"), "by"),
    fault(MoveNotAllowedError, "cancelled", _cancelled, "world"),
    fault(MoveNotAllowedError, "expired", _expired, "world"),
)

FAULTS = {
    "registration.undertake": (
        *ACQUIRED,
        fault(AlreadyUndertakenError, "twice", _again, "world"),
        fault(CalendarUnknownError, "no calendar", setting(calendar="moon"), "calendar"),
        fault(DeadlinePassedError, "long over", setting(since="2025-01-02"), "since"),
    ),
    "registration.record": (
        *ACQUIRED,
        fault(AlreadyRegisteredError, "twice", _again, "world"),
        *TERM,
        fault(CalendarUnknownError, "no calendar", setting(calendar="moon"), "calendar"),
    ),
    "registration.change": (
        *STANDS,
        fault(AheadOfTimeError, "tomorrow", _ahead("changed_at"), "at", "world"),
        fault(RegistrationTermError, "beyond 30 years",
              setting(expires_on="2055-07-02"), "expires"),
        fault(DeadlinePassedError, "to before today", _too_late, "expires", "world"),
        fault(MalformedError, "renewed to the same day",
              setting(expires_on="2026-07-01"), "expires"),
        fault(MalformedError, "renewed to an earlier day",
              setting(expires_on="2026-06-01"), "expires"),
        fault(MalformedError, "amended to a later day", setting(change="amended"), "change",
              "expires"),
    ),
    "registration.cancel": (
        *STANDS,
        fault(AheadOfTimeError, "tomorrow", _ahead("cancelled_at"), "at"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def _filing(world: World) -> Any:
    (row,) = world.store.select(FILINGS)
    return row


def _tasks(world: World) -> list[tuple[str, str, bool]]:
    return [(row.work, row.due_on, row.is_overdue) for row in world.store.select(TASKS)]


def _until(world: World, day: date) -> None:
    world.advance(instant(day, hour=0))
    world.engine.submit([])


# --- Tasks --------------------------------------------------------------------------------


def test_sd_16_twenty_working_days_and_the_alarm_on_the_next_day() -> None:
    world = cast_world()
    transfer = financed(world)
    world.do("factor", "registration.undertake", undertaking(transfer))
    # Tuesday 2025-07-01 and twenty working days.
    assert _tasks(world) == [("register", "2025-07-29", False)]
    _until(world, date(2025, 7, 29))
    assert _tasks(world) == [("register", "2025-07-29", False)]
    _until(world, date(2025, 7, 30))
    assert _tasks(world) == [("register", "2025-07-29", True)]
    # Late is better than never.
    filing(world, transfer)
    assert _tasks(world) == []
    verify_everything(world)


def test_what_is_registered_in_time_raises_no_alarm() -> None:
    world = cast_world()
    transfer = financed(world)
    world.do("factor", "registration.undertake", undertaking(transfer))
    filing(world, transfer)
    assert _tasks(world) == []
    assert not [row for row in world.store.select(DEADLINES) if row.kind.endswith("overdue")]
    _until(world, date(2025, 9, 1))
    verify_everything(world)


def test_deregistering_in_time_is_the_task_of_whoever_registered() -> None:
    world = cast_world()
    made, registration = registered_pledge(world)
    world.do("factor", "pledge.release", {}, re=made)
    assert _tasks(world) == [("deregister", "2025-07-15", False)]
    world.do("factor", "registration.cancel", cancel_body(world), re=registration)
    assert (_tasks(world), _filing(world).status) == ([], "cancelled")
    _until(world, date(2025, 9, 1))
    verify_everything(world)


def test_a_missed_deregistration_is_overdue_after_ten_working_days() -> None:
    world = cast_world()
    made, _ = registered_pledge(world)
    world.do("factor", "pledge.release", {}, re=made)
    _until(world, date(2025, 7, 16))
    assert _tasks(world) == [("deregister", "2025-07-15", True)]
    verify_everything(world)


# --- Stating and changing -------------------------------------------------------------------


def test_a_renewal_moves_the_expiry_and_keeps_the_rank() -> None:
    world, draft = good("registration.change")
    before = _filing(world)
    assert not isinstance(attempt(world, draft), Exception)
    after = _filing(world)
    assert (after.registered_at, after.number) == (before.registered_at, before.number)
    assert (before.expires_on, after.expires_on) == ("2026-07-01", "2027-07-01")
    _until(world, date(2026, 7, 2))
    assert _filing(world).status == "standing"
    _until(world, date(2027, 7, 2))
    assert _filing(world).status == "expired"
    verify_everything(world)


def test_an_amendment_keeps_the_expiry() -> None:
    world, draft = good("registration.change")
    draft.body |= change_body(world, change="amended", expires_on="2026-07-01")
    assert not isinstance(attempt(world, draft), Exception)
    assert _filing(world).expires_on == "2026-07-01"
    verify_everything(world)


def test_what_has_ended_can_be_registered_anew() -> None:
    world = cast_world()
    transfer = financed(world)
    first = filing(world, transfer)
    world.do("factor", "registration.cancel", cancel_body(world), re=first)
    second = filing(world, transfer)
    assert {row.filing: row.status for row in world.store.select(FILINGS)} == {
        first: "cancelled",
        second: "standing",
    }
    verify_everything(world)


def test_the_trust_registers_besides_the_factor() -> None:
    # SD-16: twice, by the factor and by the vehicle as right-holder.
    world = cast_world()
    to_factor = financed(world)
    filing(world, to_factor)
    to_trust = world.transfer(
        f"{to_factor}.2", 60_000_000, by="factor", to="trustee#T1", purpose="securitise"
    )
    world.do("trustee#T1", "registration.record", of_transfer(world, to_trust))
    assert {row.subject for row in world.store.select(FILINGS)} == {to_factor, to_trust}
    verify_everything(world)


def test_a_former_holder_registers_nothing_more() -> None:
    world = cast_world()
    to_factor = financed(world)
    world.transfer(f"{to_factor}.2", 60_000_000, by="factor", to="trustee#T1", purpose="securitise")
    draft = Draft(by="factor", kind="registration.record", body=of_transfer(world, to_factor))
    assert isinstance(refusal(world, draft), LotNotFoundError)


def test_attack_an_undertaking_runs_past_the_last_day_there_is() -> None:
    # Counting on would have ended the program that seals, and every auditor's.
    world = cast_world()
    body: dict[str, Json] = {
        "lot": f"{world.issue()}.0",
        "since": "9999-12-01",
        "working_days": 366,
        "calendar": "CN-LEGAL",
    }
    world.do("s1", "registration.undertake", body)
    (task,) = world.store.select(TASKS)
    assert task.due_on == "9999-12-31"
    verify_everything(world)
