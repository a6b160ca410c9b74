"""One line of a batch file: values in columns, in the bank's encoding, nothing cut.

Source: GB 18030; reference note 20.
"""

import csv
import io
from collections.abc import Mapping as Values
from collections.abc import Sequence
from typing import Final

from clearing.rails.errors import BankFileError, BankTextRefusedError
from clearing.rails.mapping import Column, Field, Mapping
from clearing.rails.payments import check_text

# Spreadsheets take the wide forms for the narrow ones.
_FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_MOVED: Final = frozenset(map(chr, (0x1E3F, *range(0x9FB4, 0x9FBC), *range(0xFE10, 0xFE1A))))
"""Characters whose bytes mean another one by one edition (2000, 2005, 2022) than by the next."""


def format_line(
    mapping: Mapping, columns: Sequence[Column], values: Values[Field, str], *, what: str
) -> bytes:
    """Writes a line, without its end.

    Args:
        mapping: The file's.
        columns: The line's.
        values: What stands in it, by field.
        what: The line, in words, for whoever reads a refusal.

    Raises:
        BankTextRefusedError: A value cannot stand in its column.
    """
    cells = [_value(column, values) for column in columns]
    encoded = [
        _encode(mapping, column, cell, what=f"{what}, {column.field}")
        for column, cell in zip(columns, cells, strict=True)
    ]
    if mapping.layout == "fixed":
        return b"".join(
            _filled(column, cell) for column, cell in zip(columns, encoded, strict=True)
        )
    return _join(mapping, cells, what=what).encode(mapping.encoding)


def format_titles(mapping: Mapping, columns: Sequence[Column]) -> bytes:
    """Writes the line of titles, without its end."""
    titles = [column.title for column in columns]
    return _join(mapping, titles, what="titles").encode(mapping.encoding)


def _value(column: Column, values: Values[Field, str]) -> str:
    """Returns what stands in a column."""
    if column.field is Field.CONSTANT:
        return column.value
    return "" if column.field is Field.BLANK else values[column.field]


def _encode(mapping: Mapping, column: Column, text: str, *, what: str) -> bytes:
    """Encodes a value.

    Raises:
        BankTextRefusedError: A character is not in the encoding, or not the same in every
            edition of it; the value is too long, or begins as a formula.
    """
    if text:
        check_text(text, field=what)
    try:
        data = text.encode(mapping.encoding)
    except UnicodeEncodeError as error:
        reason = f"{mapping.encoding} has no U+{ord(text[error.start]):04X}"
        raise BankTextRefusedError(field=what, reason=reason) from None
    if mapping.encoding != "utf-8" and not _MOVED.isdisjoint(text):
        reason = "holds a character whose bytes depend on the edition of GB 18030"
        raise BankTextRefusedError(field=what, reason=reason)
    if column.width is not None and len(data) > column.width:
        reason = f"has {len(data)} bytes, the column {column.width}"
        raise BankTextRefusedError(field=what, reason=reason)
    if mapping.layout == "csv" and text.startswith(_FORMULA):
        raise BankTextRefusedError(field=what, reason="begins as a formula does")
    return data


def _filled(column: Column, data: bytes) -> bytes:
    """Fills a value up to its width."""
    pad, width = column.pad.encode("ascii"), column.width or 0
    return data.rjust(width, pad) if column.align == "right" else data.ljust(width, pad)


def _join(mapping: Mapping, cells: Sequence[str], *, what: str) -> str:
    """Joins the values of a line of CSV.

    Raises:
        BankTextRefusedError: A value needs quotation marks, which the bank does not read.
    """
    if not mapping.quoted:
        if any(mapping.delimiter in cell or '"' in cell for cell in cells):
            reason = f"holds {mapping.delimiter!r} or a quotation mark, and none are read"
            raise BankTextRefusedError(field=what, reason=reason)
        return mapping.delimiter.join(cells)
    line = io.StringIO()
    csv.writer(line, delimiter=mapping.delimiter, lineterminator="").writerow(cells)
    return line.getvalue()


def parse_line(
    mapping: Mapping, columns: Sequence[Column], line: bytes, *, what: str
) -> dict[Field, str]:
    """Reads a line, without its end, into its values by field.

    Raises:
        BankFileError: It has other columns, or bytes that are no text; a constant differs.
    """
    cells = (_cut if mapping.layout == "fixed" else _split)(mapping, columns, line, what=what)
    for column, cell in zip(columns, cells, strict=True):
        if column.field is Field.CONSTANT and cell != column.value:
            reason = f"{cell[:40]!r} stands where {column.value!r} has to"
            raise BankFileError(what=what, reason=reason)
    return {column.field: cell for column, cell in zip(columns, cells, strict=True)}


def _cut(mapping: Mapping, columns: Sequence[Column], line: bytes, *, what: str) -> list[str]:
    """Cuts a line by widths.

    Raises:
        BankFileError: It is longer or shorter, or a cut goes through a character.
    """
    widths = [column.width or 0 for column in columns]
    if len(line) != sum(widths):
        reason = f"has {len(line)} bytes, its columns {sum(widths)}"
        raise BankFileError(what=what, reason=reason)
    cells: list[str] = []
    start = 0
    for column, width in zip(columns, widths, strict=True):
        cell = _decode(mapping, line[start : start + width], what=f"{what}, {column.field}")
        start += width
        cells.append(_unfilled(column, cell))
    return cells


def _unfilled(column: Column, cell: str) -> str:
    """Returns a value without what it was filled up with; a number keeps a digit."""
    if column.align == "left":
        return cell.rstrip(column.pad)
    bare = cell.lstrip(column.pad)
    return f"0{bare}" if column.pad == "0" and not bare[:1].isdigit() else bare


def _split(mapping: Mapping, columns: Sequence[Column], line: bytes, *, what: str) -> list[str]:
    """Splits a line of CSV.

    Raises:
        BankFileError: It has more or fewer values, or an open quotation mark.
    """
    text = _decode(mapping, line, what=what)
    try:
        if mapping.quoted:
            (cells,) = csv.reader([text], delimiter=mapping.delimiter, strict=True)
        else:
            cells = text.split(mapping.delimiter)
    except (csv.Error, ValueError) as error:
        raise BankFileError(what=what, reason=str(error)) from None
    if len(cells) != len(columns):
        reason = f"has {len(cells)} values, the mapping {len(columns)}"
        raise BankFileError(what=what, reason=reason)
    return [cell.strip() for cell in cells]


def _decode(mapping: Mapping, data: bytes, *, what: str) -> str:
    """Decodes text of a line.

    Raises:
        BankFileError: The bytes are none in the encoding.
    """
    try:
        return data.decode(mapping.encoding)
    except UnicodeDecodeError as error:
        reason = f"not {mapping.encoding} at byte {error.start}"
        raise BankFileError(what=what, reason=reason) from None
