"""What a bank's batch file looks like, as data: columns, widths, codes. One JSON file a bank.

A mapping describes two files: the payments that go out (代付文件) and the bank's answer (回盘).
Each has lines of payments, and a header and a trailer where the bank wants them.

Source: reference note 20.
"""

from enum import StrEnum
from typing import Final, Literal

import msgspec

from clearing.rails.errors import BankFileError
from clearing.rails.messages import Status
from registry.errors import TooLargeError

MAPPING_BYTES_MAX: Final = 64 * 1024


class Field(StrEnum):
    """What a column holds."""

    SEQUENCE = "sequence"
    """The payment's place in the file, from 1."""
    INSTRUCTION = "instruction"
    AMOUNT = "amount"
    CURRENCY = "currency"
    DATE = "date"
    REMITTANCE = "remittance"
    AUTHORITY = "authority"
    PAYER_NAME = "payer_name"
    PAYER_NUMBER = "payer_number"
    PAYER_BRANCH = "payer_branch"
    PAYER_CODE = "payer_code"
    PAYEE_NAME = "payee_name"
    PAYEE_NUMBER = "payee_number"
    PAYEE_BRANCH = "payee_branch"
    PAYEE_CODE = "payee_code"
    RESULT = "result"
    """The bank's code of what became of it."""
    REASON = "reason"
    REFERENCE = "reference"
    BOOKED = "booked"
    MESSAGE_ID = "message_id"
    COUNT = "count"
    TOTAL = "total"
    CONSTANT = "constant"
    """The same in every line, and checked where it is read."""
    BLANK = "blank"
    """Nothing, and passed over where it is read."""


_PAYER: Final = frozenset(
    {Field.PAYER_NAME, Field.PAYER_NUMBER, Field.PAYER_BRANCH, Field.PAYER_CODE}
)
_PAYEE: Final = frozenset(
    {Field.PAYEE_NAME, Field.PAYEE_NUMBER, Field.PAYEE_BRANCH, Field.PAYEE_CODE}
)
_ANY: Final = frozenset({Field.CONSTANT, Field.BLANK})
_ORDER: Final = frozenset(
    {Field.SEQUENCE, Field.INSTRUCTION, Field.AMOUNT, Field.REMITTANCE, Field.CURRENCY}
)
_FRAME: Final = _ANY | {Field.MESSAGE_ID, Field.COUNT, Field.TOTAL, Field.DATE, Field.CURRENCY}

_NUMBERS: Final = frozenset({Field.SEQUENCE, Field.AMOUNT, Field.COUNT, Field.TOTAL})

ALLOWED: Final = {
    "payment frame": _FRAME | _PAYER,
    "payment line": _ANY | _ORDER | _PAYER | _PAYEE | {Field.DATE, Field.AUTHORITY},
    "reply frame": _FRAME,
    "reply line": _ANY
    | _ORDER
    | {
        Field.PAYER_NUMBER,
        Field.PAYEE_NUMBER,
        Field.RESULT,
        Field.REASON,
        Field.REFERENCE,
        Field.BOOKED,
    },
}
"""Which fields stand where. A header or trailer is a frame."""


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column.

    Attributes:
        field: What it holds.
        width: Bytes in the file's encoding: exactly so many in a file of fixed width, at
            the most so many in CSV.
        value: Of a constant.
        align: To which side the value stands in a fixed width.
        pad: What fills a fixed width, one character of one byte.
        title: Its title, where the file has a line of titles.
    """

    field: Field
    width: int | None = None
    value: str = ""
    align: Literal["left", "right"] = "left"
    pad: str = " "
    title: str = ""


class Lines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lines of a file.

    Attributes:
        line: The columns of a payment.
        header: Of the first line, if there is one.
        trailer: Of the last line, if there is one.
        titled: Whether a line of titles stands before the payments.
    """

    line: tuple[Column, ...]
    header: tuple[Column, ...] = ()
    trailer: tuple[Column, ...] = ()
    titled: bool = False


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bank's two files.

    Attributes:
        name: Of the mapping, with its version: what reports name as the format.
        layout: Columns by a delimiter, or by width.
        payment: The file that goes out.
        reply: The file that comes back.
        results: What the bank's codes mean; others are for people to read.
        encoding: Of both files.
        line_end: Of lines that are written; either is read.
        delimiter: Of CSV.
        quoted: Whether the bank reads values in quotation marks; else none are written.
        amount: Fen as a whole number, or yuan with two decimals.
        date: How days are written.
        currency: How the bank writes the currency.
    """

    name: str
    layout: Literal["csv", "fixed"]
    payment: Lines
    reply: Lines
    results: dict[str, Literal["accepted", "pending", "posted", "rejected", "returned"]]
    encoding: Literal["gb18030", "gbk", "utf-8"] = "gb18030"
    line_end: Literal["\r\n", "\n"] = "\r\n"
    delimiter: Literal[",", "|", "\t", ";"] = ","
    quoted: bool = True
    amount: Literal["yuan", "fen"] = "yuan"
    date: Literal["%Y%m%d", "%Y-%m-%d", "%Y/%m/%d"] = "%Y%m%d"
    currency: str = "CNY"

    def status_of(self, result: str) -> Status:
        """Returns what a code of the bank means."""
        return Status(self.results[result]) if result in self.results else Status.UNCLEAR


def read_mapping(data: bytes) -> Mapping:
    """Reads a mapping from JSON.

    Raises:
        TooLargeError: It is too large.
        BankFileError: It is no mapping, or one by which no file could be written or read.
    """
    if len(data) > MAPPING_BYTES_MAX:
        raise TooLargeError(what="mapping", size=len(data), limit=MAPPING_BYTES_MAX)
    try:
        mapping = msgspec.json.decode(data, type=Mapping)
    except msgspec.MsgspecError as error:
        raise BankFileError(what="mapping", reason=str(error)) from None
    if not (mapping.name.isascii() and mapping.name.isprintable() and 0 < len(mapping.name) <= 64):
        raise BankFileError(what="mapping", reason="has no name of 1 to 64 printable characters")
    if " " in mapping.name:
        raise BankFileError(what="mapping", reason="has a space in its name")
    for kind, lines in (("payment", mapping.payment), ("reply", mapping.reply)):
        _check_lines(mapping, lines, kind=kind)
    return mapping


def _check_lines(mapping: Mapping, lines: Lines, *, kind: str) -> None:
    """Checks that a file can be written or read by its columns.

    Raises:
        BankFileError: It cannot.
    """
    for place, columns in (("frame", lines.header), ("line", lines.line), ("frame", lines.trailer)):
        for column in columns:
            what = f"mapping, {kind} {place}, {column.field}"
            if column.field not in ALLOWED[f"{kind} {place}"]:
                raise BankFileError(what=what, reason="does not stand there")
            if mapping.layout == "fixed" and not column.width:
                raise BankFileError(what=what, reason="needs its width")
            if len(column.pad) != 1 or not column.pad.isascii():
                raise BankFileError(what=what, reason="is filled with one character of one byte")
            if column.pad != " " and (column.field not in _NUMBERS or column.align == "left"):
                # What was filled could not be told from what was there.
                raise BankFileError(what=what, reason="is filled with spaces only")
    if lines.titled and mapping.layout == "fixed":
        raise BankFileError(what=f"mapping, {kind}", reason="titles stand in CSV only")
    fields = {column.field for column in lines.line}
    needed = {Field.AMOUNT, Field.PAYEE_NUMBER if kind == "payment" else Field.RESULT}
    missing = sorted(needed - fields)
    if missing or not fields & {Field.INSTRUCTION, Field.SEQUENCE}:
        reason = f"needs {', '.join(missing) or 'instruction or sequence'} in its lines"
        raise BankFileError(what=f"mapping, {kind}", reason=reason)
