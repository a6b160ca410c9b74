"""Figures of the demonstration's report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from api.demo.opening import Twin
from registry.audit import Audit
from registry.proofs import Holding


def instructions(by_route: Mapping[str, int]) -> str:
    """Returns the number of instructions in words."""
    routes = ", ".join(f"{count} {route}" for route, count in sorted(by_route.items()))
    return f"{sum(by_route.values())}, each confirmed by its bank: {routes}"


def net(rows: Sequence[Mapping[str, Any]], twin: Twin, names: Mapping[str, str]) -> dict[str, int]:
    """Returns what each holder was paid for a voucher, and kept."""
    net: Counter[str] = Counter()
    for row in rows:
        if row["voucher"] == twin.voucher:
            net[row["payee"]] += int(row["amount"])
            net[row["payer"]] -= int(row["amount"])
    return {names[party]: amount for party, amount in sorted(net.items()) if amount > 0}


def verdict(holding: Holding) -> dict[str, Any]:
    """Returns a verified snapshot's part of the report."""
    return {
        "verdict": 0,
        "at": holding.at,
        "lots": holding.count,
        "sum_fen": str(holding.total),
    }


def audited(audit: Audit) -> dict[str, Any]:
    """Returns an audit's part of the report."""
    return {
        "verdict": int(audit.verdict),
        "digest": audit.digest,
        "findings": [f"{finding.where}: {finding.reason}" for finding in audit.findings],
    }
