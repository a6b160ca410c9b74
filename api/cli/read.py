"""Commands that read: lots, vouchers, offers, notices, parties, clearing."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console, JustifyMethod
from rich.table import Table

from api.cli.common import USAGE, AsJson, print_json, talk, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client, reading, refused
from api.client import RefusedError
from registry.money import format_yuan

out = Console(highlight=False, markup=False)
Name = Annotated[str, typer.Argument(help="Its id.")]
_MONEY = frozenset(
    {
        "amount",
        "face",
        "discharged",
        "cancelled",
        "minimum",
        "total",
        "gross",
        "secured",
        "owed",
        "cap",
        "cap_of_lot",
        "discount",
        "net",
        "financed",
    }
)
_INSTANTS = frozenset(
    {
        "at",
        "arrived",
        "received",
        "noticed_at",
        "registered_at",
        "revoked_at",
        "accept_by",
        "close_by",
        "pay_by",
    }
)
_EARLIEST = 10**12
"""Milliseconds; what is less, under one of these names, is no instant but an entry's index."""

_HELP = {
    "/v1/lots": "Lists the lots that you hold.",
    "/v1/vouchers": "Lists the vouchers that you owe, hold or are offered.",
    "/v1/offers": "Lists the offers that wait for your answer 待签收.",
    "/v1/pledges": "Lists pledges given and taken 质押.",
    "/v1/financings": "Lists financings asked for and received 融资.",
    "/v1/early-payments": "Lists early payments 提前兑付.",
    "/v1/disputes": "Lists disputes 争议.",
    "/v1/registrations": "Lists registrations elsewhere 登记.",
    "/v1/tasks": "Lists what is to be registered elsewhere, and by when 待登记.",
    "/v1/policies": "Lists the policies that were published.",
    "/v1/calendars": "Lists the calendars that were published.",
    "/v1/consents": "Lists standing consents 预先同意.",
    "/v1/powers": "Lists powers of attorney 授权委托.",
    "/v1/pending": "Lists statements that wait for approval 待复核.",
    "/v1/parties": "Lists parties, for the operator, the registrar and auditors.",
    "/v1/affiliations": "Lists who belongs together 关联关系.",
    "/v1/accounts": "Lists your bank accounts.",
    "/v1/clearing/instructions": "Lists clearing instructions and their status.",
    "/v1/clearing/runs": "Lists the due dates that are cleared, a plan each.",
    "/v1/offers/{}": "Shows an offer that is open 转让申请.",
    "/v1/financings/{}": "Shows a financing: what was asked for, quoted, signed and done 融资.",
    "/v1/policies/{}": "Shows a policy and its rules; `current` is the one in force.",
    "/v1/calendars/{}": "Shows a calendar's newest version.",
    "/v1/lots/{}/payee": "Says who is entitled to a lot, and whom its debtor may safely pay.",
    "/v1/lots/{}/priority": "Orders the claims to a lot: its holder's and its pledgees'.",
    "/v1/notices/{}": "Shows a notice and what was answered to it.",
    "/v1/inboxes/{}": "Shows a party's inbox: how many notices, and which system it designated.",
    "/v1/parties/{}": "Shows a party, its roles and its keys.",
    "/v1/clearing/proposals/{}": "Computes the plan for a due date; --json gives the body to sign.",
}
"""What each command that reads one path says of itself."""


def _show(path: str) -> Callable[..., None]:
    """Returns a command that shows one object."""

    def show(
        name: Name,
        url: Url,
        party: Party,
        read_key: ReadKey,
        log_key: LogKey,
        as_json: AsJson = False,
    ) -> None:
        with told():
            found = reading(url, log_key, party, read_key, path.format(quote(name, safe="")))
        print_object(found, as_json=as_json)

    show.__doc__ = _HELP[path]
    return show


def _list(path: str, *columns: str, **fixed: str) -> Callable[..., None]:
    """Returns a command that lists what the party may see; people read the columns."""

    def list_all(
        url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
    ) -> None:
        with told():
            params = {name: value.format(party=party) for name, value in fixed.items()}
            with open_client(url, log_key, party=party, read_key=read_key) as client:
                try:
                    rows = list(client.pages(path, by=party, **params))
                except RefusedError as error:
                    raise refused(error) from None
        if as_json:
            print_json(rows)
        else:
            _tabulate(rows, columns)

    list_all.__doc__ = _HELP[path]
    return list_all


def discharge(
    name: Name,
    payee: Annotated[str, typer.Argument(help="Whom the debtor would pay.")],
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    at: Annotated[int | None, typer.Option(help="Milliseconds; else now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Says whether the debtor is discharged if it pays a party."""
    path = f"/v1/lots/{quote(name, safe='')}/discharge"
    params = {} if at is None else {"at": at}
    with told():
        found = reading(url, log_key, party, read_key, path, payee=payee, **params)
    print_object(found, as_json=as_json)


def page(
    name: Name,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    language: Annotated[str, typer.Option(help="zh, en or both.")] = "both",
    form: Annotated[str, typer.Option("--format", help="html or pdf.")] = "html",
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Where to save it.")] = None,
) -> None:
    """Prints a notice as HTML or PDF, with the proof of its arrival: save it, and print it."""
    if form == "pdf" and file is None and sys.stdout.isatty():
        talk.print("a PDF is nothing for a terminal: name a file with --output")
        raise typer.Exit(USAGE)
    path = f"/v1/notices/{quote(name, safe='')}/page"
    with told(), open_client(url, log_key, party=party, read_key=read_key) as client:
        try:
            data = client.get_bytes(path, by=party, language=language, format=form)
        except RefusedError as error:
            raise refused(error) from None
        if file is not None:
            file.write_bytes(data)
            talk.print(f"saved {file}")
        elif form == "pdf":
            sys.stdout.buffer.write(data)
        else:
            print(data.decode(), end="")


def print_object(found: Any, *, as_json: bool) -> None:
    """Prints one object."""
    if as_json or not isinstance(found, dict):
        print_json(found)
        return
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, value in found.items():
        table.add_row(name, _text(name, value))
    out.print(table)


def _text(name: str, value: Any) -> str:
    """Returns a value for people."""
    if name in _MONEY and isinstance(value, str):
        return format_yuan(int(value))
    if name in _INSTANTS and isinstance(value, int) and value > _EARLIEST:
        return f"{value}  {datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, list):
        between = "\n" if any(isinstance(item, dict) for item in value) else ", "
        return between.join(_text("", item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(key, each)}" for key, each in value.items())
    return str(value)


def _tabulate(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Prints a list: in full what a command takes, and the rest as far as there is room."""
    if not rows:
        out.print("none  无")
        return
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for place, name in enumerate(columns):
        is_id = place == 0
        justify: JustifyMethod = "right" if name in _MONEY else "left"
        table.add_column(
            name.replace("_", " "),
            justify=justify,
            no_wrap=True,
            overflow="fold" if is_id else "ellipsis",
            min_width=max(len(str(row.get(name, ""))) for row in rows) if is_id else None,
        )
    for row in rows:
        # Nobody can pass on what is pledged or frozen, whatever its status.
        row = {**row, "status": "burdened"} if row.get("burdens") else row
        table.add_row(*(_text(name, row.get(name, "")) for name in columns))
    out.print(table)


COMMANDS = (
    ("lot", "list", _list("/v1/lots", "lot", "amount", "due_on", "status", holder="{party}")),
    ("voucher", "list", _list("/v1/vouchers", "voucher", "voucher_no", "face", "status")),
    (
        "transfer",
        "list",
        _list("/v1/offers", "offer", "purpose", "amount", "assignor", assignee="{party}"),
    ),
    ("transfer", "show", _show("/v1/offers/{}")),
    ("pledge", "list", _list("/v1/pledges", "pledge", "amount", "secured", "status")),
    ("financing", "list", _list("/v1/financings", "financing", "amount", "mode", "status")),
    ("financing", "show", _show("/v1/financings/{}")),
    ("early", "list", _list("/v1/early-payments", "early", "amount", "status")),
    ("dispute", "list", _list("/v1/disputes", "dispute", "amount", "status")),
    (
        "registration",
        "list",
        _list("/v1/registrations", "filing", "number", "expires_on", "status"),
    ),
    ("registration", "tasks", _list("/v1/tasks", "task", "work", "due_on", "is_overdue")),
    ("policy", "show", _show("/v1/policies/{}")),
    (
        "policy",
        "list",
        _list("/v1/policies", "policy", "name", "version", "effective_on", "in_force"),
    ),
    ("calendar", "show", _show("/v1/calendars/{}")),
    ("calendar", "list", _list("/v1/calendars", "name", "version", "first", "last")),
    ("consent", "list", _list("/v1/consents", "consent", "purpose", "mode", "minimum")),
    ("lot", "payee", _show("/v1/lots/{}/payee")),
    ("lot", "discharge", discharge),
    ("lot", "priority", _show("/v1/lots/{}/priority")),
    ("notice", "show", _show("/v1/notices/{}")),
    ("notice", "page", page),
    ("inbox", "show", _show("/v1/inboxes/{}")),
    ("power", "list", _list("/v1/powers", "power", "assignor", "attorney", "event")),
    ("pending", "list", _list("/v1/pending", "statement", "kind", "amount", "person")),
    ("party", "show", _show("/v1/parties/{}")),
    ("party", "list", _list("/v1/parties", "party", "name", "roles")),
    ("affiliation", "list", _list("/v1/affiliations", "first", "second", "basis")),
    (
        "account",
        "list",
        _list("/v1/accounts", "account", "account_kind", "verified", "frozen", owner="{party}"),
    ),
    (
        "clearing",
        "show",
        _list("/v1/clearing/instructions", "n", "amount", "status", "payer", "payee"),
    ),
    ("clearing", "runs", _list("/v1/clearing/runs", "plan", "due_on", "total", "status")),
    ("clearing", "propose", _show("/v1/clearing/proposals/{}")),
)
