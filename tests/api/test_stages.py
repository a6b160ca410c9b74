"""Stages through the public interface: the last hop, what lies on a stage, and who sees it."""

from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from registry.canonical import Json
from tests.api.cli.terminal import Terminal, shell_of
from tests.api.local import street
from tests.api.served import Street, connect, server
from tests.api.test_maturity import DUE_ON, adopt, get, gv01, move_to, report, rows
from tests.api.test_worklist import RULING, piles
from tests.builders import DIGEST


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A ledger of each test's own."""
    with street(tmp_path_factory.mktemp("town")) as made:
        yield made


def staged(town: Street, **body: Json) -> str:
    """Has the trust's account reached by way of its trustee's."""
    account: dict[str, Json] = {
        "bank": town.ids["bank"], "account_kind": "settlement", "terms": DIGEST,
    }  # fmt: skip
    town.accounts["trustee"] = town.do("trustee", "account.register", account).sid
    town.do("bank", "account.verify", {}, re=town.accounts["trustee"])
    grant: dict[str, Json] = {
        "account": town.accounts["trustee"], "onto": town.accounts["trustee#T1"],
    }  # fmt: skip
    mandate = town.do("trustee", "mandate.grant", grant).sid
    return town.do("trustee#T1", "account.stage", body, re=mandate).sid


def collected(town: Street, **body: Json) -> tuple[str, str]:
    """Has all of GV-01 come in but for the last hop; returns the trust's lot and the plan."""
    lots = gv01(town, route="tiered")
    staged(town, **body)
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted", "s1", "s2", "s3", "factor", "trustee")
    return lots["trustee#T1"], plan


@pytest.mark.parametrize("route", ["direct", "tiered"])
def test_both_routes_bring_it_by_way_of_the_stage(town: Street, route: str) -> None:
    gv01(town, route=route)
    stage = staged(town)
    move_to(town, DUE_ON)
    plan = adopt(town)
    last = next(row for row in rows(town, plan) if row.get("stage") == stage)
    assert (last["payer"], last["payee"]) == (town.ids["trustee"], town.ids["trustee#T1"])
    report(town, plan, "posted")
    found = get(town, f"/v1/clearing/runs/{plan}/certificate", by="auditor")
    assert all(line["direct"] == line["planned"] for line in found["lines"])
    (run,) = get(town, "/v1/clearing/runs", by="operator")["data"]
    assert run["status"] == "cleared"


def test_who_has_a_part_in_a_stage_sees_it(town: Street) -> None:
    stage = staged(town, cycle_days=7)
    for name in ("trustee", "trustee#T1", "operator", "auditor"):
        (row,) = get(town, "/v1/stages", by=name)["data"]
        assert (row["stage"], row["cycle_days"]) == (stage, 7)
    assert get(town, "/v1/stages", by="factor")["data"] == []


def test_sd_29_what_lies_on_a_stage_is_on_the_worklist_until_it_has_gone_on(town: Street) -> None:
    lot, plan = collected(town, cycle_days=7)
    (sweep,) = get(town, "/v1/clearing/sweeps", by="trustee")["data"]
    assert (sweep["amount"], sweep["due_on"], sweep["overdue"]) == (
        "20000000", "2025-12-26", False,
    )  # fmt: skip
    assert get(town, "/v1/clearing/sweeps", by="factor")["data"] == []
    pile = piles(town, "trustee")["sweeps"]
    assert (pile["count"], pile["amount"], pile["overdue"]) == (1, "20000000", "0")
    assert piles(town, "operator")["all-sweeps"]["lines"][0]["party"] == town.ids["trustee"]
    assert "sweeps-to-receive" not in piles(town, "trustee")
    move_to(town, "2025-12-22")
    assert piles(town, "trustee")["unpaid"]["within_cycle"] == "20000000"
    move_to(town, "2025-12-27")
    assert "within_cycle" not in piles(town, "trustee")["unpaid"]
    assert piles(town, "trustee")["sweeps"]["lines"][0]["note"] == "overdue"
    assert piles(town, "operator")["all-sweeps"]["overdue"] == "20000000"
    report(town, plan, "posted", "trustee#T1")
    assert get(town, "/v1/clearing/sweeps", by="auditor")["data"] == []
    assert "sweeps" not in piles(town, "trustee")
    way = get(town, f"/v1/clearing/lots/{lot}", by="trustee")["ways"][0]
    assert "stage" in way["hops"][-1]


def test_direct_clearing_would_not_have_saved_what_lies_on_a_stage(town: Street) -> None:
    _, plan = collected(town)
    move_to(town, "2025-12-29")
    found = get(town, f"/v1/clearing/runs/{plan}/exposure", by="auditor")
    assert found["saved_fen_days"] == "0"
    assert found["others_fen_days"] == "200000000"
    assert [stay["at_stage"] for stay in found["stays"]] == [True]


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Street, Terminal]]:
    """A real server with its usual people, and a shell beside it."""
    directory = tmp_path_factory.mktemp("day")
    with server(directory / "server") as url, connect(url) as client:
        town = Street(client).settle_in()
        yield town, shell_of(town, directory, url)


def test_people_read_it_on_80_columns(served: tuple[Street, Terminal]) -> None:
    town, shell = served
    assert "业务账户无待划转资金" in shell.run("clearing sweeps", by="trustee")
    lot, _ = collected(town, cycle_days=7)
    told = shell.run("clearing sweeps", by="trustee")
    assert "200,000.00" in told
    assert "2025-12-26" in told
    way = shell.run("clearing explain", lot, by="trustee")
    assert "经业务账户" in way
    today = shell.run("today", by="trustee")
    assert "归集待划转" in today
    # What lies with the trustee has not been received by the trust.
    assert "400,000.00" not in today
    for text in (told, way):
        assert max(map(cell_len, text.splitlines())) <= 80, text


def test_a_court_is_paid_and_its_bank_can_open_what_its_account_is(town: Street) -> None:
    lots = gv01(town, route="tiered")
    frozen = town.do("registrar", "lot.freeze", {**RULING, "lot": lots["s3"]}).sid
    order: dict[str, Json] = {
        **RULING, "basis": "deduction", "bank": town.ids["bank"], "account": DIGEST,
    }  # fmt: skip
    court = town.do("registrar", "lot.pay-to-court", order, re=frozen).sid
    move_to(town, DUE_ON)
    plan = adopt(town)
    (row,) = (row for row in rows(town, plan) if row["payee_account"] == court)
    assert (row["holder"], row["amount"]) == (town.ids["s3"], "25000000")
    for name in ("bank", "core", "s3"):
        made = get(town, f"/v1/statements/{court}", by=name)
        assert {change["effect"] for change in made["effects"]["changes"]} == {
            "court-payment-ordered"
        }
    report(town, plan, "posted")
    way = get(town, f"/v1/clearing/lots/{lots['s3']}", by="s3")["ways"][0]
    assert way["hops"][-1]["holder"] == town.ids["s3"]
    (run,) = get(town, "/v1/clearing/runs", by="operator")["data"]
    assert run["status"] == "cleared"
