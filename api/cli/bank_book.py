"""What commands about bank files read: instructions, the details of accounts, files that went out.

The details of an account are its confidential terms: `account_name` (户名), `account_no`
(账号), `bank_name` (开户行), `bank_code` (联行号). They are opened in the registry where the
caller may read them, which proves them by their digest in the log; else they come from a file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from api.answers import RefusedError
from api.cli.screen import Reader
from clearing.model import InstructionRecord
from clearing.rails.errors import BankFileError, DetailsMissingError
from clearing.rails.payments import AccountDetails, SentBatch, SentFile
from registry.errors import MalformedError
from registry.ids import PartyId, Sid

LONG_PAGE: Final = 1_000
_MEMBERS: Final = ("account_name", "account_no", "bank_name", "bank_code")
_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(InstructionRecord))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructed:
    """An instruction, as the registry shows it to whoever asks.

    Attributes:
        record: Its row.
        payer_bank: Who keeps the payer's account.
        is_ready: Whether everything that comes before is posted, at any bank, and it is not held.
        is_held: Whether it waits for its debtor's approval of the list, and is not sent.
    """

    record: InstructionRecord
    payer_bank: PartyId
    is_ready: bool
    is_held: bool


def instructions_of(ask: Reader, plan: str) -> list[Instructed]:
    """Returns the instructions of a plan that the reader sees, by number."""
    found: list[Instructed] = []
    for row in ask.rows("/v1/clearing/instructions", plan=plan, limit=LONG_PAGE):
        # What the payee keeps is not everybody's to see, and no bank's file tells of it.
        row = {"kept": row["amount"], "parts": [], **row}
        members = {name: row[name] for name in _FIELDS if name in row}
        record = msgspec.convert(members, InstructionRecord, strict=False)
        bank, is_ready = PartyId(row["payer_bank"]), bool(row["ready"])
        is_held = bool(row["held"])
        found.append(Instructed(record=record, payer_bank=bank, is_ready=is_ready, is_held=is_held))
    return sorted(found, key=lambda each: each.record.n)


# --- Accounts -------------------------------------------------------------------------


_DIGESTS: Final = {"account-registered": "digest", "court-payment-ordered": "account"}
"""By effect that names an account: where the digest of its terms stands."""


class AddressBook:
    """The details of accounts, as they are asked for."""

    def __init__(self, ask: Reader, file: Path | None) -> None:
        """Reads the file, if there is one.

        Raises:
            OSError: It cannot be read.
            MalformedError: It is no object of accounts.
        """
        self._ask = ask
        self._file = {} if file is None else _read_object(file)
        self._found: dict[Sid, AccountDetails] = {}

    def details(self, account: Sid, *, bank: PartyId) -> AccountDetails:
        """Returns the details of an account at a bank.

        Raises:
            DetailsMissingError: Neither registry nor file has them for the caller.
            BankFileError: The two differ.
            MalformedError, BankTextRefusedError: They cannot stand in a bank's file.
        """
        if account not in self._found:
            opened, listed = self._opened(account), self._file.get(account)
            terms = [_details(each, bank) for each in (opened, listed) if each is not None]
            if not terms:
                raise DetailsMissingError(account=account)
            if terms[0] != terms[-1]:
                reason = "the book and the terms that its owner has put differ"
                raise BankFileError(what=f"account {account}", reason=reason)
            self._found[account] = terms[0]
        return self._found[account]

    def _opened(self, account: Sid) -> Mapping[str, Any] | None:
        """Returns an account's opened terms; None where the caller may not read them."""
        try:
            made = self._ask.get(f"/v1/statements/{account}")
            changes = made["effects"]["changes"]
            named = [each for each in changes if each["effect"] in _DIGESTS]
            (digest,) = [each[_DIGESTS[each["effect"]]] for each in named]
            path = f"/v1/openings/{quote(digest, safe='')}"
            found: Mapping[str, Any] = self._ask.get(path, statement=account)["terms"]
        except RefusedError as error:
            if error.code != "not-found":
                raise
            return None
        return found


def _details(terms: Any, bank: PartyId) -> AccountDetails:
    """Reads the details of an account.

    Raises:
        MalformedError: A member is missing, or no text.
    """
    if not isinstance(terms, dict) or not all(isinstance(terms.get(n), str) for n in _MEMBERS):
        raise MalformedError(what="account details", reason=f"not with {', '.join(_MEMBERS)}")
    name, number, branch, code = (terms[member] for member in _MEMBERS)
    return AccountDetails(bank=bank, name=name, number=number, branch=branch, clearing_code=code)


def _read_object(path: Path) -> dict[str, Any]:
    """Reads a file of one JSON object.

    Raises:
        MalformedError: It is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MalformedError(what=str(path), reason=f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise MalformedError(what=str(path), reason="no JSON object")
    return found


# --- Files that went out --------------------------------------------------------------


class Sent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment file that was written, as the note beside it says."""

    plan: Sid
    bank: PartyId
    format: str
    message_id: str
    file: str
    digest: str
    count: int
    total: str
    batches: dict[str, tuple[str, ...]]

    @property
    def instructions(self) -> tuple[str, ...]:
        """The ids of the instructions in it, in the order of the file."""
        return tuple(each for batch in self.batches.values() for each in batch)

    def as_file(self) -> SentFile:
        """Returns it without its bytes, as matching wants it."""
        batches = tuple(
            SentBatch(batch=batch, instructions=each) for batch, each in self.batches.items()
        )
        return SentFile(format=self.format, message_id=self.message_id, data=b"", batches=batches)


def sent_files(directory: Path | None) -> list[Sent]:
    """Returns the payment files that were written into a directory.

    Raises:
        OSError: A note cannot be read.
        MalformedError: What stands beside a payment file is no note of ours.
    """
    if directory is None:
        return []
    found: list[Sent] = []
    for path in sorted(directory.glob("*/TS*.json")):
        if path.parent.name.startswith("."):
            # A call that was killed has left it: none of its files ever went out.
            continue
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Sent))
        except msgspec.MsgspecError as error:
            raise MalformedError(what=str(path), reason=str(error)) from None
    return found
