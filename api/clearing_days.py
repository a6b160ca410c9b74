"""The clearing day as the registry shows it: what is held back, drawn on whom, what comes next."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api.auth import Caller
from api.errors import NotFoundError, RequestInvalidError
from api.service import Service
from clearing.day import Timetable, is_held
from clearing.debits import debits_of
from clearing.handed import DEBIT_LISTS, DebitList
from clearing.model import (
    INSTRUCTIONS,
    RUNS,
    InstructionStatus,
)
from clearing.rules.lists import approve_body
from clearing.rules.plans import find_due
from registry.batch import Batch
from registry.calendars import parse_date, parse_offset
from registry.canonical import Json
from registry.errors import RegistryError
from registry.ids import Sid
from registry.model import ACCOUNTS, CALENDARS, LEDGER, POLICIES, Role
from registry.policy import Rules, parse_rules
from registry.ports import LedgerStore
from registry.tables import Get
from registry.workdays import calendar_of

Place = tuple[Sid, int]
"""An instruction's plan and number."""


def rules_of_plans(store: LedgerStore, plans: Iterable[str]) -> dict[str, Rules]:
    """Returns the rules under which plans were adopted, by plan."""
    wanted = tuple((plan,) for plan in sorted({*plans}))
    runs = [run for run in (store.fetch([Get(RUNS, wanted)])[0] if wanted else ()) if run]
    named = tuple((policy,) for policy in sorted({run.policy for run in runs}))
    rows = store.fetch([Get(POLICIES, named)])[0] if named else ()
    rules = {row.policy: parse_rules(row.rules) for row in rows if row is not None}
    return {run.plan: rules[run.policy] for run in runs}


def timetables_of_plans(store: LedgerStore, plans: Iterable[str]) -> dict[str, Timetable]:
    """Returns the clearing day under which plans were adopted, by plan, where there is one."""
    (ledger,) = store.fetch([Get(LEDGER, (("ledger",),))])[0]
    found = {
        plan: rules.clearing_day
        for plan, rules in rules_of_plans(store, plans).items()
        if rules.clearing_day is not None
    }
    names = tuple((name,) for name in sorted({rule.calendar for rule in found.values()}))
    rows = store.fetch([Get(CALENDARS, names)])[0] if names else ()
    calendars = {row.name: calendar_of(row) for row in rows if row is not None}
    return {
        plan: Timetable(
            rule=rule,
            calendar=calendars[rule.calendar],
            offset_minutes=parse_offset(ledger.zone),
        )
        for plan, rule in found.items()
    }


def held_of(store: LedgerStore, rows: Sequence[Mapping[str, Any]]) -> frozenset[Place]:
    """Returns which of some instructions wait for their debtors' approval of a list.

    Args:
        store: Where committed state is read.
        rows: Instructions as they are listed.
    """
    own = [
        (row["plan"], row["n"])
        for row in rows
        if row["status"] == InstructionStatus.PENDING and not row["after"]
    ]
    rules = rules_of_plans(store, (plan for plan, _ in own))
    asked = tuple(place for place in own if is_asked(rules[place[0]]))
    records = store.fetch([Get(INSTRUCTIONS, asked)])[0] if asked else ()
    places = {(row.plan, row.payer_account) for row in records if row is not None}
    found = store.fetch([Get(DEBIT_LISTS, tuple(sorted(places)))])[0] if places else ()
    drawn = {(row.plan, row.account): row for row in found if row is not None}
    return frozenset(
        (row.plan, row.n)
        for row in records
        if row is not None and is_held(row, drawn[row.plan, row.payer_account], rules[row.plan])
    )


def is_asked(rules: Rules) -> bool:
    """Tells whether debtors approve their lists before these are sent."""
    return rules.clearing_day is not None and rules.clearing_day.approve is not None


def sees_list(caller: Caller, row: DebitList) -> bool:
    """Tells whether a caller pays what is on a list."""
    return caller.is_auditor or caller.is_or_manages(row.debtor)


def debits_on(service: Service, caller: Caller, text: str) -> dict[str, Json]:
    """Returns what is debited on a due date, as far as a caller pays it or keeps the account.

    Raises:
        RequestInvalidError: It is no date.
    """
    try:
        due_on = parse_date(text)
    except RegistryError as error:
        raise RequestInvalidError(reason=str(error)) from None
    due = find_due(Batch(service.store.fetch, service.rulebook.tables, index=0), due_on)
    found = debits_of(due.vouchers, due.lots, due.frozen)
    keys = tuple((account,) for account in sorted({debit.account for debit in found}))
    rows = service.store.fetch([Get(ACCOUNTS, keys)])[0] if keys else ()
    banks = {row.account: row.bank for row in rows if row is not None}
    sees_all = caller.is_auditor or Role.OPERATOR in caller.roles
    mine = [
        debit
        for debit in found
        if sees_all or caller.is_or_manages(debit.debtor) or caller.party == banks[debit.account]
    ]
    return {
        "due_on": due_on.isoformat(),
        "amount": str(sum(debit.amount_minor for debit in mine)),
        "withheld": str(sum(debit.withheld_minor for debit in mine)),
        "debits": [
            {
                "debtor": debit.debtor,
                "account": debit.account,
                "mandate": debit.mandate,
                "bank": banks[debit.account],
                "vouchers": debit.vouchers,
                "lots": debit.lots,
                "amount": str(debit.amount_minor),
                "withheld": str(debit.withheld_minor),
            }
            for debit in mine
        ],
    }


def list_to_approve(service: Service, caller: Caller, plan: str) -> dict[str, Json]:
    """Returns the body by which the caller approves what a plan draws on it: its first list.

    Raises:
        NotFoundError: The plan draws nothing on it that is not approved.
    """
    rows = service.store.select(DEBIT_LISTS, field="plan", value=plan)
    waiting = [row for row in rows if row.debtor == caller.party and row.waiting]
    if not waiting:
        raise NotFoundError(what="list to approve of plan", name=plan)
    row = min(waiting, key=lambda row: row.account)
    body: dict[str, Json] = approve_body(row).model_dump(mode="json")
    return body
