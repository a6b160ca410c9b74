"""What becomes of an issued voucher: accepted, refused, withdrawn or expired."""

from datetime import date
from typing import Any, cast

import pytest

from registry.batch import KeptRows
from registry.canonical import Json
from registry.errors import RegistryError
from registry.model import BUCKETS, DEADLINES, LEDGER, VOUCHERS
from registry.money import SUM_MAX
from registry.refusals import (
    DeadlinePassedError,
    ExposureLimitError,
    LedgerFullError,
    NotCreditorError,
    NotDebtorError,
    VoucherStatusError,
)
from registry.rules.acceptance import KINDS
from registry.store.memory import MemoryStore
from registry.tables import Minor, replace
from tests.builders import World, instant
from tests.faults import account_faults, cases, fault, verify_refused, verify_rows
from tests.scenario import (
    Draft,
    attempt,
    cast_world,
    good,
    lots_of,
    pending_voucher,
    verify_everything,
)

END = instant(date(2025, 7, 11), hour=0)
"""The end of the last day for acceptance, 2025-07-10."""


def _refused(world: World, draft: Draft) -> None:
    world.do("s1", "voucher.refuse", {}, re=draft.re)


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _at_the_end(_world: World, draft: Draft) -> None:
    draft.time = END


def _full(world: World, _draft: Draft) -> None:
    """Stands in for nine thousand vouchers of the largest face."""
    rows = cast(MemoryStore, world.store)._rows[LEDGER.name]
    ledger = rows.live[("ledger",)]
    rows.live[("ledger",)] = replace(ledger, face_total=Minor(SUM_MAX))
    world.engine.kept = KeptRows(world.rulebook.tables)


def _of_a_financier(world: World, draft: Draft) -> None:
    limit: dict[str, Json] = {"debtor": world.ids["core"], "amount": "99999999"}
    world.do("factor", "exposure.limit", limit)
    draft.re = pending_voucher(world, creditor=world.ids["factor"])
    draft.by, draft.body["account"] = "factor", world.accounts["factor"]


FAULTS = {
    "voucher.accept": (
        fault(VoucherStatusError, "refused", _refused, "status"),
        fault(NotCreditorError, "by another", _by("s2"), "by"),
        fault(DeadlinePassedError, "at the deadline", _at_the_end, "time"),
        *account_faults("s1"),
        fault(
            ExposureLimitError,
            "more than a financier wants",
            _of_a_financier,
            "account",
            "by",
            "status",
            "time",
        ),
        fault(LedgerFullError, "past the largest sum", _full, "ledger"),
    ),
    "voucher.refuse": (
        fault(VoucherStatusError, "refused", _refused, "status"),
        fault(NotCreditorError, "by another", _by("s2"), "by"),
    ),
    "voucher.withdraw": (
        fault(VoucherStatusError, "refused", _refused, "status"),
        fault(NotDebtorError, "by the first holder", _by("s1"), "by"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_acceptance_makes_one_lot_of_the_whole_face() -> None:
    world, draft = good("voucher.accept")
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    (lot,) = lots_of(world).values()
    (voucher,) = world.store.select(VOUCHERS)
    assert (lot.lot, lot.amount, lot.holder) == (f"{draft.re}.0", voucher.face, world.ids["s1"])
    assert (lot.tier, lot.path, lot.born) == (1, (world.ids["s1"],), made.index)
    assert voucher.status == "active"
    verify_everything(world)


def test_acceptance_a_millisecond_before_the_deadline_stands() -> None:
    world, draft = good("voucher.accept")
    world.advance(END - 1)
    world.time = END - 1
    assert not isinstance(attempt(world, draft), RegistryError)
    verify_everything(world)


def test_ordinals_follow_acceptance_and_not_issue() -> None:
    world = cast_world()
    first, second, third = (pending_voucher(world) for _ in range(3))
    world.do("s1", "voucher.refuse", {}, re=second)
    payee: dict[str, Json] = {"account": world.accounts["s1"], "collection_route": True}
    for voucher in (third, first):
        world.do("s1", "voucher.accept", payee, re=voucher)
    ordinals = {row.voucher: row.ordinal for row in world.store.select(VOUCHERS)}
    assert ordinals == {third: 0, first: 1, second: None}
    buckets = {row.bucket: row.ordinal for row in world.store.select(BUCKETS)}
    assert {name: buckets[name] for name in ordinals} == ordinals
    verify_everything(world)


def test_vouchers_of_one_due_date_share_its_cut_off() -> None:
    world = cast_world()
    for due_on in ("2025-12-19", "2025-12-19", "2025-12-20"):
        world.issue(due_on=due_on)
    found = [(row.at, row.kind, row.id) for row in world.store.select(DEADLINES)]
    assert found == [
        (instant(date(2025, 12, day), hour=0), "day.cut-off", f"2025-12-{day}") for day in (19, 20)
    ]


@pytest.mark.parametrize("end", ["voucher.refuse", "voucher.withdraw"])
def test_a_voucher_that_never_bound_is_cancelled_whole(end: str) -> None:
    world, draft = good(end)
    assert not isinstance(attempt(world, draft), RegistryError)
    (voucher,) = world.store.select(VOUCHERS)
    assert (voucher.cancelled, voucher.discharged) == (voucher.face, 0)
    assert not lots_of(world)
    assert list(world.store.select(DEADLINES)) == []
    verify_everything(world)
