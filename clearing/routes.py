"""The words of clearing: a step along a route, and the instruction made of it.

A provider routes one voucher: it says which steps bring the debtor's money to every
holder. A step is what moves from one account to the next; numbered, and split where
it would discharge too many lots, it is an instruction to a bank. There are two
providers, `clearing.direct` and `clearing.tiered`, and both leave every account
with the same net amount.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from registry.ids import LotId, PartyId, Sid
from registry.model import Mandate, Route

LOTS_MAX: Final = 128
"""Lots that one instruction discharges at the most (docs/formats.md, Lots)."""


class Debt(Protocol):
    """A voucher, as far as paying it depends on it: see `registry.model.Voucher`."""

    @property
    def voucher(self) -> Sid:
        """Its id."""

    @property
    def voucher_no(self) -> str:
        """The debtor's number of it."""

    @property
    def debtor(self) -> PartyId:
        """Who pays."""

    @property
    def account(self) -> Sid:
        """Out of which account."""

    @property
    def mandate(self) -> Sid:
        """The authority to debit that."""

    @property
    def route(self) -> str:
        """By which route, in the word of the issue."""

    @property
    def face(self) -> int:
        """Minor units that were promised."""

    @property
    def discharged(self) -> int:
        """Minor units of it that have been paid."""

    @property
    def cancelled(self) -> int:
        """Minor units of it that are owed no more."""


class Claim(Protocol):
    """A live lot, as far as its money's way depends on it: see `registry.model.Lot`."""

    @property
    def lot(self) -> LotId:
        """Its id."""

    @property
    def amount(self) -> int:
        """Minor units."""

    @property
    def holder(self) -> PartyId:
        """Who is paid."""

    @property
    def account(self) -> Sid:
        """Into which account."""

    @property
    def path(self) -> tuple[str, ...]:
        """Every holder from the original creditor to this one."""

    @property
    def collection_route(self) -> bool:
        """Whether the holder consented to be paid along that path."""


class PartOfLot(Struct, frozen=True, kw_only=True, gc=False):
    """As much of a lot as money pays, on the account on which it is paid: a `Claim`."""

    lot: LotId
    amount: int
    holder: PartyId
    account: Sid
    path: tuple[str, ...]
    collection_route: bool


def part_of(lot: Claim, amount_minor: int) -> PartOfLot:
    """Returns as much of a lot."""
    return PartOfLot(
        lot=lot.lot,
        amount=amount_minor,
        holder=lot.holder,
        account=lot.account,
        path=lot.path,
        collection_route=lot.collection_route,
    )


def paid_apart(lot: Claim, account: Sid) -> PartOfLot:
    """Returns a lot as it is paid directly into an account that is not its holder's."""
    return PartOfLot(
        lot=lot.lot,
        amount=lot.amount,
        holder=lot.holder,
        account=account,
        path=lot.path,
        collection_route=False,
    )


lot_of: Final[Callable[[Claim], LotId]] = attrgetter("lot")


class Via(NamedTuple):
    """The stage before an account: an account that what comes there passes.

    Attributes:
        account: The stage's account.
        owner: Its owner.
        mandate: Under which it is debited for the account behind it.
        stage: The statement that names it.
    """

    account: Sid
    owner: PartyId
    mandate: Sid
    stage: Sid


class Place(NamedTuple):
    """Whose an account is, the bank that keeps it, and how money comes to it and on from it.

    Attributes:
        owner: Its owner.
        bank: The bank that keeps it.
        via: The stage before it, if there is one.
        is_frozen: By a court: what comes there does not go on.
    """

    owner: PartyId
    bank: PartyId
    via: Via | None = None
    is_frozen: bool = False


Places = Mapping[Sid, Place]
"""Accounts by id."""


class RoutedStep(Struct, kw_only=True, gc=False):
    """What moves from one account to the next for one voucher, as it adds up.

    Attributes:
        route: Whether it is a leg of the direct or of the tiered route.
        payer_account: The account that is debited.
        payer: Its owner: the debtor, or a holder who passes money on.
        payee_account: The account that is credited.
        payee: Its owner.
        authority: The mandate under which the payer's account is debited.
        held: The lots that are discharged once it is credited, by id.
        amount_minor: What moves, in minor units: the face of these lots, and what comes
            on top and is passed on.
        funded_by: Place, among the voucher's steps, of the one that brings the money;
            None where the debtor pays.
        holder: Whose lots these are, where that is not the payee.
        stage: Of the hop from a stage: the statement that names it.
    """

    route: Route
    payer_account: Sid
    payer: PartyId
    payee_account: Sid
    payee: PartyId
    authority: Sid
    held: list[Claim]
    amount_minor: int
    funded_by: int | None = None
    holder: PartyId | None = None
    stage: Sid | None = None


class Instruction(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An order to move money, number `n` of its plan, from 0; members in canonical order.

    Attributes:
        after: Numbers of the instructions that must be posted before, all smaller.
        amount: Minor units, as text.
        authority: The mandate under which the payer's account is debited.
        bank: The bank that keeps the payee's account, and confirms.
        holder: Who holds these lots; left out where that is the payee.
        lots: Ids of the lots that are discharged once it is posted.
        n: Its number in the plan.
        parts: What is paid of each of the lots, as text; left out where each is paid whole.
        payee: The owner of the account that is credited.
        payee_account: The account that is credited.
        payer: The owner of the account that is debited.
        payer_account: The account that is debited.
        remittance: The debtor's number of the voucher (附言).
        route: Whether it is a leg of the direct or of the tiered route.
        stage: Of the hop from a stage: the statement that names it; else left out.
        voucher: The voucher that is paid.
    """

    after: tuple[int, ...]
    amount: str
    authority: Sid
    bank: PartyId
    holder: PartyId | None = None
    lots: tuple[LotId, ...]
    n: int
    parts: tuple[str, ...] = ()
    payee: PartyId
    payee_account: Sid
    payer: PartyId
    payer_account: Sid
    remittance: str
    route: Route
    stage: Sid | None = None
    voucher: Sid

    @property
    def amount_minor(self) -> int:
        """What moves, in minor units."""
        return int(self.amount)


Mandates = Mapping[str, Sequence[Mandate]]
"""The mandates of each owner that has granted one."""


class RouteProvider(Protocol):
    """Routes one voucher: the steps that pay each of its lots exactly once."""

    def __call__(
        self, voucher: Debt, lots: Sequence[Claim], mandates: Mandates, /
    ) -> list[RoutedStep]:
        """Returns the steps for lots that stand by id; each after the one that funds it."""


def cut_steps(steps: Sequence[RoutedStep]) -> list[RoutedStep]:
    """Cuts each step of more than 128 lots; its first piece carries what passes on."""
    pieces: list[RoutedStep] = []
    carrier: list[int] = []
    for step in steps:
        carrier.append(len(pieces))
        first, *others = (
            step.held[start : start + LOTS_MAX] for start in range(0, len(step.held) or 1, LOTS_MAX)
        )
        amounts = [sum(lot.amount for lot in held) for held in others]
        funded_by = None if step.funded_by is None else carrier[step.funded_by]
        for held, amount in zip(
            (first, *others), (step.amount_minor - sum(amounts), *amounts), strict=True
        ):
            pieces.append(replace(step, held=held, amount_minor=amount, funded_by=funded_by))
    return pieces


def instruct(
    voucher: Debt,
    steps: Sequence[RoutedStep],
    *,
    first: int,
    places: Places,
    in_parts: bool = False,
) -> list[Instruction]:
    """Numbers a voucher's steps as instructions.

    Args:
        voucher: The voucher.
        steps: Its steps, each after the one that funds it, and of 128 lots at the most.
        first: Number of the first instruction.
        places: The payees' accounts, at least.
        in_parts: Lots may be paid in part, and each instruction says how much of each.
    """
    sid, remittance = voucher.voucher, voucher.voucher_no
    return [
        Instruction(
            after=() if step.funded_by is None else (first + step.funded_by,),
            amount=str(step.amount_minor),
            authority=step.authority,
            bank=places[step.payee_account].bank,
            holder=step.holder,
            lots=tuple(map(lot_of, step.held)),
            n=n,
            parts=tuple(str(lot.amount) for lot in step.held) if in_parts else (),
            payee=step.payee,
            payee_account=step.payee_account,
            payer=step.payer,
            payer_account=step.payer_account,
            remittance=remittance,
            route=step.route,
            stage=step.stage,
            voucher=sid,
        )
        for n, step in enumerate(steps, first)
    ]
