"""What follows a financing's contract: registration, payment and its receipt, in order.

The claim passes by itself with the step before it. A payment is what the applicant, or the
bank that keeps its account, has received: a financier that only says that it has paid gets
nothing, and an applicant that was paid cannot wait until the time is over.

Source: EL-04, SD-16, SD-62; docs/explanation/financing.md.
"""

from typing import Annotated, Any

from registry.burdens import FILINGS, FilingStatus
from registry.dealing_refusals import (
    BillNotHonouredError,
    FinancingModeError,
    NotFinancingPartyError,
    PaymentFormError,
    StepMissingError,
)
from registry.dealings import FINANCINGS, Financing, PaymentForm
from registry.debts import reads_held
from registry.effects import Effect
from registry.encumbrance_refusals import (
    AlreadyRegisteredError,
    LotBurdenedError,
    MoveNotAllowedError,
)
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, Digest, FileRef, OnlyTrue, PartyField
from registry.filings import External, calendar_for, recorded, require_term
from registry.financed import FinancingPaymentStated, FinancingStepDone, known_financing, sides
from registry.financing import (
    amount_of,
    passes_with,
    require_before,
    require_contracted,
    require_in_time,
    require_side,
    status_with,
    title,
)
from registry.ids import Sid
from registry.limits import ask_limits_of_transfer
from registry.model import ACCOUNTS, LOTS, PARTIES, VOUCHERS, Role
from registry.notifying import ask_inboxes, recipients_of
from registry.rights import known_voucher
from registry.statements import Body, Kind, Now, Statement
from registry.tables import ReadPlan, Rows, get, get_many, where
from registry.words import Step
from registry.workdays import ask_calendar


class FinancingRegister(External):
    """The financier's registration of the transfer elsewhere, made or to come."""


class FinancingPay(Body):
    """The financier's word that the price is paid, by itself or by a third party."""

    form: Annotated[PaymentForm, LENIENT]
    payer: PartyField | None = None
    reference: Digest


class FinancingReceive(Body):
    """The applicant's receipt, or its bank's: the price has come.

    Of a bill without a clause of discharge it says that the bill is honoured.
    """

    receipt: FileRef
    honoured: OnlyTrue | None = None


def _reads_title(row: Financing, now: Now) -> ReadPlan:
    """Asks for what the claim's passing sees."""
    yield from ask_limits_of_transfer(now)
    yield from get(LOTS, row.lot)
    voucher = yield from get(VOUCHERS, row.voucher)
    yield from get(ACCOUNTS, row.account)
    parties = yield from get_many(PARTIES, (row.applicant, row.acquirer))
    if voucher is not None:
        yield from ask_inboxes(recipients_of(voucher))
        yield from reads_held(parties, voucher.debtor)


def _require_unburdened(state: Rows, row: Financing, step: Step) -> None:
    """Checks that the claim can pass, if it passes with a step.

    Raises:
        LotBurdenedError: The lot was frozen after it was reserved.
    """
    lot = state.get(LOTS, row.lot)
    if lot is not None and lot.burdens and passes_with(row, (*row.done, step)):
        raise LotBurdenedError(lot=lot.lot, burden=lot.burdens[0])


def _proceed(
    state: Rows, row: Financing, step: Step, now: Now, *, filing: Sid | None = None
) -> tuple[Effect, ...]:
    """Returns what follows from a step: that it is done, and the claim if it passes with it."""
    done = (*row.done, step)
    made = FinancingStepDone(**sides(row), step=step, status=status_with(row, done), filing=filing)
    if not passes_with(row, done):
        return (made,)
    lot = state.get(LOTS, row.lot)
    if lot is None or row.payee is None:
        raise InvariantBrokenError(f"financing {row.financing} has reserved no lot")
    passed = title(
        state,
        row,
        known_voucher(state, row.voucher),
        now,
        lot=lot,
        account=row.payee,
        collection_route=row.collection_route,
        done=done,
    )
    return (made, *passed)


# --- Registration ---------------------------------------------------------------------


def reads_financing_register(statement: Statement[FinancingRegister], now: Now) -> ReadPlan:
    """Asks for the calendar, registrations of the transfer, and what its passing sees."""
    row = yield from get(FINANCINGS, statement.re or "")
    if row is None:
        return
    yield from ask_calendar(statement.body.calendar)
    if row.contract is not None:
        yield from where(FILINGS, "subject", row.contract)
    yield from _reads_title(row, now)


def decide_financing_register(
    state: Rows, statement: Statement[FinancingRegister], now: Now
) -> tuple[Effect, ...]:
    """States that the transfer is registered elsewhere, before the claim passes or after.

    Raises:
        NotFinancingPartyError: The signer is not the financier.
        FinancingModeError: The claim is a vehicle's, which registers what it holds.
        MoveNotAllowedError: There is no contract, or everything is done.
        DeadlinePassedError: The last day is over; or the registration has expired.
        AlreadyRegisteredError: A registration stands.
        StepMissingError: Another step comes before.
        AheadOfTimeError: It would have been registered later than now.
        RegistrationTermError: It would stand for less than a month or more than 30 years.
        CalendarUnknownError: No calendar of that name is published.
        LotBurdenedError: The claim would pass, and was frozen since.
    """
    body, row = statement.body, known_financing(state, statement.re or "")
    require_side(row, statement.by, role="financier")
    if row.vehicle is not None:
        raise FinancingModeError(mode=row.mode, reason="the vehicle registers what it holds")
    require_contracted(row)
    require_in_time(row, now)
    if row.contract is None:
        raise InvariantBrokenError(f"financing {row.financing} has no contract")
    for filing in state.where(FILINGS, "subject", row.contract):
        if filing.party == statement.by and filing.status == FilingStatus.STANDING:
            raise AlreadyRegisteredError(
                subject=row.contract, party=statement.by, filing=filing.filing
            )
    require_before(row, Step.REGISTER)
    require_term(body.registered_at, body.expires_on, now)
    calendar_for(state, body.calendar)
    _require_unburdened(state, row, Step.REGISTER)

    # Past this line the registration must stand.
    filed = recorded(
        body,
        now,
        filing=statement.sid,
        subject=row.contract,
        voucher=row.voucher,
        party=statement.by,
    )
    return (*filed, *_proceed(state, row, Step.REGISTER, now, filing=statement.sid))


# --- Payment --------------------------------------------------------------------------


def decide_financing_pay(
    state: Rows, statement: Statement[FinancingPay], now: Now
) -> tuple[Effect, ...]:
    """States that the price is paid; it counts when it is received.

    Raises:
        NotFinancingPartyError: The signer is not the financier.
        MoveNotAllowedError: There is no contract, it is received, or everything is done.
        DeadlinePassedError: The last day is over.
        StepMissingError: Another step comes before.
        PaymentFormError: The contract has another form.
        MalformedError: A payer where nobody else pays, or none where a third party does.
    """
    body, row = statement.body, known_financing(state, statement.re or "")
    require_side(row, statement.by, role="financier")
    _require_unpaid(row)
    require_in_time(row, now)
    require_before(row, Step.PAY)
    if body.form != row.payment:
        raise PaymentFormError(financing=row.financing, agreed=row.payment, stated=str(body.form))
    by_another = body.form is PaymentForm.THIRD_PARTY
    if (body.payer is not None) is not by_another or body.payer == statement.by:
        raise MalformedError(what="payer", reason="is named if it is a third party")
    stated = FinancingPaymentStated(
        **sides(row), payer=body.payer or statement.by, reference=body.reference
    )
    return (stated,)


def _require_unpaid(row: Financing) -> None:
    """Checks that the price is still to be received.

    Raises:
        MoveNotAllowedError: It is not, or there is no contract.
    """
    require_contracted(row)
    if Step.PAY in row.done:
        raise MoveNotAllowedError(of=row.financing, status=row.status, to="paid")


def reads_financing_receive(statement: Statement[Any], now: Now) -> ReadPlan:
    """Asks for what the claim's passing sees."""
    row = yield from get(FINANCINGS, statement.re or "")
    if row is not None:
        yield from _reads_title(row, now)


def decide_financing_receive(
    state: Rows, statement: Statement[FinancingReceive], now: Now
) -> tuple[Effect, ...]:
    """Confirms that the price has come, as the applicant or as the bank of its account.

    Raises:
        NotFinancingPartyError: The signer is neither.
        MoveNotAllowedError: There is no contract, it is received, or everything is done.
        DeadlinePassedError: The last day is over.
        StepMissingError: The financier has not stated a payment.
        BillNotHonouredError: A bill without a clause of discharge is not honoured (SD-62).
        MalformedError: `honoured` of what is no such bill.
        LotBurdenedError: The claim would pass, and was frozen since.
    """
    body, row = statement.body, known_financing(state, statement.re or "")
    account = state.get(ACCOUNTS, row.account)
    if statement.by != row.applicant and (account is None or statement.by != account.bank):
        raise NotFinancingPartyError(by=statement.by, role="applicant", financing=row.financing)
    _require_unpaid(row)
    require_in_time(row, now)
    if row.reference is None:
        raise StepMissingError(financing=row.financing, step="receive", missing="pay")
    is_bill = row.payment == PaymentForm.BILL
    if is_bill and body.honoured is None:
        raise BillNotHonouredError(financing=row.financing)
    if body.honoured is not None and not is_bill:
        raise MalformedError(what="honoured", reason="belongs to a bill, and only there")
    _require_unburdened(state, row, Step.PAY)
    return _proceed(state, row, Step.PAY, now)


_ANSWERS = {"financing.apply": FINANCINGS}


KINDS = (
    Kind(
        name="financing.register",
        body=FinancingRegister,
        signers=frozenset({Role.FINANCIER}),
        relation="the financier",
        answers=_ANSWERS,
        reads=reads_financing_register,
        decide=decide_financing_register,
    ),
    Kind(
        name="financing.pay",
        body=FinancingPay,
        signers=frozenset({Role.FINANCIER}),
        relation="the financier",
        answers=_ANSWERS,
        decide=decide_financing_pay,
        amount=amount_of,
    ),
    Kind(
        name="financing.receive",
        body=FinancingReceive,
        signers=frozenset({Role.PARTICIPANT, Role.FINANCIER, Role.BANK}),
        relation="the applicant, or the bank of its account",
        answers=_ANSWERS,
        reads=reads_financing_receive,
        decide=decide_financing_receive,
        amount=amount_of,
        while_suspended=True,
    ),
)
