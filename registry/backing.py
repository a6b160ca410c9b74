"""Invoices behind a voucher: none backs more than its own amount, in all vouchers together.

A voucher names its invoices by fingerprint, each with its amount and how much of it is
used; the amounts used add up to the face. What backs a voucher that never becomes
effective, or is voided, is free again; what backed one that was paid stays used.

Source: SD-02, FR-01, FR-18, RG-03.
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from registry.credit import BACKINGS, INVOICES, Backing, Invoice
from registry.effects import Effect, Seal
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, Amount, Digest
from registry.ids import Sid
from registry.refusals import InvoiceDiffersError, InvoiceUsedError
from registry.statements import Body
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, get_many, replace, where

INVOICES_MAX = 64
"""Invoices of one voucher."""


class InvoiceUse(Body):
    """An invoice by its fingerprint: its amount, and how much of it backs the voucher."""

    fingerprint: Digest
    total: Amount
    used: Amount


InvoiceUses = Annotated[
    tuple[InvoiceUse, ...], LENIENT, Field(min_length=1, max_length=INVOICES_MAX)
]


class InvoiceUsed(Effect, frozen=True, kw_only=True):
    """Part of an invoice, or all of it, backs a voucher."""

    voucher: Sid
    fingerprint: str
    total: Minor
    amount: Minor

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Adds to what is used of the invoice."""
        known = state.get(INVOICES, self.fingerprint)
        used = Minor(self.amount + (known.used if known else 0))
        state.put(INVOICES, Invoice(fingerprint=self.fingerprint, total=self.total, used=used))
        state.add(
            BACKINGS,
            Backing(voucher=self.voucher, fingerprint=self.fingerprint, amount=self.amount),
        )


class InvoiceFreed(Effect, frozen=True, kw_only=True):
    """What backed a voucher that binds nobody may back another one."""

    voucher: Sid
    fingerprint: str
    amount: Minor

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Takes from what is used of the invoice."""
        invoice = state.get(INVOICES, self.fingerprint)
        if invoice is None or invoice.used < self.amount:
            raise InvariantBrokenError(f"voucher {self.voucher} used no such invoice")
        state.put(INVOICES, replace(invoice, used=Minor(invoice.used - self.amount)))
        state.delete(BACKINGS, self.voucher, self.fingerprint)


def reads_uses(uses: Sequence[InvoiceUse]) -> ReadPlan:
    """Asks for the invoices that a voucher names."""
    yield from get_many(INVOICES, (use.fingerprint for use in uses))


def use_invoices(
    state: Rows, voucher: Sid, uses: Sequence[InvoiceUse], *, face: int
) -> tuple[InvoiceUsed, ...]:
    """Returns what follows from backing a voucher.

    Raises:
        MalformedError: The invoices are not sorted and unique, or do not add up to the face.
        InvoiceDiffersError: Another voucher that binds has it at another amount.
        InvoiceUsedError: Too little of it is left.
    """
    names = [use.fingerprint for use in uses]
    if names != sorted(set(names)):
        raise MalformedError(what="invoices", reason="not sorted by fingerprint and unique")
    if sum(use.used for use in uses) != face:
        raise MalformedError(what="invoices", reason="what is used does not add up to the face")
    for use in uses:
        known = state.get(INVOICES, use.fingerprint)
        # Whoever only named it, and took that back, has no say in what its amount is.
        if known is not None and known.used and known.total != use.total:
            raise InvoiceDiffersError(invoice=use.fingerprint, total=known.total, stated=use.total)
    for use in uses:
        known = state.get(INVOICES, use.fingerprint)
        left = use.total - (known.used if known else 0)
        if use.used > left:
            raise InvoiceUsedError(invoice=use.fingerprint, left=left, requested=use.used)
    return tuple(
        InvoiceUsed(
            voucher=voucher,
            fingerprint=use.fingerprint,
            total=Minor(use.total),
            amount=Minor(use.used),
        )
        for use in uses
    )


def reads_backing(voucher: Sid) -> ReadPlan:
    """Asks for what backs a voucher."""
    backings = yield from where(BACKINGS, "voucher", voucher)
    for backing in backings:
        yield from get(INVOICES, backing.fingerprint)


def free_invoices(state: Rows, voucher: Sid) -> tuple[InvoiceFreed, ...]:
    """Returns what follows for its invoices when a voucher ends without having bound."""
    return tuple(
        InvoiceFreed(voucher=voucher, fingerprint=row.fingerprint, amount=row.amount)
        for row in state.where(BACKINGS, "voucher", voucher)
    )
