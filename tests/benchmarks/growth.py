"""Does a long log make the server slower, its start longer, its memory larger?

The built ledger is served beside a copy to which so many entries were added, and both are
measured in turn. To add them, admission is left out: statements are signed but not
verified, decided and folded by the rulebook's own code over rows in memory, and written
straight through the store in commits of ten thousand. So every entry is what a server
would have written, and an audit accepts the log. Estimate: no difference.

    python -m tests.benchmarks.growth --parties 1000 --lots 10000 --entries 50000
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.service import open_store
from clearing.rulebook import RULEBOOK
from registry.batch import Change
from registry.effects import Seal, apply, format_effects
from registry.entries import Entry, seal_entry
from registry.logtree import LogTree
from registry.merkle import hash_leaf
from registry.model import ACCOUNTS, BUCKETS, CONSENTS, LEDGER, LOTS, NOTICES, PARTIES, VOUCHERS
from registry.ports import Commit, LedgerStore, NewEntry
from registry.rules.transfers import TransferOffer
from registry.statements import Now, Statement
from registry.store.sql import SqlStore
from registry.tables import Key, Table, Value
from tests.benchmarks import driving, workload, write_path
from tests.benchmarks.driving import Figures
from tests.benchmarks.measure import machine, median, server, tell
from tests.benchmarks.transfers import TIME_MS, Scale, Transfer, offer_body, party_id, party_key
from tests.benchmarks.workload import Built
from tests.builders import ORIGIN

COMMIT: Final = 10_000
PHASES: Final = ("256", "bulk")
MOVES_MAX: Final = 60
"""A lot can be assigned 64 times, and some of these are needed for measuring."""


class _Rows:
    """Live rows in memory that remember what was changed; notices are written, not kept."""

    def __init__(self, store: LedgerStore) -> None:
        self.index = 0
        self.changes: list[Change] = []
        tables: tuple[Table[Any], ...] = (
            *(LEDGER, PARTIES, ACCOUNTS, CONSENTS),
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


def _statement_of(transfer: Transfer) -> Statement[TransferOffer]:
    """Returns a statement as admission would have."""
    signer = party_key(transfer.assignor).public
    offer = offer_body(transfer.lot, transfer.amount, transfer.assignee)
    return Statement(
        text=transfer.text,
        sid=transfer.sid,
        kind="transfer.offer",
        kid=signer.kid,
        by=party_id(transfer.assignor),
        aud=ORIGIN,
        id=transfer.id,
        iat=TIME_MS // 1000,
        exp=TIME_MS // 1000 + 3_600,
        body=TransferOffer.model_validate(offer),
    )


def grow(built: Built, *, entries: int) -> Built:
    """Adds entries to a ledger, each a whole lot passed on, and signs the longer log."""
    store = open_store(built.database)
    epoch, size = store.acquire(), store.size()
    tree = LogTree(lambda level, index: store.tile(level=level, index=index), size)
    previous = next(iter(store.leaf_hashes(size - 1, size)))
    book, rows = built.book("grow"), _Rows(store)
    for first in range(0, entries, COMMIT):
        rows.changes = []
        tree = tree.fork()
        new: list[NewEntry] = []
        for transfer in book.transfers(min(COMMIT, entries - first), whole=True):
            made = _seal(rows, transfer, index=size + len(new), previous=previous)
            previous = made.leaf_hash
            tree.append(previous)
            new.append(made)
        commit = Commit(entries=new, changes=rows.changes, tiles=tree.tiles())
        store.append(commit, expected_size=size, epoch=epoch)
        size += len(new)
    workload.sign(store, built.directory)
    if isinstance(store, SqlStore):
        store.close()
    return Built(
        directory=built.directory,
        database=built.database,
        scale=built.scale,
        size=size,
        holdings=list(book.holdings),
    )


def _seal(rows: _Rows, transfer: Transfer, *, index: int, previous: bytes) -> NewEntry:
    """Decides a transfer, seals its entry and folds it."""
    statement = _statement_of(transfer)
    rows.index = index
    now = Now(index=index, time=TIME_MS, ledger=rows.get(LEDGER, "ledger"))
    effects = RULEBOOK.kinds[statement.kind].decide(rows, statement, now)
    entry = Entry(
        index=index,
        time=TIME_MS,
        kind=statement.kind,
        origin=ORIGIN,
        previous=previous,
        statement=statement.text,
        effects_json=format_effects(effects),
    )
    data = seal_entry(entry)
    leaf_hash = hash_leaf(data)
    seal = Seal(index=index, time=TIME_MS, leaf_hash=leaf_hash, statement=statement.text)
    apply(rows, effects, seal)
    return NewEntry(
        index=index,
        time=TIME_MS,
        kind=statement.kind,
        leaf_hash=leaf_hash,
        data=data,
        sid=statement.sid,
        by=statement.by,
        id=statement.id,
    )


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
        both = [stack.enter_context(write_path.on_sqlite(scale, cache=cache)) for _ in range(2)]
        both[1] = grow(both[1], entries=entries)
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
