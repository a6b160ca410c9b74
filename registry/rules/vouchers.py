"""Issuing a voucher: the debtor's promise, who joins it, who accepts it.

The promises of SD-03 stand inside the signed bytes as members that can only be true:
leaving one out is malformed, flipping one breaks the signature. The due date, the
debtor and the currency never change; there is no kind that could extend a voucher.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from registry.backing import InvoiceUses, reads_uses, use_invoices
from registry.debts import owe, reads_debtor, reads_stops, require_limit, require_not_stopped
from registry.effects import (
    DeadlineSet,
    Effect,
    Seal,
    Touch,
)
from registry.errors import MalformedError
from registry.fields import (
    LENIENT,
    Amount,
    BusinessDate,
    Digest,
    FileRef,
    MachineText,
    PartyField,
    SidField,
)
from registry.ids import PartyId, Sid
from registry.model import (
    ACCOUNTS,
    BUCKETS,
    HOLDER_ROLES,
    MANDATES,
    PARTIES,
    VOUCHER_NUMBERS,
    VOUCHERS,
    Bucket,
    Role,
    Route,
    Voucher,
    VoucherNumber,
    VoucherStatus,
)
from registry.refusals import (
    AlreadyJoinedError,
    DeadlinePassedError,
    DueTooSoonError,
    NotHolderRoleError,
    TooManyRecipientsError,
    VoucherDueError,
    VoucherNumberTakenError,
    VoucherStatusError,
)
from registry.rights import (
    end_instant,
    known_voucher,
    require_account,
    require_in_calendar,
    require_mandate,
    today_at,
)
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, get_many, replace

CO_DEBTORS_MAX = 7
"""The debtor and these are the recipients of notices: eight at the most."""


FACE_MAX = 1_000_000_000_000
"""10 billion yuan: no voucher comes near, and few could fill the ledger."""


class Basis(StrEnum):
    """What the claim arises from; a prepayment is none (SD-08)."""

    GOODS_DELIVERED = "goods-delivered"
    SERVICE_RENDERED = "service-rendered"
    PROGRESS_CERTIFIED = "progress-certified"


class EvidenceType(StrEnum):
    """Documents of the underlying trade."""

    CONTRACT = "contract"
    INVOICE = "invoice"
    ACCEPTANCE = "acceptance"


class Evidence(Body):
    """One document of the underlying trade, by its salted digest (SD-02)."""

    type: Annotated[EvidenceType, LENIENT]
    file: FileRef


def _only_true(value: object) -> object:
    """Refuses a 1, which equals true in Python and is another value in JSON."""
    if value is not True:
        raise ValueError("can only be true")
    return value


Promise = Annotated[Literal[True], BeforeValidator(_only_true)]


class Promises(Body):
    """What the debtor represents and promises (SD-03, SD-04): each can only be true."""

    trade_is_real: Promise
    creditor_has_performed: Promise
    payment_conditions_met: Promise
    amount_agreed: Promise
    unconditional: Promise
    no_defence: Promise
    no_set_off: Promise
    consent_split: Promise
    consent_transfer: Promise
    consent_finance: Promise


class VoucherIssue(Body):
    """The debtor's unconditional promise to pay the face at the due date."""

    voucher_no: MachineText
    creditor: PartyField
    face: Annotated[Amount, Field(le=FACE_MAX)]
    due_on: BusinessDate
    accept_by: BusinessDate
    basis: Annotated[Basis, LENIENT]
    promises: Promises
    evidence: Annotated[tuple[Evidence, ...], LENIENT, Field(min_length=3, max_length=32)]
    invoices: InvoiceUses
    route: Annotated[Route, LENIENT]
    account: SidField
    mandate: SidField
    terms: Digest | None = None


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


class VoucherIssued(Effect, frozen=True, kw_only=True):
    """A voucher waits for its first holder's acceptance."""

    voucher: Sid
    voucher_no: str
    debtor: PartyId
    creditor: PartyId
    face: Minor
    due_on: str
    accept_by: int
    route: str
    account: Sid
    mandate: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the voucher, its number and its bucket (without an ordinal yet); it is owed."""
        voucher = Voucher(
            voucher=self.voucher,
            voucher_no=self.voucher_no,
            debtor=self.debtor,
            creditor=self.creditor,
            co_debtors=(),
            face=self.face,
            discharged=Minor(0),
            cancelled=Minor(0),
            due_on=self.due_on,
            route=self.route,
            account=self.account,
            mandate=self.mandate,
            accept_by=self.accept_by,
            status=VoucherStatus.ISSUED,
            ordinal=None,
            lot_salt=seal.lot_salt(0),
        )
        number = VoucherNumber(debtor=self.debtor, voucher_no=self.voucher_no, voucher=self.voucher)
        bucket = Bucket(
            family="voucher",
            bucket=self.voucher,
            ordinal=None,
            salt=seal.bucket_salt(),
        )
        owe(state, self.debtor, self.face)
        state.add(VOUCHERS, voucher)
        state.add(VOUCHER_NUMBERS, number)
        state.add(BUCKETS, bucket)


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


def reads_voucher_issue(statement: Statement[VoucherIssue], _now: Now) -> ReadPlan:
    """Asks for the number, account, mandate, first holder, invoices, and what may be issued."""
    body = statement.body
    yield from get(VOUCHER_NUMBERS, statement.by, body.voucher_no)
    yield from get(MANDATES, body.mandate)
    yield from get(ACCOUNTS, body.account)
    yield from get_many(PARTIES, (statement.by, body.creditor))
    yield from reads_uses(body.invoices)
    yield from reads_debtor(statement.by)
    yield from reads_stops(statement.by)


def decide_voucher_issue(
    state: Rows, statement: Statement[VoucherIssue], now: Now
) -> tuple[Effect, ...]:
    """Promises to pay a first holder the face at the due date.

    Raises:
        MalformedError: The evidence lacks a contract, an invoice or an acceptance (SD-02).
        NotHolderRoleError: The first holder is not admitted in a role that may hold, or
            is the debtor.
        BeyondCalendarError: The ledger's calendar does not reach the due date.
        DueTooSoonError: The due date is not later than today.
        DeadlinePassedError: The last day for acceptance is past, or not before the due date.
        VoucherNumberTakenError: The debtor has used the number before.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The account to debit.
        MandateMissingError: The mandate does not authorise debiting that account.
        IssuanceStoppedError: The debtor may issue nothing for now (RG-09).
        DebtorLimitError: It would owe more than its limit (FR-06).
        MalformedError: The invoices are not sorted and unique, or do not add up to the face.
        InvoiceDiffersError: An invoice was stated at another amount before.
        InvoiceUsedError: Too little of an invoice is left (FR-01).
    """
    body = statement.body
    if not set(EvidenceType) <= {evidence.type for evidence in body.evidence}:
        raise MalformedError(what="evidence", reason="needs contract, invoice and acceptance")
    creditor = state.get(PARTIES, body.creditor)
    if creditor is None or not HOLDER_ROLES.intersection(creditor.roles):
        raise NotHolderRoleError(party=body.creditor)
    if body.creditor == statement.by:
        raise NotHolderRoleError(party=body.creditor)
    require_in_calendar(body.due_on, now)
    today = today_at(now)
    if body.due_on <= today:
        raise DueTooSoonError(due_on=body.due_on.isoformat(), today=today.isoformat())
    accept_by = end_instant(body.accept_by, now)
    if accept_by <= now.time or body.accept_by >= body.due_on:
        raise DeadlinePassedError(deadline=body.accept_by.isoformat())
    taken = state.get(VOUCHER_NUMBERS, statement.by, body.voucher_no)
    if taken is not None:
        raise VoucherNumberTakenError(voucher_no=body.voucher_no, voucher=taken.voucher)
    require_account(state, body.account, owner=statement.by)
    require_mandate(state, body.mandate, account=body.account)
    require_not_stopped(state, statement.by)
    require_limit(state, statement.by, body.face)
    used = use_invoices(state, statement.sid, body.invoices, face=body.face)

    # Past this line the issue must succeed.
    issued = VoucherIssued(
        voucher=statement.sid,
        voucher_no=body.voucher_no,
        debtor=statement.by,
        creditor=body.creditor,
        face=Minor(body.face),
        due_on=body.due_on.isoformat(),
        accept_by=accept_by,
        route=body.route,
        account=body.account,
        mandate=body.mandate,
    )
    return (issued, *used, DeadlineSet(at=accept_by, kind="voucher.expire", id=statement.sid))


def decide_voucher_accede(
    state: Rows, statement: Statement[VoucherAccede], now: Now
) -> tuple[Effect, ...]:
    """Joins the debt of a voucher that waits or is active.

    Raises:
        MalformedError: A cap without scope `capped`, or the reverse.
        VoucherStatusError: The voucher is neither issued nor active.
        VoucherDueError: The voucher is due.
        AlreadyJoinedError: The signer owes the voucher already.
        TooManyRecipientsError: Eight parties owe it.
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
    if len(voucher.co_debtors) >= CO_DEBTORS_MAX:
        raise TooManyRecipientsError(voucher=voucher.voucher, limit=CO_DEBTORS_MAX + 1)
    return (CoDebtorJoined(voucher=voucher.voucher, co_debtor=statement.by),)


_ANSWERS = {"voucher.issue": VOUCHERS}

KINDS = (
    Kind(
        name="voucher.issue",
        body=VoucherIssue,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor",
        reads=reads_voucher_issue,
        decide=decide_voucher_issue,
    ),
    Kind(
        name="voucher.accede",
        body=VoucherAccede,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the co-debtor to be",
        answers=_ANSWERS,
        decide=decide_voucher_accede,
    ),
)
