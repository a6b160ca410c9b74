"""Where somebody should look: circles of holders, bursts of transfers (FR-05, RG-06).

The operator learns which voucher and how much; who the holders are, an auditor.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby

from api.reports.report import Cell, Column, Report, View
from registry.affiliates import groups_of
from registry.alerts import (
    HOUR_MS,
    PLAIN_ALERTS,
    bounds_reached,
    bursts_in,
    circle_in,
)
from registry.inboxes import NOTICES
from registry.model import LOTS
from registry.people import AFFILIATIONS
from registry.policy import AlertRule


def alerts(view: View) -> Report:
    """Claims that came back to a holder or its affiliates, and bursts of transfers."""
    rule = view.rules.alerts or PLAIN_ALERTS
    found = [*_bursts(view, rule), *_circles(view, rule)]
    kinds = sorted({str(row["alert"]) for row in found})
    return Report(
        columns=(
            Column(name="alert", words=("预警", "alert")),
            Column(name="id", words=("标识", "id"), form="id"),
            Column(name="count", words=("次数", "count"), form="count"),
            Column(name="amount", words=("金额", "amount"), form="money"),
            Column(name="first", words=("自", "from"), form="date"),
            Column(name="last", words=("至", "to"), form="date"),
            Column(name="holders", words=("持有人", "holders")),
        ),
        rows=found,
        totals={kind: sum(row["alert"] == kind for row in found) for kind in kinds}
        | {"burst_transfers": rule.burst_transfers, "burst_hours": rule.burst_hours},
    )


def _bursts(view: View, rule: AlertRule) -> Iterator[Mapping[str, Cell]]:
    """Yields the vouchers that were transferred too often within a window."""
    names = ("voucher", "arrived", "transfer")
    arrived = view.store.columns(NOTICES, names, order=names, as_of=view.size)
    # Each debtor gets a notice of one transfer.
    transfers = ((voucher, time) for (voucher, time, _), _ in groupby(arrived))
    window = rule.burst_hours * HOUR_MS
    for burst in bursts_in(transfers, more_than=rule.burst_transfers, window_ms=window):
        yield {
            "alert": "burst",
            "id": burst.voucher,
            "count": burst.count,
            "first": view.day_of(burst.first),
            "last": view.day_of(burst.last),
        }


def _circles(view: View, rule: AlertRule) -> Iterator[Mapping[str, Cell]]:
    """Yields the live lots whose chain comes back, and those at the policy's bounds."""
    pairs = ((row.first, row.second) for row in view.store.select(AFFILIATIONS, as_of=view.size))
    groups = groups_of(pairs)
    names = ("lot", "amount", "path", "cuts")
    for lot, amount, path, cuts in view.store.columns(LOTS, names, as_of=view.size):
        if (circle := circle_in(path, groups, hops=rule.circle_hops)) is not None:
            left, came = circle
            holders = " → ".join(path[left : came + 1]) if view.caller.is_auditor else ""
            told: dict[str, Cell] = {"alert": "circle", "id": lot, "count": came - left}
            yield {**told, "amount": amount, **({"holders": holders} if holders else {})}
        splitting = view.rules.splitting
        for bound in bounds_reached(splitting, assignments=len(path) - 1, cuts=cuts, amount=amount):
            yield {"alert": bound, "id": lot, "count": len(path) - 1, "amount": amount}
