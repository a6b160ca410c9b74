"""A party's statement of account against a verified snapshot of the same size (FR-04).

It needs the statement and the snapshot's files, and no server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.proofs import Holding


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How a statement stands against a verified snapshot.

    Attributes:
        what: What was compared.
        said: By the statement, in minor units.
        proved: By the snapshot.
        differ: Lots that are in one of them alone, or with another amount.
    """

    what: str
    said: int
    proved: int
    differ: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Tells whether both say the same."""
        return self.said == self.proved and not self.differ


def compare(rows: Sequence[Mapping[str, Any]], holding: Holding, *, party: str) -> Compared | None:
    """Compares a statement with a verified snapshot as of the same size.

    Args:
        rows: The statement's.
        holding: What the snapshot says: of the party itself, or of a voucher that it owes.
        party: Whose statement it is.

    Returns:
        What was found; None if the snapshot is of something that the statement is not about.
    """
    if holding.bucket == party:
        said = {str(row["id"]): int(row["amount"]) for row in rows if row["side"] == "held"}
        proved = {str(lot["record"]["lot"]): int(lot["record"]["amount"]) for lot in holding.lots}
        differ = {lot for lot, _ in said.items() ^ proved.items()}
        return Compared(
            what=f"lots held by {party}",
            said=sum(said.values()),
            proved=holding.total,
            differ=tuple(sorted(differ)),
        )
    owing = [row for row in rows if row["side"] == "owed" and row["id"] == holding.bucket]
    if not owing:
        return None
    return Compared(
        what=f"owed on voucher {holding.bucket}",
        said=int(owing[0]["amount"]),
        proved=holding.total,
    )
