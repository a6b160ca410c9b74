"""The lots of a snapshot, line by line: written from rows, verified from their bytes alone.

    {"opening":{"facts":{…},"holder":…,"salt":…},"record":{…}}

A line is verified by making its record's digests again from its opening. Lines in the form
in which we write them are verified many together; any other is looked at member by member,
and what that refuses is refused.

Source: docs/formats.md, Snapshot.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from itertools import islice
from operator import lt
from typing import Any, BinaryIO, Final, NamedTuple

from registry.canonical import format_json, parse_object
from registry.errors import MalformedError, ProofFailedError
from registry.ids import parse_lot_id
from registry.leaves import (
    DETAIL,
    HOLDER,
    LotColumns,
    hash_records,
    hide,
    open_salts,
    write_digests,
    write_records,
)
from registry.sumtree import SumNode, SumRange, hash_record

LINES_AT_ONCE: Final = 1_024
"""Lines that are verified together: few enough to stay in a processor's cache."""

OUT_OF_ORDER: Final = "lots.ndjson: the lots are not in leaf order"

Show = Callable[[Mapping[str, Any]], None]
"""Is given each lot's record and opening."""
Place = tuple[int, int]
"""A lot's place in leaf order: (born, n)."""


def write_lines(lots: LotColumns, records: Iterable[str]) -> str:
    """Writes the lines of lots whose records are written."""
    return "".join([
        f'{{"opening":{{"facts":{facts},"holder":"{holder}","salt":"{salt}"}},"record":{record}}}\n'
        for facts, holder, salt, record in zip(
            lots.facts, lots.holder, lots.salt, records, strict=True
        )
    ])  # fmt: skip


def read_object(data: bytes, what: str) -> dict[str, Any]:
    """Parses a file that is one canonical JSON object and a line end."""
    if not data.endswith(b"\n"):
        raise MalformedError(what=what, reason="does not end with a line end")
    return dict(parse_object(data[:-1], what=what))


# --- All lines --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is known of a snapshot's lots before they are looked at.

    Attributes:
        family: `holder` or `voucher`.
        bucket: The party or the voucher that all of them belong to.
        at: The size of the log below which all of them were born.
    """

    family: str
    bucket: str
    at: int


class Part(NamedTuple):
    """What consecutive lots, verified one by one and among each other, come to.

    Attributes:
        first: The place of the first in leaf order.
        last: The place of the last.
        subtrees: The roots over them, the largest first.
    """

    first: Place
    last: Place
    subtrees: tuple[SumNode, ...]


Verify = Callable[[Iterable[bytes], Expected], Iterable[tuple[bytes, Part | None]]]
"""Verifies parts of `LINES_AT_ONCE` lines; None beside one that is to be looked at line by line."""


def verify_here(parts: Iterable[bytes], expected: Expected) -> Iterator[tuple[bytes, Part | None]]:
    """Verifies parts in this process."""
    for data in parts:
        yield data, verify_together(data, expected)


def verify_lots(
    lines: BinaryIO, expected: Expected, *, verify: Verify = verify_here, show: Show | None = None
) -> tuple[SumNode, bytes]:
    """Verifies all lines of a snapshot's lots, a part of them in memory.

    Args:
        lines: The file of lots.
        expected: What is known of them.
        verify: Verifies parts of it.
        show: Is given each lot's record and opening, if anybody wants them.

    Returns:
        The root over the lots, and the digest of the file.

    Raises:
        MalformedError, NotCanonicalError: A line does not have the form of one.
        ProofFailedError: A line does not follow from what is expected, or they are not in
            leaf order.
    """
    tree, digest, last, number = SumRange(), sha256(), (-1, -1), 1
    parts = iter(lambda: b"".join(islice(lines, LINES_AT_ONCE)), b"")
    for data, part in verify(parts, expected) if show is None else ((each, None) for each in parts):
        digest.update(data)
        if part is None:
            part = verify_each(BytesIO(data), number, expected, after=last, show=show)
        if last >= part.first:
            raise ProofFailedError(reason=OUT_OF_ORDER)
        for subtree in part.subtrees:
            tree.join(subtree)
            number += subtree.count
        last = part.last
    return tree.root(), digest.digest()


# --- Many lines together ----------------------------------------------------------------

_COUNT: Final = "(?:0|[1-9][0-9]{0,14})"
_DIGEST: Final = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
_PLAIN: Final = r'[^"\\\x00-\x1f\x7f]*'
_FACTS: Final = (
    rf'\{{"acknowledged":(?:true|false),"assignments":{_COUNT},"burdens":\[\],'
    rf'"due_on":"{_PLAIN}","payee":"{_PLAIN}","recourse":(?:true|false),"status":"{_PLAIN}",'
    rf'"tier":{_COUNT}\}}'
)
_RECORD: Final = (
    rf'\{{"amount":"([1-9][0-9]{{0,14}})","born":({_COUNT}),"detail":"({_DIGEST})",'
    rf'"holder":"({_DIGEST})","lot":"{_DIGEST}\.(0|[1-9][0-9]{{0,8}})","voucher":"({_PLAIN})"\}}'
)
_LINE: Final = re.compile(
    rf'^\{{"opening":\{{"facts":({_FACTS}),"holder":"({_PLAIN})",'
    rf'"salt":"([A-Za-z0-9_-]{{21}}[AQgw])"\}},"record":({_RECORD})\}}$',
    re.MULTILINE,
)
"""A line that is canonical for sure, and in it all that its record is checked by."""


def verify_together(data: bytes, expected: Expected) -> Part | None:
    """Verifies whole lines, at least one; None if one has to be looked at by itself."""
    if not data.isascii() or not data.endswith(b"\n"):
        return None
    found = _LINE.findall(data.decode("ascii"))
    if len(found) != data.count(b"\n"):
        return None
    columns = zip(*found, strict=True)
    facts, holders, salts, records, amounts, births, details, hidden, numbers, vouchers = columns
    opened = open_salts(salts)
    places = list(zip(map(int, births), map(int, numbers), strict=True))
    if (
        write_digests(hide(DETAIL, opened, facts)) != [*details]
        or write_digests(hide(HOLDER, opened, holders)) != [*hidden]
        or {*(vouchers if expected.family == "voucher" else holders)} != {expected.bucket}
        or places[-1] >= (expected.at,)
        or not all(map(lt, places, places[1:]))
    ):
        return None
    return _part(places, hash_records(records), [*map(int, amounts)])


def _part(places: Sequence[Place], hashes: Sequence[bytes], amounts: Sequence[int]) -> Part:
    """Makes the trees over verified lots."""
    tree = SumRange()
    tree.extend(hashes, amounts)
    return Part(places[0], places[-1], tree.frontier)


# --- One by one -------------------------------------------------------------------------


def verify_each(
    lines: Iterable[bytes], number: int, expected: Expected, *, after: Place, show: Show | None
) -> Part:
    """Verifies lines one by one, and says what is wrong with the first that is wrong.

    Args:
        lines: At least one.
        number: That of the first.
        expected: What is known of them.
        after: The place of the lot before them.
        show: Is given each lot's record and opening, if anybody wants them.

    Raises:
        MalformedError, NotCanonicalError: A line does not have the form of one.
        ProofFailedError: Something does not follow from what the bucket's record says.
    """
    places, leaves = [after], list[SumNode]()
    for at, line in enumerate(lines, number):
        lot = read_object(line, f"lots.ndjson line {at}")
        leaves.append(verify_lot(lot, at, expected))
        if show is not None:
            show(lot)
        places.append((lot["record"]["born"], parse_lot_id(lot["record"]["lot"])[1]))
        if places[-2] >= places[-1]:
            raise ProofFailedError(reason=OUT_OF_ORDER)
    return _part(places[1:], [leaf.hash for leaf in leaves], [leaf.total for leaf in leaves])


def verify_lot(lot: Mapping[str, Any], number: int, expected: Expected) -> SumNode:
    """Regenerates a lot's record from its opening and returns its leaf."""
    opening, record = lot["opening"], lot["record"]
    if set(lot) != {"opening", "record"} or set(opening) != {"facts", "holder", "salt"}:
        raise MalformedError(what=f"lot {number}", reason="has superfluous members")
    amount = int(record["amount"])
    (made,) = write_records(
        LotColumns(
            lot=(record["lot"],),
            voucher=(record["voucher"],),
            amount=(amount,),
            holder=(opening["holder"],),
            born=(record["born"],),
            salt=(opening["salt"],),
            facts=(format_json(opening["facts"]).decode(),),
        )
    )
    if made.encode() != format_json(record):
        raise ProofFailedError(reason=f"lot {number}: the opening does not give the record")
    named = record["voucher"] if expected.family == "voucher" else opening["holder"]
    if named != expected.bucket or record["born"] >= expected.at:
        raise ProofFailedError(reason=f"lot {number}: belongs to another bucket or a later state")
    return hash_record(made.encode(), amount)
