"""The direct route: from the debtor's account to each holder's, at once (SD-24, SD-25).

One step per holder and payee account of a voucher. It needs no mandate but the
debtor's, and is what a branch of a tiered voucher falls back to.
"""

from collections.abc import Sequence

from clearing.routes import Claim, Debt, Mandates, RoutedStep
from registry.ids import PartyId, Sid
from registry.model import Route


def route_direct(voucher: Debt, lots: Sequence[Claim], _mandates: Mandates, /) -> list[RoutedStep]:
    """Routes lots of a voucher from the debtor to their holders.

    Returns:
        The steps by holder and payee account, for lots that stand by id.
    """
    steps: dict[tuple[PartyId, Sid], RoutedStep] = {}
    for lot in lots:
        payee = lot.holder, lot.account
        step = steps.get(payee)
        if step is None:
            step = steps[payee] = RoutedStep(
                route=Route.DIRECT,
                payer_account=voucher.account,
                payer=voucher.debtor,
                payee_account=lot.account,
                payee=lot.holder,
                authority=voucher.mandate,
                held=[],
                amount_minor=0,
            )
        step.held.append(lot)
        step.amount_minor += lot.amount
    return [steps[payee] for payee in sorted(steps)]
