"""`tallystick clearing import`: what a bank's files say, matched, shown, and signed if asked."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.answers import RefusedError, Result
from api.bank_words import IGNORED, STEPS, UNMATCHED
from api.cli.bank_book import AddressBook, sent_files
from api.cli.bank_match import BankFile, Matching, References, Sign, read_files, summed
from api.cli.common import USAGE, AsJson, print_json, talk, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client, refused
from api.cli.maturity import REASONS
from api.cli.screen import Reader, out, short, show_facts, show_table
from api.client import Client
from api.words import Words, said
from clearing.rails.findings import Report
from clearing.rails.mapping import read_mapping
from clearing.rails.messages import Item, Message
from registry.canonical import Json
from registry.ids import PartyId
from registry.money import format_yuan

REPORT: Final = "clearing.report"
UNPLACED: Final = 3
"""The exit code where something is left for a person."""

Files = Annotated[list[Path], typer.Argument(help="Files of the bank, in any order.")]
MayKey = Annotated[
    Path | None, typer.Option("--key", envvar="TALLYSTICK_KEY", help="Your key, to sign with.")
]
OfBank = Annotated[
    str, typer.Option("--bank", help="The bank whose files you relay; else you are the bank.")
]
ByMapping = Annotated[
    Path | None, typer.Option("--mapping", help="The bank's mapping (JSON); else ISO 20022.")
]
Book = Annotated[
    Path | None,
    typer.Option("--book", help="Details of accounts that you cannot open: JSON, by account id."),
]
SentDir = Annotated[
    Path | None, typer.Option("--sent", help="The directory that `clearing export` wrote into.")
]
Answers = Annotated[
    str, typer.Option(help="The message id of the file that a reply which names none answers.")
]
Kept = Annotated[
    Path | None,
    typer.Option("--kept", help="Keeps the bank's references there: a second booking shows."),
]
SignIt = Annotated[bool, typer.Option("--sign", help="Sign and send what is found.")]

HEADS: Final[Mapping[str, Words]] = {
    "n": ("指令", "no."),
    "plan": ("方案", "plan"),
    "status": ("状态", "status"),
    "amount": ("金额", "amount"),
    "reason": ("原因", "reason"),
}
LEFT: Final[Mapping[str, Words]] = {
    "why": ("未匹配原因", "not matched"),
    "amount": ("金额", "amount"),
    "named": ("所称指令", "names"),
    "reference": ("银行流水", "bank's reference"),
    "place": ("位置", "where"),
}


def import_files(
    files: Files,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    key: MayKey = None,
    bank: OfBank = "",
    mapping: ByMapping = None,
    book: Book = None,
    sent: SentDir = None,
    answers: Answers = "",
    kept: Kept = None,
    sign: SignIt = False,
    as_json: AsJson = False,
) -> None:
    """Reads a bank's files 银行回执, matches them with instructions, and reports with --sign.

    The exit code is 3 if something is left that nobody could place: it is listed, and nothing
    is guessed. To make the call again is safe at any time.
    """
    if sign and key is None:
        talk.print("--sign needs --key")
        raise typer.Exit(USAGE)
    with told():
        of = None if mapping is None else read_mapping(mapping.read_bytes())
        notes = sent_files(sent)
        found = read_files(files, of, notes, answers=answers)
        whose = PartyId(bank or party)
        with open_client(
            url, log_key, party=party, key=key if sign else None, read_key=read_key
        ) as client:
            try:
                ask = Reader(client, party)
                if sign and any(row["kind"] == REPORT for row in ask.rows("/v1/pending")):
                    talk.print("reports of yours wait for approval 待复核: that comes first")
                    raise typer.Exit(USAGE)
                matching = Matching(
                    ask,
                    AddressBook(ask, book),
                    bank=whose,
                    sent=notes,
                    references=References(kept),
                )
                matching.run(found, _signer(client, party, whose) if sign else None)
            except RefusedError as error:
                raise refused(error) from None
    if as_json:
        print_json([_data(file) for file in found])
    else:
        _show(found, is_signed=sign)
    if any(file.unmatched or file.gaps for file in found):
        raise typer.Exit(UNPLACED)


def _signer(client: Client, party: str, bank: PartyId) -> Sign:
    """Returns what signs a report as the bank, or as the operator that relays its message."""

    def sign(report: Report, message: Message) -> Result:
        body: dict[str, Any] = report.body(message)
        if bank != party:
            body["bank"] = bank
        result = client.do(REPORT, by=party, body=body, re=report.plan)
        waits = "  待复核 waits for approval" if result.approval else ""
        talk.print(f"{result.sid}  {len(report.items)}{waits}", style="dim")
        return result

    return sign


# --- For people -----------------------------------------------------------------------


def _show(files: Sequence[BankFile], *, is_signed: bool) -> None:
    """Prints what each file says: what is reported, what is for a person, what changes nothing."""
    for file in files:
        message = file.messages[0]
        out.print(f"{file.path.name}  {message.format}  {message.digest}", style="bold")
        if file.reported:
            show_table(HEADS, _outcomes(file), right=("n", "amount"))
        if file.unmatched or file.gaps:
            show_table(LEFT, _left(file), right=("amount",), folded=("place",))
        ignored = Counter(each.why.value for each in file.ignored)
        show_facts((IGNORED[why], str(count)) for why, count in sorted(ignored.items()))
    everything = [outcome for file in files for outcome in file.reported]
    left = sum(len(file.unmatched) + len(file.gaps) for file in files)
    show_facts(
        [
            *(
                (STEPS[status], f"{count}  {format_yuan(total)}")
                for status, (count, total) in sorted(summed(everything).items())
            ),
            (("未匹配", "for a person"), str(left)),
        ]
    )
    if everything and not is_signed:
        out.print("nothing is signed: --sign does it  尚未签署")


def _outcomes(file: BankFile) -> Iterator[Mapping[str, str]]:
    """Yields what is reported of a file."""
    for plan, item in file.reported:
        words = REASONS.get(item.reason or "", ())
        yield {
            "n": str(item.instruction),
            "plan": short(plan),
            "status": said(STEPS, item.status.value),
            "amount": format_yuan(item.amount_minor),
            "reason": " ".join((item.reason or "", *words)).strip(),
        }


def _left(file: BankFile) -> Iterator[Mapping[str, str]]:
    """Yields what of a file is for a person."""
    for each in file.unmatched:
        said_of = each.said
        amount = said_of.amount_minor
        named = said_of.instruction if isinstance(said_of, Item) else said_of.file
        text = said_of.remittance if isinstance(said_of, Item) else said_of.batch
        yield {
            "why": said(UNMATCHED, each.reason.value),
            "amount": "" if amount is None else format_yuan(amount),
            "named": named or text or "",
            "reference": said_of.reference or "",
            "place": said_of.place,
        }
    for message in file.gaps:
        gap = message.gap_minor or 0
        yield {
            "why": said(UNMATCHED, "gap"),
            "amount": f"{'-' if gap < 0 else ''}{format_yuan(abs(gap))}",
            "place": message.account or message.message_id,
        }


# --- For programs ---------------------------------------------------------------------


def _data(file: BankFile) -> dict[str, Json]:
    """Returns what came of a file, as data."""
    message = file.messages[0]
    return {
        "file": str(file.path),
        "format": message.format,
        "digest": message.digest,
        "reported": [{"plan": plan, **item.body()} for plan, item in file.reported],
        "statements": [*file.statements],
        "unmatched": [{"reason": each.reason.value, **_said(each.said)} for each in file.unmatched],
        "ignored": [{"why": each.why.value, **_said(each.said)} for each in file.ignored],
        "gaps": [
            {"account": each.account or "", "amount": str(each.gap_minor)} for each in file.gaps
        ],
    }


def _said(of: Any) -> dict[str, Json]:
    """Returns what the bank said, as data: what it has of it."""
    names = ("place", "instruction", "file", "batch", "account", "reference", "remittance")
    told: dict[str, Json] = {"status": of.status.value}
    told |= {name: text for name in names if (text := getattr(of, name, None))}
    return told if of.amount_minor is None else {**told, "amount": str(of.amount_minor)}


COMMANDS = (("clearing", "import", import_files),)
