"""The ledger that is measured, and the statements that are sent to it.

Every hundredth party is a debtor and every hundredth a co-debtor; the others hold. A
voucher of one debtor and one co-debtor is accepted by a holder and split over ten. Each
holder has a standing consent, so an offer to it is effective at once. Everything is made
by real statements through the real engine, in bulk; only the clock is the sandbox's, so
that a ledger that was built once can be used again on any day.

    python -m tests.benchmarks.workload --parties 1000 --lots 10000
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from api.service import open_store
from clearing.rulebook import RULEBOOK
from registry.canonical import Json
from registry.engine import Engine
from registry.errors import RegistryError
from registry.ids import Sid
from registry.invoices import fingerprint
from registry.ports import LedgerStore
from registry.rules.vouchers import Promises
from registry.signer import CheckpointSigner
from registry.statements import admit
from registry.store.sql import SqlStore
from registry.writer import StoredKeys
from tests.benchmarks.measure import ROOT
from tests.benchmarks.transfers import (
    TERMS,
    TIME_MS,
    Book,
    Hand,
    Holding,
    Scale,
    co_debtor,
    offer_body,
    party_id,
    party_key,
    sid_of,
)
from tests.builders import (
    ORIGIN,
    FixedClock,
    World,
    admission,
    key_of,
)

CACHE: Final = ROOT / ".bench"
FACE: Final = 100_000_000
LOTS_A_VOUCHER: Final = 10
BATCH: Final = 1_000


FULL: Final = Scale(parties=10_000, lots=100_000)
QUICK: Final = Scale(parties=1_000, lots=10_000)


class Sealer:
    """Seals statements in a store without a server, a thousand in a commit."""

    def __init__(self, store: LedgerStore) -> None:
        """Takes the writer's lease."""
        self.store = store
        self._keys = StoredKeys(store)
        self._engine = Engine(store, RULEBOOK, FixedClock(TIME_MS), origin=ORIGIN)

    def seal(self, texts: Iterable[str]) -> list[Sid]:
        """Admits and seals statements, which must all be accepted."""
        sids: list[Sid] = []
        rest = iter(texts)
        while batch := list(islice(rest, BATCH)):
            statements = [
                admit(text, kinds=RULEBOOK.kinds, origin=ORIGIN, keys=self._keys) for text in batch
            ]
            for outcome in self._engine.submit(statements):
                if isinstance(outcome, RegistryError):
                    raise outcome
            sids += [statement.sid for statement in statements]
        # What time or the last batch has brought about, such as a state entry.
        self._engine.submit([])
        return sids


class Builder:
    """Builds the ledger in an empty store: opens it, then `build`."""

    def __init__(self, store: LedgerStore, scale: Scale) -> None:
        world = World(store, RULEBOOK).open()
        world.admit("bank", "bank", number=3)
        self._registrar, self._bank = world.ids["registrar"], world.ids["bank"]
        self._do = Sealer(store).seal
        self._scale = scale
        self._hand = Hand("build")
        self._random = random.Random("build")  # noqa: S311 (the same ledger every time)
        self._accounts: dict[int, Sid] = {}
        self._mandates: dict[int, Sid] = {}

    def build(self) -> list[Holding]:
        """Builds everything and returns the free lots."""
        self._admit_all()
        self._open_accounts()
        return self._split_all(self._issue_all())

    def _by(self, number: int, kind: str, body: dict[str, Json], *, re: str | None = None) -> str:
        """Signs a statement of a party."""
        return self._hand.sign(party_key(number), party_id(number), kind, body, re=re)

    def _admit_all(self) -> None:
        """Registers the parties, and has the registrar admit them."""
        everybody = range(self._scale.parties)
        made = self._do(
            [
                self._by(
                    number,
                    "party.register",
                    {"name": f"party {number}", "key": {**party_key(number).public.jwk()}},
                )
                for number in everybody
            ]
        )
        body = admission("participant")
        registrar = key_of("registrar")
        self._do(
            [
                self._hand.sign(registrar, self._registrar, "party.admit", body, re=sid)
                for sid in made
            ]
        )

    def _open_accounts(self) -> None:
        """Opens everybody's account, the debtors' mandates and the holders' consents."""
        everybody = range(self._scale.parties)
        account: dict[str, Json] = {
            "bank": self._bank,
            "account_kind": "settlement",
            "terms": TERMS,
        }
        sids = self._do([self._by(each, "account.register", account) for each in everybody])
        self._accounts = dict(zip(everybody, sids, strict=True))
        bank = key_of("bank")
        self._do([self._hand.sign(bank, self._bank, "account.verify", {}, re=sid) for sid in sids])
        debtors = range(self._scale.debtors)
        sids = self._do(
            [self._by(each, "mandate.grant", {"account": self._accounts[each]}) for each in debtors]
        )
        self._mandates = dict(zip(debtors, sids, strict=True))
        inbox: dict[str, Json] = {"system": ORIGIN, "entry_is_arrival": True}
        self._do([self._by(each, "inbox.designate", inbox) for each in everybody])
        self._do(
            [
                self._by(
                    each,
                    "consent.grant",
                    {
                        "purpose": "settle",
                        "account": self._accounts[each],
                        "collection_route": True,
                    },
                )
                for each in self._scale.holders
            ]
        )

    def _issue_all(self) -> list[tuple[Sid, int]]:
        """Issues the vouchers, has them joined and accepted; returns them with their holders."""
        numbers = range(-(-self._scale.lots // LOTS_A_VOUCHER))
        creditors = [self._random.choice(self._scale.holders) for _ in numbers]
        sids = self._do(
            [
                self._by(n % self._scale.debtors, "voucher.issue", self._issue(n, creditors[n]))
                for n in numbers
            ]
        )
        joined: dict[str, Json] = {
            "scope": "full",
            "addressee": "holders",
            "resolution": {"digest": TERMS, "name": "resolution.pdf"},
        }
        self._do(
            [
                self._by(co_debtor(n, self._scale), "voucher.accede", joined, re=sids[n])
                for n in numbers
            ]
        )
        self._do(
            [
                self._by(
                    creditors[n],
                    "voucher.accept",
                    {"account": self._accounts[creditors[n]], "collection_route": True},
                    re=sids[n],
                )
                for n in numbers
            ]
        )
        return list(zip(sids, creditors, strict=True))

    def _issue(self, n: int, creditor: int) -> dict[str, Json]:
        """Returns the body of a voucher; its due date is one of twenty."""
        debtor = n % self._scale.debtors
        promises: dict[str, Json] = dict.fromkeys(Promises.model_fields, True)
        return {
            "voucher_no": f"V{n}",
            "creditor": party_id(creditor),
            "face": str(FACE),
            "invoices": [
                {
                    "fingerprint": fingerprint(seller=party_id(creditor), number=str(n)),
                    "total": str(FACE),
                    "used": str(FACE),
                }
            ],
            "due_on": f"2025-12-{1 + n % 20:02}",
            "accept_by": "2025-07-10",
            "basis": "goods-delivered",
            "promises": promises,
            "assignment_restriction": "none",
            "evidence": [
                {"type": kind, "file": {"digest": TERMS, "name": f"{kind}.pdf"}}
                for kind in ("contract", "invoice", "acceptance")
            ],
            "route": "tiered" if n % 2 else "direct",
            "account": self._accounts[debtor],
            "mandate": self._mandates[debtor],
            "terms": TERMS,
        }

    def _split_all(self, vouchers: Sequence[tuple[Sid, int]]) -> list[Holding]:
        """Has each first holder pass nine tenths on to nine others."""
        part = FACE // LOTS_A_VOUCHER
        texts: list[str] = []
        holdings: list[Holding] = []
        for n, (voucher, holder) in enumerate(vouchers):
            lot, left = f"{voucher}.0", FACE
            others = self._random.sample(self._scale.holders, LOTS_A_VOUCHER)
            for assignee in [each for each in others if each != holder][: LOTS_A_VOUCHER - 1]:
                texts.append(self._by(holder, "transfer.offer", offer_body(lot, part, assignee)))
                sid = sid_of(texts[-1])
                holdings.append(Holding(f"{sid}.2", part, assignee, n))
                lot, left = f"{sid}.1", left - part
            holdings.append(Holding(lot, left, holder, n))
        self._do(texts)
        self._random.shuffle(holdings)
        return holdings


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A ledger that was built: its directory, its database, its free lots, its size."""

    directory: Path
    database: str
    scale: Scale
    size: int
    holdings: list[Holding]

    def book(self, name: str) -> Book:
        """Returns its free lots, to be transferred."""
        return Book(self.scale, (Holding(*astuple(each)) for each in self.holdings), name=name)


def sign(store: LedgerStore, directory: Path) -> str:
    """Signs the log as it is now, and returns the checkpoint."""
    memory = directory / "signed.json"
    return CheckpointSigner(store, key_of("log"), origin=ORIGIN, memory=memory).sign()


def build(database: str, directory: Path, scale: Scale) -> Built:
    """Builds the ledger in an empty database and signs it."""
    directory.mkdir(parents=True, exist_ok=True)
    key_file = directory / "log-key.pem"
    key_file.touch(mode=0o600)
    key_file.write_bytes(key_of("log").to_pem())
    store = open_store(database)
    holdings = Builder(store, scale).build()
    sign(store, directory)
    size = store.size()
    if isinstance(store, SqlStore):
        store.close()
    return Built(directory=directory, database=database, scale=scale, size=size, holdings=holdings)


def revision() -> str:
    """Names what a built ledger depends on: the rules, the formats, the schema, and this file."""
    files = [
        *(ROOT / "registry").glob("rules/*.py"),
        *(ROOT / "clearing").glob("rules/*.py"),
        *(ROOT / "registry/store").glob("migrations/versions/*.py"),
        *(ROOT / "registry" / f"{name}.py" for name in ("model", "effects", "entries", "tables")),
        *(ROOT / "tests" / "benchmarks" / name for name in ("transfers.py", "workload.py")),
    ]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def cached(scale: Scale, *, cache: Path = CACHE) -> Built:
    """Returns the ledger in SQLite, built now unless it was built before; never write to it."""
    name = f"{scale.parties}-{scale.lots}-{revision()}"
    place = cache / name
    if not (place / "built.json").exists():
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(f"{scale.parties}-{scale.lots}-*"):
            shutil.rmtree(old, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix="building-", dir=cache))
        made = build(f"sqlite:///{fresh / 'ledger.db'}", fresh, scale)
        facts = {"size": made.size, "holdings": [astuple(each) for each in made.holdings]}
        (fresh / "built.json").write_text(json.dumps(facts))
        fresh.rename(place)
    facts = json.loads((place / "built.json").read_text())
    return Built(
        directory=place,
        database=f"sqlite:///{place / 'ledger.db'}",
        scale=scale,
        size=facts["size"],
        holdings=[Holding(*each) for each in facts["holdings"]],
    )


def copy(built: Built, directory: Path) -> Built:
    """Copies a built ledger in SQLite, and waits until the copy is on disk."""
    shutil.copytree(built.directory, directory, dirs_exist_ok=True)
    for file in directory.iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    return Built(
        directory=directory,
        database=f"sqlite:///{directory / 'ledger.db'}",
        scale=built.scale,
        size=built.size,
        holdings=built.holdings,
    )


def scale_of(given: argparse.Namespace) -> Scale:
    """Returns the scale that a command line asks for."""
    return Scale(parties=given.parties, lots=given.lots)


def add_scale(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the scale; without them it is the quick one."""
    parser.add_argument("--parties", type=int, default=QUICK.parties)
    parser.add_argument("--lots", type=int, default=QUICK.lots)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where built ledgers are kept")


def main() -> None:
    """Builds a ledger, or finds it built."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.workload")
    add_scale(parser)
    given = parser.parse_args()
    built = cached(scale_of(given), cache=given.cache)
    facts: dict[str, Any] = {
        **asdict(built.scale),
        "directory": str(built.directory),
        "entries": built.size,
        "free_lots": len(built.holdings),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
