"""Two answers that are never one: who is entitled, and whom the debtor may safely pay.

An assignment binds both its sides when it becomes effective, and the debtor when the notice of
it has arrived. Between the two the former holder is no longer entitled, and paying it still
discharges the debtor.

Source: Civil Code 546; 合同编通则解释 (法释〔2023〕13号) art. 48; RG-29, SD-13, GV-09.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.ids import PartyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One assignment in the chain behind a lot, in its order.

    Attributes:
        assignee: Who got it.
        effective: Between its sides since then, in milliseconds.
        arrived: The debtor's notice of it; None if it has not arrived.
        revoked: When both sides took that notice back; None if it stands (RG-19).
    """

    assignee: PartyId
    effective: int
    arrived: int | None
    revoked: int | None = None

    def is_told(self, at: int) -> bool:
        """Tells whether the debtor's notice stood at an instant."""
        if self.arrived is None or at < self.arrived:
            return False
        return self.revoked is None or at < self.revoked


def entitled_holder(first: PartyId, chain: Sequence[Assignment], *, at: int) -> PartyId:
    """Returns who is entitled to a lot at an instant.

    Args:
        first: The voucher's first holder.
        chain: The assignments behind the lot, in order.
        at: The instant, in milliseconds.
    """
    effective = [each.assignee for each in chain if each.effective <= at]
    return effective[-1] if effective else first


def safe_payee(first: PartyId, chain: Sequence[Assignment], *, at: int) -> PartyId:
    """Returns whom the debtor may pay, by what has arrived at an instant.

    The notice of a later assignment tells of the chain before it.
    """
    told = [each.assignee for each in chain if each.is_told(at)]
    return told[-1] if told else first


def is_discharged(first: PartyId, chain: Sequence[Assignment], *, payee: PartyId, at: int) -> bool:
    """Tells whether the debtor is free if it pays a party at an instant.

    Paying who is entitled always frees it, paying who was entitled as far as it knew, too.

    Source: GV-09.
    """
    return payee in (safe_payee(first, chain, at=at), entitled_holder(first, chain, at=at))
