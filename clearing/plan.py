"""The plan of a due date: every instruction that clears it, and its digest.

There is one clearing run per due date. The due date never moves; the pay date is the
first working day of the ledger's calendar from it on. A plan follows from the live
state alone: vouchers by id, each by the route that it names, instructions numbered
from 0. So whoever holds the state compiles the same bytes, the auditor included.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from clearing.direct import route_direct
from clearing.routes import (
    Instruction,
    Mandates,
    RoutedStep,
    RouteProvider,
    instruct,
    net_by_account,
)
from clearing.tiered import route_tiered
from registry.calendars import Calendar, parse_date
from registry.canonical import Json, b64url_encode, format_json, sha256
from registry.errors import InvariantBrokenError
from registry.ids import LotId, Sid
from registry.model import Account, Ledger, Lot, Mandate, Route, Voucher
from registry.money import format_amount

PLAN_DOMAIN: Final = b"tallystick-plan/1"

PROVIDERS: Final[Mapping[str, RouteProvider]] = {
    Route.DIRECT: route_direct,
    Route.TIERED: route_tiered,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a plan amounts to.

    Attributes:
        instructions: Their number.
        vouchers: Number of vouchers that are paid.
        total_minor: What the debtors owe, in minor units.
        gross_minor: What the instructions move, passing money at each hop included.
        vouchers_by_route: Vouchers by the route that each names.
        instructions_by_route: Instructions by the route that each is a leg of; a branch
            of a tiered voucher that goes direct counts as direct.
    """

    instructions: int
    vouchers: int
    total_minor: int
    gross_minor: int
    vouchers_by_route: Mapping[Route, int]
    instructions_by_route: Mapping[Route, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that clears one due date."""

    due_on: date
    pay_on: date
    instructions: tuple[Instruction, ...]
    totals: Totals


def calendar_of(ledger: Ledger) -> Calendar:
    """Builds the calendar that genesis named."""
    return Calendar(
        name=ledger.calendar,
        first=parse_date(ledger.calendar_first),
        last=parse_date(ledger.calendar_last),
        holidays=tuple(map(parse_date, ledger.holidays)),
        workdays=tuple(map(parse_date, ledger.workdays)),
    )


def pay_date(due_on: date, calendar: Calendar) -> date:
    """Returns the day on which what is due on a date is paid.

    Raises:
        BeyondCalendarError: The calendar ends before.
    """
    return calendar.next_working_day(due_on)


def compile_plan(
    *,
    due_on: date,
    pay_on: date,
    lots: Iterable[Lot],
    vouchers: Iterable[Voucher],
    mandates: Iterable[Mandate],
    accounts: Iterable[Account],
) -> Plan:
    """Compiles the plan of a due date; the order of the arguments' items does not matter.

    Args:
        due_on: The due date.
        pay_on: The day on which it is paid.
        lots: All live lots that are due.
        vouchers: At least theirs.
        mandates: At least those of every earlier holder in a lot's path.
        accounts: At least those into which lots are paid and those under mandate.

    Raises:
        InvariantBrokenError: A voucher's lots are not what is outstanding of it, or its
            two routes would leave holders with different amounts (our bug).
    """
    lots_of: dict[Sid, list[Lot]] = {}
    for lot in lots:
        lots_of.setdefault(lot.voucher, []).append(lot)
    granted: dict[str, list[Mandate]] = {}
    for mandate in mandates:
        granted.setdefault(mandate.owner, []).append(mandate)
    account_by_sid = {account.account: account for account in accounts}
    paid = sorted(
        (voucher for voucher in vouchers if voucher.voucher in lots_of),
        key=lambda voucher: voucher.voucher,
    )
    if len(paid) != len(lots_of):
        raise InvariantBrokenError("a lot is of no voucher, or a voucher is given twice")
    instructions: list[Instruction] = []
    for voucher in paid:
        steps = route_voucher(voucher, lots_of[voucher.voucher], granted)
        instructions += instruct(
            steps,
            first=len(instructions),
            remittance=voucher.voucher_no,
            accounts=account_by_sid,
        )
    totals = _totals(paid, lots_of, instructions)
    return Plan(due_on=due_on, pay_on=pay_on, instructions=tuple(instructions), totals=totals)


def route_voucher(
    voucher: Voucher,
    lots: Sequence[Lot],
    mandates: Mandates,
    *,
    providers: Mapping[str, RouteProvider] = PROVIDERS,
) -> tuple[RoutedStep, ...]:
    """Routes one voucher as it names, after comparing that with the direct route.

    Raises:
        InvariantBrokenError: The lots are not what is outstanding of the voucher, or the
            two routes differ in their outcome (our bug).
    """
    outstanding = voucher.face - voucher.discharged - voucher.cancelled
    held = sum(lot.amount for lot in lots)
    if held != outstanding:
        raise InvariantBrokenError(f"voucher {voucher.voucher}: {held} held of {outstanding}")
    steps = providers[voucher.route](voucher, lots, mandates)
    verify_same_outcome(steps, route_direct(voucher, lots, mandates))
    return steps


def verify_same_outcome(one: Sequence[RoutedStep], other: Sequence[RoutedStep]) -> None:
    """Verifies that two routes leave the same on every account and discharge the same lots.

    Whoever only passes money on is left with nothing in both.

    Raises:
        InvariantBrokenError: They do not, or one discharges a lot twice (our bug).
    """
    if net_by_account(one) != net_by_account(other):
        raise InvariantBrokenError("the routes leave different amounts on accounts")
    discharged = _discharged(one)
    if discharged != _discharged(other):
        raise InvariantBrokenError("the routes discharge different lots")
    if any(times != 1 for times in discharged.values()):
        raise InvariantBrokenError("a lot is discharged twice")


def _discharged(steps: Iterable[RoutedStep]) -> Counter[LotId]:
    """Counts how often each lot is discharged."""
    return Counter(lot.lot for step in steps for lot in step.held)


def _totals(
    vouchers: Sequence[Voucher],
    lots_of: Mapping[Sid, Sequence[Lot]],
    instructions: Sequence[Instruction],
) -> Totals:
    """Adds a plan up."""
    return Totals(
        instructions=len(instructions),
        vouchers=len(vouchers),
        total_minor=sum(lot.amount for lots in lots_of.values() for lot in lots),
        gross_minor=sum(instruction.amount_minor for instruction in instructions),
        vouchers_by_route=Counter(Route(voucher.route) for voucher in vouchers),
        instructions_by_route=Counter(instruction.route for instruction in instructions),
    )


# --- Bytes --------------------------------------------------------------------


def format_plan(plan: Plan) -> bytes:
    """Writes a plan as canonical JSON: its two dates and all instructions in order."""
    return format_json(
        {
            "due_on": plan.due_on.isoformat(),
            "instructions": [_instruction_json(item) for item in plan.instructions],
            "pay_on": plan.pay_on.isoformat(),
        }
    )


def _instruction_json(instruction: Instruction) -> dict[str, Json]:
    """Returns one instruction's JSON object."""
    return {
        "after": [*instruction.after],
        "amount": format_amount(instruction.amount_minor),
        "authority": instruction.authority,
        "bank": instruction.bank,
        "lots": [*instruction.lots],
        "n": instruction.n,
        "payee": instruction.payee,
        "payee_account": instruction.payee_account,
        "payer": instruction.payer,
        "payer_account": instruction.payer_account,
        "remittance": instruction.remittance,
        "route": instruction.route,
        "voucher": instruction.voucher,
    }


def plan_digest(plan: Plan) -> str:
    """Computes what the operator signs: b64url of SHA-256 over domain, zero byte and plan."""
    return b64url_encode(sha256(PLAN_DOMAIN + b"\x00" + format_plan(plan)))
