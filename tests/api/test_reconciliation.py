"""TR-06 through the public interface: what was due, what came, and who sees how much of it."""

from typing import Any

import pytest

from api.client import RefusedError
from registry.canonical import Json
from tests.api.served import Street
from tests.api.test_encumbrances import RULING
from tests.api.test_maturity import DUE_ON, adopt, get, gv01, move_to, report, rows, town

__all__ = ["town"]


def reconciled(town: Street, *, by: str = "operator") -> Any:
    found = get(town, f"/v1/clearing/reconciliations/{DUE_ON}", by=by)
    assert found["differences"] == []
    for line in found["lots"]:
        parts = (int(line[name]) for name in ("received", "short", "withheld"))
        assert int(line["scheduled"]) == sum(parts)
    return found


def totals(found: Any) -> tuple[int, ...]:
    return tuple(int(found["totals"][n]) for n in ("scheduled", "received", "short", "withheld"))


@pytest.mark.parametrize("route", ["direct", "tiered"])
def test_gv_01_before_on_the_way_and_after(town: Street, route: str) -> None:
    lots = gv01(town, route=route)
    assert totals(reconciled(town)) == (100_000_000, 0, 100_000_000, 0)
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted", "s1", "s2")
    found = reconciled(town)
    assert found["plans"] == [plan]
    assert totals(found) == (100_000_000, 55_000_000, 45_000_000, 0)
    of = {line["lot"]: line for line in found["lots"]}
    assert of.keys() == set(lots.values())
    assert of[lots["s2"]]["received"] == "15000000"
    passing = {line["owner"]: line["passing"] for line in found["accounts"]}
    assert passing[town.ids["s2"]] == ("45000000" if route == "tiered" else "0")
    assert {(day["day"], day["received"]) for day in found["days"]} == {
        (DUE_ON, "40000000"),
        (DUE_ON, "15000000"),
    }
    report(town, plan, "posted", "s3", *(("factor",) if route == "tiered" else ()))
    report(town, plan, "posted", "trustee#T1")
    assert totals(reconciled(town)) == (100_000_000, 100_000_000, 0, 0)


def test_gv_02_what_is_left_of_a_lot_counts_where_it_was_scheduled(town: Street) -> None:
    """The rest is paid by a further plan, under a number of its own."""
    lots = gv01(town, route="tiered")
    move_to(town, DUE_ON)
    body: dict[str, Json] = {"account": town.accounts["core"], "amount": "70000001"}
    fund = town.do("bank", "clearing.fund", body).sid
    body = get(town, f"/v1/clearing/funds/{fund}/proposal", by="operator")
    plan = town.do("operator", "clearing.apportion", body, re=fund).sid
    report(town, plan, "posted")
    found = reconciled(town)
    assert totals(found) == (100_000_000, 70_000_001, 29_999_999, 0)
    assert {line["lot"] for line in found["lots"]} == set(lots.values())
    rest = adopt(town)
    report(town, rest, "posted")
    found = reconciled(town)
    assert found["plans"] == [plan, rest]
    assert totals(found) == (100_000_000, 100_000_000, 0, 0)


def test_a_frozen_lot_is_withheld_and_money_against_a_freeze_owed_back(town: Street) -> None:
    lots = gv01(town, route="direct")
    move_to(town, DUE_ON)
    plan = adopt(town)
    town.do("registrar", "lot.freeze", {**RULING, "lot": lots["s3"]})
    report(town, plan, "posted")
    found = reconciled(town)
    assert totals(found) == (100_000_000, 75_000_000, 0, 25_000_000)
    assert {line["owed_back"] for line in found["accounts"]} == {"0", "25000000"}


def test_each_sees_its_own(town: Street) -> None:
    lots = gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted")
    assert {line["lot"] for line in reconciled(town, by="bank")["lots"]} == set(lots.values())
    for name in ("s2", "trustee"):
        found = reconciled(town, by=name)
        mine = {"s2": "s2", "trustee": "trustee#T1"}[name]
        assert [line["lot"] for line in found["lots"]] == [lots[mine]]
        assert {line["owner"] for line in found["accounts"]} == {town.ids[mine]}
        assert len(found["days"]) == 1
    assert reconciled(town, by="registrar")["lots"] == []


@pytest.mark.parametrize("day", ["x", "2025-13-01", "2025-02-30", "20251219"])
def test_what_is_no_date_is_refused(town: Street, day: str) -> None:
    with pytest.raises(RefusedError, match="request-invalid"):
        get(town, f"/v1/clearing/reconciliations/{day}", by="operator")


def test_a_day_on_which_nothing_is_due(town: Street) -> None:
    found = get(town, "/v1/clearing/reconciliations/2031-01-01", by="auditor")
    assert (found["lots"], found["plans"], found["differences"]) == ([], [], [])


def test_what_came_back_is_short_until_it_is_paid_again(town: Street) -> None:
    gv01(town, route="direct")
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted")
    report(town, plan, "returned", "s3")
    assert totals(reconciled(town)) == (100_000_000, 75_000_000, 25_000_000, 0)
    (owed,) = town.client.pages("/v1/clearing/obligations", by=town.ids["core"])
    again: dict[str, Json] = {"instruction": owed["n"], "sort": "again"}
    town.do("operator", "clearing.top-up", again, re=plan)
    own = rows(town, plan)[-1]
    item: dict[str, Json] = {
        "instruction": own["n"], "amount": own["amount"], "status": "posted"
    }  # fmt: skip
    town.do("bank", "clearing.report", {"items": [item]}, re=plan)
    assert totals(reconciled(town)) == (100_000_000, 100_000_000, 0, 0)
