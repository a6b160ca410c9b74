"""The journal: what it says, and what hledger says of it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearing.journal import account_name, format_decimal, format_journal
from registry.canonical import Json
from registry.errors import MalformedError
from registry.model import Route
from tests.clearing.strategies import worlds
from tests.clearing.test_rules import adopt, confirm, instructions
from tests.clearing.world import OFFSET, World, gv01

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


def journal_of(world: World) -> str:
    """Writes the journal of everything that happened in a world."""
    return format_journal(world.entries, offset_minutes=OFFSET, currency="CNY")


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
