"""Commands that read: lots, vouchers, offers, notices, parties, clearing."""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console, JustifyMethod
from rich.table import Table

from api.cli.common import AsJson, print_json, told
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
    }
)


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
        """Shows one, as you may see it."""
        with told():
            found = reading(url, log_key, party, read_key, path.format(quote(name, safe="")))
        print_object(found, as_json=as_json)

    return show


def _list(path: str, *columns: str, **fixed: str) -> Callable[..., None]:
    """Returns a command that lists what the party may see; people read the columns."""

    def list_all(
        url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
    ) -> None:
        """Lists what is yours to see."""
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
) -> None:
    """Prints a notice as HTML, with the proof of its arrival: save it, and print it on A4."""
    path = f"/v1/notices/{quote(name, safe='')}/page"
    with told(), open_client(url, log_key, party=party, read_key=read_key) as client:
        try:
            print(client.get_bytes(path, by=party, language=language).decode(), end="")
        except RefusedError as error:
            raise refused(error) from None


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
    if isinstance(value, list):
        return ", ".join(_text("", item) for item in value)
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
