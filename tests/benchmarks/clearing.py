"""How many postings a second does clearing make, tier by tier and directly?

Vouchers of a thousand lots each, split down chains of up to five holders, fall due: those
of one day go along the tiers, those of another directly. Timed is the clearing package of
a day, from the database to files that survive a crash: compiling the plan, comparing each
route's outcome with what every lot's holder must get, hashing, and writing a posting for
each side of each movement of money and of each claim's end. It is done in one process, and
in turn by several beside the one that writes, whose start and opening of the store count.
Estimate: 3 microseconds a posting, so 300,000 a second.

The lots are no log's: their rows are written straight through the store, a commit of
synthetic entries for each 10,000 lots.

    python -m tests.benchmarks.clearing --lots 100000
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from hashlib import sha256
from itertools import islice, product
from pathlib import Path
from typing import Any, Final

from api.service import open_store
from clearing.due import stream_due
from clearing.package import Package, verify_package, write_package
from clearing.plan import Due
from clearing.shares import SharedDue
from registry.batch import Change
from registry.canonical import b64url_encode
from registry.ids import LotId, PartyId, Sid
from registry.merkle import hash_leaf
from registry.model import (
    ACCOUNTS,
    LOTS,
    MANDATES,
    VOUCHERS,
    Account,
    Lot,
    LotStatus,
    Mandate,
    Route,
    Voucher,
    VoucherStatus,
)
from registry.ports import Commit, LedgerStore, NewEntry
from registry.store.sql import SqlStore
from registry.tables import Minor, Table
from tests.benchmarks import workload
from tests.benchmarks.measure import machine, median, tell
from tests.benchmarks.transfers import TERMS, party_id
from tests.builders import uscc

DAYS: Final = {Route.TIERED: date(2025, 12, 1), Route.DIRECT: date(2025, 12, 2)}
CORES: Final = os.cpu_count() or 1
HOLDERS: Final = 5_000
LOTS_A_VOUCHER: Final = 1_000
AMOUNT: Final = 12_345
COMMIT: Final = 10_000
BANK: Final = uscc(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured.

    Attributes:
        tiered: Postings a second along the tiers, by all processes.
        direct: Lots a second on the direct route, by all processes.
        tiered_alone: The same in one process.
        direct_alone: The same in one process.
        cpu_us: Microseconds of CPU a lot, of everything together, by route and processes.
        postings: Number of postings along the tiers.
        lots: Number of lots on either route.
    """

    tiered: float
    direct: float
    tiered_alone: float
    direct_alone: float
    cpu_us: dict[str, float]
    postings: int
    lots: int


def _sid(*words: object) -> Sid:
    """Returns an id that looks like a statement's."""
    return Sid(b64url_encode(sha256(repr(words).encode()).digest()))


def _rows(lots: int) -> Iterator[tuple[Table[Any], Any]]:
    """Yields everything that is due on both days."""
    for number in range(HOLDERS + 1):
        account = _sid("account", number)
        owner = party_id(number)
        yield (
            ACCOUNTS,
            Account(
                account=account,
                owner=owner,
                bank=BANK,
                account_kind="settlement",
                digest=TERMS,
                verified=True,
            ),
        )
        mandate = _sid("mandate", number)
        yield MANDATES, Mandate(mandate=mandate, owner=owner, account=account)
    for route, day in DAYS.items():
        for first in range(0, lots, LOTS_A_VOUCHER):
            count = min(LOTS_A_VOUCHER, lots - first)
            yield from _voucher(route, day.isoformat(), first=first, count=count)


def _voucher(route: Route, due_on: str, *, first: int, count: int) -> Iterator[tuple[Any, Any]]:
    """Yields a voucher and its lots; party 0 is the debtor of all."""
    voucher = _sid("voucher", route, first)
    creditor = 1 + first // LOTS_A_VOUCHER % HOLDERS
    yield (
        VOUCHERS,
        Voucher(
            voucher=voucher,
            voucher_no=f"{route}-{first}",
            debtor=party_id(0),
            creditor=party_id(creditor),
            co_debtors=(),
            face=Minor(AMOUNT * count),
            discharged=Minor(0),
            cancelled=Minor(0),
            due_on=due_on,
            route=route,
            account=_sid("account", 0),
            mandate=_sid("mandate", 0),
            accept_by=0,
            status=VoucherStatus.ACTIVE,
            ordinal=first,
            lot_salt="A" * 22,
            policy=_sid("policy", 0),
            flags=(),
        ),
    )
    for n in range(count):
        chain = [creditor, *(_holder(creditor, level, n // 5**level) for level in (3, 2, 1, 0))]
        # Three in four have come all the way down, one in four stays somewhere above.
        chain = chain[: 5 if n % 4 else 2 + n // 4 % 3]
        path = tuple(map(party_id, chain))
        transfer = _sid("transfer", route, first + n)
        yield (
            LOTS,
            Lot(
                lot=LotId(f"{transfer}.2"),
                voucher=voucher,
                amount=Minor(AMOUNT),
                holder=PartyId(path[-1]),
                born=0,
                due_on=due_on,
                path=path,
                tier=len(path),
                acquired=transfer,
                account=_sid("account", chain[-1]),
                collection_route=True,
                recourse=False,
                acknowledged=False,
                status=LotStatus.FREE,
                salt="A" * 22,
            ),
        )


def _holder(creditor: int, level: int, place: int) -> int:
    """Returns who stands at a place of a level of a voucher's tree."""
    return 1 + (creditor + 7 * level + 11 * place) % HOLDERS


def fill(store: LedgerStore, *, lots: int) -> None:
    """Writes the rows, under entries that stand for those that would have brought them."""
    epoch, size = store.acquire(), 0
    rows = _rows(lots)
    while some := list(islice(rows, COMMIT)):
        changes = [
            Change(index=size, table=table, key=table.key_of(row), row=row) for table, row in some
        ]
        data = b'{"index":%d,"kind":"synthetic"}' % size
        entry = NewEntry(
            index=size,
            time=0,
            kind="synthetic",
            leaf_hash=hash_leaf(data),
            data=data,
            sid=None,
            by=None,
            id=None,
        )
        commit = Commit(entries=[entry], changes=changes, tiles=[])
        store.append(commit, expected_size=size, epoch=epoch)
        size += 1


def clear(
    database: str, route: Route, directory: Path, *, lots: int, jobs: int
) -> tuple[Package, float, float]:
    """Writes the package of a day; returns it, and seconds of the clock and of CPU it took.

    Raises:
        AssertionError: It does not pay what is due.
    """
    with due_on_day(database, route, jobs=jobs) as due:
        start, cpu = time.perf_counter(), _cpu_s()
        package = write_package(directory, due, due_on=DAYS[route], pay_on=DAYS[route])
        seconds, cpu = time.perf_counter() - start, _cpu_s() - cpu
    totals = package.totals
    assert (totals.lots, totals.total_minor) == (lots, AMOUNT * lots), totals
    assert package.postings == 2 * (totals.instructions + lots), package.postings
    with (directory / "accounts.ndjson").open() as file:
        left = [json.loads(line) for line in file]
    paid = sum(int(a["credited"]) for a in left if a["account"].startswith("claims:"))
    banked = sum(
        int(a["debited"]) - int(a["credited"]) for a in left if a["account"].startswith("bank:")
    )
    assert (paid, banked) == (AMOUNT * lots, 0), (paid, banked)
    return package, seconds, cpu


@contextmanager
def due_on_day(database: str, route: Route, *, jobs: int) -> Iterator[Due | SharedDue]:
    """Gives what is due: read by this process from an open store, or by others."""
    day = DAYS[route]
    if jobs:
        yield SharedDue(open_store=partial(open_store, database), due_on=day, jobs=jobs)
        return
    store = open_store(database)
    try:
        yield stream_due(store, day)
    finally:
        _close(store)


def _close(store: LedgerStore) -> None:
    """Closes what can be closed."""
    if isinstance(store, SqlStore):
        store.close()


def _cpu_s() -> float:
    """Returns seconds of CPU of this process and of those that it started and that ended."""
    return sum(os.times()[:4])


def measure(
    *, lots: int, repeats: int = 3, jobs: int = CORES, cache: Path = workload.CACHE
) -> Figures:
    """Clears both days, in turn, alone and by several processes.

    One package of each route is verified byte for byte, and all are the same.
    """
    cache.mkdir(parents=True, exist_ok=True)
    rates: dict[tuple[Route, int], list[float]] = defaultdict(list)
    cpu_us: dict[tuple[Route, int], list[float]] = defaultdict(list)
    made: dict[Route, Package] = {}
    with tempfile.TemporaryDirectory(prefix="clearing-", dir=cache) as place:
        database = f"sqlite:///{place}/ledger.db"
        store = open_store(database)
        fill(store, lots=lots)
        _close(store)
        for repeat in range(repeats):
            for route, several in product(DAYS, (0, jobs)):
                directory = Path(place) / "package"
                package, seconds, cpu = clear(database, route, directory, lots=lots, jobs=several)
                count = package.postings if route is Route.TIERED else lots
                rates[route, several].append(count / seconds)
                cpu_us[route, several].append(cpu / lots * 1e6)
                assert made.setdefault(route, package) == package
                if not repeat and several:
                    _verify(database, route, directory, made[route])
                shutil.rmtree(directory)
    return Figures(
        tiered=median(rates[Route.TIERED, jobs]),
        direct=median(rates[Route.DIRECT, jobs]),
        tiered_alone=median(rates[Route.TIERED, 0]),
        direct_alone=median(rates[Route.DIRECT, 0]),
        cpu_us={f"{route}-{n or 'alone'}": median(found) for (route, n), found in cpu_us.items()},
        postings=made[Route.TIERED].postings,
        lots=lots,
    )


def _verify(database: str, route: Route, directory: Path, package: Package) -> None:
    """Verifies a package that several processes wrote in one."""
    with due_on_day(database, route, jobs=0) as due:
        again = verify_package(directory, due, due_on=DAYS[route], pay_on=DAYS[route])
    assert again == package


def main() -> None:
    """Measures and prints both routes."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.clearing")
    parser.add_argument("--lots", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=CORES, help="processes beside the writing one")
    parser.add_argument("--cache", type=Path, default=workload.CACHE)
    given = parser.parse_args()
    tell(**machine())
    found = measure(lots=given.lots, repeats=given.repeats, jobs=given.jobs, cache=given.cache)
    tell(
        lots=found.lots,
        tiered_postings=found.postings,
        tiered_postings_per_s=found.tiered,
        direct_lots_per_s=found.direct,
        tiered_postings_per_s_alone=found.tiered_alone,
        direct_lots_per_s_alone=found.direct_alone,
        cpu_us_a_lot=found.cpu_us,
        jobs=given.jobs,
        repeats=given.repeats,
        fsync=True,
    )


if __name__ == "__main__":
    main()
