"""Financing: what every step of one has to look at, and what follows from it.

An application binds nobody. The contract, signed by both over the same bytes, reserves the
lot; the claim passes by itself with the step that comes before it in the order. The rules
stand in `registry.rules.applications`, `.contracts` and `.fundings`.
"""

from collections.abc import Iterable
from typing import Any

from registry.burdens import require_move
from registry.dealing_refusals import NotFinancingPartyError, StepMissingError
from registry.dealings import FINANCING_MOVES, Financing, FinancingStatus
from registry.debts import moved
from registry.effects import DeadlineCleared, Effect
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import InvariantBrokenError
from registry.financed import FinancingEnded, FinancingTitlePassed, known_financing, sides
from registry.ids import PartyId, Sid
from registry.model import Lot, Purpose, Voucher
from registry.notifying import notify
from registry.refusals import DeadlinePassedError
from registry.statements import Now, Statement
from registry.tables import Minor, Rows
from registry.words import Step

EXPIRE = "financing.expire"


def amount_of(state: Rows, statement: Statement[Any]) -> int:
    """Returns what an answer to an application is about: its amount."""
    return known_financing(state, statement.re or "").amount


# --- Checks ---------------------------------------------------------------------------


def require_side(row: Financing, by: PartyId, *, role: str) -> None:
    """Checks that a signer has a part in a financing.

    Raises:
        NotFinancingPartyError: It is not the applicant, or the financier, as `role` says.
    """
    if getattr(row, role) != by:
        raise NotFinancingPartyError(by=by, role=role, financing=row.financing)


def require_in_time(row: Financing, now: Now) -> None:
    """Checks that something can still come of a financing whose claim has not passed.

    Raises:
        DeadlinePassedError: Its last day is over.
    """
    if Step.TITLE not in row.done and now.time >= row.close_by:
        raise DeadlinePassedError(deadline=row.close_by)


def require_contracted(row: Financing) -> None:
    """Checks that a contract binds both, and a step is open.

    Raises:
        MoveNotAllowedError: There is none yet or any more, or everything is done.
    """
    if row.status not in (FinancingStatus.CONTRACTED, FinancingStatus.TRANSFERRED):
        to = FinancingStatus.COMPLETED
        raise MoveNotAllowedError(of=row.financing, status=row.status, to=str(to))


def require_before(row: Financing, step: Step) -> None:
    """Checks that every step that comes before one is done.

    Raises:
        StepMissingError: The first that is not.
    """
    if step not in row.order:
        return
    for earlier in row.order[: row.order.index(step)]:
        if earlier not in row.done:
            raise StepMissingError(financing=row.financing, step=str(step), missing=earlier)


# --- What follows ---------------------------------------------------------------------


def passes_with(row: Financing, done: Iterable[str]) -> bool:
    """Tells whether the claim passes once these steps are done, and has not before."""
    before = row.order[: row.order.index(Step.TITLE)]
    return Step.TITLE not in row.done and set(before) <= set(done)


def status_with(row: Financing, done: Iterable[str]) -> FinancingStatus:
    """Returns where a financing is once these steps are done."""
    steps = set(done)
    if Step.TITLE not in steps:
        return FinancingStatus.CONTRACTED
    return FinancingStatus.COMPLETED if steps >= set(row.order) else FinancingStatus.TRANSFERRED


def title(
    state: Rows,
    row: Financing,
    voucher: Voucher,
    now: Now,
    *,
    lot: Lot,
    account: Sid,
    collection_route: bool,
    done: Iterable[str],
) -> tuple[Effect, ...]:
    """Returns what follows when the claim passes: lot, notices, limits, no more last day.

    Args:
        state: Shows both sides and what they hold.
        row: The financing, with its contract.
        voucher: Whose debtors are told.
        now: The moment.
        lot: Of which the amount under contract is all or a part.
        account: Where the acquirer is paid.
        collection_route: The acquirer authorises the accounts before it.
        done: The steps that are done before.
    """
    if row.contract is None:
        raise InvariantBrokenError(f"financing {row.financing} has no contract")
    passed = FinancingTitlePassed(
        **sides(row),
        contract=row.contract,
        lot=lot.lot,
        voucher=row.voucher,
        assignee=row.acquirer,
        amount=row.amount,
        remainder=Minor(lot.amount - row.amount),
        purpose=Purpose.SECURITISE if row.vehicle else Purpose.FINANCE,
        recourse=row.recourse,
        account=account,
        collection_route=collection_route,
        status=status_with(row, (*done, Step.TITLE)),
    )
    notices = notify(
        state,
        voucher,
        now,
        transfer=row.contract,
        assignor=row.applicant,
        assignee=row.acquirer,
        amount=row.amount,
    )
    held = moved(state, voucher.debtor, row.amount, giver=row.applicant, taker=row.acquirer)
    return (passed, *notices, *held, expiry_cleared(row))


def expiry_cleared(row: Financing) -> DeadlineCleared:
    """Returns the effect that a financing's last day matters no more."""
    return DeadlineCleared(at=row.close_by, kind=EXPIRE, id=row.financing)


def ended(row: Financing, to: FinancingStatus) -> tuple[Effect, ...]:
    """Returns what follows when nothing comes of a financing.

    Raises:
        MoveNotAllowedError: A contract binds both, or it has ended.
    """
    require_move(FINANCING_MOVES, row.financing, status=row.status, to=to)
    return (FinancingEnded(**sides(row), lot=row.lot, status=to), expiry_cleared(row))
