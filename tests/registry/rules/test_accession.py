"""Joining the debt of a voucher."""

from datetime import date
from typing import Any

import pytest

from registry.canonical import Json
from registry.errors import MalformedError, RegistryError
from registry.model import VOUCHERS
from registry.notice_refusals import InboxMissingError
from registry.refusals import (
    AlreadyJoinedError,
    TooManyRecipientsError,
    VoucherDueError,
    VoucherStatusError,
)
from registry.rules.accession import KINDS
from tests.builders import DIGEST, World, instant
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, good, verify_everything

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


FAULTS = {
    "voucher.accede": (
        fault(MalformedError, "a cap of full scope", setting(cap="5"), "scope"),
        fault(MalformedError, "capped without cap", setting(scope="capped"), "scope"),
        fault(VoucherStatusError, "withdrawn", _withdrawn, "status"),
        fault(VoucherDueError, "on the due date", _on_the_due_date, "time"),
        fault(AlreadyJoinedError, "the debtor", _by_the_debtor, "by"),
        fault(AlreadyJoinedError, "joined before", _joined_before, "joined", "status"),
        fault(TooManyRecipientsError, "the ninth", _seven_joined, "joined", "status"),
        fault(InboxMissingError, "no inbox", _without_inbox, "by", "joined"),
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
