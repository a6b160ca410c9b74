"""Joining the debt of a voucher (债务加入), which makes a party a debtor like the first."""

from enum import StrEnum
from typing import Annotated, Literal

from registry.effects import Effect, Seal, Touch
from registry.errors import MalformedError
from registry.fields import LENIENT, Amount, FileRef
from registry.ids import PartyId, Sid
from registry.model import VOUCHERS, Role, VoucherStatus
from registry.notifying import RECIPIENTS_MAX, ask_inboxes, recipients_of, require_inbox
from registry.refusals import (
    AlreadyJoinedError,
    TooManyRecipientsError,
    VoucherDueError,
    VoucherStatusError,
)
from registry.rights import known_voucher, today_at
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, replace


class Scope(StrEnum):
    """How far a co-debtor joins the debt."""

    FULL = "full"
    CAPPED = "capped"


class VoucherAccede(Body):
    """Accession to the debt (债务加入), jointly with the debtor, towards every holder."""

    scope: Annotated[Scope, LENIENT]
    cap: Amount | None = None
    addressee: Literal["holders"]
    resolution: FileRef


class CoDebtorJoined(Effect, frozen=True, kw_only=True):
    """A party owes the voucher too, and is told of every assignment from here on."""

    voucher: Sid
    co_debtor: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Adds the co-debtor, last."""
        voucher = known_voucher(state, self.voucher)
        joined = (*voucher.co_debtors, self.co_debtor)
        state.put(VOUCHERS, replace(voucher, co_debtors=joined))


def amount_acceded(state: Rows, statement: Statement[VoucherAccede]) -> int:
    """Returns what the signer is to owe at most."""
    return statement.body.cap or known_voucher(state, Sid(statement.re or "")).face


def reads_voucher_accede(statement: Statement[VoucherAccede], _now: Now) -> ReadPlan:
    """Asks for the signer's inbox."""
    yield from ask_inboxes((statement.by,))


def decide_voucher_accede(
    state: Rows, statement: Statement[VoucherAccede], now: Now
) -> tuple[Effect, ...]:
    """Joins the debt of a voucher that waits or is active.

    Raises:
        MalformedError: A cap without scope `capped`, or the reverse.
        VoucherStatusError: The voucher is neither issued nor active.
        VoucherDueError: The voucher is due.
        AlreadyJoinedError: The signer owes the voucher already.
        TooManyRecipientsError: Eight parties are told of its assignments.
        InboxMissingError: The signer has not designated its inbox for notices.
    """
    body = statement.body
    if (body.scope is Scope.CAPPED) != (body.cap is not None):
        raise MalformedError(what="cap", reason="belongs to scope capped, and only there")
    voucher = known_voucher(state, Sid(statement.re or ""))
    if voucher.status not in (VoucherStatus.ISSUED, VoucherStatus.ACTIVE):
        raise VoucherStatusError(
            voucher=voucher.voucher, status=voucher.status, kind=statement.kind
        )
    today = today_at(now).isoformat()
    if today >= voucher.due_on:
        raise VoucherDueError(voucher=voucher.voucher, due_on=voucher.due_on)
    if statement.by in (voucher.debtor, *voucher.co_debtors):
        raise AlreadyJoinedError(voucher=voucher.voucher, party=statement.by)
    told = recipients_of(voucher)
    if statement.by not in told and len(told) >= RECIPIENTS_MAX:
        raise TooManyRecipientsError(voucher=voucher.voucher, limit=RECIPIENTS_MAX)
    require_inbox(state, statement.by)
    return (CoDebtorJoined(voucher=voucher.voucher, co_debtor=statement.by),)


KINDS = (
    Kind(
        name="voucher.accede",
        body=VoucherAccede,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the co-debtor to be",
        answers={"voucher.issue": VOUCHERS},
        reads=reads_voucher_accede,
        decide=decide_voucher_accede,
        amount=amount_acceded,
    ),
)
