"""Rights that secure a voucher: who gives them declares what they are.

A right is declared, never inferred, and secures the whole voucher up to its cap. When
lots are split and assigned it goes with them pro rata (see `registry.accessory`). Whoever
guarantees, or promises to pay a shortfall, is told of every assignment from then on.

Source: Civil Code, arts. 547 and 696; SD-06, SD-09, SD-18, SD-61, RG-23, RG-24.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from registry.burdens import ACCESSORIES, Accessory
from registry.effects import Effect, Seal, Touch
from registry.encumbrance_refusals import (
    TooManyAccessoriesError,
)
from registry.errors import MalformedError
from registry.fields import LENIENT, Amount, BodyAmount, FileRef
from registry.ids import PartyId, Sid
from registry.liability import Trigger
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
from registry.tables import Minor, MutableRows, ReadPlan, Rows, replace, where

ACCESSORIES_MAX = 16
"""Rights that secure one voucher."""


class Right(StrEnum):
    """What secures the voucher: 保证, 差额补足, 抵押, 质押."""

    GUARANTEE = "guarantee"
    SHORTFALL = "shortfall"
    MORTGAGE = "mortgage"
    PLEDGE = "pledge"


PERSONAL = frozenset({Right.GUARANTEE, Right.SHORTFALL})
"""Promises of a person, who has to be told of every assignment."""


class Addressee(StrEnum):
    """Who may call on a person's promise (SD-09)."""

    HOLDERS = "holders"
    CREDITOR = "creditor"
    FACTOR = "factor"
    TRUST = "trust"
    CUSTODIAN = "custodian"


class PromiseBody(Body):
    """Who may call on a promise, and when; day and time belong to `unpaid-at`, and only there.

    The day is so many working days before the due date, the time minutes from midnight.
    """

    addressee: Annotated[Addressee, LENIENT]
    trigger: Annotated[Trigger, LENIENT]
    working_days_before: Annotated[int, Field(ge=0, le=30)] | None = None
    minute: Annotated[int, Field(ge=0, lt=24 * 60)] | None = None


class AccessoryAttach(Body):
    """A right that secures a voucher in whosever hands, up to a cap; a promise has its terms."""

    right: Annotated[Right, LENIENT]
    cap: Amount
    document: FileRef
    promise: PromiseBody | None = None


class AccessoryAttached(Effect, frozen=True, kw_only=True):
    """A voucher is secured by one right more."""

    accessory: Sid
    voucher: Sid
    provider: PartyId
    right: str
    cap: Minor
    document: str
    addressee: str | None = None
    trigger: str | None = None
    working_days_before: int | None = None
    minute: int | None = None

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the provider."""
        return (("voucher", self.voucher), ("holder", self.provider))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the right; a personal promise adds its provider to who is told."""
        row = Accessory(
            accessory=self.accessory,
            voucher=self.voucher,
            provider=self.provider,
            right=self.right,
            cap=self.cap,
            document=self.document,
            addressee=self.addressee,
            trigger=self.trigger,
            working_days_before=self.working_days_before,
            minute=self.minute,
        )
        state.add(ACCESSORIES, row)
        voucher = known_voucher(state, self.voucher)
        if self.right in PERSONAL and self.provider not in recipients_of(voucher):
            told = (*voucher.guarantors, self.provider)
            state.put(VOUCHERS, replace(voucher, guarantors=told))


def reads_accessory_attach(statement: Statement[AccessoryAttach], _now: Now) -> ReadPlan:
    """Asks for the rights that secure the voucher already, and for the signer's inbox."""
    yield from where(ACCESSORIES, "voucher", statement.re or "")
    yield from ask_inboxes((statement.by,))


def decide_accessory_attach(
    state: Rows, statement: Statement[AccessoryAttach], now: Now
) -> tuple[Effect, ...]:
    """Secures a voucher that waits or is active, in whosever hands its lots are.

    Raises:
        MalformedError: A promise's terms without a promise, or the reverse; a day and a time
            without trigger `unpaid-at`, or the reverse.
        VoucherStatusError: The voucher is neither issued nor active.
        VoucherDueError: The voucher is due.
        AlreadyJoinedError: The signer owes the voucher, and cannot secure its own debt by a
            promise.
        TooManyAccessoriesError: 16 rights secure it.
        TooManyRecipientsError: Eight parties are told of its assignments.
        InboxMissingError: Who promises has not designated its inbox for notices.
    """
    body, promise = statement.body, statement.body.promise
    is_personal = body.right in PERSONAL
    if is_personal is (promise is None):
        raise MalformedError(what="promise", reason="belongs to a guarantee or a shortfall alone")
    if promise is not None:
        given = (promise.working_days_before is not None, promise.minute is not None)
        if given != (promise.trigger is Trigger.UNPAID_AT,) * 2:
            raise MalformedError(what="promise", reason="day and time belong to unpaid-at alone")
    voucher = known_voucher(state, Sid(statement.re or ""))
    if voucher.status not in (VoucherStatus.ISSUED, VoucherStatus.ACTIVE):
        raise VoucherStatusError(
            voucher=voucher.voucher, status=voucher.status, kind=statement.kind
        )
    if today_at(now).isoformat() >= voucher.due_on:
        raise VoucherDueError(voucher=voucher.voucher, due_on=voucher.due_on)
    if is_personal and statement.by in (voucher.debtor, *voucher.co_debtors):
        raise AlreadyJoinedError(voucher=voucher.voucher, party=statement.by)
    if len(state.where(ACCESSORIES, "voucher", voucher.voucher)) >= ACCESSORIES_MAX:
        raise TooManyAccessoriesError(voucher=voucher.voucher, limit=ACCESSORIES_MAX)
    told = recipients_of(voucher)
    if is_personal and statement.by not in told and len(told) >= RECIPIENTS_MAX:
        raise TooManyRecipientsError(voucher=voucher.voucher, limit=RECIPIENTS_MAX)
    if is_personal:
        require_inbox(state, statement.by)
    attached = AccessoryAttached(
        accessory=statement.sid,
        voucher=voucher.voucher,
        provider=statement.by,
        right=body.right,
        cap=Minor(body.cap),
        document=body.document.digest,
        addressee=None if promise is None else promise.addressee,
        trigger=None if promise is None else promise.trigger,
        working_days_before=None if promise is None else promise.working_days_before,
        minute=None if promise is None else promise.minute,
    )
    return (attached,)


KINDS = (
    Kind(
        name="accessory.attach",
        body=AccessoryAttach,
        signers=frozenset({Role.PARTICIPANT, Role.FINANCIER}),
        relation="who secures it",
        answers={"voucher.issue": VOUCHERS},
        reads=reads_accessory_attach,
        decide=decide_accessory_attach,
        amount=BodyAmount("cap"),
    ),
)
