"""The journal: what it says, and what hledger says of it."""

import os
import re
import shutil
import subprocess
from itertools import accumulate
from pathlib import Path
from typing import cast

import pytest
from beancount import loader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearing.journal import format_journal
from clearing.model import INSTRUCTIONS
from clearing.plaintext import Style, account_name, beancount_name, format_decimal
from registry.canonical import Json
from registry.errors import MalformedError
from registry.model import Route
from tests.clearing.strategies import worlds
from tests.clearing.test_broken_hops import DAY, pass_time, promise, top_up
from tests.clearing.test_reports import to
from tests.clearing.test_rules import REPORT, adopt, confirm, instructions, said
from tests.clearing.world import OFFSET, PAY_TIME, World, gv01

HLEDGER = shutil.which("hledger")

needs_hledger = pytest.mark.skipif(
    HLEDGER is None and not os.environ.get("CI"),
    reason="HLEDGER IS MISSING: nobody but us checks the journal; apt-get install hledger",
)


def cleared(world: World) -> World:
    """Adopts the plan and confirms every instruction."""
    plan = adopt(world)
    for record in instructions(world, plan):
        confirm(world, plan, record.n)
    return world


def journal_of(world: World, style: Style = Style.HLEDGER) -> str:
    """Writes the journal of everything that happened in a world."""
    # A log's clock never goes back; in a world what comes after a deadline may not tell the time.
    times = accumulate((cast(int, entry["time"]) for entry in world.entries), max)
    entries = [{**entry, "time": time} for entry, time in zip(world.entries, times, strict=True)]
    return format_journal(entries, offset_minutes=OFFSET, currency="CNY", style=style)


def bean_check(journal: str) -> list[str]:
    """Returns what beancount finds fault with, as `bean-check` does."""
    _, errors, _ = loader.load_string(journal)
    return [error.message for error in errors]


def hledger(journal: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs hledger over a journal."""
    assert HLEDGER is not None, "hledger is missing"
    return subprocess.run(  # noqa: S603 (our own arguments)
        [HLEDGER, "-f", "-", *arguments],
        input=journal,
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C.UTF-8"},  # nobody's settings
    )


def check(journal: str) -> str:
    """Returns what hledger finds fault with in its strictest check."""
    return hledger(journal, "check", "--strict", "ordereddates").stderr


class TestText:
    def test_golden(self) -> None:
        world = World()
        world.mandate("S1")
        world.assign(world.issue("CY-1", face=100_000_001, to="S1"), to="S2", amount=60_000_000)
        text = journal_of(cleared(world))
        golden = Path(__file__).with_name("golden.journal")
        assert text == golden.read_text(encoding="utf-8")

    def test_each_account_ends_with_an_asserted_balance(self) -> None:
        world = World()
        gv01(world)
        text = journal_of(cleared(world))
        last: dict[str, str] = {}
        for line in text.splitlines():
            if line.startswith("    "):
                last[line.split()[0]] = line
        assert last
        assert all(" = " in line for line in last.values())
        assert all(line.endswith("= 0.00 CNY") for name, line in last.items() if "Claims" in name)

    def test_an_empty_log_is_an_empty_journal(self) -> None:
        assert "account" not in format_journal([], offset_minutes=0, currency="CNY")

    @pytest.mark.parametrize(
        ("minor", "text"),
        [(0, "0.00"), (1, "0.01"), (-1, "-0.01"), (-100, "-1.00"), (2**63 - 1,
         "92233720368547758.07")],
    )  # fmt: skip
    def test_decimals_are_exact(self, minor: int, text: str) -> None:
        assert format_decimal(minor) == text

    def test_names_are_unique(self) -> None:
        names = ["bank:x", "claims:x", "debts:x", "claims:x#y", "claims:X"]
        assert len({account_name(name) for name in names}) == len(names)

    @pytest.mark.parametrize(
        "change",
        [
            {"effect": "lot-assigned", "voucher": "v", "offer": "o", "assignor": "a",
             "assignee": "b", "amount": "1"},
            {"effect": "voucher-activated", "voucher": "v", "creditor": "c"},
            {"effect": "voucher-issued", "voucher": "v", "voucher_no": 7},
            {"effect": "instruction-posted", "voucher": "v"},
            {"effect": "lot-discharged", "amount": "1", "debtor": "C", "holder": "S"},
        ],
    )  # fmt: skip
    def test_refuses_effects_that_do_not_follow(self, change: dict[str, Json]) -> None:
        entry: dict[str, Json] = {"index": 0, "time": 0, "effects": {"changes": [change]}}
        with pytest.raises(MalformedError):
            format_journal([entry], offset_minutes=0, currency="CNY")

    def test_what_ends_or_passes_before_maturity_leaves_no_claim_behind(self) -> None:
        issued: list[Json] = [
            {"effect": "voucher-issued", "voucher": "v", "voucher_no": "V", "debtor": "C",
             "face": "10"},
            {"effect": "voucher-activated", "voucher": "v", "creditor": "S"},
            {"effect": "lot-transferred", "voucher": "v", "offer": "o", "assignor": "S",
             "assignee": "T", "amount": "4"},
            {"effect": "financing-title-passed", "voucher": "v", "contract": "k",
             "applicant": "T", "assignee": "F", "amount": "3"},
            {"effect": "lot-extinguished", "voucher": "v", "debtor": "C", "holder": "F",
             "amount": "3", "ground": "confusion"},
        ]  # fmt: skip
        entry: dict[str, Json] = {"index": 0, "time": 0, "effects": {"changes": issued}}
        text = format_journal([entry], offset_minutes=0, currency="CNY")
        assert "end V" in text
        assert "ground:confusion" in text.replace(" ", "")
        assert text.count("assign V") == 2

    @pytest.mark.parametrize("effects", [None, [], {}, {"changes": {}}])
    def test_refuses_entries_without_changes(self, effects: Json) -> None:
        with pytest.raises(MalformedError):
            format_journal([{"effects": effects}], offset_minutes=0, currency="CNY")

    def test_refuses_entries_without_a_time(self) -> None:
        world = World()
        world.issue("v", face=1, to="S1")
        entries = [{**entry, "time": True} for entry in world.entries]
        with pytest.raises(MalformedError):
            format_journal(entries, offset_minutes=0, currency="CNY")


@needs_hledger
class TestHledger:
    @pytest.mark.parametrize("route", Route)
    def test_finds_no_fault_with_golden_vector_01(self, route: Route) -> None:
        world = World()
        gv01(world, route=route)
        journal = journal_of(cleared(world))
        assert check(journal) == ""
        trust = account_name(f"bank:{world.account('T#trust')}")
        total = hledger(journal, "balance", "--layout=bare", "-O", "csv", trust).stdout
        assert "200000.00" in total

    def test_finds_no_fault_before_anything_is_cleared(self) -> None:
        world = World()
        gv01(world)
        assert check(journal_of(world)) == ""
        assert check(format_journal([], offset_minutes=0, currency="CNY")) == ""

    @settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
    @given(worlds())
    def test_finds_no_fault_with_any_split_tree(self, world: World) -> None:
        assert check(journal_of(cleared(world))) == ""

    @settings(max_examples=10)
    @given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64))
    def test_a_voucher_number_cannot_speak_to_it(self, number: str) -> None:
        self.check_number(number)

    @pytest.mark.parametrize(
        "number",
        [
            ";date:2020-01-01", ";forged:x", "|x", "a,date:2020-01-01", "[2020-1-1]", "(code)", "*",
            "=", "2020-01-01", "#", "comment",
        ],
    )  # fmt: skip
    def test_a_voucher_number_that_is_syntax_cannot_speak_to_it(self, number: str) -> None:
        self.check_number(number)

    def check_number(self, number: str) -> None:
        world = World()
        world.issue(number, face=5, to="S1")
        journal = journal_of(cleared(world))
        assert check(journal) == ""
        tags = hledger(journal, "tags").stdout.split()
        assert sorted(tags) == ["entry", "instruction", "plan", "voucher"]
        dates = hledger(journal, "register", "-O", "csv").stdout.splitlines()[1:]
        assert len(dates) == 6
        assert {line.split(",")[1] for line in dates} == {'"2026-02-18"', '"2026-03-02"'}

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("200000.00 CNY =", "200000.01 CNY ="),
            ("= 0.00 CNY", "= 0.01 CNY"),
            ("    Assets:Claims", "    Assets:Claim"),
            ("CNY\n", "CNX\n"),
            ("2026-03-02 pay", "2026-01-02 pay"),
        ],
    )
    def test_finds_a_planted_fault(self, old: str, new: str) -> None:
        world = World()
        gv01(world)
        journal = journal_of(cleared(world))
        head, found, tail = journal.rpartition(old)
        assert found
        assert check(head + new + tail) != ""


class TestObligations:
    """What is owed because of an instruction stands on accounts of its own, until it is met."""

    def gv03(self) -> World:
        """GV-03 to its end: the debtor tops up, and the money comes after all; a return, too."""
        world = World()
        gv01(world)
        promise(world)
        plan = adopt(world)
        for n in (0, 1):
            confirm(world, plan, n)
        pass_time(world, PAY_TIME + 3 * DAY)
        trust = to(world, plan, "T#trust")
        top_up(world, plan, trust.n)
        confirm(world, plan, 5)
        for name in ("F", "S3", "T#trust"):
            confirm(world, plan, to(world, plan, name).n)
        returned = said(world, plan, to(world, plan, "S3").n, status="returned")
        world.enter(REPORT, {"items": [returned]}, by="bank", re=plan, name="returned")
        return world

    def balances(self, text: str) -> dict[str, str]:
        """Returns the last balance that is asserted of each account that is not a bank's."""
        found = {}
        for line in text.splitlines():
            if line.startswith("    ") and " = " in line and ":Bank:" not in line:
                found[line.split()[0]] = line.split(" = ")[1]
        return found

    def test_gv_03(self) -> None:
        world = self.gv03()
        left = self.balances(journal_of(world))
        c, s3, trust = (world.party(name) for name in ("C", "S3", "T#trust"))
        assert left[f"Liabilities:TopUps:{c}"] == left[f"Assets:TopUps:{trust}"] == "0.00 CNY"
        assert left[f"Liabilities:Returns:{trust}"] == "-200000.00 CNY"
        assert left[f"Assets:Returns:{c}"] == "200000.00 CNY"
        assert left[f"Liabilities:Vouchers:Again:{c}"] == "-250000.00 CNY"
        assert left[f"Assets:Claims:Again:{s3}"] == "250000.00 CNY"
        assert left[f"Liabilities:Vouchers:{c}"] == "0.00 CNY"

    @needs_hledger
    def test_hledger_agrees(self) -> None:
        assert check(journal_of(self.gv03())) == ""

    def test_beancount_agrees(self) -> None:
        assert bean_check(journal_of(self.gv03(), Style.BEANCOUNT)) == []

    def test_what_is_paid_again_is_owed_no_more(self) -> None:
        world = self.gv03()
        (plan,) = {row.plan for row in world.rows.select(INSTRUCTIONS)}
        top_up(world, plan, to(world, plan, "S3").n, sort="again")
        confirm(world, plan, 6)
        left = self.balances(journal_of(world))
        assert left[f"Liabilities:Vouchers:Again:{world.party('C')}"] == "0.00 CNY"
        assert left[f"Assets:Claims:Again:{world.party('S3')}"] == "0.00 CNY"

    @pytest.mark.parametrize(
        "change",
        [
            {"effect": "paid-again", "plan": "p", "n": 0},
            {"effect": "obligation-moved", "status": "met", "sort": "return", "plan": "p", "n": 0},
        ],
    )
    def test_refuses_what_is_met_and_was_not_owed(self, change: dict[str, Json]) -> None:
        entry: dict[str, Json] = {"index": 0, "time": 0, "effects": {"changes": [change]}}
        with pytest.raises(MalformedError):
            format_journal([entry], offset_minutes=0, currency="CNY")


def test_a_voucher_that_is_void_leaves_no_claim() -> None:
    issued: list[Json] = [
        {"effect": "voucher-issued", "voucher": "v", "voucher_no": "V", "debtor": "C", "face": "7"},
        {"effect": "voucher-activated", "voucher": "v", "creditor": "S"},
        {"effect": "voucher-voided", "voucher": "v", "holder": "S"},
    ]
    entry: dict[str, Json] = {"index": 0, "time": 0, "effects": {"changes": issued}}
    text = format_journal([entry], offset_minutes=0, currency="CNY")
    assert "void V" in text
    assert text.count("= 0.00 CNY") == 2


class TestBeancount:
    @pytest.mark.parametrize("route", Route)
    def test_finds_no_fault_with_golden_vector_01(self, route: Route) -> None:
        world = World()
        gv01(world, route=route)
        assert bean_check(journal_of(cleared(world), Style.BEANCOUNT)) == []

    def test_a_fen_more_is_found(self) -> None:
        """It checks what we assert, to the fen: two postings that balance, and one fen too many."""
        world = World()
        gv01(world)
        text = journal_of(cleared(world), Style.BEANCOUNT)
        wrong = text.replace("-600000.00", "-600000.01").replace(" 600000.00", " 600000.01")
        assert wrong != text
        assert bean_check(wrong)

    @settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
    @given(worlds())
    def test_finds_no_fault_with_any_run(self, world: World) -> None:
        assert bean_check(journal_of(cleared(world), Style.BEANCOUNT)) == []


def test_names_for_beancount_are_unique_and_as_it_wants_them() -> None:
    names = ["bank:a-b", "bank:a_b", "bank:a-h", "bank:-", "bank:_", "bank:A", "bank:a", "hops:x#y"]
    written = [beancount_name(name) for name in names]
    assert len({*written}) == len(names)
    for name in written:
        assert re.fullmatch(r"(Assets|Liabilities)(:[A-Z0-9][A-Za-z0-9-]*)+", name), name
