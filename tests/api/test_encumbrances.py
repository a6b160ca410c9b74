"""Reading what burdens and secures a claim: who is told what."""

from datetime import date
from typing import Any

import pytest

from api.client import RefusedError
from registry.canonical import Json
from tests.api.served import DIGEST, Street
from tests.builders import instant
from tests.encumbered import PROMISE

FILE: dict[str, Json] = {"digest": DIGEST, "name": "paper.pdf"}
RULING: dict[str, Json] = {"authority": "重庆市大渡口区人民法院", "number": DIGEST, "order": FILE}


def lot_of(town: Street, by: str, lot: str) -> dict[str, Any]:
    return dict(town.client.get(f"/v1/lots/{lot}", by=town.ids[by]))


def not_found(town: Street, by: str, path: str) -> None:
    with pytest.raises(RefusedError) as refused:
        town.client.get(path, by=town.ids[by])
    assert refused.value.code == "not-found"


def pledged(town: Street, voucher: str) -> str:
    body = {
        "lot": f"{voucher}.0",
        "amount": "60000000",
        "pledgee": town.ids["factor"],
        "secured": "50000000",
        "account": town.accounts["factor"],
        "register_by": "2025-07-15",
        "terms": DIGEST,
    }
    return town.do("s1", "pledge.create", body).sid


def registered(town: Street, pledge: str) -> str:
    body = {
        "number": "18230000000000000001",
        "registered_at": town.client.get("/v1/ledger")["time"],
        "expires_on": "2026-07-01",
        "certificate": FILE,
        "calendar": "tests",
    }
    return town.do("factor", "pledge.register", body, re=pledge).sid


def test_a_pledgee_sees_what_is_pledged_to_it_until_it_is_released(town: Street) -> None:
    pledge = pledged(town, town.issue())
    lot = f"{pledge}.0"
    registration = registered(town, pledge)
    for by in ("s1", "factor", "auditor"):
        found = lot_of(town, by, lot)
        assert found["burdens"] == [pledge]
        assert [row["status"] for row in found["pledges"]] == ["registered"]
        assert [row["filing"] for row in found["registrations"]] == [registration]
    not_found(town, "s2", f"/v1/lots/{lot}")
    not_found(town, "factor", f"/v1/lots/{pledge}.1")
    for by, count in (("s1", 1), ("factor", 1), ("s3", 0), ("core", 0)):
        rows = town.client.pages("/v1/pledges", by=town.ids[by], lot=lot)
        assert len(list(rows)) == count
    size = town.client.get("/v1/ledger")["size"]
    town.do("factor", "pledge.release", {}, re=pledge)
    not_found(town, "factor", f"/v1/lots/{lot}")
    assert lot_of(town, "s1", lot)["pledges"] == []
    then = town.client.get(f"/v1/lots/{lot}", by=town.ids["factor"], as_of=size)
    assert then["burdens"] == [pledge]
    (task,) = town.client.pages("/v1/tasks", by=town.ids["factor"], subject=pledge)
    assert (task["work"], task["is_overdue"]) == ("deregister", False)
    assert list(town.client.pages("/v1/tasks", by=town.ids["s1"], subject=pledge)) == []


def test_a_holder_sees_who_froze_its_lot(town: Street) -> None:
    lot = f"{town.issue()}.0"
    freeze = town.do("registrar", "lot.freeze", {**RULING, "lot": lot}).sid
    found = lot_of(town, "s1", lot)
    assert found["burdens"] == [freeze]
    assert found["freezes"][0]["authority"] == RULING["authority"]
    statement = town.client.get(f"/v1/statements/{freeze}", by=town.ids["s1"])
    assert statement["kind"] == "lot.freeze"
    not_found(town, "s3", f"/v1/statements/{freeze}")


def test_an_assignee_is_told_who_owes_and_when_before_it_accepts(town: Street) -> None:
    voucher = town.issue()
    offer = town.do("s1", "transfer.offer", town.offer_body(f"{voucher}.0", 5, "s2")).sid
    found = town.client.get(f"/v1/offers/{offer}", by=town.ids["s2"])
    assert (found["debtor"], found["due_on"]) == (town.ids["core"], "2025-12-19")
    assert found["voucher_no"].startswith("V0")
    # The voucher itself is still for its parties and holders alone.
    not_found(town, "s2", f"/v1/vouchers/{voucher}")


def test_an_assignee_is_told_of_disputes_before_it_accepts(town: Street) -> None:
    voucher = town.issue()
    dispute = town.do(
        "core", "dispute.raise", {"amount": "12000000", "terms": DIGEST}, re=voucher
    ).sid
    offer = town.do("s1", "transfer.offer", town.offer_body(f"{voucher}.0", 5, "s2")).sid
    for by in ("s1", "s2"):
        found = town.client.get(f"/v1/offers/{offer}", by=town.ids[by])
        assert [row["dispute"] for row in found["disputes"]] == [dispute]
        # No earlier holder, and no salt.
        assert "path" not in found
        assert "salt" not in found
    not_found(town, "s3", f"/v1/offers/{offer}")
    assert lot_of(town, "s1", f"{offer}.0")["disputes"][0]["amount"] == "12000000"
    # It reduces nobody's lot.
    town.accept("s2", offer)
    assert lot_of(town, "s2", f"{offer}.2")["amount"] == "5"
    town.do("core", "dispute.withdraw", {}, re=dispute)
    assert lot_of(town, "s2", f"{offer}.2")["disputes"] == []


def test_sd_18_each_lot_shows_its_part_of_a_guarantees_cap(town: Street) -> None:
    voucher = town.issue()
    body: dict[str, Json] = {
        "right": "guarantee", "cap": "100000000", "document": FILE, "promise": PROMISE,
    }  # fmt: skip
    town.do("s3", "accessory.attach", body, re=voucher)
    transfer = town.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    (kept,) = lot_of(town, "s1", f"{transfer}.1")["accessories"]
    (passed,) = lot_of(town, "s2", f"{transfer}.2")["accessories"]
    assert (kept["cap_of_lot"], passed["cap_of_lot"]) == ("40000000", "60000000")
    assert kept["cap"] == passed["cap"] == "100000000"


def test_sd_61_a_holder_sees_whom_it_may_ask_to_pay(town: Street) -> None:
    voucher = town.issue()
    joining: dict[str, Json] = {"addressee": "holders", "resolution": FILE, "scope": "capped"}
    joined = town.do("s3", "voucher.accede", {**joining, "cap": "700"}, re=voucher).sid
    lot = f"/v1/lots/{voucher}.0/claimable"
    found = town.client.get(lot, by=town.ids["s1"])
    assert (found["now"], [row["as"] for row in found["later"]]) == ([], ["debtor", "co-debtor"])
    found = town.client.get(lot, by=town.ids["s1"], at=found["due"])
    debtor = {"as": "debtor", "party": town.ids["core"]}
    # Neither policy nor accession gives less time to refuse it than until the due date.
    time: dict[str, Json] = {"accession": joined, "refuse_by": found["due"]}
    joint = {"as": "co-debtor", "cap": "700", "party": town.ids["s3"], **time}
    assert (found["now"], found["later"], found["untold"]) == ([debtor, joint], [], [])
    # It is nobody else's business.
    not_found(town, "s2", lot)


def test_sd_71_with_recourse_the_assignor_may_be_asked_too(town: Street) -> None:
    voucher = town.issue()
    body = town.offer_body(f"{voucher}.0", 60_000_000, "factor", purpose="finance", terms=DIGEST)
    offer = town.do("s1", "transfer.offer", {**body, "recourse": True}).sid
    town.accept("factor", offer)
    lot = f"/v1/lots/{offer}.2/claimable"
    due = town.client.get(lot, by=town.ids["factor"])["due"]
    found = town.client.get(lot, by=town.ids["factor"], at=due)
    assert found["now"] == [
        {"as": "debtor", "party": town.ids["core"]},
        {"as": "assignor", "party": town.ids["s1"]},
    ]


def test_sd_61_a_promise_is_asked_for_at_its_own_instant(town: Street) -> None:
    voucher = town.issue()
    terms: dict[str, Json] = {**PROMISE, "trigger": "unpaid-at"}
    body: dict[str, Json] = {
        "right": "shortfall", "cap": "100000000", "document": FILE,
        "promise": {**terms, "working_days_before": 1, "minute": 900},
    }  # fmt: skip
    town.do("s3", "accessory.attach", body, re=voucher)
    lot = f"/v1/lots/{voucher}.0/claimable"
    (_, later) = town.client.get(lot, by=town.ids["s1"])["later"]
    assert (later["as"], later["trigger"]) == ("shortfall", "unpaid-at")
    assert later["cap_of_lot"] == later["cap"] == "100000000"
    # Thursday, 2025-12-18, at 15:00: the working day before a Friday (SD-27).
    assert later["from"] == instant(date(2025, 12, 18), hour=15)
    (now,) = town.client.get(lot, by=town.ids["s1"], at=later["from"])["now"]
    assert now["party"] == town.ids["s3"]
    # A part of the claim has its part of the cap.
    offer = town.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    part = town.client.get(f"/v1/lots/{offer}.2/claimable", by=town.ids["s2"], at=later["from"])
    assert [(row["cap"], row["cap_of_lot"]) for row in part["now"]] == [("100000000", "60000000")]


def test_sd_06_a_subsidiarys_voucher_is_flagged_until_the_head_of_its_group_joins_the_debt(
    town: Street,
) -> None:
    limit: dict[str, Json] = {"party": town.ids["s3"], "amount": "9000000000", "basis": FILE}
    town.do("registrar", "limit.set", limit)
    first, second = sorted((town.ids["s3"], town.ids["core"]))
    pair: dict[str, Json] = {"first": first, "second": second, "basis": "control"}
    town.do("registrar", "affiliation.declare", {**pair, "evidence": FILE})
    part: dict[str, Json] = {"member": town.ids["core"], "amount": "9000000000"}
    town.do("s3", "limit.allocate", part)
    voucher = town.issue()
    assert "group-head-not-joined" in lot_of(town, "s1", f"{voucher}.0")["flags"]
    joining: dict[str, Json] = {"scope": "full", "addressee": "holders", "resolution": FILE}
    town.do("s3", "voucher.accede", joining, re=voucher)
    assert "group-head-not-joined" not in lot_of(town, "s1", f"{voucher}.0")["flags"]
    # Who has its limit from the registrar stands alone.
    own: dict[str, Json] = {"party": town.ids["s2"], "amount": "9000000000", "basis": FILE}
    town.do("registrar", "limit.set", own)


def test_sd_17_a_restricted_claim_is_transferred_and_flagged(town: Street) -> None:
    body = town.issue_body(assignment_restriction="restricted")
    voucher = town.do("core", "voucher.issue", body).sid
    payee: dict[str, Json] = {"account": town.accounts["s1"], "collection_route": True}
    town.do("s1", "voucher.accept", payee, re=voucher)
    transfer = town.transfer(f"{voucher}.0", 5, by="s1", to="s2")
    assert "assignment-restricted" in lot_of(town, "s2", f"{transfer}.2")["flags"]
    other = town.transfer(f"{town.issue()}.0", 5, by="s1", to="s2")
    assert "assignment-restricted" not in lot_of(town, "s2", f"{other}.2")["flags"]
