"""A clearing day from the command line: killed and given again, it goes on where it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from clearing.certificate import digest_of
from registry.canonical import Json
from tests.api.cli.terminal import Terminal, shell_of
from tests.api.served import Street, connect, server
from tests.api.test_maturity import DUE_ON, gv01, move_to, report


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Street, Terminal]]:
    """A real server with its usual people, and a shell beside it."""
    directory = tmp_path_factory.mktemp("day")
    with server(directory / "server") as url, connect(url) as client:
        street = Street(client).settle_in()
        yield street, shell_of(street, directory, url)


def test_a_day_is_planned_once_told_and_closed(
    town: tuple[Street, Terminal], tmp_path: Path
) -> None:
    street, shell = town
    lots = gv01(street, route="tiered")
    move_to(street, DUE_ON)
    first = shell.json("clearing run --json", DUE_ON, by="operator")
    plan = first["plan"]
    assert first["by_status"] == {"pending": [5, "225000000"]}
    # Given again, it goes on with the plan that there is.
    assert shell.json("clearing run --json", DUE_ON, by="operator") == first
    report(street, plan, "posted", "s1", "s2")
    report(street, plan, "rejected", "factor")
    # Two hops are under way, one is broken; the other way is shown before it is signed.
    listed = shell.run("clearing show", plan, "--status", "rejected", by="operator")
    assert "factor" in listed
    assert "s3" not in listed
    other = shell.run("clearing propose-reroute", plan, "3", by="operator")
    assert "停用指令 replaced  3, 4" in other
    body = shell.json(
        "clearing propose-reroute --json --ground insolvent", plan, "3", by="operator"
    )
    assert body == {"ground": "insolvent", "instruction": 3}
    late = shell.run("clearing propose-reroute", plan, "4", by="operator", exits=1)
    assert "out-of-order" in late
    told = shell.json("clearing run --json --close", DUE_ON, by="operator")
    assert (told["plan"], told["status"]) == (plan, "closed")
    assert told["by_status"] == {
        "pending": [2, "45000000"],
        "posted": [2, "160000000"],
        "rejected": [1, "20000000"],
    }
    assert shell.json("clearing run --json --close", DUE_ON, by="operator") == told
    # The trustee reads where its money is, and what that costs, on 80 columns.
    way = shell.run("clearing explain", lots["trustee#T1"], by="trustee")
    assert "AC06 账户已冻结 account blocked" in way
    stays = shell.run("clearing exposure", plan, by="trustee")
    assert "others' money" in stays
    both = shell.run("clearing certificate", plan, by="auditor")
    assert "both routes agree" in both
    saved = tmp_path / "certificate.json"
    shell.run("clearing certificate --output", saved, plan, by="operator")
    run = street.client.get("/v1/clearing/runs", by=street.ids["operator"])["data"][0]
    assert digest_of(saved.read_bytes()) == run["certificate"]
    books = shell.run("clearing reconcile", DUE_ON, by="operator")
    assert "账内相符" in books
    for text in (way, stays, both, books, listed, other):
        assert max(map(cell_len, text.splitlines())) <= 80, text


def test_nothing_due_is_said(town: tuple[Street, Terminal]) -> None:
    _, shell = town
    assert shell.run("clearing run", "2025-12-18", by="operator") == ""


def test_owed_and_close_are_read_before_they_are_signed(town: tuple[Street, Terminal]) -> None:
    street, shell = town
    gv01(street, route="direct")
    move_to(street, DUE_ON)
    plan = shell.json("clearing run --json", DUE_ON, by="operator")["plan"]
    body: dict[str, Json] = shell.json("clearing propose-close --json", plan, by="operator")
    assert body == {"expired": 4, "stuck": 0}
    assert shell.json("clearing owed --json", by="core") == []
