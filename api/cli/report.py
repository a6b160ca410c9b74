"""`tallystick report` and `party statement`: tables with their checks, as text, JSON or CSV."""

import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from api.cli.common import ENVIRONMENT, USAGE, AsJson, pinned, print_json, talk
from api.cli.connect import LogKey, Party, ReadKey, Url
from api.cli.lots import reader
from api.cli.screen import Reader, out, short, show_table
from api.words import MEASURES, REPORTS, SIDES, STATUSES, TOTALS, both, said
from registry.errors import RegistryError
from registry.money import format_yuan
from registry.proofs import FILES, Holding, verify_snapshot

AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV: amounts in yuan, ids in full.")]
AsOf = Annotated[str, typer.Option("--as-of", help="A size of the log, or a date; else now.")]
Day = Annotated[str, typer.Option("--day", help="The business day; else that of the size.")]

_FIGURES = ("money", "count", "percent")

INVALID = 10
"""Exit code where a check differs."""


def show(name: str) -> Callable[..., None]:
    """Returns the command that shows a report."""

    def report(
        url: Url,
        party: Party,
        read_key: ReadKey,
        log_key: LogKey,
        as_of: AsOf = "",
        day: Day = "",
        as_json: AsJson = False,
        as_csv: AsCsv = False,
    ) -> None:
        with reader(url, log_key, party, read_key) as ask:
            found = read(ask, name, as_of=as_of, day=day)
        tell(found, as_json=as_json, as_csv=as_csv)
        if not all(check["agrees"] for check in found["checks"]):
            raise typer.Exit(INVALID)

    report.__doc__ = f"{REPORTS[name][1]} {REPORTS[name][0]}."
    return report


def read(ask: Reader, name: str, *, as_of: str = "", day: str = "") -> dict[str, Any]:
    """Reads a whole report, all pages as of the size of the first."""
    params: dict[str, str | int] = {"as_of": as_of} if as_of else {}
    if day:
        try:
            params["day"] = date.fromisoformat(day).isoformat()
        except ValueError:
            talk.print(f"--day {day}: no date as YYYY-MM-DD")
            raise typer.Exit(USAGE) from None
    page: dict[str, Any] = ask.get(f"/v1/reports/{name}", **params)
    found = page
    while page["has_more"]:
        more = {**params, "as_of": found["as_of"], "day": found["day"], "after": page["next"]}
        page = ask.get(f"/v1/reports/{name}", **more)
        found["data"] += page["data"]
    found["has_more"] = False
    found.pop("next", None)
    return found


def tell(found: Mapping[str, Any], *, as_json: bool, as_csv: bool) -> None:
    """Prints a report."""
    if as_json:
        print_json(found)
    elif as_csv:
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(column["name"] for column in found["columns"])
        rows.writerows(
            [_plain(row.get(column["name"]), column["form"]) for column in found["columns"]]
            for row in found["data"]
        )
    else:
        _tell(found)


def _plain(value: Any, form: str) -> str:
    """Returns a cell for another program: yuan without separators."""
    if value is None:
        return ""
    return format_yuan(int(value)).replace(",", "") if form == "money" else str(value)


def _tell(found: Mapping[str, Any]) -> None:
    """Prints a report for people: who has a name needs no number."""
    out.print(Text(both(found["title"]), style="bold"))
    out.print(Text(f"{found['day']}, as of {found['as_of']:,} entries", style="dim"))
    columns = found["columns"]
    named = any(column["name"] == "name" for column in columns)
    shown = [c for c in columns if not (named and c["name"] == "party")]
    if found["data"]:
        show_table(
            {column["name"]: tuple(column["words"]) for column in shown},
            _cells(found["data"], shown),
            right=[c["name"] for c in shown if c["form"] in _FIGURES],
            folded=[c["name"] for c in shown if c["form"] not in (*_FIGURES, "id", "date")],
        )
    else:
        out.print("nothing  无")
    out.print()
    for name, value in found["totals"].items():
        figure = f"{value:,}" if isinstance(value, int) else format_yuan(int(value))
        out.print(f"{said(TOTALS, name)}  {figure}")
    for check in found["checks"]:
        _tell_check(check)


def _cells(rows: Sequence[Mapping[str, Any]], columns: Sequence[Any]) -> Iterator[dict[str, str]]:
    """Yields rows as texts; a name that stands above is not said again."""
    before = ""
    for row in rows:
        cells = {c["name"]: _cell(row.get(c["name"]), c["form"]) for c in columns}
        if "side" in row:
            cells["side"] = said(SIDES, row["side"])
        if "measure" in row:
            cells["measure"] = said(MEASURES, row["measure"])
            if cells.get("name") == before:
                cells["name"] = ""
            before = str(row.get("name", ""))
        yield cells


def _cell(value: Any, form: str) -> str:
    """Returns a cell for people."""
    match form:
        case _ if value is None:
            return ""
        case "money":
            return format_yuan(int(value))
        case "count":
            return f"{value:,}"
        case "percent":
            return f"{value} %"
        case "id":
            return short(str(value))
        case _:
            return said(STATUSES, str(value))


def _tell_check(check: Mapping[str, Any]) -> None:
    """Prints a check, and what differs."""
    figures = [int(check["here"]), int(check["there"])]
    texts = [format_yuan(n) if check["form"] == "money" else f"{n:,}" for n in figures]
    if check["agrees"]:
        out.print(Text(f"agrees 相符  {check['what']}: {texts[0]}", style="green"))
    else:
        said_words = f"DIFFERS 不符  {check['what']}: {texts[0]}, not {texts[1]}"
        out.print(Text(said_words, style="red"))


def statement(
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    as_of: AsOf = "",
    against: Annotated[
        Path | None,
        typer.Option(help="Compare with this snapshot, verified first, as of the same size."),
    ] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Tells what you owe and hold 对账单; compares it with a snapshot that you have kept.

    A snapshot of your own shows every lot of yours; that of a voucher you owe, what is open of it.

    Exit codes: 0 all agrees, 1 no such directory, 10 something differs or does not verify.
    """
    holding = None
    if against is not None:
        holding = _verified(against, log_key)
        as_of = str(holding.at)
    with reader(url, log_key, party, read_key) as ask:
        found = read(ask, "statement", as_of=as_of)
    tell(found, as_json=as_json, as_csv=as_csv)
    agrees = all(check["agrees"] for check in found["checks"])
    if holding is not None:
        from api.comparing import compare

        compared = compare(found["data"], holding, party=party)
        if compared is None:
            talk.print(f"the snapshot is of {holding.bucket}, which is not in this statement")
            raise typer.Exit(INVALID)
        figures = f"{format_yuan(compared.said)} here, {format_yuan(compared.proved)} proved"
        word = "agrees 相符" if compared.agrees else "DIFFERS 不符"
        console = talk if as_json or as_csv else out
        console.print(f"{word}  {compared.what}: {figures}")
        for lot in compared.differ:
            console.print(f"  {lot}", soft_wrap=True)
        agrees = agrees and compared.agrees
    if not agrees:
        raise typer.Exit(INVALID)


def _verified(directory: Path, log_key: Path) -> Holding:
    """Verifies a snapshot, and returns what it says.

    Raises:
        typer.Exit: There is none (1), or it does not verify (10).
    """
    origin, key = pinned("", log_key)
    if not directory.is_dir():
        talk.print(f"--against {directory}: there is no such directory", style="red")
        raise typer.Exit(ENVIRONMENT)
    try:
        files = {name: (directory / name).read_bytes() for name in FILES}
        return verify_snapshot(files, origin=origin, key=key)
    except (OSError, RegistryError) as error:
        talk.print(f"no verified snapshot in {directory}: {error}", style="red")
        raise typer.Exit(INVALID) from None


COMMANDS = (
    *(("report", name, show(name)) for name in REPORTS if name != "statement"),
    ("party", "statement", statement),
)
