"""What happens to the pool: who splits, who passes on, who sells to the factor.

The pool is the published one, claim by claim. About half of its claims are split by
their supplier to tier 2 and 3 first, and every holder, not the first alone, sells its
part to the factor: what the case study found missing. Vouchers beside the pool
keep parts that nobody financed, with holders of every tier.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from api.demo.cast import CORE, FACTOR, LOWER_TIERS, PLAN
from api.demo.desk import Desk, Part
from api.demo.pool import CUT_OFF, YEAR_DAYS, Claim
from registry.canonical import Json
from registry.money import allocate

ISSUED_ON = date(2025, 7, 1)
PASSED_BY = date(2025, 7, 11)
SOLD_BY = date(2025, 7, 25)
POOLED_BY = CUT_OFF
TIERS = 3
SMALLEST = 1_000_000
"""No part below 10,000 yuan is passed on."""

BESIDE = 48
"""Vouchers beside the pool."""


@dataclass(slots=True, kw_only=True)
class Deals:
    """What the desk was told, for the report.

    Attributes:
        financed: Principal and lots sold to the factor, by the seller's tier.
        kept: Face and lots nobody financed, by the holder's tier.
        split: Number of pool claims that were split.
        pooled: Face of the lots in the plan, in fen.
    """

    financed: Counter[int] = field(default_factory=Counter)
    financed_lots: Counter[int] = field(default_factory=Counter)
    kept: Counter[int] = field(default_factory=Counter)
    kept_lots: Counter[int] = field(default_factory=Counter)
    split: int = 0
    pooled: int = 0
    vouchers: int = 0


@dataclass(slots=True, kw_only=True)
class Dealer:
    """Makes deals by a seed."""

    desk: Desk
    rng: Random
    deals: Deals = field(default_factory=Deals)

    def issue_pool(self, claims: Sequence[Claim]) -> list[tuple[Claim, list[Part]]]:
        """Issues every claim as a voucher; about half are split down to tier 3."""
        return [(claim, self._issue(claim)) for claim in claims]

    def _issue(self, claim: Claim) -> list[Part]:
        """Issues one claim and splits it, or not."""
        self.deals.vouchers += 1
        part = self.desk.issue(
            claim.debtor_no,
            claim.supplier_no,
            face=claim.face,
            due_on=claim.due_on,
            voucher_no=claim.claim_no,
            accept_by=ISSUED_ON + timedelta(days=3),
            co_debtor=CORE,
        )
        if self.rng.random() >= 0.5 or part.amount < 4 * SMALLEST:
            return [part]
        self.deals.split += 1
        return self._pass_down(part, (claim.debtor_no, CORE))

    def _pass_down(self, part: Part, debtors: tuple[str, ...]) -> list[Part]:
        """Splits a lot to firms of the next tier, some of which split on."""
        parts: list[Part] = []
        rest: Part | None = part
        for _ in range(self.rng.choice((1, 1, 2))):
            if rest is None or part.tier >= TIERS or rest.amount < 3 * SMALLEST:
                break
            amount = rest.amount * self.rng.randint(20, 60) // 100
            went, rest = self.desk.transfer(
                rest, amount, self._firm(part.holder), accept_by=PASSED_BY, debtors=debtors
            )
            goes_on = self.rng.random() < 0.5
            parts += self._pass_down(went, debtors) if goes_on else [went]
        return [*parts, *([rest] if rest else [])]

    def _firm(self, other_than: str) -> str:
        """Picks a firm of the lower tiers."""
        while True:
            firm = f"T{self.rng.randint(1, LOWER_TIERS):03d}"
            if firm != other_than:
                return firm

    def finance(self, claim: Claim, parts: Sequence[Part]) -> list[Part]:
        """Sells every part of a claim to the factor, each for its share of the principal."""
        principals = allocate(claim.principal, [part.amount for part in parts])
        sold = []
        for part, principal in zip(parts, principals, strict=True):
            terms: dict[str, Json] = {
                "principal": str(principal),
                "rate_bp": claim.rate_bp,
                "day_count": YEAR_DAYS,
                "interest_from": CUT_OFF.isoformat(),
                "interest_borne_by": "holder",
                "claim": claim.claim_no,
            }
            sold.append(self._sell(part, FACTOR, "finance", terms, claim.debtor_no, SOLD_BY))
            self.deals.financed[part.tier] += principal
            self.deals.financed_lots[part.tier] += 1
        return sold

    def securitise(self, claim: Claim, parts: Sequence[Part]) -> list[Part]:
        """Sells the factor's parts of a claim to the plan."""
        terms: dict[str, Json] = {"claim": claim.claim_no, "principal": str(claim.principal)}
        pooled = [
            self._sell(part, PLAN, "securitise", terms, claim.debtor_no, POOLED_BY)
            for part in parts
        ]
        self.deals.pooled += sum(part.amount for part in pooled)
        return pooled

    def _sell(
        self, part: Part, to: str, purpose: str, terms: dict[str, Json], debtor: str, by: date
    ) -> Part:
        """Transfers a whole lot for money."""
        went, _ = self.desk.transfer(
            part,
            part.amount,
            to,
            accept_by=by,
            debtors=(debtor, CORE),
            purpose=purpose,
            terms=terms,
        )
        return went

    def beside_the_pool(self, claims: Sequence[Claim]) -> None:
        """Issues vouchers beside the pool: half tiered, parts sold to the factor or kept."""
        dates = sorted({claim.due_on for claim in claims})
        suppliers = sorted({claim.supplier_no for claim in claims})
        for number in range(1, BESIDE + 1):
            debtor = f"D{1 + number % 4}"
            part = self.desk.issue(
                debtor,
                self.rng.choice(suppliers),
                face=self.rng.randint(100, 2_000) * SMALLEST // 10,
                due_on=self.rng.choice(dates[20:]),
                voucher_no=f"JL25-{number:04d}",
                accept_by=ISSUED_ON + timedelta(days=3),
                route="tiered" if number % 2 else "direct",
                co_debtor=CORE,
            )
            self.deals.vouchers += 1
            for piece in self._pass_down(part, (debtor, CORE)):
                if self.rng.random() < 0.3:
                    terms: dict[str, Json] = {"principal": str(piece.amount * 98 // 100)}
                    self._sell(piece, FACTOR, "finance", terms, debtor, SOLD_BY)
                else:
                    self.deals.kept[piece.tier] += piece.amount
                    self.deals.kept_lots[piece.tier] += 1
