"""The contract of a financing: the applicant signs what the financier quoted, byte for byte.

With it the lot is reserved, or, where the order begins so, the claim passes at once.

Source: note 13 (search over every assignor before financing); docs/explanation/financing.md.
"""

from datetime import timedelta

from registry.burdens import SEARCHES, require_move
from registry.dealing_refusals import FinancingModeError, StepMissingError, TermsDifferError
from registry.dealings import FINANCING_MOVES, FINANCINGS, Financing, FinancingStatus
from registry.debts import reads_held, require_room
from registry.effects import Effect
from registry.encumbrance_refusals import LotBurdenedError
from registry.errors import InvariantBrokenError
from registry.fields import Digest, FileRef
from registry.financed import FinancingContracted, FinancingLotReserved, known_financing, sides
from registry.financing import amount_of, passes_with, require_in_time, require_side, title
from registry.ids import Sid
from registry.limits import ask_limits_of_transfer, require_before_blackout
from registry.model import ACCOUNTS, LOTS, PARTIES, VOUCHERS, Consent, Lot, LotStatus, Purpose, Role
from registry.notifying import ask_inboxes, recipients_of
from registry.policy import Rules, rules_in_force
from registry.refusals import (
    AssigneeRefusedError,
    LotLockedError,
    LotNotFoundError,
)
from registry.rights import known_voucher, today_at
from registry.standing import ask_consent, covering
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, ReadPlan, Rows, get, get_many, replace, where
from registry.words import AcceptanceMode, Step

PLAIN_ORDER = (Step.PAY, Step.TITLE)
"""Where no policy says otherwise: the claim passes with the price."""


class FinancingContract(Body):
    """The applicant's signature under the contract: the digests that the quote has."""

    terms: Digest
    document: FileRef


def reads_financing_contract(statement: Statement[FinancingContract], now: Now) -> ReadPlan:
    """Asks for all that a transfer asks for, and for searches and the vehicle's consent."""
    row = yield from get(FINANCINGS, statement.re or "")
    if row is None:
        return
    yield from ask_limits_of_transfer(now)
    consent = None
    if row.vehicle is not None:
        consent = yield from ask_consent(row.vehicle, Purpose.SECURITISE)
    yield from where(SEARCHES, "lot", row.lot)
    yield from get(LOTS, row.lot)
    voucher = yield from get(VOUCHERS, row.voucher)
    if consent is not None:
        yield from get(ACCOUNTS, consent.account)
    parties = yield from get_many(PARTIES, (row.applicant, row.acquirer))
    if voucher is not None:
        yield from ask_inboxes(recipients_of(voucher))
        yield from reads_held(parties, voucher.debtor)


def decide_financing_contract(
    state: Rows, statement: Statement[FinancingContract], now: Now
) -> tuple[Effect, ...]:
    """Signs the contract that was quoted: the lot is reserved, or passes at once.

    Raises:
        NotFinancingPartyError: The signer is not the applicant.
        MoveNotAllowedError: Nothing is quoted, there is a contract, or it has ended.
        DeadlinePassedError: The last day is over.
        TermsDifferError: The quote has other figures, or another text.
        LotNotFoundError: The lot has gone since.
        LotLockedError: It is offered or reserved.
        LotBurdenedError: It is pledged or frozen.
        BlackoutError: The policy has come to end transfers before.
        AssigneeRefusedError: The acquirer has joined the debt since.
        StepMissingError: The debtor's word is missing, or the search that the policy asks for.
        FinancingModeError: The vehicle has not consented in advance to what it would have.
        ExposureLimitError: The financier would hold more of the debtor than it wants to.
    """
    body, row = statement.body, known_financing(state, statement.re or "")
    require_side(row, statement.by, role="applicant")
    to = FinancingStatus.CONTRACTED
    require_move(FINANCING_MOVES, row.financing, status=row.status, to=to)
    require_in_time(row, now)
    _require_quoted(row, "terms", quoted=row.terms, signed=body.terms)
    _require_quoted(row, "document", quoted=row.document, signed=body.document.digest)
    lot, rules = _free_lot(state, row), rules_in_force(state, now.facts)
    require_before_blackout(state, rules, lot, today_at(now))
    voucher = known_voucher(state, row.voucher)
    if row.acquirer in (voucher.debtor, *voucher.co_debtors):
        raise AssigneeRefusedError(assignee=row.acquirer, reason="owes the voucher")
    if row.rules.debtor_confirms and row.confirmed is None:
        raise StepMissingError(financing=row.financing, step="contract", missing="confirm")
    search = _searched(state, row, rules, now)
    payee = _payee(state, row, rules)
    require_room(state, row.acquirer, voucher.debtor, row.amount)

    # Past this line the contract must stand.
    order = row.rules.order or (rules.financing.order if rules.financing else PLAIN_ORDER)
    contracted = FinancingContracted(
        **sides(row),
        contract=statement.sid,
        order=tuple(order),
        search=search,
        policy=now.facts.policy,
        kid=statement.kid,
    )
    signed = replace(row, contract=statement.sid, order=tuple(order))
    if passes_with(signed, ()):
        account, route = payee
        passed = title(
            state, signed, voucher, now, lot=lot, account=account, collection_route=route, done=()
        )
        return (contracted, *passed)
    reserved = FinancingLotReserved(
        **sides(row),
        contract=statement.sid,
        lot=lot.lot,
        voucher=row.voucher,
        amount=row.amount,
        remainder=Minor(lot.amount - row.amount),
    )
    return (contracted, reserved)


def _require_quoted(row: Financing, what: str, *, quoted: str | None, signed: str) -> None:
    """Checks that both sign the same bytes.

    Raises:
        TermsDifferError: They do not.
    """
    if quoted != signed:
        raise TermsDifferError(
            financing=row.financing, what=what, quoted=quoted or "", signed=signed
        )


def _free_lot(state: Rows, row: Financing) -> Lot:
    """Returns the lot that was applied for, if it is still free.

    Raises:
        LotNotFoundError: It has gone.
        LotLockedError: It is offered or reserved.
        LotBurdenedError: It is pledged or frozen.
    """
    lot = state.get(LOTS, row.lot)
    if lot is None:
        raise LotNotFoundError(lot=row.lot)
    if lot.status != LotStatus.FREE:
        raise LotLockedError(lot=lot.lot, status=lot.status)
    if lot.burdens:
        raise LotBurdenedError(lot=lot.lot, burden=lot.burdens[0])
    return lot


def _searched(state: Rows, row: Financing, rules: Rules, now: Now) -> Sid | None:
    """Returns the financier's newest search over the lot, if the policy asks for one.

    Raises:
        StepMissingError: There is none, or none that is new enough (note 13).
    """
    if rules.financing is None or rules.financing.search_days is None:
        return None
    since = now.time - timedelta(days=rules.financing.search_days) // timedelta(milliseconds=1)
    found = max(
        (
            (search.searched_at, search.search)
            for search in state.where(SEARCHES, "lot", row.lot)
            if search.party == row.financier and search.searched_at >= since
        ),
        default=None,
    )
    if found is None:
        raise StepMissingError(financing=row.financing, step="contract", missing="search")
    return found[1]


def _payee(state: Rows, row: Financing, rules: Rules) -> tuple[Sid, bool]:
    """Returns where the acquirer is paid: by the quote, or by the vehicle's own consent.

    Raises:
        FinancingModeError: The vehicle has none that covers this at once.
    """
    if row.vehicle is None:
        if row.payee is None:
            raise InvariantBrokenError(f"financing {row.financing} is quoted without an account")
        return row.payee, row.collection_route
    consent: Consent | None = covering(
        state,
        rules,
        party=row.vehicle,
        purpose=Purpose.SECURITISE,
        assignor=row.applicant,
        amount=row.amount,
    )
    if consent is None or consent.mode != AcceptanceMode.AUTO:
        reason = f"{row.vehicle} has not consented in advance to what the applicant assigns"
        raise FinancingModeError(mode=row.mode, reason=reason)
    return consent.account, consent.collection_route


KINDS = (
    Kind(
        name="financing.contract",
        body=FinancingContract,
        signers=frozenset({Role.PARTICIPANT, Role.FINANCIER}),
        relation="the applicant",
        answers={"financing.apply": FINANCINGS},
        reads=reads_financing_contract,
        decide=decide_financing_contract,
        amount=amount_of,
    ),
)
