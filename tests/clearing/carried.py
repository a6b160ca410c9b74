"""Vouchers whose debt travels with the money, and who must owe what of them."""

from collections import Counter

from clearing.hops import is_carried, owing
from clearing.model import BALANCES, HOPS, OBLIGATIONS
from registry.credit import DEBTORS
from registry.model import LOTS, VOUCHERS, HopRisk, Route
from registry.tables import replace
from tests.clearing.world import World


def hold_risk(world: World) -> None:
    """Has holders bear the risk of the way of every tiered voucher."""
    for voucher in list(world.rows.select(VOUCHERS)):
        if voucher.route == Route.TIERED:
            row = replace(voucher, top_up=False, hop_risk=HopRisk.HOLDER)
            world.rows.put(VOUCHERS, row)


def verify_carried(world: World) -> None:
    """Checks the sums by party against each lot's own place, and against the books."""
    vouchers = {row.voucher: row for row in world.rows.select(VOUCHERS)}
    wanted: Counter[tuple[str, str]] = Counter()
    owed: Counter[str] = Counter()
    for lot in world.rows.select(LOTS):
        voucher = vouchers[lot.voucher]
        owed[voucher.debtor] += lot.amount
        if is_carried(voucher):
            party, amount = owing(world.rows, lot, voucher.debtor, lambda row: row.status)
            if party != voucher.debtor:
                wanted[voucher.voucher, party] += amount
                owed[voucher.debtor] -= amount
    for row in world.rows.select(OBLIGATIONS):
        if row.sort == "again" and row.status != "met":
            debtor = vouchers[row.voucher].debtor
            if row.owed_by == debtor:
                owed[debtor] += row.amount
            else:
                wanted[row.voucher, row.owed_by] += row.amount
    hops = {(row.voucher, row.party): int(row.amount) for row in world.rows.select(HOPS)}
    assert hops == dict(wanted)
    by_party: Counter[str] = Counter()
    for (_, party), amount in hops.items():
        by_party[f"hops:{party}"] += amount
    booked = {
        row.account: -row.amount
        for row in world.rows.select(BALANCES)
        if row.account.startswith("hops:") and row.amount
    }
    assert booked == dict(by_party)
    for known in world.rows.select(DEBTORS):
        assert known.outstanding == owed[known.party], known
