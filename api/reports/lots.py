"""How vouchers are split and passed on, and of what debtors have not said that they know it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from operator import itemgetter

from api.morning.debtors import ANSWERS, LATE_DAYS
from api.reports.debts import PARTY
from api.reports.report import Cell, Check, Column, Report, View
from registry.alerts import bounds_reached
from registry.calendars import start_of
from registry.inboxes import NOTICES
from registry.model import LOTS


def splitting(view: View) -> Report:
    """How often claims are assigned, in how many parts, of which tier (RG-06)."""
    counts, sums = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
    bounds = Counter[str]()
    names = ("voucher", "amount", "path", "tier", "cuts")
    found = view.store.columns(LOTS, names, order=("voucher",), as_of=view.size)
    smallest: int | None = None
    total = 0
    for _, lots in groupby(found, key=itemgetter(0)):
        parts = of_voucher = 0
        for _, amount, path, tier, cuts in lots:
            parts += 1
            of_voucher += amount
            smallest = amount if smallest is None else min(smallest, amount)
            for key in (("assignments", len(path) - 1), ("tier", tier)):
                counts[key] += 1
                sums[key] += amount
            bounds.update(
                bounds_reached(
                    view.rules.splitting, assignments=len(path) - 1, cuts=cuts, amount=amount
                )
            )
        counts["parts", parts] += 1
        sums["parts", parts] += of_voucher
        total += of_voucher
    live = view.live_lots()
    return Report(
        columns=(
            Column(name="by", words=("按", "by")),
            Column(name="value", words=("值", "value"), form="count"),
            Column(name="number", words=("数量", "number"), form="count"),
            Column(name="amount", words=("金额", "amount"), form="money"),
        ),
        rows=(
            {"by": by, "value": value, "number": counts[by, value], "amount": sums[by, value]}
            for by, value in sorted(counts)
        ),
        totals={
            "lots": sum(n for (by, _), n in counts.items() if by == "tier"),
            "vouchers": sum(n for (by, _), n in counts.items() if by == "parts"),
            "amount": str(total),
            **({} if smallest is None else {"smallest_amount": str(smallest)}),
            **{name: bounds[name] for name in sorted(bounds)},
        },
        checks=tuple(
            Check(
                what=f"lots by {by} come to all live lots",
                here=sum(amount for (each, _), amount in sums.items() if each == by),
                there=live,
            )
            for by in ("assignments", "parts", "tier")
        ),
    )


def unacknowledged(view: View) -> Report:
    """Notices that their recipients have not acknowledged, and since when (FR-11)."""
    counts, sums, late = Counter[str](), Counter[str](), Counter[str]()
    oldest: dict[str, int] = {}
    late_before = _late_before(view)
    names = ("recipient", "amount", "arrived", *ANSWERS)
    for recipient, amount, arrived, *answers in view.store.columns(NOTICES, names, as_of=view.size):
        if not any(answers):
            counts[recipient] += 1
            sums[recipient] += amount
            late[recipient] += arrived < late_before
            oldest[recipient] = min(arrived, oldest.get(recipient, arrived))
    told = view.store.totals(NOTICES, ANSWERS, sums=("amount",), as_of=view.size)
    there = next(((n, amount) for *answers, n, amount in told if not any(answers)), (0, 0))
    parties = view.names(counts)

    def rows() -> Iterator[Mapping[str, Cell]]:
        for party in sorted(counts, key=lambda party: (-counts[party], party)):
            yield {
                "party": party,
                "name": parties.get(party, ""),
                "notices": counts[party],
                "amount": sums[party],
                "late": late[party],
                "oldest": view.day_of(oldest[party]),
            }

    return Report(
        columns=(
            *PARTY,
            Column(name="notices", words=("未确认", "notices"), form="count"),
            Column(name="amount", words=("金额", "amount"), form="money"),
            Column(name="late", words=("逾三个工作日", "late"), form="count"),
            Column(name="oldest", words=("最早到达", "oldest"), form="date"),
        ),
        rows=rows(),
        totals={
            "notices": sum(counts.values()),
            "amount": str(sum(sums.values())),
            "late": sum(late.values()),
        },
        checks=(
            Check(
                what="notices by recipient come to all that are not acknowledged",
                here=sum(counts.values()),
                there=there[0],
                form="count",
            ),
            Check(what="and so do their amounts", here=sum(sums.values()), there=there[1]),
        ),
    )


def _late_before(view: View) -> int:
    """Returns the instant before which a notice should have been acknowledged by now."""
    day, calendar = view.day, view.calendar
    if calendar is None:
        day -= timedelta(days=LATE_DAYS)
    else:
        day = calendar.add_worked_days(day, -LATE_DAYS)
    return start_of(day, offset_minutes=view.offset)
