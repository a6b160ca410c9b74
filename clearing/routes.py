"""The words of clearing: a step along a route, and the instruction made of it.

A provider routes one voucher: it says which steps bring the debtor's money to every
holder. A step is what moves from one account to the next; numbered, and split where
it would discharge too many lots, it is an instruction to a bank. There are two
providers, `clearing.direct` and `clearing.tiered`, and both leave every account
with the same net amount.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from registry.ids import LotId, PartyId, Sid
from registry.model import Account, Lot, Mandate, Route, Voucher

LOTS_MAX = 128
"""Lots that one instruction discharges at the most (docs/formats.md, Lots)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedStep:
    """What moves from one account to the next for one voucher.

    Attributes:
        route: Whether it is a leg of the direct or of the tiered route.
        voucher: The voucher that is paid.
        payer_account: The account that is debited.
        payer: Its owner: the debtor, or a holder who passes money on.
        payee_account: The account that is credited.
        payee: Its owner.
        authority: The mandate under which the payer's account is debited.
        held: The payee's lots that are discharged once it is credited.
        passing_minor: Minor units that come on top and are passed on.
        funded_by: Place, among the voucher's steps, of the one that brings the money;
            None where the debtor pays.
    """

    route: Route
    voucher: Sid
    payer_account: Sid
    payer: PartyId
    payee_account: Sid
    payee: PartyId
    authority: Sid
    held: tuple[Lot, ...]
    passing_minor: int = 0
    funded_by: int | None = None

    @property
    def amount_minor(self) -> int:
        """What moves, in minor units."""
        return self.passing_minor + sum(lot.amount for lot in self.held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """An order to move money, number `n` of its plan, from 0.

    Attributes:
        n: Its number in the plan.
        route: Whether it is a leg of the direct or of the tiered route.
        voucher: The voucher that is paid.
        payer_account: The account that is debited.
        payer: Its owner.
        payee_account: The account that is credited.
        payee: Its owner.
        bank: The bank that keeps the payee's account, and confirms.
        amount_minor: Minor units.
        authority: The mandate under which the payer's account is debited.
        lots: Ids of the payee's lots that are discharged once it is posted.
        after: Numbers of the instructions that must be posted before, all smaller.
        remittance: The debtor's number of the voucher (附言).
    """

    n: int
    route: Route
    voucher: Sid
    payer_account: Sid
    payer: PartyId
    payee_account: Sid
    payee: PartyId
    bank: PartyId
    amount_minor: int
    authority: Sid
    lots: tuple[LotId, ...]
    after: tuple[int, ...]
    remittance: str


Mandates = Mapping[str, Sequence[Mandate]]
"""The mandates of each owner that has granted one."""


class RouteProvider(Protocol):
    """Routes one voucher: the steps that pay each of its lots exactly once."""

    def __call__(
        self, voucher: Voucher, lots: Sequence[Lot], mandates: Mandates, /
    ) -> tuple[RoutedStep, ...]:
        """Returns the steps; each stands after the one that funds it."""


def instruct(
    steps: Sequence[RoutedStep], *, first: int, remittance: str, accounts: Mapping[Sid, Account]
) -> tuple[Instruction, ...]:
    """Numbers a voucher's steps as instructions.

    A step of more than 128 lots becomes several instructions, the first of which
    carries what passes on.

    Args:
        steps: The voucher's steps, each after the one that funds it.
        first: Number of the first instruction.
        remittance: The debtor's number of the voucher.
        accounts: At least the payees' accounts.
    """
    instructions: list[Instruction] = []
    carrier: list[int] = []
    for step in steps:
        carrier.append(first + len(instructions))
        after = () if step.funded_by is None else (carrier[step.funded_by],)
        for start in range(0, max(len(step.held), 1), LOTS_MAX):
            lots = step.held[start : start + LOTS_MAX]
            passing = 0 if start else step.passing_minor
            instruction = Instruction(
                n=first + len(instructions),
                route=step.route,
                voucher=step.voucher,
                payer_account=step.payer_account,
                payer=step.payer,
                payee_account=step.payee_account,
                payee=step.payee,
                bank=accounts[step.payee_account].bank,
                amount_minor=passing + sum(lot.amount for lot in lots),
                authority=step.authority,
                lots=tuple(lot.lot for lot in lots),
                after=after,
                remittance=remittance,
            )
            instructions.append(instruction)
    return tuple(instructions)


Moved = RoutedStep | Instruction


def net_by_account(moves: Iterable[Moved]) -> dict[tuple[PartyId, Sid], int]:
    """Sums up what a route leaves on each account.

    Returns:
        Minor units by owner and account; accounts through which everything has passed
        are left out.
    """
    net: dict[tuple[PartyId, Sid], int] = {}
    for move in moves:
        payer, payee = (move.payer, move.payer_account), (move.payee, move.payee_account)
        net[payer] = net.get(payer, 0) - move.amount_minor
        net[payee] = net.get(payee, 0) + move.amount_minor
    return {account: amount for account, amount in net.items() if amount}
