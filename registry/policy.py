"""Policies: rules of the trade that are data, published in the log and in force from a day.

    {"blackout":{"calendar":"CN-LEGAL","working_days":2},"pay_day":{"calendar":"CN-LEGAL"},
     "tenor":{"hard_months":12,"justification":"financing","soft_months":6}}

A rule that is absent is no rule: nothing stands in its place. What is in force when a
statement is sealed is what judges it, so a replay asks the same rules as the registry did,
and a decision that has asked them names the policy in its effect. A new policy changes
nothing about vouchers that exist but where they go from here.

Source: docs/reference/policies.md, which says of each rule where it is from.
"""

from collections.abc import Generator
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field

from registry.canonical import format_json, parse_object
from registry.effects import Effect, Seal
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, Amount, MachineText, OnlyTrue, TimeOfDay
from registry.ids import Sid
from registry.model import LEDGER, POLICIES, Ledger, Policy
from registry.statements import Body, Now
from registry.tables import MutableRows, Read, Rows, get, replace
from registry.words import AcceptanceMode, Step

Months = Annotated[int, Field(ge=1, le=120)]
WorkingDays = Annotated[int, Field(ge=1, le=30)]
"""Of a named calendar."""


Minutes = Annotated[int, Field(ge=1, le=1_440)]

Mode = Annotated[AcceptanceMode, LENIENT]


OrderedStep = Annotated[Step, LENIENT]


class Justification(StrEnum):
    """When a term beyond the soft limit has to be justified."""

    ISSUANCE = "issuance"
    FINANCING = "financing"


class Tenor(Body):
    """How long a voucher may run, in months from the day of its issue (RG-04, RG-05)."""

    hard_months: Months
    soft_months: Months | None = None
    justification: Annotated[Justification, LENIENT] | None = None


class PayTerm(Body):
    """Days from delivery within which a large debtor has to pay a smaller supplier (RG-16)."""

    days: Annotated[int, Field(ge=1, le=366)]


class Splitting(Body):
    """How far a voucher is passed on and cut up (RG-06, RG-44, RG-45).

    `max_depth` counts the assignments behind a lot. `max_children` counts the parts into
    which a holder cuts what it acquired. `min_lot` is the smallest part that may be offered,
    unless it is a whole lot; what then remains may be smaller.
    """

    max_depth: Annotated[int, Field(ge=1, le=64)] | None = None
    max_children: Annotated[int, Field(ge=1, le=1_000)] | None = None
    min_lot: Amount | None = None


class Blackout(Body):
    """Working days before the due date on which nothing is transferred any more (RG-44)."""

    calendar: MachineText
    working_days: WorkingDays


class NoticeSilence(Body):
    """Working days after which silence about a notice is told on, each time anew (FR-11)."""

    calendar: MachineText
    working_days: Annotated[tuple[WorkingDays, ...], LENIENT, Field(min_length=1, max_length=3)]


class AccessionRule(Body):
    """Working days within which a creditor can at least refuse a co-debtor (RG-23)."""

    calendar: MachineText
    working_days: WorkingDays


class FinancingRule(Body):
    """In which order money is given for a lot, and what comes before it (note 13, SD-16).

    `order` holds `pay` and `title`, and `register` if transfers are registered elsewhere; the
    claim passes with the step before it. Within `search_days` before the contract the
    financier has searched for every assignor. If `exclusive`, a lot is sold for money by a
    financing, and by nothing else.
    """

    order: Annotated[tuple[OrderedStep, ...], LENIENT, Field(min_length=2, max_length=3)]
    search_days: Annotated[int, Field(ge=1, le=90)] | None = None
    exclusive: OnlyTrue | None = None


class TopUp(Body):
    """When a debtor that has promised so pays what a plan or trust has not received (SD-23).

    Days are counted from the pay date, as worked ones of the calendar if it names one. By the
    end of `unpaid_after` of them the money must have come; else it is paid by the end of
    `due_after`.
    """

    calendar: MachineText | None = None
    due_after: Annotated[int, Field(ge=1, le=31)]
    unpaid_after: Annotated[int, Field(ge=0, le=30)]


class AlertRule(Body):
    """What of a voucher's transfers somebody should look at; it stops nothing (FR-05, RG-06).

    More than `burst_transfers` of one voucher within `burst_hours`; a claim that comes back
    within `circle_hops` assignments, or after any number without it.
    """

    burst_transfers: Annotated[int, Field(ge=1, le=1_000)]
    burst_hours: Annotated[int, Field(ge=1, le=720)]
    circle_hops: Annotated[int, Field(ge=2, le=64)] | None = None


class ClearingDay(Body):
    """The day on which what is due is paid: its times, and the calendar by which it is worked.

    Debtors are reminded on each of the `reminders` working days before a due date, and have
    their money there by `funding`. They are debited in `rounds`; at `cut_off` nothing more is
    sent, and what is posted from then on counts for the next working day; from `day_end` on a
    run may be closed. With `approve` a debtor approves the list of what is drawn on it before
    that is sent (note 4). Money is with whom it is for within `chain_minutes` of the debtor's
    payment, and at most `hop_minutes` on each account (SD-22).
    """

    approve: OnlyTrue | None = None
    calendar: MachineText
    chain_minutes: Minutes | None = None
    cut_off: TimeOfDay
    day_end: TimeOfDay
    funding: TimeOfDay | None = None
    hop_minutes: Minutes | None = None
    reminders: (
        Annotated[tuple[WorkingDays, ...], LENIENT, Field(min_length=1, max_length=5)] | None
    ) = None
    rounds: Annotated[tuple[TimeOfDay, ...], LENIENT, Field(min_length=1, max_length=24)]


class PayDay(Body):
    """The calendar by which a pay date rolls on to a working day; the due date never moves."""

    calendar: MachineText


class Rules(Body):
    """The rules of a policy, each of which may be absent."""

    acceptance: Annotated[tuple[Mode, ...], LENIENT, Field(max_length=3)] | None = None
    """The ways in which an offer may become effective (PF-01); an explicit one always may."""
    accession: AccessionRule | None = None
    alerts: AlertRule | None = None
    blackout: Blackout | None = None
    clearing_day: ClearingDay | None = None
    direct_only: OnlyTrue | None = None
    """No voucher is issued that clears tier by tier."""
    financing: FinancingRule | None = None
    financiers_only: OnlyTrue | None = None
    """Lots go to financiers and vehicles alone (RG-44)."""
    hop_limit: Amount | None = None
    """Other people's money on one account on the way: more of it is told, and stops nothing."""
    no_recourse: OnlyTrue | None = None
    """No assignor answers for the debtor."""
    notices: NoticeSilence | None = None
    pay_day: PayDay | None = None
    pay_term: PayTerm | None = None
    plans_first: OnlyTrue | None = None
    """Of less money than is due, what plans and trusts hold is paid first (SD-28)."""
    relayed_evidence: OnlyTrue | None = None
    """What a bank's file says counts, too, if the operator relays it (note 20)."""
    splitting: Splitting | None = None
    tenor: Tenor | None = None
    top_up: TopUp | None = None

    @property
    def calendars(self) -> tuple[str, ...]:
        """The calendars that the rules name, sorted."""
        rules = (
            self.accession,
            self.blackout,
            self.clearing_day,
            self.notices,
            self.pay_day,
            self.top_up,
        )
        named = {rule.calendar for rule in rules if rule is not None}
        return tuple(sorted(name for name in named if name is not None))

    def allows(self, mode: str) -> bool:
        """Tells whether what is offered may become effective in a way."""
        return self.acceptance is None or mode in self.acceptance


class FirstPolicy(Body):
    """The policy with which a ledger begins."""

    name: MachineText
    version: Annotated[int, Field(ge=1, le=9_999)]
    rules: Rules


def check_rules(rules: Rules) -> None:
    """Checks what a model cannot say of rules.

    Raises:
        MalformedError: Modes out of order or without `explicit`; days of silence out of order;
            a financing's steps as `_check_order` says; a clearing day as `_check_day` says; a
            top-up that is due before it is found unpaid; a soft term that is not below the
            hard one, or is justified though there is none.
    """
    modes = rules.acceptance
    if modes is not None and (AcceptanceMode.EXPLICIT not in modes or [*modes] != sorted({*modes})):
        raise MalformedError(what="acceptance", reason="not sorted, or without explicit")
    days = () if rules.notices is None else rules.notices.working_days
    if [*days] != sorted({*days}):
        raise MalformedError(what="notices", reason="the working days are not in order")
    _check_order(rules)
    _check_day(rules.clearing_day)
    if rules.top_up is not None and rules.top_up.due_after <= rules.top_up.unpaid_after:
        raise MalformedError(what="top_up", reason="it is due after it is found unpaid")
    tenor = rules.tenor
    if tenor is None:
        return
    if (tenor.soft_months is None) != (tenor.justification is None):
        raise MalformedError(what="tenor", reason="a soft term says when it is to be justified")
    if tenor.soft_months is not None and tenor.soft_months >= tenor.hard_months:
        raise MalformedError(what="tenor", reason="the soft term is not below the hard one")


def _check_order(rules: Rules) -> None:
    """Checks the order of a financing's steps.

    Raises:
        MalformedError: A step stands twice, `pay` or `title` is missing, or the claim would
            wait for more than the price: nobody could be made to give it then.
    """
    if rules.financing is None:
        return
    order = rules.financing.order
    if len(set(order)) != len(order) or not {Step.PAY, Step.TITLE} <= set(order):
        raise MalformedError(what="financing", reason="pay and title stand in the order, each once")
    if order == (Step.PAY, Step.REGISTER, Step.TITLE):
        raise MalformedError(what="financing", reason="what is paid for passes with the payment")


def _check_day(day: ClearingDay | None) -> None:
    """Checks that the times of a clearing day come in their order.

    Raises:
        MalformedError: They do not: reminders from the earliest on, funding before the cut-off,
            rounds one after the other and before it, the end of the day not before it; or a
            hop may take longer than its chain.
    """
    if day is None:
        return
    if day.reminders is not None and [*day.reminders] != sorted({*day.reminders}, reverse=True):
        raise MalformedError(what="clearing_day", reason="the reminders are not in order")
    times = (*day.rounds, day.cut_off)
    if [*times] != sorted({*times}) or day.day_end < day.cut_off:
        raise MalformedError(what="clearing_day", reason="its times are not in order")
    if day.funding is not None and day.funding >= day.cut_off:
        raise MalformedError(what="clearing_day", reason="money comes before the cut-off")
    if day.chain_minutes and day.hop_minutes and day.hop_minutes > day.chain_minutes:
        raise MalformedError(what="clearing_day", reason="a hop takes longer than its chain")


def format_rules(rules: Rules) -> str:
    """Returns rules as canonical JSON, as they stand in the statement that publishes them."""
    return format_json(rules.model_dump(mode="json", exclude_none=True)).decode()


@lru_cache(maxsize=64)
def parse_rules(text: str) -> Rules:
    """Reads rules as `format_rules` writes them."""
    return Rules.model_validate(parse_object(text.encode(), what="rules"))


class PolicyPublished(Effect, frozen=True, kw_only=True):
    """A policy is known, and in force once its day has come."""

    policy: Sid
    name: str
    version: int
    effective_on: str | None
    rules: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the policy."""
        row = Policy(
            policy=self.policy,
            name=self.name,
            version=self.version,
            effective_on=self.effective_on,
            rules=self.rules,
        )
        state.put(POLICIES, row)


class PolicyTookEffect(Effect, frozen=True, kw_only=True):
    """A policy judges what is sealed from the next entry on."""

    policy: Sid
    replaces: Sid

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Names the policy in the ledger's row."""
        ledger = state.get(LEDGER, "ledger")
        if ledger is None or ledger.policy != self.replaces:
            raise InvariantBrokenError(f"policy {self.replaces} is not in force")
        state.put(LEDGER, replace(ledger, policy=self.policy))


def ask_rules(now: Now) -> Generator[Read, Any, Rules]:
    """Asks for the rules that are in force."""
    row = yield from get(POLICIES, now.facts.policy)
    return Rules() if row is None else parse_rules(row.rules)


def rules_in_force(state: Rows, ledger: Ledger) -> Rules:
    """Returns the rules that are in force."""
    return rules_of(state, ledger.policy)


def rules_of(state: Rows, policy: Sid) -> Rules:
    """Returns the rules of a policy, whether it is in force or was."""
    row = state.get(POLICIES, policy)
    if row is None:
        raise InvariantBrokenError(f"no policy {policy}")
    return parse_rules(row.rules)
