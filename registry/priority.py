"""Who comes first where several have a claim to the same receivable.

Between financiers of one receivable a registered one comes before one that is not; of
two registered the earlier; of two that are not, the one whose notice reached the debtor
first; and those without either share in proportion to what they financed.

The debtor asks another question: to whom does it pay with discharging effect? It looks
at the notices alone. Both answers are given, for they can differ.

Source: Civil Code, art. 768; art. 66 of the interpretation on security, which takes
pledge and plain assignment along; docs/explanation/encumbrances.md; SD-15, RG-29.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from registry.errors import InvariantBrokenError
from registry.money import allocate


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One right in the receivable.

    Attributes:
        name: Whose, or what: any text that tells the claims apart.
        financed_minor: What was financed against it, in minor units.
        registered_at: Milliseconds of its registration; None without one.
        noticed_at: Milliseconds at which its notice reached the debtor; None without one.
    """

    name: str
    financed_minor: int
    registered_at: int | None = None
    noticed_at: int | None = None


def _rank(claim: Claim) -> tuple[int, int]:
    """Returns what claims are ordered by; equal ranks share."""
    if claim.registered_at is not None:
        return 0, claim.registered_at
    if claim.noticed_at is not None:
        return 1, claim.noticed_at
    return 2, 0


def priority(claims: Iterable[Claim]) -> tuple[tuple[Claim, ...], ...]:
    """Orders claims into ranks; those of one rank share, and stand by name.

    Source: Civil Code, art. 768 (SD-15).
    """
    ordered = sorted(claims, key=lambda claim: (_rank(claim), claim.name))
    return tuple(tuple(rank) for _, rank in groupby(ordered, key=_rank))


def distribute(claims: Sequence[Claim], *, recovered_minor: int) -> Mapping[str, int]:
    """Divides what was recovered: rank by rank, pro rata to what was financed within one.

    Args:
        claims: All of them, each of another name.
        recovered_minor: Minor units, zero or more.

    Returns:
        Minor units by name; what is left over when all are paid is nobody's here.

    Raises:
        InvariantBrokenError: Two claims have one name, or an amount is negative (caller bug).
    """
    if len({claim.name for claim in claims}) < len(claims) or recovered_minor < 0:
        raise InvariantBrokenError("two claims have one name, or less than nothing is there")
    shares: dict[str, int] = {}
    left = recovered_minor
    for rank in priority(claims):
        financed = [claim.financed_minor for claim in rank]
        paid = min(left, sum(financed))
        parts = allocate(paid, financed) if any(financed) else (0,) * len(rank)
        shares |= dict(zip((claim.name for claim in rank), parts, strict=True))
        left -= paid
    return shares


def safe_payee(claims: Iterable[Claim]) -> Claim | None:
    """Returns whom the debtor may safely pay: whose notice reached it first, if any did.

    Source: Interpretation on contracts in general, art. 50 (RG-29).
    """
    noticed = [claim for claim in claims if claim.noticed_at is not None]
    return min(noticed, key=lambda claim: (claim.noticed_at, claim.name), default=None)
