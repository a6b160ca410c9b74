"""Reads pacs.004: payments that came back, as far as a bank passes it on.

Source: ISO 20022, pacs.004.001.02 to .14.
"""

from collections.abc import Iterator

from clearing.rails.errors import BankFileError
from clearing.rails.isofields import (
    Node,
    account_of,
    code_of,
    named_instruction,
    remittance_of,
)
from clearing.rails.messages import Item, Message, Status


def read_pacs004(body: Node, *, format: str, digest: str) -> Message:
    """Reads a return of payments.

    Raises:
        BankFileError: It names no payment, or is not whole.
    """
    items = tuple(_items(body))
    if not items:
        raise BankFileError(what=f"{body.place}/TxInf", reason="names no payment that came back")
    message_id = body.need("GrpHdr/MsgId").own_text() or ""
    return Message(format=format, digest=digest, message_id=message_id, items=items)


def _items(body: Node) -> Iterator[Item]:
    """Yields the payments that came back."""
    for node in body.all("TxInf"):
        amount_minor, currency = node.need("RtrdIntrBkSttlmAmt").own_money()
        reasons = [code_of(each, "Rsn") for each in node.all("RtrRsnInf")]
        yield Item(
            place=node.place,
            status=Status.RETURNED,
            instruction=named_instruction(
                node, end_to_end="OrgnlEndToEndId", instruction="OrgnlInstrId"
            ),
            amount_minor=amount_minor,
            currency=currency,
            account=account_of(node, "OrgnlTxRef/CdtrAcct"),
            reason=next((reason for reason in reasons if reason), None),
            booked=node.text("IntrBkSttlmDt"),
            reference=node.text("RtrId"),
            remittance=remittance_of(node, "OrgnlTxRef/RmtInf"),
            charges_minor=_charges(node, currency),
        )


def _charges(node: Node, currency: str) -> int | None:
    """Returns what banks on the way took, in hundredths of the payment's currency."""
    taken = [each.need("Amt").own_money() for each in node.all("ChrgsInf")]
    return sum(minor for minor, of in taken if of == currency) or None
