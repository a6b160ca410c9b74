"""Measures one server with transfers: phases, figures, medians. The clock is in `load`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tests.benchmarks import load, written
from tests.benchmarks.load import Answer
from tests.benchmarks.measure import Server, median, server
from tests.benchmarks.transfers import Book, Transfer, bulk_request, single_request
from tests.benchmarks.workload import Built
from tests.builders import ORIGIN

BULK_LINES: Final = 1_000
BULK_CLIENTS: Final = 2
WARM_UP: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One way of sending: so many clients, so many statements in all, so many a request."""

    name: str
    clients: int
    statements: int
    lines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one phase came to, once.

    Attributes:
        rate: Statements a second.
        p50_ms: Wait of a request, median.
        p99_ms: Wait of a request, 99th percentile.
        server_us: CPU time of the server's processes a statement, in microseconds.
        client_us: CPU time of the load generator a statement, in microseconds.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    server_us: float
    client_us: float


def phases(seconds: float) -> tuple[Phase, ...]:
    """Returns the phases; at the rates of the estimate each takes about so many seconds."""
    lines = min(int(BULK_LINES * 2 * seconds), BULK_LINES)
    return (
        Phase(name="1", clients=1, statements=int(600 * seconds)),
        Phase(name="32", clients=32, statements=int(2_500 * seconds)),
        Phase(name="256", clients=256, statements=int(3_000 * seconds)),
        Phase(
            name="bulk",
            clients=BULK_CLIENTS,
            statements=max(int(3 * seconds), BULK_CLIENTS) * lines,
            lines=lines,
        ),
    )


class Ways(Protocol):
    """How transfers are said to a server, and what it must answer."""

    def request_of(self, transfer: Transfer) -> bytes:
        """Returns the request of a transfer."""

    def verify_answer(self, transfer: Transfer, answer: Answer) -> None:
        """Checks an answer; raises AssertionError if it is wrong."""


class Opponent(Ways, Protocol):
    """A program that does the same business, as its module."""

    __name__: str

    def fill(self, database: str, built: Built) -> None:
        """Fills an empty database with the facts of a built ledger."""

    def verify_written(self, database: str, built: Built, sent: Sequence[Transfer]) -> None:
        """Checks what was written; raises AssertionError if it is wrong."""


class Registry:
    """The ways of the registry."""

    def request_of(self, transfer: Transfer) -> bytes:
        """Returns the request of a transfer."""
        return single_request(transfer)

    def verify_answer(self, transfer: Transfer, answer: Answer) -> None:
        """Checks an answer."""
        written.verify_answer(transfer, answer)


class Run:
    """A server under measurement, and what was sent to it."""

    def __init__(self, running: Server, book: Book, ways: Ways) -> None:
        """Takes a server that answers, the lots that it holds, and how to say it."""
        self.running = running
        self.sent: list[Transfer] = []
        self.runs: dict[str, list[Figures]] = {}
        self._book = book
        self._ways = ways
        self._measure(Phase(name="warm-up", clients=32, statements=min(WARM_UP, book.scale.lots)))

    def take(self, phase: Phase) -> Figures:
        """Measures a phase once more, and checks every answer."""
        found = self._measure(phase)
        self.runs.setdefault(phase.name, []).append(found)
        return found

    def medians(self) -> dict[str, Figures]:
        """Returns the median of each figure of each phase."""
        return {
            phase: Figures(
                **{name: median([getattr(run, name) for run in runs]) for name in Figures.__slots__}
            )
            for phase, runs in self.runs.items()
        }

    def _measure(self, phase: Phase) -> Figures:
        """Sends as many transfers as a phase wants, in its way."""
        transfers = self._book.transfers(phase.statements)
        self.sent += transfers
        size = phase.lines or 1
        parts = [transfers[at : at + size] for at in range(0, len(transfers), size)]
        if phase.lines:
            requests = [*map(bulk_request, parts)]
        else:
            requests = [*map(self._ways.request_of, transfers)]
        before = self.running.cpu_seconds()
        sent = load.run(self.running.port, requests, clients=phase.clients)
        used = self.running.cpu_seconds() - before
        for part, answer in zip(parts, sent.answers, strict=True):
            if phase.lines:
                written.verify_bulk_answer(part, answer)
            else:
                self._ways.verify_answer(part[0], answer)
        return Figures(
            rate=len(transfers) / sent.seconds,
            p50_ms=sent.wait_ms(0.5),
            p99_ms=sent.wait_ms(0.99),
            server_us=used / len(transfers) * 1e6,
            client_us=sent.cpu_seconds / len(transfers) * 1e6,
        )


@contextmanager
def registry(
    built: Built,
    *,
    module: str = "api.server",
    options: Sequence[str] = (),
) -> Iterator[Run]:
    """Serves a built ledger to be measured; when it has stopped, checks what was written."""
    with server(
        built.directory, built.database, origin=ORIGIN, module=module, options=options
    ) as running:
        run = Run(running, built.book("write"), Registry())
        yield run
    written.verify_written(built, run.sent)


@contextmanager
def opponent(
    which: Opponent, built: Built, directory: Path, *, options: Sequence[str] = ()
) -> Iterator[Run]:
    """Serves an opponent with the same facts; when it has stopped, checks what was written."""
    database = f"sqlite:///{directory / 'opponent.db'}"
    which.fill(database, built)
    with server(
        directory, database, origin=ORIGIN, module=which.__name__, options=options
    ) as running:
        run = Run(running, built.book("write"), which)
        yield run
    which.verify_written(database, built, run.sent)
