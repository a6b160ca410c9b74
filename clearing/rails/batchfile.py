"""Batch files for banks without ISO 20022, by a mapping: payments out, the bank's answer in.

A value that does not fit is refused, never cut or replaced: a name that lost a character
is another name. In CSV no value may begin as a formula does, for these files are opened
in spreadsheets.

Source: reference notes 5, 8 and 20.
"""

import re
from collections.abc import Sequence
from typing import Final

from clearing.rails.batchlines import format_line, format_titles, parse_line
from clearing.rails.errors import BankFileError, CurrencyRefusedError
from clearing.rails.isofields import parse_hundredths
from clearing.rails.mapping import Column, Field, Lines, Mapping
from clearing.rails.messages import Item, Message, Status
from clearing.rails.payments import (
    CURRENCY,
    AccountDetails,
    Payment,
    SentBatch,
    SentFile,
    check_file,
)
from registry.canonical import digest_b64url
from registry.errors import TooLargeError

BYTES_MAX: Final = 32 * 2**20
LINES_MAX: Final = 200_000

_FEN: Final = re.compile(r"[0-9]{1,18}")
_COUNT: Final = re.compile(r"[0-9]{1,9}")
_SHARED: Final = frozenset(
    {
        Field.PAYER_NAME,
        Field.PAYER_NUMBER,
        Field.PAYER_BRANCH,
        Field.PAYER_CODE,
        Field.DATE,
        Field.CURRENCY,
    }
)

# --- Out ------------------------------------------------------------------------------


def write_batch(payments: Sequence[Payment], mapping: Mapping, *, message_id: str) -> SentFile:
    """Writes payments as a bank's batch file.

    Args:
        payments: At least one, each instruction once, out of accounts at one bank; where the
            header names the payer or the day, all of one (see `payments.by_payer`).
        mapping: The bank's.
        message_id: 1 to 28 letters and digits, another for each file that a bank ever gets.

    Raises:
        InvariantBrokenError: No payment, or payers of several banks (caller bug).
        BankFileError: The message id has another form; an amount is outside what is paid;
            an instruction comes twice; the header is of one payer or day, and these are of
            several.
        CurrencyRefusedError: A payment is not in the ledger's currency.
        BankTextRefusedError: A value cannot stand in its column as it is.
    """
    check_file(payments, message_id=message_id)
    lines = mapping.payment
    values = [_values(payment, mapping, place) for place, payment in enumerate(payments, 1)]
    frame = {
        **_shared(lines, values),
        Field.MESSAGE_ID: message_id,
        Field.COUNT: str(len(payments)),
        Field.TOTAL: _format(mapping, sum(payment.amount_minor for payment in payments)),
    }
    rows: list[bytes] = []
    if lines.header:
        rows.append(format_line(mapping, lines.header, frame, what="header"))
    if lines.titled:
        rows.append(format_titles(mapping, lines.line))
    for place, value in enumerate(values, 1):
        rows.append(format_line(mapping, lines.line, value, what=f"payment {place}"))
    if lines.trailer:
        rows.append(format_line(mapping, lines.trailer, frame, what="trailer"))
    instructions = tuple(payment.instruction for payment in payments)
    end = mapping.line_end.encode("ascii")
    return SentFile(
        format=mapping.name,
        message_id=message_id,
        data=end.join(rows) + end,
        batches=(SentBatch(batch=f"{message_id}-1", instructions=instructions),),
    )


def _values(payment: Payment, mapping: Mapping, place: int) -> dict[Field, str]:
    """Returns what can stand in a payment's line."""
    payer, payee = payment.payer, payment.payee
    return {
        Field.SEQUENCE: str(place),
        Field.INSTRUCTION: payment.instruction,
        Field.AMOUNT: _format(mapping, payment.amount_minor),
        Field.CURRENCY: mapping.currency,
        Field.DATE: payment.on.strftime(mapping.date),
        Field.REMITTANCE: payment.remittance,
        Field.AUTHORITY: f"AUTHORITY/{payment.authority}",
        **_account(
            payer, Field.PAYER_NAME, Field.PAYER_NUMBER, Field.PAYER_BRANCH, Field.PAYER_CODE
        ),
        **_account(
            payee, Field.PAYEE_NAME, Field.PAYEE_NUMBER, Field.PAYEE_BRANCH, Field.PAYEE_CODE
        ),
    }


def _account(
    details: AccountDetails, name: Field, number: Field, branch: Field, code: Field
) -> dict[Field, str]:
    """Returns an account's details by the fields of one side."""
    return {
        name: details.name,
        number: details.number,
        branch: details.branch,
        code: details.clearing_code,
    }


def _shared(lines: Lines, values: Sequence[dict[Field, str]]) -> dict[Field, str]:
    """Returns what header and trailer say of all payments.

    Raises:
        BankFileError: It is not the same of all.
    """
    asked = {column.field for column in (*lines.header, *lines.trailer)} & _SHARED
    for field in sorted(asked):
        if len({value[field] for value in values}) != 1:
            raise BankFileError(what=f"header, {field}", reason="differs between the payments")
    return {field: values[0][field] for field in asked}


def _format(mapping: Mapping, minor: int) -> str:
    """Writes an amount as the bank reads it."""
    return str(minor) if mapping.amount == "fen" else f"{minor // 100}.{minor % 100:02}"


# --- In -------------------------------------------------------------------------------


def read_reply(data: bytes, mapping: Mapping, *, sent: SentFile | None = None) -> Message:
    """Reads a bank's answer to a batch file (回盘).

    Args:
        data: The file, as it came.
        mapping: The bank's.
        sent: The file that it answers: needed where the answer names payments by their
            place alone, and compared with it where it names the file.

    Raises:
        TooLargeError: It is too large, or has too many lines.
        BankFileError: It is not as the mapping says, is the answer to another file, or its
            count or sum is not that of its lines.
        CurrencyRefusedError: A line is in another currency.
    """
    if len(data) > BYTES_MAX:
        raise TooLargeError(what="bank file", size=len(data), limit=BYTES_MAX)
    rows = data.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n")
    if len(rows) > LINES_MAX:
        raise TooLargeError(what="lines of the bank file", size=len(rows), limit=LINES_MAX)
    lines = mapping.reply
    first, last = bool(lines.header) + lines.titled, len(rows) - bool(lines.trailer)
    if first > last:
        raise BankFileError(what="bank file", reason="is shorter than its header and trailer")
    frames: list[dict[Field, str]] = []
    if lines.header:
        frames.append(parse_line(mapping, lines.header, rows[0], what="header"))
    if lines.trailer:
        frames.append(parse_line(mapping, lines.trailer, rows[-1], what="trailer"))
    if lines.titled:
        _check_titles(mapping, lines.line, rows[first - 1])
    items = [
        _item(mapping, rows[row], place=f"line {row + 1}", sent=sent) for row in range(first, last)
    ]
    message_id = _check_frames(mapping, frames, items, sent=sent)
    return Message(
        format=mapping.name, digest=digest_b64url(data), message_id=message_id, items=tuple(items)
    )


def _check_titles(mapping: Mapping, columns: Sequence[Column], row: bytes) -> None:
    """Checks the line of titles: other columns would be other payments.

    Raises:
        BankFileError: They differ.
    """
    if row.strip() != format_titles(mapping, columns):
        raise BankFileError(what="titles", reason="are not those of the mapping")


def _item(mapping: Mapping, row: bytes, *, place: str, sent: SentFile | None) -> Item:
    """Reads what is said of one payment.

    Raises:
        BankFileError: It is not as the mapping says, or names a place that was not sent.
        CurrencyRefusedError: It is in another currency.
    """
    values = parse_line(mapping, mapping.reply.line, row, what=place)
    if values.get(Field.CURRENCY, mapping.currency) != mapping.currency:
        raise CurrencyRefusedError(currency=values[Field.CURRENCY], expected=mapping.currency)
    status = mapping.status_of(values[Field.RESULT])
    reason = values.get(Field.REASON) or values[Field.RESULT]
    has_reason = status in (Status.REJECTED, Status.RETURNED, Status.UNCLEAR)
    return Item(
        place=place,
        status=status,
        instruction=_instruction(values, place=place, sent=sent),
        amount_minor=_amount(mapping, values[Field.AMOUNT], what=f"{place}, amount"),
        currency=CURRENCY,
        account=values.get(Field.PAYEE_NUMBER) or None,
        reason=reason if has_reason else None,
        booked=values.get(Field.BOOKED) or None,
        reference=values.get(Field.REFERENCE) or None,
        remittance=values.get(Field.REMITTANCE) or None,
    )


def _instruction(values: dict[Field, str], *, place: str, sent: SentFile | None) -> str | None:
    """Returns the instruction that a line names, by its id or by its place in the file.

    Raises:
        BankFileError: No payment was sent in that place, or another one.
    """
    named = values.get(Field.INSTRUCTION) or None
    text = values.get(Field.SEQUENCE, "")
    if sent is None or not text:
        return named
    number = int(text) if _COUNT.fullmatch(text) else 0
    if not 1 <= number <= len(sent.instructions):
        raise BankFileError(what=f"{place}, sequence", reason=f"{text[:20]!r} was not sent")
    placed = sent.instructions[number - 1]
    if named not in (None, placed):
        raise BankFileError(what=f"{place}, sequence", reason="is of another instruction")
    return placed


def _check_frames(
    mapping: Mapping,
    frames: Sequence[dict[Field, str]],
    items: Sequence[Item],
    *,
    sent: SentFile | None,
) -> str:
    """Checks header and trailer against the lines, and returns the file's own id.

    Raises:
        BankFileError: Count, sum or file differ.
    """
    message_id = ""
    total = sum(item.amount_minor or 0 for item in items)
    for frame in frames:
        count = frame.get(Field.COUNT)
        if count is not None and (not _COUNT.fullmatch(count) or int(count) != len(items)):
            raise BankFileError(what="count", reason=f"{count[:20]!r} of {len(items)} lines")
        stated = frame.get(Field.TOTAL)
        if stated is not None and _amount(mapping, stated, what="total") != total:
            raise BankFileError(what="total", reason=f"{stated[:30]!r}, lines have {total} fen")
        message_id = frame.get(Field.MESSAGE_ID) or message_id
    if sent is not None and message_id not in ("", sent.message_id):
        raise BankFileError(what="message id", reason=f"answers {message_id[:40]!r}")
    return message_id


def _amount(mapping: Mapping, text: str, *, what: str) -> int:
    """Reads an amount as the bank writes it, into fen.

    Raises:
        BankFileError: Another form.
    """
    if mapping.amount == "yuan":
        return parse_hundredths(text, what=what)
    if not _FEN.fullmatch(text):
        raise BankFileError(what=what, reason=f"{text[:40]!r} is no number of fen")
    return int(text)
