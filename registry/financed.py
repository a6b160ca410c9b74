"""Financing as effects: what becomes of a financing's row, and of the lot that it is about.

`registry.financing` says which follow from what.
"""

from typing import Any

from registry.assignment import assigned_lot
from registry.cutting import cut, part_of
from registry.dealings import FINANCINGS, Financing, FinancingStatus
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import Kid, LotId, PartyId, Sid
from registry.model import LOTS, Lot, LotStatus
from registry.tables import Minor, MutableRows, Rows, replace
from registry.words import Step


class _OfFinancing(Effect, frozen=True, kw_only=True):
    """Base of what is between applicant and financier."""

    financing: Sid
    applicant: PartyId
    financier: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches both sides; the voucher has no part in it yet."""
        return (("holder", self.applicant), ("holder", self.financier))


class FinancingApplied(_OfFinancing, frozen=True, kw_only=True):
    """A holder asks for money for part of a lot."""

    lot: LotId
    voucher: Sid
    amount: Minor
    mode: str
    recourse: bool
    payment: str
    account: Sid
    close_by: int
    policy: Sid
    kid: Kid
    vehicle: PartyId | None = None
    asked: PartyId | None = None
    """The debtor, if its word is asked for."""

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the financing."""
        row = Financing(
            financing=self.financing,
            lot=self.lot,
            voucher=self.voucher,
            amount=self.amount,
            applicant=self.applicant,
            financier=self.financier,
            mode=self.mode,
            recourse=self.recourse,
            payment=self.payment,
            account=self.account,
            close_by=self.close_by,
            vehicle=self.vehicle,
            status=FinancingStatus.APPLIED,
            kid=self.kid,
        )
        state.add(FINANCINGS, row)


class FinancingQuoted(_OfFinancing, frozen=True, kw_only=True):
    """The financier has signed what it offers: figures and contract, both by digest."""

    quote: Sid
    terms: str
    document: str
    payment: str
    collection_route: bool
    kid: Kid
    payee: Sid | None = None

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes the quote in the place of one before."""
        row = replace(
            known_financing(state, self.financing),
            quote=self.quote,
            terms=self.terms,
            document=self.document,
            payment=self.payment,
            payee=self.payee,
            collection_route=self.collection_route,
            status=FinancingStatus.QUOTED,
            quoted_by=self.kid,
        )
        state.put(FINANCINGS, row)


class FinancingConfirmed(_OfFinancing, frozen=True, kw_only=True):
    """The debtor has given the financier its word, beside the voucher's own (SD-04, SD-09)."""

    confirmation: Sid
    debtor: PartyId

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes it."""
        row = known_financing(state, self.financing)
        state.put(FINANCINGS, replace(row, confirmed=self.confirmation))


class FinancingContracted(_OfFinancing, frozen=True, kw_only=True):
    """Both have signed; the order of what follows is fixed."""

    contract: Sid
    order: tuple[str, ...]
    policy: Sid
    kid: Kid
    search: Sid | None = None

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes the contract."""
        row = replace(
            known_financing(state, self.financing),
            contract=self.contract,
            order=self.order,
            search=self.search,
            salt=seal.lot_salt(2),
            status=FinancingStatus.CONTRACTED,
            kid=self.kid,
        )
        state.put(FINANCINGS, row)


class FinancingLotReserved(_OfFinancing, frozen=True, kw_only=True):
    """A lot is consumed: the part under contract is reserved, its remainder free."""

    contract: Sid
    lot: LotId
    voucher: Sid
    amount: Minor
    remainder: Minor

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and both sides."""
        return (("voucher", self.voucher), *super().touched())

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Replaces the lot by its parts."""
        lot = _cut(state, self, seal)
        reserved = part_of(
            lot, 0, by=self.contract, amount=self.amount, seal=seal, status=LotStatus.RESERVED
        )
        state.add(LOTS, reserved)
        row = known_financing(state, self.financing)
        state.put(FINANCINGS, replace(row, lot=reserved.lot))


class FinancingTitlePassed(_OfFinancing, frozen=True, kw_only=True):
    """A lot is consumed, and a lot of the amount under contract is the acquirer's."""

    contract: Sid
    lot: LotId
    voucher: Sid
    assignee: PartyId
    amount: Minor
    remainder: Minor
    purpose: str
    recourse: bool
    account: Sid
    collection_route: bool
    status: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher, both sides and the acquirer."""
        return (("voucher", self.voucher), *super().touched(), ("holder", self.assignee))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Moves the claim; the chain of holders grows by the acquirer."""
        row = known_financing(state, self.financing)
        if row.salt is None:
            raise InvariantBrokenError(f"financing {self.financing} has no contract")
        assigned = assigned_lot(
            _cut(state, self, seal),
            offer=self.contract,
            assignee=self.assignee,
            amount=self.amount,
            purpose=self.purpose,
            recourse=self.recourse,
            account=self.account,
            collection_route=self.collection_route,
            born=seal.index,
            salt=row.salt,
        )
        state.add(LOTS, assigned)
        done = (*row.done, Step.TITLE)
        passed = replace(row, lot=assigned.lot, done=done, status=self.status)
        state.put(FINANCINGS, _settled(passed))


def _cut(state: MutableRows, part: FinancingLotReserved | FinancingTitlePassed, seal: Seal) -> Lot:
    """Consumes a lot and makes its remainder, if any; returns what was consumed."""
    return cut(
        state,
        part.lot,
        by=part.contract,
        amount=part.amount,
        remainder=part.remainder,
        seal=seal,
    )


class FinancingStepDone(_OfFinancing, frozen=True, kw_only=True):
    """The transfer is registered elsewhere, or the price has come."""

    step: str
    status: str
    filing: Sid | None = None

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes the step."""
        row = known_financing(state, self.financing)
        done = (*row.done, self.step)
        filing = self.filing or row.filing
        state.put(FINANCINGS, replace(row, done=done, filing=filing, status=self.status))


class FinancingPaymentStated(_OfFinancing, frozen=True, kw_only=True):
    """The financier says that the price is paid; only a receipt makes it so."""

    payer: PartyId
    reference: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes what it says."""
        row = known_financing(state, self.financing)
        stated = replace(row, payer=self.payer, reference=self.reference)
        state.put(FINANCINGS, _settled(stated))


class FinancingEnded(_OfFinancing, frozen=True, kw_only=True):
    """Nothing comes of the financing; a lot that was reserved for it is free again."""

    lot: LotId
    status: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Sets the status, and frees the lot."""
        row = known_financing(state, self.financing)
        state.put(FINANCINGS, _settled(replace(row, status=self.status)))
        lot = state.get(LOTS, self.lot)
        if row.contract is not None and lot is not None:
            state.put(LOTS, replace(lot, status=LotStatus.FREE))


def _settled(row: Financing) -> Financing:
    """Returns a financing that ends with no key any more."""
    return replace(row, kid=None, quoted_by=None)


def known_financing(state: Rows, financing: str) -> Financing:
    """Returns a financing that an earlier entry has begun."""
    row = state.get(FINANCINGS, financing)
    if row is None:
        raise InvariantBrokenError(f"no financing {financing}")
    return row


def sides(row: Financing) -> dict[str, Any]:
    """Returns what each effect says of a financing."""
    return {name: getattr(row, name) for name in ("financing", "applicant", "financier")}
