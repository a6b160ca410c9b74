"""What becomes of an offer: accepted, rejected, withdrawn, expired or cancelled."""

from datetime import date
from typing import Any

import pytest

from registry.canonical import Json
from registry.encumbrance_refusals import (
    LotBurdenedError,
)
from registry.errors import RegistryError
from registry.inboxes import NOTICES
from registry.model import DEADLINES, OFFERS
from registry.refusals import (
    AssigneeRefusedError,
    BlackoutError,
    DeadlinePassedError,
    ExposureLimitError,
    NotAssigneeError,
    NotAssignorError,
)
from registry.rules.answers import KINDS
from registry.tables import replace
from tests.builders import DIGEST, World, instant
from tests.encumbered import freeze
from tests.faults import account_faults, cases, fault, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, lots_of, verify_everything

END = instant(date(2025, 12, 2), hour=0)
"""The end of the last day for acceptance, 2025-12-01."""


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _at_the_end(_world: World, draft: Draft) -> None:
    draft.time = END


def _blackout_since(world: World, draft: Draft) -> None:
    world.enforce(blackout={"calendar": "CN-LEGAL", "working_days": 30})
    draft.time = instant(date(2025, 11, 20))


def _joined_since(world: World, _draft: Draft) -> None:
    (offer,) = world.store.select(OFFERS)
    body: dict[str, Json] = {
        "scope": "full",
        "addressee": "holders",
        "resolution": {"digest": DIGEST, "name": "resolution.pdf"},
    }
    world.do("s2", "voucher.accede", body, re=offer.voucher)


def _over_its_limit(world: World, draft: Draft) -> None:
    rest = f"{draft.re}.1"
    draft.re = world.offer(rest, 40_000_000, by="s1", to="factor", purpose="finance")
    draft.by, draft.body["account"] = "factor", world.accounts["factor"]
    limit: dict[str, Json] = {"debtor": world.ids["core"], "amount": "39999999"}
    world.do("factor", "exposure.limit", limit)


def _frozen_since(world: World, draft: Draft) -> None:
    freeze(world, f"{draft.re}.0")


_ANOTHER_OFFER = ("by", "debt", "account", "lot", "time")
"""What differs for an offer to a financier."""

FAULTS = {
    "transfer.accept": (
        fault(NotAssigneeError, "by another", _by("s3"), "by"),
        fault(NotAssigneeError, "by the assignor", _by("s1"), "by"),
        fault(DeadlinePassedError, "at the deadline", _at_the_end, "time"),
        fault(LotBurdenedError, "frozen since", _frozen_since, "lot"),
        fault(BlackoutError, "in a blackout since", _blackout_since, "time"),
        fault(AssigneeRefusedError, "having joined the debt", _joined_since, "debt"),
        *account_faults("s2"),
        fault(
            ExposureLimitError,
            "over its own limit",
            _over_its_limit,
            "by",
            "debt",
            "account",
            "lot",
            "time",
        ),
    ),
    "transfer.reject": (
        fault(NotAssigneeError, "by another", _by("s3"), "by"),
        fault(NotAssigneeError, "by the assignor", _by("s1"), "by"),
    ),
    "transfer.withdraw": (
        fault(NotAssignorError, "by another", _by("s3"), "by"),
        fault(NotAssignorError, "by the assignee", _by("s2"), "by"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_acceptance_moves_the_claim_and_grows_the_chain() -> None:
    world, draft = good("transfer.accept")
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    lots = lots_of(world)
    moved = lots.pop(f"{draft.re}.2")
    assert list(lots) == [f"{draft.re}.1"]
    assert (moved.amount, moved.holder, moved.status) == (60_000_000, world.ids["s2"], "free")
    assert moved.path == (world.ids["s1"], world.ids["s2"])
    assert (moved.tier, moved.acquired, moved.born) == (2, draft.re, made.index)
    assert not moved.acknowledged
    verify_everything(world)


def test_only_settling_adds_a_tier() -> None:
    world = cast_world()
    first = world.transfer(f"{world.issue()}.0", 100, by="s1", to="s2")
    second = world.transfer(f"{first}.2", 100, by="s2", to="factor", purpose="finance")
    third = world.transfer(f"{second}.2", 100, by="factor", to="trustee#T1", purpose="securitise")
    lot = lots_of(world)[f"{third}.2"]
    assert (lot.tier, lot.assignments) == (2, 3)
    verify_everything(world)


@pytest.mark.parametrize("kind", ["transfer.reject", "transfer.withdraw"])
def test_an_offer_that_ends_frees_the_identical_lot(kind: str) -> None:
    world, draft = good(kind)
    locked = lots_of(world)[f"{draft.re}.0"]
    assert not isinstance(attempt(world, draft), RegistryError)
    free = lots_of(world)[f"{draft.re}.0"]
    assert free == replace(locked, status="free")
    assert list(world.store.select(OFFERS)) == []
    assert [row.kind for row in world.store.select(DEADLINES)] == ["day.cut-off"]
    # Free again means that it can be offered again.
    world.transfer(free.lot, free.amount, by="s1", to="s3")
    verify_everything(world)


def test_every_debtor_is_notified_in_order_and_nobody_else() -> None:
    world = cast_world()
    voucher = world.issue()
    for name in ("s3", "factor2"):
        if name not in world.ids:
            world.admit(name, "participant")
            world.designate(name)
        body: dict[str, Json] = {
            "scope": "full",
            "addressee": "holders",
            "resolution": {"digest": DIGEST, "name": "resolution.pdf"},
        }
        world.do(name, "voucher.accede", body, re=voucher)
    transfer = world.transfer(f"{voucher}.0", 5, by="s1", to="s2")
    notices = [(row.notice, row.recipient) for row in world.store.select(NOTICES)]
    recipients = ("core", "s3", "factor2")
    assert notices == [
        (f"{transfer}.2!{rank}", world.ids[name]) for rank, name in enumerate(recipients)
    ]
    assert {row.arrived for row in world.store.select(NOTICES)} == {world.time}
    verify_everything(world)


def test_an_offer_or_its_end_notifies_nobody() -> None:
    world, draft = good("transfer.reject")
    assert not isinstance(attempt(world, draft), RegistryError)
    assert list(world.store.select(NOTICES)) == []


def test_acceptance_a_millisecond_before_the_deadline_stands() -> None:
    world, draft = good("transfer.accept")
    world.advance(END - 1)
    world.time = END - 1
    assert not isinstance(attempt(world, draft), RegistryError)
    verify_everything(world)
