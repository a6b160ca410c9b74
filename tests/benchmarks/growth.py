"""Does a long log make the server slower, its start longer, its memory larger?

The built ledger is served beside a copy to which so many entries were added, and both are
measured in turn. To add them, admission is left out: statements are signed but not
verified, decided and folded by the rulebook's own code over rows in memory, and written
straight through the store in commits of ten thousand, a day between them. So every entry is
what a server would have written, and an audit accepts the log. It is kept, like the ledger
that it was made of. Estimate: no difference.

    python -m tests.benchmarks.growth --parties 1000 --lots 10000 --entries 50000
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, Final

from api.service import open_store
from clearing.rulebook import RULEBOOK
from registry.batch import Change
from registry.effects import Seal, apply, format_effects
from registry.entries import Entry, seal_entry
from registry.inboxes import INBOXES, NOTICES
from registry.logtree import LogTree
from registry.merkle import hash_leaf
from registry.model import (
    ACCOUNTS,
    BUCKETS,
    CONSENTS,
    LEDGER,
    LOTS,
    PARTIES,
    POLICIES,
    VOUCHERS,
)
from registry.ports import Commit, LedgerStore, NewEntry
from registry.rules.transfers import TransferOffer
from registry.statements import Now, Statement, admit
from registry.store.sql import SqlStore
from registry.tables import Key, Table, Value
from registry.writer import StoredKeys
from tests.benchmarks import driving, workload, write_path
from tests.benchmarks.driving import Figures
from tests.benchmarks.measure import machine, median, server, tell
from tests.benchmarks.transfers import (
    Book,
    Hand,
    Holding,
    Scale,
    Transfer,
    offer_body,
    party_id,
    party_key,
)
from tests.benchmarks.workload import Built
from tests.builders import ORIGIN, key_of, uscc

COMMIT: Final = 10_000
DAYS_MAX: Final = 100
"""The vouchers must not fall due."""
DAY_MS: Final = 25 * 3_600_000
"""A little more than a day, so that no statement of the day before can still be sealed."""
OPERATOR: Final = uscc(1)
PHASES: Final = ("256", "bulk")
MOVES_MAX: Final = 60
"""A lot can be assigned 64 times, and some of these are needed for measuring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown(Built):
    """A ledger whose clock has moved on since it was built."""

    time_ms: int

    def book(self, name: str) -> Book:
        """Returns its free lots, to be transferred now."""
        book = Book(self.scale, self.holdings, name=name)
        book.hand.time_ms = self.time_ms
        return book


class _Rows:
    """Live rows in memory that remember what was changed; notices are written, not kept."""

    def __init__(self, store: LedgerStore) -> None:
        self.index = 0
        self.changes: list[Change] = []
        tables: tuple[Table[Any], ...] = (
            *(LEDGER, POLICIES, PARTIES, INBOXES, ACCOUNTS, CONSENTS),
            *(LOTS, BUCKETS, VOUCHERS),
        )
        self._rows: dict[tuple[str, Key], Any] = {
            (table.name, table.key_of(row)): row for table in tables for row in store.select(table)
        }

    def get(self, table: Table[Any], *key: Value) -> Any | None:
        """Returns a row or None."""
        return self._rows.get((table.name, key))

    def where(self, table: Table[Any], field: str, value: Value) -> tuple[Any, ...]:
        """Is asked by no offer."""
        raise NotImplementedError

    def add(self, table: Table[Any], row: Any) -> None:
        """Writes a new row."""
        self.put(table, row)

    def put(self, table: Table[Any], row: Any) -> None:
        """Writes a row."""
        key = table.key_of(row)
        if table is not NOTICES:
            self._rows[table.name, key] = row
        self.changes.append(Change(index=self.index, table=table, key=key, row=row))

    def delete(self, table: Table[Any], *key: Value) -> None:
        """Ends a row."""
        del self._rows[table.name, key]
        self.changes.append(Change(index=self.index, table=table, key=key, row=None))


class _Growing:
    """A store, and what is needed to add entries to it."""

    def __init__(self, store: LedgerStore, book: Book) -> None:
        self.size = store.size()
        self._store = store
        self._epoch = store.acquire()
        self._book = book
        self._clock = Hand("clock of growth")
        self._keys = StoredKeys(store)
        self._rows = _Rows(store)
        self._tree = LogTree(lambda level, index: store.tile(level=level, index=index), self.size)
        self._previous = next(iter(store.leaf_hashes(self.size - 1, self.size)))

    def add(self, count: int, *, next_day: bool) -> None:
        """Passes so many whole lots on, and moves the clock to the next day after them."""
        self._rows.changes, self._tree = [], self._tree.fork()
        statements = [self._statement_of(each) for each in self._book.transfers(count, whole=True)]
        new = [self._seal(statement) for statement in statements]
        if next_day:
            then = self._clock.time_ms + DAY_MS
            text = self._clock.sign(key_of("operator"), OPERATOR, "clock.set", {"time": then})
            new.append(
                self._seal(admit(text, kinds=RULEBOOK.kinds, origin=ORIGIN, keys=self._keys))
            )
            self._clock.time_ms = self._book.hand.time_ms = then
        commit = Commit(entries=new, changes=self._rows.changes, tiles=self._tree.tiles())
        self._store.append(commit, expected_size=self.size - len(new), epoch=self._epoch)

    def _statement_of(self, transfer: Transfer) -> Statement[TransferOffer]:
        """Returns a statement as admission would have."""
        signer = party_key(transfer.assignor).public
        offer = offer_body(transfer.lot, transfer.amount, transfer.assignee)
        now = self._book.hand.time_ms // 1000
        return Statement(
            text=transfer.text,
            sid=transfer.sid,
            kind="transfer.offer",
            kid=signer.kid,
            by=party_id(transfer.assignor),
            aud=ORIGIN,
            id=transfer.id,
            iat=now,
            exp=now + 3_600,
            body=TransferOffer.model_validate(offer),
        )

    def _seal(self, statement: Statement[Any]) -> NewEntry:
        """Decides a statement, seals its entry and folds it."""
        rows, index, time = self._rows, self.size, self._clock.time_ms
        rows.index = index
        now = Now(index=index, time=time, ledger=rows.get(LEDGER, "ledger"))
        effects = RULEBOOK.kinds[statement.kind].decide(rows, statement, now)
        entry = Entry(
            index=index,
            time=time,
            kind=statement.kind,
            origin=ORIGIN,
            previous=self._previous,
            statement=statement.text,
            effects_json=format_effects(effects),
        )
        data = seal_entry(entry)
        self._previous = leaf_hash = hash_leaf(data)
        self._tree.append(leaf_hash)
        self.size += 1
        apply(rows, effects, Seal(
            index=index, time=time, leaf_hash=leaf_hash, statement=statement.text
        ))  # fmt: skip
        return NewEntry(
            index=index,
            time=time,
            kind=statement.kind,
            leaf_hash=leaf_hash,
            data=data,
            sid=statement.sid,
            by=statement.by,
            id=statement.id,
        )


def grow(built: Built, *, entries: int) -> Grown:
    """Adds entries to a ledger, each a whole lot passed on, and signs the longer log."""
    store, book = open_store(built.database), built.book("grow")
    growing = _Growing(store, book)
    commits = -(-entries // COMMIT)
    for number in range(commits):
        first = number * COMMIT
        # Days are spread over the commits, so that statements are remembered for a few of them.
        days = [DAYS_MAX * at // commits for at in (number, number + 1)]
        growing.add(min(COMMIT, entries - first), next_day=commits <= DAYS_MAX or days[0] < days[1])
    workload.sign(store, built.directory)
    if isinstance(store, SqlStore):
        store.close()
    return Grown(
        directory=built.directory,
        database=built.database,
        scale=built.scale,
        size=growing.size,
        holdings=list(book.holdings),
        time_ms=book.hand.time_ms,
    )


def cached(scale: Scale, *, entries: int, cache: Path) -> Grown:
    """Returns the longer ledger, made now unless it was made before; never write to it."""
    built = workload.cached(scale, cache=cache)
    place = cache / f"{built.directory.name}-{entries}-more"
    if not (place / "grown.json").exists():
        fresh = Path(tempfile.mkdtemp(prefix="building-", dir=cache))
        made = grow(workload.copy(built, fresh), entries=entries)
        facts = {
            "size": made.size,
            "time_ms": made.time_ms,
            "holdings": [astuple(each) for each in made.holdings],
        }
        (fresh / "grown.json").write_text(json.dumps(facts))
        fresh.rename(place)
    facts = json.loads((place / "grown.json").read_text())
    return Grown(
        directory=place,
        database=f"sqlite:///{place / 'ledger.db'}",
        scale=scale,
        size=facts["size"],
        holdings=[Holding(*each) for each in facts["holdings"]],
        time_ms=facts["time_ms"],
    )


def copy(grown: Grown, directory: Path) -> Grown:
    """Copies a longer ledger."""
    there = workload.copy(grown, directory)
    return replace(grown, directory=there.directory, database=there.database)


# --- Measuring -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two ledgers."""

    entries: int
    start_s: float
    peak_bytes: int
    figures: dict[str, Figures]


def start_seconds(built: Built, *, repeats: int, options: Sequence[str]) -> float:
    """Returns how long the server takes from its start to its first answer."""
    seconds = []
    for _ in range(repeats):
        with server(built.directory, built.database, origin=ORIGIN, options=options) as running:
            seconds.append(running.start_seconds)
    return median(seconds)


def measure(
    scale: Scale,
    *,
    entries: int,
    repeats: int = 3,
    seconds: float = 1.0,
    cache: Path = workload.CACHE,
    options: Sequence[str] = (),
) -> tuple[Side, Side]:
    """Measures the ledger as it was built, and with so many entries more."""
    if entries > MOVES_MAX * scale.lots:
        raise ValueError(f"{scale.lots} lots can move {MOVES_MAX} times each, not {entries} in all")
    phases = [phase for phase in driving.phases(seconds) if phase.name in PHASES]
    with ExitStack() as stack:
        grown = cached(scale, entries=entries, cache=cache)
        both: list[Built] = [stack.enter_context(write_path.on_sqlite(scale, cache=cache))]
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=cache))
        both.append(copy(grown, Path(place)))
        starts = [start_seconds(built, repeats=repeats, options=options) for built in both]
        runs = [stack.enter_context(driving.registry(built, options=options)) for built in both]
        for _ in range(repeats):
            for phase in phases:
                for run in runs:
                    run.take(phase)
        peaks = [run.running.peak_bytes() for run in runs]
    short, long = (
        Side(entries=built.size, start_s=start, peak_bytes=peak, figures=run.medians())
        for built, start, peak, run in zip(both, starts, peaks, runs, strict=True)
    )
    return short, long


def main() -> None:
    """Measures and prints both sides."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth")
    workload.add_scale(parser)
    parser.add_argument("--entries", type=int, default=50_000, help="how many more")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="about, for each phase")
    given = parser.parse_args()
    tell(**machine())
    sides = measure(
        workload.scale_of(given),
        entries=given.entries,
        repeats=given.repeats,
        seconds=given.seconds,
        cache=given.cache,
    )
    for side in sides:
        tell(
            entries=side.entries,
            start_s=side.start_s,
            peak_mib=side.peak_bytes / 2**20,
            **{f"rate_{name}": figures.rate for name, figures in side.figures.items()},
            **{f"server_us_{name}": figures.server_us for name, figures in side.figures.items()},
            fsync=True,
        )


if __name__ == "__main__":
    main()
