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

from collections.abc import Iterable

from msgspec import Struct

from clearing.routes import Claim


class Node(Struct, gc=False):
    """One party's place in the chain of assignments.

    Attributes:
        path: The holders from the original creditor to this party.
        before: The place that it got its claim from; None for the original creditor.
        held: The lots that the party holds on this path, by id.
        held_minor: Their face, in minor units.
        passing_minor: Face of the lots beyond it, in minor units.
    """

    path: tuple[str, ...]
    before: "Node | None"
    held: list[Claim]
    held_minor: int = 0
    passing_minor: int = 0

    @property
    def party(self) -> str:
        """The party at this place."""
        return self.path[-1]


def lineage_of(lots: Iterable[Claim]) -> list[Node]:
    """Builds the tree of one voucher's lots, which stand by id.

    Returns:
        The nodes by path, so that each stands after the one it got its claim from.
    """
    nodes: dict[tuple[str, ...], Node] = {}
    for lot in lots:
        node = nodes.get(lot.path) or _grow(nodes, lot.path)
        node.held.append(lot)
        node.held_minor += lot.amount
    ordered = [nodes[path] for path in sorted(nodes)]
    # Backwards each node stands before the one that it got its claim from.
    for node in reversed(ordered):
        if node.before is not None:
            node.before.passing_minor += node.held_minor + node.passing_minor
    return ordered


def _grow(nodes: dict[tuple[str, ...], Node], path: tuple[str, ...]) -> Node:
    """Adds the node of a path, and those before it that are not there yet."""
    before = None
    if len(path) > 1:
        before = nodes.get(path[:-1]) or _grow(nodes, path[:-1])
    node = nodes[path] = Node(path, before, [])
    return node
