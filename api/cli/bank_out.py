"""`tallystick clearing export`: a plan's instructions as files for the banks of their payers.

All files of one call stand in one new directory, which appears complete or not at all.
Beside each file a note says which instructions it holds: what stands in a note is not
written a second time, and the answers to the file are read with it.
"""

import os
import shutil
import tempfile
from base64 import b32encode
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from api.cli.bank_book import AddressBook, Instructed, Sent, instructions_of, sent_files
from api.cli.common import USAGE, AsJson, print_json, talk
from api.cli.connect import LogKey, Party, ReadKey, Url
from api.cli.lots import reader
from api.cli.screen import Reader, out, show_facts, show_table
from api.words import Words
from clearing.model import InstructionStatus
from clearing.rails.batchfile import write_batch
from clearing.rails.errors import BankFileError
from clearing.rails.mapping import Field, read_mapping
from clearing.rails.mapping import Mapping as BankMapping
from clearing.rails.pain001 import write_pain001
from clearing.rails.payments import Payment, SentFile
from clearing.rails.references import instruction_id, plan_reference
from registry.calendars import parse_offset
from registry.canonical import Json, format_json, sha256
from registry.ids import PartyId, Sid
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
OneBank = Annotated[str, typer.Option("--bank", help="Only the file for this bank.")]

HEADS: Final[Mapping[str, Words]] = {
    "bank": ("付款行", "payers' bank"),
    "count": ("笔数", "payments"),
    "total": ("金额", "sum"),
    "file": ("文件", "file"),
    "digest": ("摘要", "digest"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A payment file, and the instructions in it."""

    bank: PartyId
    file: SentFile
    rows: tuple[Instructed, ...]
    name: str

    @property
    def total_minor(self) -> int:
        """What its payments come to, in fen."""
        return sum(row.record.amount for row in self.rows)

    def note(self) -> Sent:
        """Returns what stands beside it."""
        return Sent(
            plan=self.rows[0].record.plan,
            bank=self.bank,
            format=self.file.format,
            message_id=self.file.message_id,
            file=self.name,
            digest=self.file.digest,
            count=len(self.rows),
            total=str(self.total_minor),
            batches={batch.batch: batch.instructions for batch in self.file.batches},
        )


def export(
    plan: Plan,
    format_: Format,
    directory: Out,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    book: Book = None,
    bank: OneBank = "",
    as_json: AsJson = False,
) -> None:
    """Writes a plan's instructions as payment files 付款文件, one for each bank of payers.

    What goes out is pending, stands in no file of the directory, is on no list that its debtor
    has still to approve, and has what comes before it posted, or earlier in the same file. The
    rest waits for a later call.
    """
    with reader(url, log_key, party, read_key) as ask:
        rows = instructions_of(ask, plan)
        if not rows:
            talk.print("no instruction of this plan is yours to see")
            raise typer.Exit(USAGE)
        earlier = {each for sent in sent_files(directory) for each in sent.instructions}
        maker = _Maker(ask, AddressBook(ask, book), _mapping(format_), rows, party=party)
        if maker.mapping is not None and not bank and len({row.payer_bank for row in rows}) > 1:
            talk.print("a mapping is one bank's, and the payers have several: name it by --bank")
            raise typer.Exit(USAGE)
        written = maker.files(earlier, bank=bank)
        if written:
            _keep(directory, written)
        _tell(ask, rows, written, earlier, as_json=as_json)


def hand_over(
    ask: Reader, plan: str, *, format_: str, directory: Path, book: Path | None, party: str
) -> int:
    """Writes what can go out of a plan now, and returns how many payments that is.

    Raises:
        RegistryError: Something cannot be written; nothing has been.
        OSError: The same.
    """
    rows = instructions_of(ask, plan)
    earlier = {each for sent in sent_files(directory) for each in sent.instructions}
    maker = _Maker(ask, AddressBook(ask, book), _mapping(format_), rows, party=party)
    written = maker.files(earlier, bank="")
    if written:
        _keep(directory, written)
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
        self._ask, self._book, self.mapping = ask, book, mapping
        self._rows = rows
        ledger = ask.get("/v1/ledger")
        zone = timezone(timedelta(minutes=parse_offset(ledger["zone"])))
        self._created = datetime.fromtimestamp(ledger["time"] / 1000, UTC).astimezone(zone)
        plan = rows[0].record.plan
        runs = ask.rows("/v1/clearing/runs", limit=100)
        pay_on = next(str(run["pay_on"]) for run in runs if run["plan"] == plan)
        # Nobody carries out yesterday what is late.
        self._on = max(date.fromisoformat(pay_on), self._created.date())
        self._initiator = ask.name(party)

    def files(self, earlier: Iterable[str], *, bank: str) -> list[Written]:
        """Returns the files that are to be written now.

        Raises:
            RegistryError: Something cannot be written; nothing has been.
        """
        sent = {*earlier}
        while True:
            written = [
                self._file(group)
                for group in _groups(_going(self._rows, sent, self._place), self._place)
                if bank in ("", group[0].payer_bank)
            ]
            early = {each for file in written for each in _too_early(file)}
            if not early:
                return written
            # A bank's batches would pay these before their money is there: next time.
            sent |= early

    def _place(self, row: Instructed) -> Hashable:
        """Returns what has a file of its own: a bank, or the account that a header names."""
        frames = () if self.mapping is None else self.mapping.payment
        columns = (*frames.header, *frames.trailer) if frames else ()
        is_of_payer = any(column.field in _OF_PAYER for column in columns)
        return (row.payer_bank, row.record.payer_account if is_of_payer else "")

    def _file(self, rows: Sequence[Instructed]) -> Written:
        """Writes one file, in memory."""
        payments = [self._payment(row) for row in rows]
        named: list[Json] = [f"{each.instruction} {each.amount_minor}" for each in payments]
        digest = sha256(format_json([rows[0].payer_bank, *named]))
        message_id = f"TS{b32encode(digest).decode()[:26]}"
        if self.mapping is None:
            file = write_pain001(
                payments,
                message_id=message_id,
                created=self._created,
                initiator=self._initiator,
            )
            ending = "xml"
        else:
            file = write_batch(payments, self.mapping, message_id=message_id)
            ending = "csv" if self.mapping.layout == "csv" else "txt"
        if sorted(file.instructions) != sorted(each.instruction for each in payments):
            raise BankFileError(what=message_id, reason="does not hold what it was made of")
        name = f"{message_id}.{ending}"
        return Written(bank=rows[0].payer_bank, file=file, rows=tuple(rows), name=name)

    def _payment(self, row: Instructed) -> Payment:
        """Returns an instruction as the payer's bank is told of it."""
        record = row.record
        return Payment(
            plan=record.plan,
            n=record.n,
            payer=self._book.details(record.payer_account, bank=row.payer_bank),
            payee=self._book.details(record.payee_account, bank=record.bank),
            amount_minor=record.amount,
            remittance=record.remittance,
            authority=record.authority,
            on=self._on,
        )


def _going(
    rows: Sequence[Instructed], sent: Iterable[str], place: Callable[[Instructed], Hashable]
) -> list[Instructed]:
    """Returns what may go out now, by number: its money is there, or comes by the same file."""
    done = {str(row.record.n) for row in rows if row.record.status == InstructionStatus.POSTED}
    out_already = {*sent}
    going: dict[str, Hashable] = {}
    chosen: list[Instructed] = []
    for row in rows:
        record = row.record
        if record.status != InstructionStatus.PENDING or row.is_held or _id(row) in out_already:
            continue
        here = place(row)
        if row.is_ready or all(n in done or going.get(n) == here for n in record.after):
            going[str(record.n)] = here
            chosen.append(row)
    return chosen


def _groups(
    rows: Iterable[Instructed], place: Callable[[Instructed], Hashable]
) -> list[list[Instructed]]:
    """Groups instructions by the file that they go into."""
    grouped: dict[Hashable, list[Instructed]] = {}
    for row in rows:
        grouped.setdefault(place(row), []).append(row)
    return [*grouped.values()]


def _too_early(written: Written) -> list[str]:
    """Returns what stands in a file before that which brings its money."""
    order = {each: place for place, each in enumerate(written.file.instructions)}
    ids = {str(row.record.n): _id(row) for row in written.rows}
    return [
        _id(row)
        for row in written.rows
        if any(order[ids[n]] > order[_id(row)] for n in row.record.after if n in ids)
    ]


def _id(row: Instructed) -> str:
    """Returns an instruction's id at banks."""
    return instruction_id(row.record.plan, row.record.n)


# --- On disk --------------------------------------------------------------------------


def _keep(directory: Path, written: Sequence[Written]) -> None:
    """Writes files and notes into a new directory: all of them or none, over nothing.

    Raises:
        OSError: It cannot be written, or is there already.
    """
    files: dict[str, bytes] = {}
    for each in written:
        files[each.name] = each.file.data
        files[f"{each.file.message_id}.json"] = msgspec.json.encode(each.note()) + b"\n"
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / _name(written)
    # Names and numbers of accounts are nobody else's business: the directory is the caller's.
    temporary = Path(tempfile.mkdtemp(prefix=".export-", dir=directory))
    try:
        for name, data in files.items():
            with (temporary / name).open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        _sync(temporary)
        temporary.rename(target)
    except OSError:
        shutil.rmtree(temporary)
        raise
    _sync(directory)


def _name(written: Sequence[Written]) -> str:
    """Returns the name of the directory of some files, which follows from what is in them."""
    messages = "".join(each.file.message_id for each in written)
    digest = b32encode(sha256(messages.encode())).decode()[:8]
    return f"{plan_reference(Sid(written[0].rows[0].record.plan))[:8]}-{digest}"


def _sync(directory: Path) -> None:
    """Makes the names in a directory survive a crash."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    now = {_id(row) for each in written for row in each.rows}
    before = {*earlier}
    pending = [row for row in rows if row.record.status == InstructionStatus.PENDING]
    left = [row for row in pending if _id(row) not in now]
    parts: tuple[tuple[str, Words, list[Instructed]], ...] = (
        ("written", ("本次写入", "written now"), [row for row in pending if _id(row) in now]),
        ("sent", ("已在文件中", "in earlier files"), [row for row in left if _id(row) in before]),
        ("waits", ("待前序入账", "wait"), [row for row in left if _id(row) not in before]),
        (
            "answered",
            ("已有回报", "answered"),
            [row for row in rows if row.record.status != InstructionStatus.PENDING],
        ),
        ("all", ("合计", "all that you see"), [*rows]),
    )
    name = _name(written) if written else ""
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
