"""Paying an amount: the lots are picked, and the chain of offers is sent in one request."""

from typing import Annotated, Any

import typer

from api.answers import Result
from api.cli.common import AsJson, KeyFile, print_json, talk, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client, refused
from api.cli.outcome import tell_result
from api.client import Client, RefusedError
from registry.canonical import Json
from registry.ids import LotId
from registry.money import parse_yuan
from registry.picking import Free, pick_lots


def pay(
    to: Annotated[str, typer.Option(help="The assignee.")],
    amount: Annotated[str, typer.Option(help="In yuan, such as 1234.56.")],
    accept_by: Annotated[str, typer.Option(help="The last day for acceptance, YYYY-MM-DD.")],
    url: Url,
    party: Party,
    key: KeyFile,
    read_key: ReadKey,
    log_key: LogKey,
    recourse: Annotated[bool, typer.Option(help="Answer for the debtor.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--print", help="Print the signed offers, and send nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Pays a party with what you hold: lots due earlier go first, the last is split.

    Each lot is an offer of its own, and all are sent in one request; the assignee accepts each.
    """
    with told():
        minor = parse_yuan(amount)
        with open_client(url, log_key, party=party, key=key, read_key=read_key) as client:
            try:
                texts = [
                    client.sign("transfer.offer", by=party, body=body)
                    for body in _offers(client, party, to, minor, accept_by, recourse=recourse)
                ]
                if dry_run:
                    print("\n".join(texts))
                    return
                results = client.submit_many(texts)
            except RefusedError as error:
                raise refused(error) from None
            if as_json:
                print_json([_as_data(result) for result in results])
            else:
                for result in results:
                    _tell(client, party, result)
    failed = sum(bool(result.problem) for result in results)
    if failed:
        talk.print(f"{failed} of {len(results)} offers were refused; the others stand", style="red")
        raise typer.Exit(1)


def _as_data(result: Result) -> dict[str, Any]:
    """Returns what became of an offer, as data."""
    if result.problem:
        return {"sid": result.sid, "problem": dict(result.problem)}
    return {"sid": result.sid, "index": result.index}


def _tell(client: Client, party: str, result: Result) -> None:
    """Tells what became of an offer."""
    if result.problem:
        refused(RefusedError(result.problem))
    else:
        tell_result(client, party, "transfer.offer", result)


def _offers(
    client: Client, party: str, to: str, minor: int, accept_by: str, *, recourse: bool
) -> list[dict[str, Json]]:
    """Returns the bodies of the offers that make up an amount."""
    rows: list[dict[str, Any]] = list(client.pages("/v1/lots", by=party, holder=party))
    free = [
        Free(row["due_on"], LotId(row["lot"]), int(row["amount"]))
        for row in rows
        if row["status"] == "free"
    ]
    return [
        {
            "lot": pick.lot,
            "amount": str(pick.amount),
            "assignee": to,
            "purpose": "settle",
            "recourse": recourse,
            "accept_by": accept_by,
            "notice": "assignment/1",
            "evidence": [],
        }
        for pick in pick_lots(free, minor)
    ]


COMMANDS = (("transfer", "pay", pay),)
