"""Clearing days that are kept by a program: on the sandbox's clock, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from api.cli.keep import Keeper
from registry.canonical import Json
from tests.api.cli.terminal import Terminal, shell_of
from tests.api.local import street
from tests.api.served import ROOT, Street, connect, server
from tests.api.test_clearing_day import keep_days
from tests.api.test_maturity import DUE_ON, get, gv01, move_to, report, rows
from tests.builders import ORIGIN, instant, key_of, possession_proof

SATURDAY, MONDAY, TUESDAY = "2025-12-20", "2025-12-22", "2025-12-23"
SECONDS = 20.0


def at(town: Street, day: str, hour: int, minute: int = 0) -> None:
    """Moves the ledger's clock on."""
    moment = instant(date.fromisoformat(day), hour=hour) + minute * 60_000
    town.do("operator", "clock.set", {"time": moment})
    town.client._clock = lambda: moment


def runs(town: Street) -> list[dict[str, Any]]:
    """Returns all runs, by when they were adopted."""
    return list(town.client.pages("/v1/clearing/runs", by=town.ids["operator"]))


def due(town: Street) -> list[str]:
    """Returns what the registry says is to be done now."""
    found = get(town, "/v1/clearing/day", by="operator")
    return [step["act"] for step in found["steps"] if step["due"]]


def approve(town: Street, plan: str) -> None:
    """Has the debtor approve its list."""
    body: dict[str, Json] = get(town, f"/v1/clearing/runs/{plan}/list", by="core")
    town.do("core", "clearing.approve", body, re=plan)


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A ledger of each test's own, under a policy with a clearing day."""
    with street(tmp_path_factory.mktemp("town")) as made:
        keep_days(made)
        yield made


def keeper_of(town: Street) -> Keeper:
    """Returns a keeper that has just been started."""
    return Keeper(town.client, town.ids["operator"])


def test_a_day_is_kept_from_plan_to_close_and_the_next_pays_what_it_left(town: Street) -> None:
    gv01(town, route="direct")
    at(town, DUE_ON, 9, 59)
    assert keeper_of(town).catch_up() == 0
    at(town, DUE_ON, 10)
    assert due(town) == ["plan"]
    assert keeper_of(town).catch_up() == 1
    (run,) = runs(town)
    assert keeper_of(town).catch_up() == 0
    at(town, DUE_ON, 10, 5)
    approve(town, run["plan"])
    assert due(town) == []
    at(town, DUE_ON, 15)
    assert due(town) == ["send"]
    report(town, run["plan"], "posted", "s1", "s2")
    at(town, DUE_ON, 16, 30)
    assert due(town) == []
    at(town, DUE_ON, 17)
    assert due(town) == ["close"]
    assert keeper_of(town).catch_up() == 1
    # What expired is planned on Monday: Saturday is not worked.
    at(town, SATURDAY, 11)
    assert due(town) == []
    at(town, MONDAY, 10)
    assert keeper_of(town).catch_up() == 1
    (second,) = (run for run in runs(town) if run["status"] == "planned")
    assert second["total"] == "45000000"


def test_sd_23_a_top_up_that_is_due_is_ordered_and_its_own_day_closed(town: Street) -> None:
    gv01(town, route="tiered", top_up=True)
    at(town, DUE_ON, 10)
    keeper_of(town).catch_up()
    (run,) = runs(town)
    plan = run["plan"]
    report(town, plan, "posted", "s1", "s2")
    report(town, plan, "rejected", "s3", "factor")
    at(town, DUE_ON, 17)
    assert keeper_of(town).catch_up() == 1
    # Not there by Monday's cut-off, the first working day after: owed for Tuesday.
    at(town, MONDAY, 16, 29)
    assert list(town.client.pages("/v1/clearing/obligations", by=town.ids["core"])) == []
    at(town, MONDAY, 16, 30)
    (owed,) = town.client.pages("/v1/clearing/obligations", by=town.ids["core"])
    assert (owed["sort"], owed["due_on"]) == ("top-up", TUESDAY)
    assert due(town) == []
    at(town, TUESDAY, 10)
    assert due(town) == ["top-up"]
    keeper_of(town).catch_up()
    own = rows(town, plan)[-1]
    assert (own["pays"], own["amount"], own["held"]) == ("top-up", "20000000", True)
    # The debtor does not approve it: it expires with Tuesday, and is due again on Wednesday.
    at(town, TUESDAY, 16, 59)
    assert due(town) == []
    at(town, TUESDAY, 17)
    assert keeper_of(town).catch_up() == 1
    assert rows(town, plan)[-1]["status"] == "expired"
    at(town, "2025-12-24", 10)
    # A plan could pay it, too, but would take the way that broke.
    assert due(town) == ["top-up", "plan"]
    assert keeper_of(town).catch_up() == 1
    assert due(town) == []
    assert len(runs(town)) == 1


def test_a_top_up_of_what_is_frozen_meanwhile_is_not_tried(town: Street) -> None:
    lots = gv01(town, route="tiered", top_up=True)
    at(town, DUE_ON, 10)
    keeper_of(town).catch_up()
    (run,) = runs(town)
    report(town, run["plan"], "posted", "s1", "s2")
    at(town, DUE_ON, 17)
    keeper_of(town).catch_up()
    at(town, TUESDAY, 9)
    paper: dict[str, Json] = {"digest": "A" * 43, "name": "order.pdf"}
    ruling: dict[str, Json] = {
        "authority": "重庆市大渡口区人民法院", "number": "A" * 43, "order": paper
    }  # fmt: skip
    town.do("registrar", "lot.freeze", {"lot": lots["trustee#T1"], **ruling})
    at(town, TUESDAY, 10)
    assert due(town) == []
    assert keeper_of(town).catch_up() == 0


def test_less_money_than_is_due_is_divided_in_a_round(town: Street) -> None:
    gv01(town, route="direct")
    at(town, DUE_ON, 9)
    body: dict[str, Json] = {"account": town.accounts["core"], "amount": "70000001"}
    town.do("bank", "clearing.fund", body)
    assert due(town) == []
    at(town, DUE_ON, 10)
    assert due(town) == ["divide"]
    keeper_of(town).catch_up()
    (run,) = runs(town)
    assert run["total"] == "70000001"


def test_a_refusal_keeps_nothing_else_waiting_and_is_not_repeated(
    town: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    gv01(town, route="direct")
    at(town, DUE_ON, 10)
    keeper = keeper_of(town)
    honest = keeper._get
    wrong = {"digest": "A" * 43}
    monkeypatch.setattr(keeper, "_get", lambda path: {**honest(path), **wrong})
    assert keeper.catch_up() == 1
    assert keeper.refused == 1
    assert keeper.catch_up() == 0
    assert keeper_of(town).catch_up() == 1


def test_what_waits_for_a_second_person_is_not_signed_again(town: Street) -> None:
    for name, duty in (("maker", "maker"), ("checker", "checker")):
        key = key_of(f"operator's {name}")
        proof = possession_proof(key, origin=ORIGIN, party=town.ids["operator"])
        hand: dict[str, Json] = {"person": name, "duty": duty}
        added: dict[str, Json] = {"key": {**key.public.jwk()}, "proof": proof, "use": "sign"}
        town.do("operator", "key.add", {**added, "hand": hand})
    rule: dict[str, Json] = {
        "approvals": 1,
        "final": False,
        "kind": "clearing.plan",
        "minimum": "1",
    }
    town.do("operator", "party.policy", {"hours": 24, "rules": [rule]})
    gv01(town, route="direct")
    at(town, DUE_ON, 10)
    town.client.keys[town.ids["operator"]] = key_of("operator's maker")
    assert keeper_of(town).catch_up() == 1
    assert runs(town) == []
    found = get(town, "/v1/clearing/day", by="operator")
    assert [step["pending"] for step in found["steps"] if step["act"] == "plan"] == [True]
    assert keeper_of(town).catch_up() == 0


# --- As a process ---------------------------------------------------------------------


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Street, Terminal]]:
    """A real server with its usual people under such a policy, and a shell beside it."""
    directory = tmp_path_factory.mktemp("day")
    with server(directory / "server") as url, connect(url) as client:
        made = Street(client).settle_in()
        keep_days(made, approve=None)
        yield made, shell_of(made, directory, url)


@contextmanager
def keeping(shell: Terminal) -> Iterator[subprocess.Popen[bytes]]:
    """Starts `clearing keep`, and kills it."""
    environment = {
        **os.environ,
        "TALLYSTICK_URL": shell.url,
        "TALLYSTICK_ORIGIN": ORIGIN,
        "TALLYSTICK_LOG_KEY": str(shell.path("log.vkey")),
        "TALLYSTICK_PARTY": shell.ids["operator"],
        "TALLYSTICK_KEY": str(shell.path("operator.pem")),
        "TALLYSTICK_READ_KEY": str(shell.path("operator.read.pem")),
    }
    program = [sys.executable, "-c", "from api.cli import main; main()"]
    process = subprocess.Popen(  # noqa: S603 (our own program)
        [*program, "clearing", "keep", "--every", "0.1"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(town: Street, status: str, count: int) -> list[dict[str, Any]]:
    """Waits until as many runs have a status."""
    end = time.monotonic() + SECONDS
    while len(found := [run for run in runs(town) if run["status"] == status]) < count:
        assert time.monotonic() < end, f"{count} runs should be {status}: {runs(town)}"
        time.sleep(0.05)
    return found


def test_it_is_killed_and_started_again_and_does_everything_once(
    served: tuple[Street, Terminal],
) -> None:
    town, shell = served
    gv01(town, route="tiered", top_up=True)
    at(town, DUE_ON, 10)
    with keeping(shell), keeping(shell):
        # Two of them beside one another.
        (run,) = wait_for(town, "planned", 1)
    plan = run["plan"]
    report(town, plan, "posted", "s1", "s2")
    report(town, plan, "rejected", "s3", "factor")
    at(town, DUE_ON, 17)
    for seconds in (0.6, 1.0, 1.3, 1.7):
        with keeping(shell) as process:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
    with keeping(shell):
        wait_for(town, "closed", 1)
        at(town, TUESDAY, 10)
        end = time.monotonic() + SECONDS
        while len(rows(town, plan)) == 5:
            assert time.monotonic() < end, "nothing is topped up"
            time.sleep(0.05)
        time.sleep(0.5)
    assert [row["pays"] for row in rows(town, plan)[5:]] == ["top-up"]
    assert len(runs(town)) == 1


def test_one_call_does_what_is_due_and_a_screen_tells_what_is_next(
    served: tuple[Street, Terminal],
) -> None:
    town, shell = served
    gv01(town, route="direct")
    move_to(town, DUE_ON, hour=9)
    shown = shell.run("clearing next", by="operator")
    assert "16:30" in shown
    assert "出清分方案" in shown
    assert "到时 now" not in shown
    assert max(map(cell_len, shown.splitlines())) <= 80, shown
    assert shell.run("clearing keep --once", by="operator") == ""
    for command, by, words in (
        ("clearing debits 2025-12-19", "operator", "1,000,000.00"),
        ("clearing lists", "core", ""),
        ("today", "core", "备款提醒"),
        ("today", "operator", "备款核对"),
    ):
        told = shell.run(command, by=by)
        assert words in told
        assert max(map(cell_len, told.splitlines()), default=0) <= 100, told
    move_to(town, DUE_ON, hour=10)
    assert "到时 now" in shell.run("clearing next", by="operator")
    assert "2025-12-19" in shell.run("clearing keep --once", by="operator")
    found = json.loads(shell.run("clearing next --json", by="operator"))
    assert [step["act"] for step in found["steps"] if step["due"]] == ["send"]
    assert "发送指令 send   2025-12-19  " in shell.run("clearing next", by="operator")
    assert shell.run("clearing keep --once", by="operator") == ""
    # A book names the accounts, and the files for the bank are written once.
    book = {
        account: {"account_name": name, "account_no": f"62{n:014}", "bank_code": "102290000012",
                  "bank_name": "a bank"}
        for n, (name, account) in enumerate(town.accounts.items())
    }  # fmt: skip
    shell.path("book.json").write_text(json.dumps(book))
    out: Path = shell.path("files")
    more = ("--out", out, "--book", shell.path("book.json"))
    assert "4" in shell.run("clearing keep --once", *more, by="operator")
    assert shell.run("clearing keep --once", *more, by="operator") == ""
    assert len([*out.glob("*/*.xml")]) == 1
