"""Adopting the plan of a due date.

The operator signs the plan's digest and totals; the plan itself follows from the
state, so whoever decides the statement compiles it, the auditor included. The fold
takes the plan that was just decided, which its digest names. It is adopted at the start
of its pay date or later: what is due can no longer be transferred then. A mandate
granted in the meantime changes the plan, and the old digest is refused. A further plan of
the due date is adopted when the day of the one before is closed: it pays what that left.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from clearing.adopting import Adopted, records_of
from clearing.certificate import certificate_digest
from clearing.covenant import ask_top_up, top_up_terms
from clearing.day import closing_instant
from clearing.errors import (
    AlreadyPlannedError,
    NothingDueError,
    PayDayNotBegunError,
    PlanDiffersError,
)
from clearing.fields import Count, Sum
from clearing.model import (
    FUNDS,
    ORDERS,
    RUNS,
    RunStatus,
    short_accounts,
)
from clearing.plan import Plan, compile_plan, pay_date, plan_digest
from clearing.routes import Places
from clearing.staging import ask_places
from registry.burdens import FREEZES, court_accounts, frozen_lots
from registry.calendars import Calendar, parse_date
from registry.effects import Effect, Seal
from registry.errors import InvariantBrokenError
from registry.fields import BodyAmount, BusinessDate, Digest
from registry.ids import LotId, Sid
from registry.model import (
    LOTS,
    MANDATES,
    VOUCHERS,
    Ledger,
    Lot,
    Mandate,
    Role,
    Route,
    Voucher,
)
from registry.policy import ask_rules, rules_in_force
from registry.rights import start_instant
from registry.state import run_reads
from registry.statements import Body, Kind, Now, Statement
from registry.tables import (
    Asked,
    Minor,
    MutableRows,
    ReadPlan,
    Rows,
    get_many,
    where,
    where_each,
)
from registry.workdays import ask_calendar, calendar_named


class ClearingPlan(Body):
    """The plan of a due date: what it amounts to, its digest, and that of its certificate."""

    due_on: BusinessDate
    pay_on: BusinessDate
    digest: Digest
    certificate: Digest
    instructions: Count
    vouchers: Count
    total: Sum
    gross: Sum
    withheld: Sum


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRows:
    """Everything in the state that the plan of a due date follows from."""

    lots: tuple[Lot, ...]
    vouchers: tuple[Voucher, ...]
    mandates: tuple[Mandate, ...]
    places: Places
    frozen: frozenset[LotId]
    courts: Mapping[LotId, Sid]
    """Of those that a court has ordered paid to it, its account."""

    ordered: frozenset[LotId]
    """Those among the lots that an instruction of an earlier plan may still pay."""

    short: frozenset[Sid]
    """The accounts on which nothing is drawn, for their money is divided apart."""

    @property
    def is_nothing(self) -> bool:
        """Whether none of the lots can be paid now."""
        short = {each.voucher for each in self.vouchers if each.account in self.short}
        return all(
            lot.lot in self.frozen or lot.lot in self.ordered or lot.voucher in short
            for lot in self.lots
        )

    def plan(self, *, due_on: date, pay_on: date) -> Plan:
        """Compiles the plan of the due date; empty if there is nothing to pay."""
        return compile_plan(
            due_on=due_on,
            pay_on=pay_on,
            lots=self.lots,
            vouchers=self.vouchers,
            mandates=self.mandates,
            places=self.places,
            frozen=self.frozen,
            courts=self.courts,
            ordered=self.ordered,
            short=self.short,
        )


def ask_due(due_on: date) -> Generator[Asked, Any, DueRows]:
    """Asks for everything that the plan of a due date follows from."""
    due = yield from where(VOUCHERS, "due_on", due_on.isoformat())
    lots = yield from where_each(LOTS, "voucher", [voucher.voucher for voucher in due])
    # A voucher that never became effective, or is paid, has none.
    owed = {lot.voucher for lot in lots}
    vouchers = tuple(voucher for voucher in due if voucher.voucher in owed)
    burdened = [lot.lot for lot in lots if lot.burdens]
    freezes = yield from where_each(FREEZES, "lot", burdened)
    tiered = {voucher.voucher for voucher in vouchers if voucher.route == Route.TIERED}
    earlier = {party for lot in lots if lot.voucher in tiered for party in lot.path[:-1]}
    mandates = yield from where_each(MANDATES, "owner", sorted(earlier))
    courts = court_accounts(freezes)
    named = {lot.account for lot in lots} | {mandate.account for mandate in mandates}
    places = yield from ask_places(named.union(courts.values()), due_on)
    funds = yield from where_each(FUNDS, "account", sorted({each.account for each in vouchers}))
    orders = yield from get_many(ORDERS, [lot.lot for lot in lots])
    return DueRows(
        lots=lots,
        vouchers=vouchers,
        mandates=mandates,
        places=places,
        frozen=frozen_lots(freezes) - courts.keys(),
        courts=courts,
        ordered=frozenset(order.lot for order in orders if order is not None),
        short=short_accounts(funds),
    )


def find_due(state: Rows, due_on: date) -> DueRows:
    """Reads everything that the plan of a due date follows from."""
    return run_reads(state, ask_due(due_on))


def plan_due(state: Rows, *, due_on: date, pay_on: date) -> Plan:
    """Compiles the plan of a due date from the state; empty if nothing is due."""
    return find_due(state, due_on).plan(due_on=due_on, pay_on=pay_on)


def body_of(plan: Plan) -> ClearingPlan:
    """Returns the body of the statement by which the operator adopts a plan."""
    totals = plan.totals
    return ClearingPlan.model_validate(
        {
            "due_on": plan.due_on.isoformat(),
            "pay_on": plan.pay_on.isoformat(),
            "digest": plan_digest(plan),
            "certificate": certificate_digest(records_of(Sid(""), plan.instructions)),
            "instructions": totals.instructions,
            "vouchers": totals.vouchers,
            "total": str(totals.total_minor),
            "gross": str(totals.gross_minor),
            "withheld": str(totals.withheld_minor),
        }
    )


class PlanAdopted(Adopted, frozen=True, kw_only=True):
    """The due date is cleared by this plan; its instructions follow from the state."""

    due_on: str
    withheld: Minor
    decided: Plan | None = None
    """The plan as it was compiled to be decided on; without it, it is compiled anew."""

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the run and its instructions."""
        plan = self.decided
        if plan is None:
            plan = plan_due(state, due_on=parse_date(self.due_on), pay_on=parse_date(self.pay_on))
            if plan_digest(plan) != self.digest:
                raise InvariantBrokenError(f"entry {seal.index}: plan {self.plan} does not follow")
        self.adopt(state, plan.instructions, due_on=self.due_on, withheld=self.withheld)


def pay_calendar(state: Rows, ledger: Ledger) -> Calendar | None:
    """Returns the calendar by which pay dates roll, if the policy in force has them roll."""
    rule = rules_in_force(state, ledger).pay_day
    return None if rule is None else calendar_named(state, rule.calendar)


def reads_clearing_plan(statement: Statement[ClearingPlan], now: Now) -> ReadPlan:
    """Asks for the pay dates' calendar, what is due, and a plan that the due date has already."""
    rules = yield from ask_rules(now)
    if rules.pay_day is not None:
        yield from ask_calendar(rules.pay_day.calendar)
    yield from ask_top_up(rules)
    yield from ask_due(statement.body.due_on)
    yield from where(RUNS, "due_on", statement.body.due_on.isoformat())


def decide_clearing_plan(
    state: Rows, statement: Statement[ClearingPlan], now: Now
) -> tuple[Effect, ...]:
    """Adopts the plan that clears a due date, if it is the one that follows from the state.

    Raises:
        AlreadyPlannedError: The due date has a plan, and its day is not closed.
        NothingDueError: No live lot is due on that date; or all that are due are frozen, or
            an instruction of an earlier plan may still pay them, or what there is to pay
            them with is divided apart.
        BeyondCalendarError: The policy's calendar knows no working day from that date on.
        PayDayNotBegunError: The pay date has not begun in the ledger's zone.
        PlanDiffersError: Pay date, vouchers, instructions, total, gross, withheld, digest or
            certificate, in this order, is not what follows from the state.
    """
    body = statement.body
    due_on = body.due_on.isoformat()
    for run in state.where(RUNS, "due_on", due_on):
        if run.status == RunStatus.PLANNED:
            raise AlreadyPlannedError(due_on=due_on, plan=run.plan)
    due = find_due(state, body.due_on)
    if due.is_nothing:
        raise NothingDueError(due_on=due_on)
    pay_on = pay_date(body.due_on, pay_calendar(state, now.facts))
    begins = start_instant(pay_on, now)
    if now.time < begins:
        raise PayDayNotBegunError(
            due_on=due_on, pay_on=pay_on.isoformat(), begins=begins, now=now.time
        )
    plan = due.plan(due_on=body.due_on, pay_on=pay_on)
    _require_same(body, plan)

    # Past this line the adoption must succeed.
    rules = rules_in_force(state, now.facts)
    top_up_on, deadline = top_up_terms(
        state,
        rules,
        now,
        plan=statement.sid,
        pay_on=pay_on,
        has_promise=any(voucher.top_up for voucher in due.vouchers),
    )
    adopted = PlanAdopted(
        plan=statement.sid,
        due_on=due_on,
        pay_on=pay_on.isoformat(),
        digest=body.digest,
        certificate=body.certificate,
        instructions=body.instructions,
        vouchers=body.vouchers,
        total=Minor(body.total),
        gross=Minor(body.gross),
        withheld=Minor(body.withheld),
        policy=now.facts.policy,
        top_up_on=top_up_on,
        closes_at=closing_instant(state, rules, now),
        decided=plan,
    )
    return (adopted, *deadline)


def _require_same(body: ClearingPlan, plan: Plan) -> None:
    """Compares what was stated with what was computed, the digests last.

    Raises:
        PlanDiffersError: A figure, a date or a digest differs.
    """
    right = body_of(plan)
    for what in (
        *("pay_on", "vouchers", "instructions", "total", "gross", "withheld"),
        *("digest", "certificate"),
    ):
        stated, computed = str(getattr(body, what)), str(getattr(right, what))
        if stated != computed:
            raise PlanDiffersError(what=what, stated=stated, computed=computed)


KINDS = (
    Kind(
        name="clearing.plan",
        body=ClearingPlan,
        signers=frozenset({Role.OPERATOR}),
        relation="the operator",
        reads=reads_clearing_plan,
        decide=decide_clearing_plan,
        amount=BodyAmount("total"),
    ),
)
