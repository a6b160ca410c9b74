"""Voiding: by the debtor and whoever holds everything, and over nobody's head (RG-27)."""

from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pytest

from registry.canonical import Json
from registry.credit import BACKINGS, DEBTORS, INVOICES, Voiding
from registry.encumbrance_refusals import LotBurdenedError
from registry.errors import MalformedError, RegistryError
from registry.ids import LotId, Sid
from registry.model import LOTS, PARTIES, VOUCHERS
from registry.refusals import (
    AnswerMissingError,
    LotLockedError,
    LotNotFoundError,
    NotDebtorError,
    NotHolderError,
    NotSoleHolderError,
    VoucherDueError,
    VoucherStatusError,
)
from registry.rules.voiding import KINDS, VoucherAgreeVoid, reads_voucher_agree_void
from registry.tables import Get, Where
from tests.builders import DIGEST, World, instant
from tests.credit import all_of
from tests.encumbered import FILE, freeze
from tests.faults import cases, fault, verify_refused, verify_rows
from tests.scenario import Draft, attempt, cast_world, good, refusal, verify_everything

DUE = instant(date(2025, 12, 19), hour=0)


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _on_the_due_date(_world: World, draft: Draft) -> None:
    draft.time = DUE


def _only_issued(world: World, draft: Draft) -> None:
    draft.re = world.do("core", "voucher.issue", world.issue_body()).sid


def _first_lot(world: World) -> str:
    return next(world.store.select(LOTS)).lot


def _voided_before(world: World, _draft: Draft) -> None:
    voucher = next(world.store.select(VOUCHERS)).voucher
    second = world.do("core", "voucher.void", {"ground": FILE}, re=voucher).sid
    world.do("s1", "voucher.agree-void", all_of(world, voucher), re=second)


def _twice(_world: World, draft: Draft) -> None:
    draft.body["lots"] = [*draft.body["lots"], *draft.body["lots"]]  # type: ignore[misc]


def _long_gone(world: World, _draft: Draft) -> None:
    world.offer(_first_lot(world), 5, by="s1", to="s2")


def _part_elsewhere(world: World, draft: Draft) -> None:
    went = world.transfer(_first_lot(world), 5, by="s1", to="s2")
    draft.body["lots"] = [f"{went}.1"]


def _with_anothers(world: World, draft: Draft) -> None:
    _part_elsewhere(world, draft)
    draft.body |= all_of(world, next(world.store.select(VOUCHERS)).voucher)


def _part_frozen(world: World, _draft: Draft) -> None:
    freeze(world, _first_lot(world))


def _part_offered(world: World, draft: Draft) -> None:
    offer = world.offer(_first_lot(world), 5, by="s1", to="s2")
    draft.body["lots"] = [f"{offer}.0", f"{offer}.1"]


FAULTS = {
    "voucher.void": (
        fault(VoucherStatusError, "not accepted yet", _only_issued, "status"),
        fault(NotDebtorError, "by the holder", _by("s1"), "by"),
        fault(VoucherDueError, "on the due date", _on_the_due_date, "time"),
    ),
    "voucher.agree-void": (
        fault(VoucherStatusError, "void already", _voided_before, "lots"),
        fault(MalformedError, "a lot twice", _twice, "lots", "named"),
        fault(LotNotFoundError, "a lot that is gone", _long_gone, "lots", "named"),
        fault(NotHolderError, "by another", _by("s2"), "by"),
        fault(NotHolderError, "a part is another's", _with_anothers, "lots", "named"),
        fault(LotLockedError, "a part is offered", _part_offered, "lots", "named"),
        fault(LotBurdenedError, "a part is frozen", _part_frozen, "lots"),
        fault(NotSoleHolderError, "a part is left out", _part_elsewhere, "lots", "named"),
        fault(VoucherDueError, "on the due date", _on_the_due_date, "time"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_a_void_voucher_owes_nothing_and_gives_its_invoices_back() -> None:
    world, draft = good("voucher.agree-void")
    assert not isinstance(attempt(world, draft), RegistryError)
    (voucher,) = world.store.select(VOUCHERS)
    assert (voucher.status, voucher.cancelled) == ("voided", voucher.face)
    assert list(world.store.select(LOTS)) == []
    assert [row.outstanding for row in world.store.select(DEBTORS)] == [0]
    assert [row.used for row in world.store.select(INVOICES)] == [0]
    assert isinstance(refusal(world, draft), AnswerMissingError)
    verify_everything(world)


def test_whoever_holds_all_of_it_agrees_however_many_parts_and_hands() -> None:
    world = cast_world()
    voucher = world.issue()
    went = world.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    voiding = world.do("core", "voucher.void", {"ground": FILE}, re=voucher).sid
    for name, lot in (("s1", f"{went}.1"), ("s2", f"{went}.2")):
        body: dict[str, Json] = {"lots": [lot]}
        alone = Draft(by=name, kind="voucher.agree-void", body=body, re=voiding)
        assert isinstance(refusal(world, alone), NotSoleHolderError)
    world.transfer(f"{went}.1", 40_000_000, by="s1", to="s2")
    both = all_of(world, voucher)
    by_s1 = Draft(by="s1", kind="voucher.agree-void", body=both, re=voiding)
    assert isinstance(refusal(world, by_s1), NotHolderError)
    world.do("s2", "voucher.agree-void", both, re=voiding)
    verify_everything(world)


def test_refusing_to_void_a_voucher_in_a_thousand_parts_reads_no_more_than_is_named() -> None:
    statement = SimpleNamespace(
        body=VoucherAgreeVoid(lots=(LotId(f"{DIGEST}.0"),)), re=DIGEST, by="s1"
    )
    asked = reads_voucher_agree_void(cast(Any, statement), cast(Any, None))
    next(asked)
    named = asked.send((Voiding(voiding=Sid(DIGEST), voucher=Sid(DIGEST)),))
    assert named == Get(LOTS, ((f"{DIGEST}.0",),))
    # And not the lots of the voucher: whoever splits it makes nobody read more.
    answers = {LOTS: (None,), VOUCHERS: (None,), PARTIES: (None,), BACKINGS: ()}
    while True:
        assert not (isinstance(named, Where) and named.table is LOTS)
        try:
            named = asked.send(answers[named.table])
        except StopIteration:
            break
