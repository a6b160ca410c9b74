"""What money pays that is less than what is due: which vouchers, and how much of each lot.

The order is the contract's, then the debtor's own in the words of its payment, then the
law's. Vouchers are paid whole in that order, and the last one pro rata among its holders,
by largest remainders, a tie going to the smaller holder id. So 700,000.01 of a voucher of
1,000,000.00:

    S1  400,000.00   280,000.01
    S2  150,000.00   105,000.00
    S3  250,000.00   175,000.00
    T   200,000.00   140,000.00

Source: SD-28; Civil Code, art. 560; reference note 16; GV-02 and GV-08.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clearing.plan import Batch, PlanDigest, format_instructions, outstanding, route_voucher
from clearing.routes import Claim, Debt, Instruction, Mandates, Places, instruct, part_of
from clearing.totals import Totals
from registry.ids import Sid, is_vehicle
from registry.money import allocate


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A voucher that is due, and what competes for the debtor's money with it.

    Attributes:
        voucher: The voucher.
        due_on: Its due date.
        lots: What can be paid of it now.
        secured_minor: What others secure of it, in minor units.
    """

    voucher: Debt
    due_on: str
    lots: Sequence[Claim]
    secured_minor: int = 0

    @property
    def amount_minor(self) -> int:
        """What is due of it, in minor units."""
        return sum(lot.amount for lot in self.lots)

    @property
    def is_plans(self) -> bool:
        """Whether a plan or trust holds some of it."""
        return any(is_vehicle(lot.holder) for lot in self.lots)


def in_order(
    shares: Iterable[Share], *, plans_first: bool, designated: Sequence[Sid]
) -> list[Share]:
    """Puts vouchers in the order in which a debtor's money pays them.

    All are due. By law the one that is secured less comes first, among equals the one that
    was due earlier; what no rule decides the smaller id does.

    Args:
        shares: The vouchers.
        plans_first: By contract what plans and trusts hold is paid first (SD-28).
        designated: The vouchers that the payment names, in its order.
    """
    named: Mapping[Sid, int] = {sid: place for place, sid in enumerate(designated)}

    def rank(share: Share) -> tuple[bool, int, int, str, Sid]:
        return (
            not (plans_first and share.is_plans),
            named.get(share.voucher.voucher, len(named)),
            share.secured_minor,
            share.due_on,
            share.voucher.voucher,
        )

    return sorted(shares, key=rank)


def apportion(amount_minor: int, shares: Iterable[Share]) -> list[tuple[Debt, list[Claim]]]:
    """Divides money among vouchers that stand in order, and in the last among its holders.

    Returns:
        The vouchers of which something is paid, by id, each with what is paid of its lots,
        by id; what money is not there for is left out.
    """
    paid: list[tuple[Debt, list[Claim]]] = []
    for share in shares:
        amount = min(amount_minor, share.amount_minor)
        if not amount:
            break
        amount_minor -= amount
        holders = sorted(share.lots, key=lambda lot: (lot.holder, lot.lot))
        parts = allocate(amount, [lot.amount for lot in holders])
        lots: list[Claim] = [
            part_of(lot, part) for lot, part in zip(holders, parts, strict=True) if part
        ]
        paid.append((share.voucher, sorted(lots, key=lambda lot: lot.lot)))
    return sorted(paid, key=lambda pair: pair[0].voucher)


@dataclass(frozen=True, slots=True, kw_only=True)
class DividedPlan:
    """What a debtor's money pays that is less than what is due."""

    fund: Sid
    instructions: tuple[Instruction, ...]
    totals: Totals
    owed_minor: int
    """What is due of the account, in minor units."""
    has_promise: bool
    """Whether the debtor of something that it pays has promised to top up."""


def divide(
    fund: Sid,
    paid: Batch,
    *,
    mandates: Mandates,
    places: Places,
    owed_minor: int,
    has_promise: bool,
) -> DividedPlan:
    """Compiles the plan of what is paid of each lot (see `apportion`).

    Raises:
        InvariantBrokenError: Two routes of a voucher would leave holders with different
            amounts (our bug).
    """
    totals = Totals()
    instructions: list[Instruction] = []
    for voucher, lots in paid:
        unpaid = outstanding(voucher) - sum(lot.amount for lot in lots)
        steps = route_voucher(voucher, lots, mandates, places, unpaid_minor=unpaid)
        totals.count(voucher, lots, steps)
        instructions += instruct(
            voucher, steps, first=len(instructions), places=places, in_parts=True
        )
    return DividedPlan(
        fund=fund,
        instructions=tuple(instructions),
        totals=totals,
        owed_minor=owed_minor,
        has_promise=has_promise,
    )


def format_divided(plan: DividedPlan) -> bytes:
    """Writes a plan that divides money as canonical JSON: the money, and all instructions."""
    return b'{"fund":"%b","instructions":[%b]}' % (
        plan.fund.encode(),
        format_instructions(plan.instructions),
    )


def divided_digest(plan: DividedPlan) -> str:
    """Computes the digest of a plan that divides money."""
    digest = PlanDigest()
    digest.update(format_divided(plan))
    return digest.text()
