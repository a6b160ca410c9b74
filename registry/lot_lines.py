"""Verifying the lots of a snapshot, line by line: that each opening gives its record.

Source: docs/formats.md, Snapshot.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import DecodeError

from registry.canonical import format_json, parse_object
from registry.errors import MalformedError, ProofFailedError
from registry.ids import parse_lot_id
from registry.leaves import LotLine, lot_record, read_line, write_json
from registry.sumtree import RECORD_PREFIX, SumNode, hash_record

Show = Callable[[Mapping[str, Any]], None]
"""Is given each lot's record and opening."""


def read_object(data: bytes, what: str) -> dict[str, Any]:
    """Parses a file that is one canonical JSON object and a line end."""
    if not data.endswith(b"\n"):
        raise MalformedError(what=what, reason="does not end with a line end")
    return dict(parse_object(data[:-1], what=what))


def verify_line(
    line: bytes,
    number: int,
    bucket: Mapping[str, Any],
    state: Mapping[str, Any],
    show: Show | None,
) -> tuple[bytes, int, tuple[int, int]]:
    """Verifies one line of lots; returns hash and amount of its leaf, and its place in order.

    A line in the form in which we write them is verified quickly. Any other is looked at
    member by member, and what that refuses is refused.
    """
    lot = _read_line(line) if show is None else None
    if lot is not None:
        record, written = lot.record, write_json(lot.record)
        made = lot_record(
            lot=record.lot,
            voucher=record.voucher,
            amount=int(record.amount),
            born=record.born,
            holder=lot.opening.holder,
            salt=lot.opening.salt,
            facts=write_json(lot.opening.facts),
        )
        named = record.voucher if bucket["family"] == "voucher" else lot.opening.holder
        if made == record and named == bucket["bucket"] and record.born < state["at"]:
            place = record.born, parse_lot_id(record.lot)[1]
            digest = hashlib.sha256(RECORD_PREFIX + written).digest()
            return digest, int(record.amount), place
    shown = read_object(line, f"lots.ndjson line {number}")
    leaf = verify_lot(shown, number, bucket, state)
    if show is not None:
        show(shown)
    return leaf.hash, leaf.total, _place(shown)


def _read_line(line: bytes) -> LotLine | None:
    """Reads a line that is canonical for sure: plain ASCII, and as it is written again."""
    if not line.isascii() or b"\\" in line or b"\x7f" in line:
        return None
    try:
        lot = read_line(line)
    except DecodeError:
        return None
    return lot if write_json(lot) + b"\n" == line else None


def verify_lot(
    lot: Mapping[str, Any], number: int, bucket: Mapping[str, Any], state: Mapping[str, Any]
) -> SumNode:
    """Regenerates a lot's record from its opening and returns its leaf."""
    opening, record = lot["opening"], lot["record"]
    if set(lot) != {"opening", "record"} or set(opening) != {"facts", "holder", "salt"}:
        raise MalformedError(what=f"lot {number}", reason="has superfluous members")
    amount = int(record["amount"])
    made = lot_record(
        lot=record["lot"],
        voucher=record["voucher"],
        amount=amount,
        born=record["born"],
        holder=opening["holder"],
        salt=opening["salt"],
        facts=format_json(opening["facts"]),
    )
    written = write_json(made)
    if written != format_json(record):
        raise ProofFailedError(reason=f"lot {number}: the opening does not give the record")
    named = record["voucher"] if bucket["family"] == "voucher" else opening["holder"]
    if named != bucket["bucket"] or record["born"] >= state["at"]:
        raise ProofFailedError(reason=f"lot {number}: belongs to another bucket or a later state")
    return hash_record(written, amount)


def _place(lot: Mapping[str, Any]) -> tuple[int, int]:
    """Returns a lot's place in leaf order."""
    return lot["record"]["born"], parse_lot_id(lot["record"]["lot"])[1]
