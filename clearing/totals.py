"""What a plan amounts to, added up voucher by voucher, and what is withheld of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from msgspec import Struct

from clearing.routes import Claim, Debt, RoutedStep
from registry.ids import LotId, Sid
from registry.model import Route


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
    """What a plan amounts to.

    Attributes:
        instructions: Their number.
        vouchers: Number of vouchers that are paid.
        lots: Number of lots that are discharged.
        total_minor: What the debtors pay, in minor units.
        gross_minor: What the instructions move, passing money at each hop included.
        withheld_minor: What the debtors owe besides, for lots that are frozen.
        withheld: These lots.
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

    def add(self, other: "Totals") -> None:
        """Adds the figures of other vouchers."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def count(self, voucher: Debt, lots: Sequence[Claim], steps: Sequence[RoutedStep]) -> None:
        """Adds a voucher, its lots that are paid, and the steps that pay them."""
        self.instructions += len(steps)
        self.vouchers += 1
        self.lots += len(lots)
        self.total_minor += sum([lot.amount for lot in lots])
        self.gross_minor += sum([step.amount_minor for step in steps])
        self.vouchers_by_route[Route(voucher.route)] += 1
        routes = [step.route for step in steps]
        for route in Route:
            if number := routes.count(route):
                self.instructions_by_route[route] += number

    def withhold(self, voucher: Debt, lots: Sequence[Claim]) -> int:
        """Adds a voucher's frozen lots; returns what they come to, in minor units."""
        self.withheld += (
            Withheld(amount=str(lot.amount), lot=lot.lot, voucher=voucher.voucher) for lot in lots
        )
        minor = sum(lot.amount for lot in lots)
        self.withheld_minor += minor
        return minor
