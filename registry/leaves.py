"""Lots as leaves of the state tree: their records, and what these hide behind salts.

    record   {"amount":…,"born":…,"detail":…,"holder":…,"lot":…,"voucher":…}
    detail   digest of salt and facts: status, tier, payee account, …
    holder   digest of salt and holder

Lots come very many at a time, so they stand in columns, and each step is one loop over
them. Texts are written as they are: ids, dates and digests are plain ASCII by their
forms, which are checked where they come in.

Source: docs/formats.md, State tree.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

from registry.canonical import b64url_decode, b64url_encode
from registry.errors import MalformedError
from registry.model import Lot
from registry.sumtree import RECORD_PREFIX

DETAIL: Final = b"tallystick-detail/1\x00"
HOLDER: Final = b"tallystick-holder/1\x00"

FIELDS: Final = (
    "lot", "voucher", "amount", "holder", "born", "salt", "account", "path",
    "acknowledged", "burdens", "due_on", "recourse", "status", "tier",
)  # fmt: skip
"""The fields of a lot of which its leaf is made."""

fields_of = attrgetter(*FIELDS)
"""Returns these fields of a lot."""


class LotColumns(NamedTuple):
    """Lots as far as their leaves show them: in each column one value for each lot."""

    lot: Sequence[str]
    voucher: Sequence[str]
    amount: Sequence[int]
    holder: Sequence[str]
    born: Sequence[int]
    salt: Sequence[str]
    facts: Sequence[str]


def columns_of(lots: Iterable[tuple[Any, ...]], payees: Mapping[str, str]) -> LotColumns:
    """Returns lots in columns, their facts written.

    Args:
        lots: The `FIELDS` of each; there is at least one.
        payees: The digest of each account.
    """
    lot, voucher, amount, holder, born, salt, *facts = zip(*lots, strict=True)
    return LotColumns(lot, voucher, amount, holder, born, salt, _write_facts(payees, *facts))


def _write_facts(payees: Mapping[str, str], *columns: Sequence[Any]) -> list[str]:
    """Writes the facts of lots that their detail digests hide."""
    return [
        f'{{"acknowledged":{_BOOLEAN[acknowledged]},"assignments":{len(path) - 1},'
        f'"burdens":{_write_ids(burdens) if burdens else "[]"},"due_on":"{due_on}",'
        f'"payee":"{payees[account]}","recourse":{_BOOLEAN[recourse]},"status":"{status}",'
        f'"tier":{tier}}}'
        for account, path, acknowledged, burdens, due_on, recourse, status, tier in zip(
            *columns, strict=True
        )
    ]


def _write_ids(ids: Sequence[str]) -> str:
    """Writes a list of ids, of which there is at least one."""
    return '["' + '","'.join(ids) + '"]'


_BOOLEAN: Final = {False: "false", True: "true"}


def write_records(lots: LotColumns) -> list[str]:
    """Writes the level-1 records of lots, holders and facts hidden behind their salts.

    Raises:
        MalformedError: A salt is none.
    """
    salts = open_salts(lots.salt)
    details = write_digests(hide(DETAIL, salts, lots.facts))
    holders = write_digests(hide(HOLDER, salts, lots.holder))
    return [
        f'{{"amount":"{amount}","born":{born},"detail":"{detail}","holder":"{holder}",'
        f'"lot":"{lot}","voucher":"{voucher}"}}'
        for amount, born, detail, holder, lot, voucher in zip(
            lots.amount, lots.born, details, holders, lots.lot, lots.voucher, strict=True
        )
    ]


def hash_records(records: Iterable[str]) -> list[bytes]:
    """Returns the hashes of records' leaves, which are the same in both buckets of a lot."""
    return [sha256(RECORD_PREFIX + record.encode()).digest() for record in records]


def hide(domain: bytes, salts: Iterable[bytes], texts: Iterable[str]) -> list[bytes]:
    """Hashes texts, each with its salt."""
    return [
        sha256(domain + salt + text.encode()).digest()
        for salt, text in zip(salts, texts, strict=True)
    ]


# --- base64url, of very many at once --------------------------------------------------


def open_salts(salts: Sequence[str]) -> list[bytes]:
    """Decodes salts from base64url, in one go.

    Raises:
        MalformedError: One is none.
    """
    # 22 characters and two that stand for zeros are 18 bytes, of which the last two are zero.
    opened = b64url_decode("AA".join([*salts, ""]), what="salt")
    if any(len(salt) != 22 for salt in salts) or any(opened[16::18]) or any(opened[17::18]):
        raise MalformedError(what="salt", reason="not 16 bytes in base64url without padding")
    return [opened[at : at + 16] for at in range(0, len(opened), 18)]


def write_digests(digests: Iterable[bytes]) -> list[str]:
    """Encodes digests as base64url, in one go."""
    # 32 bytes and a zero are 44 characters, of which the last is of the zero.
    text = b64url_encode(b"\x00".join([*digests, b""]))
    return [text[at : at + 43] for at in range(0, len(text), 44)]


# --- Order -----------------------------------------------------------------------------


def in_order(lots: Iterable[Lot]) -> list[Lot]:
    """Returns a bucket's lots in leaf order: by (born, n)."""
    return sorted(lots, key=lambda lot: (lot.born, _number_of(lot.lot)))


def parts_in_order(
    lots: Iterator[tuple[Any, ...]], size: int
) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yields a bucket's lots in leaf order, about `size` at a time.

    Args:
        lots: The `FIELDS` of each, by birth.
        size: How many are read at a time.
    """
    waiting: list[tuple[Any, ...]] = []
    while some := list(islice(lots, size)):
        waiting += some
        # Of the entry that made the last one, there may be more.
        end = bisect_left(waiting, waiting[-1][_BORN], key=itemgetter(_BORN))
        if end:
            yield sorted(waiting[:end], key=_place_of)
            del waiting[:end]
    if waiting:
        yield sorted(waiting, key=_place_of)


_LOT, _BORN = FIELDS.index("lot"), FIELDS.index("born")


def _place_of(lot: tuple[Any, ...]) -> tuple[int, int]:
    """Returns a lot's place in leaf order."""
    return lot[_BORN], _number_of(lot[_LOT])


def _number_of(lot: str) -> int:
    """Returns the number that a lot has in its statement."""
    return int(lot.rpartition(".")[2])
