"""Alerts: claims that come back, bursts of transfers, lots at a policy's bounds. Pure functions.

An alert stops nothing: it says where somebody should look. What was transferred stands.

Source: FR-05 (A → B → C → A), RG-06 (abnormal splitting is investigated).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

from registry.affiliates import group_of
from registry.ids import PartyId
from registry.policy import AlertRule, Splitting

PLAIN_ALERTS: Final = AlertRule(burst_transfers=5, burst_hours=24)
"""Where no policy says otherwise."""

HOUR_MS: Final = 3_600_000


def circle_in(
    path: Sequence[str], groups: Mapping[PartyId, PartyId], *, hops: int | None = None
) -> tuple[int, int] | None:
    """Finds the first circle in a chain of holders: it leaves a group, and comes back to it.

    Args:
        path: Every holder, the original creditor first.
        groups: Of affiliates; who is in none is a group of one.
        hops: Assignments within which it comes back; any number without it.

    Returns:
        The places in the path between which the circle lies; None if there is none.
    """
    last_left: dict[PartyId, int] = {}
    chain = [group_of(PartyId(holder), groups) for holder in path]
    for place, group in enumerate(chain):
        left = last_left.get(group)
        if left is not None and place - left > 1 and (hops is None or place - left <= hops):
            return left, place
        last_left[group] = place
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """More transfers of one voucher within a window than there should be.

    Attributes:
        voucher: Of what.
        count: The most transfers within one window.
        first: The first of these, in milliseconds.
        last: The last of these.
    """

    voucher: str
    count: int
    first: int
    last: int


def bursts_in(
    transfers: Iterable[tuple[str, int]],
    *,
    more_than: int = PLAIN_ALERTS.burst_transfers,
    window_ms: int = PLAIN_ALERTS.burst_hours * HOUR_MS,
) -> Iterator[Burst]:
    """Yields the vouchers that were transferred too often within a window, each once.

    Args:
        transfers: Voucher and instant of each, by voucher and then by instant.
        more_than: As many within the window are none.
        window_ms: Its length; what is exactly so far apart is within it.
    """
    for voucher, of_voucher in groupby(transfers, key=itemgetter(0)):
        window: deque[int] = deque()
        worst: Burst | None = None
        for _, time in of_voucher:
            window.append(time)
            while time - window[0] > window_ms:
                window.popleft()
            if len(window) > (worst.count if worst else more_than):
                worst = Burst(voucher=voucher, count=len(window), first=window[0], last=time)
        if worst is not None:
            yield worst


def bounds_reached(
    splitting: Splitting | None, *, assignments: int, cuts: int, amount: int
) -> tuple[str, ...]:
    """Names the bounds of a policy's splitting rule that a lot has reached.

    Args:
        splitting: The rule in force, if there is one.
        assignments: Of the lot.
        cuts: How often its holder's part was cut.
        amount: Its amount, in minor units.
    """
    if splitting is None:
        return ()
    found = []
    if splitting.max_depth is not None and assignments >= splitting.max_depth:
        found.append("max-depth")
    if splitting.max_children is not None and cuts + 2 > splitting.max_children:
        found.append("max-children")
    if splitting.min_lot is not None and amount < splitting.min_lot:
        found.append("below-min-lot")
    return tuple(found)
