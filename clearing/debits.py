"""What is debited on a due date, by the authority to debit it: the custodian's list.

    due 2026-03-02    C, account 8WqP…, mandate fT1x…    2 vouchers, 5 lots    1,010,000.00

Each voucher names the account it is paid from and the mandate over that. What a court has
frozen is not debited, and listed beside. The list is there before any plan is, and its sums
are those of the lots that are due: nothing is left out, nothing is twice on it.

Source: SD-26; reference notes 4 and 11.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid
from registry.model import Lot, Voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class Debit:
    """What one mandate is used for on a due date.

    Attributes:
        mandate: The authority.
        account: The account that is debited.
        debtor: Its owner.
        vouchers: How many vouchers.
        lots: How many lots of them.
        amount_minor: What is debited, in minor units.
        withheld_minor: Of lots that are frozen, besides.
    """

    mandate: Sid
    account: Sid
    debtor: PartyId
    vouchers: int
    lots: int
    amount_minor: int
    withheld_minor: int


def debits_of(
    vouchers: Iterable[Voucher], lots: Iterable[Lot], frozen: Collection[str]
) -> tuple[Debit, ...]:
    """Lists what is debited, by debtor, account and mandate.

    Args:
        vouchers: Those of a due date of which lots live.
        lots: All of these lots.
        frozen: At least the frozen ones among them.

    Raises:
        InvariantBrokenError: A lot is of none of the vouchers.
    """
    of: dict[Sid, list[Lot]] = {}
    for lot in lots:
        of.setdefault(lot.voucher, []).append(lot)
    grouped: dict[tuple[PartyId, Sid, Sid], list[list[Lot]]] = {}
    for voucher in vouchers:
        key = (voucher.debtor, voucher.account, voucher.mandate)
        if held := of.pop(voucher.voucher, None):
            grouped.setdefault(key, []).append(held)
    if of:
        raise InvariantBrokenError("a lot is of no voucher that is due")
    debits: list[Debit] = []
    for (debtor, account, mandate), each in sorted(grouped.items()):
        all_lots = [lot for held in each for lot in held]
        withheld = sum(lot.amount for lot in all_lots if lot.lot in frozen)
        debit = Debit(
            mandate=mandate,
            account=account,
            debtor=debtor,
            vouchers=len(each),
            lots=len(all_lots),
            amount_minor=sum(lot.amount for lot in all_lots) - withheld,
            withheld_minor=withheld,
        )
        debits.append(debit)
    return tuple(debits)
