"""XML from outside, as a tree: no DTD, no entities, nothing fetched, and only so much of it.

ISO 20022 messages are UTF-8 without a document type. Entities can only be declared in
one, so that a message that has none cannot grow when it is read, nor point elsewhere.
The parser is the standard library's; the depth is checked while it reads.
"""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from clearing.rails.errors import BankFileError
from registry.errors import TooLargeError

BYTES_MAX: Final = 32 * 2**20
ELEMENTS_MAX: Final = 2_000_000
DEPTH_MAX: Final = 32
"""The deepest message that is read has 15 levels."""

_CHUNK: Final = 2**20
_DECLARED: Final = re.compile(r"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([^\"']*)[\"']")


def parse_xml(data: bytes) -> Element:
    """Parses a message.

    Raises:
        TooLargeError: It has too many bytes or elements, or is too deep.
        BankFileError: It is not UTF-8; it has a document type, an entity, or a processing
            instruction; it is not well-formed.
    """
    if len(data) > BYTES_MAX:
        raise TooLargeError(what="bank file", size=len(data), limit=BYTES_MAX)
    _check_text(data)
    parser: XMLPullParser[Element] = XMLPullParser(events=("start", "end"))
    elements = depth = 0
    root: Element | None = None
    for event, element in _events(parser, data):
        if event == "end":
            depth -= 1
            continue
        root = element if root is None else root
        elements, depth = elements + 1, depth + 1
        if depth > DEPTH_MAX:
            raise TooLargeError(what="depth of elements", size=depth, limit=DEPTH_MAX)
        if elements > ELEMENTS_MAX:
            raise TooLargeError(what="number of elements", size=elements, limit=ELEMENTS_MAX)
    if root is None:
        raise BankFileError(what="bank file", reason="no XML")
    return root


def _events(parser: "XMLPullParser[Element]", data: bytes) -> Iterator[tuple[str, Element]]:
    """Yields starts and ends as they are read.

    Raises:
        BankFileError: The message is not well-formed.
    """
    try:
        for start in range(0, len(data), _CHUNK):
            parser.feed(data[start : start + _CHUNK])
            yield from parser.read_events()  # type: ignore[misc]
        parser.close()
        yield from parser.read_events()  # type: ignore[misc]
    except ParseError as error:
        raise BankFileError(what="bank file", reason=f"not well-formed: {error}") from None


def _check_text(data: bytes) -> None:
    """Checks what the parser would take, and no message has.

    Raises:
        BankFileError: As `parse_xml`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 at byte {error.start}, as ISO 20022 asks for"
        raise BankFileError(what="bank file", reason=reason) from None
    declared = _DECLARED.match(text)
    if declared is not None and declared[1].upper() not in ("UTF-8", "UTF8"):
        reason = f"declares {declared[1]}, where ISO 20022 asks for UTF-8"
        raise BankFileError(what="bank file", reason=reason)
    # Wherever they stand: no text of a message needs them either.
    for mark in ("<!DOCTYPE", "<!ENTITY"):
        if mark in text:
            raise BankFileError(what="bank file", reason=f"has {mark}, which no message has")
    if text.count("<?") > text.lstrip().startswith("<?xml"):
        raise BankFileError(what="bank file", reason="has a processing instruction")
