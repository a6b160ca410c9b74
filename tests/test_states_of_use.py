"""States × statements of what is used: a notice once, an account once verified, a live key."""

import pytest

from registry.canonical import Json
from registry.errors import KeyRevokedError, RegistryError
from registry.inboxes import NOTICES
from registry.notice_refusals import AlreadyAcknowledgedError
from registry.refusals import AccountNotVerifiedError
from tests.builders import DIGEST
from tests.scenario import attempt, good, refusal, verify_everything


def test_a_notice_is_acknowledged_once() -> None:
    world, draft = good("notice.acknowledge")
    assert not isinstance(attempt(world, draft), RegistryError)
    assert isinstance(refusal(world, draft), AlreadyAcknowledgedError)
    assert [row.acknowledged for row in world.store.select(NOTICES)] == [True]


@pytest.mark.parametrize(
    "kind", ["mandate.grant", "consent.grant", "voucher.accept", "transfer.accept"]
)
def test_an_account_is_used_once_its_bank_has_verified_it(kind: str) -> None:
    world, draft = good(kind)
    body: dict[str, Json] = {
        "bank": world.ids["bank"],
        "account_kind": "settlement",
        "terms": DIGEST,
    }
    account = world.do(draft.by, "account.register", body).sid
    draft.body["account"] = account
    assert isinstance(refusal(world, draft), AccountNotVerifiedError)
    world.do("bank", "account.verify", {}, re=account)
    assert not isinstance(attempt(world, draft), RegistryError)
    verify_everything(world)


@pytest.mark.parametrize(
    "kind", ["voucher.issue", "transfer.offer", "transfer.accept", "consent.grant", "key.add"]
)
def test_a_revoked_key_signs_nothing(kind: str) -> None:
    world, draft = good(kind)
    world.do(draft.by, "key.revoke", {"kid": world.keys[draft.by].public.kid})
    world.engine.submit([])
    assert isinstance(refusal(world, draft), KeyRevokedError)
