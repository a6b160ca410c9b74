"""A valid signature never suffices: about whose things a statement may be.

A kind whose body names something of another's, and has no row here, fails the tests.
"""

from typing import Any

import pytest

from registry.dealing_refusals import NotFinancingPartyError
from registry.encumbrance_refusals import (
    NotPledgeeError,
    NotRegistrantError,
)
from registry.errors import (
    KeyNotOfPartyError,
    KeyUnknownError,
    KeyUseError,
    RegistryError,
)
from registry.notice_refusals import NotDeclarerError, NoticeNotFoundError, NotSenderError
from registry.people_refusals import OtherPartyError
from registry.refusals import (
    AllocationError,
    LotNotFoundError,
    MandateMissingError,
    NotAssigneeError,
    NotAssignorError,
    NotBankError,
    NotCreditorError,
    NotDebtorError,
    NotGrantorError,
    NotHolderError,
    NotOwnerError,
    NotTrusteeError,
    PossessionError,
    RoleMissingError,
)
from tests.builders import ORIGIN, World, key_of, possession_proof
from tests.noticed import receipt_key
from tests.people import engage, key_body
from tests.scenario import RULEBOOK, Draft, attempt, good, refusal


def _as(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _account_of(name: str) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body["account"] = world.accounts[name]

    return make


def _mandate_of_s1(world: World, draft: Draft) -> None:
    draft.body["mandate"] = world.mandates["s1"]


def _as_another_bank(world: World, draft: Draft) -> None:
    world.admit("second bank", "bank")
    draft.by = "second bank"


def _as_another_financier(world: World, draft: Draft) -> None:
    world.admit("second factor", "financier")
    draft.by = "second factor"


def _kid_of_s2(world: World, draft: Draft) -> None:
    draft.body["kid"] = world.keys["s2"].public.kid


def _vehicle_of_the_trustee(world: World, draft: Draft) -> None:
    world.admit("second trustee", "trustee")
    draft.by = "second trustee"


def _vehicle_under_another_trustees_key(world: World, draft: Draft) -> None:
    world.admit("second trustee", "trustee")
    draft.key = world.keys["second trustee"]


def _key_proved_for_s2(world: World, draft: Draft) -> None:
    draft.body["proof"] = possession_proof(key_of("further"), origin=ORIGIN, party=world.ids["s2"])


def _keys_proved_for_s2(world: World, draft: Draft) -> None:
    new = key_body(world, "s2", "s1 anew")
    del new["use"]
    draft.body["keys"] = [new]


def _as_a_person_of_s2(world: World, draft: Draft) -> None:
    draft.by, draft.key = "s2", engage(world, "s2", "chen")


def _by_the_system_of(name: str) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.by, draft.key = name, receipt_key(world, name)

    return make


def _by_its_own_hand(_world: World, draft: Draft) -> None:
    draft.key = None


NAMES_ANOTHERS: dict[str, list[tuple[str, type[RegistryError], Any]]] = {
    "vehicle.register": [("vehicle", NotTrusteeError, _vehicle_of_the_trustee)],
    "key.add": [("key", PossessionError, _key_proved_for_s2)],
    "key.revoke": [("key", KeyUnknownError, _kid_of_s2)],
    "key.recover": [("key", PossessionError, _keys_proved_for_s2)],
    "approve": [("statement", OtherPartyError, _as_a_person_of_s2)],
    "disapprove": [("statement", OtherPartyError, _as_a_person_of_s2)],
    "account.verify": [("account", NotBankError, _as_another_bank)],
    "payee.change": [
        ("lot", NotHolderError, _as("s3")),
        ("account", NotOwnerError, _account_of("s2")),
    ],
    "mandate.grant": [("account", NotOwnerError, _account_of("s2"))],
    "mandate.revoke": [("mandate", NotOwnerError, _as("s2"))],
    "account.stage": [("account", NotOwnerError, _as("s2"))],
    "account.unstage": [("stage", NotOwnerError, _as("s2"))],
    "consent.grant": [("account", NotOwnerError, _account_of("s1"))],
    "consent.withdraw": [
        ("consent", NotGrantorError, _as("s3")),
        ("consent, as a financier", NotGrantorError, _as("factor")),
    ],
    "voucher.issue": [
        ("account", NotOwnerError, _account_of("s1")),
        ("mandate", MandateMissingError, _mandate_of_s1),
    ],
    "voucher.accept": [
        ("voucher", NotCreditorError, _as("s2")),
        ("voucher, as a financier", NotCreditorError, _as("factor")),
        ("account", NotOwnerError, _account_of("s2")),
    ],
    "voucher.refuse-accession": [("voucher", NotCreditorError, _as("s2"))],
    "voucher.refuse": [("voucher", NotCreditorError, _as("s2"))],
    "voucher.withdraw": [("voucher", NotDebtorError, _as("s1"))],
    "voucher.void": [("voucher", NotDebtorError, _as("s1"))],
    "voucher.agree-void": [
        ("voucher", NotHolderError, _as("s2")),
        ("voucher, as the debtor", NotHolderError, _as("core")),
        ("voucher, as a financier", NotHolderError, _as("factor")),
    ],
    "limit.allocate": [("limit", AllocationError, _as("s2"))],
    "transfer.offer": [
        ("lot", NotHolderError, _as("s3")),
        ("lot, as the debtor", NotHolderError, _as("core")),
        ("lot, as a vehicle", NotHolderError, _as("trustee#T1")),
    ],
    "transfer.accept": [
        ("offer", NotAssigneeError, _as("s3")),
        ("offer, as the assignor", NotAssigneeError, _as("s1")),
        ("account", NotOwnerError, _account_of("s1")),
    ],
    "transfer.reject": [
        ("offer", NotAssigneeError, _as("s3")),
        ("offer, as the assignor", NotAssigneeError, _as("s1")),
    ],
    "transfer.withdraw": [
        ("offer", NotAssignorError, _as("s3")),
        ("offer, as the assignee", NotAssignorError, _as("s2")),
    ],
    "notice.received": [
        ("notice", NoticeNotFoundError, _by_the_system_of("s3")),
        ("notice, by a key to sign", KeyUseError, _by_its_own_hand),
    ],
    "notice.give": [
        ("transfer, as its assignor", NotSenderError, _as("s1")),
        ("transfer, as a stranger", NotSenderError, _as("s3")),
    ],
    "notice.revoke": [
        ("notice, as the debtor", NotSenderError, _as("core")),
        ("notice, as the assignee", NotSenderError, _as("s2")),
    ],
    "notice.agree-revoke": [
        ("notice, as the assignor", NotSenderError, _as("s1")),
        ("notice, as the debtor", NotSenderError, _as("core")),
    ],
    "power.trigger": [
        ("power, as the assignor", NotDeclarerError, _as("factor")),
        ("power, as the attorney", NotDeclarerError, _as("trustee")),
    ],
    "notice.refuse": [
        ("notice", NoticeNotFoundError, _as("s3")),
        ("notice, as the assignee", NoticeNotFoundError, _as("s2")),
    ],
    "notice.acknowledge": [
        ("notice", NoticeNotFoundError, _as("s3")),
        ("notice, as the assignee", NoticeNotFoundError, _as("s2")),
    ],
    "snapshot.request": [("vehicle", KeyNotOfPartyError, _vehicle_under_another_trustees_key)],
    "pledge.create": [
        ("lot", NotHolderError, _as("s3")),
        ("lot, as the debtor", NotHolderError, _as("core")),
        ("account", NotOwnerError, _account_of("s3")),
    ],
    "pledge.register": [("pledge", NotPledgeeError, _as("trustee#T1"))],
    "pledge.enforce": [("pledge", NotPledgeeError, _as("trustee#T1"))],
    "pledge.release": [("pledge", NotPledgeeError, _as("trustee#T1"))],
    "early.offer": [("debt, as the holder", NotDebtorError, _as("s1"))],
    "early.consent": [("lot, as the debtor", NotHolderError, _as("core"))],
    "early.receive": [("lot, as the debtor", NotHolderError, _as("core"))],
    "financing.apply": [
        ("lot", NotHolderError, _as("s3")),
        ("lot, as the debtor", NotHolderError, _as("core")),
        ("account", NotOwnerError, _account_of("s2")),
    ],
    "financing.quote": [("account", NotOwnerError, _account_of("s1"))],
    "financing.confirm": [("debt, as the holder", NotDebtorError, _as("s1"))],
    "financing.end": [("financing, as the debtor", NotFinancingPartyError, _as("core"))],
    "financing.contract": [
        ("financing, as its financier", NotFinancingPartyError, _as("factor")),
        ("financing, as another holder", NotFinancingPartyError, _as("s2")),
    ],
    "financing.register": [("financing", NotFinancingPartyError, _as_another_financier)],
    "financing.pay": [("financing", NotFinancingPartyError, _as_another_financier)],
    "financing.receive": [
        ("financing, as its financier", NotFinancingPartyError, _as("factor")),
        ("account, as another bank", NotFinancingPartyError, _as_another_bank),
    ],
    "lot.object": [("debt, as the holder", NotDebtorError, _as("s1"))],
    "account.freeze": [("account", NotBankError, _as_another_bank)],
    "account.unfreeze": [("account", NotBankError, _as_another_bank)],
    "dispute.raise": [("voucher, as its creditor", NotDebtorError, _as("s1"))],
    "dispute.answer": [
        ("dispute, as the debtor", NotCreditorError, _as("core")),
        ("dispute, as a later holder", NotCreditorError, _as("factor")),
    ],
    "dispute.resolve": [("dispute, as the debtor", NotCreditorError, _as("core"))],
    "dispute.withdraw": [("dispute, as the creditor", NotDebtorError, _as("s1"))],
    "registration.undertake": [("lot, as the assignor", NotHolderError, _as("s1"))],
    "registration.record": [("lot, as the assignor", NotHolderError, _as("s1"))],
    "registration.change": [("registration", NotRegistrantError, _as("trustee#T1"))],
    "registration.cancel": [("registration", NotRegistrantError, _as("trustee#T1"))],
    "registration.search": [("lot", LotNotFoundError, _as("s3"))],
}

NAMES_NOTHING_OF_ANOTHERS = {
    "genesis",  # names its own founders, in an empty log
    "clock.set",  # one operator, one clock
    "policy.publish",  # of the ledger, and so is the calendar
    "calendar.publish",
    "party.register",  # names the signer; gives no right
    "party.admit",  # one registrar answers all registrations
    "party.review",  # one registrar looks after all parties
    "party.suspend",
    "party.reinstate",
    "party.policy",  # names kinds
    "affiliation.declare",  # names anybody, by the registrar's word
    "affiliation.end",
    "account.register",  # names a bank, which then verifies or does not
    "lot.freeze",  # one registrar hears the courts
    "lot.unfreeze",  # one registrar hears the courts
    "lot.pay-to-court",  # one registrar hears the courts
    "power.grant",  # names others, on whom it puts no duty
    "inbox.designate",  # names the signer alone
    "accessory.attach",  # open to any participant that is willing to secure
    "voucher.accede",  # open to any participant that is willing to owe
    "limit.set",  # one registrar sets all limits
    "exposure.limit",  # names a debtor, to whom nothing changes
    "issuance.stop",  # one registrar stops all debtors
    "issuance.resume",  # likewise
}


def test_every_kind_has_its_row() -> None:
    assert set(NAMES_ANOTHERS) | NAMES_NOTHING_OF_ANOTHERS == set(RULEBOOK.kinds)
    assert not set(NAMES_ANOTHERS) & NAMES_NOTHING_OF_ANOTHERS


@pytest.mark.parametrize(
    ("kind", "error", "make"),
    [
        pytest.param(kind, error, make, id=f"{kind}: another's {what}")
        for kind, rows in NAMES_ANOTHERS.items()
        for what, error, make in rows
    ],
)
def test_what_is_anothers_is_refused(kind: str, error: type[RegistryError], make: Any) -> None:
    world, draft = good(kind)
    make(world, draft)
    found = refusal(world, draft)
    assert type(found) is error, f"{found.code}: {found}"


def test_a_trustee_signs_for_its_own_vehicles_only() -> None:
    world, draft = good("snapshot.request")
    world.admit("second trustee", "trustee")
    world.admit("second trustee#T1", "vehicle")
    assert not isinstance(attempt(world, Draft(by="second trustee#T1", kind=draft.kind)), Exception)
    for by, key in (("trustee#T1", "second trustee"), ("second trustee#T1", "trustee")):
        stolen = Draft(by=by, kind=draft.kind, key=world.keys[key])
        assert isinstance(refusal(world, stolen), KeyNotOfPartyError)
    assert not isinstance(attempt(world, draft), RegistryError)


def test_a_trustees_own_rights_are_not_its_vehicles() -> None:
    world, draft = good("vehicle.register")
    draft.by = "trustee#T1"
    assert isinstance(refusal(world, draft), RoleMissingError)
