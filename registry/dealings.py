"""The rows of what is agreed about a lot before it changes hands or ends: early payment, financing.

Both reserve the lot from the agreement on, both keep their rows when they end, and both are
small machines of statuses like those of `registry.burdens`.
"""

from collections.abc import Mapping
from enum import StrEnum

from registry.ids import Kid, LotId, PartyId, Sid
from registry.tables import Minor, Record, Table
from registry.words import Step


class EarlyStatus(StrEnum):
    """Where an early payment (提前兑付) is; only the holder's receipt discharges (FR-17)."""

    OFFERED = "offered"
    AGREED = "agreed"
    PAID = "paid"
    LAPSED = "lapsed"


EARLY_MOVES: Mapping[EarlyStatus, frozenset[EarlyStatus]] = {
    EarlyStatus.OFFERED: frozenset({EarlyStatus.AGREED, EarlyStatus.LAPSED}),
    EarlyStatus.AGREED: frozenset({EarlyStatus.PAID, EarlyStatus.LAPSED}),
    EarlyStatus.PAID: frozenset(),
    EarlyStatus.LAPSED: frozenset(),
}


class Early(Record, frozen=True, kw_only=True):
    """A debtor's offer to pay part of a lot, or all of it, before it is due."""

    early: Sid
    lot: LotId
    voucher: Sid
    debtor: PartyId
    holder: PartyId
    amount: Minor
    """What is discharged; what is paid for it stands in the terms."""
    terms: str
    pay_by: int
    """The instant from which nothing comes of it any more, in milliseconds."""
    status: str
    kid: Kid | None = None
    """The key that signed it, while nobody has answered: it ends with the key."""


class Mode(StrEnum):
    """How money is given for a lot; see `MODES`."""

    FORWARD = "forward"
    REVERSE = "reverse"
    AGENCY = "agency"
    ORDINARY = "ordinary"


class PaymentForm(StrEnum):
    """How the price is paid (SD-62)."""

    CASH = "cash"
    THIRD_PARTY = "third-party"
    BILL_WITH_DISCHARGE = "bill-with-discharge-clause"
    """Its delivery is payment, says the contract (真实交割)."""
    BILL = "bill"
    """Its delivery is no payment; it is one when the bill is honoured."""


class ModeRules(Record, frozen=True, kw_only=True):
    """What is particular to a mode.

    Attributes:
        order: Its own order of steps, whatever the policy's; none for the policy's.
        to_vehicle: The claim passes to a vehicle, for which the financier acts as agent; the
            applicant stays its originator, and is paid once the vehicle has the claim.
        recourse: Whether the applicant answers for the debtor: it must (True), it must not
            (False), as agreed (None).
        debtor_confirms: The debtor's word to the financier comes before the contract.
    """

    order: tuple[Step, ...] | None = None
    to_vehicle: bool = False
    recourse: bool | None = None
    debtor_confirms: bool = False


MODES: Mapping[Mode, ModeRules] = {
    Mode.FORWARD: ModeRules(),
    Mode.REVERSE: ModeRules(debtor_confirms=True),
    Mode.AGENCY: ModeRules(order=(Step.TITLE, Step.PAY), to_vehicle=True, recourse=False),
    Mode.ORDINARY: ModeRules(order=(Step.REGISTER, Step.PAY, Step.TITLE), recourse=True),
}
"""Forward on the applicant's credit, reverse on the debtor's, agency for a trust, ordinary as
any receivable: with recourse, and registered before it is paid for."""


class FinancingStatus(StrEnum):
    """Where a financing is; the last four are the ends without one."""

    APPLIED = "applied"
    QUOTED = "quoted"
    CONTRACTED = "contracted"
    """Both have signed, and the lot is reserved; the claim has not passed yet."""
    TRANSFERRED = "transferred"
    """The claim has passed, and a step is still open."""
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    """A key that had signed for a side was revoked before anything was done."""


_ENDS = frozenset(
    {
        FinancingStatus.WITHDRAWN,
        FinancingStatus.DECLINED,
        FinancingStatus.EXPIRED,
        FinancingStatus.CANCELLED,
    }
)
_OPEN = frozenset({FinancingStatus.CONTRACTED, FinancingStatus.TRANSFERRED})
FINANCING_MOVES: Mapping[FinancingStatus, frozenset[FinancingStatus]] = {
    FinancingStatus.APPLIED: _ENDS | {FinancingStatus.QUOTED},
    # A further quote takes the place of the one before.
    FinancingStatus.QUOTED: _ENDS | _OPEN | {FinancingStatus.QUOTED},
    FinancingStatus.CONTRACTED: frozenset(
        {
            FinancingStatus.TRANSFERRED,
            FinancingStatus.COMPLETED,
            FinancingStatus.EXPIRED,
            FinancingStatus.CANCELLED,
        }
    ),
    FinancingStatus.TRANSFERRED: frozenset({FinancingStatus.COMPLETED}),
    FinancingStatus.COMPLETED: frozenset(),
    FinancingStatus.WITHDRAWN: frozenset(),
    FinancingStatus.DECLINED: frozenset(),
    FinancingStatus.EXPIRED: frozenset(),
    FinancingStatus.CANCELLED: frozenset(),
}


class Financing(Record, frozen=True, kw_only=True):
    """Money asked for and given for a lot, from the application to the last step.

    Attributes:
        lot: The lot applied for; the reserved part from the contract on; what has passed at last.
        account: Where the applicant is to be paid.
        vehicle: Of mode `agency`, whose lot it will be.
        close_by: The instant by which the claim has passed, or nothing comes of it.
        quote: The statement with the quote.
        terms: Digest of the quote's figures (see `registry.pricing`).
        document: Digest of the contract's text.
        payee: Where whoever acquires the claim is paid at maturity.
        confirmed: The debtor's statement to the financier, of mode `reverse`.
        contract: The statement that numbers the parts of the lot.
        salt: Of the lot in the acquirer's hands, `<contract>.2`.
        search: The search that the policy asked for.
        order: The steps as the policy had them at the contract.
        done: Those that are done.
        filing: The registration elsewhere.
        payer: Who has paid, if the price was stated as paid.
        reference: Digest of the bank's reference or of the bill.
        kid: The key that signed for the applicant last, as long as the financing ends with it:
            until it is paid for, the claim has passed, or nothing came of it.
        quoted_by: The key that signed the quote, for as long.
    """

    financing: Sid
    lot: LotId
    voucher: Sid
    amount: Minor
    applicant: PartyId
    financier: PartyId
    mode: str
    recourse: bool
    payment: str
    account: Sid
    close_by: int
    status: str
    vehicle: PartyId | None = None
    quote: Sid | None = None
    terms: str | None = None
    document: str | None = None
    payee: Sid | None = None
    collection_route: bool = False
    confirmed: Sid | None = None
    contract: Sid | None = None
    salt: str | None = None
    search: Sid | None = None
    order: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    filing: Sid | None = None
    payer: PartyId | None = None
    reference: str | None = None
    kid: Kid | None = None
    quoted_by: Kid | None = None

    @property
    def acquirer(self) -> PartyId:
        """Whose the claim becomes."""
        return self.vehicle or self.financier

    @property
    def rules(self) -> ModeRules:
        """What is particular to its mode."""
        return MODES[Mode(self.mode)]


EARLY_PAYMENTS = Table(
    name="early", row=Early, key=("early",), indexes=("lot", "voucher", "holder", "kid")
)
FINANCINGS = Table(
    name="financing",
    row=Financing,
    key=("financing",),
    indexes=("lot", "applicant", "financier", "kid", "quoted_by"),
)

TABLES = (EARLY_PAYMENTS, FINANCINGS)
"""In the order in which batches read them; they stand before lots."""
