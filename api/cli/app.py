"""All commands, put together."""

from importlib.metadata import version
from typing import Annotated

import typer

from api.cli import (
    bank_in,
    bank_out,
    clearing_day,
    control,
    db,
    demo,
    finance,
    instructions,
    keep,
    log,
    lots,
    maturity,
    papers,
    pay,
    read,
    reconcile,
    report,
    serve,
    snapshot,
    today,
    verify,
    write,
)

app = typer.Typer(
    name="tallystick",
    help="A verifiable registry of electronic receivable vouchers (应收账款电子凭证).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(asked: bool) -> None:
    """Prints the program's version and ends."""
    if asked:
        print(f"tallystick {version('tallystick')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Takes what is asked of the program and of no command."""


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("today")(today.today)
app.command("audit")(verify.audit)
app.command("verify")(verify.verify)

WORDS = {
    "accessory": "Accessory rights 从权利: guarantees, shortfall promises, liens.",
    "affiliation": "Who belongs together 关联关系.",
    "account": "Bank accounts 账户.",
    "calendar": "Working days by name 日历.",
    "clearing": "Maturity 清分: proposals, runs, instructions.",
    "clock": "The manual clock of a sandbox.",
    "key": "Keys: make one, add it, revoke it.",
    "dispute": "Disputes over what was delivered 贸易争议.",
    "exposure": "How much of one debtor a financier wants to hold 授信限额.",
    "inbox": "Where notices arrive 收件系统.",
    "issuance": "Stops of a debtor's issues 暂停开立.",
    "limit": "Limits of debtors and groups 开立额度.",
    "pledge": "Pledges of lots 质押.",
    "registration": "Registrations and searches elsewhere 登记, 查重.",
    "db": "A ledger's database against its own log.",
    "kind": "The table of kinds of statements.",
    "log": "The log: checkpoint, export, proofs, journal.",
    "lot": "Lots 子凭证.",
    "consent": "Standing consent to offers that are effective at once, or by silence 预先同意.",
    "mandate": "Authority to debit an account 扣款授权.",
    "early": "Early payment 提前兑付.",
    "financing": "Financing 融资: applications, quotes, contracts, steps.",
    "notice": "Notices of assignment 转让通知.",
    "party": "Parties: registration, admission, suspension, rules 审批规则.",
    "payee": "On which account a lot is paid 收款账户.",
    "pending": "Statements that wait for approval 待复核.",
    "policy": "Rules by the day with which they take effect 业务规则.",
    "power": "Powers of attorney for notices 授权委托.",
    "report": "What boards and regulators ask for 报表: tables that reconcile to the ledger.",
    "snapshot": "Holder snapshots 持有人名册（快照）.",
    "terms": "Confidential terms.",
    "transfer": "Transfers 流转, 融资.",
    "vehicle": "Trust vehicles 专项计划.",
    "voucher": "Vouchers 凭证.",
}


def flowing(text: str) -> str:
    """Returns a command's help with each paragraph on one line, as terminals break it."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


nouns: dict[str, typer.Typer] = {}
for module in (
    verify,
    snapshot,
    log,
    lots,
    maturity,
    bank_out,
    bank_in,
    clearing_day,
    instructions,
    reconcile,
    keep,
    control,
    read,
    report,
    finance,
    write,
    papers,
    pay,
    db,
):
    for noun, verb, command in module.COMMANDS:
        if not verb:
            app.command(noun)(command)
            continue
        if noun not in nouns:
            nouns[noun] = typer.Typer(no_args_is_help=True, help=WORDS.get(noun, ""))
            app.add_typer(nouns[noun], name=noun)
        nouns[noun].command(verb, help=flowing(command.__doc__ or ""))(command)
