"""What stands on a screen of 80 columns is whole: amounts, days, numbers of lots, last words."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from api.cli.screen import short, show_facts, show_table
from api.cli.today import show_worklist

NAME = "华东重工集团股份有限公司"
HEADS = {"name": ("名称", "name"), "due": ("到期日", "due"), "amount": ("金额", "amount")}


def screen() -> Console:
    return Console(file=io.StringIO(), width=80, highlight=False, markup=False)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert max(map(cell_len, text.splitlines()), default=0) <= 80
    assert "…" not in text.replace("accept …", "")
    return text


def test_a_column_that_folds_gives_way_to_amounts() -> None:
    console = screen()
    row = {"name": NAME * 4, "due": "2026-12-24", "amount": "1,060,000,000.00"}
    show_table(HEADS, [row], right=("amount",), folded=("name",), console=console)
    assert "2026-12-24  1,060,000,000.00" in text_of(console)


def test_what_finds_no_room_side_by_side_stands_below_one_another() -> None:
    console = screen()
    heads = {str(n): ("金额", f"amount {n}") for n in range(6)}
    row = dict.fromkeys(heads, "1,060,000,000.00")
    show_table(heads, [row, row], right=heads, console=console)
    assert text_of(console).count("1,060,000,000.00") == 12


def test_no_word_loses_its_end_at_the_margin() -> None:
    # Of a line that ends in a space just beyond the margin the last cells were cut.
    for room in range(1, 60):
        console = screen()
        show_facts(
            [(("", "x" * room), f"{NAME}, 转让人（有追索权） assignor, with recourse")], console
        )
        assert "assignor," in text_of(console).replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(("name", "shown"), [("A" * 43, "A" * 12 + "…"), ("CY-1", "CY-1")])
def test_an_id_is_short(name: str, shown: str) -> None:
    assert short(name) == shown


def test_two_lots_of_one_statement_differ_when_they_are_short() -> None:
    assert short("A" * 43 + ".0") == "A" * 12 + "….0"
    assert short("A" * 43 + ".1") != short("A" * 43 + ".0")


def test_a_line_of_today_keeps_its_amount_and_its_day() -> None:
    # As it was cut: its words were long, and every column gave way.
    line = {"id": "A" * 43, "about": "forward", "party": "p", "on": "2026-11-29"}
    line |= {"note": "silence", "amount": "15000000000000"}
    pile = {"kind": "offers-to-answer", "count": 1, "lines": [line], "amount": "15000000000000"}
    console = screen()
    found = {"roles": ["participant"], "today": "2026-11-22", "name": NAME, "piles": [pile]}
    show_worklist({**found, "names": {"p": NAME}}, console)
    assert "150,000,000,000.00  by 2026-11-29" in text_of(console)
