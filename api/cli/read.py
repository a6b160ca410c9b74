"""Commands that read: lots, vouchers, offers, notices, parties, clearing."""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

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


def _list(path: str, **fixed: str) -> Callable[..., None]:
    """Returns a command that lists what the party may see."""

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
            _tabulate(rows)

    return list_all


def lineage(
    name: Name, url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
) -> None:
    """Draws the chain of holders behind a lot."""
    with told():
        lot: dict[str, Any] = reading(
            url, log_key, party, read_key, f"/v1/lots/{quote(name, safe='')}"
        )
    if as_json:
        print_json(lot)
        return
    lot = lot.get("lot_row", lot)
    tree = node = Tree(f"voucher {lot['voucher']}, due {lot['due_on']}")
    for holder in lot["path"]:
        node = node.add(str(holder))
    held = format_yuan(int(lot["amount"]))
    node.label = f"{node.label}  holds {held}, tier {lot['tier']}"
    out.print(tree)


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
        return "\n".join(_text("", item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(key, each)}" for key, each in value.items())
    return str(value)


def _tabulate(rows: list[dict[str, Any]]) -> None:
    """Prints a list."""
    if not rows:
        out.print("none")
        return
    names = [name for name in rows[0] if not isinstance(rows[0][name], list | dict)]
    table = Table(*names)
    for row in rows:
        table.add_row(*(_text(name, row.get(name, "")) for name in names))
    out.print(table)


COMMANDS = (
    ("lot", "show", _show("/v1/lots/{}")),
    ("lot", "lineage", lineage),
    ("lot", "list", _list("/v1/lots", holder="{party}")),
    ("voucher", "show", _show("/v1/vouchers/{}")),
    ("voucher", "list", _list("/v1/vouchers", debtor="{party}")),
    ("transfer", "list", _list("/v1/offers", assignee="{party}")),
    ("transfer", "show", _show("/v1/offers/{}")),
    ("pledge", "list", _list("/v1/pledges")),
    ("financing", "list", _list("/v1/financings")),
    ("financing", "show", _show("/v1/financings/{}")),
    ("early", "list", _list("/v1/early-payments")),
    ("dispute", "list", _list("/v1/disputes")),
    ("registration", "list", _list("/v1/registrations")),
    ("registration", "tasks", _list("/v1/tasks")),
    ("policy", "show", _show("/v1/policies/{}")),
    ("policy", "list", _list("/v1/policies")),
    ("calendar", "show", _show("/v1/calendars/{}")),
    ("calendar", "list", _list("/v1/calendars")),
    ("consent", "list", _list("/v1/consents")),
    ("lot", "payee", _show("/v1/lots/{}/payee")),
    ("lot", "discharge", discharge),
    ("lot", "priority", _show("/v1/lots/{}/priority")),
    ("notice", "list", _list("/v1/notices")),
    ("notice", "show", _show("/v1/notices/{}")),
    ("notice", "page", page),
    ("inbox", "show", _show("/v1/inboxes/{}")),
    ("power", "list", _list("/v1/powers")),
    ("pending", "list", _list("/v1/pending")),
    ("party", "show", _show("/v1/parties/{}")),
    ("party", "list", _list("/v1/parties")),
    ("affiliation", "list", _list("/v1/affiliations")),
    ("account", "list", _list("/v1/accounts", owner="{party}")),
    ("clearing", "show", _list("/v1/clearing/instructions")),
    ("clearing", "runs", _list("/v1/clearing/runs")),
    ("clearing", "propose", _show("/v1/clearing/proposals/{}")),
)
