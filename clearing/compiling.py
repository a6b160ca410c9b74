"""A due date's plan and postings as bytes, batch by batch, and what they come to.

An instruction's number depends on how many stand before it, which is all that one batch
need know of another: `take` tells it, and is a count here and a relay between processes
in `clearing.shares`.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from clearing.books import Booking, Books, encode_lines
from clearing.plan import Due, format_instructions, route_batches
from clearing.routes import Instruction, instruct
from clearing.totals import Totals

Take = Callable[[int], int]
"""Takes as many of the plan's numbers as it is told; returns the first of them."""


class Part(NamedTuple):
    """What a batch of vouchers adds to the files: instructions, and lines of postings."""

    instructions: bytes
    postings: bytes


class Sums:
    """What a plan amounts to, and leaves on accounts."""

    def __init__(self) -> None:
        """Starts at nothing."""
        self.totals = Totals()
        self.books = Books()

    def add(self, other: "Sums") -> None:
        """Adds what others come to."""
        self.totals.add(other.totals)
        self.books.add(other.books)


def compile_due(due: Due, sums: Sums, take: Take) -> Iterator[Part]:
    """Yields the bytes of one batch after the other; no other is in memory.

    Args:
        due: What is due.
        sums: Is added to.
        take: Numbers the instructions.

    Raises:
        InvariantBrokenError: As `clearing.plan.route_batches`.
        HeadMovedError: As `clearing.due.stream_due`.
    """
    for batch in route_batches(due, sums.totals):
        n = take(sum(len(each.steps) for each in batch))
        instructions: list[Instruction] = []
        bookings: list[Booking] = []
        for voucher, _, steps in batch:
            orders = instruct(voucher, steps, first=n, places=due.places)
            bookings += sums.books.book(voucher, steps, orders)
            instructions += orders
            n += len(orders)
        yield Part(format_instructions(instructions), encode_lines(bookings))


def count_from_zero() -> Take:
    """Returns what numbers all instructions of a plan, one batch after the other."""
    taken = 0

    def take(count: int) -> int:
        nonlocal taken
        taken += count
        return taken - count

    return take
