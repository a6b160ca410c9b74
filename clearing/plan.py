"""The plan of a due date: every instruction that clears it, and its digest.

There is one clearing run per due date. The due date never moves; the pay date is the
first working day from it on, by the calendar that the policy in force names. A plan
follows from the live state alone: vouchers by id, each by the route that it names,
instructions numbered from 0. So whoever holds the state compiles the same bytes, the
auditor included.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.json import Encoder

from clearing.direct import route_direct
from clearing.routes import (
    Claim,
    Instruction,
    Mandates,
    RoutedStep,
    RouteProvider,
    instruct,
)
from clearing.tiered import route_tiered
from registry.calendars import Calendar
from registry.canonical import b64url_encode
from registry.errors import InvariantBrokenError
from registry.ids import LotId, PartyId, Sid
from registry.model import Account, Lot, Mandate, Route, Voucher

PLAN_DOMAIN: Final = b"tallystick-plan/1"

PROVIDERS: Final[Mapping[str, RouteProvider]] = {
    Route.DIRECT: route_direct,
    Route.TIERED: route_tiered,
}


class Withheld(Struct, frozen=True, kw_only=True, gc=False):
    """A lot that is due and frozen: nobody is paid for it; members in canonical order.

    Attributes:
        amount: Minor units, as text.
        lot: The lot.
        voucher: The voucher that it is of.
    """

    amount: str
    lot: LotId
    voucher: Sid


@dataclass(slots=True, kw_only=True)
class Totals:
    """What a plan amounts to, added up voucher by voucher.

    Attributes:
        instructions: Their number.
        vouchers: Number of vouchers that are paid.
        lots: Number of lots that are discharged.
        total_minor: What the debtors pay, in minor units.
        withheld_minor: What they owe besides, for lots that are frozen.
        withheld: These lots.
        gross_minor: What the instructions move, passing money at each hop included.
        vouchers_by_route: Vouchers by the route that each names.
        instructions_by_route: Instructions by the route that each is a leg of; a branch
            of a tiered voucher that goes direct counts as direct.
    """

    instructions: int = 0
    vouchers: int = 0
    lots: int = 0
    total_minor: int = 0
    gross_minor: int = 0
    withheld_minor: int = 0
    withheld: list[Withheld] = field(default_factory=list)
    vouchers_by_route: Counter[Route] = field(default_factory=Counter)
    instructions_by_route: Counter[Route] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that clears one due date."""

    due_on: date
    pay_on: date
    instructions: tuple[Instruction, ...]
    totals: Totals


class PaidVoucher(NamedTuple):
    """A voucher, the lots that are due of it, and the instructions that pay them."""

    voucher: Voucher
    lots: Sequence[Claim]
    instructions: list[Instruction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Everything in the state that the plan of a due date follows from.

    Attributes:
        vouchers: Each voucher with its live lots, both by id; may be a stream.
        mandates: At least those of every earlier holder in a lot's path.
        banks: The bank of at least each account into which lots are paid, and of those
            under mandate.
        frozen: At least the lots among them that are frozen.
    """

    vouchers: Iterable[tuple[Voucher, Sequence[Claim]]]
    mandates: Mandates
    banks: Mapping[Sid, PartyId]
    frozen: Collection[LotId] = frozenset()


def pay_date(due_on: date, calendar: Calendar | None) -> date:
    """Returns the day on which what is due on a date is paid.

    Args:
        due_on: The due date, which never moves.
        calendar: The one that the policy's rule names; without such a rule the pay date
            does not roll.

    Raises:
        BeyondCalendarError: The calendar ends before: what is provisional is not cleared.
    """
    return due_on if calendar is None else calendar.next_working_day(due_on)


def compile_plan(
    *,
    due_on: date,
    pay_on: date,
    lots: Iterable[Lot],
    vouchers: Iterable[Voucher],
    mandates: Iterable[Mandate],
    accounts: Iterable[Account],
    frozen: Collection[LotId] = frozenset(),
) -> Plan:
    """Compiles the plan of a due date; the order of the arguments' items does not matter.

    Args:
        due_on: The due date.
        pay_on: The day on which it is paid.
        lots: All live lots that are due.
        vouchers: At least theirs.
        mandates: At least those of every earlier holder in a lot's path.
        accounts: At least those into which lots are paid and those under mandate.
        frozen: At least the lots among them that are frozen, and so withheld.

    Raises:
        InvariantBrokenError: As `compile_vouchers`; or a lot is of no voucher.
    """
    lots_of: dict[Sid, list[Lot]] = {}
    for lot in sorted(lots, key=lambda lot: lot.lot):
        lots_of.setdefault(lot.voucher, []).append(lot)
    paid = sorted(
        (voucher for voucher in vouchers if voucher.voucher in lots_of),
        key=lambda voucher: voucher.voucher,
    )
    if len(paid) != len(lots_of):
        raise InvariantBrokenError("a lot is of no voucher, or a voucher is given twice")
    due = Due(
        vouchers=((voucher, lots_of[voucher.voucher]) for voucher in paid),
        mandates=mandates_of(mandates),
        banks={account.account: account.bank for account in accounts},
        frozen=frozen,
    )
    totals = Totals()
    instructions = tuple(
        each for part in compile_vouchers(due, totals) for each in part.instructions
    )
    return Plan(due_on=due_on, pay_on=pay_on, instructions=instructions, totals=totals)


def mandates_of(mandates: Iterable[Mandate]) -> dict[str, list[Mandate]]:
    """Returns the mandates of each owner."""
    granted: dict[str, list[Mandate]] = {}
    for mandate in mandates:
        granted.setdefault(mandate.owner, []).append(mandate)
    return granted


def compile_vouchers(due: Due, totals: Totals) -> Iterator[PaidVoucher]:
    """Yields the instructions of one voucher after the other; no other is in memory.

    Args:
        due: What is due.
        totals: Is added to.

    Raises:
        InvariantBrokenError: A voucher's lots are not what is outstanding of it, or its
            two routes would leave holders with different amounts (our bug).
    """
    last = ""
    for voucher, lots in due.vouchers:
        if voucher.voucher <= last:
            raise InvariantBrokenError(f"voucher {voucher.voucher} stands after {last}")
        last = voucher.voucher
        paid = [lot for lot in lots if lot.lot not in due.frozen] if due.frozen else lots
        withheld = _withhold(voucher, lots, due, totals) if len(paid) < len(lots) else 0
        if not paid:
            continue
        steps = route_voucher(voucher, paid, due.mandates, withheld_minor=withheld)
        part = instruct(voucher, steps, first=totals.instructions, banks=due.banks)
        totals.instructions += len(part)
        totals.vouchers += 1
        totals.lots += len(paid)
        totals.total_minor += voucher.face - voucher.discharged - voucher.cancelled - withheld
        totals.gross_minor += sum([step.amount_minor for step in steps])
        totals.vouchers_by_route[Route(voucher.route)] += 1
        routes = [each.route for each in part]
        for route in set(routes):
            totals.instructions_by_route[route] += routes.count(route)
        yield PaidVoucher(voucher, paid, part)


def _withhold(voucher: Voucher, lots: Sequence[Claim], due: Due, totals: Totals) -> int:
    """Adds a voucher's frozen lots to what is withheld; returns their sum."""
    frozen = [lot for lot in lots if lot.lot in due.frozen]
    totals.withheld += (
        Withheld(amount=str(lot.amount), lot=lot.lot, voucher=voucher.voucher) for lot in frozen
    )
    minor = sum(lot.amount for lot in frozen)
    totals.withheld_minor += minor
    return minor


def route_voucher(
    voucher: Voucher,
    lots: Sequence[Claim],
    mandates: Mandates,
    *,
    withheld_minor: int = 0,
    providers: Mapping[str, RouteProvider] = PROVIDERS,
) -> list[RoutedStep]:
    """Routes one voucher as it names, after comparing that with the direct route.

    Args:
        voucher: The voucher.
        lots: The lots that are paid.
        mandates: The mandates along their paths.
        withheld_minor: What is outstanding besides, in minor units: its frozen lots.
        providers: The route by its name.

    Raises:
        InvariantBrokenError: The lots are not what is outstanding of the voucher, or the
            two routes differ in their outcome (our bug).
    """
    outstanding = voucher.face - voucher.discharged - voucher.cancelled
    held = sum([lot.amount for lot in lots]) + withheld_minor
    if held != outstanding:
        raise InvariantBrokenError(f"voucher {voucher.voucher}: {held} held of {outstanding}")
    steps = providers[voucher.route](voucher, lots, mandates)
    verify_outcome(steps, voucher, lots)
    return steps


def verify_outcome(steps: Sequence[RoutedStep], voucher: Voucher, lots: Sequence[Claim]) -> None:
    """Verifies that a route leaves on every account what the direct one would.

    That is: each lot's face with its holder, all of it from the debtor, nothing with
    whoever only passes money on; and each lot is discharged once.

    Raises:
        InvariantBrokenError: It does not, or a lot is discharged twice (our bug).
    """
    debtor = (voucher.debtor, voucher.account)
    net: dict[tuple[PartyId, Sid], int] = {debtor: 0}
    for lot in lots:
        payee = (lot.holder, lot.account)
        net[payee] = net.get(payee, 0) - lot.amount
        net[debtor] += lot.amount
    for step in steps:
        payer, payee = (step.payer, step.payer_account), (step.payee, step.payee_account)
        net[payer] = net.get(payer, 0) - step.amount_minor
        net[payee] = net.get(payee, 0) + step.amount_minor
    if any(net.values()):
        raise InvariantBrokenError("the routes leave different amounts on accounts")
    discharged: list[LotId] = [lot.lot for step in steps for lot in step.held]
    if set(discharged) != {lot.lot for lot in lots}:
        raise InvariantBrokenError("the routes discharge different lots")
    if len(discharged) != len(lots):
        raise InvariantBrokenError("a lot is discharged twice")


# --- Bytes --------------------------------------------------------------------


_encode: Final = Encoder().encode


def plan_parts(
    due_on: date, pay_on: date, parts: Iterable[Sequence[Instruction]], withheld: list[Withheld]
) -> Iterator[bytes]:
    """Yields a plan's canonical JSON piece by piece, as instructions come.

    What is withheld is complete when the instructions have come.

    What an instruction says was checked where it came in, so that it is in the profile;
    its members stand in canonical order.
    """
    yield b'{"due_on":"%b","instructions":[' % due_on.isoformat().encode()
    comma = b""
    for part in parts:
        if part:
            yield comma + _encode(part)[1:-1]
            comma = b","
    yield b'],"pay_on":"%b","withheld":' % pay_on.isoformat().encode()
    yield _encode(withheld) + b"}"


def format_plan(plan: Plan) -> bytes:
    """Writes a plan as canonical JSON: two dates, all instructions, what is withheld."""
    totals = plan.totals
    return b"".join(plan_parts(plan.due_on, plan.pay_on, [plan.instructions], totals.withheld))


class PlanDigest:
    """What the operator signs: b64url of SHA-256 over domain, zero byte and plan."""

    def __init__(self) -> None:
        """Starts before the plan's first byte."""
        self._hash = hashlib.sha256(PLAN_DOMAIN + b"\x00")

    def update(self, data: bytes) -> None:
        """Takes the next bytes of the plan."""
        self._hash.update(data)

    def text(self) -> str:
        """Returns the digest."""
        return b64url_encode(self._hash.digest())


def plan_digest(plan: Plan) -> str:
    """Computes the digest of a plan."""
    digest = PlanDigest()
    withheld, instructions = plan.totals.withheld, _cut(plan.instructions)
    for part in plan_parts(plan.due_on, plan.pay_on, instructions, withheld):
        digest.update(part)
    return digest.text()


def _cut(instructions: Sequence[Instruction]) -> Iterator[Sequence[Instruction]]:
    """Cuts instructions into pieces, so that a big plan's bytes are never all in memory."""
    for start in range(0, len(instructions), 1_000):
        yield instructions[start : start + 1_000]
