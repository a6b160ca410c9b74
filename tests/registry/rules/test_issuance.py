"""What a voucher can never be made into, whoever signs what."""

from typing import Any

import pytest

from registry.errors import MalformedError, RegistryError
from registry.model import LEDGER, VOUCHERS, Voucher
from tests.builders import World
from tests.scenario import GOOD, Draft, attempt, cast_world, good, refusal

FIXED = ("debtor", "creditor", "face", "due_on", "voucher_no", "route")


def _vouchers(world: World) -> dict[str, Voucher]:
    return {row.voucher: row for row in world.store.select(VOUCHERS)}


@pytest.mark.parametrize("basis", ["prepayment", "advance", ""])
def test_sd_08_no_voucher_is_issued_on_a_prepayment(basis: str) -> None:
    world = cast_world()
    body = world.issue_body() | {"basis": basis}
    assert isinstance(
        refusal(world, Draft(by="core", kind="voucher.issue", body=body)), MalformedError
    )


@pytest.mark.parametrize("kind", sorted(set(GOOD) - {"genesis"}))
def test_fr_18_no_statement_moves_due_date_debtor_amount_or_currency(kind: str) -> None:
    world, draft = good(kind)
    before, (ledger,) = _vouchers(world), world.store.select(LEDGER)
    outcome: Any = attempt(world, draft)
    assert not isinstance(outcome, RegistryError)
    world.engine.submit([])
    after, (then,) = _vouchers(world), world.store.select(LEDGER)
    assert then.currency == ledger.currency
    for voucher, row in before.items():
        if voucher in after:
            assert [getattr(after[voucher], name) for name in FIXED] == [
                getattr(row, name) for name in FIXED
            ]


def test_fr_18_there_is_no_word_for_an_extension() -> None:
    assert not [kind for kind in GOOD if "extend" in kind or "renew" in kind or "roll" in kind]
