"""`tallystick clearing reconcile`: what was due, what came, what banks' statements say of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.bank_words import BOOKED, DIFFERS
from api.cli.bank_book import AddressBook, Instructed, instructions_of, sent_files
from api.cli.bank_in import Book, SentDir
from api.cli.clearing_day import DueOn
from api.cli.common import AsJson, print_json
from api.cli.connect import LogKey, Party, ReadKey, Url
from api.cli.lots import money, reader
from api.cli.report import INVALID
from api.cli.screen import Reader, out, short, show_facts, show_table
from api.words import Words, said
from clearing.model import InstructionStatus
from clearing.rails.errors import DetailsMissingError
from clearing.rails.iso20022 import read_iso20022
from clearing.rails.messages import Message
from clearing.rails.references import instruction_id, joint_number
from clearing.rails.statements import AccountDay, BankDifference, Moved, compare
from registry.ids import PartyId, Sid
from registry.money import format_yuan

Statements = Annotated[
    list[Path] | None,
    typer.Option("--statements", help="A bank's statement (camt.053), in order; repeat it."),
]

LOTS: Final[Mapping[str, Words]] = {
    "lot": ("子凭证", "lot"),
    "holder": ("持有人", "holder"),
    "scheduled": ("应付", "scheduled"),
    "received": ("已收", "received"),
    "short": ("未收", "short"),
    "withheld": ("暂缓兑付", "withheld"),
}
ACCOUNTS: Final[Mapping[str, Words]] = {
    "owner": ("账户所有人", "account of"),
    "came": ("贷记", "came"),
    "went": ("借记", "went"),
    "received": ("已收", "received"),
    "owed_back": ("应退回", "owed back"),
    "passing": ("他人资金", "others'"),
}
DAYS: Final[Mapping[str, Words]] = {
    "account": ("账号", "account"),
    "day": ("日期", "day"),
    "credited": ("指令贷记", "ours, in"),
    "debited": ("指令借记", "ours, out"),
    "other": ("其他", "other"),
}
FOUND: Final[Mapping[str, Words]] = {
    "what": ("差异", "difference"),
    "subject": ("对象", "of"),
    "account": ("账号", "account"),
    "amount": ("金额", "amount"),
}


def reconcile(
    due_on: DueOn,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    statements: Statements = None,
    book: Book = None,
    sent: SentDir = None,
    as_json: AsJson = False,
) -> None:
    """Reconciles a due date 对账, lot by lot: scheduled = received + short + withheld.

    With --statements also what banks have booked of it. The exit code is 10 if anything differs.
    """
    with reader(url, log_key, party, read_key) as ask:
        found = ask.get(f"/v1/clearing/reconciliations/{due_on}")
        messages = [each for path in statements or () for each in read_iso20022(path.read_bytes())]
        days, differ = _against(ask, found["plans"], messages, book, sent)
        if as_json:
            print_json({**found, "statements": _data(days, differ)} if messages else found)
        else:
            _show(ask, found)
            _show_statements(messages, days, differ)
    if found["differences"] or differ:
        raise typer.Exit(INVALID)


def _against(
    ask: Reader,
    plans: Iterable[str],
    messages: Sequence[Message],
    book: Path | None,
    sent: Path | None,
) -> tuple[tuple[AccountDay, ...], tuple[BankDifference, ...]]:
    """Compares statements with the instructions that the reader sees."""
    if not messages:
        return (), ()
    addresses = AddressBook(ask, book)
    under: dict[str, list[Instructed]] = {}
    for plan in plans:
        for each in instructions_of(ask, plan):
            under.setdefault(_id_of(each), []).append(each)
    moves = [_moved(addresses, some) for some in under.values()]
    batches = {name: of for file in sent_files(sent) for name, of in file.batches.items()}
    return compare(messages, moves, batches=batches)


def _moved(book: AddressBook, some: Sequence[Instructed]) -> Moved:
    """Returns what went out under one id, as the ledger has it: an instruction, or several at once.

    Numbers are those of accounts that are known.
    """
    record, posted = some[0].record, [each.record for each in some if _is_posted(each)]
    return Moved(
        instruction=_id_of(some[0]),
        amount_minor=sum(each.amount for each in posted or [each.record for each in some]),
        payer_number=_number(book, record.payer_account, some[0].payer_bank),
        payee_number=_number(book, record.payee_account, record.bank),
        is_posted=bool(posted),
    )


def _is_posted(each: Instructed) -> bool:
    """Tells whether an instruction's money is where it was to go."""
    return each.record.status == InstructionStatus.POSTED


def _id_of(each: Instructed) -> str:
    """Returns the id under which an instruction went out, alone or in a joint payment."""
    joint = each.record.joint
    return instruction_id(each.record.plan, each.record.n if joint is None else joint_number(joint))


def _number(book: AddressBook, account: Sid, bank: PartyId) -> str:
    """Returns an account's number; nothing where that is not the reader's to know."""
    try:
        return book.details(account, bank=bank).number
    except DetailsMissingError:
        return ""


# --- For people -----------------------------------------------------------------------


def _show(ask: Reader, found: Mapping[str, Any]) -> None:
    """Prints the ledger's side: lots, accounts, sums, and what differs."""
    if not found["lots"]:
        out.print(f"nothing was to be paid to you on {found['due_on']}  该到期日无应收")
        return
    figures = ("scheduled", "received", "short", "withheld")
    show_table(
        LOTS,
        (
            {
                "lot": short(line["lot"]),
                "holder": ask.name(line["holder"]),
                **{name: money(line, name) for name in figures},
            }
            for line in found["lots"]
        ),
        right=figures,
        folded=("holder",),
    )
    moved = ("came", "went", "received", "owed_back", "passing")
    if found["accounts"]:
        out.print()
        show_table(
            ACCOUNTS,
            (
                {
                    "owner": ask.name(line["owner"]),
                    **{name: money(line, name) for name in moved if int(line[name])},
                }
                for line in found["accounts"]
                if any(int(line[name]) for name in moved)
            ),
            right=moved,
            folded=("owner",),
        )
    out.print()
    show_facts((LOTS[name], money(found["totals"], name)) for name in figures)
    if found["differences"]:
        show_table(FOUND, _ledgers(found["differences"]), right=("amount",), folded=("subject",))
    else:
        out.print("scheduled = received + short + withheld  账内相符")


def _ledgers(differences: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Yields what differs in the ledger."""
    for each in differences:
        yield {
            "what": said(DIFFERS, each["what"]),
            "subject": each["subject"],
            "amount": _signed(int(each["amount"])),
        }


def _show_statements(
    messages: Sequence[Message], days: Iterable[AccountDay], differ: Sequence[BankDifference]
) -> None:
    """Prints what banks' statements say, and what of it differs."""
    if not messages:
        return
    out.print()
    show_table(
        DAYS,
        (
            {
                "account": each.account,
                "day": each.day,
                "credited": format_yuan(each.credited_minor),
                "debited": format_yuan(each.debited_minor),
                "other": _signed(each.other_minor),
            }
            for each in days
        ),
        right=("credited", "debited", "other"),
    )
    if differ:
        rows = (
            {
                "what": said(BOOKED, each.what.value),
                "subject": each.instruction or "",
                "account": each.account,
                "amount": _signed(each.amount_minor),
            }
            for each in differ
        )
        show_table(FOUND, rows, right=("amount",), folded=("subject",))
    else:
        out.print("ledger and statements agree  账实相符")


def _signed(minor: int) -> str:
    """Returns an amount that may be negative, in yuan."""
    return f"{'-' if minor < 0 else ''}{format_yuan(abs(minor))}"


def _data(days: Iterable[AccountDay], differ: Iterable[BankDifference]) -> dict[str, Any]:
    """Returns what statements say, as data."""
    return {
        "days": [
            {
                "account": each.account,
                "day": each.day,
                "credited": str(each.credited_minor),
                "debited": str(each.debited_minor),
                "other": str(each.other_minor),
            }
            for each in days
        ],
        "differences": [
            {
                "what": each.what.value,
                "account": each.account,
                **({} if each.instruction is None else {"instruction": each.instruction}),
                "amount": str(each.amount_minor),
            }
            for each in differ
        ],
    }


COMMANDS = (("clearing", "reconcile", reconcile),)
