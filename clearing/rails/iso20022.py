"""ISO 20022 files: which messages are read, and how one is opened.

A file is a `Document` of one message, without an envelope around it. Signatures are for
whoever carries the file; what counts here is the digest of its bytes.

    pain.001  written         orders to a payer's bank
    pain.002  read            what it says of them
    camt.052, .053, .054      what was booked
    pacs.004                  what came back
"""

import re
from collections.abc import Mapping
from typing import Final

from clearing.rails.camt import read_camt
from clearing.rails.errors import BankFileError, BankFormatUnknownError
from clearing.rails.isofields import Node
from clearing.rails.messages import Message
from clearing.rails.pacs004 import read_pacs004
from clearing.rails.pain002 import read_pain002
from clearing.rails.xmltree import parse_xml
from registry.canonical import digest_b64url

_PREFIX: Final = "urn:iso:std:iso:20022:tech:xsd:"
_TAG: Final = re.compile(r"\{([^}]*)\}(.*)")
_NAME: Final = re.compile(r"((?:pain|camt|pacs)\.[0-9]{3})\.001\.([0-9]{2})")

READ: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "pain.002": ("CstmrPmtStsRpt", (*range(3, 15),)),
    "camt.052": ("BkToCstmrAcctRpt", (*range(2, 13),)),
    "camt.053": ("BkToCstmrStmt", (*range(2, 13),)),
    "camt.054": ("BkToCstmrDbtCdtNtfctn", (*range(2, 13),)),
    "pacs.004": ("PmtRtr", (2, 3, 4, 5, 6, 7, 9, 10, 11, 13, 14)),
}
"""The messages that are read: the name of the message, and its versions."""

PARTS: Final[Mapping[str, str]] = {"camt.052": "Rpt", "camt.053": "Stmt", "camt.054": "Ntfctn"}
"""What a statement is called in messages that hold several."""


def read_iso20022(data: bytes) -> tuple[Message, ...]:
    """Reads a bank's file: a message, or the statements of several accounts.

    Args:
        data: The file, as it came.

    Raises:
        TooLargeError: It is too large or too deep.
        BankFileError: It is not safe to read, not well-formed, or not whole.
        BankFormatUnknownError: It is of a kind or version that is not read.
        CurrencyRefusedError: An account is in another currency.
    """
    root = parse_xml(data)
    match = _TAG.fullmatch(root.tag)
    namespace, tag = (match[1], match[2]) if match else ("", root.tag)
    name = namespace.removeprefix(_PREFIX)
    parsed = _NAME.fullmatch(name)
    if tag != "Document" or not namespace.startswith(_PREFIX) or parsed is None:
        found = f"{tag[:40]} of namespace {namespace[:80]!r}"
        raise BankFormatUnknownError(found=found, expected=f"a Document of {_all()}")
    kind, version = parsed[1], int(parsed[2])
    if kind not in READ:
        raise BankFormatUnknownError(found=name, expected=_all())
    member, versions = READ[kind]
    if version not in versions:
        raise BankFormatUnknownError(found=name, expected=_versions(kind))
    document = Node(root, namespace=namespace, place="Document")
    body, digest = document.need(member), digest_b64url(data)
    if kind == "pain.002":
        return (read_pain002(body, format=name, digest=digest),)
    if kind == "pacs.004":
        return (read_pacs004(body, format=name, digest=digest),)
    messages = read_camt(body, parts=PARTS[kind], format=name, digest=digest)
    if not messages:
        raise BankFileError(what=f"{body.place}/{PARTS[kind]}", reason="is missing")
    return messages


def _versions(kind: str) -> str:
    """Returns the versions of a message that are read."""
    first, *others = READ[kind][1]
    return " ".join((f"{kind}.001.{first:02}", *(f".{version:02}" for version in others)))


def _all() -> str:
    """Returns all that is read."""
    return ", ".join(map(_versions, READ))
