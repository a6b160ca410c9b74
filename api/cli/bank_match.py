"""Files of a bank against instructions: one after the other, each as the ones before left it.

What is found of a file is signed before the next one is matched, so that a call that was
stopped anywhere is simply made again: the registry shows what it has been told.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from api.answers import Result
from api.cli.bank_book import AddressBook, Instructed, Sent, instructions_of
from api.cli.screen import Reader
from clearing.model import OPEN, InstructionRecord, InstructionStatus
from clearing.rails.batchfile import read_reply
from clearing.rails.errors import BankFileError
from clearing.rails.findings import Expected, Ignored, Matched, Outcome, Passed, Report, Unmatched
from clearing.rails.iso20022 import read_iso20022
from clearing.rails.mapping import Field
from clearing.rails.mapping import Mapping as BankMapping
from clearing.rails.matching import match
from clearing.rails.messages import Item, Message, Side, Status
from clearing.rails.references import (
    JOINT_FROM,
    find_instruction,
    index_plans,
    instruction_id,
    joint_number,
    parse_instruction_id,
)
from registry.errors import MalformedError
from registry.ids import PartyId, Sid

Sign = Callable[[Report, Message], Result]
"""Signs and sends a report that was read from a message."""


@dataclass(kw_only=True)
class BankFile:
    """A file of the bank, and what came of it.

    Attributes:
        path: Where it is.
        messages: What it says.
        reported: What of it is signed, or would be, by plan.
        statements: The ids of what was signed.
        unmatched: For a person.
        ignored: What changes nothing.
    """

    path: Path
    messages: tuple[Message, ...]
    reported: list[tuple[Sid, Outcome]] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    unmatched: tuple[Unmatched, ...] = ()
    ignored: tuple[Passed, ...] = ()

    @property
    def gaps(self) -> list[Message]:
        """Statements whose balances and bookings do not add up."""
        return [message for message in self.messages if message.gap_minor]

    @property
    def waits(self) -> bool:
        """Whether something in it waits for what comes before."""
        return any(each.why is Ignored.WAITS for each in self.ignored)


def read_files(
    paths: Sequence[Path], mapping: BankMapping | None, sent: Sequence[Sent], *, answers: str
) -> list[BankFile]:
    """Reads all files, before anything of any is signed.

    Args:
        paths: Where they are.
        mapping: The bank's; without one they are ISO 20022.
        sent: What went out.
        answers: The message id of the file that a reply which names none answers.

    Raises:
        OSError: One cannot be read.
        RegistryError: One is not as its format says.
    """
    found: list[BankFile] = []
    for path in paths:
        data = path.read_bytes()
        if mapping is None:
            messages = read_iso20022(data)
        else:
            messages = (_reply(data, mapping, sent, answers=answers),)
        found.append(BankFile(path=path, messages=messages))
    return found


def _reply(data: bytes, mapping: BankMapping, sent: Sequence[Sent], *, answers: str) -> Message:
    """Reads a mapped reply, together with the file that it answers if that is known."""
    message = read_reply(data, mapping)
    named = message.message_id or answers
    of = next((each for each in sent if each.message_id == named), None)
    if of is not None:
        return read_reply(data, mapping, sent=of.as_file())
    if all(column.field is not Field.INSTRUCTION for column in mapping.reply.line):
        reason = f"names payments by their place in file {named!r}, of which there is no note"
        raise BankFileError(what="reply", reason=reason)
    return message


class References:
    """Under which of its own references the bank has booked what: a second one is another booking.

    Kept in a file from one call to the next, where one is named.
    """

    def __init__(self, path: Path | None) -> None:
        """Reads what is kept."""
        self._path = path
        self._known: dict[str, str] = {}
        if path is not None and path.exists():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise MalformedError(what=str(path), reason=f"no JSON: {error}") from None
            self._known = {str(name): str(text) for name, text in found.items()}

    def get(self, instruction: str) -> str | None:
        """Returns the reference of the booking that posted an instruction, if it is known."""
        return self._known.get(instruction)

    def learn(self, messages: Iterable[Message], is_posted: Callable[[str], bool]) -> Iterator[str]:
        """Takes the first booking of each instruction that is posted now, and yields its id."""
        for item in sorted(
            (item for message in messages for item in message.items if _books(item)),
            key=lambda item: (item.booked or "", item.reference or ""),
        ):
            name = item.instruction or ""
            if name not in self._known and is_posted(name):
                self._known[name] = item.reference or ""
                yield name

    def keep(self) -> None:
        """Writes what is known, whole or not at all."""
        if self._path is None:
            return
        temporary = self._path.with_name(f".{self._path.name}.new")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(self._known, file, indent=0, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


def _books(item: Item) -> bool:
    """Tells whether an item is the booking of what was credited, with its reference."""
    return item.status is Status.POSTED and item.side is Side.CREDIT and item.reference is not None


class Matching:
    """Files of one bank against what the caller sees."""

    def __init__(
        self,
        ask: Reader,
        book: AddressBook,
        *,
        bank: PartyId,
        sent: Sequence[Sent],
        references: References,
    ) -> None:
        """Looks up the plans that there are."""
        self._ask, self._book, self._bank, self._sent = ask, book, bank, sent
        self._references = references
        self._plans = index_plans(
            Sid(run["plan"]) for run in ask.rows("/v1/clearing/runs", limit=100)
        )
        self._awaited: dict[Sid, dict[int, Expected]] = {}

    def run(self, files: Sequence[BankFile], sign: Sign | None) -> None:
        """Matches and signs file by file; what waits is tried again once more has come.

        Args:
            files: All that the bank has sent, in any order.
            sign: Signs what is found; without it nothing is, and each file is matched as if
                what those before it say were.
        """
        waiting, has_moved = [*files], True
        while waiting and has_moved:
            has_moved = False
            for file in waiting:
                has_moved |= self._take(file, sign)
            waiting = [file for file in waiting if file.waits]

    def _take(self, file: BankFile, sign: Sign | None) -> bool:
        """Matches a file, and reports what is found; tells whether anything was."""
        for plan in self._named(file):
            if plan not in self._awaited:
                self._load(plan)
        awaited = [each for plan in self._awaited.values() for each in plan.values()]
        sent = [each.as_file() for each in self._sent]
        matched = match(file.messages, awaited, bank=self._bank, sent=sent)
        for report in matched.reports:
            if sign is not None:
                file.statements.append(sign(report, file.messages[0]).sid)
            # What the registry has taken is so; the next file is matched with that.
            self._pretend(report)
            file.reported += ((report.plan, item) for item in report.items)
        self._note(file, matched)
        if sign is not None:
            self._references.keep()
        return bool(matched.reports)

    def _note(self, file: BankFile, matched: Matched) -> None:
        """Keeps what is for people, and learns the references of what is posted."""
        reported = {
            name
            for plan, item in file.reported
            for name in _names(self._awaited[plan][item.instruction])
        }
        file.unmatched = matched.unmatched
        file.ignored = tuple(
            each
            for each in matched.ignored
            if each.why is not Ignored.KNOWN
            or not isinstance(each.said, Item)
            or each.said.instruction not in reported
        )
        wrong = {each.said.place for each in matched.unmatched}
        good = [
            replace(message, items=tuple(item for item in message.items if item.place not in wrong))
            for message in file.messages
        ]
        for instruction in self._references.learn(good, self._is_posted):
            for of in self._of(instruction):
                reference = self._references.get(instruction)
                self._awaited[of.plan][of.n] = replace(of, reference=reference)

    def _of(self, instruction: str) -> list[Expected]:
        """Returns the instructions that are loaded of an id: itself, or what one payment pays."""
        found = find_instruction(instruction, self._plans)
        if found is None:
            return []
        plan, n = found
        rows = self._awaited.get(plan, {})
        if n < JOINT_FROM:
            return [rows[n]] if n in rows else []
        return [each for each in rows.values() if each.joint == n - JOINT_FROM]

    def _is_posted(self, instruction: str) -> bool:
        """Tells whether an instruction, or all that one payment pays, is posted now."""
        found = self._of(instruction)
        return bool(found) and all(of.status == InstructionStatus.POSTED for of in found)

    def _named(self, file: BankFile) -> list[Sid]:
        """Returns the plans that a file may be about, by what it names and what it answers."""
        found: dict[Sid, None] = {}
        for message in file.messages:
            for item in message.items:
                try:
                    reference, _ = parse_instruction_id(item.instruction or "")
                except MalformedError:
                    continue
                if reference in self._plans:
                    found[self._plans[reference]] = None
            ids = {verdict.file for verdict in message.verdicts}
            batches = {verdict.batch for verdict in message.verdicts}
            for sent in self._sent:
                if sent.message_id in ids or not batches.isdisjoint(sent.batches):
                    found[sent.plan] = None
        return [*found]

    def _load(self, plan: Sid) -> None:
        """Reads a plan's instructions, as they are in the registry now."""
        rows = instructions_of(self._ask, plan)
        seen = {row.record.n for row in rows}
        self._awaited[plan] = {row.record.n: self._expected(row, seen) for row in rows}

    def _expected(self, row: Instructed, seen: set[int]) -> Expected:
        """Returns an instruction as one of which word is awaited."""
        record = row.record
        after = tuple(map(int, record.after))
        if row.is_ready:
            # Who does not see what comes before is told that all of it is posted.
            after = tuple(n for n in after if n in seen)
        return Expected(
            plan=record.plan,
            n=record.n,
            amount_minor=record.amount,
            payer_bank=row.payer_bank,
            payer_number=self._number(record.payer_account, row.payer_bank),
            payee_bank=record.bank,
            payee_number=self._number(record.payee_account, record.bank),
            after=after,
            status=record.status,
            reference=self._references.get(_id_at_bank(record)),
            joint=record.joint,
            lots=len(record.lots),
        )

    def _number(self, account: Sid, bank: PartyId) -> str:
        """Returns an account's number; another bank's is not compared, for it has no say there."""
        return self._book.details(account, bank=bank).number if bank == self._bank else ""

    def _pretend(self, report: Report) -> None:
        """Takes a report as the registry does, or would if it were signed."""
        rows = self._awaited[report.plan]
        for item in report.items:
            of = rows[item.instruction]
            rows[of.n] = replace(of, status=item.status.value)
            if item.status is Status.REJECTED and not of.after:
                fallen = {of.n}
                for n in sorted(rows):
                    if fallen.intersection(rows[n].after):
                        fallen.add(n)
                        if rows[n].status in OPEN:
                            rows[n] = replace(rows[n], status="expired")


def _id_at_bank(record: InstructionRecord) -> str:
    """Returns the id of the payment that an instruction went out in."""
    joint = record.joint
    return instruction_id(record.plan, record.n if joint is None else joint_number(joint))


def _names(of: Expected) -> set[str]:
    """Returns the ids at banks by which something may be said of an instruction."""
    own = {instruction_id(of.plan, of.n)}
    return own if of.joint is None else {*own, instruction_id(of.plan, joint_number(of.joint))}


def summed(outcomes: Iterable[tuple[Sid, Outcome]]) -> Mapping[str, tuple[int, int]]:
    """Returns number and sum of what is reported, by status."""
    found: dict[str, tuple[int, int]] = {}
    for _, item in outcomes:
        count, total = found.get(item.status.value, (0, 0))
        found[item.status.value] = (count + 1, total + item.amount_minor)
    return found
