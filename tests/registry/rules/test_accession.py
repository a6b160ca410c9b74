"""Joining the debt of a voucher."""

from datetime import date
from typing import Any

import pytest

from registry.burdens import ACCESSIONS
from registry.canonical import Json
from registry.encumbrance_refusals import LotBurdenedError
from registry.errors import MalformedError, RegistryError
from registry.inboxes import NOTICES
from registry.model import VOUCHERS, Voucher
from registry.notice_refusals import InboxMissingError
from registry.refusals import (
    AlreadyJoinedError,
    DeadlinePassedError,
    LotLockedError,
    LotNotFoundError,
    NotCreditorError,
    NotHolderError,
    NotSoleHolderError,
    TooManyRecipientsError,
    VoucherDueError,
    VoucherStatusError,
)
from registry.rules.accession import KINDS
from tests.builders import DIGEST, World, instant
from tests.consents import accession
from tests.encumbered import freeze
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, refusal, verify_everything

DUE = instant(date(2025, 12, 19), hour=0)


def _withdrawn(world: World, draft: Draft) -> None:
    world.do("core", "voucher.withdraw", {}, re=draft.re)


def _on_the_due_date(_world: World, draft: Draft) -> None:
    draft.time = DUE


def _by_the_debtor(_world: World, draft: Draft) -> None:
    draft.by = "core"


def _accede(world: World, name: str, voucher: str) -> None:
    body: dict[str, Json] = {
        "scope": "full",
        "addressee": "holders",
        "resolution": {"digest": DIGEST, "name": "resolution.pdf"},
    }
    world.do(name, "voucher.accede", body, re=voucher)


def _joined_before(world: World, draft: Draft) -> None:
    _accede(world, "s3", draft.re or "")


def _seven_joined(world: World, draft: Draft) -> None:
    for number in range(7):
        world.admit(f"joint{number}", "participant")
        world.designate(f"joint{number}")
        _accede(world, f"joint{number}", draft.re or "")


def _without_inbox(world: World, draft: Draft) -> None:
    world.admit("new", "participant", number=901)
    draft.by = "new"


def _refused_by_a_past_day(_world: World, draft: Draft) -> None:
    draft.body["refuse_by"] = "2025-06-30"


def _withdrawn_since(world: World, _draft: Draft) -> None:
    (row,) = world.store.select(VOUCHERS)
    world.do("core", "voucher.withdraw", {}, re=row.voucher)


def _by_another(_world: World, draft: Draft) -> None:
    draft.by = "s2"


def _with_lots(world: World, draft: Draft) -> None:
    (row,) = world.store.select(VOUCHERS)
    draft.body["lots"] = [f"{row.voucher}.0"]


def _voucher(world: World, voucher: str) -> Voucher:
    return next(row for row in world.store.select(VOUCHERS) if row.voucher == voucher)


def _joined_to(world: World, **members: Json) -> tuple[str, Draft]:
    """Lets a co-debtor join an active voucher of s1's; returns it, and the refusal to be."""
    voucher = world.issue()
    joined = world.do("s3", "voucher.accede", {**accession(), **members}, re=voucher).sid
    body: dict[str, Json] = {"lots": [f"{voucher}.0"]}
    return voucher, Draft(by="s1", kind="voucher.refuse-accession", body=body, re=joined)


def _active(world: World, draft: Draft) -> None:
    """Goes on with a voucher that s1 holds."""
    _, other = _joined_to(world, refuse_by="2025-07-20")
    draft.re, draft.body = other.re, other.body


def _unknown_lot(world: World, draft: Draft) -> None:
    _active(world, draft)
    draft.body["lots"] = [f"{DIGEST}.0"]


def _not_the_holder(world: World, draft: Draft) -> None:
    _active(world, draft)
    draft.by = "s2"


def _offered(world: World, draft: Draft) -> None:
    _active(world, draft)
    lot = str(draft.body["lots"][0])  # type: ignore[index]
    offer = world.offer(lot, 5, by="s1", to="s2")
    draft.body["lots"] = [f"{offer}.0", f"{offer}.1"]


def _burdened(world: World, draft: Draft) -> None:
    _active(world, draft)
    freeze(world, str(draft.body["lots"][0]))  # type: ignore[index]


def _only_a_part(world: World, draft: Draft) -> None:
    _active(world, draft)
    lot = str(draft.body["lots"][0])  # type: ignore[index]
    offer = world.offer(lot, 5, by="s1", to="s2")
    world.accept(offer, by="s2")
    draft.body["lots"] = [f"{offer}.1"]


def _too_late(world: World, draft: Draft) -> None:
    _active(world, draft)
    draft.time = instant(date(2025, 7, 21), hour=0)


FAULTS = {
    "voucher.accede": (
        fault(MalformedError, "a cap of full scope", setting(cap="5"), "scope"),
        fault(MalformedError, "capped without cap", setting(scope="capped"), "scope"),
        fault(VoucherStatusError, "withdrawn", _withdrawn, "status"),
        fault(VoucherDueError, "on the due date", _on_the_due_date, "time"),
        fault(AlreadyJoinedError, "the debtor", _by_the_debtor, "by"),
        fault(AlreadyJoinedError, "joined before", _joined_before, "joined", "status"),
        fault(DeadlinePassedError, "to refuse yesterday", _refused_by_a_past_day, "until"),
        fault(TooManyRecipientsError, "the ninth", _seven_joined, "joined", "status"),
        fault(InboxMissingError, "no inbox", _without_inbox, "by", "joined"),
    ),
    "voucher.refuse-accession": (
        fault(VoucherStatusError, "withdrawn", _withdrawn_since, "status"),
        fault(MalformedError, "lots too early", _with_lots, "lots", "status"),
        fault(NotCreditorError, "another's voucher", _by_another, "by", "lots", "status"),
        fault(LotNotFoundError, "an unknown lot", _unknown_lot, "lots", "by", "status"),
        fault(NotHolderError, "another's lot", _not_the_holder, "lots", "by", "status"),
        fault(LotLockedError, "offered", _offered, "lots", "by", "status"),
        fault(LotBurdenedError, "frozen", _burdened, "lots", "by", "status"),
        fault(NotSoleHolderError, "only a part", _only_a_part, "lots", "by", "status"),
        fault(DeadlinePassedError, "too late", _too_late, "lots", "by", "status", "time"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_co_debtors_join_in_order_and_at_most_seven() -> None:
    world, draft = good("voucher.accede")
    for number in range(6):
        world.admit(f"joint{number}", "participant")
        world.designate(f"joint{number}")
        _accede(world, f"joint{number}", draft.re or "")
    assert not isinstance(attempt(world, draft), RegistryError)
    (voucher,) = world.store.select(VOUCHERS)
    names = [*(f"joint{number}" for number in range(6)), "s3"]
    assert voucher.co_debtors == tuple(world.ids[name] for name in names)
    verify_everything(world)


def test_rg_23_an_accession_keeps_how_far_it_goes_and_until_when_it_is_refused() -> None:
    world, draft = good("voucher.accede")
    draft.body |= {"scope": "capped", "cap": "700", "refuse_by": "2025-07-04"}
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    (row,) = world.store.select(ACCESSIONS)
    assert (row.accession, row.scope, row.cap) == (made.sid, "capped", 700)
    assert row.refuse_by == instant(date(2025, 7, 5), hour=0)
    verify_everything(world)


@pytest.mark.parametrize(
    ("refuse_by", "working_days", "until"),
    [
        # Neither says anything: until the due date, 2025-12-19.
        (None, None, date(2025, 12, 19)),
        # Five working days after Thursday, 2025-07-03: all of Thursday the 10th is left.
        (None, 5, date(2025, 7, 11)),
        # Who joins may give more than the policy asks for, and never less.
        ("2025-07-31", 5, date(2025, 8, 1)),
        ("2025-07-04", 5, date(2025, 7, 11)),
        # Nobody refuses what is due.
        ("2026-03-31", None, date(2025, 12, 19)),
    ],
)
def test_rg_23_the_time_to_refuse(
    refuse_by: str | None, working_days: int | None, until: date
) -> None:
    world = cast_world()
    if working_days is not None:
        world.enforce(accession={"calendar": "CN-LEGAL", "working_days": working_days})
    world.advance(instant(date(2025, 7, 3)))
    voucher, draft = _joined_to(world, **({} if refuse_by is None else {"refuse_by": refuse_by}))
    (row,) = world.store.select(ACCESSIONS)
    assert row.refuse_by == instant(until, hour=0)
    draft.time = row.refuse_by
    assert isinstance(refusal(world, draft), DeadlinePassedError)
    draft.time = row.refuse_by - 1
    assert not isinstance(attempt(world, draft), RegistryError)
    assert _voucher(world, voucher).co_debtors == ()
    assert list(world.store.select(ACCESSIONS)) == []
    verify_everything(world)


def test_rg_23_who_was_refused_owes_nothing_and_is_told_nothing_more() -> None:
    world = cast_world()
    voucher, draft = _joined_to(world)
    assert not isinstance(attempt(world, draft), RegistryError)
    offer = world.offer(f"{voucher}.0", 5, by="s1", to="s3")
    world.accept(offer, by="s3")
    told = {row.recipient for row in world.store.select(NOTICES)}
    assert told == {world.ids["core"]}
    # It may offer to join again, and be refused again.
    again = world.do("s3", "voucher.accede", accession(), re=world.issue(voucher_no="SECOND")).sid
    assert again in {row.accession for row in world.store.select(ACCESSIONS)}
    verify_everything(world)


def test_rg_23_nobody_refuses_for_other_holders() -> None:
    world = cast_world()
    voucher, draft = _joined_to(world)
    offer = world.offer(f"{voucher}.0", 5, by="s1", to="s2")
    world.accept(offer, by="s2")
    for by, lot in (("s1", f"{offer}.1"), ("s2", f"{offer}.2")):
        alone = Draft(by=by, kind=draft.kind, body={"lots": [lot]}, re=draft.re)
        assert isinstance(refusal(world, alone), NotSoleHolderError)
    # All of it in one hand again, in several parts.
    back = world.offer(f"{offer}.2", 5, by="s2", to="s1")
    world.accept(back, by="s1")
    lots: list[Json] = [*sorted([f"{offer}.1", f"{back}.2"])]
    whole = Draft(by="s1", kind=draft.kind, body={"lots": lots}, re=draft.re)
    turned = Draft(by="s1", kind=draft.kind, body={"lots": lots[::-1]}, re=draft.re)
    assert isinstance(refusal(world, turned), MalformedError)
    assert not isinstance(attempt(world, whole), RegistryError)
    assert _voucher(world, voucher).co_debtors == ()
    verify_everything(world)


def test_rg_23_another_vouchers_lots_are_not_all_of_this_one() -> None:
    world = cast_world()
    _, draft = _joined_to(world)
    other = world.issue(voucher_no="OTHER")
    draft.body["lots"] = [f"{other}.0"]
    assert isinstance(refusal(world, draft), NotSoleHolderError)
