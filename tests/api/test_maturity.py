"""Maturity through the public interface: less money, a broken hop, and where money went."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert

from api.client import RefusedError
from clearing.certificate import Line, digest_of, format_certificate
from registry.canonical import Json
from tests.api.local import street
from tests.api.served import Street
from tests.builders import instant
from tests.postgres import ENGINES
from tests.registry.store.databases import empty_url

DUE_ON = "2025-12-19"


ON_EACH_ENGINE = pytest.mark.parametrize("town", ENGINES, indirect=True)


@pytest.fixture
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Street]:
    """A ledger of each test's own: in memory, or in the database that the test names."""
    engine: str = getattr(request, "param", "")
    database = empty_url(engine, tmp_path) if engine else "memory:"
    with street(tmp_path / "town", database=database) as made:
        yield made


def move_to(town: Street, day: str, *, hour: int = 10) -> None:
    time = instant(date.fromisoformat(day), hour=hour)
    town.do("operator", "clock.set", {"time": time})
    town.client._clock = lambda: time


def gv01(town: Street, *, route: str, **changes: Json) -> dict[str, str]:
    """Tells GV-01; returns the lots by holder."""
    body = town.issue_body(route=route, **changes)
    voucher = town.do("core", "voucher.issue", body).sid
    payee: dict[str, Json] = {"account": town.accounts["s1"], "collection_route": True}
    town.do("s1", "voucher.accept", payee, re=voucher)
    to_s2 = town.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    to_s3 = town.transfer(f"{to_s2}.2", 25_000_000, by="s2", to="s3")
    terms: dict[str, Json] = {"terms": voucher, "purpose": "finance"}
    sold = town.do(
        "s2", "transfer.offer", town.offer_body(f"{to_s3}.1", 20_000_000, "factor", **terms)
    ).sid
    town.accept("factor", sold)
    terms = {"terms": voucher, "purpose": "securitise", "form": "sale-to-plan"}
    body = town.offer_body(f"{sold}.2", 20_000_000, "trustee#T1", **terms)
    pooled = town.do("factor", "transfer.offer", body).sid
    town.accept("trustee#T1", pooled)
    return {
        "s1": f"{to_s2}.1", "s2": f"{sold}.1", "s3": f"{to_s3}.2", "trustee#T1": f"{pooled}.2"
    }  # fmt: skip


def get(town: Street, path: str, *, by: str) -> Any:
    return town.client.get(path, by=town.ids[by])


def rows(town: Street, plan: str, *, by: str = "auditor") -> list[dict[str, Any]]:
    found = town.client.pages("/v1/clearing/instructions", by=town.ids[by], plan=plan)
    return sorted(found, key=lambda row: int(row["n"]))


def adopt(town: Street) -> str:
    body = get(town, f"/v1/clearing/proposals/{DUE_ON}", by="operator")
    return town.do("operator", "clearing.plan", body).sid


def report(town: Street, plan: str, status: str, *payees: str) -> None:
    """Has the bank say the same of the instructions that pay some parties, all if not named."""
    wanted = {town.ids[name] for name in payees}
    items: list[Json] = []
    for row in rows(town, plan, by="bank"):
        if wanted and row["payee"] not in wanted:
            continue
        item: dict[str, Json] = {
            "instruction": row["n"], "amount": row["amount"], "status": status
        }  # fmt: skip
        items.append({**item, "reason": "AC06"} if status in ("rejected", "returned") else item)
    town.do("bank", "clearing.report", {"items": items}, re=plan)


@ON_EACH_ENGINE
@pytest.mark.parametrize("route", ["direct", "tiered"])
def test_gv_01_pays_every_holder_on_both_routes(town: Street, route: str) -> None:
    lots = gv01(town, route=route)
    move_to(town, DUE_ON)
    plan = adopt(town)
    moved = rows(town, plan)
    assert len(moved) == (4 if route == "direct" else 5)
    gross = sum(int(row["amount"]) for row in moved)
    assert gross == (100_000_000 if route == "direct" else 225_000_000)
    found = get(town, f"/v1/clearing/runs/{plan}/certificate", by="auditor")
    for line in found["lines"]:
        assert line["direct"] == line["planned"]
    assert sum(int(line["direct"]) for line in found["lines"]) == 100_000_000
    certificate = format_certificate(convert(found["lines"], tuple[Line, ...]))
    assert digest_of(certificate) == found["certificate"]
    report(town, plan, "posted")
    way = get(town, f"/v1/clearing/lots/{lots['trustee#T1']}", by="trustee")["ways"][0]
    assert [hop["status"] for hop in way["hops"]] == ["posted"] * (1 if route == "direct" else 4)
    stays = get(town, f"/v1/clearing/runs/{plan}/exposure", by="auditor")["stays"]
    assert stays == []


@ON_EACH_ENGINE
@pytest.mark.parametrize("route", ["direct", "tiered"])
def test_gv_02_shares_what_there_is_to_the_fen(town: Street, route: str) -> None:
    gv01(town, route=route)
    move_to(town, DUE_ON)
    body: dict[str, Json] = {"account": town.accounts["core"], "amount": "70000001"}
    fund = town.do("bank", "clearing.fund", body).sid
    with pytest.raises(RefusedError, match="no live lot due on"):
        get(town, f"/v1/clearing/proposals/{DUE_ON}", by="operator")
    body = get(town, f"/v1/clearing/funds/{fund}/proposal", by="operator")
    plan = town.do("operator", "clearing.apportion", body, re=fund).sid
    report(town, plan, "posted")
    names = {party: name for name, party in town.ids.items()}
    kept = {names[row["payee"]]: int(row["kept"]) for row in rows(town, plan) if row["lots"]}
    assert kept == {
        "s1": 28_000_001, "s2": 10_500_000, "s3": 17_500_000, "trustee#T1": 14_000_000
    }  # fmt: skip
    (left,) = town.client.pages("/v1/lots", by=town.ids["s1"])
    assert left["amount"] == "11999999"
    with pytest.raises(RefusedError, match="overdue"):
        town.do("core", "voucher.issue", town.issue_body(due_on="2026-03-20", accept_by=DUE_ON))


@ON_EACH_ENGINE
def test_gv_03_a_frozen_account_in_the_middle(town: Street) -> None:
    """SD-23: the debtor's own payment, and the stuck money owed back to it."""
    rule: dict[str, Json] = {"pay_day": {"calendar": "tests"}}
    rule["top_up"] = {"due_after": 2, "unpaid_after": 1}
    policy: dict[str, Json] = {"name": "plain", "version": 2, "effective_on": "2025-07-02"}
    town.do("operator", "policy.publish", {**policy, "rules": rule})
    move_to(town, "2025-07-02")
    lots = gv01(town, route="tiered", top_up=True)
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted", "s1", "s2")
    report(town, plan, "rejected", "s3", "factor")
    body = get(town, f"/v1/clearing/runs/{plan}/close", by="operator")
    assert body == {"expired": 0, "stuck": 3}
    town.do("operator", "clearing.close", body, re=plan)
    move_to(town, "2025-12-21")
    (due,) = town.client.pages("/v1/clearing/obligations", by=town.ids["core"])
    assert (due["sort"], due["amount"], due["due_on"]) == ("top-up", "20000000", "2025-12-21")
    town.do("operator", "clearing.top-up", {"instruction": due["n"], "sort": "top-up"}, re=plan)
    own = rows(town, plan)[-1]
    item: dict[str, Json] = {
        "instruction": own["n"], "amount": own["amount"], "status": "posted"
    }  # fmt: skip
    town.do("bank", "clearing.report", {"items": [item]}, re=plan)
    move_to(town, "2025-12-28")
    report(town, plan, "posted", "s3", "factor")
    item = {"instruction": due["n"], "amount": "20000000", "status": "posted"}
    town.do("bank", "clearing.report", {"items": [item]}, re=plan)
    owed = {
        row["sort"]: (row["amount"], row["status"])
        for row in town.client.pages("/v1/clearing/obligations", by=town.ids["trustee"])
    }
    assert owed == {"top-up": ("20000000", "met"), "return": ("20000000", "due")}
    found = get(town, f"/v1/clearing/runs/{plan}/exposure", by="auditor")
    assert found["others_fen_days"] == str(4_050_000 * 100)
    assert found["gross_fen_days"] == str(5_400_000 * 100)
    # Each sees what concerns it: S3 its own money with S2, and nobody else's.
    (mine,) = get(town, f"/v1/clearing/runs/{plan}/exposure", by="s3")["stays"]
    assert (mine["amount"], mine["fen_days"]) == ("25000000", str(2_250_000 * 100))
    told = get(town, f"/v1/clearing/lots/{lots['trustee#T1']}", by="trustee")
    assert [way["status"] for way in told["ways"]] == ["posted", "posted"]
    assert [way.get("pays") for way in told["ways"]] == [None, "top-up"]
    assert {row["sort"] for row in told["obligations"]} == {"top-up", "return"}
    with pytest.raises(RefusedError, match="not-found"):
        get(town, f"/v1/clearing/lots/{lots['s3']}", by="trustee")


@ON_EACH_ENGINE
@pytest.mark.parametrize(
    ("first", "named", "shares"),
    [
        (True, (), {"P": 250}),
        (False, (), {"O1": 200, "P": 50}),
        (False, ("O2", "P"), {"O2": 100, "P": 150}),
    ],
    ids=["contract", "statute", "designation"],
)
def test_gv_08_by_contract_by_law_and_by_the_debtors_own_words(
    town: Street, first: bool, named: tuple[str, ...], shares: dict[str, int]
) -> None:
    """SD-28: a plan's 300, 200 that were due earlier, 100 that are secured; 250 come."""
    if first:
        rules: dict[str, Json] = {"pay_day": {"calendar": "tests"}, "plans_first": True}
        policy: dict[str, Json] = {"name": "plain", "version": 2, "effective_on": "2025-07-02"}
        town.do("operator", "policy.publish", {**policy, "rules": rules})
        move_to(town, "2025-07-02")
    vouchers: dict[str, str] = {}
    for name, face, due_on in (("P", "300", DUE_ON), ("O1", "200", "2025-11-03"),
                               ("O2", "100", DUE_ON)):  # fmt: skip
        body = town.issue_body(face=face, due_on=due_on, voucher_no=name)
        vouchers[name] = town.do("core", "voucher.issue", body).sid
        payee: dict[str, Json] = {"account": town.accounts["s1"], "collection_route": True}
        town.do("s1", "voucher.accept", payee, re=vouchers[name])
    terms: dict[str, Json] = {"terms": vouchers["P"], "purpose": "finance"}
    body = town.offer_body(f"{vouchers['P']}.0", 300, "factor", **terms)
    sold = town.do("s1", "transfer.offer", body).sid
    town.accept("factor", sold)
    terms = {"terms": vouchers["P"], "purpose": "securitise", "form": "sale-to-plan"}
    body = town.offer_body(f"{sold}.2", 300, "trustee#T1", **terms)
    town.accept("trustee#T1", town.do("factor", "transfer.offer", body).sid)
    security: dict[str, Json] = {
        "right": "mortgage",
        "cap": "100",
        "document": {"digest": vouchers["O2"], "name": "mortgage.pdf"},
    }
    town.do("s2", "accessory.attach", security, re=vouchers["O2"])
    move_to(town, DUE_ON)
    fund: dict[str, Json] = {"account": town.accounts["core"], "amount": "250"}
    if named:
        fund["designated"] = [vouchers[name] for name in named]
    sid = town.do("bank", "clearing.fund", fund).sid
    plan = town.do(
        "operator",
        "clearing.apportion",
        get(town, f"/v1/clearing/funds/{sid}/proposal", by="operator"),
        re=sid,
    ).sid
    names = {voucher: name for name, voucher in vouchers.items()}
    assert {names[row["voucher"]]: int(row["amount"]) for row in rows(town, plan)} == shares


def test_who_passes_money_on_learns_of_nobody_behind_the_next(town: Street) -> None:
    """No assignee sees another: neither by a lot's way, nor by what lay on its account."""
    lots = gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted", "s1", "s2")
    move_to(town, "2025-12-20")
    trust = lots["trustee#T1"]
    for name in ("core", "s1"):
        (way,) = get(town, f"/v1/clearing/lots/{trust}", by=name)["ways"]
        sides = {hop[side] for hop in way["hops"] for side in ("payer", "payee")}
        wanted = {"core": {"core", "s1"}, "s1": {"core", "s1", "s2"}}[name]
        assert sides == {town.ids[each] for each in wanted}
        assert way.keys() == {"plan", "hops"}
    found = get(town, f"/v1/clearing/runs/{plan}/exposure", by="s2")
    assert found["stays"] == []
    assert found["others_fen_days"] == str(45_000_000)
    (onward,) = [row for row in rows(town, plan, by="s1") if row["payee"] == town.ids["s2"]]
    assert onward.keys().isdisjoint({"kept", "parts"})
    (own,) = [row for row in rows(town, plan, by="s2") if row["payee"] == town.ids["s2"]]
    assert own["kept"] == "15000000"
    for stranger in ("s3", "registrar"):
        with pytest.raises(RefusedError, match="not-found"):
            get(town, f"/v1/clearing/lots/{lots['s2']}", by=stranger)


@pytest.mark.parametrize("name", ["x", "../x", "%00", "A" * 43, "A" * 43 + ".0", "💰.0", "." * 50])
def test_ids_of_nothing_are_not_found(town: Street, name: str) -> None:
    for path in ("lots/{}", "runs/{}/exposure", "runs/{}/certificate", "runs/{}/close"):
        with pytest.raises(RefusedError, match=r"not-found|no-route|Not Found|404"):
            get(town, "/v1/clearing/" + path.format(name), by="auditor")


def test_ids_of_other_things_are_not_found(town: Street) -> None:
    lots = gv01(town, route="direct")
    account = town.accounts["core"]
    for name in (lots["s1"], account, f"{account}.0", town.ids["core"]):
        with pytest.raises(RefusedError, match="not-found"):
            get(town, f"/v1/clearing/lots/{name}", by="auditor")
        with pytest.raises(RefusedError, match="not-found"):
            get(town, f"/v1/clearing/runs/{name}/exposure", by="auditor")


def test_with_the_holders_risk_the_debtor_is_free_and_who_has_the_money_is_asked(
    town: Street,
) -> None:
    """Reference note 19: debtor, limit and claims at each hop."""
    lots = gv01(town, route="tiered", hop_risk="holder")
    move_to(town, DUE_ON)
    plan = adopt(town)

    def asked(name: str) -> list[tuple[str, str]]:
        found = get(town, f"/v1/lots/{lots[name]}/claimable", by=name)
        return [(row["as"], row["party"]) for row in found["now"]]

    def outstanding() -> Any:
        found = get(town, "/v1/reports/outstanding", by="auditor")
        assert all(check["agrees"] for check in found["checks"])
        return found["totals"]["outstanding"]

    assert asked("s3") == [("debtor", town.ids["core"])]
    report(town, plan, "posted", "s1", "s2")
    assert asked("s3") == [("has-the-money", town.ids["s2"])]
    assert outstanding() == "0"
    report(town, plan, "posted", "s3")
    report(town, plan, "returned", "s3")
    assert outstanding() == "0"
    (owed,) = town.client.pages("/v1/clearing/obligations", by=town.ids["s2"])
    assert (owed["owed_by"], owed["sort"], owed["amount"]) == (town.ids["s2"], "again", "25000000")
    assert not list(town.client.pages("/v1/clearing/obligations", by=town.ids["core"]))


@pytest.mark.parametrize("changes", [{"route": "direct"}, {"route": "tiered", "top_up": True}])
def test_holders_bear_no_way_that_there_is_not_and_no_promise_beside(
    town: Street, changes: dict[str, Json]
) -> None:
    with pytest.raises(RefusedError, match="hop_risk"):
        town.do("core", "voucher.issue", town.issue_body(hop_risk="holder", **changes))


def test_what_came_back_is_in_the_report_of_what_debtors_owe(town: Street) -> None:
    gv01(town, route="direct")
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted")
    report(town, plan, "returned", "s3")
    found = get(town, "/v1/reports/outstanding", by="auditor")
    assert found["totals"]["outstanding"] == "25000000"
    assert all(check["agrees"] for check in found["checks"])


def test_more_of_others_money_on_an_account_than_the_policy_wants_is_told(town: Street) -> None:
    """And is told again once it has been less; a fen under it is within it."""
    rules: dict[str, Json] = {"pay_day": {"calendar": "tests"}, "hop_limit": "44999999"}
    policy: dict[str, Json] = {"name": "plain", "version": 2, "effective_on": "2025-07-02"}
    town.do("operator", "policy.publish", {**policy, "rules": rules})
    move_to(town, "2025-07-02")
    gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)

    def piles() -> list[tuple[str, str]]:
        found = get(town, "/v1/worklist", by="operator")["piles"]
        named = [pile for pile in found if pile["kind"] == "hops-over-limit"]
        return [(line["party"], line["amount"]) for pile in named for line in pile["lines"]]

    report(town, plan, "posted", "s1")
    assert piles() == [(town.ids["s1"], "60000000")]
    report(town, plan, "posted", "s2")
    assert piles() == [(town.ids["s2"], "45000000")]
    assert get(town, f"/v1/clearing/runs/{plan}/exposure", by="operator")["limit"] == "44999999"
    report(town, plan, "posted", "s3")
    assert piles() == []


def test_another_way_is_proposed_as_it_would_be_signed(town: Street) -> None:
    lots = gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted", "s1", "s2")
    report(town, plan, "rejected", "factor")
    path = f"/v1/clearing/runs/{plan}/reroutes"
    found = get(town, f"{path}/3", by="operator")
    assert found["body"] == {"ground": "rejected", "instruction": 3}
    assert found["replaced"] == [3, 4]
    (instead,) = found["added"]
    assert (instead["payer"], instead["payee"]) == (town.ids["s2"], town.ids["trustee#T1"])
    assert get(town, f"{path}/2", by="operator")["body"]["ground"] == "silent"
    for n, code in ((0, "move-not-allowed"), (4, "out-of-order"), (9, "instruction-not-found")):
        with pytest.raises(RefusedError) as refusal:
            get(town, f"{path}/{n}", by="operator")
        assert refusal.value.code == code
    with pytest.raises(RefusedError, match="operation-not-allowed"):
        get(town, f"{path}/3", by="s2")
    town.do("operator", "clearing.reroute", found["body"], re=plan)
    (added,) = rows(town, plan)[5:]
    assert {name: added[name] for name in ("n", "payer", "payee", "amount")} == {
        name: instead[name] for name in ("n", "payer", "payee", "amount")
    }
    # Who orders the payments reads where the money of each lot went, and where it lies.
    for by in ("operator", "auditor"):
        assert len(get(town, f"/v1/clearing/lots/{lots['trustee#T1']}", by=by)["ways"]) == 2
    stays = [
        get(town, f"/v1/clearing/runs/{plan}/exposure", by=by) for by in ("operator", "auditor")
    ]
    assert stays[0] == stays[1]
    assert stays[0]["stays"]


def test_why_a_debtors_own_payment_is_not_rerouted_is_said(town: Street) -> None:
    gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)
    with pytest.raises(RefusedError, match="made again by a further plan"):
        get(town, f"/v1/clearing/runs/{plan}/reroutes/0", by="operator")
