"""How long money took on its way, against the time that it was given (SD-22).

The clock starts when the debtor's payment is posted, and stops for each account that keeps
something when that is; where the account has a stage, when the stage is credited: what goes
on from there is the affair of whoever chose it. A scheme that debits all accounts of a chain
at once gives an hour from end to end; each hop of it has its share, so that it can be told
early which one is late. How much that is says the policy under which the plan was adopted:
see `clearing.day.hour_of`.

Source: SD-22; reference note 18; docs/clearing.md, A hop that breaks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from clearing.day import CHAIN_MINUTES
from clearing.model import LAPSING, InstructionRecord, InstructionStatus
from registry.calendars import MINUTE_MS
from registry.ids import PartyId

WITHIN_MS: Final = CHAIN_MINUTES * MINUTE_MS
"""From the debtor's payment to the last account, unless the policy says otherwise."""

_RUNNING: Final = LAPSING | {InstructionStatus.POSTED}
"""What has another instruction in its place, or is over, has no clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long a payment has taken.

    Attributes:
        n: The instruction that pays.
        payee: Who is paid.
        hops: Instructions from the debtor's to the one that stops the clock.
        since: Milliseconds, when the debtor's payment was posted.
        until: When that one was; None as long as it is not.
    """

    n: int
    payee: PartyId
    hops: int
    since: int
    until: int | None

    def taken(self, now: int) -> int:
        """Returns the time on the way so far, in milliseconds."""
        return (now if self.until is None else self.until) - self.since

    def is_late(self, now: int, *, within_ms: int = WITHIN_MS) -> bool:
        """Tells whether it took longer than it may; exactly as long is in time."""
        return self.taken(now) > within_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """How long money has lain on one account before it went on.

    Attributes:
        n: The instruction that takes it on.
        payer: On whose account it lies, or lay.
        payee: Who comes next.
        since: Milliseconds, when it had come.
        until: When it went on; None as long as it has not.
    """

    n: int
    payer: PartyId
    payee: PartyId
    since: int
    until: int | None

    def taken(self, now: int) -> int:
        """Returns the time that it has lain, in milliseconds."""
        return (now if self.until is None else self.until) - self.since

    def is_late(self, now: int, *, within_ms: int) -> bool:
        """Tells whether it lies longer than it may; exactly as long is in time."""
        return self.taken(now) > within_ms


def hops_of(records: Iterable[InstructionRecord]) -> list[Hop]:
    """Tells of each instruction that passes money on how long that took, by number.

    What goes on from a stage has no clock.
    """
    rows = {record.n: record for record in records}
    hops: list[Hop] = []
    for record in rows.values():
        came = [rows[int(n)].posted_at for n in record.after]
        if not came or None in came or record.stage or record.status not in _RUNNING:
            continue
        hop = Hop(
            n=record.n,
            payer=record.payer,
            payee=record.payee,
            since=max(time for time in came if time is not None),
            until=record.posted_at,
        )
        hops.append(hop)
    return sorted(hops, key=lambda hop: hop.n)


def delays_of(records: Iterable[InstructionRecord]) -> list[Delay]:
    """Tells of each payment behind a hop how long it has taken, by number.

    What the debtor pays itself is on no way, and what has not left the debtor has no clock.
    """
    rows = {record.n: record for record in records}
    delays: list[Delay] = []
    for record in rows.values():
        if not record.kept or not record.after or record.status not in _RUNNING:
            continue
        end = rows[int(record.after[0])] if record.stage else record
        if not end.after:
            continue
        hops, root = 1, end
        while root.after:
            hops, root = hops + 1, rows[int(root.after[0])]
        if root.posted_at is None:
            continue
        delay = Delay(
            n=record.n,
            payee=record.payee,
            hops=hops,
            since=root.posted_at,
            until=end.posted_at,
        )
        delays.append(delay)
    return sorted(delays, key=lambda delay: delay.n)
