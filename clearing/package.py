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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

from clearing.books import format_left
from clearing.compiling import Part, Sums, compile_due, count_from_zero
from clearing.plan import Due, PlanDigest, plan_parts
from clearing.shares import SharedDue, compile_shares
from clearing.totals import Totals
from registry.canonical import Json, b64url_encode, format_json
from registry.errors import ProofFailedError

VERSION: Final = 1
PLAN, POSTINGS, ACCOUNTS = "plan.json", "postings.ndjson", "accounts.ndjson"
MANIFEST: Final = "manifest.json"
FILES: Final = (ACCOUNTS, MANIFEST, PLAN, POSTINGS)


PIECE: Final = 2**20
"""Bytes that are written and read at once."""


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


def write_package(directory: Path, due: Due | SharedDue, *, due_on: date, pay_on: date) -> Package:
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
        package = made.result(due_on, pay_on)
        with _durable(temporary / MANIFEST) as file:
            file.write(package.manifest)
        temporary.chmod(0o755)
        temporary.rename(directory)
        _sync(directory)
        _sync(directory.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return package


def verify_package(directory: Path, due: Due | SharedDue, *, due_on: date, pay_on: date) -> Package:
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
    package = made.result(due_on, pay_on)
    if (directory / MANIFEST).read_bytes() != package.manifest:
        raise ProofFailedError(reason=f"{MANIFEST} is not the one that follows from the state")
    for name, digest in made.digests().items():
        found = PlanDigest() if name == PLAN else FileDigest()
        with (directory / name).open("rb") as file:
            while piece := file.read(PIECE):
                found.update(piece)
        if found.text() != digest:
            raise ProofFailedError(reason=f"{name} is not the one that follows from the state")
    return package


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
        self.digest = PlanDigest()
        self._sums = Sums()
        self._plan, self._postings = plan, postings
        self._posted, self._listed = FileDigest(), FileDigest()

    def write(self, due: Due | SharedDue, due_on: date, pay_on: date) -> None:
        """Writes plan and postings."""
        if isinstance(due, SharedDue):
            parts = compile_shares(due, self._sums)
        else:
            parts = compile_due(due, self._sums, count_from_zero())
        for piece in plan_parts(due_on, pay_on, map(self._post, parts), self.totals):
            self.digest.update(piece)
            self._plan.write(piece)
        self._sums.books.verify(self.totals.total_minor)

    def _post(self, part: Part) -> bytes:
        """Writes the postings of a part; returns its instructions."""
        self._posted.update(part.postings)
        self._postings.write(part.postings)
        return part.instructions

    def write_accounts(self, file: BinaryIO) -> None:
        """Writes what is left on each account."""
        for account in self._sums.books:
            line = format_left(account)
            self._listed.update(line)
            file.write(line)

    @property
    def totals(self) -> Totals:
        """The plan's figures."""
        return self._sums.totals

    @property
    def postings(self) -> int:
        """Number of postings: two for each instruction, and two for each lot."""
        return 2 * (self.totals.instructions + self.totals.lots)

    def digests(self) -> dict[str, str]:
        """Returns the digest of each file; the plan's is the one that is signed."""
        return {
            ACCOUNTS: self._listed.text(),
            PLAN: self.digest.text(),
            POSTINGS: self._posted.text(),
        }

    def result(self, due_on: date, pay_on: date) -> Package:
        """Returns what the package comes to, with the index of its files."""
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
        return Package(
            totals=totals,
            digest=self.digest.text(),
            postings=self.postings,
            manifest=format_json(manifest) + b"\n",
        )


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
