"""A notice of assignment as a page to print, in Chinese, in English, or in both.

Below the letter stands what proves it: the entry in which it arrived, that this entry is
in the log, and the log's signed checkpoint. The page needs nothing from outside.

Source: docs/explanation/notices.md.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from api.notice_letter import Face, Language, Letter, Runs, Wording, word_letter
from api.notice_proof import Proof, format_proof


def format_notice(letter: Letter, language: Language) -> str:
    """Writes the page as HTML that stands alone."""
    wordings = word_letter(letter, language)
    first = wordings[0]
    return _PAGE.format(
        lang=first.language,
        title=escape(f"{first.title} {letter.notice.number}"),
        style=_STYLE,
        letters="\n".join(map(_letter, wordings)),
        proof=_proof(letter.proof, wordings),
    )


def _letter(wording: Wording) -> str:
    """Writes the letter in one language."""
    facts = "\n".join(
        f"<tr><th>{name}</th><td>{_text(runs)}</td></tr>" for name, runs in wording.facts
    )
    states = "\n".join(
        f"<div><dt>{name}</dt><dd>{escape(said)}</dd></div>" for name, said in wording.states
    )
    revoked = wording.revoked and f"<p class=revoked>{escape(wording.revoked)}</p>"
    return _LETTER.format(
        lang=wording.language,
        title=wording.title,
        number=wording.number,
        to=_text(wording.to),
        opening=_text(wording.opening),
        rows=facts,
        request=_text(wording.request),
        given=_text(wording.given),
        states=states,
        revoked=revoked,
    )


def _text(runs: Runs) -> str:
    """Writes runs of text; an identifier may break anywhere."""
    return "".join(_FACES[face].format(escape(text)) for face, text in runs)


def _proof(proof: Proof, wordings: Sequence[Wording]) -> str:
    """Writes what proves the arrival, headed in each language."""
    heads = " · ".join(each.proof for each in wordings)
    says = "".join(f"<p>{each.proof_says}</p>" for each in wordings)
    entry = proof.entry and f'\n<pre id="entry">{escape(proof.entry)}</pre>'
    text = f'<pre id="proof">{escape(format_proof(proof))}</pre>{entry or ""}'
    return f"<h2>{heads}</h2>{says}{text}"


_FACES: Final = {
    Face.PLAIN: "{}",
    Face.ID: "<span class=id>{}</span>",
    Face.STRONG: "<b>{}</b>",
}

_STYLE: Final = """
@page { size: A4; margin: 18mm 20mm; }
* { box-sizing: border-box; }
html { background: #eceae4; }
body { margin: 0 auto; max-width: 210mm; padding: 12mm 0;
  font: 10.5pt/1.65 "Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC", "Songti SC",
  SimSun, Georgia, serif;
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
th { width: 38mm; font-weight: 400; color: #6a655c; }
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
