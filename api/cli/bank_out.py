"""`tallystick clearing export`: a plan's instructions as files for the banks of their payers.

All files of one call stand in one new directory, which appears complete or not at all.
Beside each file a note says which instructions it holds: what stands in a note is not
written a second time, and the answers to the file are read with it.
"""

from base64 import b32encode
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from api.answers import RefusedError
from api.cli.bank_book import AddressBook, Instructed, instructions_of, sent_files
from api.cli.bank_orders import Order, Orders, Recorder, Written, is_out, keep, name_of, too_early
from api.cli.common import USAGE, AsJson, print_json, talk, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client, refused
from api.cli.screen import Reader, out, show_facts, show_table
from api.client import Client
from api.words import Words
from clearing.model import UNANSWERED
from clearing.rails.batchfile import write_batch
from clearing.rails.errors import BankFileError
from clearing.rails.mapping import Field, read_mapping
from clearing.rails.mapping import Mapping as BankMapping
from clearing.rails.pain001 import write_pain001
from clearing.rails.payments import Payment
from registry.calendars import parse_offset
from registry.canonical import Json, format_json, sha256
from registry.money import format_yuan

PAIN_001: Final = "pain.001"
_OF_PAYER: Final = frozenset(
    {Field.PAYER_NAME, Field.PAYER_NUMBER, Field.PAYER_BRANCH, Field.PAYER_CODE}
)

Plan = Annotated[str, typer.Argument(help="The plan's id.")]
Format = Annotated[
    str, typer.Option("--format", help="pain.001, or a mapping file of the bank (JSON).")
]
Out = Annotated[
    Path, typer.Option("--out", help="The directory of all files to the banks, each call its own.")
]
Book = Annotated[
    Path | None,
    typer.Option("--book", help="Details of accounts that you cannot open: JSON, by account id."),
]
Again = Annotated[
    str, typer.Option("--again", help="Send again what no bank has answered, for this reason.")
]
SignIt = Annotated[bool, typer.Option("--sign", help="Record each file in the log.")]
MayKey = Annotated[
    Path | None, typer.Option("--key", envvar="TALLYSTICK_KEY", help="Your key, to sign with.")
]
OneBank = Annotated[str, typer.Option("--bank", help="Only the file for this bank.")]

HEADS: Final[Mapping[str, Words]] = {
    "bank": ("付款行", "payers' bank"),
    "count": ("笔数", "payments"),
    "total": ("金额", "sum"),
    "file": ("文件", "file"),
    "digest": ("摘要", "digest"),
}


def export(
    plan: Plan,
    format_: Format,
    directory: Out,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    key: MayKey = None,
    book: Book = None,
    bank: OneBank = "",
    again: Again = "",
    sign: SignIt = False,
    as_json: AsJson = False,
) -> None:
    """Writes a plan's instructions as payment files 付款文件, one for each bank of payers.

    What goes out is pending, stands in no file of the directory, is on no list that its debtor
    has still to approve, and has what comes before it posted, or earlier in the same file. The
    rest waits for a later call. With --sign each file is recorded in the log, and pays several
    instructions at once where their payee agreed.
    """
    if (sign and key is None) or (again and not sign):
        talk.print("--sign needs --key, and --again needs --sign")
        raise typer.Exit(USAGE)
    with (
        told(),
        open_client(
            url, log_key, party=party, key=key if sign else None, read_key=read_key
        ) as client,
    ):
        try:
            ask = Reader(client, party)
            rows = instructions_of(ask, plan)
            if not rows:
                talk.print("no instruction of this plan is yours to see")
                raise typer.Exit(USAGE)
            mapping = _mapping(format_)
            banks = {row.payer_bank for row in rows}
            if mapping is not None and not bank and len(banks) > 1:
                talk.print(
                    "a mapping is one bank's, and the payers have several: name it by --bank"
                )
                raise typer.Exit(USAGE)
            earlier = {each for sent in sent_files(directory) for each in sent.instructions}
            maker = _Maker(ask, AddressBook(ask, book), mapping, rows, party=party)
            maker.choose(again=bool(again), is_joined=sign)
            written = maker.files(earlier, bank=bank)
            if written:
                recorded = Recorder(client, party, again=again) if sign else None
                keep(directory, written, recorded)
            _tell(ask, rows, written, earlier, as_json=as_json)
        except RefusedError as error:
            raise refused(error) from None


def hand_over(
    client: Client, plan: str, *, format_: str, directory: Path, book: Path | None, party: str
) -> int:
    """Records and writes what can go out of a plan now; returns how many instructions that is.

    Raises:
        RefusedError: The registry does not take that a file goes out.
        RegistryError: Something cannot be written; nothing has been.
        OSError: The same.
    """
    ask = Reader(client, party)
    rows = instructions_of(ask, plan)
    earlier = {each for sent in sent_files(directory) for each in sent.instructions}
    maker = _Maker(ask, AddressBook(ask, book), _mapping(format_), rows, party=party)
    maker.choose(again=False, is_joined=True)
    written = maker.files(earlier, bank="")
    if written:
        keep(directory, written, Recorder(client, party, again=""))
    return sum(len(each.rows) for each in written)


def _mapping(format_: str) -> BankMapping | None:
    """Returns the mapping that is named, or None for ISO 20022."""
    return None if format_ == PAIN_001 else read_mapping(Path(format_).read_bytes())


class _Maker:
    """Makes the files of one plan, all of them before any is written."""

    def __init__(
        self,
        ask: Reader,
        book: AddressBook,
        mapping: BankMapping | None,
        rows: Sequence[Instructed],
        *,
        party: str,
    ) -> None:
        """Looks up the day, the hour and who sends."""
        self._ask, self._book, self._mapping = ask, book, mapping
        self._rows, self._orders = rows, Orders(rows)
        plan = rows[0].record.plan
        runs = ask.rows("/v1/clearing/runs", limit=100)
        self._run = next(run for run in runs if run["plan"] == plan)
        ledger = ask.get("/v1/ledger")
        zone = timezone(timedelta(minutes=parse_offset(ledger["zone"])))
        self._created = datetime.fromtimestamp(ledger["time"] / 1000, UTC).astimezone(zone)
        pay_on = str(self._run["pay_on"])
        # Nobody carries out yesterday what is late.
        self._on = max(date.fromisoformat(pay_on), self._created.date())
        self._initiator = ask.name(party)

    def choose(self, *, again: bool, is_joined: bool) -> None:
        """Looks up what more may go out: what was sent before, and what goes as one payment."""
        listed = self._ask.rows("/v1/clearing/aggregations", limit=100) if is_joined else ()
        self._orders = Orders(
            self._rows,
            following=int(self._run["joint"]),
            agreed={str(row["account"]) for row in listed},
            again=again,
        )

    def files(self, earlier: Iterable[str], *, bank: str) -> list[Written]:
        """Returns the files that are to be written now.

        Raises:
            RegistryError: Something cannot be written; nothing has been.
        """
        out_already, early = {*earlier}, set[str]()
        while True:
            written = [
                self._file(group)
                for group in self._orders.going(out_already, self._place, early=early)
                if bank in ("", group[0].payer_bank)
            ]
            more = {each for file in written for each in too_early(file)}
            if not more:
                return written
            # A bank's batches would pay these before their money is there: next time.
            early |= more

    def _place(self, row: Instructed) -> Hashable:
        """Returns what has a file of its own: a bank, or the account that a header names."""
        frames = () if self._mapping is None else self._mapping.payment
        columns = (*frames.header, *frames.trailer) if frames else ()
        is_of_payer = any(column.field in _OF_PAYER for column in columns)
        return (row.payer_bank, row.record.payer_account if is_of_payer else "")

    def _file(self, orders: Sequence[Order]) -> Written:
        """Writes one file, in memory."""
        payments = [self._payment(order) for order in orders]
        # What goes again is another file, which the bank has not had.
        sent = sorted({str(row.record.sent) for order in orders for row in order.rows})
        named: list[Json] = [f"{each.instruction} {each.amount_minor}" for each in payments]
        named += [each for each in sent if each != "None"]
        digest = sha256(format_json([orders[0].payer_bank, *named]))
        message_id = f"TS{b32encode(digest).decode()[:26]}"
        if self._mapping is None:
            file = write_pain001(
                payments,
                message_id=message_id,
                created=self._created,
                initiator=self._initiator,
            )
            ending = "xml"
        else:
            file = write_batch(payments, self._mapping, message_id=message_id)
            ending = "csv" if self._mapping.layout == "csv" else "txt"
        if sorted(file.instructions) != sorted(each.instruction for each in payments):
            raise BankFileError(what=message_id, reason="does not hold what it was made of")
        name = f"{message_id}.{ending}"
        return Written(bank=orders[0].payer_bank, file=file, orders=tuple(orders), name=name)

    def _payment(self, order: Order) -> Payment:
        """Returns an order as the payer's bank is told of it."""
        record = order.rows[0].record
        return Payment(
            plan=record.plan,
            n=order.number,
            payer=self._book.details(record.payer_account, bank=order.payer_bank),
            payee=self._book.details(record.payee_account, bank=record.bank),
            amount_minor=order.amount_minor,
            remittance=order.remittance,
            authority=record.authority,
            on=self._on,
        )


# --- For people -----------------------------------------------------------------------


def _tell(
    ask: Reader,
    rows: Sequence[Instructed],
    written: Sequence[Written],
    earlier: Iterable[str],
    *,
    as_json: bool,
) -> None:
    """Prints each file's digest and sums, and where the plan's other instructions are."""
    now = {row.record.n for each in written for row in each.rows}
    before = {*earlier}
    pending = [row for row in rows if row.record.status in UNANSWERED]
    left = [row for row in pending if row.record.n not in now]
    wait = [row for row in left if not is_out(row, before)]
    parts: tuple[tuple[str, Words, list[Instructed]], ...] = (
        ("written", ("本次写入", "written now"), [row for row in pending if row.record.n in now]),
        ("sent", ("已在文件中", "in earlier files"), [row for row in left if is_out(row, before)]),
        (
            "held",
            ("待债务人确认", "not approved yet"),
            [row for row in wait if row.is_held],
        ),
        (
            "waits",
            ("待前序入账", "wait for the ones before"),
            [row for row in wait if not row.is_held],
        ),
        (
            "answered",
            ("已有回报", "answered"),
            [row for row in rows if row.record.status not in UNANSWERED],
        ),
        ("all", ("合计", "all that you see"), [*rows]),
    )
    name = name_of(written) if written else ""
    if as_json:
        figures = {key: {"count": len(found), "total": _sum(found)} for key, _, found in parts}
        notes = [msgspec.to_builtins(each.note()) for each in written]
        print_json({"directory": name, "files": notes, "figures": figures})
        return
    show_table(
        HEADS,
        (
            {
                "bank": ask.name(each.bank),
                "count": str(len(each.rows)),
                "total": format_yuan(each.total_minor),
                "file": f"{name}/{each.name}",
            }
            for each in written
        ),
        right=("count", "total"),
        folded=("bank", "file"),
    )
    show_facts((HEADS["digest"], f"{each.file.digest}  {each.name}") for each in written)
    show_facts(
        (words, f"{len(found)}  {format_yuan(int(_sum(found)))}") for _, words, found in parts
    )
    if not written:
        out.print("nothing to write  无可发送指令")


def _sum(rows: Iterable[Instructed]) -> str:
    """Adds amounts up, in fen."""
    return str(sum(row.record.amount for row in rows))


COMMANDS = (("clearing", "export", export),)
