"""What `clearing export` orders: which instructions go out, which as one, recorded, and kept.

A file is on disk before the log says that it went out, and under its name only after: a call
that is stopped in between has handed nothing to anybody, and is made again with a reason.
"""

import os
import shutil
import tempfile
from base64 import b32encode
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from api.answers import RefusedError
from api.cli.bank_book import Instructed, Sent
from api.cli.common import talk
from api.client import Client
from clearing.model import InstructionStatus
from clearing.rails.payments import SentFile
from clearing.rails.references import instruction_id, joint_number, plan_reference
from clearing.rules.sends import (
    FILE_MAX,
    JOINT_LOTS_MAX,
    JOINT_MAX,
    JOINT_PAYMENTS_MAX,
    together,
)
from registry.canonical import Json, sha256
from registry.ids import PartyId, Sid

SEND: Final = "clearing.send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One payment of a file: an instruction, or several under a number of their own."""

    rows: tuple[Instructed, ...]
    payment: int | None = None

    @property
    def number(self) -> int:
        """Its number at the bank."""
        return self.rows[0].record.n if self.payment is None else joint_number(self.payment)

    @property
    def name(self) -> str:
        """Its id at the bank."""
        return instruction_id(Sid(self.rows[0].record.plan), self.number)

    @property
    def payer_bank(self) -> PartyId:
        """Who carries it out."""
        return self.rows[0].payer_bank

    @property
    def amount_minor(self) -> int:
        """What it moves, in fen."""
        return sum(row.record.amount for row in self.rows)

    @property
    def remittance(self) -> str:
        """附言: the voucher's number, or how to find what one payment pays."""
        if self.payment is None:
            return self.rows[0].record.remittance
        plan = plan_reference(Sid(self.rows[0].record.plan))
        return f"JOINT {plan[:8]}-{self.payment} OF {len(self.rows)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A payment file, and what it orders."""

    bank: PartyId
    file: SentFile
    orders: tuple[Order, ...]
    name: str

    @property
    def rows(self) -> list[Instructed]:
        """The instructions in it."""
        return [row for order in self.orders for row in order.rows]

    @property
    def total_minor(self) -> int:
        """What its payments come to, in fen."""
        return sum(order.amount_minor for order in self.orders)

    def note(self) -> Sent:
        """Returns what stands beside it."""
        return Sent(
            plan=self.rows[0].record.plan,
            bank=self.bank,
            format=self.file.format,
            message_id=self.file.message_id,
            file=self.name,
            digest=self.file.digest,
            count=len(self.orders),
            total=str(self.total_minor),
            batches={batch.batch: batch.instructions for batch in self.file.batches},
        )

    def body(self, again: str) -> dict[str, Json]:
        """Returns the body of the statement that records it."""
        singles = sorted(order.rows[0].record.n for order in self.orders if order.payment is None)
        joint: list[Json] = [
            {
                "payment": order.payment,
                "instructions": [row.record.n for row in order.rows],
                "amount": str(order.amount_minor),
            }
            for order in sorted(self.orders, key=lambda order: order.payment or 0)
            if order.payment is not None
        ]
        body: dict[str, Json] = {
            "bank": self.bank,
            "format": self.file.format,
            "digest": self.file.digest,
            "message_id": self.file.message_id,
            "instructions": [*singles],
            "joint": joint,
            "total": str(self.total_minor),
        }
        has_gone = any(row.record.sent for row in self.rows)
        return {**body, "again": again} if again and has_gone else body


class Orders:
    """What of a plan may go out, and which of it as one payment."""

    def __init__(
        self,
        rows: Sequence[Instructed],
        *,
        following: int = 0,
        agreed: Collection[str] = (),
        again: bool = False,
    ) -> None:
        """Chooses nothing yet.

        Args:
            rows: The plan's instructions.
            following: The number of the next payment of several instructions.
            agreed: The accounts that take such payments.
            again: What was sent, and no bank has answered, goes out too.
        """
        self._rows, self._following = rows, following
        self._agreed, self._again = agreed, again

    def going(
        self,
        out_already: Collection[str],
        place: Callable[[Instructed], Hashable],
        *,
        early: Collection[str] = (),
    ) -> Iterator[list[Order]]:
        """Yields the orders of each file that goes out now, by number.

        Args:
            out_already: Ids that stand in earlier files, and go out again only if asked for.
            place: What has a file of its own.
            early: Ids that would stand before what brings their money.
        """
        grouped: dict[Hashable, list[Instructed]] = {}
        for row in self._chosen(out_already, place, early):
            grouped.setdefault(place(row), []).append(row)
        following = self._following
        for some in grouped.values():
            orders = sorted(self._joined(some, following), key=lambda order: order.number)
            following += sum(
                order.payment is not None and order.payment >= following for order in orders
            )
            yield from _cut(orders)

    def _chosen(
        self,
        out_already: Collection[str],
        place: Callable[[Instructed], Hashable],
        early: Collection[str],
    ) -> Iterator[Instructed]:
        """Yields what may go out now, by number: its money is there, or comes by the same file."""
        done = {
            str(row.record.n) for row in self._rows if row.record.status == InstructionStatus.POSTED
        }
        going: dict[str, Hashable] = {}
        for row in self._rows:
            record, here = row.record, place(row)
            if not self._may_go(row, out_already) or is_out(row, early):
                continue
            if row.is_ready or all(n in done or going.get(n) == here for n in record.after):
                going[str(record.n)] = here
                yield row

    def _may_go(self, row: Instructed, out_already: Collection[str]) -> bool:
        """Tells whether no bank has answered an instruction, and it is not out already, or held."""
        match row.record.status:
            case InstructionStatus.PENDING:
                return not row.is_held and not is_out(row, out_already)
            case InstructionStatus.SENT:
                return self._again and not row.is_held
            case _:
                return False

    def _joined(self, rows: Sequence[Instructed], following: int) -> Iterator[Order]:
        """Yields orders: what one payment paid before it pays again, and what is new is joined."""
        known: dict[int, list[Instructed]] = {}
        alike: dict[Hashable, list[Instructed]] = {}
        for row in rows:
            record = row.record
            if record.joint is not None:
                known.setdefault(record.joint, []).append(row)
            elif row.is_ready and not record.sent and record.payee_account in self._agreed:
                alike.setdefault(together(record), []).append(row)
            else:
                yield Order(rows=(row,))
        for payment, members in known.items():
            yield Order(rows=tuple(members), payment=payment)
        for members in alike.values():
            for some in _packed(members):
                if len(some) == 1:
                    yield Order(rows=some)
                else:
                    yield Order(rows=some, payment=following)
                    following += 1


def _packed(rows: Iterable[Instructed]) -> Iterator[tuple[Instructed, ...]]:
    """Yields instructions in as many as one payment may pay."""
    some: list[Instructed] = []
    lots = 0
    for row in rows:
        count = len(row.record.lots)
        if some and (len(some) == JOINT_MAX or lots + count > JOINT_LOTS_MAX):
            yield tuple(some)
            some, lots = [], 0
        some.append(row)
        lots += count
    if some:
        yield tuple(some)


def _cut(orders: Iterable[Order]) -> Iterator[list[Order]]:
    """Yields orders in as many as one file may have."""
    some: list[Order] = []
    for order in orders:
        count = sum(len(each.rows) for each in some) + len(order.rows)
        joint = sum(each.payment is not None for each in some)
        if some and (count > FILE_MAX or joint == JOINT_PAYMENTS_MAX):
            yield some
            some = []
        some.append(order)
    if some:
        yield some


def too_early(written: Written) -> list[str]:
    """Returns what stands in a file before that which brings its money, or without it."""
    order = {each: place for place, each in enumerate(written.file.instructions)}
    ids = {str(row.record.n): each.name for each in written.orders for row in each.rows}
    return [
        instruction_id(row.record.plan, row.record.n)
        for each in written.orders
        for row in each.rows
        if not row.is_ready
        and any(n not in ids or order[ids[n]] > order[each.name] for n in row.record.after)
    ]


def is_out(row: Instructed, names: Collection[str]) -> bool:
    """Tells whether an instruction, or the payment that it is part of, is among some ids."""
    record = row.record
    numbers = {record.n} if record.joint is None else {record.n, joint_number(record.joint)}
    return not {instruction_id(record.plan, n) for n in numbers}.isdisjoint(names)


class Recorder:
    """Records in the log that a file goes to its bank."""

    def __init__(self, client: Client, party: str, *, again: str) -> None:
        """Signs as the operator; `again` is the reason of what goes again."""
        self._client, self._party, self._again = client, party, again

    def __call__(self, written: Written) -> None:
        """Signs and sends it.

        Raises:
            RefusedError: The registry refuses it.
        """
        plan = written.rows[0].record.plan
        body = written.body(self._again)
        result = self._client.do(SEND, by=self._party, body=body, re=plan)
        waits = "  待复核 waits for approval" if result.approval else ""
        talk.print(f"{result.sid}  {written.name}{waits}", style="dim")


# --- On disk --------------------------------------------------------------------------


def keep(
    directory: Path, written: Sequence[Written], record: Callable[[Written], None] | None
) -> None:
    """Writes files and notes into a new directory, over nothing: all, or those recorded.

    Raises:
        OSError: It cannot be written, or is there already.
        RefusedError: A file is not recorded; those recorded before it are there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / name_of(written)
    # Names and numbers of accounts are nobody else's business: the directory is the caller's.
    temporary = Path(tempfile.mkdtemp(prefix=".export-", dir=directory))
    left = [*written]
    try:
        if target.exists():
            raise FileExistsError(f"{target} is there already")
        for each in written:
            _write(temporary / each.name, each.file.data)
            note = msgspec.json.encode(each.note()) + b"\n"
            _write(temporary / f"{each.file.message_id}.json", note)
        _sync(temporary)
        while record is not None and left:
            record(left[0])
            left.pop(0)
    except RefusedError:
        _show(temporary, target, without=left)
        raise
    except OSError:
        if len(left) == len(written):
            shutil.rmtree(temporary)
        raise
    _show(temporary, target)


def _show(temporary: Path, target: Path, *, without: Sequence[Written] = ()) -> None:
    """Gives files their place, but for some; none of which may be there."""
    for each in without:
        (temporary / each.name).unlink()
        (temporary / f"{each.file.message_id}.json").unlink()
    if not any(temporary.iterdir()):
        temporary.rmdir()
        return
    try:
        temporary.rename(target)
    except OSError:
        shutil.rmtree(temporary)
        raise
    _sync(target.parent)


def _write(path: Path, data: bytes) -> None:
    """Writes a new file, which survives a crash."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def name_of(written: Sequence[Written]) -> str:
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
