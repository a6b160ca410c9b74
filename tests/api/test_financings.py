"""Reading financings and early payments, and computing a quote again over HTTP."""

from datetime import date
from typing import Any

import pytest

from api.client import RefusedError
from api.quotes import read_quote
from registry.canonical import Json, b64url_encode, salted_digest
from registry.errors import MalformedError, ProofFailedError
from registry.pricing import Fee, QuoteDiffersError, format_terms
from tests.api.served import DIGEST, Street
from tests.dealings import SIGNED, apply_body, quote_body

FILE: dict[str, Json] = {"digest": DIGEST, "name": "paper.pdf"}
SALT = bytes(range(16))


def terms_of(face: int = 60_000_000) -> dict[str, Json]:
    return format_terms(
        face,
        rate_bp=360,
        pay_on=date(2025, 7, 1),
        due_on=date(2025, 12, 19),
        fees=[Fee(amount=50_000, of_seller=True, what="handling")],
    )


def applied(town: Street) -> str:
    body: dict[str, Json] = {
        "lot": f"{town.issue()}.0",
        "amount": "60000000",
        "financier": town.ids["factor"],
        "mode": "forward",
        "recourse": False,
        "payment": "cash",
        "account": town.accounts["s1"],
        "close_by": "2025-09-30",
    }
    return town.do("s1", "financing.apply", body).sid


def quoted(town: Street, financing: str, terms: dict[str, Json], salt: bytes = SALT) -> str:
    digest = salted_digest(salt, terms)
    town.client.put_opening(digest, by=town.ids["factor"], salt=b64url_encode(salt), terms=terms)
    body: dict[str, Json] = {
        "terms": digest,
        "document": FILE,
        "payment": "cash",
        "account": town.accounts["factor"],
        "collection_route": True,
    }
    town.do("factor", "financing.quote", body, re=financing)
    return digest


def shown(town: Street, by: str, financing: str) -> dict[str, Any]:
    return dict(town.client.get(f"/v1/financings/{financing}", by=town.ids[by]))


def test_an_applicant_computes_the_figures_again_before_it_signs(town: Street) -> None:
    financing = applied(town)
    with pytest.raises(MalformedError):
        read_quote(town.client, financing, by=town.ids["s1"])
    digest = quoted(town, financing, terms_of())
    terms, told = read_quote(town.client, financing, by=town.ids["s1"])
    assert (terms, told.net, told.fees) == (terms_of(), told.face - told.discount - 50_000, 50_000)
    town.do("s1", "financing.contract", {"terms": digest, "document": FILE}, re=financing)
    found = shown(town, "factor", financing)
    assert (found["status"], found["missing"]) == ("contracted", ["pay", "title"])
    # Who gives money is told against whom the claim is, and when it is due.
    assert (found["debtor"], found["due_on"]) == (town.ids["core"], "2025-12-19")
    assert "salt" not in found


def test_what_does_not_follow_or_is_about_another_amount_is_found_out(town: Street) -> None:
    financing = applied(town)
    quoted(town, financing, {**terms_of(), "net": "1"}, b"one fen too much")
    with pytest.raises(QuoteDiffersError):
        read_quote(town.client, financing, by=town.ids["s1"])
    quoted(town, financing, terms_of(59_999_999), b"one fen too few.")
    with pytest.raises(ProofFailedError):
        read_quote(town.client, financing, by=town.ids["s1"])


def test_a_financing_is_between_its_parties_and_auditors(town: Street) -> None:
    financing = applied(town)
    for by in ("s1", "factor", "auditor"):
        assert shown(town, by, financing)["status"] == "applied"
    for by in ("s2", "core", "bank"):
        with pytest.raises(RefusedError) as refused:
            shown(town, by, financing)
        assert refused.value.code == "not-found"
        mine = town.client.pages("/v1/financings", by=town.ids[by])
        assert financing not in {row["financing"] for row in mine}
        with pytest.raises(RefusedError):
            town.client.get(f"/v1/statements/{financing}", by=town.ids[by])
    rows = town.client.pages("/v1/financings", by=town.ids["factor"], status="applied")
    assert financing in {row["financing"] for row in rows}


def test_whose_word_is_asked_for_reads_a_financing(town: Street) -> None:
    body = apply_body(town, f"{town.issue()}.0", mode="reverse")
    made = town.do("s1", "financing.apply", body).sid
    # The debtor's word comes before the contract, the bank's receipt after it.
    assert shown(town, "core", made)["mode"] == "reverse"
    for by in ("bank", "s2", "s3"):
        with pytest.raises(RefusedError):
            shown(town, by, made)
    town.do("core", "financing.confirm", {"document": FILE}, re=made)
    town.do("factor", "financing.quote", quote_body(town), re=made)
    town.do("s1", "financing.contract", SIGNED, re=made)
    assert shown(town, "bank", made)["missing"] == ["pay", "title"]
    assert shown(town, "core", made)["confirmed"] is not None
    for by in ("s2", "s3"):
        with pytest.raises(RefusedError):
            shown(town, by, made)


def test_an_early_payment_is_seen_by_debtor_and_holder(town: Street) -> None:
    lot = f"{town.issue()}.0"
    body: dict[str, Json] = {
        "lot": lot,
        "amount": "60000000",
        "terms": DIGEST,
        "pay_by": "2025-08-01",
    }
    made = town.do("core", "early.offer", body).sid
    for by, count in (("core", 1), ("s1", 1), ("auditor", 1), ("factor", 0), ("s2", 0)):
        rows = town.client.pages("/v1/early-payments", by=town.ids[by], lot=lot)
        assert [row["early"] for row in rows] == [made] * count
    town.do("s1", "early.consent", {}, re=made)
    town.do("s1", "early.receive", {"receipt": FILE}, re=made)
    (row,) = town.client.pages("/v1/early-payments", by=town.ids["s1"], lot=lot)
    assert row["status"] == "paid"
