"""SD-21, SD-24 and SD-25 through the public interface, with the figures of GV-01.

The other rows of clearing at maturity (SD-22, SD-23, SD-26 to SD-29, TR-06) name their tests.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from api.client import RefusedError
from registry.canonical import Json
from tests.api.local import street
from tests.api.served import Street
from tests.api.test_maturity import DUE_ON, adopt, get, gv01, move_to, report, rows


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A ledger of each test's own."""
    with street(tmp_path_factory.mktemp("town")) as made:
        yield made


def edges(town: Street, found: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Returns instructions as payer, payee and minor units."""
    names = {party: name for name, party in town.ids.items()}
    return [(names[row["payer"]], names[row["payee"]], int(row["amount"])) for row in found]


def test_sd_21_the_tiered_route_passes_every_historical_holder_in_order(town: Street) -> None:
    lots = gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)
    found = rows(town, plan)
    assert edges(town, found) == [
        ("core", "s1", 100_000_000),
        ("s1", "s2", 60_000_000),
        ("s2", "s3", 25_000_000),
        ("s2", "factor", 20_000_000),
        ("factor", "trustee#T1", 20_000_000),
    ]
    assert [row["after"] for row in found] == [[], ["0"], ["1"], ["1"], ["3"]]
    # Each hop has its time, and the money of others stays on an account as long as it does.
    for hour, payee in enumerate(("s1", "s2", "factor", "trustee#T1"), 11):
        move_to(town, DUE_ON, hour=hour)
        report(town, plan, "posted", payee)
    way = get(town, f"/v1/clearing/lots/{lots['trustee#T1']}", by="trustee")["ways"][0]
    times = [hop["posted_at"] for hop in way["hops"]]
    assert [after - before for before, after in pairwise(times)] == [3_600_000] * 3
    stays = get(town, f"/v1/clearing/runs/{plan}/exposure", by="auditor")["stays"]
    assert stays


def test_sd_21_what_has_not_been_carried_out_is_switched_to_direct(town: Street) -> None:
    gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted", "s1", "s2")
    report(town, plan, "rejected", "factor")
    body: dict[str, Json] = {"instruction": 3, "ground": "rejected"}
    town.do("operator", "clearing.reroute", body, re=plan)
    found = rows(town, plan)
    assert [row["status"] for row in found[2:5]] == ["pending", "replaced", "replaced"]
    assert edges(town, found[5:]) == [("s2", "trustee#T1", 20_000_000)]
    assert found[5]["route"] == "direct"


def test_sd_24_the_direct_route_has_one_instruction_for_each_final_holder(town: Street) -> None:
    lots = gv01(town, route="direct")
    move_to(town, DUE_ON)
    plan = adopt(town)
    found = rows(town, plan)
    assert sorted(edges(town, found)) == [
        ("core", "s1", 40_000_000),
        ("core", "s2", 15_000_000),
        ("core", "s3", 25_000_000),
        ("core", "trustee#T1", 20_000_000),
    ]
    assert sum(int(row["amount"]) for row in found) == 100_000_000
    assert sorted(lot for row in found for lot in row["lots"]) == sorted(lots.values())
    report(town, plan, "accepted")
    assert {row["status"] for row in rows(town, plan)} == {"accepted"}
    report(town, plan, "posted")
    assert {row["bank"] for row in rows(town, plan)} == {town.ids["bank"]}


def test_sd_24_a_plans_money_comes_by_way_of_the_payment_agent(town: Street) -> None:
    """The agent pays it on the same day, on the operator's instruction, into the plan's account."""
    gv01(town, route="direct")
    town.admit("agent", "participant")
    town.bank_account("agent")
    body: dict[str, Json] = {"account": town.accounts["agent"], "onto": town.accounts["trustee#T1"]}
    mandate = town.do("agent", "mandate.grant", body).sid
    town.do("trustee#T1", "account.stage", {}, re=mandate)
    move_to(town, DUE_ON)
    plan = adopt(town)
    by_agent = [row for row in rows(town, plan) if "agent" in edges(town, [row])[0][:2]]
    assert edges(town, by_agent) == [
        ("core", "agent", 20_000_000), ("agent", "trustee#T1", 20_000_000)
    ]  # fmt: skip
    assert by_agent[1]["after"] == [str(by_agent[0]["n"])]


def test_sd_25_a_pooled_lot_is_paid_into_the_trusts_account_and_nobody_else_says_otherwise(
    town: Street,
) -> None:
    lots = gv01(town, route="direct")
    change: dict[str, Json] = {"lot": lots["trustee#T1"], "account": town.accounts["factor"]}
    for stranger in ("factor", "s1", "core"):
        with pytest.raises(RefusedError) as refused:
            town.do(stranger, "payee.change", change)
        assert (refused.value.code, refused.value.problem["status"]) == ("not-holder", 403)
    # The trustee's own signature takes it to no account but the trust's own.
    with pytest.raises(RefusedError) as refused:
        town.do("trustee#T1", "payee.change", change)
    assert refused.value.code == "not-owner"
    custody = town.accounts["trustee#T1"]
    town.bank_account("trustee#T1", kind="trust")
    other: dict[str, Json] = {**change, "account": town.accounts["trustee#T1"]}
    move_to(town, DUE_ON)
    found = [row for row in rows(town, adopt(town)) if lots["trustee#T1"] in row["lots"]]
    assert [row["payee_account"] for row in found] == [custody]
    with pytest.raises(RefusedError):
        town.do("trustee#T1", "payee.change", other)


def test_sd_25_the_trustees_signature_changes_the_account_of_a_pooled_lot(town: Street) -> None:
    lots = gv01(town, route="direct")
    town.bank_account("trustee#T1", kind="trust")
    account = town.accounts["trustee#T1"]
    town.do("trustee#T1", "payee.change", {"lot": lots["trustee#T1"], "account": account})
    move_to(town, DUE_ON)
    found = [row for row in rows(town, adopt(town)) if lots["trustee#T1"] in row["lots"]]
    assert [row["payee_account"] for row in found] == [account]
