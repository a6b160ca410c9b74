"""How long money took on its way, against the time that it was given (SD-22).

The clock starts when the debtor's payment is posted, and stops for each account that keeps
something when that is; where the account has a stage, when the stage is credited: what goes
on from there is the affair of whoever chose it. A scheme that debits all accounts of a chain
at once gives an hour from end to end; each hop of it has its share, so that it can be told
early which one is late.

Source: SD-22; reference note 18; docs/clearing.md, A hop that breaks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from clearing.model import InstructionRecord
from registry.ids import PartyId

WITHIN_MS: Final = 3_600_000
"""An hour from the debtor's payment to the last account (平安 SAS)."""


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


def delays_of(records: Iterable[InstructionRecord]) -> list[Delay]:
    """Tells of each payment behind a hop how long it has taken, by number.

    What the debtor pays itself is on no way, and what has not left the debtor has no clock.
    """
    rows = {record.n: record for record in records}
    delays: list[Delay] = []
    for record in rows.values():
        if not record.kept or not record.after:
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
