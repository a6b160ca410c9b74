"""What the policy in force says of a new voucher, and of a lot that is to change hands.

Each function looks at one rule, and at nothing if the policy has no such rule.
"""

from collections.abc import Generator
from datetime import date, timedelta
from typing import Any

from registry.calendars import add_months, parse_date
from registry.dealing_refusals import FinancingRequiredError
from registry.model import ASSIGNMENTS_MAX, Lot, Purpose, Route, Voucher
from registry.policy import Justification, Rules, ask_rules
from registry.refusals import (
    BlackoutError,
    ChainTooLongError,
    LotTooSmallError,
    RecourseRefusedError,
    RouteRefusedError,
    TermTooLongError,
    TermUnjustifiedError,
    TooManyPartsError,
)
from registry.statements import Now
from registry.tables import Read, Rows
from registry.words import Flag
from registry.workdays import ask_calendar, calendar_named

LARGE = "large"
"""The size of a debtor that has to pay smaller ones in time."""


# --- Vouchers ---------------------------------------------------------------------


def require_term(
    rules: Rules, *, issued_on: date, due_on: date, justified: bool
) -> tuple[Flag, ...]:
    """Checks a voucher's term (RG-04, RG-05).

    Args:
        rules: The rules in force.
        issued_on: The day of the issue.
        due_on: The due date.
        justified: The issue names a justification of its term.

    Returns:
        Remarks, if the term is longer than it should be in principle.

    Raises:
        TermTooLongError: It is longer than a voucher may run.
        TermUnjustifiedError: It is longer than in principle, the policy asks for the
            justification at the issue, and there is none.
    """
    tenor = rules.tenor
    if tenor is None:
        return ()
    latest = add_months(issued_on, tenor.hard_months)
    if due_on > latest:
        raise TermTooLongError(
            due_on=due_on.isoformat(), latest=latest.isoformat(), months=tenor.hard_months
        )
    if tenor.soft_months is None or due_on <= add_months(issued_on, tenor.soft_months):
        return ()
    if justified:
        return (Flag.OVER_SOFT_TERM,)
    if tenor.justification is Justification.ISSUANCE:
        raise TermUnjustifiedError(due_on=due_on.isoformat())
    return (Flag.OVER_SOFT_TERM, Flag.UNJUSTIFIED_TERM)


def remark_pay_term(
    rules: Rules, *, due_on: date, delivered_on: date | None, sizes: tuple[str, str] | None
) -> tuple[Flag, ...]:
    """Remarks a large debtor that pays a smaller supplier late (RG-16); stops nothing.

    Args:
        rules: The rules in force.
        due_on: The due date.
        delivered_on: The day of delivery, as declared.
        sizes: The sizes of debtor and first holder, as declared.
    """
    if rules.pay_term is None:
        return ()
    if sizes is None or delivered_on is None:
        return (Flag.PAYTERM_UNDECLARED,)
    debtor, creditor = sizes
    latest = delivered_on + timedelta(days=rules.pay_term.days)
    is_late = debtor == LARGE and creditor != LARGE and due_on > latest
    return (Flag.PAYTERM_60D,) if is_late else ()


def require_route(rules: Rules, route: str) -> None:
    """Checks that a voucher may clear by a route.

    Raises:
        RouteRefusedError: It would clear tier by tier, and the policy has direct only.
    """
    if rules.direct_only is not None and route != Route.DIRECT:
        raise RouteRefusedError(route=route)


def remark_calendar(state: Rows, rules: Rules, due_on: date) -> tuple[Flag, ...]:
    """Remarks a due date of which the calendar does not say yet when it is paid."""
    if rules.pay_day is None or calendar_named(state, rules.pay_day.calendar).covers(due_on):
        return ()
    return (Flag.PROVISIONAL,)


def ask_limits_of_issue(now: Now) -> Generator[Read, Any, Rules]:
    """Asks for the rules in force, and for the calendar of pay dates."""
    rules = yield from ask_rules(now)
    if rules.pay_day is not None:
        yield from ask_calendar(rules.pay_day.calendar)
    return rules


# --- Transfers --------------------------------------------------------------------


def blackout_from(state: Rows, rules: Rules, due_on: str) -> date | None:
    """Returns the first day on which nothing due on a date is transferred, if there is one.

    Beyond the published calendar, on either side, days count as Monday to Friday, until a
    newer version says better: a deadline asks, too, and cannot refuse.
    """
    if rules.blackout is None:
        return None
    calendar = calendar_named(state, rules.blackout.calendar)
    return calendar.add_worked_days(parse_date(due_on), -rules.blackout.working_days)


def require_before_blackout(state: Rows, rules: Rules, lot: Lot, day: date) -> None:
    """Checks that a lot can still change hands on a day (RG-44, TR-05).

    Raises:
        BlackoutError: That day is too near to the due date.
    """
    begins = blackout_from(state, rules, lot.due_on)
    if begins is not None and day >= begins:
        raise BlackoutError(lot=lot.lot, due_on=lot.due_on, begins=begins.isoformat())


def require_splitting(rules: Rules, lot: Lot, amount: int) -> None:
    """Checks how small, how often and how far a lot is split and passed on (RG-06).

    Raises:
        LotTooSmallError: The part is smaller than the policy allows, and not the whole lot.
        TooManyPartsError: The holder has cut what it acquired into as many parts as it may.
        ChainTooLongError: The lot has been assigned as often as it may be.
    """
    splitting = rules.splitting
    depth = ASSIGNMENTS_MAX
    if splitting is not None:
        depth = splitting.max_depth or depth
        if amount < lot.amount:
            if splitting.min_lot is not None and amount < splitting.min_lot:
                raise LotTooSmallError(lot=lot.lot, amount=amount, minimum=splitting.min_lot)
            if splitting.max_children is not None and lot.cuts + 2 > splitting.max_children:
                raise TooManyPartsError(lot=lot.lot, limit=splitting.max_children)
    if lot.assignments >= depth:
        raise ChainTooLongError(lot=lot.lot, limit=depth)


def require_recourse(rules: Rules, lot: Lot, *, recourse: bool) -> None:
    """Checks that an assignor may answer for the debtor.

    Raises:
        RecourseRefusedError: It offers to, and the policy allows none to.
    """
    if recourse and rules.no_recourse is not None:
        raise RecourseRefusedError(lot=lot.lot)


def require_no_financing(rules: Rules, lot: Lot, purpose: Purpose) -> None:
    """Checks that a lot may be offered for money without a financing.

    Raises:
        FinancingRequiredError: The policy has no other way.
    """
    is_exclusive = rules.financing is not None and rules.financing.exclusive
    if is_exclusive and purpose is Purpose.FINANCE:
        raise FinancingRequiredError(lot=lot.lot)


def require_justified(voucher: Voucher, *, justified: bool) -> None:
    """Checks that money is given for a long term only if somebody says why (RG-04).

    Raises:
        TermUnjustifiedError: Neither the issue nor the offer names a justification.
    """
    if Flag.UNJUSTIFIED_TERM in voucher.flags and not justified:
        raise TermUnjustifiedError(due_on=voucher.due_on)


def ask_limits_of_transfer(now: Now) -> Generator[Read, Any, Rules]:
    """Asks for the rules in force, and for the calendars of the blackout and of notices."""
    rules = yield from ask_rules(now)
    for rule in (rules.blackout, rules.notices):
        if rule is not None:
            yield from ask_calendar(rule.calendar)
    return rules
