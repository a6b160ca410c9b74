"""Bank accounts and the authority to debit them."""

from typing import Any

import pytest

from registry.canonical import Json
from registry.encumbrance_refusals import (
    MoveNotAllowedError,
)
from registry.errors import RegistryError
from registry.model import ACCOUNTS, MANDATES
from registry.refusals import (
    AccountUnknownError,
    NotBankError,
    NotOwnerError,
)
from registry.rules.accounts import KINDS
from tests.builders import DIGEST, World, uscc
from tests.encumbered import RULING
from tests.faults import account_faults, cases, fault, setting, verify_refused, verify_rows
from tests.scenario import Draft, attempt, good, verify_everything


def _at_a_party_that_is_no_bank(world: World, draft: Draft) -> None:
    draft.body["bank"] = world.ids["s2"]


def _by_another_bank(world: World, draft: Draft) -> None:
    world.admit("second bank", "bank")
    draft.by = "second bank"


def _frozen(world: World, draft: Draft) -> None:
    world.do("bank", "account.freeze", RULING, re=draft.re)


def _unfrozen(world: World, draft: Draft) -> None:
    world.do("bank", "account.unfreeze", RULING, re=draft.re)


def _by_s2(_world: World, draft: Draft) -> None:
    draft.by = "s2"


def _revoked(world: World, draft: Draft) -> None:
    world.do("s1", "mandate.revoke", {}, re=draft.re)


FAULTS = {
    "account.register": (
        fault(NotBankError, "no bank", _at_a_party_that_is_no_bank, "bank"),
        fault(NotBankError, "no party", setting(bank=uscc(999)), "bank"),
    ),
    "account.verify": (fault(NotBankError, "another bank", _by_another_bank, "by"),),
    "account.freeze": (
        fault(NotBankError, "another bank", _by_another_bank, "by"),
        fault(MoveNotAllowedError, "frozen", _frozen, "world"),
    ),
    "account.unfreeze": (
        fault(NotBankError, "another bank", _by_another_bank, "by"),
        fault(MoveNotAllowedError, "not frozen", _unfrozen, "world"),
    ),
    "mandate.grant": (
        *account_faults("s1"),
        fault(AccountUnknownError, "onto no account", setting(onto=DIGEST), "onto"),
    ),
    "mandate.revoke": (
        fault(NotOwnerError, "by another", _by_s2, "by"),
        fault(MoveNotAllowedError, "revoked", _revoked, "world"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_an_account_is_named_by_its_statement_and_known_by_its_digest() -> None:
    world, draft = good("account.register")
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    (account,) = (row for row in world.store.select(ACCOUNTS) if row.account == made.sid)
    assert (account.owner, account.bank) == (world.ids["s1"], world.ids["bank"])
    assert (account.digest, account.verified) == (draft.body["terms"], False)
    verify_everything(world)


def test_a_mandate_is_its_owners_authority_over_one_account() -> None:
    world, draft = good("mandate.grant")
    made = attempt(world, draft)
    assert not isinstance(made, RegistryError)
    (mandate,) = (row for row in world.store.select(MANDATES) if row.mandate == made.sid)
    assert (mandate.owner, mandate.account) == (world.ids["s1"], world.accounts["s1"])
    verify_everything(world)


@pytest.mark.parametrize("odd", [{"number": "62220000"}, {"name": "s1"}])
def test_no_account_number_stands_in_the_log(odd: dict[str, Json]) -> None:
    world, draft = good("account.register")
    draft.body |= odd
    found = attempt(world, draft)
    assert isinstance(found, RegistryError)
    assert found.facts["what"] == f"body/{next(iter(odd))}"
