"""Less money than is due: what a debtor's bank says there is, and what the operator pays from it.

As long as a bank's word about an account stands, nothing is drawn on the account but what
its money is divided into. What is not paid stays due; when there is more money the bank
says so again. A plan that divides money pays what is due by then of all due dates.

Source: docs/clearing.md, Less money than is due; SD-28; Civil Code, art. 560; GV-02, GV-08.
"""

from collections import Counter
from collections.abc import Generator
from datetime import date
from typing import Annotated, Any

from pydantic import Field

from clearing.adopting import Adopted, records_of
from clearing.apportion import (
    DividedPlan,
    Share,
    apportion,
    divide,
    divided_digest,
    in_order,
)
from clearing.certificate import certificate_digest
from clearing.covenant import ask_top_up, top_up_terms
from clearing.day import closing_instant
from clearing.errors import NothingDueError, PlanDiffersError
from clearing.fields import Count, Sum
from clearing.model import (
    FUNDS,
    ORDERS,
    Fund,
)
from clearing.plan import mandates_of
from clearing.routes import Claim
from clearing.staging import ask_places, to_courts
from registry.burdens import ACCESSORIES, FREEZES, court_accounts, frozen_lots
from registry.calendars import parse_date
from registry.credit import StopReason
from registry.debts import IssuanceStopped
from registry.effects import Effect, Seal
from registry.errors import InvariantBrokenError
from registry.fields import LENIENT, BodyAmount, Digest, SidField
from registry.ids import PartyId, Sid
from registry.model import ACCOUNTS, LOTS, MANDATES, VOUCHERS, Role, Route
from registry.policy import ask_rules, rules_in_force
from registry.refusals import AccountUnknownError, NotBankError
from registry.rights import today_at
from registry.state import run_reads
from registry.statements import Body, Kind, Now, Statement
from registry.tables import (
    Asked,
    Minor,
    MutableRows,
    ReadPlan,
    Rows,
    get,
    get_many,
    where,
    where_each,
)

# --- What there is ------------------------------------------------------------------


class ClearingFund(Body):
    """What an account holds to pay with, and the vouchers that its owner names, in order."""

    account: SidField
    amount: Sum
    designated: (
        Annotated[tuple[SidField, ...], LENIENT, Field(min_length=1, max_length=64)] | None
    ) = None


class FundStated(Effect, frozen=True, kw_only=True):
    """An account holds this much to pay what is due with; nothing (0) binds it to nothing."""

    fund: Sid
    account: Sid
    debtor: PartyId
    amount: Minor
    designated: tuple[str, ...]

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes it, in the place of what was said of the account before and is not divided."""
        for row in state.where(FUNDS, "account", self.account):
            state.delete(FUNDS, row.fund)
        fund = Fund(
            fund=self.fund,
            account=self.account,
            debtor=self.debtor,
            amount=self.amount,
            designated=self.designated,
        )
        state.add(FUNDS, fund)


def reads_fund(statement: Statement[ClearingFund], _now: Now) -> ReadPlan:
    """Asks for the account and what was said of it before."""
    yield from get(ACCOUNTS, statement.body.account)
    yield from where(FUNDS, "account", statement.body.account)


def decide_fund(state: Rows, statement: Statement[ClearingFund], _now: Now) -> tuple[Effect, ...]:
    """Takes a bank's word of what there is to pay with.

    Raises:
        AccountUnknownError: There is no such account.
        NotBankError: The signer does not keep it.
    """
    body = statement.body
    account = state.get(ACCOUNTS, body.account)
    if account is None:
        raise AccountUnknownError(account=body.account)
    if account.bank != statement.by:
        raise NotBankError(party=statement.by)

    # Past this line the statement must succeed.
    stated = FundStated(
        fund=statement.sid,
        account=account.account,
        debtor=account.owner,
        amount=Minor(body.amount),
        designated=body.designated or (),
    )
    return (stated,)


# --- What is paid from it -----------------------------------------------------------


class ClearingApportion(Body):
    """The plan of what an account's money pays: its figures, its digest, its certificate's."""

    digest: Digest
    certificate: Digest
    instructions: Count
    vouchers: Count
    total: Sum
    gross: Sum


def ask_divided(
    fund: Fund, today: date, *, plans_first: bool
) -> Generator[Asked, Any, DividedPlan]:
    """Asks for all that is due of an account, and divides its money.

    Args:
        fund: The money.
        today: What is due by this day.
        plans_first: By the policy in force, what plans and trusts hold is paid first.

    Returns:
        The plan; empty if nothing is due, or there is no money.
    """
    owed = yield from where(VOUCHERS, "owing", fund.account)
    due = [row for row in owed if row.due_on <= today.isoformat()]
    sids = [row.voucher for row in due]
    lots = yield from where_each(LOTS, "voucher", sids)
    secured = yield from where_each(ACCESSORIES, "voucher", sids)
    freezes = yield from where_each(FREEZES, "lot", [lot.lot for lot in lots if lot.burdens])
    tiered = {row.voucher for row in due if row.route == Route.TIERED}
    earlier = {party for lot in lots if lot.voucher in tiered for party in lot.path[:-1]}
    mandates = yield from where_each(MANDATES, "owner", sorted(earlier))
    courts = court_accounts(freezes)
    named = {lot.account for lot in lots} | {mandate.account for mandate in mandates}
    places = yield from ask_places(named.union(courts.values()), today)
    orders = yield from get_many(ORDERS, [lot.lot for lot in lots])
    bound = {order.lot for order in orders if order is not None}
    bound |= frozen_lots(freezes) - courts.keys()
    free: dict[Sid, list[Claim]] = {}
    voucher_of = {lot.lot: lot.voucher for lot in lots}
    for lot in to_courts(lots, courts):
        if lot.lot not in bound:
            free.setdefault(voucher_of[lot.lot], []).append(lot)
    secured_minor = Counter[Sid]()
    for each in secured:
        secured_minor[each.voucher] += each.cap
    payable = [
        Share(
            voucher=row,
            due_on=row.due_on,
            lots=free[row.voucher],
            secured_minor=secured_minor[row.voucher],
        )
        for row in due
        if row.voucher in free
    ]
    order = in_order(payable, plans_first=plans_first, designated=tuple(map(Sid, fund.designated)))
    paid = apportion(fund.amount, order)
    promised = {row.voucher for row in due if row.top_up}
    return divide(
        fund.fund,
        paid,
        mandates=mandates_of(mandates, places),
        places=places,
        owed_minor=sum(share.amount_minor for share in payable),
        has_promise=any(voucher.voucher in promised for voucher, _ in paid),
    )


def find_divided(state: Rows, fund: Fund, now: Now) -> DividedPlan:
    """Divides an account's money among what is due of it."""
    plans_first = rules_in_force(state, now.facts).plans_first is not None
    return run_reads(state, ask_divided(fund, today_at(now), plans_first=plans_first))


def apportion_body(plan: DividedPlan) -> ClearingApportion:
    """Returns the body of the statement by which the operator adopts such a plan."""
    totals = plan.totals
    return ClearingApportion.model_validate(
        {
            "digest": divided_digest(plan),
            "certificate": certificate_digest(records_of(Sid(""), plan.instructions)),
            "instructions": totals.instructions,
            "vouchers": totals.vouchers,
            "total": str(totals.total_minor),
            "gross": str(totals.gross_minor),
        }
    )


class FundDivided(Adopted, frozen=True, kw_only=True):
    """An account's money is paid out by this plan; its instructions follow from the state."""

    fund: Sid
    plans_first: bool
    decided: DividedPlan | None = None
    """The plan as it was compiled to be decided on; without it, it is compiled anew."""

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the run and its instructions; the money is spoken for."""
        fund = state.get(FUNDS, self.fund)
        if fund is None:
            raise InvariantBrokenError(f"entry {seal.index} divides no fund {self.fund}")
        plan = self.decided
        if plan is None:
            today = parse_date(self.pay_on)
            plan = run_reads(state, ask_divided(fund, today, plans_first=self.plans_first))
            if divided_digest(plan) != self.digest:
                raise InvariantBrokenError(f"entry {seal.index}: plan {self.plan} does not follow")
        self.adopt(state, plan.instructions, due_on=None, withheld=Minor(0), fund=self.fund)
        state.delete(FUNDS, self.fund)


def reads_apportion(statement: Statement[ClearingApportion], now: Now) -> ReadPlan:
    """Asks for the policy, the money, and all that is due of the account."""
    rules = yield from ask_rules(now)
    yield from ask_top_up(rules)
    fund = yield from get(FUNDS, statement.re or "")
    if fund is not None:
        yield from ask_divided(fund, today_at(now), plans_first=rules.plans_first is not None)


def decide_apportion(
    state: Rows, statement: Statement[ClearingApportion], now: Now
) -> tuple[Effect, ...]:
    """Adopts the plan that divides an account's money, if it is the one that follows.

    A debtor that does not pay all that is due is overdue, and may issue nothing for now.

    Raises:
        NothingDueError: Nothing can be paid from the account, or nothing with that money.
        PlanDiffersError: Vouchers, instructions, total, gross, digest or certificate, in this
            order, is not what follows from the state.
    """
    fund = state.get(FUNDS, statement.re or "")
    if fund is None:
        raise InvariantBrokenError("an answer to no fund")
    plan = find_divided(state, fund, now)
    if not plan.instructions:
        raise NothingDueError(due_on=today_at(now).isoformat())
    body, right = statement.body, apportion_body(plan)
    for what in ("vouchers", "instructions", "total", "gross", "digest", "certificate"):
        stated, computed = str(getattr(body, what)), str(getattr(right, what))
        if stated != computed:
            raise PlanDiffersError(what=what, stated=stated, computed=computed)

    # Past this line the adoption must succeed.
    rules = rules_in_force(state, now.facts)
    top_up_on, deadline = top_up_terms(
        state, rules, now, plan=statement.sid, pay_on=today_at(now), has_promise=plan.has_promise
    )
    divided = FundDivided(
        plan=statement.sid,
        fund=fund.fund,
        pay_on=today_at(now).isoformat(),
        digest=body.digest,
        certificate=body.certificate,
        instructions=body.instructions,
        vouchers=body.vouchers,
        total=Minor(body.total),
        gross=Minor(body.gross),
        policy=now.facts.policy,
        plans_first=rules.plans_first is not None,
        top_up_on=top_up_on,
        closes_at=closing_instant(state, rules, now),
        decided=plan,
    )
    if plan.totals.total_minor == plan.owed_minor:
        return (divided, *deadline)
    overdue = IssuanceStopped(party=fund.debtor, reason=StopReason.OVERDUE, statement=statement.sid)
    return (divided, *deadline, overdue)


KINDS = (
    Kind(
        name="clearing.fund",
        body=ClearingFund,
        signers=frozenset({Role.BANK}),
        relation="the bank that keeps the debtor's account",
        reads=reads_fund,
        decide=decide_fund,
        amount=BodyAmount("amount"),
        while_suspended=True,
    ),
    Kind(
        name="clearing.apportion",
        body=ClearingApportion,
        signers=frozenset({Role.OPERATOR}),
        relation="the operator",
        answers={"clearing.fund": FUNDS},
        reads=reads_apportion,
        decide=decide_apportion,
        amount=BodyAmount("total"),
    ),
)
