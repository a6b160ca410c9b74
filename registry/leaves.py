"""A lot as a leaf of the state tree: its record, and what the record hides behind a salt.

    record   {"amount":…,"born":…,"detail":…,"holder":…,"lot":…,"voucher":…}
    detail   digest of salt and facts: status, tier, payee account, …
    holder   digest of salt and holder

Source: docs/formats.md, State tree.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.json import Decoder, Encoder

from registry.canonical import b64url_decode, b64url_encode
from registry.model import Lot
from registry.profile import INTEGER_MAX
from registry.sumtree import RECORD_PREFIX, SumNode

DETAIL = b"tallystick-detail/1\x00"
HOLDER = b"tallystick-holder/1\x00"


Count = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]


class LotFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The facts of a lot that its detail digest hides; members in canonical order."""

    acknowledged: bool
    assignments: Count
    burdens: tuple[str, ...]
    due_on: str
    payee: str
    recourse: bool
    status: str
    tier: Count


class LotRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The level-1 record of a lot; members in canonical order."""

    amount: str
    born: Count
    detail: str
    holder: str
    lot: str
    voucher: str


write_json = Encoder().encode
"""Writes a struct whose members stand in canonical order; its texts must be plain ASCII.

That is canonical JSON, without a look at the texts. Ids, dates and digests are plain by
their forms, which are checked where they come in.
"""


class LeafLot(Struct, frozen=True, gc=False):
    """A lot as far as its leaf shows it, for who reads very many."""

    lot: str
    voucher: str
    amount: int
    holder: str
    born: int
    due_on: str
    path: tuple[str, ...]
    tier: int
    account: str
    recourse: bool
    acknowledged: bool
    status: str
    burdens: tuple[str, ...]
    salt: str

    @property
    def assignments(self) -> int:
        """Number of assignments of any purpose behind this lot (转让手数)."""
        return len(self.path) - 1


AnyLot = Lot | LeafLot


def lot_facts(lot: AnyLot, *, payee: str) -> LotFacts:
    """Returns the facts of a lot that its detail digest hides."""
    return LotFacts(
        acknowledged=lot.acknowledged,
        assignments=lot.assignments,
        burdens=lot.burdens,
        due_on=lot.due_on,
        payee=payee,
        recourse=lot.recourse,
        status=lot.status,
        tier=lot.tier,
    )


def lot_record(
    *, lot: str, voucher: str, amount: int, born: int, holder: str, salt: str, facts: bytes
) -> LotRecord:
    """Returns the level-1 record of a lot, holder and canonical facts hidden behind its salt."""
    raw = b64url_decode(salt, what="salt", length=16)
    detail = sha256(DETAIL + raw + facts).digest()
    hidden = sha256(HOLDER + raw + holder.encode("ascii")).digest()
    # Written in one go: 32 bytes and a zero are 44 characters, of which 43 are the digest's.
    digests = b64url_encode(b"%b\x00%b" % (detail, hidden))
    return LotRecord(
        amount=str(amount),
        born=born,
        detail=digests[:43],
        holder=digests[44:],
        lot=lot,
        voucher=voucher,
    )


def record_of(lot: AnyLot, facts: LotFacts) -> LotRecord:
    """Returns the level-1 record of a live lot."""
    return lot_record(
        lot=lot.lot,
        voucher=lot.voucher,
        amount=lot.amount,
        born=lot.born,
        holder=lot.holder,
        salt=lot.salt,
        facts=write_json(facts),
    )


def lot_hash(lot: AnyLot, payee: str) -> bytes:
    """Returns the hash of a live lot's leaf, which is the same in both of its buckets."""
    record = write_json(record_of(lot, lot_facts(lot, payee=payee)))
    return sha256(RECORD_PREFIX + record).digest()


def lot_leaf(lot: AnyLot, payee: str) -> SumNode:
    """Returns a live lot's leaf."""
    return SumNode(lot_hash(lot, payee), lot.amount, 1)


def place_of(lot: AnyLot) -> tuple[int, int]:
    """Returns a lot's place in leaf order: (born, n)."""
    return lot.born, int(lot.lot.rpartition(".")[2])


def in_order(lots: Iterable[Lot]) -> list[Lot]:
    """Returns a bucket's lots in leaf order."""
    return sorted(lots, key=place_of)


class Opening(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a lot's record hides."""

    facts: LotFacts
    holder: str
    salt: str


class LotLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A lot as snapshots show it: record and opening."""

    opening: Opening
    record: LotRecord


read_line = Decoder(LotLine).decode
"""Reads a line of lots; whether it is in canonical form is not looked at."""


def lot_line(lot: AnyLot, payee: str) -> LotLine:
    """Returns a live lot's record and what it hides."""
    facts = lot_facts(lot, payee=payee)
    opening = Opening(facts=facts, holder=lot.holder, salt=lot.salt)
    return LotLine(opening=opening, record=record_of(lot, facts))
