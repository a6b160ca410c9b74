"""The docs say what the code does: bytes, tables, examples, links and words.

`python -m tests.test_docs --write` writes the golden blocks and tables of
`docs/formats.md` and the vectors of `tests/vectors/formats` again.
"""

import json
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator
from enum import EnumType
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from clearing import fields as clearing_fields
from registry import fields
from registry.checkpoint import parse_verifier_key
from registry.effects import Effect
from registry.errors import RegistryError
from registry.invoices import LOOK_ALIKES
from registry.proofs import Holding, verify_lot_proof, verify_snapshot
from registry.tables import Record
from tests.golden import blocks, rulebook, vectors
from tests.kinds_page import effects_by_name
from tests.resealed import audit_log

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ROOT / "docs" / "formats.md"
VECTORS = ROOT / "tests" / "vectors" / "formats"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

# --- Tables made from the code --------------------------------------------------------

FIELD_NAMES: dict[str, Any] = {
    "amount": fields.Amount,
    "date": fields.BusinessDate,
    "party": fields.PartyField,
    "sid": fields.SidField,
    "lot": fields.LotField,
    "notice": fields.NoticeField,
    "digest": fields.Digest,
    "code": fields.MachineText,
    "text": fields.PlainText,
    "ms": fields.Instant,
    "sum": clearing_fields.Sum,
    "number": clearing_fields.Number,
    "count": clearing_fields.Count,
    "tally": clearing_fields.Tally,
}


def effects() -> list[type[Effect]]:
    """Returns every effect, by name."""
    rulebook()
    found = effects_by_name()
    return [found[name] for name in sorted(found)]


def type_name(hint: Any) -> str:
    """Names the type of a member as the docs do."""
    for name, alias in FIELD_NAMES.items():
        if hint == alias:
            return name
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{json.dumps(value)}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return type_name(arguments[0])
    if origin is tuple:
        return f"[{type_name(arguments[0])}]"
    if isinstance(hint, EnumType):
        return " or ".join(f"`{json.dumps(str(value))}`" for value in hint)  # type: ignore[var-annotated]
    if isinstance(hint, type) and issubclass(hint, (BaseModel, Record)):
        return f"{{{', '.join(members_of(hint))}}}"
    if isinstance(hint, typing.NewType):
        return {"PartyId": "party", "LotId": "lot", "NoticeId": "notice"}.get(
            hint.__name__, hint.__name__.lower()
        )
    return {str: "string", int: "integer", bool: "boolean"}[hint]


def members_of(record: Any) -> list[str]:
    """Names a record's members with their types; `?` marks one that may be absent."""
    hints = typing.get_type_hints(record, include_extras=True)
    if issubclass(record, BaseModel):
        names = list(record.model_fields)
    else:
        derived = getattr(record, "derived", ())
        names = [name for name in record.__struct_fields__ if name not in derived]
    return [
        f"{name}{'?' if type(None) in typing.get_args(hints[name]) else ''}: "
        f"{type_name(hints[name])}"
        for name in names
    ]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _stub(effect: type[Effect]) -> Effect:
    """Makes an effect whose members hold their own names."""
    values: dict[str, Any] = {
        name: name for name in effect.__struct_fields__ if name not in {"ledger", *effect.derived}
    }
    if "ledger" in effect.__struct_fields__:
        values["ledger"] = None
    return effect(**values)


def effects_table() -> list[str]:
    """Returns the table of effects: members and touches."""
    lines = [_row("effect", "members", "touches"), _row("---", "---", "---")]
    for effect in effects():
        touched = ", ".join(f"{family}: `{name}`" for family, name in _stub(effect).touched())
        members = ", ".join(members_of(effect))
        lines.append(_row(f"`{effect.effect}`", members, touched or "nothing"))
    return lines


def kinds_table() -> list[str]:
    """Returns the table of kinds: who signs, what `re` may name, body."""
    lines = [_row("kind", "signer", "`re`", "body"), _row("---", "---", "---", "---")]
    for kind in sorted(rulebook().kinds.values(), key=lambda kind: kind.name):
        roles = ", ".join(sorted(kind.signers)) if kind.signers else "nobody's role is asked"
        signer = f"{kind.relation} ({roles})"
        answers = " or ".join(f"`{name}`" for name in kind.answers) or "absent"
        body = ", ".join(members_of(kind.body)) or "no members"
        lines.append(_row(f"`{kind.name}`", signer, answers, body))
    return lines


def look_alikes_table() -> list[str]:
    """Returns the table of what is taken for which digit of an invoice."""
    lines = [_row("digit", "taken for it"), _row("---", "---")]
    for digit in sorted(set(LOOK_ALIKES.values())):
        others = sorted(c for c, meant in LOOK_ALIKES.items() if meant == digit != c)
        told = ", ".join(
            f"`{c}`" if c.isalnum() and c.isascii() else f"U+{ord(c):04X}" for c in others
        )
        lines.append(_row(digit, told or "nothing else"))
    return lines


def rows_table() -> list[str]:
    """Returns the table of tables, in the order of the replay digest."""
    lines = [_row("table", "key", "members of a row"), _row("---", "---", "---")]
    for table in rulebook().tables:
        key = ", ".join(f"`{name}`" for name in table.key)
        lines.append(_row(f"`{table.name}`", key, ", ".join(members_of(table.row))))
    return lines


TABLES: dict[str, Callable[[], list[str]]] = {
    "effects": effects_table,
    "kinds": kinds_table,
    "look-alikes": look_alikes_table,
    "rows": rows_table,
}

# --- Rendering ------------------------------------------------------------------------

MADE = re.compile(
    r"<!-- (?P<what>golden|table): (?P<name>[a-z-]+) -->\n(?P<old>.*?)<!-- end -->", re.DOTALL
)


def made(what: str, name: str) -> str:
    """Returns what belongs between a marker and its end."""
    if what == "table":
        return "\n".join(TABLES[name]())
    return f"```text\n{blocks()[name]}\n```"


def render(text: str) -> str:
    """Returns a page with everything that is made from the code made anew."""
    return MADE.sub(
        lambda m: f"<!-- {m['what']}: {m['name']} -->\n{made(m['what'], m['name'])}\n<!-- end -->",
        text,
    )


def vector_bytes(vector: Any) -> str:
    """Writes a vector as its file holds it."""
    return json.dumps(vector, indent=2, ensure_ascii=False) + "\n"


def test_golden_blocks_and_tables_of_the_formats_are_what_the_code_makes() -> None:
    text = FORMATS.read_text(encoding="utf-8")
    assert render(text) == text, "run: python -m tests.test_docs --write"


def test_the_formats_show_every_golden_block_and_table() -> None:
    found = {(m["what"], m["name"]) for m in MADE.finditer(FORMATS.read_text(encoding="utf-8"))}
    wanted = {("golden", name) for name in blocks()} | {("table", name) for name in TABLES}
    assert found == wanted


def test_every_effect_is_explained() -> None:
    text = FORMATS.read_text(encoding="utf-8")
    folds = text.partition("### What each effect does to the rows")[2].partition("\n## ")[0]
    missing = [e.effect for e in effects() if f"* `{e.effect}`" not in folds]
    # Deadlines stand in a list of their own.
    assert missing == ["deadline-cleared", "deadline-set"]


def test_what_the_formats_name_is_there() -> None:
    """A hyphenated word of code is an effect, a refusal, or written so in the program."""
    word = r"([a-z]+(?:-[a-z]+)+)"
    named = set(re.findall(f"`{word}`", FORMATS.read_text(encoding="utf-8")))
    files = (f for name in ("api", "clearing", "registry") for f in (ROOT / name).rglob("*.py"))
    program = "".join(file.read_text(encoding="utf-8") for file in files)
    known = {each.effect for each in effects()} | set(re.findall(f'"{word}"', program))
    refused = {"".join(map(str.capitalize, name.split("-"))) + "Error": name for name in named}
    known |= {name for error, name in refused.items() if f"class {error}(" in program}
    assert sorted(named - known) == []


def test_every_kind_is_explained() -> None:
    text = FORMATS.read_text(encoding="utf-8")
    rules = text.partition("### What each kind requires")[2].partition("\n## ")[0]
    names = [*rulebook().kinds, *rulebook().timed]
    assert [name for name in names if f"* `{name}`" not in rules] == []


# --- Vectors --------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(vectors()))
def test_vectors_are_what_the_code_makes(name: str) -> None:
    assert (VECTORS / f"{name}.json").read_text(encoding="utf-8") == vector_bytes(vectors()[name])


def test_there_are_no_other_vectors() -> None:
    assert {path.stem for path in VECTORS.glob("*.json")} == set(vectors())


@pytest.mark.parametrize("name", [name for name in sorted(vectors()) if name.startswith("log")])
def test_logs_get_their_verdict(name: str) -> None:
    vector = vectors()[name]
    assert audit_log(vector["input"]) == (vector["want"]["verdict"], vector["want"]["digest"])


@pytest.mark.parametrize(
    "name", [name for name in sorted(vectors()) if name.startswith(("snapshot", "lot-proof"))]
)
def test_proofs_are_verified_or_refused(name: str) -> None:
    vector = vectors()[name]
    if "want_error" in vector:
        with pytest.raises(RegistryError) as caught:
            _verify(vector["input"])
        assert caught.value.code == vector["want_error"]
        return
    holding = _verify(vector["input"])
    assert vector["want"] == {
        "family": holding.family,
        "bucket": holding.bucket,
        "count": holding.count,
        "sum": str(holding.total),
    }


def _verify(given: str | dict[str, str]) -> Holding:
    origin, key = parse_verifier_key(blocks()["verifier-key"])
    if isinstance(given, str):
        return verify_lot_proof(given.encode(), origin=origin, key=key)
    files = {name: text.encode() for name, text in given.items()}
    return verify_snapshot(files, origin=origin, key=key)


# --- Examples, links, words -----------------------------------------------------------

FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
PAGE_IDS = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_python_examples_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a page's `python` blocks in order, in one namespace; `python no-run` is only shown."""
    monkeypatch.chdir(ROOT)
    namespace: dict[str, Any] = {}
    for fence in FENCE.finditer(page.read_text(encoding="utf-8")):
        if fence["info"].strip() == "python":
            exec(compile(fence["body"], str(page), "exec"), namespace)  # noqa: S102


def slugs(page: Path) -> set[str]:
    """Returns the anchors of a page's headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[str]:
    """Yields the links of a page to other files and to places in them."""
    for match in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in match["target"] and not match["target"].startswith("mailto:"):
            yield match["target"]


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_links_resolve(page: Path) -> None:
    broken = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in slugs(there)):
            broken.append(target)
    assert broken == []


def leaves(family: type[RegistryError]) -> Iterator[type[RegistryError]]:
    """Yields the error classes of the program that have none below them."""
    for cls in family.__subclasses__():
        if cls.__subclasses__():
            yield from leaves(cls)
        elif not cls.__module__.startswith("tests"):
            yield cls


def test_every_error_has_a_section_among_the_problems() -> None:
    page = ROOT / "docs" / "problems.md"
    if not page.exists():
        pytest.skip("docs/problems.md is not written yet")
    known = slugs(page)
    assert sorted({cls.code for cls in leaves(RegistryError)} - known) == []


def test_every_kind_stands_in_the_reference() -> None:
    page = ROOT / "docs" / "reference" / "kinds.md"
    if not page.exists():
        pytest.skip("docs/reference/kinds.md is not written yet")
    text = page.read_text(encoding="utf-8")
    assert [name for name in rulebook().kinds if f"`{name}`" not in text] == []


BILL_WORDS = re.compile("汇票|承兑|背书|贴现|权益登记日|瀑布")
"""A voucher is a claim and not a bill: its papers and screens must not read like one (RG-30)."""

SAYS_SO = frozenset(
    {
        "| never of a voucher (words of bill law) | 汇票, 承兑, 背书, 贴现 |",
        "| never of a holder snapshot | 权益登记日 |",
        "| never of an order of payment | 瀑布 |",
    }
)
"""Lines that may name the words, because they say that they are not used."""


def test_no_word_of_bill_law_is_used_of_a_voucher() -> None:
    shown = [*PAGES, *(p for p in (ROOT / "api").rglob("*") if p.suffix in {".py", ".html", ".js"})]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line}"
        for path in shown
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if BILL_WORDS.search(line) and line not in SAYS_SO
    ]
    assert found == []


def write() -> None:
    """Writes everything that is made from the code."""
    FORMATS.write_text(render(FORMATS.read_text(encoding="utf-8")), encoding="utf-8")
    VECTORS.mkdir(parents=True, exist_ok=True)
    for path in VECTORS.glob("*.json"):
        path.unlink()
    for name, vector in vectors().items():
        (VECTORS / f"{name}.json").write_text(vector_bytes(vector), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.test_docs --write")
    write()
