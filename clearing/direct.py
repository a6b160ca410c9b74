"""The direct route: from the debtor's account to each holder's, at once (SD-24, SD-25).

One step per holder and payee account of a voucher. It needs no mandate but the
debtor's, and is what a branch of a tiered voucher falls back to.
"""

from collections.abc import Sequence
from operator import itemgetter

from clearing.routes import Claim, Mandates, RoutedStep
from registry.ids import PartyId, Sid
from registry.model import Route, Voucher


def route_direct(
    voucher: Voucher, lots: Sequence[Claim], _mandates: Mandates, /
) -> list[RoutedStep]:
    """Routes lots of a voucher from the debtor to their holders.

    Returns:
        The steps by holder and payee account, for lots that stand by id.
    """
    held: dict[tuple[PartyId, Sid], list[Claim]] = {}
    for lot in lots:
        held.setdefault((lot.holder, lot.account), []).append(lot)
    return [
        RoutedStep(
            route=Route.DIRECT,
            payer_account=voucher.account,
            payer=voucher.debtor,
            payee_account=account,
            payee=holder,
            authority=voucher.mandate,
            held=members,
            amount_minor=sum([lot.amount for lot in members]),
        )
        for (holder, account), members in sorted(held.items(), key=itemgetter(0))
    ]
