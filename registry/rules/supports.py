"""Guarantees and shortfall promises: who stands in for a debtor, how far, and when.

Each is a statement of the promisor's own, with its kind declared: an accession
(`voucher.accede`) makes a debtor, a guarantee or a promise to make up a shortfall does
not. Several promisors may stand behind one voucher.

Source: SD-06, SD-09, SD-61, RG-23; reference notes 6 and 17.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from registry.credit import SUPPORTS, Support
from registry.effects import Effect, Seal, Touch
from registry.errors import MalformedError
from registry.fields import LENIENT, Amount, FileRef
from registry.ids import PartyId, Sid
from registry.liability import SupportKind, Trigger
from registry.model import VOUCHERS, Role, VoucherStatus
from registry.refusals import (
    AlreadyJoinedError,
    TooManySupportsError,
    VoucherDueError,
    VoucherStatusError,
)
from registry.rights import known_voucher, today_at
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, ReadPlan, Rows, where

SUPPORTS_MAX = 8
"""Promisors of one voucher."""

_MINUTES = 24 * 60


class Addressee(StrEnum):
    """Who may call on the promise (SD-09)."""

    HOLDERS = "holders"
    CREDITOR = "creditor"
    FACTOR = "factor"
    TRUST = "trust"
    CUSTODIAN = "custodian"


class SupportTrigger(Body):
    """When the promisor may be asked; day and time belong to `unpaid-at`, and only there.

    The day is so many working days before the due date, the time minutes from midnight.
    """

    at: Annotated[Trigger, LENIENT]
    working_days_before: Annotated[int, Field(ge=0, le=30)] | None = None
    minute: Annotated[int, Field(ge=0, lt=_MINUTES)] | None = None


class SupportBody(Body):
    """What every promisor says: to whom, how far, from when, and on which resolution."""

    addressee: Annotated[Addressee, LENIENT]
    cap: Amount | None = None
    trigger: SupportTrigger
    resolution: FileRef


class VoucherGuarantee(SupportBody):
    """A guarantee of a voucher (保证), up to a cap or its whole face."""


class VoucherPromiseShortfall(SupportBody):
    """A promise to make up what the debtor does not pay (差额补足), not a guarantee by name."""


class SupportGiven(Effect, frozen=True, kw_only=True):
    """A promisor stands behind a voucher."""

    support: Sid
    voucher: Sid
    promisor: PartyId
    support_kind: str
    addressee: str
    trigger: str
    cap: Minor | None = None
    working_days_before: int | None = None
    minute: int | None = None

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the promise."""
        row = Support(
            support=self.support,
            voucher=self.voucher,
            promisor=self.promisor,
            support_kind=self.support_kind,
            addressee=self.addressee,
            cap=self.cap,
            trigger=self.trigger,
            working_days_before=self.working_days_before,
            minute=self.minute,
        )
        state.add(SUPPORTS, row)


def reads_support(statement: Statement[Any], _now: Now) -> ReadPlan:
    """Asks for who stands behind the voucher already."""
    yield from where(SUPPORTS, "voucher", statement.re or "")


def _given(
    state: Rows, statement: Statement[Any], now: Now, kind: SupportKind
) -> tuple[Effect, ...]:
    """Returns what follows from a promise; see the decisions for its refusals."""
    body: SupportBody = statement.body
    trigger = body.trigger
    is_timed = trigger.at is Trigger.UNPAID_AT
    if is_timed is (trigger.working_days_before is None) or is_timed is (trigger.minute is None):
        raise MalformedError(what="trigger", reason="day and time belong to unpaid-at alone")
    voucher = known_voucher(state, Sid(statement.re or ""))
    if voucher.status not in (VoucherStatus.ISSUED, VoucherStatus.ACTIVE):
        raise VoucherStatusError(
            voucher=voucher.voucher, status=voucher.status, kind=statement.kind
        )
    if today_at(now).isoformat() >= voucher.due_on:
        raise VoucherDueError(voucher=voucher.voucher, due_on=voucher.due_on)
    others = state.where(SUPPORTS, "voucher", voucher.voucher)
    named = {voucher.debtor, *voucher.co_debtors, *(row.promisor for row in others)}
    if statement.by in named:
        raise AlreadyJoinedError(voucher=voucher.voucher, party=statement.by)
    if len(others) >= SUPPORTS_MAX:
        raise TooManySupportsError(voucher=voucher.voucher, limit=SUPPORTS_MAX)
    given = SupportGiven(
        support=statement.sid,
        voucher=voucher.voucher,
        promisor=statement.by,
        support_kind=kind,
        addressee=body.addressee,
        trigger=trigger.at,
        cap=None if body.cap is None else Minor(body.cap),
        working_days_before=trigger.working_days_before,
        minute=trigger.minute,
    )
    return (given,)


def decide_voucher_guarantee(
    state: Rows, statement: Statement[VoucherGuarantee], now: Now
) -> tuple[Effect, ...]:
    """Guarantees a voucher that waits or is active.

    Raises:
        MalformedError: A day and a time without trigger `unpaid-at`, or the reverse.
        VoucherStatusError: The voucher is neither issued nor active.
        VoucherDueError: The voucher is due.
        AlreadyJoinedError: The signer owes the voucher, or stands behind it already.
        TooManySupportsError: Eight promisors do.
    """
    return _given(state, statement, now, SupportKind.GUARANTEE)


def decide_voucher_promise_shortfall(
    state: Rows, statement: Statement[VoucherPromiseShortfall], now: Now
) -> tuple[Effect, ...]:
    """Promises to make up what the debtor of a voucher does not pay.

    Raises:
        MalformedError: A day and a time without trigger `unpaid-at`, or the reverse.
        VoucherStatusError: The voucher is neither issued nor active.
        VoucherDueError: The voucher is due.
        AlreadyJoinedError: The signer owes the voucher, or stands behind it already.
        TooManySupportsError: Eight promisors do.
    """
    return _given(state, statement, now, SupportKind.SHORTFALL)


_SIGNERS = frozenset({Role.PARTICIPANT, Role.FINANCIER})
_ANSWERS = {"voucher.issue": VOUCHERS}

KINDS = (
    Kind(
        name="voucher.guarantee",
        body=VoucherGuarantee,
        signers=_SIGNERS,
        relation="the guarantor",
        answers=_ANSWERS,
        reads=reads_support,
        decide=decide_voucher_guarantee,
    ),
    Kind(
        name="voucher.promise-shortfall",
        body=VoucherPromiseShortfall,
        signers=_SIGNERS,
        relation="the shortfall promisor",
        answers=_ANSWERS,
        reads=reads_support,
        decide=decide_voucher_promise_shortfall,
    ),
)
