"""A notice of assignment as a PDF for a file: the page's words, and the proof attached to it.

It is PDF/A-3: fonts are in it, and the proof is a file within it that a program can check.
The bytes follow from what is said: the date in it is that of the notice's arrival.
What parties are called is data for the typesetter, never markup.

Source: ISO 19005-3; docs/adr/0022-paper-is-set-by-typst.md.
"""

import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import pylopdf_fonts_zh_cn
import typst

from api.notice_letter import Language, Letter, Runs, Wording, word_letter
from api.notice_proof import format_attachment, format_proof

MEDIA_TYPE: Final = "application/pdf"
ATTACHMENT: Final = "notice-proof.json"
_TEMPLATE: Final = Path(__file__).with_name("notice.typ")
_COLUMNS: Final = 105
"""Characters of the fixed-width face in a line."""


def format_pdf(letter: Letter, language: Language) -> bytes:
    """Sets a notice as a PDF."""
    wordings = word_letter(letter, language)
    arrived = datetime.fromtimestamp(letter.notice.arrived // 1000, tz=UTC)
    proof = format_proof(letter.proof)
    paper = {
        "title": f"{wordings[0].title} {letter.notice.number}",
        "number": str(letter.notice.number),
        "author": letter.proof.origin,
        "date": {name: getattr(arrived, name) for name in _DATE},
        "letters": [_letter(each) for each in wordings],
        "proof": [part for line in proof.split("\n") for part in list(_lines(line)) or [""]],
        "entry": list(_lines(letter.proof.entry or "")),
        "attachment": ATTACHMENT,
    }
    inputs = {"paper": json.dumps(paper), "proof": format_attachment(letter.proof).decode()}
    try:
        return _set(inputs, is_archival=True)
    except typst.TypstError:
        # An archive's PDF may hold no character without a glyph, and somebody's name has one.
        return _set(inputs, is_archival=False)


def _letter(wording: Wording) -> dict[str, object]:
    """Returns a wording as the template reads it."""
    members = {name: getattr(wording, name) for name in Wording.__slots__}
    runs = {name: _runs(members[name]) for name in ("to", "opening", "request", "given")}
    return {**members, **runs, "facts": [[name, _runs(each)] for name, each in wording.facts]}


def _runs(runs: Runs) -> list[list[str]]:
    """Returns runs of text as the template reads them."""
    return [[str(face), text] for face, text in runs]


def _lines(text: str) -> Iterator[str]:
    """Breaks a text without spaces into lines; what is wide counts for two."""
    line, columns = "", 0
    for each in text:
        width = 2 if unicodedata.east_asian_width(each) in "FW" else 1
        if columns + width > _COLUMNS:
            yield line
            line, columns = "", 0
        line, columns = line + each, columns + width
    if line:
        yield line


def _set(inputs: dict[str, str], *, is_archival: bool) -> bytes:
    """Sets the template with some inputs, as PDF/A-3 or as any PDF."""
    return typst.compile(
        _TEMPLATE,
        root=_TEMPLATE.parent,
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs=inputs,
        pdf_standards=["a-3b"] if is_archival else [],
    )


@lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    """Finds the fonts: those of the packages, and none of the machine's."""
    directory = pylopdf_fonts_zh_cn.serif_path().parent
    return typst.Fonts(include_system_fonts=False, font_paths=[directory])


_DATE: Final = ("year", "month", "day", "hour", "minute", "second")
