"""The pool of 584 factored claims, and the tables that its prospectus published.

The published amounts are factoring principal; a voucher's face is principal plus
interest to its due date, rounded half up per claim. The tables here are recomputed
from the claims and compared with the published figures digit for digit.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from itertools import pairwise

from registry.money import format_wan, simple_interest

CUT_OFF = date(2025, 7, 30)
YEAR_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One factored receivable; amounts in fen."""

    claim_no: str
    supplier_no: str
    debtor_no: str
    principal: int
    remaining_days: int
    rate_bp: int

    @property
    def due_on(self) -> date:
        """When the debtor owes it."""
        return CUT_OFF + timedelta(days=self.remaining_days)

    @property
    def interest(self) -> int:
        """Interest from the cut-off to the due date, in fen."""
        return simple_interest(
            self.principal, rate_bp=self.rate_bp, days=self.remaining_days, year_days=YEAR_DAYS
        )

    @property
    def face(self) -> int:
        """What the debtor owes at the due date, in fen."""
        return self.principal + self.interest


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One row of a published table: (low, high]."""

    label: str
    count: int
    principal: int

    @property
    def wan(self) -> str:
        """The principal in ten-thousands of yuan, as published."""
        return format_wan(self.principal)


WAN = 1_000_000
SIZE_BOUNDS = (0, 500, 1000, 1500, 2000, 1_000_000)
TERM_BOUNDS = (0, 30, 60, 90, 100_000)
RATE_BOUNDS = (400, 600, 800, 1000, 1200, 1400, 1600)

PUBLISHED_SIZES = (543, 21, 9, 10, 1)
PUBLISHED_TERMS = ("43,746.71", "17,611.99", "17,425.13", "21,231.34")
PUBLISHED_RATES = ("49,143.77", "34,369.95", "11,102.43", "3,050.90", "1,466.17", "881.95")


def load_claims() -> tuple[Claim, ...]:
    """Reads the claims that come with the program."""
    source = resources.files("api.demo") / "data" / "jingcheng-14-4.csv"
    with source.open(encoding="utf-8") as file:
        return tuple(
            Claim(
                claim_no=row["claim_no"],
                supplier_no=row["supplier_no"],
                debtor_no=row["debtor_no"],
                principal=int(row["amount_fen"]),
                remaining_days=int(row["remaining_days"]),
                rate_bp=int(row["rate_bp"]),
            )
            for row in csv.DictReader(file)
        )


def by_size(claims: Sequence[Claim]) -> tuple[Bucket, ...]:
    """Tabulates claims by principal, bounds in ten-thousands of yuan."""
    bounds = [bound * WAN for bound in SIZE_BOUNDS]
    labels = ("≤ 500", "500-1000", "1000-1500", "1500-2000", "> 2000")
    return _buckets(claims, lambda claim: claim.principal, bounds, labels)


def by_term(claims: Sequence[Claim]) -> tuple[Bucket, ...]:
    """Tabulates claims by remaining days."""
    labels = ("0-30", "30-60", "60-90", "> 90")
    return _buckets(claims, lambda claim: claim.remaining_days, TERM_BOUNDS, labels)


def by_rate(claims: Sequence[Claim]) -> tuple[Bucket, ...]:
    """Tabulates claims by rate, bounds in basis points."""
    labels = tuple(f"{low // 100}-{high // 100} %" for low, high in pairwise(RATE_BOUNDS))
    return _buckets(claims, lambda claim: claim.rate_bp, RATE_BOUNDS, labels)


def _buckets(
    claims: Iterable[Claim],
    measure: Callable[[Claim], int],
    bounds: Sequence[int],
    labels: Sequence[str],
) -> tuple[Bucket, ...]:
    """Sorts claims into (low, high] buckets."""
    counts, sums = [0] * len(labels), [0] * len(labels)
    for claim in claims:
        value = measure(claim)
        place = next(i for i in range(len(labels)) if bounds[i] < value <= bounds[i + 1])
        counts[place] += 1
        sums[place] += claim.principal
    return tuple(
        Bucket(label=label, count=count, principal=total)
        for label, count, total in zip(labels, counts, sums, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The pool's weighted means, as text with the published number of digits."""

    rate: str
    claim_wan: str
    months: str


def means(claims: Sequence[Claim]) -> Means:
    """Computes mean claim, and mean rate and remaining term weighted by principal."""
    total = sum(claim.principal for claim in claims)
    rate = sum(claim.principal * claim.rate_bp for claim in claims)
    days = sum(claim.principal * claim.remaining_days for claim in claims)
    return Means(
        rate=f"{_hundredths(rate, total)} %",
        claim_wan=_hundredths(total * 100, WAN * len(claims)),
        months=_hundredths(days * 12 * 100, total * YEAR_DAYS),
    )


def _hundredths(numerator: int, denominator: int) -> str:
    """Returns a quotient, given in hundredths, with two decimals, rounded half up."""
    value = (2 * numerator + denominator) // (2 * denominator)
    return f"{value // 100}.{value % 100:02d}"
