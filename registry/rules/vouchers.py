"""Issuing a voucher: the debtor's promise, who joins it, who accepts it.

The promises of SD-03 stand inside the signed bytes as members that can only be true:
leaving one out is malformed, flipping one breaks the signature. The due date, the
debtor and the currency never change; there is no kind that could extend a voucher.
"""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from registry.effects import (
    DeadlineCleared,
    DeadlineSet,
    Due,
    Effect,
    Seal,
    Touch,
)
from registry.errors import (
    AlreadyJoinedError,
    DeadlinePassedError,
    DueTooSoonError,
    InvariantBrokenError,
    MalformedError,
    NotCreditorError,
    NotDebtorError,
    NotHolderRoleError,
    TooManyRecipientsError,
    VoucherDueError,
    VoucherNumberTakenError,
    VoucherStatusError,
)
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
from registry.ids import PartyId, Sid, lot_id
from registry.model import (
    ACCOUNTS,
    BUCKETS,
    DEADLINES,
    HOLDER_ROLES,
    LEDGER,
    LOTS,
    MANDATES,
    PARTIES,
    VOUCHER_NUMBERS,
    VOUCHERS,
    Bucket,
    Lot,
    LotStatus,
    Role,
    Route,
    Voucher,
    VoucherNumber,
    VoucherStatus,
)
from registry.rights import (
    end_instant,
    require_account,
    require_mandate,
    start_instant,
    today_at,
)
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, get_many

CO_DEBTORS_MAX = 7
"""The debtor and these are the recipients of notices: eight at the most."""


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


class Promises(Body):
    """What the debtor represents and promises (SD-03, SD-04): each can only be true."""

    trade_is_real: Literal[True]
    creditor_has_performed: Literal[True]
    payment_conditions_met: Literal[True]
    amount_agreed: Literal[True]
    unconditional: Literal[True]
    no_defence: Literal[True]
    no_set_off: Literal[True]
    consent_split: Literal[True]
    consent_transfer: Literal[True]
    consent_finance: Literal[True]


class VoucherIssue(Body):
    """The debtor's unconditional promise to pay the face at the due date."""

    voucher_no: MachineText
    creditor: PartyField
    face: Amount
    due_on: BusinessDate
    accept_by: BusinessDate
    basis: Annotated[Basis, LENIENT]
    promises: Promises
    evidence: Annotated[tuple[Evidence, ...], LENIENT, Field(min_length=3, max_length=32)]
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


class VoucherAccept(Body):
    """The first holder's acceptance: where it is to be paid, and by which route."""

    account: SidField
    collection_route: bool


class VoucherRefuse(Body):
    """The first holder's refusal."""


class VoucherWithdraw(Body):
    """The debtor's withdrawal, before acceptance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherIssued(Effect):
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
        """Writes the voucher, its number and its bucket (without an ordinal yet)."""
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
            size=0,
            frontier=(),
            ordinal=None,
            salt=seal.bucket_salt(),
        )
        state.put(VOUCHERS, voucher)
        state.put(VOUCHER_NUMBERS, number)
        state.put(BUCKETS, bucket)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoDebtorJoined(Effect):
    """A party owes the voucher too, and is told of every assignment from here on."""

    voucher: Sid
    co_debtor: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Adds the co-debtor, last."""
        voucher = _known(state, self.voucher)
        joined = (*voucher.co_debtors, self.co_debtor)
        state.put(VOUCHERS, replace(voucher, co_debtors=joined))


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherClosed(Effect):
    """A voucher that never became effective is refused, withdrawn or expired."""

    voucher: Sid
    status: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Closes the voucher; all of its face is cancelled."""
        voucher = _known(state, self.voucher)
        state.put(VOUCHERS, replace(voucher, status=self.status, cancelled=voucher.face))


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherActivated(Effect):
    """The voucher binds: the lot `<voucher>.0` of its whole face is the first holder's."""

    voucher: Sid
    creditor: PartyId
    account: Sid
    collection_route: bool
    ordinal: int

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and its first holder."""
        return (("voucher", self.voucher), ("holder", self.creditor))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Gives voucher and bucket their ordinal, and makes the lot."""
        voucher = _known(state, self.voucher)
        bucket = state.get(BUCKETS, "voucher", self.voucher)
        ledger = state.get(LEDGER, "ledger")
        if bucket is None or ledger is None:
            raise InvariantBrokenError(f"voucher {self.voucher} has no bucket")
        lot = Lot(
            lot=lot_id(self.voucher, 0),
            voucher=self.voucher,
            amount=voucher.face,
            holder=self.creditor,
            born=seal.index,
            due_on=voucher.due_on,
            path=(self.creditor,),
            tier=1,
            acquired=self.voucher,
            account=self.account,
            collection_route=self.collection_route,
            recourse=False,
            acknowledged=True,
            status=LotStatus.FREE,
            salt=voucher.lot_salt,
        )
        active = replace(voucher, status=VoucherStatus.ACTIVE, ordinal=self.ordinal)
        state.put(VOUCHERS, active)
        state.put(BUCKETS, replace(bucket, ordinal=self.ordinal))
        state.put(LEDGER, replace(ledger, voucher_count=self.ordinal + 1))
        state.put(LOTS, lot)


def _known(state: Rows, voucher: Sid) -> Voucher:
    """Returns a voucher that an earlier entry has made."""
    row = state.get(VOUCHERS, voucher)
    if row is None:
        raise InvariantBrokenError(f"no voucher {voucher}")
    return row


def reads_voucher_issue(statement: Statement[VoucherIssue], _now: Now) -> ReadPlan:
    """Asks for the number, the debtor's account and mandate, and the first holder."""
    body = statement.body
    yield from get(VOUCHER_NUMBERS, statement.by, body.voucher_no)
    yield from get(MANDATES, body.mandate)
    yield from get(ACCOUNTS, body.account)
    yield from get_many(PARTIES, (statement.by, body.creditor))


def decide_voucher_issue(
    state: Rows, statement: Statement[VoucherIssue], now: Now
) -> tuple[Effect, ...]:
    """Promises to pay a first holder the face at the due date.

    Raises:
        MalformedError: The evidence lacks a contract, an invoice or an acceptance (SD-02).
        NotHolderRoleError: The first holder is not admitted in a role that may hold, or
            is the debtor.
        DueTooSoonError: The due date is not later than today.
        DeadlinePassedError: The last day for acceptance is past, or not before the due date.
        VoucherNumberTakenError: The debtor has used the number before.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The account to debit.
        MandateMissingError: The mandate does not authorise debiting that account.
    """
    body = statement.body
    if not set(EvidenceType) <= {evidence.type for evidence in body.evidence}:
        raise MalformedError(what="evidence", reason="needs contract, invoice and acceptance")
    creditor = state.get(PARTIES, body.creditor)
    if creditor is None or not HOLDER_ROLES.intersection(creditor.roles):
        raise NotHolderRoleError(party=body.creditor)
    if body.creditor == statement.by:
        raise NotHolderRoleError(party=body.creditor)
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
    return (issued, DeadlineSet(at=accept_by, kind="voucher.expire", id=statement.sid))


def _pending(state: Rows, statement: Statement[Any]) -> Voucher:
    """Returns the voucher answered, if it still waits for acceptance.

    Raises:
        VoucherStatusError: It does not.
    """
    voucher = _known(state, Sid(statement.re or ""))
    if voucher.status != VoucherStatus.ISSUED:
        raise VoucherStatusError(
            voucher=voucher.voucher, status=voucher.status, kind=statement.kind
        )
    return voucher


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
    voucher = _known(state, Sid(statement.re or ""))
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


def reads_voucher_accept(statement: Statement[VoucherAccept], _now: Now) -> ReadPlan:
    """Asks for the voucher, the account, the first holder and the due date's cut-off."""
    voucher = yield from get(VOUCHERS, statement.re or "")
    yield from get(ACCOUNTS, statement.body.account)
    yield from get(PARTIES, statement.by)
    if voucher is not None:
        yield from get(DEADLINES, *_cut_off_key(voucher, _now))


def _cut_off_key(voucher: Voucher, now: Now) -> tuple[int, str, str]:
    """Returns the key of the deadline at which a voucher's due date begins."""
    return (start_instant(date.fromisoformat(voucher.due_on), now), "day.cut-off", voucher.due_on)


def decide_voucher_accept(
    state: Rows, statement: Statement[VoucherAccept], now: Now
) -> tuple[Effect, ...]:
    """Accepts a voucher as its first holder: from here on it binds.

    Raises:
        VoucherStatusError: The voucher does not wait for acceptance.
        NotCreditorError: The signer is not its first holder.
        DeadlinePassedError: The last day for acceptance is over.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The payee account.
    """
    voucher = _pending(state, statement)
    if statement.by != voucher.creditor:
        raise NotCreditorError(voucher=voucher.voucher, by=statement.by)
    if now.time >= voucher.accept_by:
        raise DeadlinePassedError(deadline=voucher.accept_by)
    require_account(state, statement.body.account, owner=statement.by)

    # Past this line the acceptance must succeed.
    activated = VoucherActivated(
        voucher=voucher.voucher,
        creditor=voucher.creditor,
        account=statement.body.account,
        collection_route=statement.body.collection_route,
        ordinal=now.facts.voucher_count,
    )
    effects: tuple[Effect, ...] = (activated, _expiry_cleared(voucher))
    at, kind, day = _cut_off_key(voucher, now)
    if state.get(DEADLINES, at, kind, day) is None:
        effects += (DeadlineSet(at=at, kind=kind, id=day),)
    return effects


def _expiry_cleared(voucher: Voucher) -> DeadlineCleared:
    """Returns the effect that a voucher's acceptance deadline is moot."""
    return DeadlineCleared(at=voucher.accept_by, kind="voucher.expire", id=voucher.voucher)


def decide_voucher_refuse(
    state: Rows, statement: Statement[VoucherRefuse], _now: Now
) -> tuple[Effect, ...]:
    """Refuses a voucher as its first holder (拒签).

    Raises:
        VoucherStatusError: The voucher does not wait for acceptance.
        NotCreditorError: The signer is not its first holder.
    """
    voucher = _pending(state, statement)
    if statement.by != voucher.creditor:
        raise NotCreditorError(voucher=voucher.voucher, by=statement.by)
    closed = VoucherClosed(voucher=voucher.voucher, status=VoucherStatus.REFUSED)
    return (closed, _expiry_cleared(voucher))


def decide_voucher_withdraw(
    state: Rows, statement: Statement[VoucherWithdraw], _now: Now
) -> tuple[Effect, ...]:
    """Withdraws a voucher that nobody has accepted (撤回).

    Raises:
        VoucherStatusError: The voucher does not wait for acceptance.
        NotDebtorError: The signer is not its debtor.
    """
    voucher = _pending(state, statement)
    if statement.by != voucher.debtor:
        raise NotDebtorError(voucher=voucher.voucher, by=statement.by)
    closed = VoucherClosed(voucher=voucher.voucher, status=VoucherStatus.WITHDRAWN)
    return (closed, _expiry_cleared(voucher))


def reads_voucher_expire(due: Due, _now: Now) -> ReadPlan:
    """Asks for the voucher."""
    yield from get(VOUCHERS, due.id)


def decide_voucher_expire(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends a voucher that was not accepted in time."""
    voucher = _known(state, due.sid)
    closed = VoucherClosed(voucher=voucher.voucher, status=VoucherStatus.EXPIRED)
    return (closed, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))


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
    Kind(
        name="voucher.accept",
        body=VoucherAccept,
        signers=HOLDER_ROLES,
        relation="the first holder",
        answers=_ANSWERS,
        reads=reads_voucher_accept,
        decide=decide_voucher_accept,
    ),
    Kind(
        name="voucher.refuse",
        body=VoucherRefuse,
        signers=HOLDER_ROLES,
        relation="the first holder",
        answers=_ANSWERS,
        decide=decide_voucher_refuse,
    ),
    Kind(
        name="voucher.withdraw",
        body=VoucherWithdraw,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor",
        answers=_ANSWERS,
        decide=decide_voucher_withdraw,
    ),
)

TIMED = (
    TimedKind(name="voucher.expire", reads=reads_voucher_expire, decide=decide_voucher_expire),
)
