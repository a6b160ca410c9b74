"""Reading notices: who is told, whom to pay, who comes first, and the page to print."""

import re
from typing import Any

import pytest

from api.client import RefusedError
from api.notice_letter import Language, Letter
from api.notice_page import format_notice
from api.notice_proof import Proof, read_proof, verify_proof
from api.notice_words import EN, ZH
from registry.canonical import Json, b64url_encode
from registry.errors import MissingFileError, RegistryError
from registry.inboxes import Capacity, Notice, Sender
from registry.model import Voucher
from registry.tables import Minor
from tests.api.paying import HOUR, get, not_found, now, paying, wait
from tests.api.served import DIGEST, Street
from tests.builders import ORIGIN, key_of

FILE: dict[str, Json] = {"digest": DIGEST, "name": "paper.pdf"}
BILL = ("汇票", "承兑", "背书", "出票", "票据", "endors", "bill of exchange", "draft", "extend")


def withheld(town: Street) -> str:
    """Has s1 finance 60,000,000 with the factor, and tell nobody."""
    body = town.offer_body(f"{town.issue()}.0", 60_000_000, "factor", purpose="finance")
    body |= {"notice": "withheld", "terms": DIGEST}
    offer = town.do("s1", "transfer.offer", body).sid
    town.accept("factor", offer)
    return offer


def give(town: Street, transfer: str) -> None:
    """Has the factor tell the debtor."""
    body: dict[str, Json] = {
        "sender": "factor",
        "recipients": [town.ids["core"]],
        "evidence": [FILE],
    }
    town.do("factor", "notice.give", body, re=transfer)


def test_gv_09_the_debtor_is_discharged_by_paying_who_held_it_until_the_notice_arrives(
    town: Street,
) -> None:
    transfer = withheld(town)
    lot, nine = f"{transfer}.2", now(town)
    three = wait(town, 6 * HOUR)
    give(town, transfer)
    wait(town, HOUR)
    minute = 60_000
    for by in ("factor", "core", "auditor"):
        assert paying(town, by, lot, "s1", at=three - minute)
        assert not paying(town, by, lot, "s1", at=three + minute)
        assert not paying(town, by, lot, "s1")
        assert paying(town, by, lot, "factor")
    # Between the two there are two answers, and the debtor is told one of them.
    for at, entitled, safe in (
        (nine - 1, "s1", "s1"),
        (three - minute, "factor", "s1"),
        (three, "factor", "factor"),
    ):
        found = get(town, "factor", f"/v1/lots/{lot}/payee", at=at)
        assert found["entitled_holder"] == town.ids[entitled]
        assert found["safe_payee_for_debtor"] == town.ids[safe]
        told = get(town, "core", f"/v1/lots/{lot}/payee", at=at)
        assert told["safe_payee_for_debtor"] == town.ids[safe]
        assert "entitled_holder" not in told
    assert get(town, "factor", f"/v1/lots/{lot}/payee", at=three - 1)["untold"] == [
        town.ids["core"]
    ]
    not_found(town, "s2", f"/v1/lots/{lot}/payee")
    not_found(town, "s3", f"/v1/lots/{lot}/discharge", payee=town.ids["s1"])


def test_a_debtor_cannot_find_out_who_is_entitled_by_asking_for_each(town: Street) -> None:
    lot = f"{withheld(town)}.2"
    assert not paying(town, "core", lot, "factor")
    assert paying(town, "auditor", lot, "factor")


def test_the_chain_is_found_behind_parts_and_remainders(town: Street) -> None:
    voucher = town.issue()
    first = town.transfer(f"{voucher}.0", 50, by="s1", to="s2")
    second = town.transfer(f"{first}.2", 20, by="s2", to="s3")
    for lot, holder in (
        (f"{voucher}.0", "s1"),
        (f"{first}.1", "s1"),
        (f"{first}.2", "s2"),
        (f"{second}.1", "s2"),
        (f"{second}.2", "s3"),
    ):
        found = get(town, "auditor", f"/v1/lots/{lot}/payee")
        assert found["entitled_holder"] == found["safe_payee_for_debtor"] == town.ids[holder]
    # Who assigned it sees that far, and no further.
    third = town.transfer(f"{second}.2", 5, by="s3", to="s2")
    get(town, "s3", f"/v1/lots/{third}.2/payee")
    not_found(town, "s1", f"/v1/lots/{third}.2/payee")
    not_found(town, "auditor", f"/v1/lots/{'A' * 43}.2/payee")
    not_found(town, "auditor", "/v1/lots/nothing/payee")


def test_rg_19_a_notice_taken_back_leaves_the_former_holder_the_safe_payee(town: Street) -> None:
    transfer = town.transfer(f"{town.issue()}.0", 50, by="s1", to="s2")
    made = town.do("s1", "notice.revoke", {"notice": f"{transfer}.2!0", "ground": FILE}).sid
    town.do("s2", "notice.agree-revoke", {}, re=made)
    found = get(town, "s2", f"/v1/lots/{transfer}.2/payee")
    assert found["entitled_holder"] == town.ids["s2"]
    assert found["safe_payee_for_debtor"] == town.ids["s1"]
    assert found["untold"] == [town.ids["core"]]


def test_rg_24_a_lot_shows_the_guarantee_of_who_was_not_told_as_ineffective(town: Street) -> None:
    voucher = town.issue()
    promise: dict[str, Json] = {"addressee": "holders", "trigger": "due"}
    body: dict[str, Json] = {"right": "guarantee", "cap": "100", "document": FILE}
    town.do("s3", "accessory.attach", {**body, "promise": promise}, re=voucher)
    offer = town.offer_body(f"{voucher}.0", 60, "factor", purpose="finance")
    transfer = town.do("s1", "transfer.offer", {**offer, "notice": "withheld", "terms": DIGEST}).sid
    town.accept("factor", transfer)

    def status(by: str, lot: str) -> str:
        (right,) = get(town, by, f"/v1/lots/{lot}")["accessories"]
        return str(right["status"])

    assert status("s1", f"{transfer}.1") == "effective"
    assert status("factor", f"{transfer}.2") == "ineffective"
    give(town, transfer)
    assert status("factor", f"{transfer}.2") == "ineffective"
    told: dict[str, Json] = {
        "sender": "assignor", "recipients": [town.ids["s3"]], "evidence": [],
    }  # fmt: skip
    town.do("s1", "notice.give", told, re=transfer)
    assert status("factor", f"{transfer}.2") == "effective"


def test_a_frozen_lot_discharges_nobody(town: Street) -> None:
    lot = f"{town.issue()}.0"
    assert paying(town, "core", lot, "s1")
    ruling: dict[str, Json] = {"authority": "法院", "number": DIGEST, "order": FILE, "lot": lot}
    town.do("registrar", "lot.freeze", ruling)
    assert not paying(town, "core", lot, "s1")


def test_gv_10_the_claims_to_a_lot_stand_in_their_order(town: Street) -> None:
    body: dict[str, Json] = {
        "lot": f"{town.issue()}.0",
        "amount": "60000000",
        "pledgee": town.ids["factor"],
        "secured": "50000000",
        "account": town.accounts["factor"],
        "register_by": "2025-07-15",
        "terms": DIGEST,
    }
    pledge = town.do("s1", "pledge.create", body).sid
    registration: dict[str, Json] = {
        "number": "18230000000000000001",
        "registered_at": now(town),
        "expires_on": "2026-07-01",
        "certificate": FILE,
        "calendar": "tests",
    }
    town.do("factor", "pledge.register", registration, re=pledge)
    found = get(town, "s1", f"/v1/lots/{pledge}.0/priority")
    names = [[claim["claim"] for claim in rank] for rank in found["ranks"]]
    assert names == [[f"{town.ids['factor']} by {pledge}"], [town.ids["s1"]]]
    not_found(town, "s2", f"/v1/lots/{pledge}.0/priority")


def test_a_notice_is_read_by_its_recipient_and_both_sides(town: Street) -> None:
    transfer = town.transfer(f"{town.issue()}.0", 50, by="s1", to="s2")
    for by in ("core", "s1", "s2", "auditor"):
        found = get(town, by, f"/v1/notices/{transfer}.2!0")
        assert (found["capacity"], found["sender"]) == ("debtor", "assignor")
    not_found(town, "s3", f"/v1/notices/{transfer}.2!0")
    not_found(town, "core", f"/v1/notices/{transfer}.2!1")
    assert get(town, "core", f"/v1/inboxes/{town.ids['core']}")["notices"] >= found["number"]
    not_found(town, "s2", f"/v1/inboxes/{town.ids['core']}")


# --- The page ------------------------------------------------------------------------------


def page(town: Street, by: str, notice: str, language: str = "both") -> str:
    path = f"/v1/notices/{notice}/page"
    return town.client.get_bytes(path, by=town.ids[by], language=language).decode()


def told(town: Street) -> tuple[str, str]:
    """Transfers 50.00 from s1 to s2; returns the debtor's notice and its page for the assignee."""
    transfer = town.transfer(f"{town.issue()}.0", 50_00, by="s1", to="s2")
    notice = f"{transfer}.2!0"
    return notice, page(town, "s2", notice)


def verify(text: str, key: str = "log") -> Any:
    return verify_proof(read_proof(text.encode()), origin=ORIGIN, key=key_of(key).public)


def test_a_page_proves_by_itself_what_arrived_and_when(town: Street) -> None:
    notice, text = told(town)
    found = verify(text)
    assert found.notice["notice"] == notice
    assert (found.notice["amount"], found.time) == ("5000", now(town))
    assert "CNY 50.00" in text
    for name in ("core", "s1", "s2"):
        assert town.ids[name] in text
    with pytest.raises(RefusedError):
        page(town, "s3", notice)


def test_the_debtors_page_proves_the_hash_and_shows_no_terms_of_the_two_sides(
    town: Street,
) -> None:
    notice, shown = told(town)
    text = page(town, "core", notice)
    assert 'id="entry"' in shown
    assert 'id="entry"' not in text
    with pytest.raises(MissingFileError):
        verify(text)


SPOILED: dict[str, tuple[str, str]] = {
    "another amount in the entry": (":&quot;5000&quot;", ":&quot;5001&quot;"),
    "another notice": ("notice     ", "notice     x"),
    "another log": ("log        ", "log:       "),
    "another entry": ("entry      ", "entry      1"),
    "no proof": ('id="proof"', 'id="poof"'),
    "another checkpoint": ("sandbox.example/tests\n", "sandbox.example/other\n"),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILED)
def test_a_page_that_was_changed_proves_nothing(town: Street, what: str) -> None:
    _, text = told(town)
    old, new = SPOILED[what]
    spoiled = text.replace(old, new) if what == "another checkpoint" else text.replace(old, new, 1)
    assert spoiled != text
    with pytest.raises(RegistryError):
        verify(spoiled)


def test_a_page_of_another_log_key_proves_nothing(town: Street) -> None:
    with pytest.raises(RegistryError):
        verify(told(town)[1], key="another log")


def test_the_proof_of_one_notice_serves_no_other(town: Street) -> None:
    (first, one), (_, two) = told(town), told(town)
    proof = re.search(r'<pre id="proof">.*?</pre>', one, re.DOTALL)
    assert proof is not None
    mixed = re.sub(r'<pre id="proof">.*?</pre>', proof[0], two, flags=re.DOTALL)
    with pytest.raises(RegistryError, match="another one"):
        verify(mixed)
    assert verify(one).notice["notice"] == first


@pytest.mark.parametrize(("language", "says"), [("zh", ("通知书",)), ("en", ("Notice of",))])
def test_the_page_speaks_the_language_that_is_asked_for(
    town: Street, language: str, says: tuple[str, ...]
) -> None:
    transfer = town.transfer(f"{town.issue()}.0", 50, by="s1", to="s2")
    text = page(town, "core", f"{transfer}.2!0", language)
    assert all(each in text for each in says)
    assert text.count("<article") == 1
    assert page(town, "core", f"{transfer}.2!0").count("<article") == 2


def letter(**changes: Any) -> Letter:
    """Returns a letter whose names try to be markup."""
    notice: dict[str, Any] = {
        "notice": f"{'A' * 43}.2!0", "transfer": "A" * 43, "voucher": "B" * 43, "recipient": "D",
        "capacity": Capacity.DEBTOR, "number": 7, "sender": Sender.ASSIGNOR, "assignor": "S",
        "assignee": "F", "amount": Minor(1_23), "arrived": 1_751_331_600_000, "entry": 3,
    }  # fmt: skip
    voucher: dict[str, Any] = {
        "voucher": "B" * 43, "voucher_no": "<b>1</b>", "debtor": "D", "creditor": "S",
        "co_debtors": (), "face": Minor(5), "discharged": Minor(0), "cancelled": Minor(0),
        "due_on": "2025-12-19", "route": "direct", "account": "C" * 43, "mandate": "M" * 43,
        "accept_by": 0, "status": "active", "ordinal": 0, "lot_salt": "", "policy": "P" * 43,
        "flags": (),
    }  # fmt: skip
    return Letter(
        zone="+08:00",
        currency="CNY",
        notice=Notice(**{**notice, **changes}),
        voucher=Voucher(**voucher),
        names={"D": "<script>alert(1)</script>", "S": 'S & "Co"', "F": "{assignor}"},
        account=None,
        proof=Proof(
            origin=ORIGIN,
            notice=f"{'A' * 43}.2!0",
            index=3,
            leaf_hash=b64url_encode(bytes(32)),
            path=(),
            note="note\n9\n",
        ),
    )


def test_names_are_text_and_never_markup_or_pattern() -> None:
    text = format_notice(letter(), Language.BOTH)
    assert "<script" not in text
    assert "<b>1</b>" not in text
    assert "{assignor}" in text
    assert "S &amp; &quot;Co&quot;" in text


@pytest.mark.parametrize("sender", Sender)
@pytest.mark.parametrize("capacity", Capacity)
def test_rg_30_the_page_never_speaks_of_a_bill(sender: str, capacity: str) -> None:
    text = format_notice(letter(sender=sender, capacity=capacity), Language.BOTH)
    assert [word for word in BILL if word in text.lower()] == []


def test_both_languages_say_the_same_things() -> None:
    assert set(ZH) == set(EN)
    for name, text in ZH.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", EN[name]))


def test_the_page_says_what_has_become_of_the_notice() -> None:
    text = format_notice(letter(received=1_751_335_200_000, refused="R" * 43), Language.ZH)
    assert "2025-07-01 09:00:00 +08:00" in text
    assert "2025-07-01 10:00:00 +08:00" in text
    assert ZH["refused"] in text
    gone = format_notice(letter(acknowledged=True, revoked_at=1_751_335_200_000), Language.EN)
    assert "revoked on 2025-07-01 10:00:00" in gone
    assert "acknowledged" in gone
