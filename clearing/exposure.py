"""Other people's money on intermediate accounts, and for how long (资金混同敞口).

Along a tiered route, and on stages, money lies on accounts of parties whom it does not
belong to. A stay is one beneficiary's money on one such account: it begins when the account
is credited, and ends when what is behind it is, whichever way that goes. It is the final
holder's money until the debtor has paid that holder itself; from then on it is the debtor's.
Direct clearing has no stays but on stages, so all others are what it would have saved.

Money times time is kept in fen times milliseconds, exactly; people read yuan-days.

Source: SD-21; FR-08; GV-03.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from clearing.model import InstructionRecord, InstructionStatus, Sort
from registry.ids import PartyId, Sid

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One beneficiary's money on another party's account.

    Attributes:
        account: The account on which it lies.
        owner: Whose account that is.
        n: The instruction that brought it there.
        beneficiary: Whose money it is.
        amount_minor: Minor units.
        since: Milliseconds, when it came.
        until: When it left, or became another's; None as long as it has not.
        at_stage: Whether it lies there because the beneficiary's account has a stage.
    """

    account: Sid
    owner: PartyId
    n: int
    beneficiary: PartyId
    amount_minor: int
    since: int
    until: int | None
    at_stage: bool = False

    def integral(self, now: int) -> int:
        """Returns money times time so far, in fen times milliseconds."""
        return self.amount_minor * ((now if self.until is None else self.until) - self.since)


def yuan_days(integral: int) -> int:
    """Returns fen times milliseconds as fen times days, half a fen-day rounded up."""
    return (2 * integral + DAY_MS) // (2 * DAY_MS)


def stays_of(records: Iterable[InstructionRecord]) -> list[Stay]:
    """Finds all stays of a plan's money, from its instructions by number.

    Returns:
        By instruction that brought it, then by the one that it waits for.
    """
    rows = {record.n: record for record in records}
    fed: dict[int, list[InstructionRecord]] = {}
    for record in rows.values():
        for n in record.after:
            fed.setdefault(int(n), []).append(record)
    # What an intermediary pays once more it pays with the money that lies there.
    own = [
        row
        for row in rows.values()
        if row.pays and not row.after and row.status == InstructionStatus.POSTED
    ]
    stays: list[Stay] = []
    for leaf in rows.values():
        # Whoever stands in another's place tells of the same lots, and of no further money.
        if not leaf.kept or leaf.instead is not None:
            continue
        paid = _own_payment(leaf, own)
        path = _path_of(leaf, rows)
        for before, behind in pairwise(path):
            if before.posted_at is None:
                break
            gone = _onward(behind, leaf, fed[before.n])
            for since, left in _spans(before, gone):
                stays += _stays(
                    before,
                    leaf,
                    since=since,
                    left=left,
                    own=paid,
                    debtor=path[0].payer,
                    at_stage=behind.stage is not None,
                )
    return sorted(stays, key=lambda stay: (stay.n, stay.since, stay.beneficiary))


def gross_stays_of(records: Iterable[InstructionRecord]) -> list[Stay]:
    """Finds all money on intermediate accounts, what is the owner's own included.

    It counts whole from when it came until the last of what passes has left.
    """
    rows = list(records)
    last: dict[int, int | None] = {}
    for stay in stays_of(rows):
        known = last.get(stay.n, 0)
        last[stay.n] = None if known is None or stay.until is None else max(known, stay.until)
    return [
        Stay(
            account=row.payee_account,
            owner=row.payee,
            n=row.n,
            beneficiary=row.payee,
            amount_minor=row.amount,
            since=row.posted_at,
            until=row.returned_at if last[row.n] is None else last[row.n],
        )
        for row in rows
        if row.n in last and row.posted_at is not None
    ]


def peak_minor(stays: Sequence[Stay]) -> int:
    """Returns the most that lay on accounts at one moment, in minor units."""
    events = [(stay.since, stay.amount_minor) for stay in stays]
    events += [(stay.until, -stay.amount_minor) for stay in stays if stay.until is not None]
    most = now = 0
    # What leaves and comes in one moment does not lie in two places: take it off first.
    for _, amount in sorted(events):
        now += amount
        most = max(most, now)
    return most


def _path_of(
    leaf: InstructionRecord, rows: dict[int, InstructionRecord]
) -> list[InstructionRecord]:
    """Returns the instructions along which a payment comes, the debtor's first."""
    path = [leaf]
    while path[0].after:
        path.insert(0, rows[int(path[0].after[0])])
    return path


def _onward(
    behind: InstructionRecord, leaf: InstructionRecord, fed: Iterable[InstructionRecord]
) -> list[InstructionRecord]:
    """Returns what has taken a leaf's money on from an account, as it happened.

    That is as planned, another way, or back to the debtor.
    """
    lots = set(leaf.lots)
    gone = (
        row
        for row in fed
        if row.n == behind.n
        or not lots.isdisjoint(row.lots)
        or (row.instead == behind.n and not row.lots)
    )
    return sorted((row for row in gone if row.posted_at is not None), key=_posted_at)


def _posted_at(record: InstructionRecord) -> int:
    """Returns when an instruction was posted, or 0."""
    return record.posted_at or 0


def _spans(
    before: InstructionRecord, gone: Iterable[InstructionRecord]
) -> Iterator[tuple[int, int | None]]:
    """Yields from when to when money lay on an account: it may go on, and come back."""
    begins = before.posted_at
    for row in gone:
        if begins is None:
            return
        yield begins, row.posted_at
        begins = row.returned_at
    if begins is not None:
        yield begins, before.returned_at


def _own_payment(leaf: InstructionRecord, own: Iterable[InstructionRecord]) -> int | None:
    """Returns when the debtor has paid a leaf's holder itself, if it has."""
    lots = set(leaf.lots)
    paid = [
        _posted_at(row)
        for row in own
        if not lots.isdisjoint(row.lots) or (row.pays == Sort.AGAIN and row.instead == leaf.n)
    ]
    return min(paid, default=None)


def _stays(
    before: InstructionRecord,
    leaf: InstructionRecord,
    *,
    since: int,
    left: int | None,
    own: int | None,
    debtor: PartyId,
    at_stage: bool,
) -> list[Stay]:
    """Returns the holder's stay, and the debtor's behind it, if it has paid the holder itself."""
    turn = left if own is None or (left is not None and left <= own) else max(since, own)
    parts = [(leaf.payee, since, turn)]
    if turn is not None and turn != left:
        parts.append((debtor, turn, left))
    return [
        Stay(
            account=before.payee_account,
            owner=before.payee,
            n=before.n,
            beneficiary=party,
            amount_minor=leaf.kept,
            since=begins,
            until=ends,
            at_stage=at_stage,
        )
        for party, begins, ends in parts
        # A party that stands twice in a chain, or has a business account, holds its own there.
        if begins != ends and party != before.payee
    ]
