"""Instructions of a plan, and the other way for the money of one that is broken."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from api.bank_words import DAY_NOTES, STEPS
from api.cli.common import AsJson, print_json
from api.cli.connect import LogKey, Party, ReadKey, Url
from api.cli.lots import money, reader
from api.cli.screen import Reader, out, show_facts, show_table
from api.words import Words, said
from clearing.rules.reroutes import Ground

HEADS: dict[str, Words] = {
    "n": ("序号", "no."),
    "amount": ("金额", "amount"),
    "status": ("状态", "status"),
    "payer": ("付款人", "payer"),
    "payee": ("收款人", "payee"),
    "lots": ("子凭证", "lots"),
}
Because = Annotated[
    Ground | None, typer.Option("--ground", help="Why; else what the registry shows.")
]


def show(
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    plan: Annotated[str, typer.Argument(help="The plan's id; else of all plans.")] = "",
    status: Annotated[str, typer.Option(help="Only those, such as rejected.")] = "",
    as_json: AsJson = False,
) -> None:
    """Lists the instructions of a plan 清分指令, and what became of each."""
    wanted = {name: value for name, value in (("plan", plan), ("status", status)) if value}
    with reader(url, log_key, party, read_key) as ask:
        rows = list(ask.rows("/v1/clearing/instructions", **wanted))
        if as_json:
            print_json(rows)
            return
        plans = sorted({row["plan"] for row in rows})
        if not plans:
            out.print("none  无")
        for place, each in enumerate(plans):
            if len(plans) > 1:
                out.print(f"{chr(10) if place else ''}清分方案 plan  {each}")
            found = [row for row in rows if row["plan"] == each]
            found.sort(key=lambda row: int(row["n"]))
            _tabulate(ask, [{**row, "status": _status(row)} for row in found])


def _status(row: Mapping[str, Any]) -> str:
    """Returns where an instruction is, and what it waits for."""
    if row["held"] and row["status"] == "pending":
        return said(DAY_NOTES, "not-approved")
    return said(STEPS, row["status"])


def _tabulate(ask: Reader, rows: list[dict[str, Any]]) -> None:
    """Prints instructions, with the names of both sides."""
    show_table(
        HEADS,
        (
            {
                "n": str(row["n"]),
                "amount": money(row),
                "status": row.get("status", ""),
                "payer": ask.name(row["payer"]),
                "payee": ask.name(row["payee"]),
                "lots": "" if isinstance(row["lots"], list) else str(row["lots"]),
            }
            for row in rows
        ),
        right=("n", "amount", "lots"),
        folded=("status", "payer", "payee"),
    )


def propose_reroute(
    plan: Annotated[str, typer.Argument(help="The plan's id.")],
    number: Annotated[int, typer.Argument(min=0, help="The broken instruction's number.")],
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    ground: Because = None,
    as_json: AsJson = False,
) -> None:
    """Shows who is paid instead of a broken hop 清分路径变更; --json gives the body to sign."""
    with reader(url, log_key, party, read_key) as ask:
        found = ask.get(f"/v1/clearing/runs/{quote(plan, safe='')}/reroutes/{number}")
        body = {**found["body"], **({} if ground is None else {"ground": ground.value})}
        if as_json:
            print_json(body)
            return
        show_facts(
            [
                (("停用指令", "replaced"), ", ".join(map(str, found["replaced"]))),
                (("理由", "ground"), said(GROUNDS, body["ground"])),
            ]
        )
        out.print()
        _tabulate(ask, found["added"])


GROUNDS: dict[str, Words] = {
    "rejected": ("银行拒绝或退回", "rejected"),
    "frozen": ("账户被冻结", "frozen"),
    "silent": ("逾时无回报", "silent"),
    "insolvent": ("过路方破产", "insolvent"),
}

COMMANDS = (
    ("clearing", "show", show),
    ("clearing", "propose-reroute", propose_reroute),
)
