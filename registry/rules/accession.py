"""Joining the debt of a voucher (债务加入), which makes a party a debtor like the first.

It takes effect when it arrives, and ends if the creditor refuses it within a reasonable
time: the policy says how many working days that is at least, and who joins may give more.
Where neither says anything, there is time until the due date. The creditor is who could
claim all of the debt: the first holder while the voucher waits, then whoever holds all of
what is still owed, free and unburdened. Once several hold parts nobody can refuse for the
others, to whom it is promised too; who does not want it claims nothing from it.

Source: Civil Code, art. 552; RG-23, SD-06, SD-61, reference note 6.
"""

from enum import StrEnum
from typing import Annotated, Literal

from registry.burdens import ACCESSIONS, Accession
from registry.calendars import parse_date
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, Amount, BusinessDate, FileRef
from registry.ids import PartyId, Sid
from registry.model import HOLDER_ROLES, LOTS, VOUCHERS, Role, Voucher, VoucherStatus
from registry.notifying import RECIPIENTS_MAX, ask_inboxes, recipients_of, require_inbox
from registry.policy import ask_rules, rules_in_force
from registry.refusals import (
    AlreadyJoinedError,
    DeadlinePassedError,
    NotCreditorError,
    TooManyRecipientsError,
    VoucherDueError,
    VoucherStatusError,
)
from registry.rights import (
    Lots,
    end_instant,
    known_voucher,
    require_all,
    start_instant,
    today_at,
)
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, get_many, replace
from registry.workdays import ask_calendar, calendar_named


class Scope(StrEnum):
    """How far a co-debtor joins the debt."""

    FULL = "full"
    CAPPED = "capped"


class VoucherAccede(Body):
    """Accession to the debt (债务加入), jointly with the debtor, towards every holder.

    `refuse_by` is the last day on which the creditor can refuse it.
    """

    scope: Annotated[Scope, LENIENT]
    cap: Amount | None = None
    addressee: Literal["holders"]
    resolution: FileRef
    refuse_by: BusinessDate | None = None


class VoucherRefuseAccession(Body):
    """The creditor's word that it does not want a co-debtor.

    `lots` are all that is owed on the voucher; none while it waits for its acceptance.
    """

    lots: Lots


class CoDebtorJoined(Effect, frozen=True, kw_only=True):
    """A party owes the voucher too, and is told of every assignment from here on."""

    accession: Sid
    voucher: Sid
    co_debtor: PartyId
    scope: str
    cap: Minor | None = None
    refuse_by: int

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Adds the co-debtor, last, and keeps how far it owes."""
        voucher = known_voucher(state, self.voucher)
        joined = (*voucher.co_debtors, self.co_debtor)
        state.put(VOUCHERS, replace(voucher, co_debtors=joined))
        row = Accession(
            accession=self.accession,
            voucher=self.voucher,
            co_debtor=self.co_debtor,
            scope=self.scope,
            cap=self.cap,
            refuse_by=self.refuse_by,
        )
        state.add(ACCESSIONS, row)


class AccessionRefused(Effect, frozen=True, kw_only=True):
    """A party owes the voucher no more: the creditor did not want it."""

    accession: Sid
    voucher: Sid
    debtor: PartyId
    co_debtor: PartyId
    creditor: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and who refused."""
        return (("voucher", self.voucher), ("holder", self.creditor))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Takes the co-debtor off; what it was told stands."""
        voucher = known_voucher(state, self.voucher)
        left = tuple(each for each in voucher.co_debtors if each != self.co_debtor)
        state.put(VOUCHERS, replace(voucher, co_debtors=left))
        state.delete(ACCESSIONS, self.accession)


def amount_acceded(state: Rows, statement: Statement[VoucherAccede]) -> int:
    """Returns what the signer is to owe at most."""
    return statement.body.cap or known_voucher(state, Sid(statement.re or "")).face


def reads_voucher_accede(statement: Statement[VoucherAccede], now: Now) -> ReadPlan:
    """Asks for the policy, its calendar, and the signer's inbox."""
    rule = (yield from ask_rules(now)).accession
    if rule is not None:
        yield from ask_calendar(rule.calendar)
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
        DeadlinePassedError: The last day on which it can be refused is past.
        TooManyRecipientsError: Eight parties are told of its assignments.
        InboxMissingError: The signer has not designated its inbox for notices.
    """
    body = statement.body
    if (body.scope is Scope.CAPPED) != (body.cap is not None):
        raise MalformedError(what="cap", reason="belongs to scope capped, and only there")
    voucher = known_voucher(state, Sid(statement.re or ""))
    _require_open(voucher, statement.kind)
    today = today_at(now).isoformat()
    if today >= voucher.due_on:
        raise VoucherDueError(voucher=voucher.voucher, due_on=voucher.due_on)
    if statement.by in (voucher.debtor, *voucher.co_debtors):
        raise AlreadyJoinedError(voucher=voucher.voucher, party=statement.by)
    refuse_by = _refuse_by(state, body, voucher, now)
    told = recipients_of(voucher)
    if statement.by not in told and len(told) >= RECIPIENTS_MAX:
        raise TooManyRecipientsError(voucher=voucher.voucher, limit=RECIPIENTS_MAX)
    require_inbox(state, statement.by)
    joined = CoDebtorJoined(
        accession=statement.sid,
        voucher=voucher.voucher,
        co_debtor=statement.by,
        scope=body.scope,
        cap=None if body.cap is None else Minor(body.cap),
        refuse_by=refuse_by,
    )
    return (joined,)


def _require_open(voucher: Voucher, kind: str) -> None:
    """Checks that a voucher waits or is active.

    Raises:
        VoucherStatusError: It is neither.
    """
    if voucher.status not in (VoucherStatus.ISSUED, VoucherStatus.ACTIVE):
        raise VoucherStatusError(voucher=voucher.voucher, status=voucher.status, kind=kind)


def _refuse_by(state: Rows, body: VoucherAccede, voucher: Voucher, now: Now) -> int:
    """Returns until when the creditor can refuse: never beyond the due date.

    Raises:
        DeadlinePassedError: The day that the statement names is past.
    """
    due = start_instant(parse_date(voucher.due_on), now)
    ends = []
    if body.refuse_by is not None:
        ends.append(end_instant(body.refuse_by, now))
        if ends[0] <= now.time:
            raise DeadlinePassedError(deadline=body.refuse_by.isoformat())
    rule = rules_in_force(state, now.facts).accession
    if rule is not None:
        calendar = calendar_named(state, rule.calendar)
        ends.append(end_instant(calendar.add_worked_days(today_at(now), rule.working_days), now))
    return min(due, max(ends, default=due))


def amount_refused(state: Rows, statement: Statement[VoucherRefuseAccession]) -> int:
    """Returns what the signer gives up at most: what the co-debtor would owe."""
    row = _known(state, statement.re)
    return row.cap or known_voucher(state, row.voucher).face


def reads_voucher_refuse_accession(
    statement: Statement[VoucherRefuseAccession], _now: Now
) -> ReadPlan:
    """Asks for the lots and the voucher."""
    row = yield from get(ACCESSIONS, statement.re or "")
    if row is not None:
        yield from get_many(LOTS, statement.body.lots)
        yield from get(VOUCHERS, row.voucher)


def decide_voucher_refuse_accession(
    state: Rows, statement: Statement[VoucherRefuseAccession], now: Now
) -> tuple[Effect, ...]:
    """Refuses a co-debtor, as the creditor of all that is owed: it owes nothing any more.

    Raises:
        VoucherStatusError: The voucher is neither issued nor active.
        MalformedError: Lots while the voucher waits, or none afterwards; they are not sorted
            and unique.
        NotCreditorError: The voucher waits for somebody else.
        LotNotFoundError: There is no such live lot.
        NotHolderError: The signer does not hold it.
        LotLockedError: It is offered or reserved.
        LotBurdenedError: It is pledged or frozen.
        NotSoleHolderError: They are not all that is owed on the voucher.
        DeadlinePassedError: The time to refuse is over.
    """
    row = _known(state, statement.re)
    voucher = known_voucher(state, row.voucher)
    _require_open(voucher, statement.kind)
    lots = statement.body.lots
    if (not lots) != (voucher.status == VoucherStatus.ISSUED):
        raise MalformedError(what="lots", reason="are named once there are some, and only then")
    if lots:
        require_all(state, voucher, lots, by=statement.by)
    elif statement.by != voucher.creditor:
        raise NotCreditorError(voucher=voucher.voucher, by=statement.by)
    if now.time >= row.refuse_by:
        raise DeadlinePassedError(deadline=row.refuse_by)
    refused = AccessionRefused(
        accession=row.accession,
        voucher=voucher.voucher,
        debtor=voucher.debtor,
        co_debtor=row.co_debtor,
        creditor=statement.by,
    )
    return (refused,)


def _known(state: Rows, accession: str | None) -> Accession:
    """Returns an accession that stands."""
    row = state.get(ACCESSIONS, accession or "")
    if row is None:
        raise InvariantBrokenError(f"no accession {accession}")
    return row


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
    Kind(
        name="voucher.refuse-accession",
        body=VoucherRefuseAccession,
        signers=HOLDER_ROLES,
        relation="the creditor of all that is owed",
        answers={"voucher.accede": ACCESSIONS},
        reads=reads_voucher_refuse_accession,
        decide=decide_voucher_refuse_accession,
        amount=amount_refused,
    ),
)
