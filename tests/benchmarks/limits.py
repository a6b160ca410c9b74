"""What is the most that this machine could do, were everything else free?

Ed25519 verifications a second by library, on one core and on all (a process each, because
one of the libraries has kept the interpreter's lock in some versions); SHA-256; waiting
for the disk; rows of whole transfers into SQLite, by how many share a commit. Estimate:
9,000 and 18,000 verifications a second and core, 0.1 ms for the disk.

    python -m tests.benchmarks.limits --seconds 1
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

import pysqlite3
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from nacl import bindings

from tests.benchmarks.measure import machine, median, tell

MESSAGE: Final = b"m" * 700
"""About as long as what is signed of a transfer."""
OPENSSL: Final = "cryptography (OpenSSL)"
SODIUM: Final = "PyNaCl (libsodium)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What was measured.

    Attributes:
        verify_core: Verifications a second on one core, by library.
        verify_all: Verifications a second on all cores, by library.
    """

    verify_core: dict[str, float]
    verify_all: dict[str, float]


def openssl() -> Callable[[], object]:
    """Returns one verification with OpenSSL."""
    secret = Ed25519PrivateKey.from_private_bytes(bytes(32))
    signature = secret.sign(MESSAGE)
    key = Ed25519PublicKey.from_public_bytes(secret.public_key().public_bytes_raw())
    return lambda: key.verify(signature, MESSAGE)


def sodium() -> Callable[[], object]:
    """Returns one verification with libsodium."""
    secret = Ed25519PrivateKey.from_private_bytes(bytes(32))
    signed = secret.sign(MESSAGE) + MESSAGE
    raw = secret.public_key().public_bytes_raw()
    return lambda: bindings.crypto_sign_open(signed, raw)


LIBRARIES: Final = {OPENSSL: openssl, SODIUM: sodium}


def rate_of(call: Callable[[], object], *, seconds: float) -> float:
    """Returns how often a second something can be done in this thread."""
    for _ in range(50):
        call()
    done = 0
    start = time.perf_counter()
    end = start + seconds
    while (now := time.perf_counter()) < end:
        for _ in range(50):
            call()
        done += 50
    return done / (now - start)


def _rate_in_process(library: str, seconds: float, barrier: Barrier, rates: Any) -> None:
    """Puts a rate into a queue; all processes begin together."""
    call = LIBRARIES[library]()
    barrier.wait()
    rates.put(rate_of(call, seconds=seconds))


def rate_on_all_cores(library: str, *, seconds: float) -> float:
    """Returns how many verifications a second all cores do, a process each."""
    context = multiprocessing.get_context("spawn")
    cores = os.cpu_count() or 1
    barrier, rates = context.Barrier(cores), context.Queue()
    processes = [
        context.Process(target=_rate_in_process, args=(library, seconds, barrier, rates))
        for _ in range(cores)
    ]
    for process in processes:
        process.start()
    found = sum(rates.get(timeout=60 + seconds) for _ in processes)
    for process in processes:
        process.join()
    return float(found)


def measure(*, seconds: float, repeats: int = 3) -> Limits:
    """Measures the limits that goals are told in."""
    runs = [
        (
            {name: rate_of(make(), seconds=seconds) for name, make in LIBRARIES.items()},
            {name: rate_on_all_cores(name, seconds=seconds) for name in LIBRARIES},
        )
        for _ in range(repeats)
    ]
    return Limits(
        verify_core={name: median([core[name] for core, _ in runs]) for name in LIBRARIES},
        verify_all={name: median([every[name] for _, every in runs]) for name in LIBRARIES},
    )


# --- Beside: the disk and the database ------------------------------------------------


def fdatasync_us(directory: Path, *, size: int = 16_384, count: int = 200) -> float:
    """Returns the median time of appending so many bytes and waiting for the disk."""
    waits = []
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(count):
            file.write(bytes(size))
            file.flush()
            start = time.perf_counter_ns()
            os.fdatasync(file.fileno())
            waits.append((time.perf_counter_ns() - start) / 1e3)
    return median(waits)


_SCHEMA: Final = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
CREATE TABLE entry (n INTEGER PRIMARY KEY, sid TEXT UNIQUE, data BLOB);
CREATE TABLE lot (id TEXT PRIMARY KEY, holder TEXT, amount INTEGER, until INTEGER) WITHOUT ROWID;
CREATE INDEX holder ON lot (holder);
"""


def sqlite_rate(directory: Path, *, batch: int, count: int) -> float:
    """Returns whole transfers a second: an entry, a lot spent, two lots made; by so many a commit.

    Raises:
        AssertionError: The rows are not there.
    """
    with tempfile.TemporaryDirectory(dir=directory) as place:
        database = pysqlite3.connect(f"{place}/limit.db", isolation_level=None)
        database.executescript(_SCHEMA)
        database.execute("INSERT INTO lot VALUES ('lot 0', 'holder', 1000000, 0)")
        data = bytes(2_048)
        start = time.perf_counter()
        for first in range(0, count, batch):
            numbers = range(first, min(first + batch, count))
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "INSERT INTO entry VALUES (?, ?, ?)",
                [(n, sha256(b"%d" % n).hexdigest(), data) for n in numbers],
            )
            database.executemany(
                "INSERT INTO lot VALUES (?, ?, 1, 0)",
                [row for n in numbers for row in ((f"lot {n + 1}", "rest"), (f"part {n}", "new"))],
            )
            database.executemany(
                "UPDATE lot SET until = ? WHERE id = ?", [(n + 1, f"lot {n}") for n in numbers]
            )
            database.execute("COMMIT")
        seconds = time.perf_counter() - start
        (spent,) = database.execute("SELECT count(*) FROM lot WHERE until > 0").fetchone()
        database.close()
    assert spent == count, f"{spent} lots spent of {count}"
    return count / seconds


def main() -> None:
    """Measures and prints everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.limits")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each rate")
    parser.add_argument("--dir", type=Path, default=Path(), help="on the disk to be measured")
    given = parser.parse_args()
    tell(**machine())
    found = measure(seconds=given.seconds)
    for name in LIBRARIES:
        tell(
            what="Ed25519 verify",
            library=name,
            one_core_per_s=found.verify_core[name],
            all_cores_per_s=found.verify_all[name],
        )
    secret = Ed25519PrivateKey.from_private_bytes(bytes(32))
    tell(what="Ed25519 sign", per_s=rate_of(lambda: secret.sign(MESSAGE), seconds=given.seconds))
    tell(what="SHA-256", per_s=rate_of(lambda: sha256(MESSAGE).digest(), seconds=given.seconds))
    tell(what="fdatasync of 16 KiB", median_us=fdatasync_us(given.dir))
    for batch in (1, 100, 1_000):
        count = max(batch * 10, 500)
        rate = sqlite_rate(given.dir, batch=batch, count=count)
        tell(what="SQLite, whole transfers", a_commit=batch, per_s=rate, fsync=True)


if __name__ == "__main__":
    main()
