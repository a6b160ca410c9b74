"""`tallystick today`: what waits for a party this morning, for people."""

from collections.abc import Mapping
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.cli.common import AsJson, print_json, told
from api.cli.connect import LogKey, Party, ReadKey, Url, reading
from api.kind_words import KINDS
from api.words import DAYS, FACTS, NOTES, PILES, PURPOSES, ROLES, VERBS, both, said
from registry.money import format_yuan

out = Console(highlight=False, markup=False)
_PLAIN = frozenset({"kind", "count", "amount", "lines"})


def today(
    url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
) -> None:
    """Tells what waits for you today 今日待办: to answer, due, overdue, to register, at a limit."""
    with told():
        found = reading(url, log_key, party, read_key, "/v1/worklist")
    if as_json:
        print_json(found)
    else:
        show_worklist(found, out)


def show_worklist(found: Mapping[str, Any], console: Console) -> None:
    """Prints a worklist, a block for each pile."""
    roles = ", ".join(said(ROLES, role) for role in found["roles"])
    console.print(Text.assemble((found["today"], "bold"), "  ", found["name"], "  ", roles))
    if not found["piles"]:
        console.print("nothing waits  无待办")
    for pile in found["piles"]:
        console.print()
        _show_pile(pile, found["names"], console)


def _show_pile(pile: Mapping[str, Any], names: Mapping[str, str], console: Console) -> None:
    """Prints a pile: its words and figures, then its lines."""
    head = Table.grid(padding=(0, 2), expand=True)
    head.add_column(ratio=1)
    head.add_column(justify="right")
    head.add_column(justify="right", min_width=16)
    amount = format_yuan(int(pile["amount"])) if "amount" in pile else ""
    words = Text(both(PILES.get(pile["kind"], (pile["kind"], ""))), style="bold")
    head.add_row(words, f"{pile['count']:,}", amount)
    for name in pile:
        if name not in _PLAIN:
            head.add_row(Text(f"  {both(FACTS[name])}", style="dim"), *_figure(pile[name]))
    console.print(head)
    _show_lines(pile, names, console)


def _figure(value: str | int) -> tuple[str, str]:
    """Returns a fact for the column of counts, or for that of money."""
    return (f"{value:,}", "") if isinstance(value, int) else ("", format_yuan(int(value)))


def _show_lines(pile: Mapping[str, Any], names: Mapping[str, str], console: Console) -> None:
    """Prints a pile's lines, with ids where a command takes one further."""
    verb = VERBS.get(pile["kind"])
    lines = pile["lines"]
    rows = [_cells(pile["kind"], line, names) for line in lines]
    # A column that nothing stands in takes no room.
    used = [at for at in range(5) if any(row[at] for row in rows)]
    table = Table.grid(padding=(0, 2))
    table.add_column(width=0)
    # Amounts and days are whole; words give way to them.
    for at in used:
        justify: Literal["left", "right"] = "right" if at == 1 else "left"
        table.add_column(justify=justify, no_wrap=at in (1, 2), overflow="fold")
    for row in rows:
        table.add_row("", *(row[at] for at in used))
    if used:
        console.print(table)
    if verb is not None:
        console.print(Text(f"    tallystick {verb} …", style="dim"))
        for name in dict.fromkeys(line["id"] for line in lines):
            console.print(Text(f"      {name}", style="dim"), soft_wrap=True)
    if (more := pile["count"] - len(lines)) > 0 and lines and "count" not in lines[0]:
        console.print(Text(f"    and {more:,} more", style="dim"))


def _cells(kind: str, line: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, ...]:
    """Returns a line's cells: what, how much, when, who, and what to know about it."""
    about = str(line.get("about", ""))
    if not about and "count" in line and "on" not in line:
        about = str(line["id"])
    what = said(PURPOSES, about) if about in PURPOSES else said(NOTES, about)
    if what in KINDS:
        what = f"{KINDS[what][0]} {what}"
    if "count" in line:
        what = f"{what} × {line['count']:,}" if what else f"{line['count']:,} ×"
    amount = format_yuan(int(line["amount"])) if "amount" in line else ""
    who = names.get(str(line.get("party", "")), str(line.get("party", "")))
    day = f"{DAYS.get(kind, '')} {line['on']}".strip() if "on" in line else ""
    return what, amount, day, who, said(NOTES, str(line.get("note", "")))
