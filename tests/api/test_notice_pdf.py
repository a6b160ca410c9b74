"""A notice as a PDF: the page's words, the proof attached, the same bytes each time."""

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import nacl.signing
import pytest

from api.notice_letter import Language
from api.notice_pdf import format_pdf
from api.notice_proof import Arrival, read_proof, verify_proof
from registry.canonical import b64url_decode, b64url_encode
from registry.errors import MissingFileError, RegistryError
from tests.api.served import Street
from tests.api.test_notices import letter, told
from tests.builders import ORIGIN, key_of

EMBEDDED = re.compile(rb"obj\n?(<<[^\n]*/Type/EmbeddedFile.*?>>)\s*stream\n", re.DOTALL)


def pdf(town: Street, by: str, notice: str, language: str = "both") -> bytes:
    path = f"/v1/notices/{notice}/page"
    return town.client.get_bytes(path, by=town.ids[by], language=language, format="pdf")


def verify(data: bytes, key: str = "log") -> Arrival:
    return verify_proof(read_proof(data), origin=ORIGIN, key=key_of(key).public)


def attachment(data: bytes) -> bytes:
    """Returns the one attached file."""
    (found,) = EMBEDDED.finditer(data)
    stream = data[found.end() :]
    if b"/FlateDecode" not in found[1]:
        return stream.partition(b"\nendstream")[0]
    return zlib.decompressobj().decompress(stream)


def with_attachment(data: bytes, spoiled: bytes) -> bytes:
    """Returns the PDF with another file attached in the same place, not compressed."""
    (found,) = EMBEDDED.finditer(data)
    head = b"obj\n<</Length %d/Type/EmbeddedFile>>stream\n" % len(spoiled)
    return data[: found.start()] + head + spoiled + data[data.find(b"\nendstream", found.end()) :]


def test_a_pdf_proves_by_itself_what_arrived_and_when(town: Street) -> None:
    notice, page = told(town)
    data = pdf(town, "s2", notice)
    assert data.startswith(b"%PDF-1.")
    found = verify(data)
    assert (found.notice["notice"], found.notice["amount"]) == (notice, "5000")
    assert (found.index, found.time) == (verify(page.encode()).index, verify(page.encode()).time)


def test_the_attachment_alone_proves_as_much_and_is_canonical(town: Street) -> None:
    notice, _ = told(town)
    data = pdf(town, "s2", notice)
    attached = attachment(data)
    members = json.loads(attached)
    assert sorted(members) == [
        "checkpoint", "entry", "index", "leaf_hash", "log", "notice", "path", "v",
    ]  # fmt: skip
    assert verify(attached) == verify(data) == verify(with_attachment(data, attached))


def test_the_debtors_pdf_proves_the_hash_and_shows_no_terms_of_the_two_sides(
    town: Street,
) -> None:
    notice, _ = told(town)
    data = pdf(town, "core", notice)
    assert "entry" not in json.loads(attachment(data))
    with pytest.raises(MissingFileError):
        verify(data)


def test_a_pdf_of_another_log_key_proves_nothing(town: Street) -> None:
    notice, _ = told(town)
    with pytest.raises(RegistryError):
        verify(pdf(town, "s2", notice), key="another log")


def spoil(members: dict[str, Any]) -> Iterator[object]:
    """Yields what an attachment may be changed into."""
    other = "A" * 43
    for name, value in (
        ("leaf_hash", other), ("notice", "x"), ("log", "sandbox.example/other"), ("path", []),
        ("index", members["index"] + 1), ("index", True), ("index", -1), ("v", 2), ("path", "x"),
        ("path", [1]), ("checkpoint", 1), ("checkpoint", "_w"), ("entry", 1), ("entry", "_w"),
        ("entry", members["entry"][:-4]), ("more", 1),
    ):  # fmt: skip
        yield {**members, name: value}
    entry = b64url_decode(members["entry"], what="entry")
    another = entry.replace(b'"amount":"5000"', b'"amount":"5001"')
    assert another != entry
    yield {**members, "entry": b64url_encode(another)}
    yield {}
    yield []
    yield {name: members[name] for name in members if name != "path"}


def test_a_pdf_whose_attachment_was_changed_proves_nothing(town: Street) -> None:
    notice, _ = told(town)
    data = pdf(town, "s2", notice)
    for members in spoil(json.loads(attachment(data))):
        text = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
        for spoiled in (with_attachment(data, text), text):
            with pytest.raises(RegistryError):
                verify(spoiled)


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n%%EOF",
        b"%PDF-1.7\n1 0 obj <</Type/EmbeddedFile>>",
        b"%PDF-1.7\n1 0 obj <</Type/EmbeddedFile/Filter/FlateDecode>>stream\nxyz\nendstream",
        b"%PDF-1.7\n1 0 obj <</Type/EmbeddedFile>>stream\nxyz",
        b"%PDF-1.7\n1 0 obj <</Type/EmbeddedFile/Filter/FlateDecode>>stream\n"
        + zlib.compress(b"{" * 2**26),
        b"\xff\xfe",
        b"",
    ],
    ids=["empty", "no stream", "no deflate", "no end", "a bomb", "no text", "nothing"],
)
def test_what_has_no_proof_in_it_proves_nothing(data: bytes) -> None:
    with pytest.raises(RegistryError):
        verify(data)


@pytest.mark.parametrize("language", Language)
def test_the_same_notice_gives_the_same_bytes(language: Language) -> None:
    first = format_pdf(letter(), language)
    assert format_pdf(letter(), language) == first
    assert b"/CreationDate(D:20250701010000" in first
    assert format_pdf(letter(number=8), language) != first


def test_an_archives_pdf_holds_its_fonts_and_says_its_standard() -> None:
    data = format_pdf(letter(), Language.BOTH)
    assert b"<pdfaid:part>3</pdfaid:part>" in data
    fonts, files = data.count(b"/Type/FontDescriptor"), len(re.findall(rb"/FontFile[23] ", data))
    assert fonts == files > 0


def test_a_name_without_a_glyph_is_set_all_the_same() -> None:
    names = {"D": "\N{OLD TURKIC LETTER ORKHON A} Ltd."}
    data = format_pdf(replace(letter(), names=names), Language.ZH)
    assert data.startswith(b"%PDF-")
    assert b"pdfaid" not in data


def test_names_are_no_markup_to_the_typesetter() -> None:
    evil = {"D": '#panic("x")', "S": "*b* $x$ `c` \\ #import", "F": "]#v(1cm)["}
    data = format_pdf(replace(letter(), names=evil), Language.BOTH)
    assert b"<pdfaid:part>3</pdfaid:part>" in data


def test_who_accepts_a_pdf_and_no_page_gets_one(town: Street) -> None:
    notice, _ = told(town)
    client = town.client

    def media(**headers: str) -> str:
        headers["Authorization"] = f"Bearer {client.token(town.ids['s2'])}"
        answer = client._http.get(f"/v1/notices/{notice}/page", headers=headers)
        assert answer.status_code == 200
        return str(answer.headers["content-type"])

    assert media(Accept="application/pdf") == "application/pdf"
    assert media(Accept="text/html, application/pdf").startswith("text/html")
    assert media(Accept="*/*").startswith("text/html")


def root_of(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Computes a root as RFC 9162 section 2.1.3.2 says, without a line of the program."""
    node, last = leaf, size - 1
    for other in path:
        if index % 2 or index == last:
            node = hashlib.sha256(b"\x01" + other + node).digest()
            while index and not index % 2:
                index, last = index // 2, last // 2
        else:
            node = hashlib.sha256(b"\x01" + node + other).digest()
        index, last = index // 2, last // 2
    return node


def test_a_stranger_checks_the_attachment_by_the_page_of_formats_alone(town: Street) -> None:
    notice, _ = told(town)

    def raw(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    proof = json.loads(attachment(pdf(town, "s2", notice)))
    note = raw(proof["checkpoint"]).decode()
    signed, _, signatures = note.partition("\n\n")
    origin, size, root = signed.split("\n")
    signature = base64.b64decode(signatures.split()[2])
    key = nacl.signing.VerifyKey(key_of("log").public.raw)
    key.verify(f"{signed}\n".encode(), signature[4:])
    assert origin == proof["log"] == ORIGIN
    leaf = raw(proof["leaf_hash"])
    path = [raw(node) for node in proof["path"]]
    assert root_of(leaf, proof["index"], int(size), path) == base64.b64decode(root)
    entry = raw(proof["entry"])
    assert hashlib.sha256(b"\x00" + entry).digest() == leaf
    changes = json.loads(entry)["effects"]["changes"]
    (arrived,) = [each for each in changes if each.get("notice") == notice]
    assert (arrived["effect"], arrived["amount"]) == ("notice-arrived", "5000")
