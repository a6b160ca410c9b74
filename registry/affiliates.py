"""Groups of affiliates: pure functions over declared pairs.

A group is what pairs connect, directly or through others (union-find). It is named after
its smallest identifier, so that everybody names it alike, whatever order pairs come in.

Source: SD-35 (affiliated debtors count once), EL-22, FR-05.
"""

from collections.abc import Iterable, Mapping

from registry.ids import PartyId

Pair = tuple[PartyId, PartyId]


def groups_of(pairs: Iterable[Pair]) -> Mapping[PartyId, PartyId]:
    """Returns the group of everybody who stands in a pair, by its smallest identifier."""
    leaders: dict[PartyId, PartyId] = {}

    def leader(party: PartyId) -> PartyId:
        while (above := leaders.setdefault(party, party)) != party:
            # Halve the way for whoever asks next.
            leaders[party] = leaders[above]
            party = above
        return party

    for first, second in pairs:
        one, other = sorted((leader(first), leader(second)))
        leaders[other] = one
    return {party: leader(party) for party in sorted(leaders)}


def group_of(party: PartyId, groups: Mapping[PartyId, PartyId]) -> PartyId:
    """Returns a party's group; who stands in no pair is a group of one."""
    return groups.get(party, party)


def count_groups(parties: Iterable[PartyId], groups: Mapping[PartyId, PartyId]) -> int:
    """Counts the unrelated among parties: each group once."""
    return len({group_of(party, groups) for party in parties})
