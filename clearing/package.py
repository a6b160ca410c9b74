"""The clearing package of a due date: what is ordered, and what will be booked, as files.

    plan.json         the plan, whose digest the operator signs: every instruction
    postings.ndjson   a balanced entry each: for an instruction the money, for a lot its end
    accounts.ndjson   what all of these leave on each account
    manifest.json     digests and figures; an index that proves nothing

A package is derived: whoever has the state makes the same bytes. Banks take their
instructions from it, and books are compared with it when all is confirmed. It is written
voucher by voucher, and what is in memory grows with the accounts alone.
"""

import hashlib
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct
from msgspec.json import Encoder

from clearing.plan import Due, PaidVoucher, PlanDigest, Totals, compile_vouchers, plan_parts
from clearing.postings import bank_account, claims_account, debts_account
from clearing.routes import Instruction
from registry.canonical import Json, b64url_encode, format_json
from registry.errors import InvariantBrokenError, ProofFailedError

VERSION: Final = 1
PLAN, POSTINGS, ACCOUNTS = "plan.json", "postings.ndjson", "accounts.ndjson"
MANIFEST: Final = "manifest.json"
FILES: Final = (ACCOUNTS, MANIFEST, PLAN, POSTINGS)


PIECE: Final = 2**20
"""Bytes that are written and read at once."""

encode_lines: Final = Encoder().encode_lines
"""Writes structs as lines of canonical JSON: members in order, texts plain by their forms."""


class Booking(Struct, frozen=True, omit_defaults=True, gc=False):
    """A balanced entry of two postings; members in canonical order.

    Attributes:
        amount: Minor units, as text.
        credit: The account that is credited.
        debit: The account that is debited.
        lot: The lot that is discharged; none where money moves.
        n: The instruction by which it is.
    """

    amount: str
    credit: str
    debit: str
    lot: str = ""
    n: int = -1


class Left(Struct, frozen=True, gc=False):
    """What a package's postings leave on an account; members in canonical order."""

    account: str
    credited: str
    debited: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What a package comes to.

    Attributes:
        totals: The plan's figures.
        digest: The plan's digest, as the operator signs it.
        postings: Number of postings, two for each line.
        manifest: The manifest's bytes.
    """

    totals: Totals
    digest: str
    postings: int
    manifest: bytes


def write_package(directory: Path, due: Due, *, due_on: date, pay_on: date) -> Package:
    """Compiles a due date's plan and writes its package, complete or not at all.

    When this returns the files survive a crash.

    Args:
        directory: Where they go; it must not exist yet.
        due: What is due.
        due_on: The due date.
        pay_on: The day on which it is paid.

    Raises:
        FileExistsError: The directory exists.
        InvariantBrokenError: As `clearing.plan.compile_vouchers`.
        OSError: The files cannot be written.
    """
    if directory.exists():
        raise FileExistsError(f"{directory} exists")
    # A sibling, so that renaming stays within one file system.
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        with _durable(temporary / PLAN) as plan, _durable(temporary / POSTINGS) as postings:
            made = _Package(plan, postings)
            made.write(due, due_on, pay_on)
        with _durable(temporary / ACCOUNTS) as file:
            made.write_accounts(file)
        manifest = made.manifest(due_on, pay_on)
        with _durable(temporary / MANIFEST) as file:
            file.write(manifest)
        temporary.chmod(0o755)
        temporary.rename(directory)
        _sync(directory)
        _sync(directory.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Package(
        totals=made.totals, digest=made.digest.text(), postings=made.postings, manifest=manifest
    )


def verify_package(directory: Path, due: Due, *, due_on: date, pay_on: date) -> Package:
    """Makes a due date's package again and compares a directory with it, byte for byte.

    Args:
        directory: Where the files are.
        due: What is due, from a state that was replayed, or is trusted.
        due_on: The due date.
        pay_on: The day on which it is paid.

    Raises:
        ProofFailedError: A file is missing, superfluous, or not the one that follows.
        InvariantBrokenError: As `clearing.plan.compile_vouchers`.
        OSError: A file cannot be read.
    """
    names = tuple(sorted(path.name for path in directory.iterdir()))
    if names != FILES:
        raise ProofFailedError(reason=f"a package has {FILES}, this has {names}")
    with _nowhere() as plan, _nowhere() as postings, _nowhere() as accounts:
        made = _Package(plan, postings)
        made.write(due, due_on, pay_on)
        made.write_accounts(accounts)
    manifest = made.manifest(due_on, pay_on)
    if (directory / MANIFEST).read_bytes() != manifest:
        raise ProofFailedError(reason=f"{MANIFEST} is not the one that follows from the state")
    for name, digest in made.digests().items():
        found = PlanDigest() if name == PLAN else FileDigest()
        with (directory / name).open("rb") as file:
            while piece := file.read(PIECE):
                found.update(piece)
        if found.text() != digest:
            raise ProofFailedError(reason=f"{name} is not the one that follows from the state")
    return Package(
        totals=made.totals, digest=made.digest.text(), postings=made.postings, manifest=manifest
    )


class FileDigest:
    """The b64url of the SHA-256 of a file."""

    def __init__(self) -> None:
        """Starts before the first byte."""
        self._hash = hashlib.sha256()

    def update(self, data: bytes) -> None:
        """Takes the next bytes."""
        self._hash.update(data)

    def text(self) -> str:
        """Returns the digest."""
        return b64url_encode(self._hash.digest())


class _Package:
    """A package as it is written."""

    def __init__(self, plan: BinaryIO, postings: BinaryIO) -> None:
        """Starts with nothing written."""
        self.totals = Totals()
        self.postings = 0
        self.digest = PlanDigest()
        self._plan, self._postings = plan, postings
        self._posted, self._listed = FileDigest(), FileDigest()
        self._debited: defaultdict[str, int] = defaultdict(int)
        self._credited: defaultdict[str, int] = defaultdict(int)

    def write(self, due: Due, due_on: date, pay_on: date) -> None:
        """Writes plan and postings."""
        paid = compile_vouchers(due, self.totals)
        for piece in plan_parts(due_on, pay_on, map(self._book, paid), self.totals.withheld):
            self.digest.update(piece)
            self._plan.write(piece)
        owed = sum(sum_ for name, sum_ in self._debited.items() if name.startswith("debts:"))
        if owed != self.totals.total_minor:
            raise InvariantBrokenError(f"{owed} is discharged of {self.totals.total_minor}")

    def _book(self, paid: PaidVoucher) -> list[Instruction]:
        """Writes the postings of a voucher; returns its instructions."""
        debited, credited = self._debited, self._credited
        debts = debts_account(paid.voucher.debtor)
        amounts = {lot.lot: lot.amount for lot in paid.lots}
        bookings: list[Booking] = []
        for order in paid.instructions:
            n, amount = order.n, order.amount_minor
            payer, payee = bank_account(order.payer_account), bank_account(order.payee_account)
            credited[payer] += amount
            debited[payee] += amount
            bookings.append(Booking(amount=order.amount, credit=payer, debit=payee, n=n))
            claims = claims_account(order.payee)
            for lot in order.lots:
                amount = amounts[lot]
                credited[claims] += amount
                debited[debts] += amount
                booking = Booking(amount=str(amount), credit=claims, debit=debts, lot=lot, n=n)
                bookings.append(booking)
        lines = encode_lines(bookings)
        self._posted.update(lines)
        self._postings.write(lines)
        self.postings += 2 * len(bookings)
        return paid.instructions

    def write_accounts(self, file: BinaryIO) -> None:
        """Writes what is left on each account."""
        if sum(self._debited.values()) != sum(self._credited.values()):
            raise InvariantBrokenError("debits and credits differ")
        for name in sorted(self._debited.keys() | self._credited.keys()):
            credited, debited = self._credited.get(name, 0), self._debited.get(name, 0)
            left = Left(account=name, credited=str(credited), debited=str(debited))
            line = encode_lines([left])
            self._listed.update(line)
            file.write(line)

    def digests(self) -> dict[str, str]:
        """Returns the digest of each file; the plan's is the one that is signed."""
        return {
            ACCOUNTS: self._listed.text(),
            PLAN: self.digest.text(),
            POSTINGS: self._posted.text(),
        }

    def manifest(self, due_on: date, pay_on: date) -> bytes:
        """Returns the index of the files."""
        totals = self.totals
        manifest: dict[str, Json] = {
            "due_on": due_on.isoformat(),
            "files": {**self.digests()},
            "gross": str(totals.gross_minor),
            "instructions": totals.instructions,
            "lots": totals.lots,
            "pay_on": pay_on.isoformat(),
            "postings": self.postings,
            "total": str(totals.total_minor),
            "v": VERSION,
            "vouchers": totals.vouchers,
            "withheld": str(totals.withheld_minor),
        }
        return format_json(manifest) + b"\n"


@contextmanager
def _durable(path: Path) -> Iterator[BinaryIO]:
    """Gives a file to write; when it is left, what was written survives a crash."""
    with path.open("wb", buffering=PIECE) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _nowhere() -> Iterator[BinaryIO]:
    """Gives a file that keeps nothing."""
    with Path(os.devnull).open("wb", buffering=PIECE) as file:
        yield file


def _sync(directory: Path) -> None:
    """Makes the names in a directory survive a crash."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
