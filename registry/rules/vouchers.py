"""Issuing a voucher: the debtor's promise, who joins it, who accepts it.

The promises of SD-03 stand inside the signed bytes as members that can only be true:
leaving one out is malformed, flipping one breaks the signature. The due date, the
debtor and the currency never change; there is no kind that could extend a voucher.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from registry.backing import InvoiceUses, reads_uses, use_invoices
from registry.burdens import Restriction
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
    BodyAmount,
    BusinessDate,
    Digest,
    FileRef,
    MachineText,
    OnlyTrue,
    PartyField,
    SidField,
)
from registry.ids import PartyId, Sid
from registry.limits import (
    LARGE,
    ask_limits_of_issue,
    remark_calendar,
    remark_pay_term,
    require_route,
    require_term,
)
from registry.model import (
    ACCOUNTS,
    BUCKETS,
    HOLDER_ROLES,
    MANDATES,
    PARTIES,
    VOUCHER_NUMBERS,
    VOUCHERS,
    Bucket,
    HopRisk,
    Role,
    Route,
    Voucher,
    VoucherNumber,
    VoucherStatus,
)
from registry.notifying import ask_inboxes, require_inbox
from registry.policy import rules_in_force
from registry.refusals import (
    DeadlinePassedError,
    DueTooSoonError,
    NotHolderRoleError,
    VoucherNumberTakenError,
)
from registry.rights import (
    end_instant,
    require_account,
    require_mandate,
    today_at,
)
from registry.standing import VoucherSilenceBegun, ask_consent, covering, silent_at
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, get_many
from registry.words import ConsentPurpose

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


class Promises(Body):
    """What the debtor represents and promises (SD-03, SD-04): each can only be true."""

    trade_is_real: OnlyTrue
    creditor_has_performed: OnlyTrue
    payment_conditions_met: OnlyTrue
    amount_agreed: OnlyTrue
    unconditional: OnlyTrue
    no_defence: OnlyTrue
    no_set_off: OnlyTrue
    consent_split: OnlyTrue
    consent_transfer: OnlyTrue
    consent_finance: OnlyTrue


class Size(StrEnum):
    """The size of an enterprise by the official classes, as its own side declares it (RG-16)."""

    LARGE = LARGE
    MEDIUM = "medium"
    SMALL = "small"
    MICRO = "micro"


class Sizes(Body):
    """The sizes of both sides of the underlying trade."""

    debtor: Annotated[Size, LENIENT]
    creditor: Annotated[Size, LENIENT]


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
    assignment_restriction: Annotated[Restriction, LENIENT]
    route: Annotated[Route, LENIENT]
    account: SidField
    mandate: SidField
    terms: Digest | None = None
    delivered_on: BusinessDate | None = None
    sizes: Sizes | None = None
    term_justification: Digest | None = None
    top_up: OnlyTrue | None = None
    """Plans and trusts that have not been paid in time the debtor pays itself (SD-23)."""
    hop_risk: Annotated[HopRisk, LENIENT] | None = None
    """Who bears the risk that what the debtor has paid does not arrive; the debtor, if absent."""


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
    restriction: str
    policy: Sid
    flags: tuple[str, ...]
    top_up: bool = False
    hop_risk: str | None = None

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
            restriction=self.restriction,
            guarantors=(),
            lot_salt=seal.lot_salt(0),
            policy=self.policy,
            flags=self.flags,
            top_up=self.top_up,
            hop_risk=self.hop_risk,
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


def reads_voucher_issue(statement: Statement[VoucherIssue], now: Now) -> ReadPlan:
    """Asks for policy, consent, number, accounts, mandate, both sides, invoices and limits."""
    body = statement.body
    yield from ask_limits_of_issue(now)
    consent = yield from ask_consent(body.creditor, ConsentPurpose.ISSUE)
    yield from get(VOUCHER_NUMBERS, statement.by, body.voucher_no)
    yield from get(MANDATES, body.mandate)
    accounts = [body.account] if consent is None else [body.account, consent.account]
    yield from get_many(ACCOUNTS, accounts)
    yield from get_many(PARTIES, (statement.by, body.creditor))
    yield from ask_inboxes((statement.by,))
    yield from reads_uses(body.invoices)
    yield from reads_debtor(statement.by)
    yield from reads_stops(statement.by)


def decide_voucher_issue(
    state: Rows, statement: Statement[VoucherIssue], now: Now
) -> tuple[Effect, ...]:
    """Promises to pay a first holder the face at the due date.

    Raises:
        MalformedError: The evidence lacks a contract, an invoice or an acceptance (SD-02),
            the delivery is still to come (SD-08), or holders bear the risk of a way where there
            is none, or beside the debtor's own promise to pay what has not come.
        NotHolderRoleError: The first holder is not admitted in a role that may hold, or
            is the debtor.
        DueTooSoonError: The due date is not later than today.
        DeadlinePassedError: The last day for acceptance is past, or not before the due date.
        TermTooLongError: The policy does not let a voucher run so long.
        TermUnjustifiedError: Nor this one without a justification.
        RouteRefusedError: The policy does not allow the route.
        VoucherNumberTakenError: The debtor has used the number before.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The account to debit.
        MandateMissingError: The mandate does not authorise debiting that account.
        InboxMissingError: The debtor has not designated its inbox for notices (RG-34).
        IssuanceStoppedError: The debtor may issue nothing for now (RG-09).
        DebtorLimitError: It would owe more than its limit (FR-06).
        MalformedError: The invoices are not sorted and unique, or do not add up to the face.
        InvoiceDiffersError: An invoice was stated at another amount before.
        InvoiceUsedError: Too little of an invoice is left (FR-01).
    """
    body = statement.body
    if not set(EvidenceType) <= {evidence.type for evidence in body.evidence}:
        raise MalformedError(what="evidence", reason="needs contract, invoice and acceptance")
    today = today_at(now)
    if body.delivered_on is not None and body.delivered_on > today:
        raise MalformedError(what="delivered_on", reason="is still to come")
    if body.hop_risk is HopRisk.HOLDER and (body.route is not Route.TIERED or body.top_up):
        raise MalformedError(what="hop_risk", reason="holders bear it tier by tier, and alone")
    creditor = state.get(PARTIES, body.creditor)
    if creditor is None or not HOLDER_ROLES.intersection(creditor.roles):
        raise NotHolderRoleError(party=body.creditor)
    if body.creditor == statement.by:
        raise NotHolderRoleError(party=body.creditor)
    if body.due_on <= today:
        raise DueTooSoonError(due_on=body.due_on.isoformat(), today=today.isoformat())
    accept_by = end_instant(body.accept_by, now)
    if accept_by <= now.time or body.accept_by >= body.due_on:
        raise DeadlinePassedError(deadline=body.accept_by.isoformat())
    flags = _judge(state, body, now)
    taken = state.get(VOUCHER_NUMBERS, statement.by, body.voucher_no)
    if taken is not None:
        raise VoucherNumberTakenError(voucher_no=body.voucher_no, voucher=taken.voucher)
    require_account(state, body.account, owner=statement.by)
    require_mandate(state, body.mandate, account=body.account)
    require_inbox(state, statement.by)
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
        restriction=body.assignment_restriction,
        policy=now.facts.policy,
        flags=flags,
        top_up=body.top_up is not None,
        hop_risk=body.hop_risk if body.hop_risk is HopRisk.HOLDER else None,
    )
    waits = (issued, *used, DeadlineSet(at=accept_by, kind="voucher.expire", id=statement.sid))
    return (*waits, *_silence(state, statement, now, before=accept_by))


def _judge(state: Rows, body: VoucherIssue, now: Now) -> tuple[str, ...]:
    """Returns what the policy in force remarks on a voucher, sorted.

    Raises:
        TermTooLongError, TermUnjustifiedError, RouteRefusedError: It does not allow it.
    """
    rules = rules_in_force(state, now.facts)
    term = require_term(
        rules,
        issued_on=today_at(now),
        due_on=body.due_on,
        justified=body.term_justification is not None,
    )
    require_route(rules, body.route)
    pay_term = remark_pay_term(
        rules,
        due_on=body.due_on,
        delivered_on=body.delivered_on,
        sizes=None if body.sizes is None else (body.sizes.debtor, body.sizes.creditor),
    )
    return tuple(sorted((*term, *pay_term, *remark_calendar(state, rules, body.due_on))))


def _silence(
    state: Rows, statement: Statement[VoucherIssue], now: Now, *, before: int
) -> tuple[Effect, ...]:
    """Returns by when the first holder's silence accepts a voucher, if it has consented to that."""
    body = statement.body
    consent = covering(
        state,
        rules_in_force(state, now.facts),
        party=body.creditor,
        purpose=ConsentPurpose.ISSUE,
        assignor=statement.by,
        amount=body.face,
    )
    until = None if consent is None else silent_at(state, consent, now, before=before)
    if consent is None or until is None:
        return ()
    begun = VoucherSilenceBegun(voucher=statement.sid, consent=consent.consent, until=until)
    return (begun, DeadlineSet(at=until, kind="voucher.silence", id=statement.sid))


KINDS = (
    Kind(
        name="voucher.issue",
        body=VoucherIssue,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor",
        reads=reads_voucher_issue,
        decide=decide_voucher_issue,
        amount=BodyAmount("face"),
    ),
)
