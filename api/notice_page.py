"""A notice of assignment as a page to print, in Chinese, in English, or in both.

It is a letter of the assignor's about a claim, and looks like one: never like a bill
(RG-30). Below the letter stands what proves it: the entry in which it arrived, that this
entry is in the log, and the log's signed checkpoint. The page needs nothing from outside;
printed on A4 from any browser, it is the PDF.

Source: Civil Code, arts. 546, 696 and 764; UCC 12-106(b) for what a notice has to say
(RG-42); docs/explanation/notices.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from html import escape
from typing import Final

from api.notice_proof import Proof, format_proof
from api.notice_words import EN, ZH
from registry.calendars import parse_offset
from registry.inboxes import Capacity, Notice
from registry.model import Voucher
from registry.money import format_yuan


class Language(StrEnum):
    """In what the page is written."""

    ZH = "zh"
    EN = "en"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Everything that the page says.

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


def format_notice(letter: Letter, language: Language) -> str:
    """Writes the page as HTML that stands alone."""
    languages = _LANGUAGES if language is Language.BOTH else (language,)
    words = _WORDS[languages[0]]
    letters = "\n".join(_letter(letter, each) for each in languages)
    return _PAGE.format(
        lang="zh-CN" if languages[0] is Language.ZH else "en",
        title=escape(f"{words['title']} {letter.notice.number}"),
        style=_STYLE,
        letters=letters,
        proof=_proof(letter, languages),
    )


def _letter(letter: Letter, language: Language) -> str:
    """Writes the letter in one language."""
    words, notice = _WORDS[language], letter.notice
    secures = notice.capacity == Capacity.GUARANTOR
    filled = {
        "assignor": _party(letter, notice.assignor),
        "assignee": _party(letter, notice.assignee),
        "debtor": _party(letter, letter.voucher.debtor),
    }
    facts = [
        ("voucher_no", escape(letter.voucher.voucher_no)),
        ("debtor", filled["debtor"]),
        ("assignor", filled["assignor"]),
        ("assignee", filled["assignee"]),
        ("amount", f"<b>{letter.currency} {format_yuan(notice.amount)}</b>"),
        ("due_on", letter.voucher.due_on),
        ("account", _id(letter.account) if letter.account else words["no_account"]),
        ("transfer", _id(notice.transfer)),
    ]
    rows = "\n".join(f"<tr><th>{words[name]}</th><td>{value}</td></tr>" for name, value in facts)
    return _LETTER.format(
        lang="zh-CN" if language is Language.ZH else "en",
        title=words["title"],
        number=words["number"].format(number=notice.number),
        to=words["to"].format(recipient=_party(letter, notice.recipient)),
        opening=words["secures" if secures else "owes"].format(**filled),
        rows=rows,
        request=words["secures_request" if secures else "owes_request"].format(**filled),
        given=words[f"by_{notice.sender}"].format(**filled),
        states=_states(letter, language),
        revoked=_revoked(letter, language),
    )


def _party(letter: Letter, party: str) -> str:
    """Writes a party's name with its legal identifier."""
    name = letter.names.get(party, "")
    return f"{escape(name)} <span class=id>{escape(party)}</span>"


def _id(text: str) -> str:
    """Writes an identifier, which may break anywhere."""
    return f"<span class=id>{escape(text)}</span>"


def _time(letter: Letter, time_ms: int) -> str:
    """Writes an instant in the ledger's zone, to the second."""
    zone = timezone(timedelta(minutes=parse_offset(letter.zone)))
    moment = datetime.fromtimestamp(time_ms // 1000, tz=zone)
    return f"{moment:%Y-%m-%d %H:%M:%S} {escape(letter.zone)}"


def _states(letter: Letter, language: Language) -> str:
    """Writes the three things apart: arrival, receipt, acknowledgement."""
    words, notice = _WORDS[language], letter.notice
    answered = "refused" if notice.refused is not None else "silent"
    states = (
        ("arrived", _time(letter, notice.arrived)),
        ("received", words["none"] if notice.received is None else _time(letter, notice.received)),
        ("answer", words["acknowledged" if notice.acknowledged else answered]),
    )
    return "\n".join(f"<div><dt>{words[name]}</dt><dd>{said}</dd></div>" for name, said in states)


def _revoked(letter: Letter, language: Language) -> str:
    """Writes that the notice stands no longer, if it does not."""
    at = letter.notice.revoked_at
    if at is None:
        return ""
    said = _WORDS[language]["revoked"].format(time=_time(letter, at))
    return f"<p class=revoked>{said}</p>"


def _proof(letter: Letter, languages: Sequence[Language]) -> str:
    """Writes what proves the arrival, headed in each language."""
    proof, notice = letter.proof, letter.notice
    heads = " · ".join(_WORDS[each]["proof"] for each in languages)
    says = "".join(
        f"<p>{_WORDS[each]['proof_says'].format(entry=notice.entry, size=proof.size)}</p>"
        for each in languages
    )
    return f"<h2>{heads}</h2>{says}{format_proof(proof)}"


_LANGUAGES: Final = (Language.ZH, Language.EN)

_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {Language.ZH: ZH, Language.EN: EN}

_STYLE: Final = """
@page { size: A4; margin: 18mm 20mm; }
* { box-sizing: border-box; }
html { background: #eceae4; }
body { margin: 0 auto; max-width: 210mm; padding: 12mm 0;
  font: 10.5pt/1.65 "Noto Serif CJK SC", "Source Han Serif SC", "Songti SC", SimSun, Georgia, serif;
  color: #1c1b19; }
article, section { background: #fff; padding: 18mm 20mm; margin-bottom: 6mm;
  box-shadow: 0 1px 4px #0002; }
h1 { font-size: 18pt; line-height: 1.3; font-weight: 600; text-align: center; margin: 0; }
h2 { font-size: 11pt; margin: 0 0 2mm; }
.number { text-align: center; color: #6a655c; margin: 1mm 0 9mm; }
.id { font: 0.84em/1.4 ui-monospace, "DejaVu Sans Mono", Consolas, monospace; color: #55504a;
  overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; margin: 5mm 0; }
th, td { text-align: left; vertical-align: top; padding: 1.6mm 2mm;
  border-bottom: 0.3mm solid #d9d5cc; }
tr:first-child > * { border-top: 0.5mm solid #1c1b19; }
tr:last-child > * { border-bottom: 0.5mm solid #1c1b19; }
th { width: 34mm; font-weight: 400; color: #6a655c; }
td b { font-size: 1.15em; }
dl { display: flex; gap: 8mm; margin: 8mm 0 0; }
dl div { flex: 1; border-top: 0.3mm solid #d9d5cc; padding-top: 1.5mm; }
dt { color: #6a655c; font-size: 9pt; }
dd { margin: 0; }
.given { color: #55504a; font-size: 9.5pt; }
.revoked { border: 0.5mm solid #a3271d; color: #a3271d; padding: 2mm 3mm; }
section p { font-size: 9pt; color: #55504a; margin: 0 0 2mm; }
pre { font: 7.6pt/1.5 ui-monospace, "DejaVu Sans Mono", Consolas, monospace; margin: 3mm 0 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }
@media print {
  html { background: none; } body { padding: 0; max-width: none; }
  article, section { box-shadow: none; padding: 0; margin: 0; }
  article + article, section { break-before: page; }
  table, dl, pre { break-inside: avoid; }
}
@media (max-width: 600px) {
  article, section { padding: 6mm; } th { width: 26mm; }
  dl { flex-direction: column; gap: 3mm; }
}
"""

_PAGE: Final = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{letters}
<section>
{proof}
</section>
</body>
</html>
"""

_LETTER: Final = """<article lang="{lang}">
<h1>{title}</h1>
<p class=number>{number}</p>
<p>{to}</p>
<p>{opening}</p>
<table>
{rows}
</table>
<p>{request}</p>
<p class=given>{given}</p>
{revoked}<dl>
{states}
</dl>
</article>"""
