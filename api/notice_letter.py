"""What the letter of a notice says, in one language, for whichever form it is set in.

It is a letter of the assignor's about a claim, and reads like one: never like a bill
(RG-30). Page and PDF are two settings of the same words.

Source: Civil Code, arts. 546, 696 and 764; UCC 12-106(b) for what a notice has to say
(RG-42); docs/explanation/notices.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from string import Formatter
from typing import Final

from api.notice_proof import Proof
from api.notice_words import EN, ZH
from registry.calendars import parse_offset
from registry.inboxes import Capacity, Notice
from registry.model import Voucher
from registry.money import format_yuan


class Language(StrEnum):
    """In what a notice is written."""

    ZH = "zh"
    EN = "en"
    BOTH = "both"


class Face(StrEnum):
    """How a run of text looks."""

    PLAIN = "plain"
    ID = "id"
    STRONG = "strong"


Run = tuple[Face, str]
Runs = tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Everything that a notice says.

    Attributes:
        zone: Of the times shown, as `+08:00`.
        currency: Of the amounts.
        notice: The notice.
        voucher: The voucher whose claim is assigned.
        names: Of the parties, by their ids.
        account: The account on which the assignee is to be paid, if it still holds the lot.
        proof: Of its arrival.
    """

    zone: str
    currency: str
    notice: Notice
    voucher: Voucher
    names: Mapping[str, str]
    account: str | None
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A letter in one language.

    Attributes:
        language: `zh-CN` or `en`.
        title: Its title.
        number: Which notice it is in the inbox.
        to: To whom it goes.
        opening: What is told.
        facts: What the claim is, line by line, each with its name.
        request: What follows for the recipient.
        given: Who gives it.
        revoked: That it stands no longer; empty if it does.
        states: Arrival, receipt and answer, apart.
        proof: The heading above the proof.
        proof_says: What the proof proves.
        attached: That the proof is attached as a file.
    """

    language: str
    title: str
    number: str
    to: Runs
    opening: Runs
    facts: tuple[tuple[str, Runs], ...]
    request: Runs
    given: Runs
    revoked: str
    states: tuple[tuple[str, str], ...]
    proof: str
    proof_says: str
    attached: str


def word_letter(letter: Letter, language: Language) -> tuple[Wording, ...]:
    """Words a letter, Chinese before English where it is to be both."""
    languages = (Language.ZH, Language.EN) if language is Language.BOTH else (language,)
    return tuple(_word(letter, each) for each in languages)


def _word(letter: Letter, language: Language) -> Wording:
    """Words a letter in one language."""
    words, notice, proof = _WORDS[language], letter.notice, letter.proof
    duty = "secures" if notice.capacity == Capacity.GUARANTOR else "owes"
    parties = {
        "assignor": _party(letter, notice.assignor),
        "assignee": _party(letter, notice.assignee),
        "debtor": _party(letter, letter.voucher.debtor),
        "recipient": _party(letter, notice.recipient),
    }
    account: Run = (Face.PLAIN, words["no_account"])
    if letter.account is not None:
        account = (Face.ID, letter.account)
    facts: tuple[tuple[str, Runs], ...] = (
        ("voucher_no", ((Face.PLAIN, letter.voucher.voucher_no),)),
        ("debtor", parties["debtor"]),
        ("assignor", parties["assignor"]),
        ("assignee", parties["assignee"]),
        ("amount", ((Face.STRONG, f"{letter.currency} {format_yuan(notice.amount)}"),)),
        ("due_on", ((Face.PLAIN, letter.voucher.due_on),)),
        ("account", (account,)),
        ("transfer", ((Face.ID, notice.transfer),)),
    )
    gone = notice.revoked_at
    return Wording(
        language="zh-CN" if language is Language.ZH else "en",
        title=words["title"],
        number=words["number"].format(number=notice.number),
        to=tuple(_fill(words["to"], parties)),
        opening=tuple(_fill(words[duty], parties)),
        facts=tuple((words[name], runs) for name, runs in facts),
        request=tuple(_fill(words[f"{duty}_request"], parties)),
        given=tuple(_fill(words[f"by_{notice.sender}"], parties)),
        revoked="" if gone is None else words["revoked"].format(time=_time(letter, gone)),
        states=tuple(_states(letter, words)),
        proof=words["proof"],
        proof_says=words["proof_says"].format(entry=notice.entry, size=proof.size),
        attached=words["attached"],
    )


def _party(letter: Letter, party: str) -> Runs:
    """Returns a party's name with its legal identifier."""
    return (Face.PLAIN, f"{letter.names.get(party, '')} "), (Face.ID, party)


def _fill(pattern: str, filled: Mapping[str, Runs]) -> Iterator[Run]:
    """Yields a pattern's text with runs in the place of its names; names are never patterns."""
    for text, name, _, _ in Formatter().parse(pattern):
        if text:
            yield Face.PLAIN, text
        if name is not None:
            yield from filled[name]


def _time(letter: Letter, time_ms: int) -> str:
    """Returns an instant in the ledger's zone, to the second."""
    zone = timezone(timedelta(minutes=parse_offset(letter.zone)))
    moment = datetime.fromtimestamp(time_ms // 1000, tz=zone)
    return f"{moment:%Y-%m-%d %H:%M:%S} {letter.zone}"


def _states(letter: Letter, words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields the three things apart: arrival, receipt, acknowledgement."""
    notice = letter.notice
    answered = "refused" if notice.refused is not None else "silent"
    received = words["none"] if notice.received is None else _time(letter, notice.received)
    yield words["arrived"], _time(letter, notice.arrived)
    yield words["received"], received
    yield words["answer"], words["acknowledged" if notice.acknowledged else answered]


_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {Language.ZH: ZH, Language.EN: EN}
