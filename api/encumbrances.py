"""What weighs on a claim and what secures it, as its reader sees it.

A holder sees all of it. Whoever is offered a lot sees, before it accepts, that the lot is
burdened, what is disputed and what secures it; but no earlier holder.
"""

from api.find import find_row
from api.pages import shown
from api.payees import untold_of
from registry.accessory import cap_shares
from registry.burdens import (
    ACCESSORIES,
    DISPUTES,
    FILINGS,
    FREEZES,
    PLEDGES,
    DisputeStatus,
    FreezeStatus,
    Pledge,
    PledgeStatus,
    Restriction,
)
from registry.canonical import Json
from registry.credit import DEBTORS
from registry.ids import Sid
from registry.model import LEDGER, LOTS, VOUCHERS, Lot, Voucher
from registry.ports import LedgerStore

ENDED = frozenset({PledgeStatus.RELEASED, PledgeStatus.LAPSED, FreezeStatus.LIFTED})
OVER = frozenset({DisputeStatus.RESOLVED, DisputeStatus.WITHDRAWN})


def pledges_of(store: LedgerStore, lot: str, *, as_of: int | None) -> list[Pledge]:
    """Returns the pledges of a lot that stand or wait for their registration."""
    rows = store.select(PLEDGES, field="lot", value=lot, as_of=as_of)
    return [row for row in rows if row.status not in ENDED]


def encumbrances_of(store: LedgerStore, lot: Lot, *, as_of: int | None) -> dict[str, Json]:
    """Returns everything that weighs on a lot and secures it, for its holder or pledgee."""
    pledges = pledges_of(store, lot.lot, as_of=as_of)
    freezes = store.select(FREEZES, field="lot", value=lot.lot, as_of=as_of)
    subjects = (lot.acquired, *(pledge.pledge for pledge in pledges))
    return {
        **concerns_of(store, lot, as_of=as_of),
        "freezes": [shown(row) for row in freezes if row.status not in ENDED],
        "pledges": [shown(row) for row in pledges],
        "registrations": [
            shown(row)
            for subject in subjects
            for row in store.select(FILINGS, field="subject", value=subject, as_of=as_of)
        ],
    }


def claim_of(store: LedgerStore, voucher: Sid, *, as_of: int | None) -> dict[str, Json]:
    """Returns what a claim is, for whoever is to accept or to buy it: against whom, due when."""
    row = find_row(store, VOUCHERS, (voucher,), as_of=as_of)
    if row is None:
        return {}
    owing: dict[str, Json] = {"co_debtors": [*row.co_debtors]} if row.co_debtors else {}
    return {"debtor": row.debtor, "due_on": row.due_on, "voucher_no": row.voucher_no, **owing}


def concerns_of(store: LedgerStore, lot: Lot, *, as_of: int | None) -> dict[str, Json]:
    """Returns what an assignee is told of a lot before it accepts."""
    voucher = find_row(store, VOUCHERS, (lot.voucher,), as_of=as_of)
    disputes = store.select(DISPUTES, field="voucher", value=lot.voucher, as_of=as_of)
    return {
        "accessories": _accessories(store, lot, as_of=as_of),
        "burdens": list(lot.burdens),
        "disputes": [shown(row) for row in disputes if row.status not in OVER],
        "flags": _flags(store, voucher, as_of=as_of),
    }


def _flags(store: LedgerStore, voucher: Voucher | None, *, as_of: int | None) -> list[Json]:
    """Returns what to look out for; none of it stops a transfer (SD-06, SD-17)."""
    if voucher is None:
        return []
    flags: list[Json] = [*voucher.flags]
    if voucher.restriction == Restriction.RESTRICTED:
        flags.append("assignment-restricted")
    if not _head_joined(store, voucher, as_of=as_of):
        flags.append("group-head-not-joined")
    return flags


def _head_joined(store: LedgerStore, voucher: Voucher, *, as_of: int | None) -> bool:
    """Tells whether the head of the debtor's group, who gave it its limit, owes the voucher too."""
    debtor = find_row(store, DEBTORS, (voucher.debtor,), as_of=as_of)
    ledger = find_row(store, LEDGER, ("ledger",), as_of=as_of)
    if debtor is None or ledger is None:
        return True
    # Who stands alone has its limit from the registrar, or none.
    return debtor.source in (None, ledger.registrar, *voucher.co_debtors)


def _accessories(store: LedgerStore, lot: Lot, *, as_of: int | None) -> list[Json]:
    """Returns the rights that secure a lot's voucher, each with this lot's part of its cap.

    A promise of who should have been told of the holder's assignment, and was not, has no
    effect towards it (RG-24).
    """
    rights = list(store.select(ACCESSORIES, field="voucher", value=lot.voucher, as_of=as_of))
    if not rights:
        return []
    lots = list(store.select(LOTS, field="voucher", value=lot.voucher, as_of=as_of))
    untold = untold_of(store, lot)
    return [
        {
            **shown(right),
            "cap_of_lot": str(cap_shares(right.cap, lots)[lot.lot]),
            "status": "ineffective"
            if right.trigger is not None and right.provider in untold
            else "effective",
        }
        for right in rights
    ]
