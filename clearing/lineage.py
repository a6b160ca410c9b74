"""The tree of assignments of one voucher, told by its live lots alone.

Every lot carries the path of its holders, from the original creditor to the one who
holds it. A node is a path that is a prefix of some lot's: what its last party holds on
that path, and what only passes through it on the way to later holders. A party that
stands twice in a chain is two nodes. For a voucher of 1,000,000.00 split down a chain:

    S1            holds 400,000.00   600,000.00 passes
    S1 S2         holds 150,000.00   450,000.00 passes
    S1 S2 F       holds nothing      200,000.00 passes
    S1 S2 F T     holds 200,000.00
    S1 S2 S3      holds 250,000.00
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from clearing.routes import Claim


class Node(Struct, frozen=True, gc=False):
    """One party's place in the chain of assignments.

    Attributes:
        path: The holders from the original creditor to this party.
        held: The lots that the party holds on this path, by id.
        passing_minor: Face of the lots beyond it, in minor units.
    """

    path: tuple[str, ...]
    held: Sequence[Claim]
    passing_minor: int

    @property
    def party(self) -> str:
        """The party at this place."""
        return self.path[-1]


def lineage_of(lots: Iterable[Claim]) -> list[Node]:
    """Builds the tree of one voucher's lots, which stand by id.

    Returns:
        The nodes by path, so that each stands after the one it got its claim from.
    """
    held: dict[tuple[str, ...], list[Claim]] = {}
    for lot in lots:
        held.setdefault(lot.path, []).append(lot)
    passing = dict.fromkeys(held, 0)
    for path in held:
        while (path := path[:-1]) and path not in passing:
            passing[path] = 0
    paths = sorted(passing)
    # Backwards each node stands before the one that it got its claim from.
    for path in reversed(paths):
        if len(path) > 1:
            own = sum([lot.amount for lot in held.get(path, ())])
            passing[path[:-1]] += own + passing[path]
    return [Node(path, held.get(path, ()), passing[path]) for path in paths]
