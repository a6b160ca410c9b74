"""Reads pain.002: what a payer's bank says of a payment file, its batches and payments.

Only `ACCC` says that the payee's account was credited; `ACSC` says it of the payer's.
What is said of the whole file holds for each payment of which nothing else is said.

Source: ISO 20022, pain.002.001.03 to .14; external code set ExternalPaymentTransactionStatus1Code.
"""

from collections.abc import Iterator
from typing import Final

from clearing.rails.errors import BankFileError
from clearing.rails.isofields import (
    Node,
    account_of,
    code_of,
    named_instruction,
    remittance_of,
)
from clearing.rails.messages import Item, Message, Status, Verdict

STATUSES: Final = {
    "RCVD": Status.PENDING,
    "PDNG": Status.PENDING,
    "ACTC": Status.PENDING,
    "ACCP": Status.ACCEPTED,
    "ACSP": Status.ACCEPTED,
    "ACWP": Status.ACCEPTED,
    "ACSC": Status.ACCEPTED,
    "ACCC": Status.POSTED,
    "RJCT": Status.REJECTED,
    "CANC": Status.REJECTED,
}
"""What codes mean. Others, such as an acceptance with changes, are for people to read."""

_PARTLY: Final = "PART"
_ANSWERED: Final = "pain.001"


def read_pain002(body: Node, *, format: str, digest: str) -> Message:
    """Reads a status report.

    Raises:
        BankFileError: It is of another kind of message than a payment file, or not whole.
    """
    original = body.need("OrgnlGrpInfAndSts")
    file = original.need("OrgnlMsgId").own_text()
    answered = original.text("OrgnlMsgNmId") or ""
    if not answered.startswith(_ANSWERED):
        reason = f"{answered[:40]!r}: an answer to no payment file"
        raise BankFileError(what=f"{original.place}/OrgnlMsgNmId", reason=reason)
    verdicts = [*_verdicts(original, "GrpSts", file=file, batch=None)]
    items: list[Item] = []
    for batch in body.all("OrgnlPmtInfAndSts"):
        name = batch.need("OrgnlPmtInfId").own_text()
        verdicts += _verdicts(batch, "PmtInfSts", file=file, batch=name)
        items += _items(batch)
    return Message(
        format=format,
        digest=digest,
        message_id=body.need("GrpHdr/MsgId").own_text() or "",
        items=tuple(items),
        verdicts=tuple(verdicts),
    )


def _verdicts(node: Node, path: str, *, file: str | None, batch: str | None) -> Iterator[Verdict]:
    """Yields what is said of all, unless it differs within."""
    code = node.text(path)
    if code is None or code == _PARTLY:
        return
    status = STATUSES.get(code, Status.UNCLEAR)
    yield Verdict(
        place=node.place, status=status, file=file, batch=batch, reason=_reason(node, code, status)
    )


def _items(batch: Node) -> Iterator[Item]:
    """Yields what is said of single payments."""
    for node in batch.all("TxInfAndSts"):
        code = node.text("TxSts")
        if code is None:
            continue
        status = STATUSES.get(code, Status.UNCLEAR)
        money = node.money("OrgnlTxRef/Amt/InstdAmt")
        yield Item(
            place=node.place,
            status=status,
            instruction=named_instruction(
                node, end_to_end="OrgnlEndToEndId", instruction="OrgnlInstrId"
            ),
            amount_minor=money[0] if money else None,
            currency=money[1] if money else None,
            account=account_of(node, "OrgnlTxRef/CdtrAcct"),
            reason=_reason(node, code, status),
            booked=node.text("AccptncDtTm"),
            reference=node.text("AcctSvcrRef"),
            remittance=remittance_of(node, "OrgnlTxRef/RmtInf"),
        )


def _reason(node: Node, code: str, status: Status) -> str | None:
    """Returns why something was not carried out, or the code that says nothing to us."""
    if status is Status.UNCLEAR:
        return code
    if status is not Status.REJECTED:
        return None
    reasons = [code_of(each, "Rsn") for each in node.all("StsRsnInf")]
    return next((reason for reason in reasons if reason), code)
