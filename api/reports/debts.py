"""What debtors owe: against their limits, by group, and past the pay date."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from api.reports.report import OWED, Cell, Check, Column, Report, View, owed, percent
from clearing.model import HOPS, OBLIGATIONS, ObligationStatus, Sort
from registry.affiliates import group_of, groups_of
from registry.credit import DEBTORS, Debtor
from registry.model import LOTS, VOUCHERS, VoucherStatus
from registry.people import AFFILIATIONS
from registry.tables import Get

PARTY: Final = (
    Column(name="party", words=("债务人", "debtor"), form="id"),
    Column(name="name", words=("名称", "name")),
)
BUCKETS: Final = ((1, 30), (31, 60), (61, 90), (91, None))
"""Days past the pay date, both ends counted (TR-07)."""


def outstanding(view: View) -> Report:
    """What each debtor and group owes, against its limit (FR-06)."""
    debtors = [row for row in view.store.select(DEBTORS, as_of=view.size) if _counts(row)]
    pairs = ((row.first, row.second) for row in view.store.select(AFFILIATIONS, as_of=view.size))
    groups = groups_of(pairs)
    by_group: dict[str, list[Debtor]] = {}
    for row in debtors:
        by_group.setdefault(group_of(row.party, groups), []).append(row)
    names = view.names(row.party for row in debtors)
    open_now = Counter[str]()
    active = 0
    for debtor, status, _, amount in view.open_by_debtor():
        open_now[debtor] += amount
        active += amount if status == VoucherStatus.ACTIVE else 0
    open_now.update(_beside_lots(view))
    total = sum(row.outstanding for row in debtors)
    differ = sum(open_now[row.party] != row.outstanding for row in debtors)
    return Report(
        columns=(
            Column(name="of", words=("口径", "of")),
            *PARTY,
            Column(name="outstanding", words=("未兑付余额", "outstanding"), form="money"),
            Column(name="limit", words=("限额", "limit"), form="money"),
            Column(name="allocated", words=("已分配下级", "allocated"), form="money"),
            Column(name="used", words=("使用率", "used %"), form="percent"),
        ),
        rows=_debtors_and_groups(by_group, names),
        totals={"debtors": len(debtors), "outstanding": str(total)},
        checks=(
            Check(
                what="what debtors owe is what is open of their vouchers",
                here=total,
                there=sum(open_now.values()),
            ),
            Check(what="debtors of whom that is not so", here=differ, there=0, form="count"),
            Check(
                what="what is open of active vouchers is what live lots come to",
                here=active,
                there=view.live_lots(),
            ),
        ),
    )


def _beside_lots(view: View) -> dict[str, int]:
    """Returns by debtor what it owes besides its vouchers' lots, less what others owe of these.

    What has come back is owed once more; who has a debtor's money on its way, where holders
    bear that, owes in its place.
    """
    found = Counter[str]()
    for debtor, _, amount in view.store.totals(
        HOPS, ("debtor",), sums=("amount",), as_of=view.size
    ):
        found[debtor] -= amount
    again = [
        row
        for row in view.store.select(OBLIGATIONS, as_of=view.size)
        if row.sort == Sort.AGAIN and row.status != ObligationStatus.MET
    ]
    # A voucher's debtor never changes.
    keys = tuple((row.voucher,) for row in again)
    for row, voucher in zip(again, view.store.fetch([Get(VOUCHERS, keys)])[0], strict=True):
        found[voucher.debtor] += row.amount
    return dict(found)


def _counts(row: Debtor) -> bool:
    """Tells whether a debtor owes anything or has a limit."""
    return bool(row.outstanding or row.limit is not None)


def _debtors_and_groups(
    by_group: Mapping[str, list[Debtor]], names: Mapping[str, str]
) -> Iterator[Mapping[str, Cell]]:
    """Yields each group that has several debtors, then all debtors, the largest first."""
    several = [(group, rows) for group, rows in by_group.items() if len(rows) > 1]
    for group, rows in sorted(several, key=lambda each: (-_owing(each[1]), each[0])):
        yield {
            "of": "group",
            "party": group,
            "name": f"{names.get(group, group)} + {len(rows) - 1}",
            "outstanding": _owing(rows),
        }
    everybody = [row for rows in by_group.values() for row in rows]
    for row in sorted(everybody, key=lambda row: (-row.outstanding, row.party)):
        told: dict[str, Cell] = {
            "of": "debtor",
            "party": row.party,
            "name": names.get(row.party, ""),
            "outstanding": row.outstanding,
        }
        if row.limit is not None:
            told["limit"] = row.limit
            told["allocated"] = row.allocated
            told["used"] = percent(row.outstanding + row.allocated, row.limit)
        yield told


def _owing(rows: list[Debtor]) -> int:
    return sum(row.outstanding for row in rows)


# --- Overdue --------------------------------------------------------------------------


def overdue(view: View) -> Report:
    """What is past its pay date, by debtor and by days (逾期)."""
    lots = view.store.totals(LOTS, ("due_on",), sums=("amount",), as_of=view.size)
    late = {day: amount for day, _, amount in lots if view.days_late(day) > 0}
    counts, sums = Counter[str](), Counter[tuple[str, int]]()
    for day in sorted(late):
        bucket = _bucket(view.days_late(day))
        found = view.store.totals(
            VOUCHERS, ("debtor", "status"), sums=OWED, field="due_on", value=day, as_of=view.size
        )
        for debtor, status, count, *each in found:
            if status == VoucherStatus.ACTIVE:
                counts[debtor] += count
                sums[debtor, bucket] += owed(*each)
    names = view.names(counts)
    total = sum(sums.values())
    return Report(
        columns=(
            *PARTY,
            Column(name="vouchers", words=("笔数", "vouchers"), form="count"),
            *(
                Column(name=_name(at), words=(f"{_name(at)}天", f"{_name(at)} days"), form="money")
                for at in range(len(BUCKETS))
            ),
            Column(name="total", words=("合计", "total"), form="money"),
        ),
        rows=(
            {
                "party": debtor,
                "name": names.get(debtor, ""),
                "vouchers": counts[debtor],
                **{_name(at): sums[debtor, at] for at in range(len(BUCKETS))},
                "total": sum(sums[debtor, at] for at in range(len(BUCKETS))),
            }
            for debtor in sorted(counts)
        ),
        totals={"vouchers": sum(counts.values()), "total": str(total)},
        checks=(
            Check(
                what="what is open of overdue vouchers is what their live lots come to",
                here=total,
                there=sum(late.values()),
            ),
        ),
    )


def _bucket(days: int) -> int:
    """Returns the bucket that a number of days, at least one, falls into."""
    return next(at for at, (_, last) in enumerate(BUCKETS) if last is None or days <= last)


def _name(bucket: int) -> str:
    first, last = BUCKETS[bucket]
    return f">{first - 1}" if last is None else f"{first}-{last}"
