"""Whom the debtor may safely pay for what is pledged, and for what was financed."""

from registry.canonical import Json
from tests.api.paying import HOUR, get, not_found, now, paying, wait
from tests.api.served import DIGEST, Street
from tests.dealings import PAID, SIGNED, apply_body, quote_body, receipt

FILE: dict[str, Json] = {"digest": DIGEST, "name": "paper.pdf"}


def test_note_12_a_registered_pledge_is_paid_into_the_account_that_it_names(town: Street) -> None:
    body: dict[str, Json] = {
        "lot": f"{town.issue()}.0", "amount": "60000000", "pledgee": town.ids["factor"],
        "secured": "50000000", "account": town.accounts["factor"], "register_by": "2025-08-15",
        "terms": DIGEST,
    }  # fmt: skip
    pledge = town.do("s1", "pledge.create", body).sid
    lot = f"{pledge}.0"
    # It arises with its registration: until then the holder is paid.
    found = get(town, "core", f"/v1/lots/{lot}/payee")
    assert (found["safe_payee_for_debtor"], "pledge" in found) == (town.ids["s1"], False)
    assert paying(town, "core", lot, "s1")
    wait(town, HOUR)
    external: dict[str, Json] = {
        "number": "18230000000000000001", "registered_at": now(town), "expires_on": "2026-07-01",
        "certificate": FILE, "calendar": "tests",
    }  # fmt: skip
    town.do("factor", "pledge.register", external, re=pledge)
    registered = now(town)
    wait(town, HOUR)
    for by in ("core", "s1", "factor", "auditor"):
        found = get(town, by, f"/v1/lots/{lot}/payee")
        assert found["safe_payee_for_debtor"] == town.ids["factor"]
        assert (found["account"], found["pledge"]) == (town.accounts["factor"], pledge)
        assert paying(town, by, lot, "factor")
        assert not paying(town, by, lot, "s1")
        assert paying(town, by, lot, "s1", at=registered - 1)
        assert not paying(town, by, lot, "s1", at=registered)
    not_found(town, "s2", f"/v1/lots/{lot}/payee")
    assert get(town, "s1", f"/v1/lots/{lot}/payee")["entitled_holder"] == town.ids["s1"]
    # The remainder bears no pledge; and with its release the holder is paid again.
    assert "pledge" not in get(town, "core", f"/v1/lots/{pledge}.1/payee")
    town.do("factor", "pledge.release", {}, re=pledge)
    assert paying(town, "core", lot, "s1")


def test_whom_to_pay_is_said_of_what_was_financed(town: Street) -> None:
    made = town.do("s1", "financing.apply", apply_body(town, f"{town.issue()}.0")).sid
    town.do("factor", "financing.quote", quote_body(town), re=made)
    contract = town.do("s1", "financing.contract", SIGNED, re=made).sid
    found = get(town, "auditor", f"/v1/lots/{contract}.0/payee")
    assert found["safe_payee_for_debtor"] == town.ids["s1"]
    town.do("factor", "financing.pay", PAID, re=made)
    town.do("s1", "financing.receive", receipt(), re=made)
    for by in ("factor", "core"):
        found = get(town, by, f"/v1/lots/{contract}.2/payee")
        assert found["safe_payee_for_debtor"] == town.ids["factor"]
    later = town.transfer(f"{contract}.1", 5, by="s1", to="s2")
    assert get(town, "s2", f"/v1/lots/{later}.2/payee")["entitled_holder"] == town.ids["s2"]
