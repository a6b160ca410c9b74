"""Fields of ISO 20022 messages: found by name, at most once, and read to the fen."""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from clearing.rails.errors import BankFileError

ID_MAX: Final = 35
_AMOUNT: Final = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,2}))?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_NOT_PROVIDED: Final = "NOTPROVIDED"


class Node:
    """An element of a message, whose children have names without namespace.

    Attributes:
        place: Its path from the root, with numbers where elements repeat, for people.
    """

    __slots__ = ("_element", "_namespace", "place")

    def __init__(self, element: Element, *, namespace: str, place: str) -> None:
        """Wraps an element; only children in the message's namespace are seen."""
        self._element, self._namespace, self.place = element, namespace, place

    def all(self, name: str) -> Iterator["Node"]:
        """Yields the children of a name, in order."""
        tag = f"{{{self._namespace}}}{name}"
        for number, child in enumerate(self._element.iterfind(tag), 1):
            yield Node(child, namespace=self._namespace, place=f"{self.place}/{name} {number}")

    def get(self, path: str) -> "Node | None":
        """Returns the one descendant at a path, if it is there.

        Raises:
            BankFileError: There are several where a message has one.
        """
        node = self
        for name in path.split("/"):
            found = node._element.findall(f"{{{self._namespace}}}{name}")
            if not found:
                return None
            if len(found) > 1:
                raise BankFileError(what=f"{node.place}/{name}", reason="is there twice")
            node = Node(found[0], namespace=self._namespace, place=f"{node.place}/{name}")
        return node

    def need(self, path: str) -> "Node":
        """Returns the one descendant at a path.

        Raises:
            BankFileError: It is missing, or there are several.
        """
        node = self.get(path)
        if node is None:
            raise BankFileError(what=f"{self.place}/{path}", reason="is missing")
        return node

    def text(self, path: str) -> str | None:
        """Returns the text at a path, without space around it; None if missing or empty."""
        node = self.get(path)
        return None if node is None else node.own_text()

    def own_text(self) -> str | None:
        """Returns the element's own text, without space around it."""
        return (self._element.text or "").strip() or None

    def flag(self, path: str) -> bool:
        """Tells whether an indicator is set; one that is missing is not.

        Raises:
            BankFileError: It is neither true nor false.
        """
        text = self.text(path)
        if text not in (None, "true", "1", "false", "0"):
            raise BankFileError(what=f"{self.place}/{path}", reason=f"{text!r} is no indicator")
        return text in ("true", "1")

    def money(self, path: str) -> tuple[int, str] | None:
        """Returns an amount in hundredths and its currency, if it is there."""
        node = self.get(path)
        return None if node is None else node.own_money()

    def own_money(self) -> tuple[int, str]:
        """Returns the element's own amount in hundredths and its currency.

        Raises:
            BankFileError: Another form than digits with at most two decimals; no currency.
        """
        currency = self._element.get("Ccy", "")
        if not _CURRENCY.fullmatch(currency):
            raise BankFileError(what=f"{self.place}/@Ccy", reason="no currency")
        return parse_hundredths(self.own_text() or "", what=self.place), currency


def parse_hundredths(text: str, *, what: str) -> int:
    """Parses decimal digits with at most two decimals into hundredths, never by a float.

    Raises:
        BankFileError: A sign, an exponent, a third decimal, or no number.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None:
        reason = f"{text[:40]!r} is no amount such as 1234.50"
        raise BankFileError(what=what, reason=reason)
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def code_of(node: Node, path: str) -> str | None:
    """Returns a code, the bank's own where there is none of the standard."""
    return node.text(f"{path}/Cd") or node.text(f"{path}/Prtry")


def account_of(node: Node, path: str) -> str | None:
    """Returns the number of an account: the bank's own, or an IBAN."""
    return node.text(f"{path}/Id/Othr/Id") or node.text(f"{path}/Id/IBAN")


def day_of(node: Node, path: str) -> str | None:
    """Returns a day or a time, as the bank wrote it."""
    return node.text(f"{path}/DtTm") or node.text(f"{path}/Dt")


def named_instruction(node: Node, *, end_to_end: str, instruction: str) -> str | None:
    """Returns the id that was given with the payment, if a bank kept it.

    Raises:
        BankFileError: It is longer than any id.
    """
    for path in (end_to_end, instruction):
        text = node.text(path)
        if text is not None and text != _NOT_PROVIDED:
            if len(text) > ID_MAX:
                raise BankFileError(what=f"{node.place}/{path}", reason="too long for an id")
            return text
    return None


def remittance_of(node: Node, path: str) -> str | None:
    """Returns the remittance text, its lines as one."""
    information = node.get(path)
    if information is None:
        return None
    return "".join(line.own_text() or "" for line in information.all("Ustrd")) or None
