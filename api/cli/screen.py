"""What commands print for people: facts by name, tables, days, names of parties."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.client import Client, RefusedError
from api.words import Words
from registry.calendars import parse_offset
from registry.errors import RegistryError

out = Console(highlight=False, markup=False)

ID_SHOWN = 12
"""Characters of an id where it only helps to tell things apart; JSON has all of it."""


def short(name: str) -> str:
    """Returns the beginning of a long id; a lot or a notice keeps its number in it."""
    whole, dot, number = name.partition(".")
    return name if len(name) <= ID_SHOWN + 6 else f"{whole[:ID_SHOWN]}…{dot}{number}"


class Reader:
    """Reads for one party, and remembers the names that it has met."""

    def __init__(self, client: Client, party: str, *, can_read: bool = True) -> None:
        """Reads over a client, as a party; without a key to read with it knows no names."""
        self.client = client
        self._party = party
        self._can_read = can_read
        self._names: dict[str, str] = {}
        self._vouchers: dict[str, dict[str, Any]] = {}
        self._offset = timedelta(minutes=parse_offset(client.get("/v1/ledger")["zone"]))

    def get(self, path: str, **params: str | int) -> Any:
        """Reads an object."""
        return self.client.get(path, by=self._party, **params)

    def rows(self, path: str, **params: str | int) -> Iterable[dict[str, Any]]:
        """Reads a list, page by page."""
        return self.client.pages(path, by=self._party, **params)

    def name(self, party: str) -> str:
        """Returns a party's name."""
        if party not in self._names:
            self._names[party] = str(self.get(f"/v1/parties/{quote(party, safe='')}")["name"])
        return self._names[party]

    def known(self, party: str) -> str:
        """Returns a party's name; empty where it cannot be read."""
        if not self._can_read:
            return ""
        try:
            return self.name(party)
        except (RefusedError, RegistryError):
            return ""

    def named(self, party: str) -> str:
        """Returns a party's name and id as a sentence has them; the id where that is all."""
        name = self.known(party)
        return f"{name} ({party})" if name else party

    def voucher(self, sid: str, **params: str | int) -> dict[str, Any]:
        """Returns a voucher; only its id where the reader may not see it."""
        if sid not in self._vouchers:
            try:
                self._vouchers[sid] = self.get(f"/v1/vouchers/{sid}", **params)
            except RefusedError as error:
                if error.code != "not-found":
                    raise
                self._vouchers[sid] = {"voucher": sid, "voucher_no": short(sid)}
        return self._vouchers[sid]

    def day(self, time: int) -> str:
        """Returns the day of an instant in the ledger's zone."""
        return f"{datetime.fromtimestamp(time / 1000, UTC) + self._offset:%Y-%m-%d}"

    def instant(self, text: str) -> int:
        """Reads an instant in the ledger's zone, or milliseconds.

        Raises:
            typer.BadParameter: It is neither.
        """
        if text.isascii() and text.isdigit():
            return int(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            form = f"{text}: neither milliseconds nor as 2025-07-01T14:59"
            raise typer.BadParameter(form, param_hint="--at") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone(self._offset))
        return int(moment.timestamp() * 1000)

    def moment(self, time: int) -> str:
        """Returns an instant in the ledger's zone, to the second."""
        return f"{datetime.fromtimestamp(time / 1000, UTC) + self._offset:%Y-%m-%d %H:%M:%S}"


def show_facts(facts: Iterable[tuple[Words | None, str]], console: Console = out) -> None:
    """Prints names and values; a value without a name belongs to the one before."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    # Without it the last word of a line of Chinese and English can lose its end.
    table.add_column(overflow="fold")
    for words, value in facts:
        table.add_row("" if words is None else " ".join(words), Text(value))
    console.print(table)


def show_table(
    heads: Mapping[str, Words],
    rows: Iterable[Mapping[str, str]],
    *,
    right: Iterable[str] = (),
    folded: Iterable[str] = (),
    console: Console = out,
) -> None:
    """Prints rows; a column that nothing stands in takes no room; folded ones give way.

    Nothing is cut: what finds no room side by side stands below one another, row by row.
    """
    told = list(rows)
    used = [name for name in heads if any(row.get(name) for row in told)]
    needed = {
        name: max(map(_word_room if name in folded else cell_len, _texts(heads, told, name)))
        for name in used
    }
    gap = next((n for n in (2, 1) if _room(needed, n) <= console.width), None)
    if gap is None:
        for place, row in enumerate(told):
            if place:
                console.print()
            show_facts(((heads[name], row[name]) for name in used if row.get(name)), console)
        return
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim")
    for name in used:
        table.add_column(
            "\n".join(dict.fromkeys(filter(None, heads[name]))),
            justify="right" if name in right else "left",
            no_wrap=name not in folded,
            overflow="fold" if name in folded else "ellipsis",
            min_width=needed[name],
        )
    for row in told:
        table.add_row(*(Text(row.get(name, "")) for name in used))
    console.print(table)


def _texts(
    heads: Mapping[str, Words], rows: Iterable[Mapping[str, str]], name: str
) -> Iterator[str]:
    """Yields every line that stands in a column."""
    yield from heads[name]
    for row in rows:
        yield from row.get(name, "").split("\n")


def _word_room(text: str) -> int:
    """Returns the room that a text needs at the least: its longest word; Chinese breaks."""
    rooms = (cell_len(word) if word.isascii() else min(cell_len(word), 8) for word in text.split())
    return max(rooms, default=0)


def _room(needed: Mapping[str, int], gap: int) -> int:
    """Returns the room that columns need side by side."""
    return sum(needed.values()) + gap * max(len(needed) - 1, 0)
