"""How long does a trustee's snapshot take, from the database to files that are verified?

Every lot is sold to one trust vehicle, whose trustee then asks for a state entry. Timed
are: finding what that entry commits to of every bucket, writing the snapshot's files, and
verifying them as a stranger would. Estimate: 4 microseconds to read a lot, as much to
hash and format it, as much to verify it; 3 for each bucket of the ledger.

    python -m tests.benchmarks.snapshot --parties 1000 --lots 10000
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.service import open_store
from registry.canonical import Json
from registry.entries import open_entry
from registry.ids import PartyId
from registry.ports import LedgerStore
from registry.proofs import verify_snapshot_files
from registry.snapshots import Prover
from registry.store.sql import SqlStore
from tests.benchmarks import workload, write_path
from tests.benchmarks.measure import machine, median, tell
from tests.benchmarks.transfers import TERMS, Hand, Holding, Scale, offer_body, party_id, party_key
from tests.benchmarks.workload import Built, Sealer
from tests.builders import ORIGIN, admission, key_of, uscc

TRUSTEE: Final = uscc(5)
VEHICLE: Final = PartyId(f"{TRUSTEE}#T1")
BANK: Final = uscc(3)
REGISTRAR: Final = uscc(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured, in seconds."""

    rows: int
    prove_s: float
    write_s: float
    verify_s: float

    @property
    def rate(self) -> float:
        """Rows a second, from the database to verified files."""
        return self.rows / (self.prove_s + self.write_s + self.verify_s)


def found_vehicle(sealer: Sealer, hand: Hand) -> None:
    """Admits a trustee and its vehicle, with an account and a standing consent to purchases."""
    key, registrar = key_of("trustee"), key_of("registrar")

    def seal(text: str) -> str:
        return sealer.seal([text])[0]

    def admit(made: str, role: str) -> None:
        seal(hand.sign(registrar, REGISTRAR, "party.admit", admission(role), re=made))

    body: dict[str, Json] = {"name": "trustee", "key": {**key.public.jwk()}}
    admit(seal(hand.sign(key, TRUSTEE, "party.register", body)), "trustee")
    body = {"vehicle": VEHICLE, "name": "T1"}
    admit(seal(hand.sign(key, TRUSTEE, "vehicle.register", body)), "vehicle")
    body = {"bank": BANK, "account_kind": "trust", "terms": TERMS}
    account = seal(hand.sign(key, VEHICLE, "account.register", body))
    seal(hand.sign(key_of("bank"), BANK, "account.verify", {}, re=account))
    body = {"purpose": "securitise", "account": account, "collection_route": True}
    seal(hand.sign(key, VEHICLE, "consent.grant", body))


def sell_all(store: LedgerStore, built: Built) -> int:
    """Sells every lot to the vehicle; returns the index of the state entry asked for then."""
    sealer, hand = Sealer(store), Hand("snapshot")
    found_vehicle(sealer, hand)

    def sale(held: Holding) -> str:
        body = offer_body(held.lot, held.amount, 0)
        body |= {"assignee": VEHICLE, "purpose": "securitise", "form": "sale-to-plan"}
        return hand.sign(party_key(held.holder), party_id(held.holder), "transfer.offer", body)

    sealer.seal(map(sale, built.holdings))
    sealer.seal([hand.sign(key_of("trustee"), VEHICLE, "snapshot.request", {})])
    index = store.size() - 1
    entry = open_entry(next(iter(store.entries(index, index + 1))))
    assert entry.kind == "state", entry.kind
    return index


def take(
    store: LedgerStore, *, note: str, state: int, built: Built, directory: Path, jobs: int = 1
) -> Figures:
    """Takes a snapshot and verifies its files.

    Raises:
        AssertionError: It does not hold every lot, or the sum is another one.
    """
    start = time.perf_counter()
    prover = Prover(store, state_index=state, family="holder")
    proved = time.perf_counter()
    rows = prover.write_snapshot(directory, note, VEHICLE)
    wrote = time.perf_counter()
    holding = verify_snapshot_files(directory, origin=ORIGIN, key=key_of("log").public, jobs=jobs)
    verified = time.perf_counter()
    total = sum(held.amount for held in built.holdings)
    assert rows == holding.count == len(built.holdings), (rows, holding.count)
    assert (holding.bucket, holding.total) == (VEHICLE, total), holding
    return Figures(
        rows=rows, prove_s=proved - start, write_s=wrote - proved, verify_s=verified - wrote
    )


def measure(
    scale: Scale, *, repeats: int = 3, jobs: int = 1, cache: Path = workload.CACHE
) -> Figures:
    """Sells all lots of a copy of the built ledger to a vehicle, and takes its snapshot."""
    with write_path.on_sqlite(scale, cache=cache) as built:
        store = open_store(built.database)
        state = sell_all(store, built)
        note = workload.sign(store, built.directory)
        runs = []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory(dir=built.directory) as directory:
                place = Path(directory) / "snapshot"
                runs.append(
                    take(store, note=note, state=state, built=built, directory=place, jobs=jobs)
                )
        if isinstance(store, SqlStore):
            store.close()
    return Figures(
        rows=runs[0].rows,
        prove_s=median([run.prove_s for run in runs]),
        write_s=median([run.write_s for run in runs]),
        verify_s=median([run.verify_s for run in runs]),
    )


def main() -> None:
    """Measures and prints a snapshot."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.snapshot")
    workload.add_scale(parser)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="processes that verify")
    given = parser.parse_args()
    tell(**machine())
    found = measure(
        workload.scale_of(given), repeats=given.repeats, jobs=given.jobs, cache=given.cache
    )
    tell(
        rows=found.rows,
        rows_per_s=found.rate,
        prove_s=found.prove_s,
        write_s=found.write_s,
        verify_s=found.verify_s,
        repeats=given.repeats,
        jobs=given.jobs,
    )


if __name__ == "__main__":
    main()
