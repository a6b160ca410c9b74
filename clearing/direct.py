"""The direct route: from the debtor's account to each holder's, at once (SD-24, SD-25).

One step per holder and payee account of a voucher. It needs no mandate but the
debtor's, and is what a branch of a tiered voucher falls back to.
"""

from collections.abc import Sequence

from clearing.routes import Mandates, RoutedStep
from registry.ids import PartyId, Sid
from registry.model import Lot, Route, Voucher


def route_direct(
    voucher: Voucher, lots: Sequence[Lot], _mandates: Mandates, /
) -> tuple[RoutedStep, ...]:
    """Routes lots of a voucher from the debtor to their holders.

    Returns:
        The steps by holder and payee account; a step's lots stand by id.
    """
    held: dict[tuple[PartyId, Sid], list[Lot]] = {}
    for lot in sorted(lots, key=lambda lot: lot.lot):
        held.setdefault((lot.holder, lot.account), []).append(lot)
    return tuple(
        RoutedStep(
            route=Route.DIRECT,
            voucher=voucher.voucher,
            payer_account=voucher.account,
            payer=voucher.debtor,
            payee_account=account,
            payee=holder,
            authority=voucher.mandate,
            held=tuple(held[holder, account]),
        )
        for holder, account in sorted(held)
    )
