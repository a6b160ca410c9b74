"""Reads camt.052, camt.053 and camt.054: what was booked on accounts at a bank.

A credit says that a payee has its money; a debit only that a payer's is on its way. What
is marked as a reversal or a return came back. An entry of several payments is read by its
details, and these must add up to it; one that names only a batch is about all of that.

Source: ISO 20022, camt.052, camt.053 and camt.054, versions .02 to .12.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from clearing.rails.errors import BankFileError, CurrencyRefusedError
from clearing.rails.isofields import (
    Node,
    account_of,
    code_of,
    day_of,
    named_instruction,
    remittance_of,
)
from clearing.rails.messages import Item, Message, Side, Status, Verdict
from clearing.rails.payments import CURRENCY

_SIDES: Final = {"CRDT": Side.CREDIT, "DBIT": Side.DEBIT}
_BOOKED: Final = "BOOK"
_NOT_BOOKED: Final = frozenset({"PDNG", "INFO", "FUTR"})
_OPENING: Final = ("OPBD", "PRCD")
_CLOSING: Final = ("CLBD",)


class _Entry(NamedTuple):
    """What is said of a booking as a whole."""

    node: Node
    account: str | None
    side: Side
    status: Status
    code: str | None
    amount_minor: int
    currency: str
    booked: str | None
    reference: str | None


def read_camt(body: Node, *, parts: str, format: str, digest: str) -> tuple[Message, ...]:
    """Reads the statements of a message, one for each account that it is about.

    Args:
        body: The message.
        parts: The name of a statement in this kind of message.
        format: The message's name.
        digest: The digest of the file.

    Raises:
        BankFileError: A statement is not whole, or its details do not add up.
        CurrencyRefusedError: An account is in another currency.
    """
    message_id = body.need("GrpHdr/MsgId").own_text() or ""
    return tuple(
        _statement(part, message_id=message_id, format=format, digest=digest)
        for part in body.all(parts)
    )


def _statement(part: Node, *, message_id: str, format: str, digest: str) -> Message:
    """Reads one statement."""
    account, currency = account_of(part, "Acct"), part.text("Acct/Ccy")
    if account is None:
        raise BankFileError(what=f"{part.place}/Acct", reason="names no account")
    if currency not in (None, CURRENCY):
        raise CurrencyRefusedError(currency=currency or "", expected=CURRENCY)
    items: list[Item] = []
    verdicts: list[Verdict] = []
    sums = dict.fromkeys(Side, 0)
    for node in part.all("Ntry"):
        entry = _entry(node, account=account)
        if entry.status is not Status.PENDING and entry.currency == CURRENCY:
            sums[entry.side] += entry.amount_minor
        for said in _said(entry):
            if isinstance(said, Item):
                items.append(said)
            else:
                verdicts.append(said)
    return Message(
        format=format,
        digest=digest,
        message_id=message_id,
        items=tuple(items),
        verdicts=tuple(verdicts),
        account=account,
        opening_minor=_balance(part, _OPENING),
        closing_minor=_balance(part, _CLOSING),
        credited_minor=sums[Side.CREDIT],
        debited_minor=sums[Side.DEBIT],
    )


def _balance(part: Node, kinds: tuple[str, ...]) -> int | None:
    """Returns a balance in fen, by the first of several kinds that is there.

    Raises:
        BankFileError: It is there twice.
        CurrencyRefusedError: It is in another currency.
    """
    for kind in kinds:
        found = [each for each in part.all("Bal") if each.text("Tp/CdOrPrtry/Cd") == kind]
        if not found:
            continue
        if len(found) > 1:
            raise BankFileError(what=f"{part.place}/Bal", reason=f"{kind} is there twice")
        minor, currency = found[0].need("Amt").own_money()
        if currency != CURRENCY:
            raise CurrencyRefusedError(currency=currency, expected=CURRENCY)
        return minor if _side(found[0]) is Side.CREDIT else -minor
    return None


def _side(node: Node) -> Side:
    """Returns which way something was booked.

    Raises:
        BankFileError: Neither way.
    """
    text = node.need("CdtDbtInd").own_text() or ""
    side = _SIDES.get(text)
    if side is None:
        raise BankFileError(what=f"{node.place}/CdtDbtInd", reason=f"{text!r} is no side")
    return side


def _entry(node: Node, *, account: str) -> _Entry:
    """Reads what is said of a booking as a whole."""
    amount_minor, currency = node.need("Amt").own_money()
    side, code = _side(node), code_of(node, "Sts") or node.text("Sts")
    if code in _NOT_BOOKED:
        status = Status.PENDING
    elif code != _BOOKED:
        status = Status.UNCLEAR
    elif node.flag("RvslInd"):
        status = Status.RETURNED
    else:
        # What the payer was debited with has not reached the payee yet.
        status = Status.POSTED if side is Side.CREDIT else Status.ACCEPTED
    return _Entry(
        node=node,
        account=account,
        side=side,
        status=status,
        code=code if status is Status.UNCLEAR else None,
        amount_minor=amount_minor,
        currency=currency,
        booked=day_of(node, "BookgDt"),
        reference=node.text("AcctSvcrRef"),
    )


def _said(entry: _Entry) -> Iterator[Item | Verdict]:
    """Yields what a booking says: of each of its payments, of a batch, or of nothing known.

    Raises:
        BankFileError: The details do not add up to the booking.
    """
    groups = list(entry.node.all("NtryDtls"))
    details = [detail for group in groups for detail in group.all("TxDtls")]
    if len(details) == 1:
        # What was booked is the entry's amount, whatever the payment was for.
        yield _item(entry, details[0], amount=(entry.amount_minor, entry.currency))
        return
    if details:
        amounts = [_detail_amount(entry, detail) for detail in details]
        if sum(amounts) != entry.amount_minor:
            reason = f"details add up to {sum(amounts)}, {entry.amount_minor} was booked"
            raise BankFileError(what=entry.node.place, reason=reason)
        for detail, amount in zip(details, amounts, strict=True):
            yield _item(entry, detail, amount=(amount, entry.currency))
        return
    batches = [name for group in groups if (name := group.text("Btch/PmtInfId"))]
    if len(batches) != 1:
        yield _item(entry, entry.node, amount=(entry.amount_minor, entry.currency))
        return
    yield Verdict(
        place=entry.node.place,
        status=entry.status,
        batch=batches[0],
        amount_minor=entry.amount_minor if entry.currency == CURRENCY else None,
        account=entry.account,
        side=entry.side,
        reason=entry.code,
        reference=entry.reference,
    )


def _detail_amount(entry: _Entry, detail: Node) -> int:
    """Returns the amount of one of several payments of a booking.

    Raises:
        BankFileError: It has none in the booking's currency, or another side.
    """
    if detail.get("CdtDbtInd") is not None and _side(detail) is not entry.side:
        raise BankFileError(what=detail.place, reason="is booked the other way than its entry")
    money = detail.money("Amt") or detail.money("AmtDtls/TxAmt/Amt")
    if money is None or money[1] != entry.currency:
        raise BankFileError(what=detail.place, reason=f"has no amount in {entry.currency}")
    return money[0]


def _item(entry: _Entry, detail: Node, *, amount: tuple[int, str]) -> Item:
    """Returns what a booking says of one payment."""
    status, reason = entry.status, entry.code
    returned = detail.get("RtrInf")
    if status is not Status.PENDING and returned is not None:
        status, reason = Status.RETURNED, code_of(returned, "Rsn")
    return Item(
        place=detail.place,
        status=status,
        instruction=named_instruction(
            detail, end_to_end="Refs/EndToEndId", instruction="Refs/InstrId"
        ),
        amount_minor=amount[0],
        currency=amount[1],
        account=entry.account,
        side=entry.side,
        reason=reason,
        booked=entry.booked,
        reference=detail.text("Refs/AcctSvcrRef") or entry.reference,
        remittance=remittance_of(detail, "RmtInf"),
        charges_minor=_charges(detail) or _charges(entry.node),
    )


def _charges(node: Node) -> int | None:
    """Returns what the bank took for itself, in fen; the versions tell it in three places."""
    taken = 0
    for charges in node.all("Chrgs"):
        records = [*charges.all("Rcrd")] or [charges]
        amounts = [each for record in records for each in record.all("Amt")]
        sums = [*charges.all("TtlChrgsAndTaxAmt")] or amounts
        taken += sum(minor for minor, of in (each.own_money() for each in sums) if of == CURRENCY)
    return taken or None
