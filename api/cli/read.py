"""Commands that read: lots, vouchers, offers, notices, parties, clearing."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.cli.common import USAGE, AsJson, print_json, talk, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client, refused
from api.cli.facts import is_party, party_of, show_object, text_of, words_of
from api.cli.lots import reader
from api.cli.screen import Reader, out, short, show_facts, show_table
from api.client import RefusedError
from api.members import MONEY, STATUSES_OF
from api.words import Words, said
from registry.money import format_yuan

At = Annotated[
    str, typer.Option(help="2025-07-01T14:59 in the ledger's zone, or milliseconds; else now.")
]
Name = Annotated[str, typer.Argument(help="Its id.")]
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
    "/v1/clearing/runs": "Lists the due dates that are cleared, a plan each.",
    "/v1/offers/{}": "Shows an offer that is open 转让申请.",
    "/v1/financings/{}": "Shows a financing: what was asked for, quoted, signed and done 融资.",
    "/v1/policies/{}": "Shows a policy and its rules; `current` is the one in force.",
    "/v1/calendars/{}": "Shows a calendar's newest version.",
    "/v1/lots/{}/priority": "Orders the claims to a lot: its holder's and its pledgees'.",
    "/v1/notices/{}": "Shows a notice and what was answered to it.",
    "/v1/inboxes/{}": "Shows a party's inbox: how many notices, and which system it designated.",
    "/v1/parties/{}": "Shows a party, its roles and its keys.",
    "/v1/clearing/proposals/{}": "Computes the plan for a due date; --json gives the body to sign.",
    "/v1/clearing/funds/{}/proposal": "Divides a fund; --json gives the body to sign.",
    "/v1/clearing/runs/{}/list": "Counts what a plan draws on you; --json gives the body to sign.",
    "/v1/clearing/lists": "Lists what plans draw on your accounts 兑付清单.",
    "/v1/clearing/runs/{}/close": "Counts what a run leaves; --json gives the body to sign.",
    "/v1/clearing/obligations": "Lists what is owed because of instructions 应付应退.",
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
        with reader(url, log_key, party, read_key) as ask:
            found = ask.get(path.format(quote(name, safe="")))
            print_object(ask, found, as_json=as_json)

    show.__doc__ = _HELP[path]
    return show


def _list(path: str, *columns: str, **fixed: str) -> Callable[..., None]:
    """Returns a command that lists what the party may see; people read the columns."""

    def list_all(
        url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
    ) -> None:
        with reader(url, log_key, party, read_key) as ask:
            params = {name: value.format(party=party) for name, value in fixed.items()}
            rows = list(ask.rows(path, **params))
            if as_json:
                print_json(rows)
            else:
                _tabulate(ask, rows, columns)

    list_all.__doc__ = _HELP[path]
    return list_all


def discharge(
    name: Name,
    payee: Annotated[str, typer.Argument(help="Whom the debtor would pay.")],
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    at: At = "",
    as_json: AsJson = False,
) -> None:
    """Says whether the debtor is discharged if it pays a party."""
    with reader(url, log_key, party, read_key) as ask:
        params = {"at": ask.instant(at)} if at else {}
        found = ask.get(f"/v1/lots/{quote(name, safe='')}/discharge", payee=payee, **params)
        print_object(ask, found, as_json=as_json)


def payee(
    name: Name,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    at: At = "",
    as_json: AsJson = False,
) -> None:
    """Says who is entitled to a lot, and whom its debtor may safely pay."""
    with reader(url, log_key, party, read_key) as ask:
        params = {"at": ask.instant(at)} if at else {}
        found = ask.get(f"/v1/lots/{quote(name, safe='')}/payee", **params)
        print_object(ask, found, as_json=as_json)


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


def print_object(ask: Reader, found: Any, *, as_json: bool) -> None:
    """Prints one object."""
    if as_json or not isinstance(found, dict):
        print_json(found)
    else:
        show_object(ask, found)


def _tabulate(ask: Reader, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Prints a list: in full what a command takes, the rest in as many lines as it needs."""
    if not rows:
        out.print("none  无")
        return
    # What a command takes, money and days are whole; the rest stands in as many lines as it needs.
    whole = {columns[0], *MONEY, *_DAYS}
    show_table(
        {name: words_of(name) for name in columns} | _PAIR.get(columns[:2], {}),
        [_row(ask, columns, row) for row in rows],
        right=MONEY,
        folded=[name for name in columns if name not in whole],
    )


def _row(ask: Reader, columns: tuple[str, ...], row: Mapping[str, Any]) -> dict[str, str]:
    """Returns a row's cells; the first one is what commands take."""
    # Nobody can pass on what is pledged or frozen, whatever its status.
    row = {**row, "status": "burdened"} if row.get("burdens") else row
    cells = {name: _cell(ask, name, row.get(name)) for name in columns}
    if columns[0] == "voucher":
        cells["voucher"] = str(row["voucher"])
    if row.get("status") in (statuses := STATUSES_OF.get(columns[0], {})):
        cells["status"] = said(statuses, row["status"])
    return cells


def _cell(ask: Reader, name: str, value: Any) -> str:
    """Returns a cell: of parties the names alone, which are read; `show` has the ids too."""
    if isinstance(value, str) and name != "party" and is_party(value):
        return party_of(ask, value).removesuffix(f"  {value}")
    return "" if value is None else text_of(ask, name, value)


_PAIR: dict[tuple[str, ...], dict[str, Words]] = {
    ("first", "second"): {"first": ("一方", "one party"), "second": ("另一方", "the other")},
}
_DAYS = frozenset({"due_on", "expires_on", "effective_on", "first", "last"})


def debits(
    due_on: Annotated[str, typer.Argument(help="The due date, YYYY-MM-DD.")],
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    as_json: AsJson = False,
) -> None:
    """Lists what is debited on a due date, by authority 扣款清单, for custodian and debtor."""
    with reader(url, log_key, party, read_key) as ask:
        found = ask.get(f"/v1/clearing/debits/{quote(due_on, safe='')}")
        if as_json:
            print_json(found)
            return
        show_table(
            DEBITS,
            (
                {
                    "debtor": ask.name(debit["debtor"]),
                    "account": short(debit["account"]),
                    "mandate": short(debit["mandate"]),
                    "lots": str(debit["lots"]),
                    "amount": format_yuan(int(debit["amount"])),
                    "withheld": format_yuan(int(debit["withheld"]))
                    if debit["withheld"] != "0"
                    else "",
                }
                for debit in found["debits"]
            ),
            right=("lots", "amount", "withheld"),
            folded=("debtor",),
        )
        show_facts([(("合计", "sum"), format_yuan(int(found["amount"])))])


DEBITS: dict[str, Words] = {
    "debtor": ("债务人", "debtor"),
    "account": ("账户", "account"),
    "mandate": ("扣款授权", "authority"),
    "lots": ("子凭证", "lots"),
    "amount": ("金额", "amount"),
    "withheld": ("暂缓兑付", "withheld"),
}

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
    ("lot", "payee", payee),
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
    ("clearing", "runs", _list("/v1/clearing/runs", "plan", "due_on", "total", "status")),
    ("clearing", "propose", _show("/v1/clearing/proposals/{}")),
    ("clearing", "propose-apportion", _show("/v1/clearing/funds/{}/proposal")),
    ("clearing", "debits", debits),
    ("clearing", "propose-approve", _show("/v1/clearing/runs/{}/list")),
    (
        "clearing",
        "lists",
        _list("/v1/clearing/lists", "plan", "account", "instructions", "amount", "waiting"),
    ),
    ("clearing", "propose-close", _show("/v1/clearing/runs/{}/close")),
    (
        "clearing",
        "owed",
        _list(
            "/v1/clearing/obligations",
            *("sort", "amount", "owed_by", "owed_to", "due_on", "status", "n", "plan"),
        ),
    ),
)
