"""The plan of a due date: every instruction that clears it, and its digest.

A due date is cleared by one plan, and what that leaves by a further one. The due date
never moves; the pay date is the first working day from it on, by the calendar that the
policy in force names. A plan follows from the live state alone: vouchers by id, each by
the route that it names, instructions numbered from 0. So whoever holds the state
compiles the same bytes, the auditor included.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from operator import attrgetter
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec.json import Encoder

from clearing.direct import route_direct
from clearing.routes import (
    LOTS_MAX,
    Claim,
    Debt,
    Instruction,
    Mandates,
    Places,
    RoutedStep,
    RouteProvider,
    cut_steps,
    instruct,
)
from clearing.staging import pass_stages, to_courts
from clearing.tiered import route_tiered
from clearing.totals import Totals
from registry.calendars import Calendar
from registry.canonical import b64url_encode
from registry.errors import InvariantBrokenError
from registry.ids import LotId, Sid
from registry.model import Lot, Mandate, Route, Voucher

PLAN_DOMAIN: Final = b"tallystick-plan/1"

NOBODY: Final[Mapping[LotId, Sid]] = MappingProxyType({})
"""Where no court is to be paid."""

PROVIDERS: Final[Mapping[str, RouteProvider]] = {
    Route.DIRECT: route_direct,
    Route.TIERED: route_tiered,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that clears one due date."""

    due_on: date
    pay_on: date
    instructions: tuple[Instruction, ...]
    totals: Totals


class RoutedVoucher(NamedTuple):
    """A voucher, the lots that are due of it, and the steps that pay them."""

    voucher: Debt
    lots: Sequence[Claim]
    steps: Sequence[RoutedStep]


Batch = Sequence[tuple[Debt, Sequence[Claim]]]
"""Vouchers with their live lots, both by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Everything in the state that the plan of a due date follows from.

    Attributes:
        batches: The vouchers, by id through all batches; may be a stream.
        mandates: At least those of every earlier holder in a lot's path.
        places: At least the accounts into which lots are paid, those under mandate, those of
            stages and of courts.
        frozen: At least the lots among them that are frozen, and that no court is to be paid.
        courts: Of at least the lots among them that a court has ordered paid to it, its account.
        ordered: At least those among them that an earlier plan's instruction may still pay.
        short: The accounts of which the bank has said what there is: what is drawn on them
            is paid from that, and by no plan of the due date.
        size: The size of the log that they were read from, if it is known.
    """

    batches: Iterable[Batch]
    mandates: Mandates
    places: Places
    frozen: Collection[LotId] = frozenset()
    courts: Mapping[LotId, Sid] = field(default_factory=dict)
    ordered: Collection[LotId] = frozenset()
    short: Collection[Sid] = frozenset()
    size: int = 0


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
    places: Places,
    frozen: Collection[LotId] = frozenset(),
    courts: Mapping[LotId, Sid] = NOBODY,
    ordered: Collection[LotId] = frozenset(),
    short: Collection[Sid] = frozenset(),
) -> Plan:
    """Compiles the plan of a due date; the order of the arguments' items does not matter.

    Args:
        due_on: The due date.
        pay_on: The day on which it is paid.
        lots: All live lots that are due.
        vouchers: At least theirs.
        mandates: At least those of every earlier holder in a lot's path.
        places: The accounts: see `Due`.
        frozen: At least the lots among them that are frozen, and so withheld.
        courts: Those that a court has ordered paid to it: see `Due`.
        ordered: At least those among them that an earlier plan's instruction may still pay.
        short: The accounts on which nothing is drawn: see `Due`.

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
        batches=[[(voucher, lots_of[voucher.voucher]) for voucher in paid]],
        mandates=mandates_of(mandates, places),
        places=places,
        frozen=frozen,
        courts=courts,
        ordered=ordered,
        short=short,
    )
    totals = Totals()
    instructions: list[Instruction] = []
    for voucher, _, steps in chain.from_iterable(route_batches(due, totals)):
        instructions += instruct(voucher, steps, first=len(instructions), places=due.places)
    return Plan(due_on=due_on, pay_on=pay_on, instructions=tuple(instructions), totals=totals)


def mandates_of(mandates: Iterable[Mandate], places: Places) -> dict[str, list[Mandate]]:
    """Returns the mandates of each owner under which money may pass its accounts.

    Neither one that was revoked, nor one on an account that a court has frozen, nor that of a
    stage, which is for one account behind it.

    Args:
        mandates: The mandates.
        places: At least the accounts that they are for.
    """
    granted: dict[str, list[Mandate]] = {}
    for mandate in mandates:
        if mandate.revoked is not None or mandate.onto is not None:
            continue
        if not places[mandate.account].is_frozen:
            granted.setdefault(mandate.owner, []).append(mandate)
    return granted


def route_batches(due: Due, totals: Totals) -> Iterator[list[RoutedVoucher]]:
    """Yields what pays the vouchers of one batch after the other; no other is in memory.

    Args:
        due: What is due.
        totals: Is added to.

    Raises:
        InvariantBrokenError: A voucher's lots are not what is outstanding of it, or its
            two routes would leave holders with different amounts (our bug).
    """
    last = ""
    for batch in due.batches:
        routed: list[RoutedVoucher] = []
        for voucher, live in batch:
            if voucher.voucher <= last:
                raise InvariantBrokenError(f"voucher {voucher.voucher} stands after {last}")
            last = voucher.voucher
            if voucher.account in due.short:
                continue
            lots, unpaid = live, 0
            if due.ordered and (ordered := [lot for lot in live if lot.lot in due.ordered]):
                unpaid = sum(lot.amount for lot in ordered)
                lots = [lot for lot in live if lot.lot not in due.ordered]
            if due.frozen and (frozen := [lot for lot in lots if lot.lot in due.frozen]):
                unpaid += totals.withhold(voucher, frozen)
                lots = [lot for lot in lots if lot.lot not in due.frozen]
            if due.courts:
                lots = to_courts(lots, due.courts)
            if lots:
                steps = route_voucher(voucher, lots, due.mandates, due.places, unpaid_minor=unpaid)
                routed.append(RoutedVoucher(voucher, lots, steps))
                totals.count(voucher, lots, steps)
        yield routed


def outstanding(voucher: Debt) -> int:
    """Returns what is owed of a voucher, in minor units."""
    return voucher.face - voucher.discharged - voucher.cancelled


def route_voucher(
    voucher: Debt,
    lots: Sequence[Claim],
    mandates: Mandates,
    places: Places,
    *,
    unpaid_minor: int = 0,
    providers: Mapping[str, RouteProvider] = PROVIDERS,
) -> list[RoutedStep]:
    """Routes one voucher as it names, after comparing that with the direct route.

    Args:
        voucher: The voucher.
        lots: The lots that are paid.
        mandates: The mandates along their paths.
        places: The accounts: see `Due`.
        unpaid_minor: What is outstanding besides, in minor units: its lots that are frozen,
            or that an earlier plan's instruction may still pay.
        providers: The route by its name.

    Returns:
        The steps, each to be one instruction.

    Raises:
        InvariantBrokenError: The lots are not what is outstanding of the voucher, or the
            two routes differ in their outcome (our bug).
    """
    held = sum([lot.amount for lot in lots]) + unpaid_minor
    if held != outstanding(voucher):
        raise InvariantBrokenError(
            f"voucher {voucher.voucher}: {held} held of {outstanding(voucher)}"
        )
    steps = pass_stages(providers[voucher.route](voucher, lots, mandates), voucher, places)
    if len(lots) > LOTS_MAX:
        steps = cut_steps(steps)
    verify_outcome(steps, voucher, lots, places)
    return steps


def verify_outcome(
    steps: Sequence[RoutedStep], voucher: Debt, lots: Sequence[Claim], places: Places
) -> None:
    """Verifies that a route leaves on every account what the direct one would.

    That is: each lot is discharged once, on its own account; all money comes from the debtor;
    and of what a step brings into an account, the face of the lots that are paid there stays,
    and exactly the rest goes on. So nothing stays with whoever only passes money on.

    Raises:
        InvariantBrokenError: A lot is discharged twice or not at all, or money goes
            another way (our bug).
    """
    discharged = [lot.lot for step in steps for lot in step.held]
    discharged.sort()
    if discharged != [lot.lot for lot in lots]:
        raise InvariantBrokenError("the routes discharge different lots, or one of them twice")
    left: list[int] = []
    for step in steps:
        payer, payer_account = voucher.debtor, voucher.account
        if step.funded_by is not None:
            if step.funded_by >= len(left):
                raise InvariantBrokenError("money goes on before it has come")
            left[step.funded_by] -= step.amount_minor
            funding = steps[step.funded_by]
            payer, payer_account = funding.payee, funding.payee_account
        if step.payer != payer or step.payer_account != payer_account:
            raise InvariantBrokenError("money is drawn from where it was not brought")
        left.append(step.amount_minor)
    for step, amount in zip(steps, left, strict=True):
        for lot in step.held:
            holder = step.holder or step.payee
            if lot.holder != holder or lot.account != step.payee_account:
                raise InvariantBrokenError(f"lot {lot.lot} is paid to another account")
            amount -= lot.amount
        if step.payee != places[step.payee_account].owner:
            raise InvariantBrokenError(f"account {step.payee_account} is not {step.payee}'s")
        if amount:
            raise InvariantBrokenError("the routes leave different amounts on accounts")


# --- Bytes --------------------------------------------------------------------


_encode: Final = Encoder().encode


def format_instructions(instructions: Sequence[Instruction]) -> bytes:
    """Writes instructions as canonical JSON, with commas between them.

    What an instruction says was checked where it came in, so that it is in the profile;
    its members stand in canonical order.
    """
    return _encode(instructions)[1:-1]


def plan_parts(
    due_on: date, pay_on: date, parts: Iterable[bytes], totals: Totals
) -> Iterator[bytes]:
    """Yields a plan's canonical JSON piece by piece, as its instructions come.

    What is withheld is complete in the figures when they have come.
    """
    yield b'{"due_on":"%b","instructions":[' % due_on.isoformat().encode()
    comma = b""
    for part in filter(None, parts):
        yield comma
        yield part
        comma = b","
    yield b'],"pay_on":"%b","withheld":' % pay_on.isoformat().encode()
    # Several processes add their figures one after the other, each with its own vouchers.
    yield _encode(sorted(totals.withheld, key=attrgetter("voucher"))) + b"}"


def format_plan(plan: Plan) -> bytes:
    """Writes a plan as canonical JSON: two dates, all instructions, what is withheld."""
    return b"".join(_parts_of(plan))


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
    for part in _parts_of(plan):
        digest.update(part)
    return digest.text()


def _parts_of(plan: Plan) -> Iterator[bytes]:
    """Yields a plan's bytes, of which few are in memory at a time."""
    orders = plan.instructions
    some = (orders[start : start + 1_000] for start in range(0, len(orders), 1_000))
    return plan_parts(plan.due_on, plan.pay_on, map(format_instructions, some), plan.totals)
