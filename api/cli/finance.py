"""Commands about the figures of a financing: make them, and check somebody else's.

tallystick financing figures --face 60000000 --rate-bp 360 --pay-on 2025-07-01
    --due-on 2025-12-19 --fee 50000:seller:handling > terms.json
tallystick terms put --terms @terms.json …          its digest goes into `financing quote`
tallystick financing check FINANCING …              as the applicant, before signing
"""

from typing import Annotated

import typer

from api.cli.common import AsJson, print_json, told
from api.cli.connect import LogKey, Party, ReadKey, Url
from api.cli.lots import reader
from api.cli.read import Name, print_object
from api.quotes import read_quote
from registry.calendars import parse_date
from registry.errors import InvariantBrokenError, MalformedError
from registry.liability import settle
from registry.money import parse_amount
from registry.pricing import Fee, format_terms


def _parse_fee(text: str) -> Fee:
    """Reads a fee as AMOUNT:BEARER:WHAT.

    Raises:
        MalformedError: Another form.
    """
    amount, _, rest = text.partition(":")
    bearer, _, what = rest.partition(":")
    if bearer not in ("seller", "other") or not what:
        raise MalformedError(what="fee", reason=f"{text!r} is not AMOUNT:seller|other:WHAT")
    return Fee(amount=parse_amount(amount), of_seller=bearer == "seller", what=what)


def figures(
    face: Annotated[str, typer.Option(help="What the claim is worth when due, in fen.")],
    rate_bp: Annotated[int, typer.Option(help="Discount rate for a year, in basis points.")],
    pay_on: Annotated[str, typer.Option(help="The day from which days are counted.")],
    due_on: Annotated[str, typer.Option(help="The due date.")],
    year_days: Annotated[int, typer.Option(help="360 or 365.")] = 365,
    fee: Annotated[list[str] | None, typer.Option(help="AMOUNT:seller|other:WHAT.")] = None,
) -> None:
    """Prints the terms of a quote: discount, fees and who bears them, net, all-in yearly cost."""
    with told(malformed=2):
        try:
            terms = format_terms(
                parse_amount(face),
                rate_bp=rate_bp,
                pay_on=parse_date(pay_on),
                due_on=parse_date(due_on),
                year_days=year_days,
                fees=[_parse_fee(each) for each in fee or ()],
            )
        except InvariantBrokenError as error:
            raise MalformedError(what="figures", reason=str(error)) from None
    print_json(terms)


def check(
    name: Name, url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
) -> None:
    """Computes a quote again: what does not follow to the fen is not to be signed."""
    with reader(url, log_key, party, read_key) as ask:
        terms, _ = read_quote(ask.client, name, by=party)
        print_object(ask, terms, as_json=as_json)


def recourse(
    principal: Annotated[str, typer.Option(help="What was financed, in fen.")],
    interest: Annotated[str, typer.Option(help="Its interest and fees, in fen.")],
    collected: Annotated[str, typer.Option(help="What was collected of anybody, in fen.")],
    costs: Annotated[str, typer.Option(help="What collecting cost, in fen.")] = "0",
) -> None:
    """Settles a financing with recourse: what the assignor still owes, and what it gets back."""
    with told(malformed=2):
        amounts = [
            0 if each == "0" else parse_amount(each)
            for each in (principal, interest, costs, collected)
        ]
    found = settle(
        principal_minor=amounts[0],
        interest_minor=amounts[1],
        costs_minor=amounts[2],
        collected_minor=amounts[3],
        recourse=True,
    )
    print_json({"claimable": str(found.claimable_minor), "surplus": str(found.surplus_minor)})


COMMANDS = (
    ("financing", "recourse", recourse),
    ("financing", "figures", figures),
    ("financing", "check", check),
)
